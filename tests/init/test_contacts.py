"""What `python -m init` makes of contacts, channels and quiet hours: the responder's file, the lines, the zone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.config.contacts import Told
from init.alertmanager import build
from init.faults import Faults
from init.people import People
from init.run import ROOT, run
from init.settings import read
from tests.alertmanager.walk import heard, routes
from tests.binaries import binary
from tests.init.test_run import ALL, MONITORING, NUMBER

BOT = "bots: [{name: demo, type: demo}]\n"
COMMITTED = ROOT / "alertmanager" / "alertmanager.yml"


def test_contacts_are_left_to_the_responder(tmp_path: Path) -> None:
    """With the lists that only some of a role are on: who has no email is told of a warning by SMS."""
    (tmp_path / "monitoring.yml").write_text(MONITORING)
    run(ALL, tmp_path / "out", monitoring=tmp_path / "monitoring.yml")
    path = tmp_path / "out" / "responder" / "contacts.json"
    assert path.stat().st_mode & 0o777 == 0o600
    me, anna = ({"name": name, "phone": phone, "sms": NUMBER} for name, phone in (("Me", ""), ("Anna", NUMBER)))
    carl = {"name": "Carl", "phone": "", "sms": NUMBER}
    empty: dict[str, list[dict[str, str]]] = {"technical_lead": [], "emergency_contact": [], "risk_manager": []}
    assert json.loads(path.read_text()) == {
        "sms_url": ALL["SMS_URL"],
        "phone_url": ALL["PHONE_URL"],
        "roles": {
            "administrator": [me],
            "manager": [anna, carl],
            **empty,
            "manager_without_email": [carl],
            "manager_without_email_phone": [carl],
        },
    }
    # Without the services nobody can be reached by them, and what was is gone.
    lines = run({}, tmp_path / "out", monitoring=tmp_path / "monitoring.yml")
    assert json.loads(path.read_text()) == {
        "sms_url": "",
        "phone_url": "",
        "roles": {"administrator": [], "manager": [], **empty},
    }
    assert "Administrator: Me by nothing (SMS left out)" in lines
    nobody = "Manager: Anna by nothing (phone, SMS, email left out); Carl by nothing (SMS left out)"
    assert f"{nobody}; who is asked instead: you, by all channels" in lines


def test_contacts_without_a_service_and_the_other_way_round_are_told(tmp_path: Path) -> None:
    monitoring = tmp_path / "monitoring.yml"
    monitoring.write_text(BOT + "preset: experienced\n")
    lines = run({"SMS_URL": ALL["SMS_URL"]}, tmp_path, monitoring=monitoring)
    assert "SMS: left out. To switch it on, set a contact's `sms` in monitoring.yml" in lines
    assert "Phone: left out. To switch it on, set PHONE_URL in .env and a contact's `phone` in monitoring.yml" in lines
    assert (
        "Contacts: none. What nobody answers comes to you; to have others asked, set contacts in monitoring.yml"
        in lines
    )


@pytest.mark.parametrize(
    ("channels", "line"),
    [
        ("[webhook]", "Warning: by webhook"),
        ("[webhook, email]", "Warning: by webhook and what else is there (email left out)"),
    ],
)
def test_a_webhook_that_is_left_of_several_is_not_all(tmp_path: Path, channels: str, line: str) -> None:
    (tmp_path / "monitoring.yml").write_text(f"channels: {{warning: {channels}}}\n")
    settings = {"WEBHOOK_URL": "https://hook.example.org/x", "SLACK_WEBHOOK_URL": "https://slack.example.org/x"}
    assert line in run(settings, tmp_path / "out", monitoring=tmp_path / "monitoring.yml")


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("", "preset beginner"),
        ("escalation: {repeated: 4}", ""),
        ("thresholds: {critical: {drawdown_escalation: 0.2}}", ""),
        ("{preset: experienced, escalation: off}", ""),
        (
            "{preset: experienced, escalation: off, thresholds: {critical: {drawdown_escalation: off}}}",
            "monitoring.yml",
        ),
        ("escalation: nonsense", ""),
    ],
)
def test_who_is_asked_is_told_only_where_something_escalates(given: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "monitoring.yml").write_text(yaml.safe_dump(yaml.safe_load(BOT) | (yaml.safe_load(given) or {})))
    lines = run({}, tmp_path / "out", monitoring=tmp_path / "monitoring.yml")
    assert (f"Escalation: off ({why})" in lines) == bool(why)
    assert any(line.startswith(("Contacts:", "Manager:")) for line in lines) != bool(why)


@pytest.mark.parametrize(
    ("environ", "warned"),
    [
        ({}, False),
        ({"DISCORD_WEBHOOK_URL": ALL["DISCORD_WEBHOOK_URL"]}, True),
        ({"DISCORD_WEBHOOK_URL": ALL["DISCORD_WEBHOOK_URL"], "RESPONDER_URL": "http://127.0.0.1:1"}, True),
        ({"DISCORD_WEBHOOK_URL": ALL["DISCORD_WEBHOOK_URL"], "RESPONDER_URL": "https://bots.example.org"}, False),
        ({"WEBHOOK_URL": ALL["WEBHOOK_URL"]}, False),
    ],
)
def test_links_that_no_phone_opens_are_told(environ: dict[str, str], warned: bool, tmp_path: Path) -> None:
    assert any("which no phone opens" in line for line in run(environ, tmp_path)) == warned


def test_what_is_wrong_with_contacts_is_told_before_anything_is_written(tmp_path: Path) -> None:
    (tmp_path / "monitoring.yml").write_text("contacts:\n  manager:\n    - {name: Anna, sms: 0151}\n")
    with pytest.raises(Faults, match=r"monitoring\.yml:3: contacts\.manager\[0\]\.sms is 105: must be a number with"):
        run(ALL, tmp_path / "out", monitoring=tmp_path / "monitoring.yml")
    assert not (tmp_path / "out").exists()


def test_alertmanager_finds_the_zone_of_quiet_hours(tmp_path: Path) -> None:
    """Of a name that its machine may lack: the file is among what is made for it."""
    (tmp_path / "monitoring.yml").write_text(MONITORING.replace("America/New_York", "US/Eastern"))
    path = {"PATH": str(Path(binary("amtool")).parent)}
    run(path, tmp_path / "out", monitoring=tmp_path / "monitoring.yml")
    zone = tmp_path / "out" / "alertmanager" / "zoneinfo" / "US" / "Eastern"
    assert zone.read_bytes().startswith(b"TZif")


def test_a_file_of_the_users_own_keeps_what_it_says() -> None:
    """Its time intervals, which routes below don't inherit, other services, and a route below another."""
    written = yaml.safe_load(COMMITTED.read_text())
    written["time_intervals"] = [{"name": "sunday", "time_intervals": [{"weekdays": ["sunday"]}]}]
    mine = {"name": "mine", "telegram_configs": [{"chat_id": 1}], "pushover_configs": [{"user_key": "u", "token": "t"}]}
    written["receivers"].append(mine)
    below = {"matchers": ['severity="info"'], "receiver": "mine"}
    own = {"matchers": ['team="x"'], "receiver": "mine", "mute_time_intervals": ["sunday"], "routes": [below]}
    written["route"]["routes"].insert(0, own)
    document = built(written, MONITORING)
    labels = {"alertname": "Mine", "team": "x"}

    def told(**more: str) -> list[tuple[str, list[str]]]:
        return [(r["receiver"], r.get("mute_time_intervals", [])) for r in routes(document, {**labels, **more})]

    assert told() == [("mine", ["sunday"])]
    assert told(severity="critical") == [("mine", ["sunday"])]
    assert told(severity="warning") == [("inbox", ["sunday"]), ("mine-warning-by-day", ["sunday", "quiet-hours"])]
    assert told(severity="info") == [("inbox", []), ("mine-info-by-day", ["quiet-hours"])]
    receivers = {receiver["name"]: receiver for receiver in document["receivers"]}
    for name in ("mine", "mine-warning-by-day", "mine-info-by-day"):
        assert receivers[name]["pushover_configs"] == mine["pushover_configs"]
    assert document["time_intervals"][0]["name"] == "sunday"


def test_a_file_without_inbox_and_numbers_can_be_rendered() -> None:
    receivers = [{"name": "mine", "telegram_configs": [{"chat_id": 1, "send_resolved": True}]}]
    document = built({"route": {"receiver": "mine"}, "receivers": receivers}, MONITORING)
    assert {each.channel for each in heard(with_times(document), {"severity": "critical"})} == {"telegram"}
    assert {each.channel for each in heard(with_times(document), {"severity": "warning"})} == {"telegram"}


def with_times(document: dict[str, Any]) -> dict[str, Any]:
    document["route"] |= {"group_interval": "5m", "repeat_interval": "1h"}
    return document


def built(written: dict[str, Any], monitoring: str) -> dict[str, Any]:
    """The document that is made of one, for all channels."""
    told = Told.model_validate({key: yaml.safe_load(monitoring)[key] for key in Told.model_fields if key != "contacts"})
    settings = read(ALL)
    return build(written, settings, {}, People(told.contacts, settings), told, "UTC")
