"""Who can be reached, who is asked instead of whom, and by what each is told."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from exporter.config.contacts import ROLES, ContactsEntry, Role
from init.settings import Settings

ADMINISTRATOR: Role = "administrator"
WRITTEN = frozenset({"sms", "email"})
# Up the ladder of §5, then down it from the top; who looks after the risk stands beside it.
_LADDER: tuple[Role, ...] = ("manager", "technical_lead", "emergency_contact")
_BESIDE: Role = "risk_manager"


@dataclass(frozen=True)
class Person:
    """A contact, with what really reaches them: empty where its channel isn't configured."""

    name: str
    phone: str = ""
    sms: str = ""
    email: str = ""

    @property
    def ways(self) -> frozenset[str]:
        """What reaches them."""
        return frozenset(way for way in ("phone", "sms", "email") if getattr(self, way))

    def by(self, named: frozenset[str]) -> frozenset[str]:
        """What they are told by, where a step names these: else in writing, and by a call only without even that."""
        return self.ways & named or self.ways & WRITTEN or self.ways


class Addressed(NamedTuple):
    """Whom a step tells: addresses of email, and the lists of those who get an SMS or a call, by channel."""

    emails: tuple[str, ...]
    lists: tuple[tuple[str, str], ...]


class People:
    """The contacts of all roles. Remembers which lists of them the responder is asked for."""

    def __init__(self, contacts: ContactsEntry, settings: Settings) -> None:
        self._sms_url, self._phone_url = settings.sms_url, settings.phone_url
        self._roles: dict[Role, tuple[Person, ...]] = {}
        for role in ROLES:
            known = (
                Person(
                    each.name,
                    (each.phone or "") if settings.phone_url else "",
                    (each.sms or "") if settings.sms_url else "",
                    (each.email or "") if settings.email else "",
                )
                for each in contacts.of(role)
            )
            self._roles[role] = tuple(person for person in known if person.ways)
        self._lists: dict[str, tuple[Person, ...]] = {str(role): people for role, people in self._roles.items()}

    def of(self, role: Role) -> tuple[Person, ...]:
        """Those of a role who can be reached."""
        return self._roles[role]

    def asked(self, role: Role, without: str = "") -> Role | None:
        """Which role answers for one: the first with somebody who can be reached, other than by `without` alone."""
        if role == _BESIDE:
            order: Iterable[Role] = (_BESIDE, *_LADDER)
        else:
            at = _LADDER.index(role) if role in _LADDER else 0
            order = (*_LADDER[at:], *reversed(_LADDER[:at]), _BESIDE)
        return next((each for each in order if any(p.ways - {without} for p in self._roles[each])), None)

    def addressed(self, role: Role, named: frozenset[str], without: str = "") -> Addressed:
        """How those of a role are told; `named` is what the step names, `without` what must not be used."""
        named &= {"phone", "sms", "email"}
        people = [replace(p, **{without: ""}) if without in p.ways else p for p in self._roles[role]]
        told = [(person, person.by(named)) for person in people if person.ways]
        emails = tuple(dict.fromkeys(person.email for person, ways in told if "email" in ways))
        chosen = {way: tuple(person for person, ways in told if way in ways) for way in ("phone", "sms")}
        lists = ((way, self._list(role, way, named, those)) for way, those in chosen.items() if those)
        return Addressed(emails, tuple(lists))

    def _list(self, role: Role, channel: str, named: frozenset[str], chosen: tuple[Person, ...]) -> str:
        """The name of these people: their role's, if they are all of it whom the channel reaches."""
        if len(chosen) == sum(channel in person.ways for person in self._roles[role]):
            return role
        name = f"{role}_without_{'_'.join(sorted(named))}"
        only = (Person(person.name, **{channel: getattr(person, channel)}) for person in chosen)
        self._lists[name] = tuple(dict.fromkeys((*self._lists.get(name, ()), *only)))
        return name

    def contacts_json(self) -> str:
        """The responder's file: its services, and whom they reach. Once all that is told was asked for."""
        roles: Mapping[str, Sequence[dict[str, str]]] = {
            name: [{"name": p.name, "phone": p.phone, "sms": p.sms} for p in people if p.phone or p.sms]
            for name, people in self._lists.items()
        }
        document = {"sms_url": self._sms_url, "phone_url": self._phone_url, "roles": roles}
        return json.dumps(document, ensure_ascii=False, indent=1) + "\n"
