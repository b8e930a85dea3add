"""The sections `contacts`, `channels` and `quiet_hours` of monitoring.yml: who is told, by what, and when not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import time
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from exporter.config.entry import Entry
from exporter.config.schedule import hour

Role = Literal["administrator", "manager", "technical_lead", "emergency_contact", "risk_manager"]
ROLES: tuple[Role, ...] = get_args(Role)
Channel = Literal["telegram", "slack", "email", "discord", "webhook", "sms", "phone"]
CHANNELS: tuple[Channel, ...] = get_args(Channel)

# The rest of the day is left for what came in them, and for what nobody has answered yet.
_LONGEST_HOURS = 18


def _number(value: object) -> object:
    allowed = 'must be a number with its country and digits alone, in quotes: "+4915112345678"'
    if isinstance(value, int) and not isinstance(value, bool):
        raise ValueError(f"{allowed}; without quotes YAML drops the +")
    if not isinstance(value, str) or not re.fullmatch(r"\+[1-9][0-9]{6,14}", value):
        raise ValueError(allowed)
    return value


def is_mail_address(text: str) -> bool:
    """Whether Alertmanager can write to it: no empty part between dots, at most 254 characters."""
    label = "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
    pattern = rf"[A-Za-z0-9_%+-]+(?:\.[A-Za-z0-9_%+-]+)*@{label}(?:\.{label})*"
    return len(text) <= 254 and re.fullmatch(pattern, text) is not None


def _mail(value: object) -> object:
    if not isinstance(value, str) or not is_mail_address(value):
        raise ValueError("must be an email address such as anna@example.org")
    return value


def _listed(value: object) -> object:
    """A section with nothing in it is null in YAML; a list is a tuple here."""
    if value is None:
        return ()
    if not isinstance(value, list):
        raise ValueError("must be a list")
    return tuple(value)


def _or_empty(value: object) -> object:
    return {} if value is None else value


_Number = Annotated[str, BeforeValidator(_number)]
_Mail = Annotated[str, BeforeValidator(_mail)]


def _name(value: str) -> str:
    """It stands in lines of logs, on pages and in messages: one that can't be seen, or turns the line, is another's."""
    if not value.isprintable() or not value.strip():
        raise ValueError("must be a name of characters that can be seen")
    return value


_Name = Annotated[
    str,
    Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f\x{85}\x{2028}\x{2029}\x{FFFD}]+$"),
    AfterValidator(_name),
]


class ContactEntry(Entry):
    """A person, and what reaches them."""

    name: _Name
    phone: _Number | None = None
    sms: _Number | None = None
    email: _Mail | None = None

    @model_validator(mode="after")
    def _reachable(self) -> ContactEntry:
        if self.phone is None and self.sms is None and self.email is None:
            raise ValueError("needs phone, sms or email, one of them at least")
        return self


def _own_names(contacts: tuple[ContactEntry, ...]) -> tuple[ContactEntry, ...]:
    names = [contact.name for contact in contacts]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"has {name} twice; give each contact of a role a name of its own")
    return contacts


_Contacts = Annotated[
    tuple[ContactEntry, ...], Field(max_length=20), BeforeValidator(_listed), AfterValidator(_own_names)
]


class ContactsEntry(Entry):
    """The contacts of each role."""

    administrator: _Contacts = ()
    manager: _Contacts = ()
    technical_lead: _Contacts = ()
    emergency_contact: _Contacts = ()
    risk_manager: _Contacts = ()

    def of(self, role: Role) -> tuple[ContactEntry, ...]:
        """The contacts of a role."""
        contacts: tuple[ContactEntry, ...] = getattr(self, role)
        return contacts


def _channels(value: object) -> object:
    if value is None:
        return None
    value = _listed(value)
    allowed = f"must be a list of channels, at least one of: {', '.join(CHANNELS)}"
    if not isinstance(value, tuple) or not value or not all(isinstance(name, str) for name in value):
        raise ValueError(allowed)
    for name in value:
        if name not in CHANNELS:
            raise ValueError(f"{allowed}; {name} is none")
    return tuple(dict.fromkeys(value))


_Channels = Annotated[tuple[Channel, ...] | None, BeforeValidator(_channels)]


class ChannelsEntry(Entry):
    """The channels of a severity, instead of those of each alert; None leaves them as they are."""

    critical: _Channels = None
    warning: _Channels = None
    info: _Channels = None

    def given(self) -> Iterator[tuple[str, tuple[Channel, ...]]]:
        """Each severity whose channels are the user's own, with them."""
        for severity in ChannelsEntry.model_fields:
            if channels := getattr(self, severity):
                yield severity, channels


class QuietHours(Entry):
    """When nobody hears of what is no critical, in the configured zone; over midnight if `to` is earlier."""

    begins: Annotated[time, BeforeValidator(hour)] = Field(alias="from")
    ends: Annotated[time, BeforeValidator(hour)] = Field(alias="to")

    @model_validator(mode="after")
    def _within_a_day(self) -> QuietHours:
        if self.begins == self.ends:
            raise ValueError("from and to must be different hours")
        if self.minutes > _LONGEST_HOURS * 60:
            raise ValueError(f"must be at most {_LONGEST_HOURS} hours from `from` to `to`")
        return self

    @property
    def minutes(self) -> int:
        """How long they last."""
        return (_minute(self.ends) - _minute(self.begins)) % 1440

    def ranges(self, longer: int = 0) -> list[tuple[int, int]]:
        """From and to in minutes of a day, each from before to; `longer` adds some minutes at the end."""
        begin = _minute(self.begins)
        end = begin + self.minutes + longer
        return [(begin, end)] if end <= 1440 else [(begin, 1440), (0, end - 1440)]


def _minute(hour: time) -> int:
    return hour.hour * 60 + hour.minute


def quiet(value: object) -> Any:
    """The section where it is off or empty: none."""
    return None if value is False or value == "off" else value


class Told(Entry):
    """What of monitoring.yml says who is told."""

    contacts: Annotated[ContactsEntry, BeforeValidator(_or_empty)] = ContactsEntry()
    channels: Annotated[ChannelsEntry, BeforeValidator(_or_empty)] = ChannelsEntry()
    quiet_hours: Annotated[QuietHours | None, BeforeValidator(quiet)] = None
