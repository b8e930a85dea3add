"""Adds to the committed routes what monitoring.yml says of severities: their channels, and when they are quiet.

Below the route of an alert come routes of its severities, so that what holds for the alert holds there too:

    - matchers: [alertname="LowWinRate"]
      receiver: email-telegram
      routes:
        - {matchers: [severity=~"warning|info"], receiver: inbox, continue: true}
        - {matchers: [severity=~"warning|info"], receiver: email-telegram-by-day, mute_time_intervals: [quiet-hours]}
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from exporter.config.contacts import CHANNELS, ChannelsEntry, QuietHours
from init.channels import Config
from init.people import ADMINISTRATOR
from init.receivers import Receivers, Told, named, role_of

SEVERITIES = ("critical", "warning", "info")
QUIETER = ("warning", "info")
REPORTS = ("DailySummary", "WeeklySummary")
# The receiver of what is told by any channel but the one in the alert's label `channel`.
FAILING = "all-but-the-failing"
QUIET_HOURS, QUIET_ESCALATION = "quiet-hours", "quiet-hours-of-escalation"
# An escalation comes when nobody has answered: of what was told when the quiet hours ended, nobody could before.
_LATER_MINUTES = 60
_INTERVALS = ("mute_time_intervals", "active_time_intervals")
_NOT_INHERITED = {"routes", "matchers", "continue", *_INTERVALS}
# What is muted is looked at again after a group_interval: one of a day could end in the next night.
LOOK_AGAIN, LOOK_AGAIN_SECONDS = "1h", 3600


class Routes:
    """Makes the routes, and collects the receivers that they need besides the committed ones."""

    def __init__(
        self, committed: Sequence[Config], receivers: Receivers, channels: ChannelsEntry, quiet: QuietHours | None
    ) -> None:
        self._committed = {receiver["name"]: receiver for receiver in committed}
        self._receivers, self._channels, self._quiet = receivers, dict(channels.given()), quiet
        self.made: dict[str, dict[str, Any]] = {}

    def of(self, route: Config, above: Config | None = None) -> dict[str, Any]:
        """A route and those below it, as they run."""
        whole = {**(above or {}), **route}
        inherited = {key: value for key, value in whole.items() if key not in _NOT_INHERITED}
        children = [self.of(child, inherited) for child in route.get("routes", [])]
        children += self._below(whole)
        made = {key: value for key, value in route.items() if key != "routes"}
        return made | ({"routes": children} if children else {})

    def _below(self, route: Config) -> list[dict[str, Any]]:
        """The routes of a route's severities, or of the channels that fail."""
        receiver = self._committed.get(route.get("receiver", ""), {})
        if not named(receiver):
            return []
        if receiver["name"] == FAILING:
            return [self._failing(receiver, channel) for channel in CHANNELS]
        # Severities that are told the same way have one route.
        alike: dict[tuple[str, bool], list[str]] = {}
        for severity in SEVERITIES:
            if _fits(route, "severity", severity):
                alike.setdefault(self._way(route, receiver, severity), []).append(severity)
        made = []
        for (name, quiet), severities in alike.items():
            matchers = [f'severity{"=~" if severities[1:] else "="}"{"|".join(severities)}"']
            if quiet:
                made += self._quietly(route, receiver, name, matchers)
            elif name != receiver["name"]:
                made.append({"matchers": matchers, "receiver": self._add(receiver, name), **_intervals(route)})
        return made

    def _way(self, route: Config, receiver: Config, severity: str) -> tuple[str, bool]:
        """How a severity is told: the receiver's name, and whether the quiet hours hold."""
        channels = self._channels.get(severity) if role_of(receiver) == ADMINISTRATOR else None
        name = f"{receiver['name']}-{severity}" if channels else receiver["name"]
        is_report = any(f'alertname="{report}"' in route.get("matchers", []) for report in REPORTS)
        return name, self._quiet is not None and severity in QUIETER and not is_report

    def _quietly(self, route: Config, receiver: Config, name: str, matchers: list[str]) -> list[dict[str, Any]]:
        """Two routes: the inbox hears at once, people when the quiet hours are over."""
        if not any(matcher.startswith("alertname=") for matcher in route.get("matchers", [])):
            matchers = [*matchers, 'condition!~"daily_summary|weekly_summary"']
        inbox = "inbox-once" if receiver["name"].endswith("-once") else "inbox"
        escalation = any(matcher.startswith('alertname="Escalation') for matcher in route.get("matchers", []))
        told = {
            "matchers": matchers,
            "receiver": self._add(receiver, name, inbox=False),
            **_intervals(route),
        }
        told["mute_time_intervals"] = [
            *told.get("mute_time_intervals", []),
            QUIET_ESCALATION if escalation else QUIET_HOURS,
        ]
        if _seconds(route.get("group_interval", "5m")) > LOOK_AGAIN_SECONDS:
            told["group_interval"] = LOOK_AGAIN
        if not self._receivers.has_inbox:
            return [told]
        self.made.setdefault(inbox, self._receivers.inbox(inbox, receiver))
        return [{"matchers": matchers, "receiver": inbox, "continue": True, **_intervals(route)}, told]

    def _failing(self, receiver: Config, channel: str) -> dict[str, Any]:
        name = f"all-but-{channel}"
        self.made[name] = self._receivers.make(receiver, self._receivers.but(channel), name=name)
        return {"matchers": [f'channel="{channel}"'], "receiver": name}

    def _add(self, receiver: Config, name: str, *, inbox: bool = True) -> str:
        """The name of a receiver in the place of a committed one: by the channels of the severity that it ends with."""
        channels = self._channels.get(name.removeprefix(f"{receiver['name']}-"))
        told: Told = self._receivers.of(channels) if channels else self._receivers.of_table(receiver)
        name += "" if inbox else "-by-day"
        self.made.setdefault(name, self._receivers.make(receiver, told, name=name, inbox=inbox))
        return name


def _intervals(route: Config) -> dict[str, Any]:
    """A route's own time intervals, which those below it don't inherit."""
    return {key: list(route[key]) for key in _INTERVALS if key in route}


def time_intervals(quiet: QuietHours | None, zone: str) -> list[dict[str, Any]]:
    """When it is quiet, for Alertmanager."""
    if quiet is None:
        return []
    hours = {QUIET_HOURS: quiet.ranges(), QUIET_ESCALATION: quiet.ranges(_LATER_MINUTES)}
    return [
        {
            "name": name,
            "time_intervals": [
                {"times": [{"start_time": _hour(a), "end_time": _hour(b)} for a, b in ranges], "location": zone}
            ],
        }
        for name, ranges in hours.items()
    ]


def _hour(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _fits(route: Mapping[str, Any], label: str, value: str) -> bool:
    """Whether a route's matchers of a label let a value through."""
    for matcher in route.get("matchers", []):
        parts = re.fullmatch(r'\s*(\w+)\s*(=~|!~|!=|=)\s*"?(.*?)"?\s*', matcher)
        if parts and parts[1] == label:
            equal = re.fullmatch(parts[3], value) is not None if "~" in parts[2] else value == parts[3]
            if equal == parts[2].startswith("!"):
                return False
    return True


def _seconds(duration: str) -> int:
    units = {"d": 86400, "h": 3600, "m": 60, "s": 1}
    return sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+)([dhms])", duration))
