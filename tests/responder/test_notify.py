"""SMS and phone: from Alertmanager's message through the outbox to the service, against a local Twilio."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from responder.outbox.courier import DeliveryError
from responder.people import service
from responder.people.service import hide
from tests.responder.application import AUTHORIZED, Responder
from tests.responder.samples import RESOLVED, alert, body
from tests.responder.twilio import ANNA, AUTH, BEN, FROM, ME, PHONE_URL, SID, SMS_URL, TwilioServer, contacts

SMS, CALL = "/api/v1/notify/sms/manager", "/api/v1/notify/phone/manager"
SECRETS = (SID, AUTH, FROM, ANNA, BEN, ME, ANNA[1:])


@pytest.fixture
def twilio(monkeypatch: pytest.MonkeyPatch) -> Iterator[TwilioServer]:
    with TwilioServer() as server:
        server.use(monkeypatch)
        yield server


@pytest.fixture
def responder(tmp_path: Path) -> Responder:
    responder = Responder(tmp_path)
    write(responder, contacts())
    return responder


def write(responder: Responder, document: Any) -> None:
    responder.contacts_file.write_text(document if isinstance(document, str) else json.dumps(document))


def send(responder: Responder, path: str, message: dict[str, Any]) -> int:
    """Sends it as Alertmanager would; how many rows that made."""
    answer = responder.stranger().post(path, json=message, headers=AUTHORIZED)
    assert answer.status_code == 200, answer.text
    kept: int = answer.json["kept"] if answer.json else -1
    return kept


def deliver(responder: Responder) -> None:
    """Tries once whatever is due."""
    for courier in responder.couriers:
        while courier.step():
            pass


def deliveries(responder: Responder) -> dict[tuple[str, str], float]:
    """The counters that aren't 0."""
    families = text_string_to_metric_families(responder.stranger().get("/metrics").text)
    return {
        (sample.labels["channel"], sample.labels["result"]): sample.value
        for family in families
        for sample in family.samples
        if sample.name == "trading_bot_responder_deliveries_total" and sample.value
    }


def test_an_sms_to_each_contact_of_the_role(responder: Responder, twilio: TwilioServer) -> None:
    assert send(responder, SMS, body()) == 2
    assert not twilio.messages
    deliver(responder)
    assert [(message["To"], message["From"]) for message in twilio.messages] == [(ANNA, FROM), (BEN, FROM)]
    assert {message["path"] for message in twilio.messages} == {f"/2010-04-01/Accounts/{SID}/Messages.json"}
    assert twilio.messages[0]["Body"] == (
        "CRITICAL BotDown demo: demo is unreachable. Respond within 5 min. Acknowledge: "
        "http://localhost:8080/acknowledge?condition=bot_down&bot=demo&severity=critical"
    )
    assert deliveries(responder) == {("sms", "delivered"): 2}


def test_a_call_to_those_who_have_a_phone(responder: Responder, twilio: TwilioServer) -> None:
    assert send(responder, CALL, body()) == 1
    deliver(responder)
    (call,) = twilio.messages
    assert (call["path"], call["To"]) == (f"/2010-04-01/Accounts/{SID}/Calls.json", ANNA)
    said = "This is your trading bots&apos; monitoring. Critical alert: Bot Down of demo. demo is unreachable. "
    assert call["Twiml"].startswith("<Response><Say>") and said in call["Twiml"].replace("&#x27;", "&apos;").replace(
        "'", "&apos;"
    )
    assert "http" not in call["Twiml"]


def test_the_end_is_told_too(responder: Responder, twilio: TwilioServer) -> None:
    send(responder, SMS, body())
    assert send(responder, SMS, body(alert(**RESOLVED), status="resolved")) == 2
    assert send(responder, CALL, body(alert(**RESOLVED), status="resolved")) == 0, "nobody is called for that"
    deliver(responder)
    assert twilio.messages[-1]["Body"] == "RESOLVED BotDown demo: over. It was: demo is unreachable."


def storm(*bots: str, **changes: Any) -> list[dict[str, Any]]:
    """A notification for each bot, as the routes group them."""
    return [body(alert(fingerprint=bot, labels={"bot": bot}, **changes)) for bot in bots]


def test_a_storm_is_one_sms_and_one_call(responder: Responder, twilio: TwilioServer) -> None:
    for message in storm(*(f"bot-{number}" for number in range(20))):
        send(responder, SMS, message)
        send(responder, CALL, message)
    deliver(responder)
    bots = "20 bots: bot-0, bot-1, bot-2 and 17 more"
    told = {(message["To"], message.get("Body")) for message in twilio.messages}
    sms = f"CRITICAL BotDown: {bots}. Respond within 5 min. Inbox: http://localhost:8080/"
    assert len(twilio.messages) == 3 and told == {(ANNA, sms), (BEN, sms), (ANNA, None)}
    (call,) = (message["Twiml"] for message in twilio.messages if "Twiml" in message)
    assert f"Critical: Bot Down of {bots}. Please respond within five minutes: the inbox says more." in call
    assert responder.outbox.waiting() == {}
    assert deliveries(responder) == {("sms", "delivered"): 2, ("phone", "delivered"): 1}
    page = responder.person().get("/deliveries?page=2").text
    assert page.count("BotDown bot-") == 10 and page.count('<span class="badge">delivered') == 10


def test_the_ends_of_a_storm_are_one_sms(responder: Responder, twilio: TwilioServer) -> None:
    for message in storm("a", "b", "c", "d", **RESOLVED):
        send(responder, SMS, message)
    deliver(responder)
    told = "RESOLVED BotDown: 4 bots: a, b, c and d. Inbox: http://localhost:8080/"
    assert [message["Body"] for message in twilio.messages] == [told, told]


def test_of_one_incident_the_latest_is_told_with_its_link(responder: Responder, twilio: TwilioServer) -> None:
    send(responder, SMS, body())
    send(responder, SMS, body(alert(startsAt="2026-11-21T10:03:00Z", annotations={"description": "Still down."})))
    deliver(responder)
    told = (
        "CRITICAL BotDown demo: Still down. Respond within 5 min. Acknowledge: "
        "http://localhost:8080/acknowledge?condition=bot_down&bot=demo&severity=critical"
    )
    assert [message["Body"] for message in twilio.messages] == [told, told]


def test_a_second_attempt_of_alertmanager_is_taken_once_and_a_repeat_again(responder: Responder) -> None:
    assert send(responder, SMS, body()) == 2
    # The value in the text may be another one by then.
    assert send(responder, SMS, body(alert(annotations={"description": "demo is still unreachable."}))) == 0
    assert send(responder, CALL, body()) == 1
    assert send(responder, SMS, body(alert(startsAt="2026-11-21T10:03:00Z"))) == 2
    with responder.outbox._database.writing() as connection:
        connection.execute("UPDATE outbox SET created = created - 241")
    assert send(responder, SMS, body()) == 2


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_nothing_secret_is_anywhere(
    responder: Responder, twilio: TwilioServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    twilio.refuse(401, times=20)
    send(responder, SMS, body())
    send(responder, CALL, body())
    deliver(responder)
    write(responder, contacts(sms_url=f"twilio://{SID}:no-{AUTH}@{FROM}/{{to}}"))
    send(responder, SMS, body(alert(fingerprint="2")))
    deliver(responder)
    tested = responder.stranger().post("/api/v1/notify/test/sms", headers=AUTHORIZED).text
    write(responder, contacts(phone_url=PHONE_URL.replace("twilio", f"nothing{AUTH}")))
    tested += responder.stranger().post("/api/v1/notify/test/phone", headers=AUTHORIZED).text
    write(responder, json.dumps(contacts()).replace("[", "", 1))
    tested += responder.stranger().post("/api/v1/notify/test/sms", headers=AUTHORIZED).text
    page = responder.person().get("/deliveries").text
    # pytest sees Apprise's own log too, which goes nowhere: test_messages_process.py reads what the process writes.
    log = "\n".join(record.getMessage() for record in caplog.records if record.name != "apprise")
    assert "Authentication Error for …" in page and "Authentication Error for …" in log
    kept = b"".join(file.read_bytes() for file in tmp_path.glob("responder.sqlite*")).decode(errors="replace")
    for text in (page, kept, log, tested, responder.stranger().get("/metrics").text):
        for secret in SECRETS:
            assert secret not in text
    assert deliveries(responder)["sms", "failed"] == 2


def test_what_failed_is_tried_again_and_shown(responder: Responder, twilio: TwilioServer) -> None:
    twilio.refuse(400, times=2, message=f"The 'To' number {ANNA} is not <b>valid</b>.")
    send(responder, SMS, body())
    deliver(responder)
    page = responder.person().get("/deliveries").text
    assert "The &#39;To&#39; number … is not &lt;b&gt;valid&lt;/b&gt;." in page
    assert "SMS to manager/Anna" in page and "BotDown demo, firing" in page and "waiting" in page
    assert "No delivery fits" in responder.person().get("/deliveries?state=given+up").text
    with responder.outbox._database.writing() as connection:
        connection.execute("UPDATE outbox SET next_attempt = 0")
    Responder(responder.folder).couriers[0].step()
    (message,) = twilio.messages
    assert message["To"] == ANNA
    assert "delivered" in responder.person().get("/deliveries?state=delivered").text


def test_somebody_who_may_have_been_called_is_not_called_for_an_hour(
    responder: Responder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unanswered(*_: str) -> None:
        raise DeliveryError("no answer in time")

    monkeypatch.setattr(service, "send", unanswered)
    monkeypatch.setattr(service, "READ_SECONDS", 0)
    for path, state in ((CALL, "given up"), (SMS, "waiting")):
        send(responder, path, body())
        for _ in range(3):
            with responder.outbox._database.writing() as connection:
                connection.execute("UPDATE outbox SET next_attempt = 0")
            Responder(responder.folder).couriers[path == CALL].step()
        assert responder.outbox.latest(limit=1)[0].state == state


def test_a_service_that_is_not_there(responder: Responder, twilio: TwilioServer) -> None:
    twilio.__exit__()
    send(responder, SMS, body())
    deliver(responder)
    assert "A Connection error occurred sending Twilio:… notification." in responder.outbox.latest(limit=1)[0].error


# Where all of Apprise's services are loaded, some say that they use what is old.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    "document, told",
    [
        (contacts(roles={}), "contacts of monitoring.yml has no sms number for manager"),
        (contacts(sms_url=""), "SMS_URL is not set in .env"),
        (contacts(sms_url="twilio://x:y@z/+49151"), "has no {to}"),
        (contacts(sms_url="{to}"), "doesn't begin like twilio://"),
        (contacts(sms_url="unknown://a/{to}"), "unknown://…, is none that Apprise takes"),
        (contacts(sms_url="twilio://{to}"), "its address in .env"),
        ({"roles": {"manager": [{"name": "", "sms": "1"}]}}, "is not as `make up` writes it: roles.manager.0.name"),
        ("{", "is not as `make up` writes it: all of it"),
    ],
)
def test_a_fault_in_the_settings_is_said_and_nothing_lost(responder: Responder, document: Any, told: str) -> None:
    write(responder, document)
    assert send(responder, SMS, body()) >= 1
    deliver(responder)
    row = responder.outbox.latest(limit=1)[0]
    assert told in row.error and row.state == "waiting"


def test_contacts_that_come_later_are_told(responder: Responder, twilio: TwilioServer) -> None:
    responder.contacts_file.unlink()
    assert send(responder, SMS, body()) == 1
    deliver(responder)
    assert "can't be read (No such file or directory)" in responder.outbox.latest(limit=1)[0].error
    write(responder, contacts())
    with responder.outbox._database.writing() as connection:
        connection.execute("UPDATE outbox SET next_attempt = 0")
    deliver(Responder(responder.folder))
    assert [message["To"] for message in twilio.messages] == [ANNA, BEN]


def test_a_number_that_the_service_does_not_take_is_not_sent_to_the_sender(
    responder: Responder, twilio: TwilioServer
) -> None:
    write(responder, contacts(roles={"manager": [{"name": "Anna", "sms": "no number"}]}))
    send(responder, SMS, body())
    deliver(responder)
    assert "doesn't take the number" in responder.outbox.latest(limit=1)[0].error and not twilio.messages


def test_a_test_message_goes_to_each_contact_of_the_administrator(responder: Responder, twilio: TwilioServer) -> None:
    answer = responder.stranger().post("/api/v1/notify/test/sms", headers=AUTHORIZED)
    assert answer.json == {"contacts": [{"contact": "administrator/Me", "delivered": True, "error": ""}]}
    assert twilio.messages[0]["Body"] == "Test of your trading bots' monitoring. Nothing has happened."
    # Who has no phone is no contact for it: the next role that has one.
    twilio.refuse(500, message="Out of order")
    answer = responder.stranger().post("/api/v1/notify/test/phone", headers=AUTHORIZED)
    (contact,) = (answer.json or {})["contacts"]
    assert (contact["contact"], contact["delivered"]) == ("manager/Anna", False)
    assert "Out of order" in contact["error"]
    assert not responder.outbox.latest(limit=1)


@pytest.mark.parametrize(
    "document, status, told",
    [
        (contacts(sms_url=""), 409, "SMS isn't set up: there is no SMS_URL in .env."),
        (contacts(roles={}), 409, "SMS isn't set up: there is no sms number in contacts of monitoring.yml."),
        ("", 503, "is not as `make up` writes it"),
    ],
)
def test_a_test_that_can_not_be_sent_says_why(responder: Responder, document: Any, status: int, told: str) -> None:
    write(responder, document)
    answer = responder.stranger().post("/api/v1/notify/test/sms", headers=AUTHORIZED)
    assert answer.status_code == status and told in (answer.json or {})["error"]


@pytest.mark.parametrize("path", [SMS, CALL, "/api/v1/notify/test/sms", "/api/v1/notify/test/phone"])
def test_without_the_token_nothing_is_sent(responder: Responder, path: str) -> None:
    for client in (responder.stranger(), responder.person()):
        assert client.post(path, json=body()).status_code == 401
    assert not responder.outbox.latest(limit=1)


def test_what_is_not_asked_for_rightly_is_refused(responder: Responder) -> None:
    client = responder.stranger()
    assert client.post("/api/v1/notify/pigeon/manager", json=body(), headers=AUTHORIZED).status_code == 404
    assert client.post("/api/v1/notify/test/pigeon", headers=AUTHORIZED).status_code == 404
    assert client.post(SMS, json={}, headers=AUTHORIZED).status_code == 400
    assert client.post(SMS, data=b"x" * 3_000_000, headers=AUTHORIZED).status_code == 413


def test_what_waits_is_in_the_metrics(responder: Responder) -> None:
    send(responder, SMS, body())
    text = responder.stranger().get("/metrics").text
    assert 'trading_bot_responder_deliveries_waiting{channel="sms"} 2.0' in text
    assert 'trading_bot_responder_deliveries_waiting{channel="webhook"} 0.0' in text
    assert 'trading_bot_responder_deliveries_total{channel="phone",result="given_up"} 0.0' in text


@pytest.mark.parametrize(
    "text, hidden",
    [
        (f"Token {AUTH}, account {SID.lower()}", "Token …, account …"),
        (f"to {ANNA} from {FROM}", "to … from …"),
        ("a rapid call by SMS failed with 15", "a rapid call by SMS failed with 15"),
        ("p%40ss or p@ss, api, apiary", "… or …, …, apiary"),
        (SMS_URL, "twilio://…/{to}"),
    ],
)
def test_what_is_hidden_of_an_address(text: str, hidden: str) -> None:
    url = f"{SMS_URL}?method=call&rto=15" if "p@ss" not in text else "sinch://p%40ss:api@host/{to}"
    assert hide(text, url, ANNA) == hidden
