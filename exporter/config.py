"""monitoring.yml: which bots are watched, and when their owners are told.

All faults of a file are reported at once, each with its line, key, value and what is allowed.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from exporter import thresholds
from exporter.results import Limits
from exporter.thresholds import Thresholds
from exporter.yaml_lines import YamlError, load_with_lines

Key = tuple[str | int, ...]


class ConfigError(Exception):
    """A configuration that can't be used. `faults` are sentences naming file, line, key, value and what is allowed."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError("must be a time zone's name such as UTC or Europe/Berlin") from None
    return name


def _url(value: str) -> str:
    try:
        parts = urlsplit(value)
        valid = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port that is none
        valid = False
    if not valid or set("@?#") & set(value) or not value.isprintable() or " " in value:
        raise ValueError("must be an address such as http://127.0.0.1:8080, without a password in it")
    return value


def _thresholds(value: object) -> dict[str, Any]:
    # YAML reads a section whose lines are all commented out as null, and YAML 1.1 reads `off` as false.
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError("must be a mapping of severities")
    return {
        severity: {n: "off" if v is False else v for n, v in values.items()} if isinstance(values, dict) else values
        for severity, values in value.items()
        if values is not None
    }


Name = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")]
OwnThresholds = Annotated[dict[str, Any], BeforeValidator(_thresholds)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class _Bot(_Model):
    name: Name
    thresholds: OwnThresholds = Field(default_factory=dict)


class DemoBot(_Bot):
    """A simulated bot."""

    type: Literal["demo"]
    seed: int = 7


class FileBot(_Bot):
    """A bot that writes a state document; a relative path counts from the configuration's folder."""

    type: Literal["file"]
    path: Annotated[str, Field(min_length=1)]
    stale_after: Annotated[float, Field(ge=10, le=86400)] = 180


class FreqtradeBot(_Bot):
    """A freqtrade bot with its API server switched on. The password stands in a variable or a file, not here."""

    type: Literal["freqtrade"]
    url: Annotated[str, AfterValidator(_url)]
    username: Annotated[str, Field(min_length=1)]
    password_env: str | None = None
    password_file: str | None = None


BotConfig = Annotated[DemoBot | FileBot | FreqtradeBot, Field(discriminator="type")]


class Monitoring(_Model):
    """The whole of monitoring.yml."""

    timezone: Annotated[str, AfterValidator(_zone)] = "UTC"
    min_trades: Annotated[int, Field(ge=1, le=1000)] = 20
    min_days: Annotated[int, Field(ge=2, le=365)] = 7
    bots: Annotated[list[BotConfig], Field(min_length=1)]
    thresholds: OwnThresholds = Field(default_factory=dict)

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of days, weeks and months."""
        return ZoneInfo(self.timezone)

    @property
    def limits(self) -> Limits:
        """How much must have happened before results are judged."""
        return Limits(self.min_trades, self.min_days)

    def thresholds_of(self, bot: _Bot) -> Thresholds:
        """A bot's thresholds: its own where it has some, else the file's, else the defaults."""
        return thresholds.merged(thresholds.merged(thresholds.defaults(), self.thresholds), bot.thresholds)


def load(path: Path) -> Monitoring:
    """Read and validate a configuration.

    Raises:
        ConfigError: with every fault.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
        raise ConfigError([f"{path}: {reason}; give the configuration with --config"]) from None
    try:
        document, lines = load_with_lines(text)
    except YamlError as error:
        raise ConfigError([f"{path}:{error}"]) from None

    def fault(key: Key, value: object, allowed: str) -> str:
        shown = "" if value is _MISSING else f" is {_shown(_without_secrets(value, key))}"
        return f"{path}:{lines.get(key, lines.get(key[:-1], 1))}: {_dotted(key)}{shown}: {allowed}"

    found = [fault(*f) for f in _faults(document, path.parent)]
    if found:
        raise ConfigError(found)
    return _monitoring.validate_python(document)


_MISSING = object()
_monitoring = TypeAdapter(Monitoring)


def _faults(document: object, folder: Path) -> Iterator[tuple[Key, object, str]]:
    """Every fault as key, value and what is allowed."""
    try:
        _monitoring.validate_python(document)
    except ValidationError as error:
        for e in error.errors(include_url=False):
            # The third part of a bot's key is its type.
            key = e["loc"][:2] + e["loc"][3:] if e["loc"][:1] == ("bots",) else e["loc"]
            yield key, _MISSING if e["type"] == "missing" else e["input"], _allowed(e["type"], e["msg"], key)
    if not isinstance(document, Mapping):
        return
    own = document.get("thresholds", {})
    base = thresholds.defaults()
    found = list(_threshold_faults(("thresholds",), base, own))
    yield from found
    if isinstance(own, Mapping) and not found:
        base = thresholds.merged(base, _thresholds(own))
    bots = document.get("bots")
    names: dict[str, int] = {}
    for index, bot in enumerate(bots if isinstance(bots, list) else []):
        if isinstance(bot, Mapping):
            yield from _bot_faults(("bots", index), bot, base, names, folder)


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
    sources: dict[str, Any] = {k: bot.get(k) for k in ("password_env", "password_file")}
    if bot.get("type") == "freqtrade" and all(isinstance(each, str | None) for each in sources.values()):
        try:
            password_of(FreqtradeBot.model_construct(**sources), folder)
        except ValueError as error:
            yield key, _MISSING, str(error)


def _threshold_faults(key: Key, base: Thresholds, given: object) -> Iterator[tuple[Key, object, str]]:
    """Faults of thresholds one by one, else of all of them together once they replace those of `base`."""
    if not isinstance(given, Mapping):
        return
    found = list(thresholds.faults(given))
    if not found:
        found = list(thresholds.order_faults(thresholds.merged(base, _thresholds(given))))
    yield from ((key + path, value, allowed) for path, value, allowed in found)


def password_of(bot: FreqtradeBot, folder: Path) -> str:
    """The bot's password, from its variable or file.

    Raises:
        ValueError: neither or both are given, or what is given holds none. Never shows a password.
    """
    if (bot.password_env is None) == (bot.password_file is None):
        raise ValueError("needs password_env (a variable's name, set in .env) or password_file (a path), one of them")
    if bot.password_env is not None:
        password = os.environ.get(bot.password_env, "")
        if not password:
            raise ValueError(f"password_env names {bot.password_env}, which is not set; set it in .env")
        return password
    path = folder / str(bot.password_file)
    try:
        password = path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"password_file {path} can't be read: {getattr(error, 'strerror', None) or error}") from None
    if not password:
        raise ValueError(f"password_file {path} is empty")
    return password


def _allowed(kind: str, message: str, key: Key) -> str:
    if kind == "missing":
        return "is missing"
    if kind == "extra_forbidden":
        return "unknown key; see docs/configuration.md for those that are known"
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return "type must be one of demo, file, freqtrade"
    if key[-1:] == ("name",) and kind == "string_pattern_mismatch":
        return "must not have line breaks or other control characters"
    if kind == "too_short":
        return "must name at least one bot"
    if kind in ("dict_type", "model_type", "model_attributes_type"):
        return "must be a mapping of keys to values"
    return message.removeprefix("Value error, ").replace("Input should be", "must be")


def _dotted(key: Key) -> str:
    """('bots', 0, 'url') as bots[0].url."""
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in key).lstrip(".") or "the file"


def _without_secrets(value: object, key: Key) -> object:
    """A value without what may be a password, for messages are logged."""
    last = str(key[-1]).lower() if key else ""
    if any(word in last for word in ("password", "secret", "token")) and last not in ("password_env", "password_file"):
        return "(not shown)"
    if isinstance(value, Mapping):
        return {name: _without_secrets(each, (str(name),)) for name, each in value.items()}
    return re.sub("//.*@", "//(not shown)@", value, flags=re.DOTALL) if isinstance(value, str) else value


def _shown(value: object) -> str:
    if isinstance(value, str) and not value.isprintable():
        value = json.dumps(value)
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True).removesuffix("\n...\n").strip()
    return text if len(text) <= 80 else text[:77] + "..."
