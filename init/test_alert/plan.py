"""What is tested: each different channel of the alertmanager.yml that runs, with a receiver of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from init.yaml import dump, load

CONFIGURATION = "test-alert.yml"
# An attempt has this long: a little more than the channels' own time-outs (10 s), whose words say more.
ATTEMPT_SECONDS = 11
_INBOX_PATH = "/api/v1/alerts"
_NOTIFY_PATH = re.compile(r"/api/v1/notify/([a-z]+)/")
# As they are told; what is not among them comes last.
ORDER = ("Telegram", "Slack", "Email", "Discord", "Webhook", "SMS", "Phone", "Heartbeat", "Inbox")
_TITLES = {"sms": "SMS", "webhook_url": "Webhook", "heartbeat_url": "Heartbeat"}
_EMPTY = "nowhere"

Config = Mapping[str, Any]


@dataclass(frozen=True)
class Target:
    """One channel: its receiver's name, what kind it is (`Telegram`), and where in it the message goes."""

    receiver: str
    title: str
    place: str = ""

    @property
    def label(self) -> str:
        """As it is told: `Telegram, chat 42`."""
        return f"{self.title}, {self.place}" if self.place else self.title


@dataclass(frozen=True)
class Plan:
    """The configuration of the Alertmanager that sends, and what the responder is asked to send."""

    document: Config
    targets: Sequence[Target]
    by_responder: Sequence[Target]
    responder_url: str
    token_file: Path | None

    @property
    def text(self) -> str:
        """The configuration as it is written."""
        return dump(self.document, "alertmanager.yml")


def plan(folder: Path, only: str = "") -> Plan:
    """Reads `folder`/alertmanager.yml, as `python -m init` wrote it. Raises Faults where it can't be read.

    `only` is the title of the one kind that is wanted, such as `telegram`.
    """
    source = load(folder / "alertmanager.yml")
    receivers: list[dict[str, Any]] = []
    targets: list[Target] = []
    asked: dict[str, Target] = {}
    responder, token_file = "", None
    for key, config in _different(source.get("receivers", [])):
        target = Target(f"test-{len(targets) + 1}", *_name(key, config))
        by_responder = _NOTIFY_PATH.match(_path(config))
        if by_responder or target.title == "Inbox":
            parts = urlsplit(config["url"])
            responder = f"{parts.scheme}://{parts.netloc}"
            token = config.get("http_config", {}).get("authorization", {}).get("credentials_file")
            token_file = Path(token) if token else token_file
        if only and target.title.lower() != only.lower():
            continue
        if by_responder:
            asked.setdefault(by_responder[1], target)
        else:
            targets.append(target)
            receivers.append({"name": target.receiver, key: [config]})
    route = {
        "receiver": _EMPTY,
        "group_by": ["alertname"],
        "group_wait": "0s",
        "group_interval": f"{ATTEMPT_SECONDS}s",
        "repeat_interval": "1h",
        "routes": [{"receiver": target.receiver, "continue": True} for target in targets],
    }
    document: dict[str, Any] = {
        **{key: source[key] for key in ("global", "templates") if key in source},
        "route": route,
        "receivers": [{"name": _EMPTY}, *receivers],
    }
    return Plan(document, targets, list(asked.values()), responder, token_file)


def place_in_order(title: str) -> int:
    """Where a kind of channel stands in what is told."""
    return ORDER.index(title) if title in ORDER else len(ORDER)


def _different(receivers: Sequence[Config]) -> Iterator[tuple[str, Config]]:
    """Each channel once, though many receivers have it; whether it is told ends makes no other of it."""
    seen = set()
    for receiver in receivers:
        for key, configs in receiver.items():
            if not key.endswith("_configs"):
                continue
            for config in (single for shared in configs for single in _single(key, shared)):
                same = json.dumps([key, {**config, "send_resolved": None}], sort_keys=True, default=str)
                if same not in seen:
                    seen.add(same)
                    yield key, config


def _single(key: str, config: Config) -> Iterator[Config]:
    """One for each recipient of a mail: the same person may be told by several receivers."""
    if key != "email_configs":
        yield config
        return
    for recipient in str(config.get("to", "")).split(","):
        yield {**config, "to": recipient.strip()}


def _name(key: str, config: Config) -> tuple[str, str]:
    """Title and place of a channel."""
    kind = key.removesuffix("_configs")
    if kind == "webhook":
        notify = _NOTIFY_PATH.match(_path(config))
        name = notify[1] if notify else Path(config.get("url_file", "")).name
        if _path(config) == _INBOX_PATH:
            return "Inbox", ""
        return _TITLES.get(name, name.removesuffix("_url").capitalize() or "Webhook"), ""
    if kind == "telegram":
        topic = f":{config['message_thread_id']}" if config.get("message_thread_id") else ""
        return "Telegram", f"chat {_value(config, 'chat_id')}{topic}"
    place = {"slack": config.get("channel", ""), "email": f"to {config.get('to', '')}"}
    return kind.capitalize(), place.get(kind, "")


def _path(config: Config) -> str:
    return urlsplit(str(config.get("url", ""))).path


def _value(config: Config, key: str) -> str:
    """A value that stands in the configuration, or in the file that it names."""
    try:
        return str(config.get(key) or Path(config[f"{key}_file"]).read_text(encoding="utf-8").strip())
    except (OSError, KeyError, UnicodeDecodeError):
        return "?"
