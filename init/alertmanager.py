"""Makes the alertmanager.yml that runs: channels without settings left out, lists expanded, secrets in files."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from init.faults import Faults
from init.settings import Email, Settings, Slack, Telegram
from init.yaml import dump, load, replace_address

# The channels that reach people, by their key in a receiver, and the keys of `global` that belong to them.
CHANNELS = {"telegram_configs": "telegram_", "slack_configs": "slack_", "email_configs": "smtp_"}
INBOX = "responder:8080"
HEARTBEAT = "secrets/heartbeat_url"

Config = Mapping[str, Any]
# Makes of a channel's committed settings those that run: one for each chat, with the user's own values.
Expand = Callable[[Config], list[dict[str, Any]]]


@dataclass(frozen=True)
class Rendered:
    """The configuration as text, and the secrets it needs by their file's path."""

    text: str
    secrets: Mapping[Path, str]


def render(source: Path, settings: Settings, folder: Path, responder_token: str) -> Rendered:
    """Renders the committed file for these settings; `folder` is where it will stand, with its secrets below.

    Raises Faults where the committed file isn't one that can be rendered.
    """
    document = load(source)
    files = {"secrets/responder_token": responder_token}
    shared: dict[str, Any] = {}
    ready: dict[str, Expand] = {}
    if settings.telegram:
        ready["telegram_configs"] = _telegram(settings.telegram, shared, files)
    if settings.slack:
        ready["slack_configs"] = _slack(settings.slack, shared, files)
    if settings.email:
        ready["email_configs"] = _email(settings.email, shared, files)
    if settings.heartbeat_url:
        files[HEARTBEAT] = settings.heartbeat_url
    prefixes = tuple(CHANNELS.values())
    document["global"] = {k: v for k, v in document.get("global", {}).items() if not k.startswith(prefixes)} | shared
    receivers = document.get("receivers", [])
    models = _models(receivers)
    document["receivers"] = [_receiver(receiver, models, ready, settings) for receiver in receivers]
    secrets = {folder / name: content for name, content in files.items()}
    _absolute_files(document, folder)
    _check(document, secrets, source)
    return Rendered(dump(document, "alertmanager/alertmanager.yml"), secrets)


def links(responder_url: str) -> str:
    """The template file with the define `responder_url`, the address that links in messages begin with."""
    # As a string of the template's language, so that it is escaped where it stands.
    return (
        "{{/* Where the inbox is. Made by `python -m init` from RESPONDER_URL. */}}\n"
        f'{{{{ define "responder_url" }}}}{{{{ {json.dumps(responder_url.rstrip("/"))} }}}}{{{{ end }}}}\n'
    )


def _models(receivers: Sequence[Config]) -> dict[str, Config]:
    """How each channel and the inbox are set up: the first of each among the receivers."""
    found: dict[str, Config] = {}
    for receiver in receivers:
        for key in CHANNELS:
            for config in receiver.get(key, []):
                found.setdefault(key, config)
        for webhook in receiver.get("webhook_configs", []):
            if _is_inbox(webhook):
                found.setdefault("inbox", webhook)
    return found


def _is_inbox(webhook: Config) -> bool:
    return urlsplit(webhook.get("url", "")).netloc == INBOX


def _telegram(settings: Telegram, shared: dict[str, Any], files: dict[str, str]) -> Expand:
    shared["telegram_api_url"] = settings.api_url
    shared["telegram_bot_token_file"] = "secrets/telegram_bot_token"  # noqa: S105 - a path
    files["secrets/telegram_bot_token"] = settings.token
    names = []
    for number, chat in enumerate(settings.chats, 1):
        names.append("secrets/telegram_chat_id" + (f"_{number}" if number > 1 else ""))
        files[names[-1]] = chat
    return lambda config: [{**config, "chat_id_file": name} for name in names]


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
    return lambda config: [{**config, "to": ", ".join(settings.recipients)}]


def _receiver(
    receiver: Config, models: Mapping[str, Config], ready: Mapping[str, Expand], settings: Settings
) -> dict[str, Any]:
    """A receiver with the channels that are ready; if its own all are not, with any that is: nobody unheard."""
    own = [key for key in CHANNELS if key in receiver]
    told = [key for key in own if key in ready] or [key for key in ready if own and key in models]
    rendered = {key: value for key, value in receiver.items() if key not in CHANNELS and key != "webhook_configs"}
    for key in told:
        configs = receiver.get(key) or [{**models[key], **_whether_ends_are_told(receiver[own[0]])}]
        rendered[key] = [copy.deepcopy(expanded) for config in configs for expanded in ready[key](config)]
    webhooks = list(receiver.get("webhook_configs", []))
    if own and "inbox" in models and not any(_is_inbox(webhook) for webhook in webhooks):
        webhooks.append(models["inbox"])
    if not settings.heartbeat_url:
        webhooks = [webhook for webhook in webhooks if webhook.get("url_file") != HEARTBEAT]
    addresses = {INBOX: settings.addresses["responder"]}
    for webhook in copy.deepcopy(webhooks):
        if "url" in webhook:
            webhook["url"] = replace_address(webhook["url"], addresses)
        rendered.setdefault("webhook_configs", []).append(webhook)
    return rendered


def _whether_ends_are_told(configs: Sequence[Config]) -> Config:
    return {key: value for key, value in configs[0].items() if key == "send_resolved"}


def _absolute_files(value: Any, folder: Path) -> None:
    """Makes the path of each secret absolute: Alertmanager takes only some of them as relative to its file."""
    for holder, key in _files(value):
        holder[key] = str(folder / holder[key])


def _files(value: Any) -> Iterator[tuple[dict[str, Any], str]]:
    if isinstance(value, list):
        for item in value:
            yield from _files(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key.endswith("_file") and isinstance(item, str):
                yield value, key
            else:
                yield from _files(item)


def _check(document: Mapping[str, Any], secrets: Mapping[Path, str], source: Path) -> None:
    """Alertmanager's own check passes with a secret's file missing, so it is checked here; and each receiver's name."""
    faults = []
    names = [receiver.get("name") for receiver in document["receivers"]]
    faults += [f"{source}: the receiver {name} is there twice." for name in set(names) if names.count(name) > 1]
    for name in _receivers(document.get("route", {})):
        if name not in names:
            faults.append(f"{source}: a route names the receiver {name}, which isn't there.")
    for holder, key in _files(document):
        path = Path(holder[key])
        given = secrets.get(path)
        if given is None and path.is_file():
            given = path.read_text(encoding="utf-8", errors="replace")
        if not given or not given.strip():
            faults.append(f"{source}: {key} names {path}, which isn't there or is empty.")
    if faults:
        raise Faults(faults)


def _receivers(route: Mapping[str, Any]) -> Iterator[str]:
    if "receiver" in route:
        yield route["receiver"]
    for child in route.get("routes", []):
        yield from _receivers(child)
