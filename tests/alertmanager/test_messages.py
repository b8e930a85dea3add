"""What arrives: the real Alertmanager sends to servers that speak Telegram's, Slack's and SMTP's protocols."""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

import pytest
import requests

from tests.alertmanager.harness import Alerting, bot_down
from tests.channels import Mail, SlackServer, SmtpServer, TelegramServer, WebhookServer
from tests.stack import wait_for

ZONE = "Asia/Kolkata"
HOSTILE = {
    "markup": "<script>alert(1)</script><b>&amp;",
    "quotes": "\"double\" 'single' `back` \\slash {{ .Labels }} %s $1",
    "lines": "first\nsecond\r\n\tthird",
    "emoji": "🤖 ünïcödé 日本語 \u202e\u0007",
    "slack": "<!channel> <@U123> *bold* | > & <http://evil.example.org|click>",
    "long": "x" * 10_000,
    "longest": "<&\"'>" * 2_000,
    "wide": "🤖" * 3_000,
}


@dataclass
class Scene:
    """All that runs."""

    alerting: Alerting
    telegram: TelegramServer
    slack: SlackServer
    smtp: SmtpServer
    heartbeat: WebhookServer

    def all_told(self, bot: str, status: str) -> tuple[str, dict[str, Any], Mail]:
        """The message about a bot on each channel."""
        telegram = self.telegram.wait_for(
            lambda m: status in m["text"] and bool(re.search(f"· {bot}( ·|<)", m["text"]))
        )
        slack = self.slack.wait_for(lambda m: status in attachment(m)["title"] and f"· {bot}" in attachment(m)["title"])
        mail = self.smtp.wait_for(lambda m: status in m.subject and f"· {bot} ·" in m.subject)
        return telegram["text"], attachment(slack), mail


def attachment(message: dict[str, Any]) -> dict[str, Any]:
    (only,) = message["attachments"]
    found: dict[str, Any] = only
    return found


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with ExitStack() as exits:
        telegram = exits.enter_context(TelegramServer(chats=(4711, -100222)))
        slack = exits.enter_context(SlackServer())
        smtp = exits.enter_context(SmtpServer())
        heartbeat = exits.enter_context(WebhookServer())
        settings = telegram.settings | slack.settings | smtp.settings
        settings |= {"HEARTBEAT_URL": f"{heartbeat.url}/ping/secret"}
        alerting = exits.enter_context(Alerting(tmp_path_factory.mktemp("alerting"), settings, zone=ZONE))
        yield Scene(alerting, telegram, slack, smtp, heartbeat)


class Parsed(HTMLParser):
    """The tags, links and text of a message in HTML."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.text = ""
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name == "href"]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_firing_and_resolved_on_every_channel(scene: Scene) -> None:
    alert = bot_down("demo")
    since = dt.datetime.fromisoformat(alert["startsAt"]).astimezone(ZoneInfo(ZONE))
    scene.alerting.post([alert])
    telegram, slack, mail = scene.all_told("demo", "FIRING")
    for text in (Parsed(telegram).text, json.dumps(slack, ensure_ascii=False), mail.text, Parsed(mail.html).text):
        for words in (
            "🔴" if text != mail.text else "BotDown",
            "CRITICAL",
            "respond within 5 min",
            "demo is unreachable: it does not answer (reason: timeout). Last sign of life 5m 10s ago, limit 5m 0s.",
            "123.45 USDT · 42 trades · win rate 55.0 % · 3 open positions",
            "restart the bot; only if it won't start, close its positions on the exchange",
            f"Since {since.day} {since:%b %Y %H:%M:%S} IST",
        ):
            assert words in text
    silence = (
        'http://alerts.example.org:9093/#/silences/new?filter={bot="demo",condition="bot_down",severity="critical"}'
    )
    acknowledge = "http://localhost:8080/acknowledge?condition=bot_down&bot=demo&severity=critical"
    dashboard, runbook = "http://localhost:3000/d/trading-bot?var-bot=demo", "http://localhost:8080/runbooks/BotDown"
    links = [acknowledge, dashboard, runbook, silence]
    assert [unquote(link) for link in Parsed(telegram).links] == links
    assert [unquote(link) for link in Parsed(mail.html).links] == links
    assert [unquote(unescape(link)) for link in re.findall(r"<(http[^|]*)\|", slack["text"])] == links
    assert all(link in unquote(mail.text) for link in links)
    assert slack["color"] == "#e74c3c"
    assert (mail.recipients, mail.username) == (["trader@example.org"], SmtpServer.USERNAME)
    chats = scene.telegram.wait_for_count(lambda m: "· demo<" in m["text"], 2)
    assert {int(message["chat_id"]) for message in chats} == {4711, -100222}
    wait_for("the inbox", lambda: [m for m in scene.alerting.inbox() if m["bot"] == "demo"])

    scene.alerting.post([{**alert, "endsAt": dt.datetime.now(dt.UTC).isoformat()}])
    telegram, slack, mail = scene.all_told("demo", "RESOLVED")
    for text in (Parsed(telegram).text, json.dumps(slack, ensure_ascii=False), mail.text, Parsed(mail.html).text):
        assert "It was: demo is unreachable" in text and "IST to" in text and "It is over, after" in text
        # Of just before its end, not of now; and nothing is to be done any more.
        assert "📊 Last known: P&" in text and "The bot:" not in text
        assert "respond within" not in text and "What to do" not in text
    assert slack["color"] == "#2ecc71"

    def inbox() -> list[tuple[str, bool]]:
        return [(m["status"], m["over"]) for m in scene.alerting.inbox() if m["bot"] == "demo"]

    wait_for("the end in the inbox", lambda: len(inbox()) == 2)
    assert inbox() == [("resolved", False), ("firing", True)]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_values_are_only_text(scene: Scene, name: str) -> None:
    value = HOSTILE[name]
    annotations = dict.fromkeys(("summary", "description", "bot_status", "recommended_actions"), value)
    # Telegram refuses a message with a fault in it, so it is found by another of its labels.
    alert = bot_down(f"{name} {value}", annotations=annotations | {"dashboard_url": f"javascript:{value}"})
    scene.alerting.post([alert])
    telegram = scene.telegram.wait_for(lambda m: f"<b>BotDown · {name} " in m["text"])["text"]
    assert len(telegram) <= TelegramServer.LIMIT
    parsed = Parsed(telegram)
    assert parsed.tags <= {"b", "a"}
    start = re.sub(r"[\u202e\x07]", "", re.sub(r"\s+", " ", value))[:40].strip()
    assert start in parsed.text
    assert not any(link.startswith("javascript") for link in parsed.links)

    slack = attachment(scene.slack.wait_for(lambda m: f"BotDown · {name} " in attachment(m)["title"]))
    for text in (slack["title"], slack["text"]):
        raw = re.sub(r"<http://(alerts\.example\.org:9093|localhost:8080)/[^<>|]*\|\w+>", "", text)
        assert "<" not in raw and ">" not in raw
        assert not re.search(r"&(?!amp;|lt;|gt;)", raw)
        assert len(text) < 10_000
    assert "title_link" not in slack or not slack["title_link"]

    mail = scene.smtp.wait_for(lambda m: f"BotDown · {name} " in m.subject)
    assert len(mail.subject) < 200
    parsed = Parsed(mail.html)
    assert "script" not in parsed.tags
    assert not any(link.startswith("javascript") for link in parsed.links)
    assert all(start in re.sub(r"\s+", " ", text) for text in (parsed.text, mail.text))

    kept = wait_for("the inbox", lambda: [m for m in scene.alerting.inbox() if m["bot"].startswith(f"{name} ")])
    assert kept[0]["annotations"]["description"] == value


def test_200_alerts_of_one_group_are_one_message(scene: Scene) -> None:
    def labels(number: int) -> dict[str, str]:
        return {"condition": "many", "alertname": "Many", "pair": f"PAIR{number:03}"}

    # Alerts that began longer than group_wait ago would leave at once, before all are there.
    now = dt.datetime.now(dt.UTC).isoformat()
    alerts = [
        bot_down("crowd", labels=labels(n), annotations={"description": f"<{n}> is off"}, starts_at=now)
        for n in range(200)
    ]
    scene.alerting.post(alerts)
    telegram = scene.telegram.wait_for(lambda m: "Many · crowd" in m["text"])["text"]
    shown = telegram.count("is off")
    assert shown >= 5 and f"… and {200 - shown} more" in telegram
    mail = scene.smtp.wait_for(lambda m: "Many · crowd" in m.subject)
    assert mail.text.count("is off") == 50
    assert mail.html.count("is off") == 50 + 1  # the hidden line that a phone shows beside the subject
    assert "… and 150 more" in mail.text and "… and 150 more" in mail.html
    # More don't fit into the inbox's 1 MiB, if each has much to say.
    wait_for("100 in the inbox", lambda: len([m for m in scene.alerting.inbox() if m["bot"] == "crowd"]) == 100)


def test_an_alert_without_annotations(scene: Scene) -> None:
    scene.alerting.post([{"labels": {"alertname": "Bare", "shelf": "<7>"}}])
    text = Parsed(scene.telegram.wait_for(lambda m: "<b>Bare</b>" in m["text"])["text"]).text
    assert text.startswith("⚪ Bare\nFIRING\n") and "shelf=<7>" in text
    mail = scene.smtp.wait_for(lambda m: "Bare" in m.subject)
    assert "shelf=<7>" in mail.text
    assert 'filter={alertname="Bare"}' in unquote(mail.text)


def test_what_a_channel_refuses_comes_later_and_once(scene: Scene) -> None:
    scene.telegram.refuse(429, times=2)
    scene.slack.refuse(500, times=2)
    scene.smtp.refuse("451 Try again later", times=1)
    scene.alerting.post([bot_down("stubborn")])
    scene.all_told("stubborn", "FIRING")
    assert not (scene.telegram.refusals or scene.slack.refusals or scene.smtp.refusals)
    scene.telegram.wait_for_count(lambda m: "· stubborn<" in m["text"], 2)
    assert len([m for m in scene.smtp.messages if "stubborn" in m.subject]) == 1


def test_a_bot_that_is_down_explains_its_lesser_alerts(scene: Scene) -> None:
    lesser = {"alertname": "LowWinRate", "condition": "low_win_rate", "severity": "warning"}
    drawdown = {"alertname": "HighDrawdown", "condition": "high_drawdown"}
    scene.alerting.post([bot_down("both")])
    scene.telegram.wait_for(lambda m: "BotDown · both" in m["text"])
    scene.alerting.post([bot_down("both", labels=lesser), bot_down("only", labels=lesser)])
    scene.alerting.post([bot_down("both", labels=drawdown)])
    scene.telegram.wait_for_count(lambda m: "LowWinRate · only" in m["text"], 2)
    assert not [m for m in scene.telegram.messages if "LowWinRate · both" in m["text"]]
    # A critical one is told all the same: a drawdown is worst while nobody manages the positions.
    scene.telegram.wait_for_count(lambda m: "HighDrawdown · both" in m["text"], 2)
    # So is a milestone: it is told within minutes, or never.
    milestone = {"alertname": "MilestoneReached", "condition": "milestone_reached", "severity": "info"}
    scene.alerting.post([begun(bot_down("both", labels=milestone))])
    scene.telegram.wait_for_count(lambda m: "MilestoneReached · both" in m["text"], 2)


def escalated(bot: str, **labels: str) -> dict[str, Any]:
    """An escalation of BotDown as our rules send it, just begun."""
    its = {"alertname": "EscalationNoResponse", "alert": "BotDown", "escalation": "step_2", "role": "technical_lead"}
    return begun(bot_down(bot, labels=its | labels))


def begun(alert: dict[str, Any]) -> dict[str, Any]:
    """An alert that began just now: an older one leaves at once, before what holds it back is there."""
    return {**alert, "startsAt": dt.datetime.now(dt.UTC).isoformat()}


def test_an_escalation_says_what_it_escalates_and_to_whom(scene: Scene) -> None:
    scene.alerting.post([escalated("lost")])
    telegram, slack, mail = scene.all_told("lost", "ESCALATION · FIRING · CRITICAL")
    title = "BotDown · lost · step 2 for the technical lead"
    assert f"<b>{title}</b>" in telegram
    assert title in slack["title"] and title in mail.subject and title in mail.text
    # The link silences the alert as well.
    (silence,) = (unquote(link) for link in Parsed(telegram).links if "silences" in link)
    assert silence.endswith('{bot="lost",condition="bot_down",severity="critical"}')


def test_a_silence_of_what_has_no_bot_is_of_no_bot(scene: Scene) -> None:
    labels = {"alertname": "HighDiskUsage", "condition": "high_disk_usage", "bot": "", "path": "/data"}
    host = bot_down("", labels=labels, annotations={"description": "A disk of the host is full."})
    scene.alerting.post([host])
    message = scene.telegram.wait_for(lambda m: "A disk of the host is full." in m["text"])
    (silence,) = (unquote(link) for link in Parsed(message["text"]).links if "silences" in link)
    assert silence.endswith('{condition="high_disk_usage",severity="critical",bot=""}')


def test_one_silence_stops_an_alert_and_its_escalation(scene: Scene) -> None:
    matchers = {"condition": "bot_down", "bot": "known", "severity": "critical"}
    now = dt.datetime.now(dt.UTC)
    silence = {
        "matchers": [{"name": name, "value": value, "isRegex": False} for name, value in matchers.items()],
        "startsAt": now.isoformat(),
        "endsAt": (now + dt.timedelta(hours=1)).isoformat(),
        "createdBy": "me",
        "comment": "I am at it",
    }
    url = f"{scene.alerting.url('alertmanager')}/api/v2/silences"
    requests.post(url, json=silence, timeout=10).raise_for_status()
    scene.alerting.post([bot_down("known"), escalated("known"), escalated("known", escalation="step_3")])
    scene.alerting.post([escalated("unknown")])
    scene.all_told("unknown", "ESCALATION")
    assert not [m for m in scene.alerting.inbox() if m["bot"] == "known"]


def test_a_full_disk_hides_no_other(scene: Scene) -> None:
    """A critical alert holds back the warning of the same disk, channel or promise alone, escalated ones too."""
    alerts = []
    for bot, label, values in (("disks", "path", "/ /data"), ("channels", "channel", "a b"), ("slas", "sla", "a b")):
        worse, other = values.split()
        many = {"alertname": "Many", "condition": "many"}
        alerts.append(bot_down(bot, labels=many | {label: worse}))
        for value in (worse, other):
            description = {"description": f"The one of {bot}: {value}."}
            warning = bot_down(bot, labels=many | {label: value, "severity": "warning"}, annotations=description)
            alerts.append(begun(warning))
            step = {"condition": "many", "alert": "Many", "severity": "warning", label: value}
            alerts.append({**escalated(bot, **step), "annotations": description})
    scene.alerting.post(alerts)

    def told() -> set[tuple[str, str, str]]:
        messages = [m for m in scene.alerting.inbox() if m["labels"].get("severity") == "warning"]
        return {
            (m["bot"], m["labels"]["alertname"], m["annotations"]["description"])
            for m in messages
            if m["bot"] in ("disks", "channels", "slas")
        }

    wait_for("the others", lambda: len(told()) >= 6)
    others = {"disks": "/data", "channels": "b", "slas": "b"}
    names = ("Many", "EscalationNoResponse")
    assert told() == {(bot, name, f"The one of {bot}: {v}.") for bot, v in others.items() for name in names}


def test_in_maintenance_nothing_of_a_bot_is_told_but_its_reports_and_milestones(scene: Scene) -> None:
    maintenance = bot_down(
        "worked-on", labels={"alertname": "BotInMaintenance", "condition": "maintenance", "severity": "none"}
    )
    report = {"alertname": "WeeklySummary", "condition": "weekly_summary", "severity": "info"}
    milestone = {"alertname": "MilestoneReached", "condition": "milestone_reached", "severity": "info"}
    own = {"labels": {"alertname": "Mine", "bot": "worked-on", "severity": "critical"}}
    scene.alerting.post([maintenance])
    held_back = [begun(bot_down("worked-on")), escalated("worked-on"), begun(own)]
    scene.alerting.post([*held_back, *(begun(bot_down("worked-on", labels=once)) for once in (report, milestone))])
    scene.alerting.post([bot_down("next-door"), {"labels": {"alertname": "OfTheHost", "severity": "critical"}}])

    def told(bot: str) -> set[str]:
        return {m["labels"]["alertname"] for m in scene.alerting.inbox() if m["bot"] == bot}

    wait_for("the others", lambda: "BotDown" in told("next-door") and "OfTheHost" in told(""))
    news = {"WeeklySummary", "MilestoneReached"}
    wait_for("the report and the milestone", lambda: told("worked-on") >= news)
    assert told("worked-on") == news
    # The end of the maintenance: what still fires is told then.
    scene.alerting.post([{**maintenance, "endsAt": dt.datetime.now(dt.UTC).isoformat()}])
    wait_for("all", lambda: told("worked-on") == news | {"BotDown", "EscalationNoResponse", "Mine"})


def test_an_escalation_that_outlives_its_alert_holds_nothing_back(scene: Scene) -> None:
    repeated = {"alertname": "EscalationRepeated", "escalation": "repeated"}
    memory = {"condition": "high_memory_usage", "alert": "HighMemoryUsage"}
    mine = {"condition": "mine", "alert": "Mine", "severity": "warning"}
    of = {"again": repeated, "memory": repeated | memory, "mine": repeated | mine}
    scene.alerting.post([escalated(bot, **labels) for bot, labels in of.items()])
    wait_for("the escalations", lambda: {m["bot"] for m in scene.alerting.inbox()} >= set(of))
    lesser = {
        "again": {"alertname": "SourceFailing", "condition": "source_failing", "severity": "warning"},
        "memory": {"alertname": "HighMemoryUsage", "condition": "high_memory_usage", "severity": "warning"},
        "mine": {"alertname": "Mine", "condition": "mine", "severity": "info"},
    }
    scene.alerting.post([begun(bot_down(bot, labels=labels)) for bot, labels in lesser.items()])
    titles = {f"<b>{labels['alertname']} · {bot}</b>" for bot, labels in lesser.items()}
    wait_for("all", lambda: all(any(title in m["text"] for m in scene.telegram.messages) for title in titles))


def test_a_report_is_one_message_about_all_bots_and_has_no_end(scene: Scene) -> None:
    labels = {"alertname": "DailySummary", "condition": "daily_summary", "severity": "info"}
    now = dt.datetime.now(dt.UTC).isoformat()
    reports = [
        bot_down(bot, labels=labels, annotations={"description": f"{bot} made 5 USDT."}, starts_at=now)
        for bot in ("first", "second")
    ]
    milestone = {"alertname": "MilestoneReached", "condition": "milestone_reached", "severity": "info"}
    reached = bot_down("first", labels=milestone | {"milestone": "daily_pnl"}, starts_at=now)
    scene.alerting.post([*reports, reached])
    mail = scene.smtp.wait_for(lambda m: "DailySummary" in m.subject)
    assert mail.subject == "🔵 DailySummary · 2 bots · REPORT · INFO"
    assert "first made 5 USDT." in mail.text and "second made 5 USDT." in mail.text
    scene.telegram.wait_for(lambda m: "<b>MilestoneReached · first</b>\nMILESTONE" in m["text"])

    def told() -> list[str]:
        once = ("DailySummary", "MilestoneReached")
        ours = [m for m in scene.alerting.inbox() if m["bot"] in ("first", "second")]
        return [m["status"] for m in ours if m["labels"]["alertname"] in once]

    wait_for("all in the inbox", lambda: len(told()) == 3)
    ended = dt.datetime.now(dt.UTC).isoformat()
    scene.alerting.post([{**each, "endsAt": ended} for each in (*reports, reached)])
    scene.alerting.post([bot_down("afterwards")])
    scene.all_told("afterwards", "FIRING")
    assert told() == ["firing"] * 3
    assert len([m for m in scene.smtp.messages if "DailySummary" in m.subject]) == 1


def test_the_watchdog_goes_to_the_heartbeat_alone(scene: Scene) -> None:
    watchdog = {"labels": {"alertname": "Watchdog", "severity": "none", "condition": "watchdog"}}
    scene.alerting.post([watchdog])
    request = scene.heartbeat.wait_for(lambda _: True)
    assert request.path == "/ping/secret"
    scene.alerting.post([{**watchdog, "endsAt": dt.datetime.now(dt.UTC).isoformat()}])
    scene.alerting.post([bot_down("after")])
    scene.all_told("after", "FIRING")
    assert not [m for m in scene.alerting.inbox() if m["labels"]["alertname"] == "Watchdog"]
    assert not [r for r in scene.heartbeat.messages if json.loads(r.body)["status"] != "firing"]


def test_no_secret_is_written_to_a_log(scene: Scene) -> None:
    logs = scene.alerting.log("alertmanager") + scene.alerting.log("responder")
    assert TelegramServer.TOKEN not in logs
    assert SmtpServer.PASSWORD not in logs


def test_mail_with_starttls(tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if not openssl:
        pytest.skip("openssl, which makes the certificate for this test, is not in PATH")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def trust(config: dict[str, Any]) -> None:
        config["global"]["smtp_tls_config"] = {"ca_file": str(certificate)}

    with SmtpServer(tls=context) as smtp, Alerting(tmp_path, smtp.settings, trust) as alerting:
        alerting.post([bot_down("sealed")])
        mail = smtp.wait_for(lambda m: "sealed" in m.subject)
        assert mail.encrypted
        assert mail.username == SmtpServer.USERNAME
