"""The section `webhooks` of monitoring.yml: which programs are told of trades, alerts and reports.

Address and secret stand in variables that it names, so that neither is ever in this file.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field

from exporter.config.entry import Entry

Kind = Literal["trades", "alerts", "reports"]
KINDS: tuple[Kind, ...] = get_args(Kind)
# As the Standard Webhooks specification has it: whsec_, and 24 to 64 bytes in base64.
SECRET = "whsec_"  # noqa: S105 - what a secret begins with
_SECRET_BYTES = (24, 64)
_MOST_CHARACTERS = 4096
# Not a secret that stands there by mistake.
_VARIABLE = re.compile(r"(?!whsec_)[A-Za-z_][A-Za-z0-9_]*")


def _name(value: object) -> object:
    # It stands in logs and pages, and is a label's value.
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}", value):
        raise ValueError("must be 1 to 40 letters, digits, - or _, such as ledger")
    return value


def _kinds(value: object) -> object:
    known = isinstance(value, list) and all(kind in KINDS for kind in value)
    if not isinstance(value, list) or not value or not known or len(set(value)) < len(value):
        raise ValueError(f"must be a list of some of {', '.join(KINDS)}, each once")
    return tuple(value)


def _variable(value: object) -> object:
    if not isinstance(value, str) or not _VARIABLE.fullmatch(value):
        raise ValueError("must be the name of a variable, which is set in .env, such as LEDGER_URL")
    return value


def _bots(value: object) -> object:
    if value == "all":
        return None
    if not isinstance(value, list) or not value or not all(isinstance(name, str) for name in value):
        raise ValueError("must be all, or a list of bots' names")
    return tuple(value)


class WebhookEntry(Entry):
    """A program that is told."""

    name: Annotated[str, BeforeValidator(_name)]
    kinds: Annotated[tuple[Kind, ...], BeforeValidator(_kinds)]
    url_env: Annotated[str, BeforeValidator(_variable)]
    secret_env: Annotated[str, BeforeValidator(_variable)]
    bots: Annotated[tuple[str, ...] | None, BeforeValidator(_bots)] = None  # None is all


Webhooks = Annotated[
    tuple[WebhookEntry, ...],
    BeforeValidator(lambda value: () if value is None else value),
    Field(max_length=20, strict=False),
]
Key = tuple[str | int, ...]


class Section(Entry):
    """The section, for who reads nothing else."""

    webhooks: Webhooks = ()


def given_in(document: object) -> object:
    """The section as it stands in the file's document."""
    return document.get("webhooks") if isinstance(document, Mapping) else None


def faults(document: object) -> Iterator[tuple[Key, object, str]]:
    """What is wrong with webhooks beside each other and beside the bots: key, value and what is allowed."""
    listed = document.get("bots") if isinstance(document, Mapping) else None
    entries = listed if isinstance(listed, list) else []
    bots = [bot["name"] for bot in entries if isinstance(bot, Mapping) and isinstance(bot.get("name"), str)]
    names: dict[str, int] = {}
    for index, webhook in _mappings(document):
        name = webhook.get("name")
        if isinstance(name, str) and names.setdefault(name, index) != index:
            allowed = f"is the name of webhooks[{names[name]}] already; each needs its own"
            yield ("webhooks", index, "name"), name, allowed
        wanted = webhook.get("bots")
        for number, bot in enumerate(wanted if isinstance(wanted, list) else []):
            if isinstance(bot, str) and bot not in bots:
                yield ("webhooks", index, "bots", number), bot, f"no such bot; there are: {', '.join(bots)}"


def unset(document: object, environ: Mapping[str, str]) -> Iterator[tuple[Key, str]]:
    """What is wrong with the variables that webhooks name: key and a sentence, which shows no value."""
    for index, webhook in _mappings(document):
        for key, check in (("url_env", address), ("secret_env", secret)):
            name = webhook.get(key)
            if not isinstance(name, str) or not _VARIABLE.fullmatch(name):
                continue  # told before
            try:
                check(name, environ)
            except ValueError as error:
                yield ("webhooks", index, key), str(error)


def _mappings(document: object) -> Iterator[tuple[int, Mapping[str, Any]]]:
    given = given_in(document)
    for index, webhook in enumerate(given if isinstance(given, list) else []):
        if isinstance(webhook, Mapping):
            yield index, webhook


def address(name: str, environ: Mapping[str, str]) -> str:
    """The address in a variable. Raises ValueError, with a sentence that doesn't show it."""
    value = _value(name, environ)
    try:
        parts = urlsplit(value)
        valid = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port that is none
        valid = False
    if not valid or not value.isascii() or not value.isprintable() or " " in value or len(value) > _MOST_CHARACTERS:
        raise ValueError(f"{name} in .env isn't an address: allowed is one that begins with http:// or https://")
    return value


def secret(name: str, environ: Mapping[str, str]) -> str:
    """The secret in a variable. Raises ValueError, with a sentence that doesn't show it."""
    value = _value(name, environ)
    advice = f'make one: echo "{SECRET}$(openssl rand -base64 32)"'
    if not value.startswith(SECRET):
        raise ValueError(f"{name} in .env doesn't begin with {SECRET}; {advice}")
    try:
        size = len(base64.b64decode(value.removeprefix(SECRET), validate=True))
    except (binascii.Error, ValueError):
        size = 0
    if not _SECRET_BYTES[0] <= size <= _SECRET_BYTES[1]:
        low, high = _SECRET_BYTES
        raise ValueError(f"{name} in .env isn't {SECRET} and {low} to {high} bytes in base64; {advice}")
    return value


def _value(name: str, environ: Mapping[str, str]) -> str:
    value = environ.get(name, "").strip()
    if not value:
        raise ValueError(f"{name} is not set; set it in .env")
    return value


def private(key: tuple[Any, ...]) -> bool:
    """Whether a value in the file may be an address or a secret, which stand there by mistake."""
    return key[:1] == ("webhooks",) and not {"name", "kinds", "bots"} & set(key)


def hint(key: tuple[Any, ...]) -> str | None:
    """What to say of a key that there is not: somebody wrote the address itself."""
    if key[:1] == ("webhooks",) and key[-1] in ("url", "secret"):
        return f"stands in .env; name its variable here, such as {key[-1]}_env: LEDGER_{str(key[-1]).upper()}"
    return None
