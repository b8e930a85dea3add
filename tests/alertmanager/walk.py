"""Walks an alertmanager.yml as Alertmanager does: which receivers hear an alert, when, and who is behind them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from tests.rules.delays import matches

Config = Mapping[str, Any]
INHERITED = ("receiver", "group_by", "group_wait", "group_interval", "repeat_interval")


class Heard(NamedTuple):
    """Somebody who hears of an alert."""

    channel: str  # telegram, slack, email, discord, webhook, sms, phone, inbox, heartbeat
    target: str  # the address of an email, the contacts of an SMS or a call
    ends: bool  # whether the end is told
    muted: tuple[str, ...]  # the time intervals in which it isn't told
    group_interval: str
    repeat_interval: str


def routes(document: Config, labels: Mapping[str, str]) -> list[Config]:
    """The routes that an alert with these labels takes, each with what it inherits; mutes aren't inherited."""
    return list(_taken(document["route"], labels, {}))


def _taken(route: Config, labels: Mapping[str, str], above: Config) -> Iterator[Config]:
    whole = {**above, **route}
    inherited = {key: whole[key] for key in INHERITED if key in whole}
    found = False
    for child in route.get("routes", []):
        if all(matches(matcher, labels) for matcher in child.get("matchers", [])):
            found = True
            yield from _taken(child, labels, inherited)
            if not child.get("continue"):
                break
    if not found:
        yield whole


def heard(document: Config, labels: Mapping[str, str]) -> list[Heard]:
    """All who hear of an alert with these labels."""
    receivers = {receiver["name"]: receiver for receiver in document["receivers"]}
    return [
        Heard(
            channel,
            target,
            bool(config["send_resolved"]),
            tuple(route.get("mute_time_intervals", [])),
            route["group_interval"],
            route["repeat_interval"],
        )
        for route in routes(document, labels)
        for channel, target, config in behind(receivers[route["receiver"]])
    ]


def behind(receiver: Config) -> Iterator[tuple[str, str, Config]]:
    """The channels of a receiver: each with whom it leads to, and its settings."""
    for key, configs in receiver.items():
        for config in configs if key.endswith("_configs") else ():
            channel = key.removesuffix("_configs")
            yield (*_webhook(config), config) if channel == "webhook" else (channel, _target(channel, config), config)


def _target(channel: str, config: Config) -> str:
    if channel == "telegram":
        return f"{Path(config['chat_id_file']).name}:{config.get('message_thread_id', 0)}"
    return str(config.get("to", ""))


def _webhook(config: Config) -> tuple[str, str]:
    if "url_file" in config:
        return Path(config["url_file"]).name.removesuffix("_url"), ""
    parts = urlsplit(config["url"]).path.split("/")
    return (parts[-2], parts[-1]) if "notify" in parts else ("inbox", "")
