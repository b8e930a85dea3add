"""Acknowledging against the real Alertmanager and Prometheus: nobody is told twice, and the end is always told."""

from __future__ import annotations

import datetime as dt
import signal
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
import requests
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from responder.acknowledge import acknowledger
from responder.acknowledge.acknowledger import GONE_SECONDS
from responder.alertmanager import AlertmanagerError, Incident
from tests.responder.application import AUTHORIZED, Responder, csrf
from tests.responder.monitoring import Alerting, Ruling, fires
from tests.responder.samples import body
from tests.stack import wait_for


@pytest.fixture
def responder(tmp_path: Path, alerting: Alerting) -> Responder:
    return Responder(tmp_path, alerting.url)


def page(bot: str, severity: str = "critical", condition: str = "bot_down") -> str:
    return f"/acknowledge?condition={condition}&bot={bot}&severity={severity}"


def press(client: FlaskClient, path: str, name: str = "Ann", **form: str) -> TestResponse:
    form = {"csrf_token": csrf(client, path), "name": name, **form}
    return client.post(path, data=form, follow_redirects=True)


def watch_until_lifted(responder: Responder, bot: str) -> None:
    def lifted() -> bool:
        responder.acknowledger.watch()
        return not responder.acknowledger.current(Incident("bot_down", bot, "critical"))

    wait_for("lifted", lifted)


def test_the_whole_story(tmp_path: Path, alerting: Alerting, prometheus: Ruling) -> None:
    responder = Responder(tmp_path, alerting.url, prometheus.url)
    ann = responder.person()
    prometheus.fire(["story"])
    alerting.wait_told("story", "firing BotDown")
    assert "Firing" in ann.get(page("story")).text and not alerting.silences("story"), "a look changes nothing"
    shown = press(ann, page("story")).text
    assert "✓ Ann</strong> acknowledged this at" in shown
    (silence,) = alerting.silences("story")
    assert silence["createdBy"] == "Ann" and silence["annotations"] == {"acknowledgement": "1"}
    assert {m["name"]: m["value"] for m in silence["matchers"]} == {
        "condition": "bot_down",
        "bot": "story",
        "severity": "critical",
    }
    # The escalation that comes later is covered, and shown.
    prometheus.fire(["story"], escalated=["story"])
    wait_for("the escalation", lambda: "Escalation: no response" in ann.get(page("story")).text)
    responder.acknowledger.watch()
    alerting.wait_flushed()
    assert alerting.told("story") == ["firing BotDown"]
    # Another start of the responder knows of it, and lifts it.
    responder = Responder(tmp_path, alerting.url, prometheus.url)
    responder.acknowledger.watch()
    assert alerting.silences("story")
    prometheus.fire([])
    watch_until_lifted(responder, "story")
    assert not alerting.silences("story")
    alerting.wait_told("story", "firing BotDown", "resolved BotDown")
    assert "Ann acknowledged it last" in responder.person().get(page("story")).text
    # And the next incident is a new one.
    prometheus.fire(["story"])
    alerting.wait_told("story", "firing BotDown", "resolved BotDown", "firing BotDown")


def test_an_end_that_alertmanager_has_forgotten_is_told(responder: Responder, alerting: Alerting) -> None:
    alerting.post(fires("late"))
    alerting.wait_told("late", "firing BotDown")
    press(responder.person(), page("late"))
    alerting.post(fires("late", ended=True))
    before = alerting.muted()
    wait_for("the end is forgotten", lambda: alerting.muted() > before and not alerting.get('alerts?filter=bot="late"'))
    responder.acknowledger.watch()
    assert alerting.silences("late"), "just gone: Alertmanager may have been restarted"
    responder.now += GONE_SECONDS + 1
    responder.acknowledger.watch()
    alerting.wait_told("late", "firing BotDown", "resolved BotDown")


def test_a_killed_alertmanager_is_told_anew_and_nobody_else(
    tmp_path: Path, alerting: Alerting, prometheus: Ruling
) -> None:
    responder = Responder(tmp_path, alerting.url, prometheus.url)
    prometheus.fire(["killed"])
    alerting.wait_told("killed", "firing BotDown")
    press(responder.person(), page("killed"))
    alerting.end(signal.SIGKILL)
    with pytest.raises(AlertmanagerError, match="doesn't answer"):
        responder.acknowledger.watch()
    # It writes them down now and then.
    (alerting.folder / "alertmanager" / "silences").unlink(missing_ok=True)
    alerting.start()
    assert not alerting.silences("killed"), "it has forgotten"
    responder.now += GONE_SECONDS + 1
    for _ in range(3):
        responder.acknowledger.watch()
        responder.now += GONE_SECONDS + 1
    assert len(alerting.silences("killed")) == 1
    alerting.post(fires("killed"))
    alerting.wait_flushed()
    assert alerting.told("killed") == ["firing BotDown"]


def test_a_silence_is_renewed(responder: Responder, alerting: Alerting, monkeypatch: pytest.MonkeyPatch) -> None:
    alerting.post(fires("long"))
    press(responder.person(), page("long"))
    (first,) = alerting.silences("long")
    responder.acknowledger.watch()
    assert alerting.silences("long") == [first]
    monkeypatch.setattr(acknowledger, "RENEW_SECONDS", 1000)
    responder.acknowledger.watch()
    (second,) = alerting.silences("long")
    assert second["endsAt"] > first["endsAt"] and second["annotations"] == first["annotations"]


def test_taken_back_and_removed_by_hand(responder: Responder, alerting: Alerting) -> None:
    alerting.post(fires("back"))
    alerting.wait_told("back", "firing BotDown")
    ann = responder.person()
    press(ann, page("back"))
    shown = press(ann, page("back"), "Bob", do="take back").text
    assert "Bob took that back" in shown and ">Acknowledge</button>" in shown
    assert not alerting.silences("back")
    escalation = fires("back", labels={"alertname": "Escalation", "escalation": "no_response"})
    alerting.post(escalation)
    alerting.wait_told("back", "firing BotDown", "firing Escalation")
    press(ann, page("back"))
    (silence,) = alerting.silences("back")
    requests.delete(f"{alerting.url}/api/v2/silence/{silence['id']}", timeout=10).raise_for_status()
    responder.acknowledger.watch()
    responder.acknowledger.watch()
    assert not alerting.silences("back")
    assert "the silence was removed in Alertmanager" in ann.get(page("back")).text


def test_just_this_bot_and_severity(responder: Responder, alerting: Alerting) -> None:
    alerting.post(fires("", labels={"condition": "disk"}), fires("bot", labels={"condition": "disk"}))
    alerting.post(fires("bot", labels={"condition": "disk", "severity": "warning"}))
    ann = responder.person()
    press(ann, "/acknowledge?condition=disk&severity=critical")
    press(ann, page("bot", "warning", "disk"))
    alerts = {
        (alert["labels"].get("bot", ""), alert["labels"]["severity"]): alert["status"]["state"]
        for alert in alerting.get('alerts?filter=condition="disk"')
    }
    assert alerts == {
        ("", "critical"): "suppressed",
        ("bot", "critical"): "active",
        ("bot", "warning"): "suppressed",
    }


def test_an_incident_that_began_while_nobody_looked_is_another(responder: Responder, alerting: Alerting) -> None:
    began = fires("away")
    alerting.post(began)
    press(responder.person(), page("away"))
    with sqlite3.connect(responder.folder / "responder.sqlite") as connection:
        connection.execute("UPDATE acknowledgements SET seen_at = ?", (0,))
    connection.close()
    responder.acknowledger.watch()
    assert not alerting.silences("away") and not responder.ledger.current()
    assert len(alerting.get('alerts?filter=bot="away"')) == 1, "and it goes on"


def test_a_silence_whose_answer_was_lost_is_removed(
    responder: Responder, alerting: Alerting, monkeypatch: pytest.MonkeyPatch
) -> None:
    alerting.post(fires("lost"))
    client = responder.acknowledger._alertmanager
    really = client.set_silence

    def lose(*arguments: Any) -> str:
        really(*arguments)
        raise AlertmanagerError("Alertmanager doesn't answer (ReadTimeout).")

    monkeypatch.setattr(client, "set_silence", lose)
    assert "Nothing was changed" in press(responder.person(), page("lost")).text
    assert not responder.ledger.current() and len(alerting.silences("lost")) == 1
    responder.acknowledger.watch()
    assert not alerting.silences("lost")


def test_two_at_once_are_one(responder: Responder, alerting: Alerting) -> None:
    alerting.post(fires("two"))
    clients = [responder.person() for _ in range(4)]
    pages: list[str] = []
    threads = [
        threading.Thread(target=lambda c=c, n=n: pages.append(press(c, page("two"), f"P{n}").text))  # type: ignore[misc]
        for n, c in enumerate(clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (silence,) = alerting.silences("two")
    assert len(pages) == 4
    assert all(f"✓ {silence['createdBy']}</strong> acknowledged" in text for text in pages)


def test_a_restarted_alertmanager_is_not_believed_that_all_is_over(
    tmp_path: Path, alerting: Alerting, prometheus: Ruling
) -> None:
    ann = Responder(tmp_path, alerting.url, prometheus.url).person()
    prometheus.fire(["empty"])
    alerting.wait_told("empty", "firing BotDown")
    # As if Alertmanager had forgotten it: what fires, Prometheus sends anew only now and then.
    ended = fires("empty", ended=True, starts_at=alerting.get('alerts?filter=bot="empty"')[0]["startsAt"])

    def shown() -> str:
        alerting.post(ended)
        return ann.get(page("empty")).text

    wait_for("it is in doubt", lambda: "Not known" in (text := shown()) and "nothing to acknowledge" not in text)
    prometheus.fire([])
    wait_for("it is over", lambda: "nothing to acknowledge" in shown())


def test_the_heartbeat_cannot_be_acknowledged(responder: Responder) -> None:
    ann = responder.person()
    path = page("", "none", "watchdog")
    assert ann.get(path).status_code == 400
    assert ann.post(path, data={"csrf_token": csrf(ann), "name": "Ann"}).status_code == 400
    assert not responder.ledger.current()


def test_what_is_over_cannot_be_acknowledged(tmp_path: Path, alerting: Alerting, prometheus: Ruling) -> None:
    responder = Responder(tmp_path, alerting.url, prometheus.url)
    prometheus.fire([])
    ann = responder.person()
    wait_for("Prometheus has evaluated", lambda: "nothing to acknowledge" in ann.get(page("never")).text)
    assert "nothing to acknowledge" in ann.get(page("never")).text
    alerting.post(fires("ended"))
    form = {"csrf_token": csrf(ann, page("ended")), "name": "Ann"}
    alerting.post(fires("ended", ended=True))
    wait_for("the end", lambda: not alerting.get('alerts?filter=bot="ended"'))
    assert "nothing to acknowledge" in ann.post(page("ended"), data=form, follow_redirects=True).text
    assert not alerting.silences("ended") and not responder.ledger.current()


def test_one_that_fires_again_just_now_is_not_told_as_ended(
    responder: Responder, alerting: Alerting, monkeypatch: pytest.MonkeyPatch
) -> None:
    alerting.post(fires("again"))
    alerting.wait_told("again", "firing BotDown")
    press(responder.person(), page("again"))
    # As if Prometheus had said that it is over, a moment before it fired anew.
    monkeypatch.setattr(responder.acknowledger, "_over", lambda _: True)
    client = responder.acknowledger._alertmanager
    answers = iter([[], client.alerts(Incident("bot_down", "again", "critical"))])
    monkeypatch.setattr(client, "alerts", lambda _: next(answers))
    responder.acknowledger.watch()
    assert not responder.ledger.current() and not alerting.silences("again")
    assert len(alerting.get('alerts?filter=bot="again"')) == 1
    assert alerting.told("again") == ["firing BotDown"]


def test_hostile_labels(responder: Responder, alerting: Alerting) -> None:
    hostile = "<script>alert(1)</script>\"'\\{{7*7}}\n=~ü😀"
    alerting.post(fires(hostile, labels={"condition": hostile, "severity": hostile}))
    ann = responder.person()
    incident = {"condition": hostile, "bot": hostile, "severity": hostile}
    token = csrf(ann)
    looked = ann.get("/acknowledge", query_string=incident)
    assert "Firing" in looked.text and "<script" not in looked.text and "alert(1)" in looked.text
    assert looked.headers["Content-Security-Policy"].startswith("default-src 'none'")
    done = ann.post(
        "/acknowledge", query_string=incident, data={"csrf_token": token, "name": "<b>Ann"}, follow_redirects=True
    )
    assert "✓ &lt;b&gt;Ann</strong>" in done.text and "<script" not in done.text
    assert len(alerting.silences(hostile)) == 1
    assert "&lt;b&gt;Ann" not in responder.stranger().get("/metrics").text
    assert "<b>Ann" in responder.stranger().get("/metrics").text


def test_the_inbox_and_the_metrics_say_who(responder: Responder, alerting: Alerting) -> None:
    alerting.post(fires("shown"))
    ann = responder.person()
    (alert,) = alerting.get('alerts?filter=bot="shown"')
    message = {
        **fires("shown"),
        "status": "firing",
        "endsAt": "0001-01-01T00:00:00Z",
        "fingerprint": alert["fingerprint"],
    }
    ann.post("/api/v1/alerts", json=body(message), headers=AUTHORIZED)
    assert 'href="/acknowledge?condition=bot_down&amp;bot=shown&amp;severity=critical">Acknowledge' in ann.get("/").text
    press(ann, page("shown"))
    assert "✓ Acknowledged by Ann," in ann.get("/").text and ">Take back</a>" in ann.get("/").text
    series = (
        'trading_bot_acknowledged_timestamp_seconds{bot="shown",by="Ann",condition="bot_down",severity="critical"} '
    )
    assert series in ann.get("/metrics").text
    press(ann, page("shown"), do="take back")
    assert "Acknowledged by" not in ann.get("/").text
    assert "trading_bot_acknowledged_timestamp_seconds{" not in ann.get("/metrics").text


def test_an_end_is_told_once_when_alertmanager_has_forgotten_the_beginning(tmp_path: Path) -> None:
    """It forgets a message after twice the time in which it would have been repeated."""
    with Alerting(tmp_path / "alertmanager", repeat="4s") as alerting:
        responder = Responder(tmp_path, alerting.url)

        def hear() -> None:
            answer = responder.stranger().post("/api/v1/alerts", json=alerting.last(), headers=AUTHORIZED)
            assert answer.status_code == 200

        alerting.post(fires("long"))
        alerting.wait_told("long", "firing BotDown")
        press(responder.person(), page("long"))
        hear()
        responder.acknowledger.watch()
        wait_for("it is written down", alerting.remembers)
        wait_for("it is forgotten", lambda: not alerting.remembers())
        alerting.post(fires("long", ended=True))
        wait_for("it is over", lambda: not alerting.get('alerts?filter=bot="long"'))
        responder.acknowledger.watch()
        responder.now += GONE_SECONDS + 1
        told_at = "UPDATE messages SET last_told = last_told - "
        change(responder, told_at + "30")
        responder.acknowledger.watch()
        assert alerting.silences("long"), "it forgets about now: nothing is sure"
        change(responder, told_at + "60")
        watch_until_lifted(responder, "long")
        alerting.wait_told("long", "firing BotDown", "firing BotDown")
        (told,) = alerting.last()["alerts"]
        assert told["labels"]["over"] == "late" and " d " in told["annotations"]["lasted"]
        hear()
        ended, begun = responder.person().get("/api/v1/messages", headers=AUTHORIZED).json["messages"]
        assert (begun["status"], begun["over"], ended["status"]) == ("firing", True, "resolved")
        assert begun["labels"] == ended["labels"]
        # That this message ends is no news; the next incident is.
        wait_for("the message is over", lambda: not alerting.get('alerts?filter=bot="long"'))
        alerting.post(fires("long", starts_at=dt.datetime.now(dt.UTC).isoformat()))
        alerting.wait_told("long", "firing BotDown", "firing BotDown", "firing BotDown")


def change(responder: Responder, statement: str) -> None:
    with sqlite3.connect(responder.folder / "responder.sqlite") as connection:
        connection.execute(statement)
