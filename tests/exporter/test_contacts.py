"""contacts, channels and quiet_hours of monitoring.yml: what they may be, and the sentence for what they may not."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config.contacts import ROLES, QuietHours, Told
from exporter.config.load import ConfigError, load, load_part

BOTS = "bots: [{name: a, type: demo}]\n"
ANNA = 'name: Anna, sms: "+4915112345678"'


def told(folder: Path, text: str) -> Told:
    """The file's sections, as the exporter and as `init` reads them."""
    path = folder / "monitoring.yml"
    path.write_text(BOTS + text)
    whole, part = load(path), load_part(path, Told)
    assert (whole.contacts, whole.channels, whole.quiet_hours) == (part.contacts, part.channels, part.quiet_hours)
    return part


def faults(folder: Path, text: str) -> list[str]:
    """The faults without the file's name."""
    path = folder / "monitoring.yml"
    path.write_text(BOTS + text)
    with pytest.raises(ConfigError) as whole:
        load(path)
    with pytest.raises(ConfigError) as part:
        load_part(path, Told)
    assert whole.value.faults == part.value.faults
    return [fault.partition("monitoring.yml:")[2] for fault in whole.value.faults]


def test_everything(tmp_path: Path) -> None:
    found = told(
        tmp_path,
        f"""
contacts:
  administrator: [{{{ANNA}}}]
  manager:
    - {{name: Bob, phone: "+1234567", sms: "+123456789012345", email: bob@example.org}}
    - {{name: "Çelik, 2nd", email: c@d.e}}
  technical_lead:
  risk_manager: []
channels: {{critical: [telegram, sms, phone], warning: [slack, slack]}}
quiet_hours: {{from: 22:00, to: 7:30}}
""",
    )
    assert [len(found.contacts.of(role)) for role in ROLES] == [1, 2, 0, 0, 0]
    assert dict(found.channels.given()) == {"critical": ("telegram", "sms", "phone"), "warning": ("slack",)}
    assert found.quiet_hours and found.quiet_hours.ranges() == [(1320, 1440), (0, 450)]


@pytest.mark.parametrize("text", ["", "contacts:\nchannels:\nquiet_hours:\n", "quiet_hours: off", "channels: {info: }"])
def test_nothing(tmp_path: Path, text: str) -> None:
    found = told(tmp_path, text)
    assert found.quiet_hours is None and not list(found.channels.given())


CHANNEL = "must be a list of channels, at least one of: telegram, slack, email, discord, webhook, sms, phone"
NUMBER = 'must be a number with its country and digits alone, in quotes: "+4915112345678"'


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "contacts: {manager: [{name: A, sms: +4915112345678}]}",
            f"2: contacts.manager[0].sms is 4915112345678: {NUMBER}; without quotes YAML drops the +",
        ),
        ("contacts: {manager: [{name: A, sms: '0151 123'}]}", f"2: contacts.manager[0].sms is 0151 123: {NUMBER}"),
        (
            "contacts: {manager: [{name: A, phone: '+0151123456'}]}",
            f"2: contacts.manager[0].phone is '+0151123456': {NUMBER}",
        ),
        ("contacts: {manager: [{name: A, phone: '+49 151'}]}", f"2: contacts.manager[0].phone is +49 151: {NUMBER}"),
        (
            "contacts:\n  manager:\n    - name: A\n      email: a b@c\n",
            "5: contacts.manager[0].email is a b@c: must be an email address such as anna@example.org",
        ),
        *(
            (
                f"contacts: {{manager: [{{name: A, email: {address}}}]}}",
                f"2: contacts.manager[0].email is {address}: must be an email address such as anna@example.org",
            )
            for address in ("bob@example..org", ".you@example.org", "a..b@x.org", "you.@example.org", "a@x.")
        ),
        (
            "contacts: {manager: [{name: A}]}",
            "2: contacts.manager[0] is {name: A}: needs phone, sms or email, one of them at least",
        ),
        ("contacts: {manager: [{sms: '+4915112345678'}]}", "2: contacts.manager[0].name: is missing"),
        ("contacts: {manager: {name: A}}", "2: contacts.manager is {name: A}: must be a list"),
        (
            "contacts:\n  boss: []\n",
            "3: contacts.boss is []: unknown role; there are: " + ", ".join(ROLES),
        ),
        ("contacts: [a]", "2: contacts is [a]: must be a mapping of keys to values"),
        (
            "channels: {warning: [fax]}",
            f"2: channels.warning is [fax]: {CHANNEL}; fax is none",
        ),
        (
            "channels: {warning: []}",
            f"2: channels.warning is []: {CHANNEL}",
        ),
        (
            "channels: {none: [sms]}",
            "2: channels.none is [sms]: unknown key; see docs/configuration.md for those that are known",
        ),
        ("quiet_hours: {from: 22:00}", "2: quiet_hours.to: is missing"),
        (
            "quiet_hours: {from: 24:00, to: 7:00}",
            "2: quiet_hours.from is '24:00': must be an hour from 00:00 to 23:59",
        ),
        (
            "quiet_hours: {from: 7:00, to: 7:00}",
            "2: quiet_hours is {from: '7:00', to: '7:00'}: from and to must be different hours",
        ),
        (
            "quiet_hours: {from: 7:00, to: 6:00}",
            "2: quiet_hours is {from: '7:00', to: '6:00'}: must be at most 18 hours from `from` to `to`",
        ),
    ],
)
def test_each_fault_is_told_with_line_key_and_what_to_do(tmp_path: Path, text: str, fault: str) -> None:
    assert faults(tmp_path, text) == [fault]


def test_a_name_is_of_one_contact_of_a_role(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, f"contacts: {{manager: [{{{ANNA}}}, {{{ANNA}}}]}}")
    assert fault.endswith("has Anna twice; give each contact of a role a name of its own")
    told(tmp_path, f"contacts: {{manager: [{{{ANNA}}}], risk_manager: [{{{ANNA}}}]}}")


def test_other_sections_faults_are_no_matter_of_a_part(tmp_path: Path) -> None:
    (tmp_path / "monitoring.yml").write_text("bots: 5\nunknown: 1\nquiet_hours: {from: '1:00', to: '2:00'}")
    assert load_part(tmp_path / "monitoring.yml", Told).quiet_hours
    (tmp_path / "monitoring.yml").write_text("")
    assert load_part(tmp_path / "monitoring.yml", Told) == Told()


@given(st.times(), st.times())
def test_quiet_hours_cover_the_day_once(begin: object, end: object) -> None:
    try:
        hours = QuietHours.model_validate({"from": f"{begin:%H:%M}", "to": f"{end:%H:%M}"})
    except ValueError:
        return
    for longer in (0, 60):
        minutes = [minute for a, b in hours.ranges(longer) for minute in range(a, b)]
        assert len(set(minutes)) == len(minutes) == hours.minutes + longer
        assert all(0 <= minute < 1440 for minute in minutes)
        assert all(0 <= a < b <= 1440 for a, b in hours.ranges(longer))


@pytest.mark.parametrize("name", ["a\\u202Eb", "a\\u200Bb", " ", "\\u2066a", "a\\u00ADb"])
def test_a_name_can_be_seen(tmp_path: Path, name: str) -> None:
    (fault,) = faults(tmp_path, f'contacts: {{manager: [{{name: "{name}", email: a@b.c}}]}}')
    assert fault.startswith("2: contacts.manager[0].name is ") and fault.isprintable()
    assert fault.endswith(": must be a name of characters that can be seen")
