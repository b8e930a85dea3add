"""docs/who-hears-what.md: as derived from the committed files, and as the rendered configuration has it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.config.contacts import ROLES
from init.run import run
from tests.alertmanager.test_nobody_unheard import SETTINGS
from tests.alertmanager.walk import behind
from tests.alertmanager.who_hears_what import PAGE, TITLES, page
from tests.binaries import binary
from tests.rules.delays import seconds
from tests.rules.series import rules, severities

HOURS = "quiet_hours: {from: '22:00', to: '07:00'}\n"
WORDS = {"telegram": "Telegram", "slack": "Slack", "sms": "SMS"}


def test_the_page_is_as_derived() -> None:
    assert PAGE.read_text("utf-8") == page(), "run: python -m tests.alertmanager.who_hears_what"


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All channels, a contact of each role with all ways, and quiet hours."""
    folder = tmp_path_factory.mktemp("all")
    contact = "[{name: %s, phone: '+4915100000001', sms: '+4915100000001', email: %s@example.org}]"
    people = "".join(f"  {role}: {contact % (role, role)}\n" for role in ROLES)
    (folder / "monitoring.yml").write_text(f"{HOURS}contacts:\n{people}")
    settings = {name: value for each in SETTINGS.values() for name, value in each.items()}
    run(settings, folder / "out", monitoring=folder / "monitoring.yml")
    return folder / "out" / "alertmanager" / "alertmanager.yml"


def test_the_rendered_configuration_says_the_same(config: Path) -> None:
    """Asked is amtool, which receivers an alert goes to; who they are is read from the configuration itself."""
    document = yaml.safe_load(config.read_text())
    found = set()
    for rule in rules():
        for severity in severities(rule) if "alert" in rule and rule["alert"] != "BotInMaintenance" else ():
            labels = {"bot": "a", **rule["labels"], "alertname": rule["alert"], "severity": severity}
            labels["channel"] = "slack"  # of NotificationsFailing; the others go by none
            step = rule["labels"].get("escalation", "")
            name = rule["alert"] + (f" {step}" if step.startswith("step") else "")
            found.add((_who(labels), name, severity, *_told(document, config, labels)))
    assert found == set(_rows())


def test_the_notes_say_what_quiet_hours_shorten(config: Path) -> None:
    """Of the rendered configuration each cooldown is as the table has it, or as the note below the table."""
    document = yaml.safe_load(config.read_text())
    found = set()
    for route in document["route"]["routes"]:
        for child in route.get("routes", []):
            if "group_interval" in child and child["group_interval"] != route["group_interval"]:
                found.add((route["matchers"][0].split('"')[1], child["group_interval"], route["group_interval"]))
    notes = re.findall(
        r"^If you have quiet hours, (\w+)'s cooldown is (.*) instead of (.*), all day", PAGE.read_text(), re.MULTILINE
    )
    assert found == {(alert, now.replace(" ", ""), before.replace(" ", "")) for alert, now, before in notes}
    assert found


def _who(labels: dict[str, str]) -> str:
    return "heartbeat" if labels["alertname"] == "Watchdog" else labels.get("role", "administrator")


def _told(document: dict[str, Any], config: Path, labels: dict[str, str]) -> tuple[frozenset[str], str, str]:
    """By which channels, whether it is repeated, and what becomes of it in quiet hours."""
    pairs = [f"{name}={value}" for name, value in labels.items() if value and "{{" not in value]
    command = [binary("amtool"), "config", "routes", "test", f"--config.file={config}", *pairs]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip().split(",")
    told = [each for name in names for each in behind(_receiver(document, name))]
    who = _who(labels)
    assert {target for channel, target, _ in told if channel in ("sms", "phone")} <= {who}
    if "role" in labels:
        assert {target for channel, target, _ in told if channel == "email"} <= {f"{who}@example.org"}
    elif who != "heartbeat":
        assert {target for channel, target, _ in told if channel == "email"} <= {
            "me@example.org",
            "administrator@example.org",
        }
    channels = {channel for channel, *_ in told}
    if who != "heartbeat":
        assert {"inbox", "discord", "webhook"} <= channels
    ends = who == "heartbeat" or any(config["send_resolved"] for *_, config in told)
    waits = any(name.partition("/")[0].endswith("-by-day") for name in names)
    shown = frozenset(
        WORDS.get(channel, channel) for channel in channels - {"inbox", "discord", "webhook", "heartbeat"}
    )
    if labels["alertname"] == "NotificationsFailing":
        assert "Slack" not in shown
        shown |= {"Slack"}
    quiet = ("waits" if ends else "inbox only") if waits else "–"
    return shown, "again" if ends else "–", quiet


def _receiver(document: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [receiver for receiver in document["receivers"] if receiver["name"] == name]
    return dict(found)


def _rows() -> list[tuple[Any, ...]]:
    """The page's rows, in the same words."""
    found: list[tuple[Any, ...]] = []
    whose = {title: who for who, title in TITLES.items()}
    for section in PAGE.read_text("utf-8").split("\n## ")[1:]:
        who = whose[section.splitlines()[0]]
        for line in section.splitlines():
            if line.startswith("| ["):
                cells = [cell.strip() for cell in line.split(" | ")]
                name = re.sub(r"^\| \[(\w+)\]\([^)]*\)", r"\1", cells[0])
                by = cells[3].partition(", but")[0]
                channels = frozenset() if by == "a request" else frozenset(by.split(", "))
                assert seconds(cells[5].replace(" min", "m").replace(" h", "h").replace(" ", "")) > 0
                again = "–" if cells[6] == "–" else "again"
                found += [
                    (who, name, severity, channels, again, cells[7].rstrip(" |")) for severity in cells[1].split(", ")
                ]
    return found
