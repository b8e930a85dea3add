"""Writes docs/alerts.md from the rules and the routes: `python -m tests.rules.alerts_table [--check]`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from exporter.config import sections
from init.receivers import kind_of, role_of
from tests import generated
from tests.rules.delays import UNTIMED, Age, Delay, Route, delay, route
from tests.rules.series import ROOT, RULE_FILES, groups, severities

PAGE = ROOT / "docs" / "alerts.md"
INTRODUCTION = """\
# Alerts

What each alert tells, how soon, by which channels, and how often at most. `python -m tests.rules.alerts_table` writes
this page from [the rules](../prometheus/rules) and [the routes](../alertmanager/alertmanager.yml); change those.

- **After at most** is the time from the cause to the first message: until the next reading and the next evaluation of
  the rules, what the alert waits by its meaning, and what Alertmanager waits for more of the same. A limit of
  `monitoring.yml` stands there by its name. Where what is asked doesn't answer at all, the time of a reading (in
  brackets) comes on top. An escalation counts from the firing of its alert, or from when that was last held back.
- **Cooldown**: at most one message in this time. What comes back within it is told when it is over, and so is the end.
- **By** are your own channels, or a role of your contacts with theirs ([in their order](who-hears-what.md)). Each
  message also goes to the inbox, to Discord and to your webhook. A channel without settings in `.env` is left out;
  where all of an alert's are, it goes to those that are there.
- A critical alert holds back the warning of the same condition and bot, BotDown a bot's lesser alerts, and a
  maintenance all of a bot's but its reports. Milestones are held back by neither.
"""
HEADER = "| alert | severity | it says | after at most | by | cooldown |\n|---|---|---|---|---|---|\n"
# The concerns in the order of their weight; others follow, and the monitoring itself is the last.
ORDER = ["bot", "trading", "system", "model", "market", "host"]
# A setting as monitoring.yml calls it, where its series has another name.
SETTINGS = {sections.series(section, key): key for section, keys in sections.SECTIONS.items() for key in keys}
# As people write them, in the order of the page. Discord and the webhook hear everything that one of these hears.
CHANNELS = {"email": "email", "telegram": "Telegram", "slack": "Slack", "phone": "phone", "sms": "SMS"}


class Alert(NamedTuple):
    """A rule's alert of one severity."""

    rule: Mapping[str, Any]
    severity: str
    delay: Delay
    route: Route


def _place(file: Path) -> tuple[int, str]:
    last = len(ORDER) + (file.stem == "stack")
    return ORDER.index(file.stem) if file.stem in ORDER else last, file.stem


def alerts() -> Iterator[tuple[Path, list[Alert]]]:
    """All alerts, by rule file."""
    for file in sorted(RULE_FILES, key=_place):
        own = {group["name"] for group in yaml.safe_load(file.read_text("utf-8"))["groups"]}
        told = [
            _alert(rule, severity, group.name)
            for group in groups()
            if group.name in own
            for rule in group.rules
            if "alert" in rule
            for severity in severities(rule)
        ]
        if told:
            yield file, told


def _alert(rule: Mapping[str, Any], severity: str, group_name: str) -> Alert:
    labels = {"bot": "a", **rule["labels"], "alertname": rule["alert"], "severity": severity}
    goes = route(labels, alertmanager()["route"])
    (group,) = [group for group in groups() if group.name == group_name]
    return Alert(rule, severity, delay(rule, group, groups(), goes, severity), goes)


@cache
def alertmanager() -> dict[str, Any]:
    """alertmanager.yml."""
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "alertmanager" / "alertmanager.yml").read_text("utf-8"))
    return loaded


def page() -> str:
    """The page."""
    parts = [INTRODUCTION]
    for file, told in alerts():
        # A rule file begins with the question that it answers.
        heading = _sentence(file.read_text("utf-8").splitlines()[0].removeprefix("# "))
        rows: dict[tuple[str, ...], list[str]] = {}
        for alert in told:
            rows.setdefault(_row(alert), []).append(alert.severity)
        parts.append(f"\n## {heading}\n\n{HEADER}")
        parts += [
            f"| {name} | {', '.join(dict.fromkeys(of))} | {' | '.join(rest)} |\n" for (name, *rest), of in rows.items()
        ]
    return "".join(parts)


def _sentence(line: str) -> str:
    """The first sentence, which doesn't end at the dot of a file's name."""
    return re.split(r"(?<=[.?:])(?:\s|$)", line)[0].rstrip(".:")


def after(alert: Alert) -> str:
    """When its message comes, in words."""
    words = " + ".join([*_ages(alert.delay.ages), duration(alert.delay.seconds)])
    if alert.delay.path.hang:
        words += f" ({duration(alert.delay.path.hang)})"
    return UNTIMED.get(alert.rule["alert"], words)


def _row(alert: Alert) -> tuple[str, ...]:
    name = alert.rule["alert"]
    return (
        f"[{name}](runbooks/{name}.md)",
        alert.rule["annotations"]["summary"],
        after(alert),
        by(alert.route.receiver),
        duration(alert.route.group_interval),
    )


def _ages(ages: tuple[Age, ...]) -> list[str]:
    """What an alert waits for by its meaning, in words: of several the sooner."""
    words = []
    for age in ages:
        setting = f"`{SETTINGS.get(age.setting, age.setting)}`"
        if age.setting:
            words.append(setting if age.times == 1 else f"{age.times:g} × {setting}")
        else:
            range_ = " to ".join(dict.fromkeys(map(duration, (age.least, age.most))))
            words.append(f"{range_} ([which](configuration.md#escalation))")
    return [f"the sooner of {' and '.join(words)}"] if len(words) > 1 else words


def by(name: str) -> str:
    """Who hears by a receiver, and by which channels besides the inbox."""
    (receiver,) = [each for each in alertmanager()["receivers"] if each["name"] == name]
    kinds = {kind_of(webhook) for webhook in receiver.get("webhook_configs", [])}
    if "heartbeat" in kinds:
        return "heartbeat"
    found = [said for channel, said in CHANNELS.items() if channel in kinds or f"{channel}_configs" in receiver]
    role = role_of(receiver).replace("_", " ")
    return (f"{role}: " if role != "administrator" else "") + (", ".join(found) or "–")


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    parts = []
    for unit, size in (("h", 3600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count:.0f} {unit}")
    return " ".join(parts) or "0 s"


if __name__ == "__main__":
    sys.exit(generated.main(PAGE, page(), "tests.rules.alerts_table"))
