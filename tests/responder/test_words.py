"""What SMS and calls say, whatever the alert says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from responder.people import words
from responder.people.contacts import CHANNELS, Channel
from responder.webhook import Notification
from tests.responder.application import Responder
from tests.responder.samples import RESOLVED, alert, body

ESCALATION = alert(
    labels={"alertname": "EscalationNoResponse", "alert": "BotDown", "escalation": "no_response", "role": "manager"},
    annotations={
        "description": "BotDown of demo (critical) has been waiting for an answer for 30m 0s. "
        "See http://localhost:8080/runbooks/BotDown for what to do."
    },
)
LINK = "http://localhost:8080/acknowledge?condition=bot_down&bot=demo&severity=critical"


@pytest.fixture(scope="module", autouse=True)
def _templates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder: Path = tmp_path_factory.mktemp("words")
    with Responder(folder).app.app_context():
        yield


def said(channel: Channel, *alerts: dict[str, object]) -> str:
    return words.of(channel, Notification.model_validate(body(*alerts)), "http://localhost:8080/")


def test_an_escalation_says_what_it_escalates() -> None:
    assert said("sms", ESCALATION) == (
        "CRITICAL BotDown demo (escalated to the manager): BotDown of demo (critical) has been waiting for an answer "
        f"for 30m 0s. Respond within 5 min. Acknowledge: {LINK}"
    )
    spoken = said("phone", ESCALATION)
    assert "Bot Down of demo. Escalated to the manager. " in spoken and "http" not in spoken
    assert "waiting for an answer for 30 minutes." in spoken


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("1h 0m 1s", "1 hour 1 second"),
        ("2d 0h 0m 0s", "2 days"),
        ("0s", "0 seconds"),
        ("15m, 3d", "15 minutes, 3 days"),
        ("7ms of 5mm on h1", "7ms of 5mm on h1"),
    ],
)
def test_times_are_spoken_in_words(written: str, spoken: str) -> None:
    assert f" {spoken} " in said("phone", alert(annotations={"description": f"It took {written} in all."}))


def test_a_long_problem_is_cut_and_the_link_is_whole() -> None:
    text = said("sms", alert(annotations={"description": "far too long " * 50}), alert(fingerprint="2"))
    assert 295 <= len(text) <= words.SMS_LENGTH
    assert text.endswith(f"... And 1 more. Respond within 5 min. Acknowledge: {LINK}")
    assert len(said("phone", alert(annotations={"description": "far too long " * 500}))) <= words.PHONE_LENGTH


def test_a_link_too_long_for_an_sms_is_left_out() -> None:
    text = said("sms", alert(labels={"bot": "ü" * 60}))
    assert "http" not in text and "demo is unreachable." in text


def together(channel: Channel, *alerts: dict[str, object]) -> str:
    incidents = [
        incident
        for each in alerts
        for incident in words.told(channel, Notification.model_validate(body(each)), "http://localhost:8080")
    ]
    return words.gathered(channel, words.latest(incidents), "http://localhost:8080")


def test_unlike_ones_are_listed_the_most_urgent_first() -> None:
    drawdown = {"alertname": "HighDrawdown", "condition": "drawdown"}
    alerts = (
        alert(labels={"bot": "x"}, **RESOLVED),
        alert(labels={**drawdown, "severity": "warning"}),
        alert(labels={"bot": "a"}),
        alert(labels={"bot": "b"}),
        alert(labels={"alertname": "ExporterDown", "condition": "exporter_down", "bot": ""}),
    )
    assert together("sms", *alerts) == (
        "CRITICAL BotDown: 2 bots: a and b. CRITICAL ExporterDown. WARNING HighDrawdown demo. RESOLVED BotDown x. "
        "Respond within 5 min. Inbox: http://localhost:8080/"
    )
    said = (
        "Critical: Bot Down of 2 bots: a and b; critical: Exporter Down; warning: High Drawdown of demo; "
        "resolved: Bot Down of x."
    )
    assert together("phone", *alerts) == (
        f"This is your trading bots' monitoring. {said} Please respond within five minutes: the inbox says more. "
        f"I repeat: {said}"
    )


def test_an_incident_and_its_escalation_have_their_link() -> None:
    assert together("sms", alert(), ESCALATION) == (
        "CRITICAL BotDown demo. CRITICAL BotDown (escalated to the manager) demo. Respond within 5 min. "
        f"Acknowledge: {LINK}"
    )


def test_too_many_kinds_are_counted() -> None:
    text = together(
        "sms",
        *(alert(labels={"alertname": f"Own{number}" + "x" * 30, "condition": f"own_{number}"}) for number in range(30)),
    )
    assert len(text) <= words.SMS_LENGTH
    assert " more alerts. Respond within 5 min. Inbox: http://localhost:8080/" in text


def test_news_ask_for_no_answer() -> None:
    report = alert(
        labels={"condition": "daily_summary", "severity": "info"},
        annotations={"description": "P&L of the day 12.30 USDT · 5 trades"},
    )
    assert said("sms", report) == "REPORT demo: P&L of the day 12.30 USDT, 5 trades"
    assert said("phone", report) == (
        "This is your trading bots' monitoring. Report: Profit and loss of the day 12.30 USDT, 5 trades"
    )


def test_an_alert_of_the_users_own() -> None:
    own = alert(labels={"alertname": "Mine", "condition": "", "severity": "page"}, annotations={"description": ""})
    assert said("sms", own) == "ALERT Mine demo: A bot gives no sign of life."


def test_accents_stay_or_lose_themselves_and_quotes_become_plain() -> None:
    assert words.gsm("“Über–naïve” ≥ 5 €…") == '"Über-naive" >= 5 €...'
    assert words.gsm("бот") == "???"


TEXTS = st.text(st.characters(codec="utf-8"), max_size=400) | st.sampled_from(
    [
        "<Response><Say>x</Say></Response>",
        "{{ 7 * 7 }}",
        "http://evil.example/",
        "^{}[]~|€\\" * 50,
        "\x1b[31m\r\n",
        "a" * 9999,
    ]
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(CHANNELS), TEXTS, TEXTS, TEXTS, st.sampled_from(["critical", "info", "x"]), st.booleans())
def test_whatever_an_alert_says_is_harmless(
    channel: Channel, name: str, bot: str, description: str, severity: str, escalated: bool
) -> None:
    labels = {"alertname": name, "bot": bot, "severity": severity}
    labels |= {"escalation": bot, "role": name, "alert": description} if escalated else {}
    text = said(channel, alert(labels=labels, annotations={"description": description, "summary": name}))
    assert text.isprintable() and not text.startswith("<")
    more = alert(labels=labels | {"bot": name}, **RESOLVED)
    for gathered in (together(channel, alert(labels=labels), more), together(channel, *[more, alert()] * 9)):
        assert gathered.isprintable() and len(gathered) <= words.LENGTHS[channel] and gathered.count("://") <= 1
        assert words.gsm(gathered) == gathered or channel == "phone"
        assert not set("<>&") & set(gathered) or channel == "sms"
    if channel == "sms":
        assert words.septets(text) <= words.SMS_LENGTH and words.gsm(text) == text
        assert text.count("://") <= 1
        assert "://" not in text.partition("Acknowledge: http://localhost:8080/acknowledge?")[0]
    else:
        assert len(text) <= words.PHONE_LENGTH
        assert not set("<>&") & set(text) and "://" not in text


@pytest.mark.parametrize(("condition", "title"), [("high_cpu_usage", "HighCpuUsage host"), ("other", "HighCpuUsage")])
def test_what_has_no_bot_may_be_of_the_host(condition: str, title: str) -> None:
    labels = {"alertname": "HighCpuUsage", "condition": condition, "bot": ""}
    assert said("sms", alert(labels=labels)).startswith(f"CRITICAL {title}: ")
    assert ("of the host" in said("phone", alert(labels=labels))) == (condition == "high_cpu_usage")
