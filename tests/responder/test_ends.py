"""What ended while something held it back is told, once, when nothing does any more; and nothing else is."""

from __future__ import annotations

import datetime as dt
import json
import math
import sqlite3
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from responder.acknowledge import ends
from responder.acknowledge.memory import Memory, memory
from responder.alertmanager import Alert, Incident
from responder.prometheus import Rule
from tests.responder.application import AUTHORIZED, Responder
from tests.responder.monitoring import Alerting, Ruling
from tests.responder.samples import alert, body
from tests.stack import wait_for

WIN_RATE = {"alertname": "LowWinRate", "condition": "low_win_rate", "severity": "warning"}
NOON = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)


def inhibited(alerting: Alerting, bot: str) -> bool:
    """Whether the low win rate fires, and is held back."""
    found = alerting.get(f'alerts?filter=bot="{bot}"&filter=condition="low_win_rate"')
    return bool(found) and bool(found[0]["status"]["inhibitedBy"])


@pytest.mark.parametrize("by", ["bot_down", "maintenance"])
def test_the_end_is_told_when_nothing_holds_it_back(
    by: str, tmp_path: Path, alerting: Alerting, prometheus: Ruling, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ends, "SURE_SECONDS", 1)
    responder = Responder(tmp_path, alerting.url, prometheus.url)
    inbox = responder.stranger()
    read = 0

    def look() -> None:
        nonlocal read
        for message in alerting.bodies(by)[read:]:
            read += 1
            assert inbox.post("/api/v1/alerts", json=message, headers=AUTHORIZED).status_code == 200
        responder.ends.watch()

    def told() -> list[str]:
        return [line for line in alerting.told(by) if line.endswith("LowWinRate")]

    def looked(done: Callable[[], bool]) -> bool:
        look()
        return done()

    down = [by] if by == "bot_down" else []
    maintenance = [by] if by == "maintenance" else []
    prometheus.fire([], low_win_rate=[by])
    wait_for("it is told", lambda: looked(lambda: told() == ["firing LowWinRate"]))
    prometheus.fire(down, maintenance=maintenance, low_win_rate=[by])
    wait_for("it is held back", lambda: looked(lambda: inhibited(alerting, by)))
    prometheus.fire(down, maintenance=maintenance)
    wait_for("it ends", lambda: looked(lambda: bool(responder.ends._over)))
    looks = iter(range(6))
    wait_for("some looks", lambda: looked(lambda: next(looks) == 5))
    assert told() == ["firing LowWinRate"], "held back still"
    prometheus.fire([])
    wait_for("the end is told", lambda: looked(lambda: len(told()) == 2))
    wait_for("the inbox hears it", lambda: looked(lambda: not responder.ends._told()))
    prometheus.fire([], low_win_rate=[by])
    wait_for("the next one is told", lambda: looked(lambda: len(told()) == 3))
    assert told() == ["firing LowWinRate", "resolved LowWinRate", "firing LowWinRate"]
    prometheus.fire([])
    wait_for("Alertmanager tells that end itself", lambda: looked(lambda: len(told()) == 4))


def test_an_end_that_alertmanager_has_forgotten_meanwhile_is_told_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By an alert of its own, which is held back just so, and isn't told where the incident goes on."""
    monkeypatch.setattr(ends, "SURE_SECONDS", 1)
    with Alerting(tmp_path / "alertmanager", repeat="2s") as alerting, Ruling(tmp_path, alerting) as prometheus:
        responder = Responder(tmp_path, alerting.url, prometheus.url)
        responder.ends._told_within = 1.0  # below the repeat_interval, as in truth
        inbox = responder.person()
        read = 0

        def look() -> None:
            nonlocal read
            for message in alerting.bodies("late")[read:]:
                read += 1
                assert inbox.post("/api/v1/alerts", json=message, headers=AUTHORIZED).status_code == 200
            responder.ends.watch()

        def looked(done: Callable[[], bool]) -> bool:
            look()
            return done()

        def told() -> tuple[int, int]:
            """How often it was told as firing, and as over."""
            labels = [alert["labels"] for message in alerting.bodies("late") for alert in message["alerts"]]
            assert "resolved BotDown" not in alerting.told("late")
            return sum("over" not in each for each in labels), sum("over" in each for each in labels)

        def state(label: str) -> list[str]:
            found = alerting.get(f'alerts?filter=condition="bot_down"&filter={label}')
            return [each["status"]["state"] for each in found]

        def hushed() -> list[str]:
            states = [each["status"]["state"] for each in alerting.get("silences?filter=over=late")]
            return [state for state in states if state != "expired"]

        def hold_back() -> None:
            prometheus.fire(["late"], maintenance=["late"])
            wait_for("it is held back", lambda: looked(lambda: state('over=""') == ["suppressed"]))

        def ends_while_held_back() -> None:
            hold_back()
            with sqlite3.connect(responder.folder / "responder.sqlite") as connection:
                connection.execute("UPDATE told_alerts SET told_at = told_at - 100")
            prometheus.fire([], maintenance=["late"])
            wait_for("its end waits", lambda: looked(lambda: state('over="late"') == ["suppressed"]))
            assert told()[1] == 0

        prometheus.fire(["late"])
        wait_for("it is told", lambda: looked(lambda: told()[0] > 0))
        ends_while_held_back()
        before = told()[0]
        hold_back()
        wait_for("the end is not to be told", lambda: looked(lambda: hushed() == ["active"]))
        prometheus.fire(["late"])
        wait_for("it is told", lambda: looked(lambda: told()[0] > before))
        assert told()[1] == 0

        hold_back()
        wait_for("it is forgotten", lambda: looked(lambda: not alerting.remembers()))
        ends_while_held_back()
        wait_for("it may be told", lambda: looked(lambda: hushed() == ["pending"]))
        prometheus.fire([])
        wait_for("the end is told", lambda: looked(lambda: told()[1] == 1))
        wait_for("the inbox hears it", lambda: looked(lambda: not responder.ends._told()))
        ended, begun, *_ = (inbox.get("/api/v1/messages", headers=AUTHORIZED).json or {})["messages"]
        assert (begun["status"], begun["over"], ended["status"]) == ("firing", True, "resolved")
        wait_for("that is over", lambda: looked(lambda: not state('over="late"')))
        firing = told()[0]
        prometheus.fire(["late"])
        wait_for("the next one is told", lambda: looked(lambda: told()[0] > firing))
        assert told()[1] == 1


class Fakes:
    """The clock's, Alertmanager's and Prometheus's answers, as a test wants them, and what was posted as ended."""

    def __init__(self, responder: Responder, monkeypatch: pytest.MonkeyPatch) -> None:
        self.responder = responder
        self.now = NOON
        self.firing: list[Alert] = []
        self.rules: list[Rule] | None = [rule(NOON)]
        self.posted: list[tuple[str, dt.datetime]] = []
        self.late: list[tuple[str, dt.datetime]] = []
        self.hushed: list[Incident] = []
        self.memory = Memory(sure=3600, none=3600)

        def tell_over(incident: Incident, alerts: list[Alert], at: dict[str, dt.datetime], _: float) -> None:
            self.late += [(incident.bot, at[alert.fingerprint]) for alert in alerts]

        def end(alerts: list[Alert], at: dict[str, dt.datetime]) -> None:
            self.posted += [(alert.labels["bot"], at[alert.fingerprint]) for alert in alerts]

        monkeypatch.setattr(ends, "time", SimpleNamespace(time=lambda: self.now.timestamp()))
        monkeypatch.setattr(responder.ends._alertmanager, "alerts", lambda: self.firing)
        monkeypatch.setattr(responder.ends._alertmanager, "end", end)
        monkeypatch.setattr(responder.ends._alertmanager, "tell_over", tell_over)
        monkeypatch.setattr(responder.ends._alertmanager, "hush_over", self.hushed.append)
        monkeypatch.setattr(responder.ends._alertmanager, "memories", lambda alerts: [self.memory for _ in alerts])
        monkeypatch.setattr(responder.ends._prometheus, "rules", lambda _: self.rules)

    def told(self, receiver: str = "people", **changes: Any) -> None:
        """The inbox hears of it."""
        document = body(alert(startsAt="2026-11-21T10:00:00Z", **{"labels": WIN_RATE, **changes}), receiver=receiver)
        sent = self.responder.stranger().post("/api/v1/alerts", json=document, headers=AUTHORIZED)
        assert sent.status_code == 200

    def look(self, seconds: float, *states: str, **changes: Any) -> list[tuple[str, dt.datetime]]:
        """What is posted by a look so long after noon, at rules that were evaluated just then."""
        self.now = NOON + dt.timedelta(seconds=seconds)
        self.rules = [rule(self.now, *states, **changes)]
        self.posted, self.late = [], []
        self.responder.ends.watch()
        return self.posted


def rule(evaluated: dt.datetime, *states: str, **changes: Any) -> Rule:
    active = [{"state": state, "labels": {**WIN_RATE, "bot": "demo"}} for state in states]
    values = {"name": "LowWinRate", "health": "ok", "lastEvaluation": evaluated, "alerts": active, **changes}
    return Rule.model_validate(values)


@pytest.fixture
def fakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fakes:
    return Fakes(Responder(tmp_path), monkeypatch)


def fires_in_alertmanager(**labels: str) -> Alert:
    document = {"fingerprint": "other", "startsAt": NOON, "labels": {**WIN_RATE, "bot": "demo", **labels}}
    return Alert.model_validate(document)


def test_over_is_what_prometheus_says_for_long_enough(fakes: Fakes) -> None:
    fakes.told()
    assert not fakes.look(0) and not fakes.look(129)
    assert fakes.look(130) == [("demo", NOON)]
    assert fakes.look(175) == [("demo", NOON)], "again, until the inbox hears it"
    assert fakes.look(220, "pending") == [("demo", NOON)], "the next incident is on its way"
    assert not fakes.look(265, "firing") and not fakes.look(310) and not fakes.look(355)
    fakes.told(status="resolved", endsAt="2026-11-21T12:00:00Z")
    assert not fakes.look(1000) and not fakes.look(2000)


def test_what_alertmanager_has_forgotten_is_told_late_until_the_inbox_hears_it(fakes: Fakes) -> None:
    fakes.told()
    assert not fakes.look(0) and fakes.look(130) and not fakes.late, "it remembers"
    fakes.memory = Memory(sure=-1, none=-1)
    for seconds in (175, 220):
        assert not fakes.look(seconds) and fakes.late == [("demo", NOON)]
    assert not fakes.hushed
    assert not fakes.look(265, "firing") and not fakes.late
    assert fakes.hushed == [Incident("low_win_rate", "demo", "warning")]
    assert not fakes.look(310) and not fakes.look(450) and fakes.late
    fakes.told(status="resolved", endsAt="2026-11-21T12:00:00Z")
    assert not fakes.look(1000) and not fakes.late and len(fakes.hushed) == 1


def test_an_end_in_quiet_hours_is_left_to_alertmanager(fakes: Fakes) -> None:
    """It alone knows whether people have heard the beginning."""
    fakes.memory = Memory(sure=-1, none=-1)
    fakes.told(receiver="inbox")
    assert not fakes.look(0) and not fakes.look(140) and fakes.late
    fakes.told(receiver="inbox", status="resolved", endsAt="2026-11-21T12:00:00Z")
    assert fakes.look(180) and not fakes.late and not fakes.hushed


def test_memory_is_that_of_those_who_hear_ends() -> None:
    once = {"name": "once", "webhook_configs": [{"send_resolved": False}]}
    config: dict[str, Any] = {
        "receivers": [{"name": "people", "email_configs": [{"send_resolved": True}]}, once, {"name": "nobody"}],
        "route": {
            "receiver": "people",
            "group_interval": "5m",
            "repeat_interval": "10m",
            "routes": [
                {"matchers": ['bot="once"'], "receiver": "once"},
                {"matchers": ['bot="both"'], "receiver": "once", "repeat_interval": "1h", "continue": True},
                {"matchers": ['bot=~"both|long"'], "repeat_interval": "20m"},
            ],
        },
    }
    minutes = {bot: memory(config, {"bot": bot}).sure / 60 for bot in ("other", "once", "both", "long")}
    assert minutes == {"other": 15, "once": math.inf, "both": 35, "long": 35}
    assert memory(config, {}).none == 20 * 60 + 60


@pytest.mark.parametrize(
    "doubt",
    [
        {"health": "err"},
        {"health": "unknown"},
        {"lastEvaluation": "0001-01-01T00:00:00Z"},
        {"name": "Another"},
        {"alerts": [{"state": "pending", "labels": {**WIN_RATE, "bot": "demo"}}]},
        # Relabelled on the way to Alertmanager, so the rest must do.
        {"alerts": [{"state": "firing", "labels": {**WIN_RATE, "bot": "demo", "dropped": "x"}}]},
    ],
)
def test_what_proves_nothing(fakes: Fakes, doubt: dict[str, Any]) -> None:
    fakes.told()
    assert not fakes.look(0, **doubt) and not fakes.look(1000, **doubt)
    assert not fakes.look(1001), "that was the first look that counts"
    assert not fakes.look(1100, **doubt) and not fakes.look(1140)


def test_a_prometheus_that_is_away_proves_nothing(fakes: Fakes) -> None:
    fakes.told()
    assert not fakes.look(0)
    fakes.rules = None
    fakes.responder.ends.watch()
    assert not fakes.look(140) and fakes.look(280)
    fakes.rules, fakes.posted = None, []
    fakes.responder.ends.watch()
    assert not fakes.posted


def test_what_alertmanager_has_goes_on(fakes: Fakes) -> None:
    fakes.told(fingerprint="other")
    assert not fakes.look(0) and fakes.look(140)
    fakes.firing = [fires_in_alertmanager()]
    assert not fakes.look(280)
    fakes.firing = []
    assert not fakes.look(290), "it counts anew"


def test_one_that_begins_again_during_the_look(fakes: Fakes, monkeypatch: pytest.MonkeyPatch) -> None:
    fakes.told(fingerprint="other")
    assert not fakes.look(0)
    answers = iter([[], [fires_in_alertmanager()]])
    monkeypatch.setattr(fakes.responder.ends._alertmanager, "alerts", lambda: next(answers))
    assert not fakes.look(140)


def test_another_disk_is_another_alert(fakes: Fakes) -> None:
    fakes.told(labels={**WIN_RATE, "path": "/a"})
    other = [{"state": "firing", "labels": {**WIN_RATE, "bot": "demo", "path": "/b"}}]
    assert not fakes.look(0, alerts=other) and fakes.look(140, alerts=other)


@pytest.mark.parametrize("condition", ["daily_summary", "weekly_summary", "milestone_reached", "test_message"])
def test_what_has_no_end_is_not_remembered(fakes: Fakes, condition: str) -> None:
    fakes.told(labels={**WIN_RATE, "condition": condition})
    assert not fakes.look(0) and not fakes.look(140)


def test_what_people_hear_after_the_quiet_hours(fakes: Fakes) -> None:
    fakes.told(receiver="inbox")
    fakes.told(receiver="inbox", status="resolved", endsAt="2026-11-21T11:59:00Z")
    assert not fakes.look(0)
    ended = (NOON - dt.timedelta(minutes=1)).isoformat()
    assert [(bot, at.isoformat()) for bot, at in fakes.look(140)] == [("demo", ended)]
    fakes.firing = [fires_in_alertmanager(path="/b")]
    assert not fakes.look(280), "in one message with another it would be told a second time"
    fakes.firing = []
    hour = 3600
    assert fakes.look(19 * hour), "quiet hours last 18 h at most"
    assert not fakes.look(20 * hour) and not fakes.responder.ends._told()


def test_an_escalation_is_not_over_while_its_alert_goes_on(fakes: Fakes) -> None:
    name = "EscalationNoResponse"
    fakes.told(labels={**WIN_RATE, "alertname": name, "escalation": "no_response"})
    fakes.firing = [fires_in_alertmanager()]
    assert not fakes.look(0, name=name) and not fakes.look(140, name=name)
    fakes.firing = []
    assert fakes.look(150, name=name)


def test_what_is_acknowledged_has_its_own_end(fakes: Fakes) -> None:
    fakes.told()
    incident = Incident("low_win_rate", "demo", "warning")
    made = fakes.responder.ledger.begin(incident, "Ann", [])
    assert made and not fakes.look(0) and not fakes.look(140)
    fakes.responder.ledger.end(made, "over")
    assert fakes.look(150)


def test_it_is_forgotten_with_alertmanagers_own_memory(fakes: Fakes) -> None:
    days = 86400
    fakes.told()
    assert not fakes.look(0) and not fakes.look(5 * days + 1) and not fakes.late
    assert not fakes.responder.ends._told() and not fakes.responder.ends._gone
    fakes.told()
    assert not fakes.look(6 * days) and not fakes.look(10 * days) and fakes.late, "found over, and still to be told"
    assert not fakes.look(10 * days + 2) and not fakes.late
    assert not fakes.responder.ends._told() and not fakes.responder.ends._over


def test_hundreds_at_once(fakes: Fakes) -> None:
    alerts = [alert(fingerprint=f"{n}", labels={**WIN_RATE, "bot": f"bot-{n}"}) for n in range(500)]
    fakes.responder.stranger().post("/api/v1/alerts", data=json.dumps(body(*alerts)), headers=AUTHORIZED)
    assert not fakes.look(0) and len(fakes.look(140)) == 500
    assert len({bot for bot, _ in fakes.posted}) == 500
