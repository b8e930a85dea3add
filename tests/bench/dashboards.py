"""How long each panel's queries take, on the real Prometheus with thirty days of a hundred bots."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import requests
import yaml

from exporter.config.load import load as load_monitoring
from past.__main__ import DAYS, openmetrics
from past.simulate import BLOCK, STEP
from tests.binaries import binary
from tests.grafana.dashboards import VALUES, load, panels
from tests.stack import ROOT, free_port, wait_for

# Their stories are those of so many simulated bots, told under many names: the shape of the data is what matters. To
# make all takes long; BENCH_BOTS makes fewer.
DASHBOARDS = Path(os.environ.get("BENCH_DASHBOARDS", ROOT / "grafana" / "dashboards"))
BOTS = int(os.environ.get("BENCH_BOTS", "100"))
STORIES = 1
RANGES = {"1 h": 3600, "24 h": 86400, "30 d": DAYS * 86400}
# Of a panel on a wide screen, as Grafana has it without any setting of the panel's own; and the provisioned least step.
POINTS, LEAST = 1500, 60
GOAL = 1.0
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


class Seen(NamedTuple):
    """The slowest of a panel's queries in a range; all of them, as Prometheus would have them one after the other."""

    slowest: float
    together: float
    expression: str
    fault: str = ""
    empty: bool = False


def dashboards(runs: int) -> None:
    """Each panel's slowest query over each range."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir=os.environ.get("BENCH_FOLDER")) as name:
        folder = Path(name)
        began = time.monotonic()
        until = backfill(folder)
        made = time.monotonic() - began
        size = sum(file.stat().st_size for file in (folder / "data").rglob("*") if file.is_file())
        print(f"{DAYS} days of {BOTS} bots, a sample every {STEP} s: {size / 2**20:,.0f} MiB, made in {made:.0f} s")
        with running(folder) as url:
            count = _ask(url, f"count({{__name__!=''}} @ {until})", None)[0]
            print(f"Series: {count['value'][1]}; each query {runs} times, the median; load {os.getloadavg()[0]:.1f}")
            for file in sorted(DASHBOARDS.glob("*.json")):
                _dashboard(url, load(file), until, runs)


def _dashboard(url: str, dashboard: Mapping[str, Any], until: int, runs: int) -> None:
    print(f"\n{dashboard['title']}, in seconds: the slowest query, and in brackets all of the panel")
    print(f"  {'panel':<40}" + "".join(f"{name:>18}" for name in RANGES))
    slow: list[tuple[float, str, str, str]] = []
    rows = []
    for panel in panels(dict(dashboard)):
        if not panel.get("targets"):
            continue
        seen = {name: measure(url, panel, seconds, until, runs) for name, seconds in RANGES.items()}
        rows.append((panel["title"], seen))
        slow += [
            (each.slowest, panel["title"], name, each.fault or each.expression)
            for name, each in seen.items()
            if each.slowest >= GOAL or each.fault
        ]
    for title, seen in sorted(rows, key=lambda row: -max(each.slowest for each in row[1].values())):
        cells = "".join(f"{_cell(each):>18}" for each in seen.values())
        print(f"  {title[:39]:<40}{cells}")
    for seconds, title, name, text in sorted(slow, reverse=True):
        print(f"  TOO SLOW: {title}, {name}: {seconds:.2f} s: {text[:600]}")
    print(f"  goal: each below {GOAL:g} s; {len(slow)} are not", flush=True)


def _cell(seen: Seen) -> str:
    return "no data" if seen.empty else f"{seen.slowest:.3f} ({seen.together:.2f})"


def measure(url: str, panel: Mapping[str, Any], seconds: int, until: int, runs: int) -> Seen:
    """A panel's queries over a range."""
    if (own := panel.get("timeFrom")) is not None:
        seconds = _seconds(own)
    least = _seconds(panel.get("interval") or f"{LEAST}s")
    step = max(_rounded(seconds / (panel.get("maxDataPoints") or POINTS)), least)
    found = []
    for target in panel["targets"]:
        expression = _filled(target["expr"], seconds, step)
        span = None if target.get("instant") and not target.get("range") else (until - seconds, until, step)
        times, fault, empty = [], "", True
        for _ in range(runs):
            began = time.monotonic()
            try:
                empty = not _ask(url, expression, span, until)
            except (AssertionError, requests.RequestException) as error:
                fault = str(error)
            times.append(time.monotonic() - began)
        found.append(Seen(statistics.median(times), 0, target["expr"], fault, empty))
    worst = max(found)
    fault = next((each.fault for each in found if each.fault), "")
    return Seen(
        worst.slowest, sum(each.slowest for each in found), worst.expression, fault, all(each.empty for each in found)
    )


def _filled(expression: str, seconds: int, step: int) -> str:
    for name, value in {
        **VALUES,
        "bot": "(" + "|".join(f"bot-{number}" for number in range(BOTS)) + ")",
        "__range_s": f"{seconds}",
        "__range": f"{seconds}s",
        "__rate_interval": f"{max(step + LEAST, 4 * LEAST)}s",
        "__interval_ms": f"{step * 1000}",
        "__interval": f"{step}s",
    }.items():
        expression = re.sub(rf"\$({name}\b|\{{{name}(:\w+)?\}})", value.replace("\\", r"\\"), expression)
    return expression


def _rounded(seconds: float) -> int:
    """As Grafana rounds a step."""
    return next((nice for nice in (15, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200) if seconds <= nice), 10800)


def _seconds(text: str) -> int:
    return int(text.strip("<>=")[:-1]) * UNITS[text[-1]]


def _ask(url: str, expression: str, span: tuple[int, int, int] | None, at: int | None = None) -> list[Any]:
    parameters: dict[str, Any] = {"query": expression}
    if span is None:
        parameters |= {} if at is None else {"time": at}
    else:
        start, end, step = span
        parameters |= {"start": start // step * step, "end": end // step * step, "step": step}
    path = "query" if span is None else "query_range"
    answer = requests.post(f"{url}/api/v1/{path}", data=parameters, timeout=130).json()
    assert answer["status"] == "success", answer["error"]
    result: list[Any] = answer["data"]["result"]
    return result


def backfill(folder: Path) -> int:
    """Make the data of all bots; returns the time of the last sample."""
    (folder / "monitoring.yml").write_text(
        yaml.safe_dump(
            {
                "preset": "production",
                "bots": [{"name": f"story-{number}", "type": "demo", "seed": number} for number in range(STORIES)],
            }
        )
    )
    config, now = load_monitoring(folder / "monitoring.yml"), int(time.time())
    since = {bot.name: now - DAYS * 86400 for bot in config.bots}
    span = range(now - DAYS * 86400, now, STEP)
    (folder / "past").mkdir()
    binaries = Path(binary("promtool")).parent
    files = openmetrics(config, since, span, ROOT / "prometheus" / "rules", folder / "past", binaries)
    until = 0
    names = asked()
    for file in files:
        until = max(until, _multiply(file, names))
        command = [binary("promtool"), "tsdb", "create-blocks-from", "openmetrics", f"--max-block-duration={BLOCK}h"]
        subprocess.run([*command, "-q", str(file), str(folder / "data")], check=True)
        file.unlink()
    return until


def asked() -> set[str]:
    """The series that dashboards ask for: others would only take time to make."""
    text = "\n".join(file.read_text() for file in DASHBOARDS.glob("*.json"))
    return set(re.findall(r"\b(?:trading_bot|bot|bot_\w+|monitoring)[_:][\w:]+", text))


def _multiply(file: Path, names: set[str]) -> int:
    """Have a file tell of all bots; returns the time of its last sample."""
    new, last = file.with_suffix(".new"), 0
    with file.open() as lines, new.open("w") as out:
        for line in lines:
            if line.partition("{")[0] not in names:
                continue
            found = re.search(r"story-(\d+)", line)
            if found is None:
                out.write(line)
                continue
            parts = line.split(found[0])
            out.writelines(f"bot-{number}".join(parts) for number in range(int(found[1]), BOTS, STORIES))
            last = int(line.rpartition(" ")[2])
        out.write("# EOF\n")
    new.rename(file)
    return last


class running:  # noqa: N801 - used as a function
    """Prometheus over the data, without rules."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> str:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        (self._folder / "prometheus.yml").write_text("{}\n")
        command = [binary("prometheus"), f"--config.file={self._folder / 'prometheus.yml'}"]
        command += [f"--storage.tsdb.path={self._folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}"]
        command += ["--storage.tsdb.retention.time=40d", "--log.level=error"]
        self._process = subprocess.Popen(command)
        wait_for("Prometheus", lambda: _ready(url), 120)
        return url

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(60)


def _ready(url: str) -> bool:
    try:
        return requests.get(f"{url}/-/ready", timeout=2).ok
    except requests.RequestException:
        return False
