"""Reports for webhooks: the figures that the real rules recorded in the real Prometheus, asked for at any time."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from responder.database import Database
from responder.outbox.outbox import Outbox
from responder.prometheus import Prometheus, PrometheusError
from responder.webhook import Alert
from responder.webhooks.reports import GIVE_UP_SECONDS, Reports
from responder.webhooks.subscribers import Subscribers
from tests.binaries import binary
from tests.responder.monitoring import Service
from tests.responder.receiver import Receiver
from tests.responder.samples import alert
from tests.stack import ROOT, wait_for

DAY = 86400
# The history of three bots, by hours before now: the first has it all, the second lost its database, the third is new.
HISTORY = {
    'trading_bot_realized_profit_loss{bot="a"}': lambda hours: 50.0 if hours > 12 else 64.5,
    'trading_bot_trades_total{bot="a",result="win"}': lambda hours: 60 if hours > 12 else 67,
    'trading_bot_trades_total{bot="a",result="loss"}': lambda hours: 38 if hours > 12 else 42,
    'trading_bot_trades_total{bot="a",result="draw"}': lambda hours: 2 if hours > 12 else 3,
    'trading_bot_sharpe_ratio{bot="a"}': lambda _: 1.25,
    'bot:drawdown:ratio{bot="a"}': lambda _: 0.03,
    'trading_bot_info{bot="a",mode="live",currency="USDT"}': lambda _: 1,
    'trading_bot_up{bot="a"}': lambda _: 1,
    'trading_bot_state{bot="a",state="running"}': lambda _: 1,
    'trading_bot_state{bot="a",state="stopped"}': lambda _: 0,
    'trading_bot_realized_profit_loss{bot="b"}': lambda hours: 5.0 if hours > 12 else 0.5,
    'trading_bot_trades_total{bot="b",result="win"}': lambda hours: 20 if hours > 12 else 3,
    'trading_bot_trades_total{bot="b",result="loss"}': lambda hours: 1 if hours > 12 else 2,
    'trading_bot_up{bot="b"}': lambda hours: 1 if hours > 12 else 0,
    'trading_bot_state{bot="b",state="running"}': lambda _: 1,
    **{f'bot:maintenance{{bot="{bot}"}}': lambda _: 0 for bot in "abc"},
}


class Reporting(Service):
    """A Prometheus with this history, and the rules of reports, one of which is due."""

    def __init__(self, folder: Path) -> None:
        now = int(time.time())
        lines = []
        for series, value in HISTORY.items():
            steps = range(now - DAY - 1800, now + 20, 20 if "state" in series or "up{" in series else 600)
            name = series.partition("{")[0]
            lines.append(f"# TYPE {name} gauge") if f"# TYPE {name} gauge" not in lines else None
            lines += [f"{series} {value((now - at) / 3600)} {at}" for at in [*steps, now]]
        lines.append(f'trading_bot_report_due_timestamp_seconds{{report="daily"}} {now - 30} {now}')
        (folder / "history").write_text("\n".join([*_sorted(lines), "# EOF\n"]))
        command = [binary("promtool"), "tsdb", "create-blocks-from", "openmetrics", "-q"]
        subprocess.run([*command, str(folder / "history"), str(folder / "data")], check=True, capture_output=True)
        rules = yaml.safe_load((ROOT / "prometheus" / "rules" / "reports.yml").read_text())
        for group in rules["groups"]:
            group["interval"] = "1s"
        (folder / "rules.yml").write_text(yaml.safe_dump(rules))
        (folder / "prometheus.yml").write_text(yaml.safe_dump({"rule_files": [str(folder / "rules.yml")]}))
        options = [f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"]
        super().__init__(folder, "prometheus", *options)

    def reports(self) -> list[dict[str, Any]]:
        """What fires, as Alertmanager sends it."""
        answer = requests.get(f"{self.url}/api/v1/alerts", timeout=10).json()
        return [
            alert(
                labels={**each["labels"], "severity": "info"},
                startsAt=each["activeAt"],
                fingerprint=each["labels"]["bot"],
            )
            for each in answer["data"]["alerts"]
            if each["state"] == "firing"
        ]


def _sorted(lines: list[str]) -> list[str]:
    """Of one metric after another, as OpenMetrics wants it."""
    return sorted(lines, key=lambda line: line.removeprefix("# TYPE ").partition("{")[0].partition(" ")[0])


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reporting]:
    folder = tmp_path_factory.mktemp("prometheus")
    running = Reporting(folder)
    running.start()
    yield running
    running.end()
    shutil.rmtree(folder)


class World:
    """The reports of a responder, and what it puts into the outbox."""

    def __init__(self, folder: Path, url: str) -> None:
        with Receiver() as receiver:
            self.file = receiver.file(folder / "webhooks.json", "reports")
        database = Database(folder / "responder.sqlite")
        self.outbox = Outbox(database, 365 * DAY)
        self.now = 0.0
        self.reports = Reports(database, self.outbox, Subscribers(self.file), Prometheus(url), lambda: self.now)
        self.elsewhere = Reports(
            database, self.outbox, Subscribers(self.file), Prometheus("http://127.0.0.1:1"), lambda: self.now
        )

    @property
    def told(self) -> list[dict[str, Any]]:
        """The events, oldest first."""
        return [json.loads(json.loads(row.payload)["body"]) for row in reversed(self.outbox.latest(limit=100))]


def test_the_figures_are_those_of_the_report(tmp_path: Path, prometheus: Reporting) -> None:
    told = wait_for("the report fires for all", lambda: found if len(found := prometheus.reports()) == 3 else None)
    world = World(tmp_path, prometheus.url)
    # Alertmanager's message has at most 100 of them: here, one.
    (first,) = [Alert.model_validate(each) for each in told if each["labels"]["bot"] == "a"]
    world.reports.note([first])
    with pytest.raises(PrometheusError, match="Prometheus doesn't answer"):
        world.elsewhere.look()
    assert world.told == []
    world.reports.look()
    # Told again, it is the same.
    world.reports.note([first])
    world.reports.look()
    a, b, c = world.told
    at = first.starts_at
    assert dt.datetime.fromisoformat(a["timestamp"]) == at
    assert a["type"] == "report.daily" and a["data"] == {
        "bot": "a",
        "mode": "live",
        "currency": "USDT",
        "from": (at - dt.timedelta(days=1)).isoformat().replace("+00:00", "Z"),
        "until": at.isoformat().replace("+00:00", "Z"),
        "state": "running",
        "profit": 14.5,
        "trades": 12,
        "won": 7,
        "lost": 4,
        "drawn": 1,
        "win_rate": 7 / 12,
        "drawdown_ratio": 0.03,
        "sharpe_ratio": 1.25,
    }
    known = {key: value for key, value in b["data"].items() if value is not None}
    assert known == {"bot": "b", "from": a["data"]["from"], "until": a["data"]["until"]}
    assert c["data"] == {**b["data"], "bot": "c"}


def test_without_figures_for_a_day_a_report_is_given_up(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    world = World(tmp_path, "http://127.0.0.1:1")
    labels = {"alertname": "WeeklySummary", "condition": "weekly_summary", "severity": "info"}
    world.reports.note([Alert.model_validate(alert(labels=labels))])
    world.now = GIVE_UP_SECONDS - 1
    with pytest.raises(PrometheusError):
        world.reports.look()
    world.now += 2
    world.reports.look()
    world.reports.look()
    assert world.told == [] and caplog.text.count("The weekly report for webhooks is given up") == 1


def test_where_nobody_wants_reports_nothing_is_asked(tmp_path: Path) -> None:
    world = World(tmp_path, "http://127.0.0.1:1")
    world.file.write_text("[]")
    world.reports.note([Alert.model_validate(alert(labels={"condition": "daily_summary"}))])
    world.reports.look()
    assert world.told == []


def test_what_is_not_prometheus_is_said(tmp_path: Path) -> None:
    with Receiver() as other:
        world = World(tmp_path, other.url.partition("/in")[0])
        world.reports.note([Alert.model_validate(alert(labels={"condition": "daily_summary"}))])
        with pytest.raises(PrometheusError, match="Prometheus answers 401 to a query"):
            world.reports.look()


def test_a_report_that_can_not_be_made_holds_up_no_other(
    tmp_path: Path, prometheus: Reporting, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(tmp_path, prometheus.url)
    world.now = time.time()
    # Before the first of them there is no other day.
    for starts_at in ("0001-01-01T00:00:00Z", f"{dt.datetime.now(dt.UTC):%Y-%m-%dT%H:00:00Z}"):
        labels = {"condition": "daily_summary", "bot": "a"}
        world.reports.note([Alert.model_validate(alert(labels=labels, startsAt=starts_at))])
    with pytest.raises((OverflowError, PrometheusError)):
        world.reports.look()
    assert "a" in [event["data"]["bot"] for event in world.told]
    world.now += GIVE_UP_SECONDS
    world.reports.look()
    assert "The daily report for webhooks is given up, after a day" in caplog.text
    told = len(world.told)
    world.reports.look()
    assert len(world.told) == told
