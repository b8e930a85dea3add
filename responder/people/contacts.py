"""Who gets an SMS or a call, and by which service: the file that `python -m init` writes from monitoring.yml and .env.

{"sms_url": "twilio://SID:TOKEN@FROM/{to}", "phone_url": "",
 "roles": {"administrator": [{"name": "Me", "phone": "", "sms": "+4915112345678"}], "manager": []}}
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Channel = Literal["sms", "phone"]
CHANNELS: tuple[Channel, ...] = ("sms", "phone")
ADMINISTRATOR = "administrator"


class ContactsError(Exception):
    """The file can't be used; the text says why, without what stands in it."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class Contact(_Model):
    """A person; a number that is empty isn't used."""

    name: str = Field(min_length=1)
    phone: str = ""
    sms: str = ""


class Contacts(_Model):
    """Everybody, by role. An address has `{to}` where the number goes; it holds secrets."""

    sms_url: str = Field(default="", repr=False)
    phone_url: str = Field(default="", repr=False)
    roles: dict[str, list[Contact]] = {}

    def url(self, channel: Channel) -> str:
        """The address of the channel's service; empty where it isn't configured."""
        return self.sms_url if channel == "sms" else self.phone_url

    def numbers(self, role: str, channel: Channel) -> dict[str, str]:
        """Whom of a role the channel reaches: the number by the target's name, such as `manager/Anna`."""
        found: dict[str, str] = {}
        for contact in self.roles.get(role, []):
            target = f"{role}/{contact.name}"
            while target in found:
                target += " too"
            if number := contact.sms if channel == "sms" else contact.phone:
                found[target] = number
        return found

    def to_test(self, channel: Channel) -> dict[str, str]:
        """The administrator's numbers, else those of the first role that has any."""
        roles = [ADMINISTRATOR, *(role for role in self.roles if role != ADMINISTRATOR)]
        return next((numbers for role in roles if (numbers := self.numbers(role, channel))), {})


def read(path: Path | None) -> Contacts:
    """What the file says now: `python -m init` may have written another since the start. Raises ContactsError."""
    if path is None:
        raise ContactsError("The responder was started without --contacts-file")
    try:
        return Contacts.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ContactsError(f"{path} can't be read ({error.strerror}); `make up` writes it") from error
    except ValidationError as error:
        where = ", ".join(".".join(map(str, fault["loc"])) or "all of it" for fault in error.errors())
        # Not the error itself, which may quote the file.
        raise ContactsError(f"{path} is not as `make up` writes it: {where}") from None
