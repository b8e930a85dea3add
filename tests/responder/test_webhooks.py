"""Webhooks by kind: what Alertmanager's messages become, the examples of the documentation, and the real process."""

from __future__ import annotations

import datetime as dt
import json
import logging
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from exporter.config.load import load
from responder.access.attempts import Attempts
from responder.access.login import Access
from responder.access.sessions import Sessions
from responder.acknowledge.acknowledger import Acknowledger
from responder.acknowledge.ledger import Ledger
from responder.alertmanager import Alertmanager
from responder.database import Database
from responder.metrics import Metrics
from responder.outbox.outbox import Delivery, Outbox
from responder.prometheus import Prometheus
from responder.store import Store
from responder.web import create_app
from responder.webhook import Alert, Notification
from responder.webhooks import events
from responder.webhooks.reports import Reports
from responder.webhooks.subscribers import Subscriber, Subscribers
from responder.webhooks.trades import ExporterError
from responder.webhooks.webhooks import Looker, Webhooks
from tests.responder.application import NOWHERE
from tests.responder.exporting import Exporting, trade
from tests.responder.receiver import PAGE, SECRET, Receiver, status
from tests.responder.samples import RESOLVED, alert, body
from tests.responder.test_process import AUTHORIZED, running
from tests.stack import wait_for


class World:
    """What takes Alertmanager's messages for webhooks."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "webhooks.json"
        database = Database(folder / "responder.sqlite")
        self.outbox = Outbox(database, 3600)
        subscribers = Subscribers(self.file)
        self.reports = Reports(database, self.outbox, subscribers, Prometheus(NOWHERE))
        self.failures: list[str] = []
        self.webhooks = Webhooks(self.outbox, subscribers, self.reports, lambda: self.failures.append("failed"))
        self._database = database

    def subscribe(self, *webhooks: dict[str, Any]) -> None:
        self.file.write_text(json.dumps([{"url": "http://x", "secret": SECRET, **each} for each in webhooks]))

    def take(self, *alerts: dict[str, Any]) -> None:
        self.webhooks.take(Notification.model_validate(body(*alerts)))

    @property
    def rows(self) -> list[Delivery]:
        """Oldest first."""
        return list(reversed(self.outbox.latest(limit=100)))

    @property
    def told(self) -> list[str]:
        """To whom which type of event, and of what."""
        bodies = [json.loads(json.loads(row.payload)["body"]) for row in self.rows]
        return [
            f"{row.target}: {each['type']} {each['data']['bot']}" for row, each in zip(self.rows, bodies, strict=True)
        ]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


ALERTS = {"name": "ledger", "kinds": ["alerts"]}


def test_each_alert_is_an_event_as_it_fires_and_ends(world: World) -> None:
    world.subscribe(ALERTS, {"name": "trades", "kinds": ["trades"]})
    world.take(alert(), alert(**RESOLVED, labels={"bot": "other"}))
    assert world.told == ["ledger: alert.firing demo", "ledger: alert.resolved other"]
    event = json.loads(json.loads(world.rows[1].payload)["body"])
    assert (event["timestamp"], event["data"]["ends_at"]) == ("2026-11-21T10:05:00Z",) * 2
    assert event["data"]["starts_at"] == "2026-11-21T10:00:00.123000Z"


def test_alertmanagers_retry_is_taken_once_and_a_repeat_is_told(world: World) -> None:
    world.subscribe(ALERTS)
    for _ in range(3):
        world.take(alert())
    assert len(world.rows) == 1
    with world._database.writing() as connection:
        connection.execute("UPDATE outbox SET created = created - 241")
    world.take(alert())
    first, second = (json.loads(row.payload)["id"] for row in world.rows)
    assert first != second
    world.take(alert(annotations={"description": "Another value."}))
    assert len(world.rows) == 3


def test_a_webhook_may_be_for_some_bots(world: World) -> None:
    world.subscribe({**ALERTS, "bots": ["demo"]}, {**ALERTS, "name": "all"})
    host = alert(fingerprint="2")
    del host["labels"]["bot"]
    world.take(alert(), alert(fingerprint="1", labels={"bot": "other"}), host)
    assert world.told == [
        *["ledger: alert.firing demo", "all: alert.firing demo"],
        *["all: alert.firing other", "all: alert.firing None"],
    ]


def test_a_test_message_is_nothing_to_act_on(world: World) -> None:
    world.subscribe(ALERTS)
    world.take(alert(labels={"condition": "test_message"}))
    assert world.told == ["ledger: test demo"]


def test_a_report_is_no_alert(world: World) -> None:
    world.subscribe({**ALERTS, "kinds": ["alerts", "reports"]})
    world.take(alert(labels={"condition": "daily_summary"}), alert(labels={"condition": "milestone_reached"}))
    assert world.told == ["ledger: alert.firing demo"]
    with world._database.reading() as connection:
        assert [row["condition"] for row in connection.execute("SELECT * FROM reports_waiting")] == ["daily_summary"]


def test_while_the_file_can_not_be_read_alertmanager_sends_again(world: World, tmp_path: Path) -> None:
    database = Database(tmp_path / "responder.sqlite")
    store, ledger = Store(database, 3600), Ledger(database, 3600)
    metrics = Metrics(store, ledger, world.outbox)
    acknowledger = Acknowledger(ledger, Alertmanager(NOWHERE), Prometheus(NOWHERE), store.last_told_of)
    (tmp_path / "password").write_text("the-password")
    access = Access(Sessions(database, tmp_path / "password", b"k"), Attempts(), "the-token", b"k", False)
    app = create_app(store, metrics, access, acknowledger, None, tmp_path, world.webhooks.take)

    def post() -> int:
        return app.test_client().post("/api/v1/alerts", json=body(alert()), headers=AUTHORIZED).status_code

    for content in (None, "{", '[{"name": "x", "url": "http://secret", "secret": "whsec_x"}]'):
        world.file.write_text(content) if content else world.file.unlink(missing_ok=True)
        assert post() == 503
    assert len(world.failures) == 3 and world.rows == []
    world.subscribe(ALERTS)
    assert post() == 200
    assert world.told == ["ledger: alert.firing demo"] and len(store.messages(limit=10)) == 1


def test_it_looks_on_whatever_happens(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr("responder.webhooks.webhooks.TRADES_SECONDS", 0)
    monkeypatch.setattr("responder.webhooks.webhooks.REPORTS_SECONDS", 0)
    looks: list[str] = []
    failures: list[str] = []

    class Failing:
        def look(self) -> None:
            looks.append("look")
            if len(looks) < 5:
                raise ExporterError("no answer") if len(looks) < 3 else RuntimeError("unforeseen")

    looker = Looker(Failing(), Failing(), lambda: failures.append("failed"), pause=0.01)  # type: ignore[arg-type]
    looker.start()
    wait_for("it goes on", lambda: len(looks) > 8)
    looker.stop()
    assert len(failures) == 4 and not looker.is_alive()
    assert "Trades for webhooks can't be found, tried again every 0 s: no answer" in caplog.text
    assert "RuntimeError: unforeseen" in caplog.text and "Reports for webhooks are found again" in caplog.text


# --- the documentation -----------------------------------------------------------------------------------------------


def test_the_documented_bodies_are_those_that_are_sent() -> None:
    trade_example, alert_example, report_example = (
        json.loads(text) for text in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    )
    about = {key: trade_example["data"].pop(key) for key in ("bot", "mode", "currency")}
    closed = dt.datetime.fromisoformat(trade_example["data"]["closed_at"])
    made = events.of_trade(about, trade_example["data"], closed)
    assert json.loads(made.body) == {**trade_example, "data": {**about, **trade_example["data"]}}
    wanted = alert_example["data"]
    sent = {"status": "firing", "labels": wanted["labels"], "annotations": wanted["annotations"]}
    sent |= {"startsAt": wanted["starts_at"], "endsAt": "0001-01-01T00:00:00Z", "fingerprint": wanted["fingerprint"]}
    assert json.loads(events.of_alert(Alert.model_validate(sent)).body) == alert_example
    at = dt.datetime.fromisoformat(report_example["timestamp"])
    assert json.loads(events.of_report("daily", at, report_example["data"]).body) == report_example


def test_the_documented_section_is_valid(tmp_path: Path) -> None:
    (section,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "monitoring.yml").write_text(f"bots: [{{name: my-bot, type: demo}}]\n{section}")
    environ = {"LEDGER_URL": "https://ledger.example.org/hooks/trading", "LEDGER_SECRET": SECRET}
    (webhook,) = load(tmp_path / "monitoring.yml", environ).webhooks
    assert webhook.bots == ("my-bot",)


def test_the_documented_trade_and_report_have_all_keys(tmp_path: Path) -> None:
    """The keys come from the exporter's list and from Prometheus's answers; tests of theirs hold the values."""
    trade_example, _, report_example = (json.loads(text) for text in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL))
    with Exporting(tmp_path / "exporter") as exporter:
        exporter.tell(trade(1, time.time() - 10))
        page = requests.get(f"{exporter.url}/api/v1/bots/my%2Fbot/trades", timeout=10).json()
    assert list(trade_example["data"]) == ["bot", "mode", "currency", *page["trades"][0]]
    subscriber = Subscriber(name="x", kinds=["reports"], url="http://x", secret=SECRET)
    event = events.of_report("daily", dt.datetime.now(dt.UTC), report_example["data"])
    (entry,) = events.entries([event], [subscriber])
    assert (entry.channel, entry.target, entry.title) == ("webhook", "x", "report.daily my-bot")


# --- the process -----------------------------------------------------------------------------------------------------


def rows(folder: Path) -> list[Delivery]:
    return list(reversed(Outbox(Database(folder / "data" / "responder.sqlite"), 3600).latest(limit=100)))


def known(folder: Path) -> int:
    with Database(folder / "data" / "responder.sqlite").reading() as connection:
        return int(connection.execute("SELECT count(*) FROM trades_known").fetchone()[0])


def test_what_was_refused_is_sent_again_after_a_kill_with_the_same_id(tmp_path: Path) -> None:
    now = time.time()
    with Receiver() as receiver, Exporting(tmp_path / "exporter") as exporter:
        options = {"webhooks-file": str(receiver.file(tmp_path / "webhooks.json")), "exporter": exporter.url}
        exporter.tell(trade(1, now - 50))
        with running(tmp_path, **options) as (process, url):
            wait_for("the history is known", lambda: known(tmp_path) == 1)
            receiver.planned = [status(500)] * 1000
            assert requests.post(f"{url}/api/v1/alerts", json=body(alert()), headers=AUTHORIZED, timeout=10).ok
            wait_for("it was refused twice", lambda: len(receiver.attempts) >= 2)
            process.send_signal(signal.SIGKILL)
            process.wait(20)
        exporter.tell(trade(1, now - 50), trade(2, now - 5))
        receiver.planned = []
        with running(tmp_path, **options) as (_, url):
            wait_for("alert and trade are taken", lambda: [row.state for row in rows(tmp_path)] == ["delivered"] * 2)
            deliveries = requests.get(f"{url}/metrics", timeout=10).text
    alert_event, trade_event = receiver.taken
    assert alert_event["type"] == "alert.firing" and alert_event["data"]["bot"] == "demo"
    assert trade_event["type"] == "trade.closed" and trade_event["data"]["id"] == 2
    ids = [attempt.id for attempt in receiver.attempts]
    assert len(set(ids[:-1])) == 1 and len(set(ids)) == 2
    assert 'trading_bot_responder_deliveries_total{channel="webhook",result="delivered"} 2.0' in deliveries
    log = (tmp_path / "log").read_text()
    assert "webhook to ledger failed, tried again: HTTP 500 Internal Server Error: no" in log
    for secret in (SECRET, "my-own-path", "4711-secret"):
        assert secret not in log + deliveries


def test_a_wrong_exporter_is_said(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="--exporter is 'localhost'"), running(tmp_path, exporter="localhost"):
        pass
