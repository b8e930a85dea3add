"""What `python -m init` makes of contacts, channels and quiet hours: the responder's file, the lines, the zone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from init.faults import Faults
from init.run import run
from tests.binaries import binary
from tests.init.test_run import ALL, MONITORING, NUMBER


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
    lines = run({"SMS_URL": ALL["SMS_URL"]}, tmp_path)
    assert "SMS: left out. To switch it on, set a contact's `sms` in monitoring.yml" in lines
    assert "Phone: left out. To switch it on, set PHONE_URL in .env and a contact's `phone` in monitoring.yml" in lines
    assert (
        "Contacts: none. What nobody answers comes to you; to have others asked, set contacts in monitoring.yml"
        in lines
    )


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
