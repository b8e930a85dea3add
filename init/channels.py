"""The administrator's channels: what Alertmanager's file needs for each that has settings in .env."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from init.settings import Email, Settings, Slack, Telegram, Webhook

Config = Mapping[str, Any]
# Makes of a channel's committed settings those that run: one for each chat or recipient, with the user's own values.
Expand = Callable[[Config], list[dict[str, Any]]]
Ready = Mapping[str, Expand]

# The keys of `global` that belong to channels begin so.
PREFIXES = ("telegram_", "slack_", "smtp_")
HEARTBEAT = "secrets/heartbeat_url"
WEBHOOK = "secrets/webhook_url"
_WEBHOOK_TOKEN = "secrets/webhook_token"  # noqa: S105 - a path


def ready(settings: Settings, files: dict[str, str]) -> tuple[Ready, dict[str, Any]]:
    """Each channel that is configured, and what stands in `global` for them; puts their secrets into `files`."""
    shared: dict[str, Any] = {}
    made: dict[str, Expand] = {}
    if settings.telegram:
        made["telegram"] = _telegram(settings.telegram, shared, files)
    if settings.slack:
        made["slack"] = _slack(settings.slack, shared, files)
    if settings.email:
        made["email"] = _email(settings.email, shared, files)
    if settings.discord_url:
        files["secrets/discord_webhook_url"] = settings.discord_url
        made["discord"] = lambda config: [dict(config)]
    if settings.webhook:
        made["webhook"] = _webhook(settings.webhook, files)
    if settings.heartbeat_url:
        files[HEARTBEAT] = settings.heartbeat_url
        made["heartbeat"] = lambda config: [dict(config)]
    return made, shared


def _telegram(settings: Telegram, shared: dict[str, Any], files: dict[str, str]) -> Expand:
    shared["telegram_api_url"] = settings.api_url
    shared["telegram_bot_token_file"] = "secrets/telegram_bot_token"  # noqa: S105 - a path
    files["secrets/telegram_bot_token"] = settings.token
    chats: list[dict[str, Any]] = []
    for number, chat in enumerate(settings.chats, 1):
        name = "secrets/telegram_chat_id" + (f"_{number}" if number > 1 else "")
        files[name] = chat.number
        chats.append({"chat_id_file": name} | ({"message_thread_id": chat.topic} if chat.topic else {}))
    return lambda config: [{**config, **chat} for chat in chats]


def _slack(settings: Slack, shared: dict[str, Any], files: dict[str, str]) -> Expand:
    shared["slack_api_url_file"] = "secrets/slack_webhook_url"
    files["secrets/slack_webhook_url"] = settings.webhook_url
    return lambda config: [{**config, "channel": settings.channel}]


def _email(settings: Email, shared: dict[str, Any], files: dict[str, str]) -> Expand:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    shared["smtp_smarthost"] = f"{host}:{settings.port}"
    shared["smtp_from"] = settings.sender
    shared["smtp_require_tls"] = settings.require_tls
    if settings.username:
        shared["smtp_auth_username"] = settings.username
        shared["smtp_auth_password_file"] = "secrets/smtp_password"  # noqa: S105 - a path
        files["secrets/smtp_password"] = settings.password
    # One mail each: Alertmanager drops a mail for all of its recipients when the server refuses one of them.
    return lambda config: [{**config, "to": recipient} for recipient in settings.recipients]


def _webhook(settings: Webhook, files: dict[str, str]) -> Expand:
    files[WEBHOOK] = settings.url
    if settings.token:
        files[_WEBHOOK_TOKEN] = settings.token
        return lambda config: [dict(config)]
    return lambda config: [{key: value for key, value in config.items() if key != "http_config"}]
