"""A channel's own error, in words and without secrets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

# What Go's HTTP client puts before the cause: method and address, with a token in it for Telegram.
_REQUEST = re.compile(r'(?:telebot: )?\w+ "[^"]*": ')
_TOKEN = re.compile(r"bot\d+:[A-Za-z0-9_-]+")
MIN_SECRET = 6  # shorter parts of an address are words such as `api`
MAX_LENGTH = 300

_EMAIL, _HTTP = "Email", "by HTTP"  # all but email are asked by HTTP, here or by the responder
# By channel ("" is any) and what its error has in it: what is wrong, or what to do.
_HINTS: Sequence[tuple[str, str, str]] = (
    ("Telegram", r"\b401\b|\b404\b", "TELEGRAM_BOT_TOKEN is wrong, or was revoked"),
    ("Telegram", r"chat not found", "Its number in TELEGRAM_CHAT_ID is wrong, or nobody has written to your bot there"),
    ("Telegram", r"\b403\b|blocked|kicked", "The bot may not write there: write to it first, or add it to the group"),
    ("Telegram", r"thread not found|TOPIC", "The number of the topic in TELEGRAM_CHAT_ID is wrong"),
    ("Slack", r"no_service|invalid_token|no_team|\b40[134]\b", "SLACK_WEBHOOK_URL is wrong, or was revoked"),
    ("Discord", r"\b40[134]\b", "DISCORD_WEBHOOK_URL is wrong, or was deleted"),
    (_EMAIL, r"\bauth: .*|\b53[045]\b", "The server refuses SMTP_USERNAME and SMTP_PASSWORD"),
    (_EMAIL, r"\b55[013]\b", "The server refuses this address for good: is it right, and may SMTP_FROM write to it?"),
    (_EMAIL, r"(?i)starttls", "The server offers no encryption: SMTP_PORT may be wrong"),
    ("Webhook", r"\b401\b", "WEBHOOK_TOKEN is missing or wrong"),
    ("Inbox", r"\b401\b", "The responder has another token: make down, then make up"),
    ("", r"no such host|server misbehaving", "The name is not found: is it right, and does this machine have DNS?"),
    ("", r"connection refused", "Nothing listens there: the address or port is wrong, or the service is down"),
    ("", r"(?i)deadline exceeded|timeout|timed out|no answer within", "Time-out: does a firewall keep it out?"),
    ("", r"(?i)x509|certificate|tls:", "The server's certificate is not accepted"),
    ("", r"network is unreachable|no route to host", "This machine has no way there: is there a network?"),
    ("", r"\b429\b", "Too many messages for the channel: try again in a few minutes"),
    (_HTTP, r"\b30[12378]\b", "It redirects, which is not followed: set the final address"),
    (_HTTP, r"\b5\d\d\b", "The service has a fault of its own: try again later"),
)


def told(title: str, error: str, secrets: Iterable[str]) -> str:
    """The error of a channel as one line: its own words, then what they mean where that is known."""
    text = clean(error, secrets)
    holding = {"", title} | ({_HTTP} if title != _EMAIL else set())
    for channel, pattern, hint in _HINTS:
        if channel in holding and re.search(pattern, text):
            return f"{text}. {hint}"
    return text


def clean(text: str, secrets: Iterable[str]) -> str:
    """The text as one line, without addresses of requests and secrets, and not too long."""
    text = _TOKEN.sub("bot<token>", _REQUEST.sub("", text))
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "<secret>")
    text = "".join(c if c.isprintable() else " " for c in text)
    text = re.sub(r"\s+", " ", text).strip()
    return text if len(text) <= MAX_LENGTH else f"{text[:MAX_LENGTH]}…"


def secrets(out: Path) -> set[str]:
    """Whatever must not be shown: the secrets below `out`, and of those that are addresses also the parts."""
    found: set[str] = set()
    for path in (out / "alertmanager" / "secrets").glob("*"):
        # The number of a chat is no secret, and which one is wrong must be told.
        if "chat_id" not in path.name and path.is_file():
            found |= _with_parts(path.read_text(encoding="utf-8", errors="replace").strip())
    for path in (out / "responder").glob("*.json"):
        try:
            found |= set().union(*map(_with_parts, _addresses(json.loads(path.read_text(encoding="utf-8")))))
        except ValueError:
            continue
    return {secret for secret in found if len(secret) >= MIN_SECRET}


def _addresses(value: object) -> Iterable[str]:
    """The secrets of a JSON document: addresses, and what is called so."""
    if isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, str) and ("://" in item or key in ("secret", "token", "password")):
                yield item
            else:
                yield from _addresses(item)
    elif isinstance(value, list):
        for item in value:
            yield from _addresses(item)


def _with_parts(secret: str) -> set[str]:
    found = {secret}
    if "://" in secret:
        parts = urlsplit(secret)
        user = parts.netloc.rpartition("@")[0]
        found |= {parts.path, *re.split(r"[/?&=]", f"{parts.path}?{parts.query}"), *user.split(":")}
        # A host's name tells which service it is, and is a part of many errors.
        found -= {parts.hostname or "", parts.netloc}
    return found | {unquote(part) for part in found}
