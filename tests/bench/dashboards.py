"""How long each panel's queries take, on the real Prometheus with thirty days of a hundred bots."""

from __future__ import annotations

import os
import re
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import requests

from past import record
from tests.bench.month import BINARIES, BOTS, SPAN, Asked, ask, backfill
from tests.grafana.dashboards import VALUES, load, panels
from tests.stack import ROOT

DASHBOARDS = Path(os.environ.get("BENCH_DASHBOARDS", ROOT / "grafana" / "dashboards"))
DAYS = SPAN // 86400
RANGES = {"1 h": 3600, "24 h": 86400, f"{DAYS} d": SPAN}
# Grafana asks for a point a pixel of a panel's width, of which there are 24 units, but for what the panel itself sets;
# and the provisioned least step.
SCREEN, UNITS_WIDE, LEAST = 1920, 24, 60
# Of marks over the charts it asks for about so many points.
MARKS = 100
GOAL = 1.0
HOW = (
    "what is asked for over ranges at its real interval (rules' series 60 s, limits 30 s, alerts 10 s, the stack 15 s),"
    " the rest of the last hour alone. One simulated bot's past under all names; the rules' series by the rules; "
    "health, score, SLA, alerts and the stack made up."
)
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
        until = backfill(folder, asked())
        made = time.monotonic() - began
        size = sum(file.stat().st_size for file in (folder / "data").rglob("*") if file.is_file())
        print(f"{DAYS} days of {BOTS} bots, {size / 2**20:,.0f} MiB, made in {made:.0f} s: {HOW}")
        with record.prometheus(BINARIES, folder / "data") as url:
            count = ask(url, f"count({{__name__!=''}} @ {until})", None)[0]
            print(f"Series: {count['value'][1]}; each query {runs} times, the median; load {os.getloadavg()[0]:.1f}")
            for file in sorted(DASHBOARDS.glob("*.json")):
                _dashboard(url, load(file), until, runs)


def _dashboard(url: str, dashboard: Mapping[str, Any], until: int, runs: int) -> None:
    print(f"\n{dashboard['title']}, in seconds: the slowest query, and in brackets all of the panel")
    print(f"  {'panel':<40}" + "".join(f"{name:>18}" for name in RANGES))
    slow: list[tuple[float, str, str, str]] = []
    rows = []
    for panel in (*panels(dict(dashboard)), *_marks(dashboard)):
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


def _marks(dashboard: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for mark in dashboard["annotations"]["list"]:
        if "target" in mark:
            yield {"title": f"Marks: {mark['name']}", "targets": [mark["target"]], "maxDataPoints": MARKS}


def _cell(seen: Seen) -> str:
    return "no data" if seen.empty else f"{seen.slowest:.3f} ({seen.together:.2f})"


def measure(url: str, panel: Mapping[str, Any], seconds: int, until: int, runs: int) -> Seen:
    """A panel's queries over a range."""
    if (own := panel.get("timeFrom")) is not None:
        seconds = _seconds(own)
    least = _seconds(panel.get("interval") or f"{LEAST}s")
    points = panel.get("maxDataPoints") or SCREEN * panel["gridPos"]["w"] // UNITS_WIDE
    step = max(_rounded(seconds / points), least)
    found = []
    for target in panel["targets"]:
        expression = _filled(target["expr"], seconds, step)
        span = None if target.get("instant") and not target.get("range") else (until - seconds, until, step)
        times, fault, empty = [], "", True
        for _ in range(runs):
            began = time.monotonic()
            try:
                empty = not ask(url, expression, span, until)
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


def asked() -> Asked:
    """The series that dashboards ask for: others would only take time to make."""
    ranges, every = set[str](), set[str]()
    for file in DASHBOARDS.glob("*.json"):
        for panel in panels(load(file)):
            for target in panel.get("targets", ()):
                names = set(re.findall(r"[a-zA-Z_:][\w:]+(?=[{\[ ),]|$)", target["expr"]))
                limits = re.findall(r'threshold="(\w+)",severity="(\w+)"', target["expr"])
                every |= names
                if target.get("range") or re.search(r"\[(\$__range|\d+d)", target["expr"]):
                    ranges |= names | {f"{threshold},{severity}" for threshold, severity in limits}
    return Asked(frozenset(ranges), frozenset(every))
