"""What the user is told: a line for each channel and each role, whether it is on or left out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit

from exporter.config.contacts import ROLES, Role, Told
from init.people import ADMINISTRATOR, People
from init.settings import Settings

NAMES = {"telegram": "Telegram", "slack": "Slack", "discord": "Discord", "sms": "SMS", "phone": "phone"}


def of_channels(settings: Settings, told: Told, zone: str, not_escalated: str = "") -> list[str]:
    """The lines; no secret is in them. `not_escalated` says why nothing escalates, where that is so."""
    people = People(told.contacts, settings)
    whose = "RESPONDER_PASSWORD" if settings.responder_password else "that of Grafana"
    return [
        *_written(settings, told),
        _by_number("SMS", "sms", settings.sms_url, told),
        _by_number("Phone", "phone", settings.phone_url, told),
        "Heartbeat: on"
        if settings.heartbeat_url
        else "Heartbeat: left out. To be told when this whole machine is gone, set HEARTBEAT_URL in .env",
        f"Inbox: always on, {settings.responder_url}, password: {whose}",
        *_contacts(told, people, not_escalated),
        *_severities(settings, told, people),
        *_quiet(told, zone),
    ]


def _written(settings: Settings, told: Told) -> Iterator[str]:
    if settings.telegram:
        chats = len(settings.telegram.chats)
        yield f"Telegram: on, {chats} chat{'s' if chats > 1 else ''}"
    else:
        yield "Telegram: left out. To switch it on, set TELEGRAM_BOT_TOKEN and TELEGRAM_CHAT_ID in .env"
    if settings.slack:
        yield f"Slack: on, {settings.slack.channel}"
    else:
        yield "Slack: left out. To switch it on, set SLACK_WEBHOOK_URL in .env"
    if settings.email:
        more = [each.email for each in told.contacts.administrator if each.email]
        recipients = dict.fromkeys((*settings.email.recipients, *more))
        yield f"Email: on, to {', '.join(recipients)} by {settings.email.host}"
    else:
        yield "Email: left out. To switch it on, set SMTP_HOST, SMTP_FROM and SMTP_TO in .env"
    if settings.discord_url:
        yield "Discord: on"
    else:
        yield "Discord: left out. To switch it on, set DISCORD_WEBHOOK_URL in .env"
    if settings.webhook:
        token = "its token" if settings.webhook.token else "no token"
        yield f"Webhook: on, to {urlsplit(settings.webhook.url).hostname} with {token}"
    else:
        yield "Webhook: left out. To switch it on, set WEBHOOK_URL in .env"


def _by_number(title: str, key: str, url: str, told: Told) -> str:
    """The line of a channel that needs a service in .env and numbers in monitoring.yml."""
    numbers = sum(getattr(each, key) is not None for role in ROLES for each in told.contacts.of(role))
    if url and numbers:
        return f"{title}: on, by {urlsplit(url).scheme}, {numbers} number{'s' if numbers > 1 else ''}"
    missing = [] if url else [f"{title.upper()}_URL in .env"]
    missing += [] if numbers else [f"a contact's `{key}` in monitoring.yml"]
    return f"{title}: left out. To switch it on, set {' and '.join(missing)}"


def of_links(settings: Settings, told: Told) -> list[str]:
    """A line where people are told, and the links in it lead nowhere on their phones."""
    sms = settings.sms_url and any(each.sms for role in ROLES for each in told.contacts.of(role))
    people = settings.telegram or settings.slack or settings.email or settings.discord_url or sms
    if not people or not _loopback(urlsplit(settings.responder_url).hostname or ""):
        return []
    place = "docs/channels.md#links-that-work-on-your-phone"
    return [f"Links in messages lead to localhost, which no phone opens: {place}"]


def _loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _contacts(told: Told, people: People, not_escalated: str) -> Iterator[str]:
    if not_escalated:
        if told.contacts.administrator:
            yield f"{_title(ADMINISTRATOR)}: {_of_role(ADMINISTRATOR, told, people)}"
        yield f"Escalation: off ({not_escalated})"
        return
    if told.contacts == type(told.contacts)():
        yield "Contacts: none. What nobody answers comes to you; to have others asked, set contacts in monitoring.yml"
        return
    for role in ROLES:
        yield f"{_title(role)}: {_of_role(role, told, people)}"


def _of_role(role: Role, told: Told, people: People) -> str:
    reached = {person.name: person for person in people.of(role)}
    parts = []
    for contact in told.contacts.of(role):
        ways = reached[contact.name].ways if contact.name in reached else frozenset()
        given = [way for way in ("phone", "sms", "email") if getattr(contact, way) is not None]
        on, off = [way for way in given if way in ways], [way for way in given if way not in ways]
        text = f"{contact.name} by {_list(on)}" if on else f"{contact.name} by nothing"
        parts.append(text + (f" ({_list(off)} left out)" if off else ""))
    said = "; ".join(parts)
    if reached:
        return said
    if role == ADMINISTRATOR:
        return said or "by the channels above"
    asked = people.asked(role)
    who = "you, by all channels"
    if asked:
        who = f"{', '.join(person.name for person in people.of(asked))} ({_title(asked).lower()})"
    return f"{said or 'nobody'}; who is asked instead: {who}"


def _severities(settings: Settings, told: Told, people: People) -> Iterator[str]:
    there = {
        "telegram": settings.telegram,
        "slack": settings.slack,
        "email": settings.email,
        "discord": settings.discord_url,
        "webhook": settings.webhook,
        **{way: True for person in people.of(ADMINISTRATOR) for way in person.ways},
    }
    for severity, channels in told.channels.given():
        on = [channel for channel in channels if there.get(channel)]
        off = [channel for channel in channels if channel not in on]
        by = _list(on) or "what is there"
        if on == ["webhook"] and off:  # which is nobody yet (receivers.py)
            by += " and what else is there"
        line = f"{severity.title()}: by {by}"
        yield line + (f" ({_list(off)} left out)" if off else "")


def _quiet(told: Told, zone: str) -> Iterator[str]:
    if told.quiet_hours:
        hours = f"{told.quiet_hours.begins:%H:%M} to {told.quiet_hours.ends:%H:%M} {zone}"
        yield f"Quiet hours: {hours}, for what is no critical; the inbox hears it at once"


def _list(names: Iterable[str]) -> str:
    return ", ".join(NAMES.get(name, name) for name in names)


def _title(role: Role) -> str:
    return role.replace("_", " ").capitalize()
