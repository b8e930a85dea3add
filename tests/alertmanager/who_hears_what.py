"""Writes docs/who-hears-what.md from rules and routes: `python -m tests.alertmanager.who_hears_what [--check]`."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any, NamedTuple

from exporter.config.contacts import ROLES
from init.receivers import role_of
from init.routes import FAILING, LOOK_AGAIN, LOOK_AGAIN_SECONDS, QUIETER, REPORTS
from tests import generated
from tests.alertmanager.walk import behind, routes
from tests.rules.alerts_table import CHANNELS, Alert, after, alertmanager, alerts, duration
from tests.rules.delays import seconds
from tests.rules.series import ROOT

PAGE = ROOT / "docs" / "who-hears-what.md"
INTRODUCTION = """\
# Who hears what

Everything that is told, by who hears it. `python -m tests.alertmanager.who_hears_what` writes this page from
[the rules](../prometheus/rules) and [the routes](../alertmanager/alertmanager.yml), as they are with every channel
and a contact for each role. What you don't have: [channels](channels.md).

- **When** is how long after the cause at most, an escalation after its alert's firing ([more](alerts.md)).
- **At most every** is the cooldown: what comes back within it is told when it is over. **Again** is when it is repeated
  while it lasts and nobody [acknowledges](acknowledge.md) it. The end is told, but not by a call.
- **Quiet** is what waits in [quiet hours](configuration.md#quiet-hours), if you set some; *inbox only* is over before
  they are, and nobody else hears of it.
- The inbox hears all of it, in quiet hours too. Discord and your own webhook hear all of it.
"""
TITLES = {
    "administrator": "You, the administrator",
    "manager": "The manager",
    "technical_lead": "The technical lead",
    "emergency_contact": "The emergency contact",
    "risk_manager": "The risk manager",
    "heartbeat": "A heartbeat service elsewhere",
}
HEADER = (
    "| alert | severity | it says | by | when | at most every | again | quiet |\n|---|---|---|---|---|---|---|---|\n"
)


class Row(NamedTuple):
    """Who hears an alert of a severity, and how often."""

    who: str
    alert: str
    severity: str
    says: str
    by: str
    every: str
    again: str
    quiet: str


def said(channels: Iterable[str]) -> str:
    """Channels in words, without those that hear everything."""
    found = set(channels)
    return ", ".join(name for channel, name in CHANNELS.items() if channel in found)


def again(repeat: float, every: float, *, ends: bool) -> str:
    """When what lasts is repeated: looked at every so often only. What has no end is told once."""
    return duration(-(-repeat // every) * every) if ends else "–"


def row(alert: Alert) -> Row | None:
    """The row of an alert; None where it is told to nobody."""
    name = alert.rule["alert"]
    labels = {"bot": "a", **alert.rule["labels"], "alertname": name, "severity": alert.severity}
    (route,) = routes(alertmanager(), labels)
    (receiver,) = [each for each in alertmanager()["receivers"] if each["name"] == route["receiver"]]
    told = list(behind(receiver))
    if not told:
        return None
    heartbeat = any(channel == "heartbeat" for channel, *_ in told)
    ends = heartbeat or any(config["send_resolved"] for *_, config in told)
    return Row(
        "heartbeat" if heartbeat else role_of(receiver),
        name,
        alert.severity,
        alert.rule["annotations"]["summary"],
        "a request" if heartbeat else said(channel for channel, *_ in told) + _but(receiver),
        duration(seconds(route["group_interval"])),
        again(seconds(route["repeat_interval"]), seconds(route["group_interval"]), ends=ends),
        _quiet(name, alert.severity, ends=ends),
    )


def _quiet(name: str, severity: str, *, ends: bool) -> str:
    """What becomes of it in quiet hours. What has no end is news, which lasts for minutes."""
    if severity not in QUIETER or name in REPORTS:
        return "–"
    return "waits" if ends else "inbox only"


def _but(receiver: dict[str, Any]) -> str:
    return ", but the one that fails" if receiver["name"] == FAILING else ""


def rows() -> list[tuple[Row, str, str]]:
    """Each row with when it is told, and the step of an escalation."""
    found = ((row(alert), alert) for _, told in alerts() for alert in told)
    return [(own, after(alert), alert.rule["labels"].get("escalation", "")) for own, alert in found if own]


def _oftener(who: str, found: Iterable[Row]) -> str:
    """The note below a table on cooldowns that quiet hours shorten."""
    longer = {row.alert: row.every for row in found if row.who == who and row.quiet != "–" and _shortened(row.every)}
    told = (
        f"If you have quiet hours, {alert}'s cooldown is {duration(seconds(LOOK_AGAIN))} instead of {every}, all day; "
        "for the inbox it stays.\n"
        for alert, every in longer.items()
    )
    return "".join(f"\n{line}" for line in told)


def _shortened(every: str) -> bool:
    return seconds(every.replace(" min", "m").replace(" ", "")) > LOOK_AGAIN_SECONDS


def page() -> str:
    """The page."""
    parts, all_rows = [INTRODUCTION], rows()
    for who in (*ROLES, "heartbeat"):
        merged: dict[tuple[str, ...], list[str]] = {}
        for own, when, step in all_rows:
            if own.who == who:
                name = f"[{own.alert}](runbooks/{own.alert}.md)" + (f" {step}" if step.startswith("step") else "")
                merged.setdefault((name, own.says, own.by, when, own.every, own.again, own.quiet), []).append(
                    own.severity
                )
        parts.append(f"\n## {TITLES[who]}\n\n{HEADER}")
        parts += [
            f"| {name} | {', '.join(dict.fromkeys(of))} | {' | '.join(rest)} |\n"
            for (name, *rest), of in merged.items()
        ]
        parts.append(_oftener(who, (own for own, *_ in all_rows)))
    return "".join(parts)


if __name__ == "__main__":
    sys.exit(generated.main(PAGE, page(), "tests.alertmanager.who_hears_what"))
