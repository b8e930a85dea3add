"""What rules would have recorded: their own expressions, asked of a Prometheus that has what they read.

promtool's `create-blocks-from rules` asks at other moments than those of our samples, and makes a block a rule every
two hours. Here each rule is one query a block, so that nobody ever holds the month. The Prometheus is one that nobody
else talks to: a rule that reads what others record has to wait for their blocks, which the running one would show a
minute later each time.
"""

from __future__ import annotations

import re
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import requests
import yaml

from past import promtool, simulate

# What dashboards show over days: all of one file, and some of others with what they are made of. Not what remembers:
# what was counted minute by minute (uptime, SLA) or told once (milestones, alerts) is a judgement of what was watched,
# and nobody watched then.
FILE = "dashboards.yml"
RECORDED = (
    "bot:data_age:seconds",
    "bot:drawdown:ratio",
    "bot:error_rate:avg1h",
    "bot:health:bool",
    "bot:maintenance",
    "bot:max_drawdown:ratio",
    "bot:response_time_seconds:p95",
    "bot:risk_utilization:ratio",
    "bot:running:bool",
    "bot:score:ratio",
    "bot:score_measured:ratio",
    "bot:sign_of_life:timestamp_seconds",
    "bot:threshold",
    "bot_benchmark:met:bool",
    "bot_check:health:bool",
    "bot_part:score:ratio",
    "monitoring:target",
    "part:score_weight:ratio",
)
# For the Prometheus to answer; much more than it takes.
SECONDS = 120
# Ends with its input, so with this process however that ends.
GUARDED = '"$@" & cat >/dev/null; kill $!; wait'


class Rule(NamedTuple):
    """A recording rule."""

    record: str
    expr: str
    labels: Mapping[str, str]

    @property
    def reads(self) -> set[str]:
        """The metrics that it names; another rule's have a colon."""
        return set(re.findall(r"\b[a-z_]\w*(?::\w+)*", self.expr))


def rules(folder: Path) -> list[Rule]:
    """The rules of those series, from rule files."""
    return [
        Rule(entry["record"], entry["expr"], entry.get("labels", {}))
        for file in sorted(folder.glob("*.yml"))
        for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]
        for entry in group["rules"]
        if "record" in entry and (file.name == FILE or entry["record"] in RECORDED)
    ]


def add(wanted: Sequence[Rule], times: Sequence[int], folder: Path, binaries: Path) -> None:
    """Add what rules would have recorded to the blocks' files, which end with that.

    Args:
        wanted: the rules.
        times: the moments at which they were asked, evenly spaced.
        folder: where the files are.
        binaries: where prometheus and promtool are.
    """
    data = folder / "read"
    read = {name for rule in wanted for name in rule.reads}
    for layer in _layers(wanted):
        _take(folder, data, binaries)
        with prometheus(binaries, data) as url:
            for block, moments in simulate.by_block(times):
                with (
                    (folder / f"{block}.om").open("a", encoding="utf-8") as served,
                    (folder / f"{block}.read").open("w", encoding="utf-8") as read_again,
                ):
                    for rule in layer:
                        for line in _lines(url, rule, moments):
                            served.write(line)
                            if rule.record in read:
                                read_again.write(line)
                    read_again.write("# EOF\n")
    for file in simulate.files(folder):
        with file.open("a", encoding="utf-8") as served:
            served.write("# EOF\n")


def _take(folder: Path, data: Path, binaries: Path) -> None:
    """Put what is to be read into the data that rules are asked of."""
    for file in simulate.to_read(folder):
        promtool.blocks(binaries, file, data, simulate.BLOCK)
        file.unlink()


def _layers(wanted: Sequence[Rule]) -> Iterator[list[Rule]]:
    """Rules of which none reads what one of a later layer records."""
    left = list(wanted)
    while left:
        missing = {rule.record for rule in left}
        layer = [rule for rule in left if not rule.reads & missing - {rule.record}]
        if not layer:
            raise RuntimeError(f"these rules read each other: {', '.join(sorted(missing))}")
        yield layer
        left = [rule for rule in left if rule not in layer]


@contextmanager
def prometheus(binaries: Path, data: Path) -> Iterator[str]:
    """Run Prometheus on the data, without any configuration; gives its address."""
    configuration, log = data.with_suffix(".yml"), data.with_suffix(".log")
    configuration.touch()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = "{}:{}".format(*probe.getsockname())
    command = ["sh", "-c", GUARDED, "sh", str(binaries / "prometheus"), f"--config.file={configuration}"]
    command += [f"--storage.tsdb.path={data}", "--storage.tsdb.retention.time=10y", f"--web.listen-address={address}"]
    with log.open("wb") as output, subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=output):  # noqa: S603
        end = time.monotonic() + SECONDS
        while not _ready(f"http://{address}"):
            if time.monotonic() > end:
                raise RuntimeError(f"Prometheus does not start: {log.read_text(errors='replace')[-400:]}")
            time.sleep(0.1)
        yield f"http://{address}"


def _ready(url: str) -> bool:
    try:
        return requests.get(f"{url}/-/ready", timeout=5).ok
    except OSError:
        return False


def _lines(url: str, rule: Rule, times: Sequence[int]) -> Iterator[str]:
    """The lines of what a rule records."""
    span: dict[str, Any] = {"start": times[0], "end": times[-1], "step": simulate.STEP}
    answer = requests.post(f"{url}/api/v1/query_range", data={"query": rule.expr, **span}, timeout=SECONDS).json()
    if answer["status"] != "success":
        raise RuntimeError(f"{rule.record}: {answer['error']}")
    for series in answer["data"]["result"]:
        labels = {name: value for name, value in {**series["metric"], **rule.labels}.items() if name != "__name__"}
        start = simulate.head(rule.record, labels)
        for moment, value in series["values"]:
            yield f"{start} {value} {int(moment)}\n"
