"""The first start of a demo bot gives a month to look at, once; nobody is told anything because of it."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.binaries import binary
from tests.e2e.panels import wait_for_data
from tests.native.project import ROOT, Project
from tests.stack import wait_for

DEMO = "preset: production\nbots:\n  - {name: demo, type: demo}\n"
REAL = DEMO + "  - {name: mine, type: file, path: mine.json}\n"
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


def blocks(project: Project) -> set[str]:
    return {path.parent.name for path in (project.folder / ".stack/data/prometheus").glob("*/meta.json")}


def test_a_month_is_there_once_and_says_nothing(project: Project) -> None:
    project.write("monitoring.yml", DEMO)
    began = time.time()
    assert "simulating the demo bot's past 30 days" in project.up()
    made = blocks(project)
    assert len(made) >= 14
    assert not list((project.folder / ".stack/data/past").iterdir())

    # No gap wherever one looks, and it ends before what is collected now.
    seen = value(project, "count_over_time((trading_bot_up==1)[30d:5m])")
    assert seen is not None
    assert seen >= 30 * 288 - 3
    files = (project.folder / ".stack/data/prometheus").glob("*/meta.json")
    assert max(json.loads(file.read_text())["maxTime"] for file in files) / 1000 < began + 300
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
    ):
        same = f"count_over_time(({recorded}==on(bot){expression})[29d:1h] offset 1h)"
        assert value(project, same) == 29 * 24
    assert value(project, "count(bot:threshold offset 15d)") == value(project, "count(bot:threshold)")

    # Every group of rules has run, some twice.
    wait_for("the rules' second turns", lambda: value(project, "count(bot:score:ratio)"), 90)
    assert query(project, f"last_over_time({QUIET}[1h])") == []
    assert query(project, "bot_milestone:reached:timestamp_seconds > 1") == []

    wait_for_data(project, 60)

    project.stack("down")
    assert "simulating" not in project.up()
    assert made <= blocks(project)
    assert not (project.folder / ".stack/data/prometheus/past.new").exists()
    assert value(project, "count(last_over_time(trading_bot_profit_loss[30d]))") == 1


def test_beside_a_real_bot_nothing_is_made(project: Project) -> None:
    project.write("monitoring.yml", REAL)
    assert "simulating" not in project.up()
    assert blocks(project) == set()
    # Nor later, when the demo bot is alone.
    project.stack("down")
    project.write("monitoring.yml", DEMO)
    assert "simulating" not in project.up()
    assert blocks(project) == set()


def test_a_failure_is_told_in_a_line_and_all_goes_on(tmp_path: Path) -> None:
    past, data = tmp_path / "past", tmp_path / "data"
    past.mkdir()
    data.mkdir()
    (past / "1.om").write_text("a 1 1000\n# EOF\n")
    (past / "2.om").write_text("a nonsense\n# EOF\n")
    path = f"{Path(binary('promtool')).parent}:{os.environ['PATH']}"
    command = ["sh", str(ROOT / "prometheus/past.sh"), str(past), str(data)]
    done = subprocess.run(command, env={"PATH": path}, capture_output=True, text=True)
    assert (done.returncode, done.stderr, len(done.stdout.splitlines())) == (0, "", 1), done
    assert done.stdout.startswith("The demo bot's past could not be added; all else goes on: ")
    assert [*past.iterdir(), *data.iterdir()] == []
