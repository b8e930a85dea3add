"""Makes of the committed receivers those that run: by the channels that are there, to the people who can be reached."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from exporter.config.contacts import CHANNELS, ROLES, Role
from init.channels import HEARTBEAT, WEBHOOK, Config, Ready
from init.people import ADMINISTRATOR, WRITTEN, Addressed, People
from init.yaml import replace_address

INBOX = "responder:8080"
_NOTIFY = "/api/v1/notify/"
# By their key in a receiver.
KEYS = {
    "email": "email_configs",
    "telegram": "telegram_configs",
    "slack": "slack_configs",
    "discord": "discord_configs",
}
# They hear what any of the others hears.
_LISTENING = frozenset({"discord", "webhook"})
# A webhook may lead to a machine, so it is not yet somebody, unless the user asks for it alone.
_MACHINES = frozenset({"webhook"})
# Where none of an alert's channels is there: the first of these that is. A call about everything is the last resort.
_INSTEAD = (frozenset({"telegram", "slack", "email", "discord"}), frozenset({"sms"}), frozenset({"phone"}))


class Told(NamedTuple):
    """Who hears of something: by which of the administrator's channels, and which contacts besides."""

    channels: frozenset[str]
    contacts: Addressed = Addressed((), ())


NOBODY = Told(frozenset())


def role_of(receiver: Config) -> Role:
    """Whom a receiver is for: the role that its name begins with, else you, the administrator."""
    name = str(receiver.get("name", "")).replace("-", "_")
    return next((role for role in ROLES if name.startswith(f"{role}_")), ADMINISTRATOR)


def named(receiver: Config) -> frozenset[str]:
    """The channels for people that a committed receiver names."""
    found = {channel for channel, key in KEYS.items() if key in receiver}
    return frozenset(found | {kind for webhook in _webhooks(receiver) if (kind := kind_of(webhook)) in CHANNELS})


def kind_of(webhook: Config) -> str:
    """What a webhook is for: sms, phone, webhook, inbox or heartbeat; empty for one of your own."""
    if "url_file" in webhook:
        return {WEBHOOK: "webhook", HEARTBEAT: "heartbeat"}.get(webhook["url_file"], "")
    url = urlsplit(webhook.get("url", ""))
    if url.netloc != INBOX:
        return ""
    return url.path.removeprefix(_NOTIFY).split("/")[0] if url.path.startswith(_NOTIFY) else "inbox"


def _webhooks(receiver: Config) -> Sequence[Config]:
    webhooks: Sequence[Config] = receiver.get("webhook_configs", [])
    return webhooks


class Receivers:
    """Decides who hears, and makes the receiver for it."""

    def __init__(self, committed: Sequence[Config], ready: Ready, people: People, address: str) -> None:
        """`ready` are the administrator's channels that are configured; `address` is the responder's."""
        self._ready, self._people, self._address = ready, people, {INBOX: address}
        reached = {way for person in people.of(ADMINISTRATOR) for way in person.ways} & {"sms", "phone"}
        self._models: dict[str, Config] = {}
        for receiver in committed:
            for channel, key in KEYS.items():
                for config in receiver.get(key, []):
                    self._models.setdefault(channel, config)
            for webhook in _webhooks(receiver):
                self._models.setdefault(kind_of(webhook), webhook)
        for channel in ("sms", "phone"):
            url = {"url": f"http://{INBOX}{_NOTIFY}{channel}/{ADMINISTRATOR}"}
            self._models.setdefault(channel, {**self._models.get("inbox", {}), **url})
        self.has_inbox = "inbox" in self._models
        self.configured = frozenset((ready.keys() | reached) & self._models.keys() & set(CHANNELS))

    def of_table(self, receiver: Config) -> Told:
        """Who hears of what a committed receiver is for."""
        role, asked_for = role_of(receiver), named(receiver)
        answering = None if role == ADMINISTRATOR else self._people.asked(role)
        listening = asked_for & _LISTENING & self.configured
        if answering:
            return Told(listening, self._people.addressed(answering, asked_for))
        if role == ADMINISTRATOR:
            told = self.of(asked_for - _LISTENING or asked_for)
            return told._replace(channels=told.channels | listening)
        # Nobody but you: by all that you have, by a call where the step names it.
        return self.of(frozenset(CHANNELS) - ({"phone"} - asked_for))

    def of(self, channels: Iterable[str]) -> Told:
        """Who hears of what the administrator wants by these channels: by those that are there, else by others."""
        wanted = frozenset(channels)
        own = self.configured & wanted
        if own - _MACHINES or (own and wanted <= _MACHINES):
            return Told(own)
        reaching = next((self.configured & each for each in _INSTEAD if self.configured & each), frozenset())
        told = Told(reaching) if reaching else self._contacts()
        return told._replace(channels=told.channels | (self.configured & _MACHINES))

    def but(self, failing: str) -> Told:
        """Who hears by any channel but one: by a call if nothing else is left, by the failing one if not even that."""
        others = self.configured - {failing}
        if others - _MACHINES:
            return Told(others - {"phone"} if others - {"phone"} - _MACHINES else others)
        if (told := self._contacts(without=failing)) != NOBODY:
            return told._replace(channels=others)
        told = Told(frozenset()) if self.configured - _MACHINES else self._contacts()
        return told._replace(channels=self.configured)

    def _contacts(self, without: str = "") -> Told:
        """The first role that can be reached, where the administrator can't."""
        role = self._people.asked("manager", without)
        return Told(frozenset(), self._people.addressed(role, WRITTEN, without)) if role else NOBODY

    def inbox(self, name: str, receiver: Config) -> dict[str, Any]:
        """A receiver that is the inbox alone; whether ends are told is as in another."""
        return {"name": name, "webhook_configs": [self._webhook("inbox", receiver)]}

    def make(self, receiver: Config, told: Told, *, name: str = "", inbox: bool = True) -> dict[str, Any]:
        """The receiver that runs in the place of a committed one."""
        channels = {*KEYS.values(), "webhook_configs"}
        made = {key: copy.deepcopy(value) for key, value in receiver.items() if key not in channels}
        made["name"] = name or receiver["name"]
        for channel, key in KEYS.items():
            configs = receiver.get(key) or [{**self._models.get(channel, {}), **_ends(receiver)}]
            expanded: list[Config] = []
            if channel in told.channels:
                expanded += [each for config in configs for each in self._ready[channel](config)]
            if channel == "email":
                expanded += [{**configs[0], "to": address} for address in told.contacts.emails]
            if expanded:
                made[key] = copy.deepcopy(expanded)
        webhooks = [self._webhook("inbox", receiver)] if inbox and self.has_inbox else []
        if "webhook" in told.channels:
            webhooks += self._ready["webhook"](self._webhook("webhook", receiver))
        yours = [(channel, ADMINISTRATOR) for channel in ("phone", "sms") if channel in told.channels]
        webhooks += [self._webhook(channel, receiver, people) for channel, people in (*yours, *told.contacts.lists)]
        webhooks += [self._at_address(webhook) for webhook in _webhooks(receiver) if kind_of(webhook) == ""]
        return made | ({"webhook_configs": webhooks} if webhooks else {})

    def others(self, receiver: Config) -> dict[str, Any]:
        """A receiver that is for no people, such as the heartbeat's, with what of it can run."""
        made = copy.deepcopy({key: value for key, value in receiver.items() if key != "webhook_configs"})
        webhooks = [
            self._at_address(webhook)
            for webhook in _webhooks(receiver)
            if kind_of(webhook) != "heartbeat" or "heartbeat" in self._ready
        ]
        return made | ({"webhook_configs": webhooks} if webhooks else {})

    def _webhook(self, kind: str, receiver: Config, people: str = "") -> dict[str, Any]:
        own = next((webhook for webhook in _webhooks(receiver) if kind_of(webhook) == kind), None)
        webhook = self._at_address(own or {**self._models[kind], **_ends(receiver)})
        if people:
            webhook["url"] = webhook["url"].partition(_NOTIFY)[0] + f"{_NOTIFY}{kind}/{people}"
        if kind == "phone":
            webhook["send_resolved"] = False  # nobody is called to hear that it is over
        return webhook

    def _at_address(self, webhook: Config) -> dict[str, Any]:
        made = copy.deepcopy(dict(webhook))
        if "url" in made:
            made["url"] = replace_address(made["url"], self._address)
        return made


def _ends(receiver: Config) -> dict[str, bool]:
    """Whether the end of an alert is told: not by a receiver of which no channel tells it."""
    configs = [config for key, configs in receiver.items() if key.endswith("_configs") for config in configs]
    return {"send_resolved": any(config.get("send_resolved", True) for config in configs)}
