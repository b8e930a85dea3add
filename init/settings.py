"""The settings from the environment (.env), checked. No fault's text holds the value of a secret."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from init.values import Reader, is_host
from responder.people.service import is_taken

SERVICES = {"exporter": 8000, "prometheus": 9090, "alertmanager": 9093, "responder": 8080, "grafana": 3000}


class Chat(NamedTuple):
    """A chat's number, and one of its topics (0: none)."""

    number: str
    topic: int = 0


@dataclass(frozen=True)
class Telegram:
    """The bot that writes, and the chats it writes to."""

    token: str = field(repr=False)
    chats: tuple[Chat, ...]
    api_url: str


@dataclass(frozen=True)
class Slack:
    """An incoming webhook."""

    webhook_url: str = field(repr=False)
    channel: str


@dataclass(frozen=True)
class Email:
    """A mail server, and who writes to whom; without a username there is no log-in."""

    host: str
    port: int
    sender: str
    recipients: tuple[str, ...]
    username: str
    password: str = field(repr=False)
    require_tls: bool


@dataclass(frozen=True)
class Webhook:
    """An address that is sent Alertmanager's JSON, with a token if it asks for one."""

    url: str = field(repr=False)
    token: str = field(repr=False)


@dataclass(frozen=True)
class Settings:
    """All settings; None, or empty, for a channel that isn't configured."""

    telegram: Telegram | None
    slack: Slack | None
    email: Email | None
    discord_url: str = field(repr=False)
    webhook: Webhook | None
    sms_url: str = field(repr=False)
    phone_url: str = field(repr=False)
    heartbeat_url: str = field(repr=False)
    grafana_password: str = field(repr=False)
    responder_password: str = field(repr=False)
    addresses: Mapping[str, str]
    responder_url: str


def read(environ: Mapping[str, str]) -> Settings:
    """Reads and checks everything; raises Faults with all that is wrong."""
    reader = Reader(environ)
    settings = Settings(
        telegram=_telegram(reader),
        slack=_slack(reader),
        email=_email(reader),
        discord_url=reader.url("DISCORD_WEBHOOK_URL", secret=True),
        webhook=_webhook(reader),
        sms_url=_service(reader, "SMS_URL", "twilio://SID:TOKEN@FROM/{to}"),
        phone_url=_service(reader, "PHONE_URL", "twilio://SID:TOKEN@FROM/{to}?method=call"),
        heartbeat_url=reader.url("HEARTBEAT_URL", secret=True),
        grafana_password=reader.secret("GRAFANA_ADMIN_PASSWORD"),
        responder_password=reader.secret("RESPONDER_PASSWORD"),
        addresses={
            name: reader.address(f"{name.upper()}_ADDRESS", f"{name}:{port}") for name, port in SERVICES.items()
        },
        responder_url=_responder_url(reader),
    )
    for name, port in SERVICES.items():
        if name != "responder":
            reader.port(f"{name.upper()}_PORT", port)
            reader.url(f"{name.upper()}_URL")
    reader.retention("RETENTION")
    reader.raise_faults()
    return settings


def _responder_url(reader: Reader) -> str:
    url = reader.url("RESPONDER_URL")
    if re.match(r"https?://[^/?#]*(/[^?#]|/?[?#])", url):
        reader.fault(
            f"RESPONDER_URL is {url!r}: allowed is an address without a path, such as https://bots.example.org; the "
            "responder's pages begin at /."
        )
    return url or f"http://localhost:{reader.port('RESPONDER_PORT', 8080)}"


def _telegram(reader: Reader) -> Telegram | None:
    token = reader.secret("TELEGRAM_BOT_TOKEN")
    entries = tuple(dict.fromkeys(reader.parts("TELEGRAM_CHAT_ID")))
    api_url = reader.url("TELEGRAM_API_URL") or "https://api.telegram.org"
    if not reader.complete("Telegram", ["TELEGRAM_BOT_TOKEN", "TELEGRAM_CHAT_ID"]):
        return None
    if not re.fullmatch(r"\d+:[A-Za-z0-9_-]+", token):
        reader.fault(
            "TELEGRAM_BOT_TOKEN is not a bot's token: allowed is what @BotFather gives, a number, a colon and "
            "letters, digits, _ or -, without quotes."
        )
    chats = []
    for number, entry in enumerate(entries, 1):
        match = re.fullmatch(r"(-?[1-9][0-9]{0,18})(?::([1-9][0-9]{0,9}))?", entry)
        if not match or abs(int(match[1])) >= 2**63 or int(match[2] or 0) >= 2**31:
            reader.fault(
                f"TELEGRAM_CHAT_ID, entry {number}, is not a chat's id: allowed is a whole number, negative for a "
                "group, for one of its topics with a colon and the topic's number; several are separated by commas. "
                "A @name doesn't work."
            )
        else:
            chats.append(Chat(match[1], int(match[2] or 0)))
    return Telegram(token, tuple(chats), api_url.rstrip("/"))


def _slack(reader: Reader) -> Slack | None:
    webhook_url = reader.url("SLACK_WEBHOOK_URL", secret=True)
    channel = reader.text("SLACK_CHANNEL") or "#trading-alerts"
    if not re.fullmatch(r"[#@]?[\w.-]{1,80}", channel):
        reader.fault(f"SLACK_CHANNEL is {channel!r}: allowed is a name such as #trading-alerts, in .env in quotes.")
    return Slack(webhook_url, channel) if webhook_url else None


def _email(reader: Reader) -> Email | None:
    host = reader.text("SMTP_HOST")
    port = reader.port("SMTP_PORT", 587)
    sender = reader.mail_address("SMTP_FROM", reader.text("SMTP_FROM"))
    recipients = tuple(reader.mail_address("SMTP_TO", part) for part in dict.fromkeys(reader.parts("SMTP_TO")))
    username = reader.text("SMTP_USERNAME")
    password = reader.secret("SMTP_PASSWORD")
    require_tls = reader.boolean("SMTP_REQUIRE_TLS", True)
    if host and not is_host(f"[{host}]" if ":" in host and host[0] != "[" else host):
        reader.fault(f"SMTP_HOST is {host!r}: allowed is a host's name or IP address; the port goes into SMTP_PORT.")
    login = ["SMTP_USERNAME", "SMTP_PASSWORD"]
    reader.complete("the mail server's log-in", login)
    if not reader.complete("email", ["SMTP_HOST", "SMTP_FROM", "SMTP_TO"], begun=login):
        return None
    return Email(host.strip("[]"), port, sender, recipients, username, password, require_tls)


def _webhook(reader: Reader) -> Webhook | None:
    url = reader.url("WEBHOOK_URL", secret=True)
    token = reader.secret("WEBHOOK_TOKEN")
    if not reader.complete("the webhook", ["WEBHOOK_URL"], begun=["WEBHOOK_TOKEN"]):
        return None
    if not re.fullmatch(r"[\x21-\x7e]*", token):
        reader.fault("WEBHOOK_TOKEN has a space or a letter beyond ASCII in it: allowed is what a header can carry.")
    return Webhook(url, token)


def _service(reader: Reader, name: str, example: str) -> str:
    """The address of a service for SMS or calls, in which {to} stands for the number."""
    value = reader.secret(name)
    if value and (not re.fullmatch(r"[a-z][a-z0-9+.-]*://\S+", value) or value.count("{to}") != 1):
        reader.fault(
            f"{name} is not an address of Apprise: allowed is one with {{to}} for the number, such as {example}"
        )
    elif value and not is_taken(value):
        reader.fault(
            f"{name} is an address that Apprise doesn't take: its service is unknown, or a part of it can't be right. "
            "https://appriseit.com/services/ says how each looks."
        )
    else:
        return value
    return ""
