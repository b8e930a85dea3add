"""Nobody unheard: each alert of the rules, in any combination of channels, contacts, overrides and quiet hours."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.config.contacts import CHANNELS, ROLES, Told
from init.alertmanager import build
from init.people import People
from init.routes import QUIET_ESCALATION, QUIET_HOURS, time_intervals
from init.settings import read
from init.split import split
from tests.alertmanager.walk import Heard, heard
from tests.rules.series import ROOT, rules, severities

SETTINGS = {
    "telegram": {"TELEGRAM_BOT_TOKEN": "1:x", "TELEGRAM_CHAT_ID": "1,-100:42"},
    "slack": {"SLACK_WEBHOOK_URL": "https://hooks.example.org/x"},
    "email": {"SMTP_HOST": "mail.example.org", "SMTP_FROM": "a@example.org", "SMTP_TO": "me@example.org"},
    "discord": {"DISCORD_WEBHOOK_URL": "https://discord.example.org/x"},
    "webhook": {"WEBHOOK_URL": "https://hook.example.org/x"},
    "sms": {"SMS_URL": "twilio://ACa1:b2@+15005550006/{to}"},
    "phone": {"PHONE_URL": "twilio://ACa1:b2@+15005550006/{to}?method=call"},
    "heartbeat": {"HEARTBEAT_URL": "https://heartbeat.example.org/x"},
}
REPORTS = ("DailySummary", "WeeklySummary")
# What each step of the escalation names (§5 of the requirements), by alert and the role that it is for.
STEPS = {
    ("EscalationNoResponse", "manager", "critical"): {"phone", "sms"},
    ("EscalationNoResponse", "manager", "warning"): {"email"},
    ("EscalationNoResponse", "manager", "info"): {"email"},
    ("EscalationNoResponse", "technical_lead", "critical"): {"phone", "email"},
    ("EscalationNoResponse", "emergency_contact", "critical"): {"phone", "sms", "email"},
    ("EscalationRepeated", "technical_lead", ""): {"phone", "email"},
    ("EscalationSystemDown", "emergency_contact", "critical"): {"phone", "sms", "email"},
    ("EscalationDrawdown", "risk_manager", "critical"): {"phone", "sms", "email"},
}
LADDER = ["manager", "technical_lead", "emergency_contact"]


@cache
def committed() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / "alertmanager" / "alertmanager.yml").read_text())
    return document


@cache
def alerts() -> list[dict[str, str]]:
    """The labels of each alert that the rules fire, of one severity each; yours, too."""
    found = []
    for rule in rules():
        for severity in severities(rule) if "alert" in rule else ():
            labels = {"alertname": rule["alert"], **rule["labels"], "severity": severity}
            labels = {name: value for name, value in labels.items() if "{{" not in value}
            of_channels = rule["alert"] == "NotificationsFailing"
            found += [{**labels, "channel": channel} for channel in CHANNELS] if of_channels else [labels]
    yours = [{"alertname": "MyOwn", "severity": severity} for severity in ("critical", "warning", "info", "page")]
    return [*found, *yours, {"alertname": "MyOwn"}]


def numbered(ways: frozenset[str], number: int) -> dict[str, str]:
    """A contact with these ways."""
    values = {"phone": f"+49151000{number:04}", "sms": f"+49151000{number:04}", "email": f"p{number}@example.org"}
    return {"name": f"P{number}"} | {way: values[way] for way in ways}


@st.composite
def contacts(draw: st.DrawFn) -> dict[str, list[dict[str, str]]]:
    some = st.lists(st.frozensets(st.sampled_from(["phone", "sms", "email"]), min_size=1), max_size=2)
    chosen = {role: draw(some) for role in ROLES}
    return {
        role: [numbered(ways, 10 * ROLES.index(role) + at) for at, ways in enumerate(those)]
        for role, those in chosen.items()
    }


class Rendered:
    """A configuration, before (`whole`) and after the channels that can hang were split off, and what is behind it."""

    def __init__(self, channels: frozenset[str], told: dict[str, Any]) -> None:
        settings = read({k: v for channel in channels for k, v in SETTINGS[channel].items()})
        self.told = Told.model_validate(told)
        people = People(self.told.contacts, settings)
        files: dict[str, str] = {}
        self.whole = build(copy.deepcopy(committed()), settings, files, people, self.told, "UTC")
        self.document = split(copy.deepcopy(self.whole))
        self.lists: dict[str, list[dict[str, str]]] = json.loads(people.contacts_json())["roles"]
        self.channels = channels

    def people(self, heard: Heard) -> Iterator[str]:
        """The names of the contacts behind it; the administrator's channels are all `you`."""
        contacts = [(role, contact) for role in ROLES for contact in self.told.contacts.of(role)]
        if heard.channel == "email":
            owners = [c.name for role, c in contacts if c.email == heard.target and role != "administrator"]
            yield owners[0] if owners else "you"
        elif heard.channel in ("sms", "phone"):
            named = [entry for entry in self.lists[heard.target] if entry[heard.channel]]
            assert named, f"{heard.target} has nobody with {heard.channel}"
            yield from ("you" if heard.target == "administrator" else entry["name"] for entry in named)
        elif heard.channel not in ("inbox", "heartbeat"):
            yield "you"

    def reachable(self, role: str) -> dict[str, set[str]]:
        """The contacts of a role who can be reached, with their ways."""
        found = {
            contact.name: {w for w in ("phone", "sms", "email") if getattr(contact, w) and w in self.channels}
            for contact in getattr(self.told.contacts, role)
        }
        return {name: ways for name, ways in found.items() if ways}

    def asked(self, role: str) -> str:
        """Who answers for a role."""
        if role == "risk_manager":
            order = ["risk_manager", *LADDER]
        else:
            at = LADDER.index(role)
            order = [*LADDER[at:], *LADDER[:at][::-1], "risk_manager"]
        return next((each for each in order if self.reachable(each)), "administrator")

    @property
    def yours(self) -> set[str]:
        """The administrator's channels."""
        numbers = {way for ways in self.reachable("administrator").values() for way in ways} & {"sms", "phone"}
        return (set(self.channels) - {"sms", "phone", "heartbeat"}) | numbers


CASES = st.builds(
    Rendered,
    st.frozensets(st.sampled_from(sorted(SETTINGS))),
    st.fixed_dictionaries(
        {
            "contacts": contacts(),
            "channels": st.dictionaries(
                st.sampled_from(["critical", "warning", "info"]),
                st.lists(st.sampled_from(CHANNELS), min_size=1, max_size=3, unique=True),
            ),
            "quiet_hours": st.sampled_from([None, {"from": "22:00", "to": "07:00"}, {"from": "1:00", "to": "7:30"}]),
        }
    ),
)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(CASES)
def test_nobody_unheard(case: Rendered) -> None:
    anybody = bool(case.yours - {"webhook"}) or any(case.reachable(role) for role in ROLES)
    for labels in alerts():
        found = heard(case.document, labels)
        if labels["alertname"] in ("Watchdog", "BotInMaintenance"):
            wanted = case.channels & {"heartbeat"} if labels["alertname"] == "Watchdog" else set()
            assert {each.channel for each in found} == wanted
            assert not any(each.muted for each in found)
            continue
        # The inbox: always, at once, and once.
        assert [each.muted for each in found if each.channel == "inbox"] == [()], labels
        people = [each for each in found if each.channel not in ("inbox", "heartbeat")]
        # A webhook may lead to a machine: it counts as somebody only where nothing else was asked for.
        asked_for = set(getattr(case.told.channels, labels.get("severity", ""), None) or ())
        alone = asked_for == {"webhook"} and "webhook" in case.yours
        alone = alone and not labels["alertname"].startswith(("Escalation", "NotificationsFailing"))
        assert alone or any(each.channel != "webhook" for each in people) == anybody, labels
        assert "webhook" not in case.yours or people, labels
        # Nobody is told twice by the same channel.
        told = [(each.channel, who) for each in people for who in set(case.people(each)) if who != "you"]
        told += [(each.channel, each.target) for each in people if each.channel not in ("sms", "phone", "email")]
        assert len(set(told)) == len(told), labels
        _quiet(case, labels, people)
        _channels(case, labels, people)
        # A call has no end, and news have none either.
        news = labels["alertname"] in (*REPORTS, "MilestoneReached")
        assert all(each.ends == (not news and each.channel != "phone") for each in people), labels


def _quiet(case: Rendered, labels: dict[str, str], people: list[Heard]) -> None:
    """In quiet hours info and warnings wait, with their escalations; nothing else does, and nothing is lost by it."""
    quiet = case.told.quiet_hours is not None
    waits = quiet and labels.get("severity") in ("warning", "info") and labels["alertname"] not in REPORTS
    name = QUIET_ESCALATION if labels["alertname"].startswith("Escalation") else QUIET_HOURS
    assert all(each.muted == ((name,) if waits else ()) for each in people), labels
    if waits:
        # It is looked at again within an hour of their end, and they have one.
        assert all(each.group_interval in ("5m", "15m", "30m", "1h") for each in people), labels
        intervals = {each["name"] for each in case.document["time_intervals"]}
        assert name in intervals


def _channels(case: Rendered, labels: dict[str, str], people: list[Heard]) -> None:
    """Which channels they are: the escalation's, the user's own for a severity, or those of the table."""
    found = {each.channel for each in people}
    alert, severity = labels["alertname"], labels.get("severity", "")
    step = STEPS.get((alert, labels.get("role", ""), severity)) or STEPS.get((alert, labels.get("role", ""), ""))
    if alert.startswith("Escalation"):
        assert step, labels
        _step(case, labels, step, people)
        return
    own = getattr(case.told.channels, severity, None)
    if alert == "NotificationsFailing":
        others = case.yours - {labels["channel"]}
        written = others - {"phone"} if others - {"phone", "webhook"} else others
        assert found == written or not others - {"webhook"}
        elsewhere = any(ways - {labels["channel"]} for role in ROLES[1:] for ways in case.reachable(role).values())
        assert labels["channel"] not in found or not (others - {"webhook"} or elsewhere)
    elif own and (set(own) & case.yours - {"webhook"} or set(own) == {"webhook"} <= case.yours):
        assert found == set(own) & case.yours
    elif not own and severity == "critical" and alert == "BotDown":
        named = {"email", "sms", "telegram", "slack"} & case.yours
        assert named <= found
        assert not named or found == named | ({"discord", "webhook"} & case.yours)
    if "webhook" in case.yours and not own and alert != "NotificationsFailing":
        assert "webhook" in found


def _step(case: Rendered, labels: dict[str, str], step: set[str], people: list[Heard]) -> None:
    """Each contact of the role that answers is told by what the step names, or by what they have."""
    role = case.asked(labels["role"])
    told = {(each.channel, who) for each in people for who in case.people(each) if who != "you"}
    if role == "administrator":
        assert not told
        expected = case.yours if "phone" in step or not case.yours - {"phone", "webhook"} else case.yours - {"phone"}
        if case.yours:
            assert {each.channel for each in people} == expected, labels
        return
    wanted = set()
    for name, ways in case.reachable(role).items():
        by = ways & step or ways & {"sms", "email"} or ways
        wanted |= {(way, name) for way in by}
    assert told == wanted, labels
    assert {each.channel for each in people if "you" in case.people(each)} == {"discord", "webhook"} & case.yours


def test_a_webhook_takes_nobody_away() -> None:
    """Who has only contacts and adds a webhook is still told, of what a webhook alone would hear."""
    told = {"contacts": {"manager": [numbered(frozenset({"sms"}), 1)]}, "channels": {"warning": ["slack", "webhook"]}}
    case = Rendered(frozenset({"sms", "webhook"}), told)
    for name, labels in (
        ("BotDown", {"severity": "critical"}),
        ("LowWinRate", {"severity": "warning"}),
        ("NotificationsFailing", {"severity": "critical", "channel": "email"}),
        ("NotificationsFailing", {"severity": "critical", "channel": "sms"}),
    ):
        found = {(each.channel, each.target) for each in heard(case.document, {"alertname": name, **labels})}
        assert found == {("inbox", ""), ("webhook", ""), ("sms", "manager")}, (name, labels)
    called = {"contacts": {"administrator": [numbered(frozenset({"phone"}), 1)]}}
    case = Rendered(frozenset({"phone", "webhook"}), called)
    step = {"alertname": "EscalationNoResponse", "role": "manager", "severity": "warning"}
    assert {each.channel for each in heard(case.document, step)} == {"inbox", "webhook", "phone"}


def test_the_hours_are_those_of_the_clock() -> None:
    told = Told.model_validate({"quiet_hours": {"from": "22:00", "to": "23:30"}})
    quiet, escalation = time_intervals(told.quiet_hours, "Europe/Berlin")
    assert quiet["time_intervals"] == [
        {"times": [{"start_time": "22:00", "end_time": "23:30"}], "location": "Europe/Berlin"}
    ]
    assert escalation["time_intervals"][0]["times"] == [
        {"start_time": "22:00", "end_time": "24:00"},
        {"start_time": "00:00", "end_time": "00:30"},
    ]


def test_secrets_stay_in_files() -> None:
    every = Rendered(frozenset(SETTINGS), {"contacts": {"manager": [numbered(frozenset({"phone", "sms"}), 1)]}})
    text = yaml.safe_dump(every.document)
    assert "twilio" not in text and "+49151" not in text and "example.org/x" not in text
    assert Path("secrets/webhook_url").name in text
