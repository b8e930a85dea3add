"""The texts of SMS and phone calls, from templates/sms.txt and templates/phone.txt.

What an alert says comes from outside: it is cut, freed of control characters and links, and can't become markup.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlencode

from flask import render_template

from responder.outbox.outbox import clean
from responder.people.contacts import Channel
from responder.store import NEWS
from responder.webhook import Alert, Notification

SMS_LENGTH = 306  # two parts of 153 characters
PHONE_LENGTH = 700  # under a minute
LENGTHS = {"sms": SMS_LENGTH, "phone": PHONE_LENGTH}
MAX_LINK = 180
MAX_NAME = 40
NAMED = 3  # so many bots are named where many share an alert
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
# `1h 5m 0s`, as Prometheus writes a time; its parts that are zero go unsaid.
_DURATION = re.compile(r"\b\d+[dhms](?: \d+[dhms])*\b")
_UNITS = {"d": "day", "h": "hour", "m": "minute", "s": "second"}
_TWICE = frozenset("^{}[~]|€\\")
# Dashes, a minus, quotes and signs that have something like them there.
_ALIKE = str.maketrans(
    dict.fromkeys("–—\u2212", "-")
    | dict.fromkeys("\u2018\u2019`", "'")
    | dict.fromkeys("“”„", '"')
    | {"…": "...", "·": ",", "×": "x", "→": "->", "≥": ">=", "≤": "<="}
)


class Told(NamedTuple):
    """An incident within a message, in the channel's characters; `urgency`, `escalation` and `link` may be empty."""

    resolved: bool
    severity: str
    what: str
    bot: str
    escalation: str
    urgency: str
    link: str


def of(channel: Channel, notification: Notification, responder_url: str) -> str:
    """The text of a notification."""
    alerts = _alerts(notification)
    first = alerts[0]
    values = {
        "status": first.status,
        "severity": _severity(first),
        "bot": _name(channel, first.labels.get("bot", "")),
        "title": title(channel, first),
        "escalation": _escalation(channel, first),
        "news": _news(first),
        "urgency": URGENCY[channel].get(first.labels.get("severity", ""), ""),
        "more": len(alerts) - 1 + notification.truncated_alerts,
        "link": _link(first, responder_url),
    }
    return _fitted(channel, values, _problem(channel, first))


def told(channel: Channel, notification: Notification, responder_url: str) -> Sequence[Told]:
    """What of a notification stays where it is told together with others."""
    return latest(
        Told(
            resolved=alert.status == "resolved",
            severity=_news(alert) or _severity(alert),
            what=_what(channel, alert),
            bot=_name(channel, alert.labels.get("bot", "")),
            escalation=_escalation(channel, alert),
            urgency="" if _news(alert) or alert.status == "resolved" else alert.labels.get("severity", ""),
            link=_link(alert, responder_url),
        )
        for alert in _alerts(notification)
    )


def latest(told: Iterable[Told]) -> Sequence[Told]:
    """Each incident once, as it was told last."""
    return list({(each.severity, each.what, each.bot, each.escalation): each for each in told}.values())


def gathered(channel: Channel, told: Sequence[Told], responder_url: str) -> str:
    """The text of several incidents: `CRITICAL BotDown: 20 bots: a, b, c and 17 more`; the most urgent first."""
    ranks = {severity: rank for rank, severity in enumerate(SEVERITIES)}
    kinds: dict[tuple[str, str, str], list[str]] = {}
    for each in sorted(told, key=lambda each: (each.resolved, ranks.get(each.severity, len(ranks)))):
        kind = ("resolved" if each.resolved else each.severity, each.what, each.escalation)
        kinds.setdefault(kind, []).extend([each.bot] if each.bot else [])
    urgency = min((each.urgency for each in told if each.urgency in ranks), key=ranks.__getitem__, default="")
    one = bool(told[0].link) and len({each.link for each in told}) == 1 and not all(each.resolved for each in told)
    inbox = f"{responder_url.rstrip('/')}/" if responder_url else ""
    values = {
        "status": "gathered",
        "urgency": URGENCY[channel].get(urgency, ""),
        "acknowledge": one,
        "link": told[0].link if one else inbox if len(inbox) <= MAX_LINK and gsm(inbox) == inbox else "",
    }
    # First fewer bots are named, then fewer alerts.
    for named, listed in [(NAMED, len(kinds)), *((1, count) for count in range(len(kinds), 1, -1))]:
        items = [
            {"state": state, "what": what, "escalation": escalation, "count": len(bots), "bots": _bots(bots, named)}
            for (state, what, escalation), bots in list(kinds.items())[:listed]
        ]
        text = _rendered(channel, {**values, "items": items, "more": len(kinds) - listed})
        if _over(channel, text) <= 0:
            return text
    return _fitted(channel, {**values, "items": items[:1], "more": len(kinds) - 1}, "")


def test(channel: Channel) -> str:
    """The text of a test message."""
    return _fitted(channel, {"status": "test"}, "")


def title(channel: Channel, alert: Alert) -> str:
    """`BotDown demo`; spoken, `Bot Down of demo`. Of an escalation, the alert that it escalates."""
    of = alert.labels.get("bot", "")
    if not of and alert.labels.get("condition") in OF_HOST:
        of = "host" if channel == "sms" else "the host"
    name, bot = _what(channel, alert), _name(channel, of)
    if channel == "sms":
        return f"{name} {bot}".strip()
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


def _alerts(notification: Notification) -> Sequence[Alert]:
    return [alert for alert in notification.alerts if alert.status == "firing"] or notification.alerts


def _news(alert: Alert) -> str:
    return NEWS.get(alert.labels.get("condition", ""), "")


def _what(channel: Channel, alert: Alert) -> str:
    name = (alert.labels.get("escalation") and alert.labels.get("alert")) or alert.labels.get("alertname", "Alert")
    name = _name(channel, name)
    return name if channel == "sms" else re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)


def _bots(bots: Sequence[str], named: int) -> str:
    """`a, b and c`; of more than one too many `a, b, c and 17 more`."""
    shown = list(bots) if len(bots) <= named + 1 else [*bots[:named], f"{len(bots) - named} more"]
    return " and ".join(filter(None, (", ".join(shown[:-1]), *shown[-1:])))


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
    text = _DURATION.sub(_in_words, text)
    # Services take text that looks like markup for their own.
    text = text.replace("P&L", "Profit and loss").replace("&", " and ").replace("%", " percent").replace("_", " ")
    return " ".join(re.sub(r"[<>{}\[\]|\\^~*#`]", " ", text).split())


def _in_words(duration: re.Match[str]) -> str:
    parts = [(int(part[:-1]), _UNITS[part[-1]]) for part in duration[0].split()]
    told = [part for part in parts if part[0]] or parts[-1:]
    return " ".join(f"{count} {unit}{'' if count == 1 else 's'}" for count, unit in told)


def _link(alert: Alert, responder_url: str) -> str:
    labels = {name: alert.labels[name] for name in ("condition", "bot", "severity") if alert.labels.get(name)}
    if "condition" not in labels or not responder_url:
        return ""
    link = f"{responder_url.rstrip('/')}/acknowledge?{urlencode(labels)}"
    return link if len(link) <= MAX_LINK and gsm(link) == link else ""


def _fitted(channel: Channel, values: Mapping[str, object], problem: str) -> str:
    """The whole text, with as much of the problem as there is room for."""
    while True:
        text = _rendered(channel, {**values, "problem": problem})
        over = _over(channel, text)
        if over <= 0:
            return text
        if not problem:
            if not values.get("link"):
                return text[: LENGTHS[channel] // 2]
            values = {**values, "link": ""}
        # What the phone says twice need only be half as much shorter; what is still too long is shortened again.
        shorter = problem.removesuffix("...")[: -max(over // 2, 1) - 3].rstrip()
        problem = f"{shorter}..." if shorter else ""


def _rendered(channel: Channel, values: Mapping[str, object]) -> str:
    return " ".join(render_template(f"{channel}.txt", **values).split())


def _over(channel: Channel, text: str) -> int:
    """By how much it is too long."""
    return (septets(text) if channel == "sms" else len(text)) - LENGTHS[channel]
