"""monitoring.yml: which bots are watched, and when their owners are told.

All faults of a file are reported at once, each with its line, key, value and what is allowed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import TypeAdapter, ValidationError

from exporter.config import maintenance, sections, thresholds
from exporter.config.contacts import ROLES
from exporter.config.credentials import secret_of
from exporter.config.entries import AnyBot, BotEntry, Monitoring, own_thresholds
from exporter.config.entry import Entry
from exporter.config.settings import PRESETS
from exporter.config.thresholds import Thresholds
from exporter.config.yaml_lines import YamlError, load_with_lines

Key = tuple[str | int, ...]
Part = TypeVar("Part", bound=Entry)


class ConfigError(Exception):
    """A configuration that can't be used. `faults` are sentences naming file, line, key, value and what is allowed."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def load(path: Path) -> Monitoring:
    """Read and validate a configuration.

    Raises:
        ConfigError: with every fault.
    """
    document, told = _read(path)
    if found := [told(*fault) for fault in _faults(document, path.parent)]:
        raise ConfigError(found)
    return _monitoring.validate_python(document)


def load_part(path: Path, part: type[Part]) -> Part:
    """Read and validate the sections of a model alone: for who has no use for the bots, nor their passwords.

    Raises:
        ConfigError: with every fault of these sections.
    """
    document, told = _read(path)
    sections = {key: document[key] for key in part.model_fields if key in document} if document else {}
    try:
        return part.model_validate(sections)
    except ValidationError as error:
        raise ConfigError([told(*fault) for fault in _faults_of(error)]) from None


def _read(path: Path) -> tuple[Any, Callable[[Key, object, str], str]]:
    """A file's document, and what makes a sentence of a fault's key, value and what is allowed."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
        raise ConfigError([f"{path}: {reason}; give the configuration with --config"]) from None
    try:
        document, lines = load_with_lines(text)
    except YamlError as error:
        raise ConfigError([f"{path}:{error}"]) from None

    def told(key: Key, value: object, allowed: str) -> str:
        shown = "" if value is _MISSING else f" is {_shown(_without_secrets(value, key))}"
        return f"{path}:{lines.get(key, lines.get(key[:-1], 1))}: {_dotted(key)}{shown}: {allowed}"

    return document, told


_MISSING = object()
_monitoring = TypeAdapter(Monitoring)
_KINDS: dict[str, type[BotEntry]] = {
    name: kind for kind in get_args(get_args(AnyBot)[0]) for name in get_args(kind.model_fields["type"].annotation)
}
_CREDENTIALS = ("username", "password_env", "password_file", "token_env", "token_file")


def _faults(document: object, folder: Path) -> Iterator[tuple[Key, object, str]]:
    """Every fault as key, value and what is allowed."""
    try:
        _monitoring.validate_python(document)
    except ValidationError as error:
        yield from _faults_of(error)
    if not isinstance(document, Mapping):
        return
    for section in sections.SECTIONS:
        found = sections.faults(section, document.get(section))
        yield from (((section, *path), value, allowed) for path, value, allowed in found)
    yield from _faults_together(document, folder)


def _faults_of(error: ValidationError) -> Iterator[tuple[Key, object, str]]:
    for e in error.errors(include_url=False):
        # The third part of a bot's key is its type.
        key = e["loc"][:2] + e["loc"][3:] if e["loc"][:1] == ("bots",) else e["loc"]
        yield key, _MISSING if e["type"] == "missing" else e["input"], _allowed(e["type"], e["msg"], key)


def _faults_together(document: Mapping[str, Any], folder: Path) -> Iterator[tuple[Key, object, str]]:
    """Faults of thresholds and bots beside each other."""
    own = document.get("thresholds", {})
    preset = document.get("preset")
    base = thresholds.defaults(preset if preset in PRESETS else PRESETS[0])
    found = list(_threshold_faults(("thresholds",), base, own))
    yield from found
    if isinstance(own, Mapping) and not found:
        base = thresholds.merged(base, own_thresholds(own))
    bots = document.get("bots")
    names: dict[str, int] = {}
    for index, bot in enumerate(bots if isinstance(bots, list) else []):
        if isinstance(bot, Mapping):
            yield from _bot_faults(("bots", index), bot, base, names, folder)
    found_bots = maintenance.unknown_bots(document.get("maintenance"), names)
    yield from ((("maintenance", *path), value, allowed) for path, value, allowed in found_bots)


def _bot_faults(
    key: Key, bot: Mapping[str, Any], base: Thresholds, names: dict[str, int], folder: Path
) -> Iterator[tuple[Key, object, str]]:
    """Faults that a bot's model doesn't see: beside other bots or thresholds, and outside the file."""
    name = bot.get("name")
    if isinstance(name, str):
        if name in names:
            yield (*key, "name"), name, f"is the name of bots[{names[name]}] already; each bot needs its own"
        names.setdefault(name, int(key[-1]))
    if own := bot.get("thresholds"):
        yield from _threshold_faults((*key, "thresholds"), base, own)
    kind, given = _KINDS.get(str(bot.get("type"))), {name: bot[name] for name in _CREDENTIALS if name in bot}
    if kind is None or not all(isinstance(value, str | None) for value in given.values()):
        return  # told before
    try:
        # Whatever else is wrong with the bot.
        secret_of(kind.model_construct(**given), folder)
    except ValueError as error:
        yield key, _MISSING, str(error)


def _threshold_faults(key: Key, base: Thresholds, given: object) -> Iterator[tuple[Key, object, str]]:
    """Faults of thresholds one by one, else of all of them together once they replace those of `base`."""
    if not isinstance(given, Mapping):
        return
    found = list(thresholds.faults(given))
    if not found:
        found = list(thresholds.order_faults(thresholds.merged(base, own_thresholds(given))))
    yield from ((key + path, value, allowed) for path, value, allowed in found)


def _allowed(kind: str, message: str, key: Key) -> str:
    if kind == "missing":
        return "is missing"
    if kind == "extra_forbidden" and len(key) == 2 and key[0] == "contacts":
        return f"unknown role; there are: {', '.join(ROLES)}"
    if kind == "extra_forbidden":
        return "unknown key; see docs/configuration.md for those that are known"
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return "type must be one of demo, file, freqtrade, http, push"
    if key[-1:] == ("name",) and kind == "string_pattern_mismatch":
        return "must not have line breaks, other control characters or U+FFFD"
    if kind == "too_short":
        return "must name at least one bot"
    if kind == "too_long":
        return re.sub(r".* (at most \d+) .*", r"must have \1 entries", message)
    if kind == "tuple_type":
        return "must be a list"
    if kind in ("dict_type", "model_type", "model_attributes_type"):
        return "must be a mapping of keys to values"
    words = message.removeprefix("Value error, ")
    return words.replace("Input should be", "must be").replace("String should have", "must have")


def _dotted(key: Key) -> str:
    """('bots', 0, 'url') as bots[0].url."""
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in key).lstrip(".") or "the file"


def _without_secrets(value: object, key: Key) -> object:
    """A value without what may be a password, for messages are logged."""
    last = str(key[-1]).lower() if key else ""
    secret = any(word in last for word in ("password", "secret", "token"))
    if secret and not re.fullmatch("(password|token)_(env|file)", last):
        return "(not shown)"
    if isinstance(value, Mapping):
        return {name: _without_secrets(each, (str(name),)) for name, each in value.items()}
    return re.sub("//.*@", "//(not shown)@", value, flags=re.DOTALL) if isinstance(value, str) else value


def _shown(value: object) -> str:
    if isinstance(value, str) and not value.isprintable():
        value = json.dumps(value)
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True).removesuffix("\n...\n").strip()
    return text if len(text) <= 80 else text[:77] + "..."
