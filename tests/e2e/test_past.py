"""The first start of a demo bot gives a month to look at, once; nobody is told anything because of it."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.binaries import binary
from tests.e2e.panels import wait_for_data
from tests.native.project import Project
from tests.stack import wait_for

DEMO = "preset: production\nbots:\n  - {name: demo, type: demo}\n"
REAL = DEMO + "  - {name: mine, type: file, path: mine.json}\n"
PAST = "the demo bot's past 30 days are being made"
# Not what the machine may have, nor a summary whose hour it is.
QUIET = 'ALERTS{bot="demo",alertname!~"DailySummary|WeeklySummary"}'


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    fetched = Path(binary("prometheus")).parent
    environment = {"MODE": "native", "PATH": f"{fetched}:{os.environ['PATH']}", "GRAFANA_HOME": "/none"}
    project = Project(tmp_path / "project", environment)
    yield project
    project.stack("down")


def query(project: Project, expression: str) -> list[Any]:
    """An instant query's series, of a Prometheus that may be busy."""
    path = f"/api/v1/query?query={quote(expression)}"
    found: list[Any] = wait_for("an answer", lambda: project.get("prometheus", path), 60)["data"]["result"]
    return found


def value(project: Project, expression: str) -> float | None:
    found = query(project, expression)
    assert len(found) <= 1, found
    return float(found[0]["value"][1]) if found else None


def supervised(project: Project) -> str:
    """The process that makes the past."""
    log = (project.folder / ".stack/log/supervisord.log").read_text()
    return str(re.findall(r"spawned: 'past' with pid (\d+)", log)[-1])


def blocks(project: Project) -> set[str]:
    return {path.parent.name for path in (project.folder / ".stack/data/prometheus").glob("*/meta.json")}


def marked(project: Project) -> bool:
    """Whether the past is yet to be made, or its folder still there."""
    data = project.folder / ".stack/data/prometheus"
    return (data / "past.wanted").exists() or (data / "past").exists()


def test_a_month_comes_once_and_says_nothing(project: Project) -> None:
    project.write("monitoring.yml", DEMO)
    began = time.time()
    assert PAST in project.up()
    # Nothing waits for it. Stopped at once, it begins anew.
    assert blocks(project) == set()
    pid = supervised(project)
    project.stack("down")
    assert not Path("/proc", pid).exists()
    assert blocks(project) == set()
    assert PAST in project.up()
    wait_for("the past", lambda: not marked(project), 300)
    assert "past is made" in project.stack("logs", "past")[1]
    made = blocks(project)
    assert len(made) >= 14
    seen = f"count_over_time((trading_bot_up==1)[30d:5m])>={30 * 288 - 3}"
    wait_for("Prometheus has found it", lambda: query(project, seen), 90)

    # No gap wherever one looks, and it ends before what is collected now.
    files = (project.folder / ".stack/data/prometheus").glob("*/meta.json")
    (first,) = re.findall(r"^prometheus_tsdb_head_min_time (\S+)", project.get("prometheus", "/metrics"), re.MULTILINE)
    assert max(json.loads(file.read_text())["maxTime"] for file in files) <= float(first)
    # The same series go on: none is there twice, each counter grows.
    wait_for("the results of now", lambda: value(project, f"timestamp(trading_bot_profit_loss) > {began}"), 90)
    assert value(project, "count(last_over_time(trading_bot_profit_loss[30d]))") == 1
    assert value(project, "sum(trading_bot_trades_total)-sum(trading_bot_trades_total offset 29d)>200")
    assert value(project, "sum(resets(trading_bot_trades_total[30d]))") == 0
    # Marked as a demo, and what rules record of it is what they would have recorded.
    assert value(project, 'count_over_time(trading_bot_info{mode="demo"}[30d])')
    for recorded, expression in (
        ("bot:drawdown:ratio", "max by (bot) (last_over_time(trading_bot_drawdown_ratio[1h]))"),
        ("bot:response_time_seconds:p95", "max by (bot) (last_over_time(trading_bot_response_time_p95_seconds[5m]))"),
        ("bot:risk_utilization:ratio", "max by (bot) (last_over_time(trading_bot_risk_utilization_ratio[1h]))"),
        ("bot:health:bool", "max by (bot) (trading_bot_up)"),
        ("bot:profit_loss:answering", "max by (bot) (last_over_time(trading_bot_profit_loss[5m]))"),
    ):
        same = f"count_over_time(({recorded}==on(bot){expression})[28d:1h] offset 1h)"
        assert value(project, same) == 28 * 24, recorded
    assert value(project, "count(bot:threshold offset 15d)") == value(project, "count(bot:threshold)")
    now = f"bot:score:ratio and timestamp(bot:score:ratio) > {began}"
    live = wait_for("a score of now", lambda: value(project, now), 150)
    assert value(project, "bot:score:ratio offset 1h") == pytest.approx(live, abs=0.1)

    assert query(project, f"last_over_time({QUIET}[1h])") == []
    assert query(project, "bot_milestone:reached:timestamp_seconds > 1") == []

    # Rules that are evaluated once a minute read what others record once a minute, and these what is scraped.
    wait_for_data(project, 240)

    project.stack("down")
    assert PAST not in project.up()
    assert made <= blocks(project)
    assert value(project, "count(last_over_time(trading_bot_profit_loss[30d]))") == 1


def test_beside_a_real_bot_nothing_is_made(project: Project) -> None:
    project.write("monitoring.yml", DEMO)
    assert PAST in project.up()
    # It comes while the past is being made.
    project.write("monitoring.yml", REAL)
    assert PAST not in project.up()
    wait_for("its end", lambda: not Path("/proc", supervised(project)).exists(), 120)
    # Nor later, when the demo bot is alone.
    project.stack("down")
    project.write("monitoring.yml", DEMO)
    assert PAST not in project.up()
    assert blocks(project) == set()
    assert not marked(project)
