"""What an evaluation of all rules costs with 1,000 bots, on the real Prometheus with the configuration as shipped."""

from __future__ import annotations

import os
import signal
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import requests
import yaml

from tests.stack import Stack, wait_for

BOTS = 1000
CYCLE = 10.0  # seconds: the evaluation interval as shipped
# Windows of up to five minutes are full then. Longer ones hold what there is: their part is a share of what it becomes.
WARM_UP = 330.0
GOAL = "  goal: less than 1 s in each cycle of 10 s"


class Evaluation(NamedTuple):
    """One run of a group."""

    at: float
    seconds: float


class Group(NamedTuple):
    """A group as Prometheus states it, with the runs that were seen."""

    interval: float
    rules: int
    runs: list[Evaluation]

    @property
    def seconds(self) -> float:
        """The median of its runs."""
        return statistics.median(run.seconds for run in self.runs)


def rules(runs: int) -> None:
    """Each group's duration, and the sum of a cycle: of the mean one, and of the worst ten seconds that were seen."""
    minutes = max(runs, 3)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "stack"
        folder.mkdir()
        with Stack(folder, monitoring(), {}, short=False) as stack:
            began = time.monotonic()
            up = "count(trading_bot_up == 1)"
            wait_for("all bots are seen", lambda: stack.value(up) == BOTS, 300, every=5)
            time.sleep(max(0.0, WARM_UP - (time.monotonic() - began)))
            waited = time.monotonic() - began
            usage = Usage(stack)
            groups = observe(stack, 60.0 * minutes)
            used = usage.cores()
            series = stack.query("sum by (rule_group) (prometheus_rule_group_last_evaluation_samples)")
            failed = stack.value("sum(prometheus_rule_evaluation_failures_total)")
            without_rules(stack)
            usage = Usage(stack)
            time.sleep(60.0 * minutes)
            without = usage.cores()
    print(f"All rules with {BOTS:,} demo bots, for {minutes} min after {waited / 60:.1f}, as medians of a group's runs")
    print(f"{'  group':<18}{'interval':>9}{'a run':>10}{'worst':>10}{'rules':>7}{'series':>9}{'runs':>6}")
    counts = {dict(labels)["rule_group"].rpartition(";")[2]: value for labels, value in series.items()}
    for group_name, group in sorted(groups.items(), key=lambda item: -share(item[1])):
        worst = max(run.seconds for run in group.runs)
        print(
            f"  {group_name:<16}{group.interval:>7.0f} s{group.seconds:>8.3f} s{worst:>8.3f} s"
            f"{group.rules:>7}{counts.get(group_name, 0):>9,.0f}{len(group.runs):>6}"
        )
    print(f"  the mean cycle of {CYCLE:.0f} s: {sum(map(share, groups.values())):.3f} s", end="")
    print(f", the worst ten seconds: {worst_burst(groups):.3f} s. Failed: {failed or 0:.0f}")
    print("  Measured while the exporter answers scrapes on the same processors: Prometheus used ", end="")
    print(f"{used['prometheus']:.2f} and the exporter {used['exporter']:.2f} of a core", end="")
    print(f"; load {os.getloadavg()[1]:.1f} on {os.cpu_count()} cores")
    print(f"  processor time of a cycle's rules: {(used['prometheus'] - without['prometheus']) * CYCLE:.2f} s", end="")
    print(f" (Prometheus without rules used {without['prometheus']:.2f} of a core, for {minutes} min)")
    print(GOAL, flush=True)


class Usage:
    """How much processor time the processes use from now on."""

    def __init__(self, stack: Stack) -> None:
        self._processes = {name: psutil.Process(stack.pid(name)) for name in ("prometheus", "exporter")}
        self._began = time.monotonic()
        self._before = self._seconds()

    def cores(self) -> dict[str, float]:
        """The mean number of cores that each process was busy on."""
        passed = time.monotonic() - self._began
        return {name: (seconds - self._before[name]) / passed for name, seconds in self._seconds().items()}

    def _seconds(self) -> dict[str, float]:
        times = {name: process.cpu_times() for name, process in self._processes.items()}
        return {name: float(time.user + time.system) for name, time in times.items()}


def without_rules(stack: Stack) -> None:
    """Have Prometheus go on without rules."""
    path = stack.folder / ".stack" / "out" / "prometheus" / "prometheus.yml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"rule_files": []}))
    os.kill(stack.pid("prometheus"), signal.SIGHUP)
    address = f"{stack.url('prometheus')}/api/v1/rules"
    wait_for("no more rules", lambda: not requests.get(address, timeout=10).json()["data"]["groups"], 60)


def monitoring() -> dict[str, Any]:
    """A thousand bots with all thresholds."""
    return {"preset": "experienced", "bots": [{"name": f"bot-{n}", "type": "demo", "seed": n} for n in range(BOTS)]}


def observe(stack: Stack, seconds: float) -> dict[str, Group]:
    """The groups, with each of their runs in so many seconds."""
    groups: dict[str, Group] = {}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        # Only the rules as such: with thousands of alerts the asking would cost more than the rules do.
        answer = requests.get(
            f"{stack.url('prometheus')}/api/v1/rules", params={"exclude_alerts": "true"}, timeout=30
        ).json()
        for told in answer["data"]["groups"]:
            group = groups.setdefault(told["name"], Group(float(told["interval"]), len(told["rules"]), []))
            run = Evaluation(datetime.fromisoformat(told["lastEvaluation"]).timestamp(), told["evaluationTime"])
            if run not in group.runs[-1:]:
                group.runs.append(run)
        time.sleep(2)
    return groups


def share(group: Group) -> float:
    """A group's part of a mean cycle, in seconds."""
    return group.seconds * CYCLE / group.interval


def worst_burst(groups: Mapping[str, Group]) -> float:
    """The largest sum of the runs that began within any ten seconds."""
    runs: Sequence[Evaluation] = sorted(run for group in groups.values() for run in group.runs)
    return max(sum(run.seconds for run in runs if first.at <= run.at < first.at + CYCLE) for first in runs)
