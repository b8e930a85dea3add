"""The texts of SMS and phone calls, from templates/sms.txt and templates/phone.txt.

What an alert says comes from outside: it is cut, freed of control characters and links, and can't become markup.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from urllib.parse import urlencode

from flask import render_template

from responder.contacts import Channel
from responder.outbox import clean
from responder.store import NEWS
from responder.webhook import Alert, Notification

SMS_LENGTH = 306  # two parts of 153 characters
PHONE_LENGTH = 700  # under a minute
MAX_LINK = 180
MAX_NAME = 40
SEVERITIES = ("critical", "warning", "info")
URGENCY = {
    "sms": {"critical": "5 min", "warning": "1 h", "info": "1 day"},
    "phone": {"critical": "five minutes", "warning": "one hour", "info": "one day"},
}
# What a bot or the whole host can have.
OF_HOST = ("high_cpu_usage", "high_memory_usage", "high_disk_usage")
# GSM 03.38: with any other character an SMS has 70 instead of 160.
_GSM = frozenset(
    "@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_TWICE = frozenset("^{}[~]|€\\")
# Dashes, a minus, quotes and signs that have something like them there.
_ALIKE = str.maketrans(
    dict.fromkeys("–—\u2212", "-")
    | dict.fromkeys("\u2018\u2019`", "'")
    | dict.fromkeys("“”„", '"')
    | {"…": "...", "·": ",", "×": "x", "→": "->", "≥": ">=", "≤": "<="}
)


def of(channel: Channel, notification: Notification, responder_url: str) -> str:
    """The text of a notification."""
    firing = [alert for alert in notification.alerts if alert.status == "firing"]
    alerts = firing or notification.alerts
    first = alerts[0]
    values = {
        "status": "firing" if firing else "resolved",
        "severity": _severity(first),
        "bot": _name(channel, first.labels.get("bot", "")),
        "title": title(channel, first),
        "escalation": _escalation(channel, first),
        "news": NEWS.get(first.labels.get("condition", ""), ""),
        "urgency": URGENCY[channel].get(first.labels.get("severity", ""), ""),
        "more": len(alerts) - 1 + notification.truncated_alerts,
        "link": _link(first, responder_url),
    }
    return _fitted(channel, values, _problem(channel, first))


def test(channel: Channel) -> str:
    """The text of a test message."""
    return _fitted(channel, {"status": "test"}, "")


def title(channel: Channel, alert: Alert) -> str:
    """`BotDown demo`; spoken, `Bot Down of demo`. Of an escalation, the alert that it escalates."""
    name = (alert.labels.get("escalation") and alert.labels.get("alert")) or alert.labels.get("alertname", "Alert")
    of = alert.labels.get("bot", "")
    if not of and alert.labels.get("condition") in OF_HOST:
        of = "host" if channel == "sms" else "the host"
    name, bot = _name(channel, name), _name(channel, of)
    if channel == "sms":
        return f"{name} {bot}".strip()
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return f"{name} of {bot}" if bot else name


def gsm(text: str) -> str:
    """In the characters of an SMS: others as their letter without the accent, else as a question mark."""
    return "".join(c if c in _GSM or c in _TWICE else _plain(c) for c in text.translate(_ALIKE))


def septets(text: str) -> int:
    """How long an SMS of this text is."""
    return len(text) + sum(c in _TWICE for c in text)


def _plain(character: str) -> str:
    decomposed = unicodedata.normalize("NFKD", character)
    return "".join(c for c in decomposed if c in _GSM) or "?"


def _severity(alert: Alert) -> str:
    severity = alert.labels.get("severity", "")
    return severity if severity in SEVERITIES else "alert"


def _escalation(channel: Channel, alert: Alert) -> str:
    if not alert.labels.get("escalation"):
        return ""
    role = _name(channel, alert.labels.get("role", "")).replace("_", " ")
    return f"escalated to the {role}" if role else "escalated"


def _problem(channel: Channel, alert: Alert) -> str:
    for text in (alert.annotations.get("description", ""), alert.annotations.get("summary", "")):
        # A sentence with an address is no help: the only link is ours.
        sentences = re.split(r"(?<=[.!?])\s+", clean(text))
        if kept := " ".join(sentence for sentence in sentences if "://" not in sentence):
            return _said(channel, kept)
    return ""


def _name(channel: Channel, text: str) -> str:
    return _said(channel, clean(text).replace("://", " "))[:MAX_NAME].rstrip()


def _said(channel: Channel, text: str) -> str:
    text = text.replace(" · ", ", ")
    if channel == "sms":
        return gsm(text)
    # Services take text that looks like markup for their own.
    text = text.replace("P&L", "Profit and loss").replace("&", " and ").replace("%", " percent").replace("_", " ")
    return " ".join(re.sub(r"[<>{}\[\]|\\^~*#`]", " ", text).split())


def _link(alert: Alert, responder_url: str) -> str:
    labels = {name: alert.labels[name] for name in ("condition", "bot", "severity") if alert.labels.get(name)}
    if "condition" not in labels or not responder_url:
        return ""
    link = f"{responder_url.rstrip('/')}/acknowledge?{urlencode(labels)}"
    return link if len(link) <= MAX_LINK and gsm(link) == link else ""


def _fitted(channel: Channel, values: Mapping[str, object], problem: str) -> str:
    """The whole text, with as much of the problem as there is room for."""
    limit = SMS_LENGTH if channel == "sms" else PHONE_LENGTH
    size: Callable[[str], int] = septets if channel == "sms" else len
    while True:
        text = " ".join(render_template(f"{channel}.txt", **values, problem=problem).split())
        over = size(text) - limit
        if over <= 0:
            return text
        if not problem:
            if not values.get("link"):
                return text[: limit // 2]
            values = {**values, "link": ""}
        # What the phone says twice need only be half as much shorter; what is still too long is shortened again.
        shorter = problem.removesuffix("...")[: -max(over // 2, 1) - 3].rstrip()
        problem = f"{shorter}..." if shorter else ""
