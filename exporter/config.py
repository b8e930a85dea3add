"""monitoring.yml: which bots are watched, and when their owners are told.

All faults of a file are reported at once, each with its line, key, value and what is allowed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
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
    if not value.startswith(("http://", "https://")) or "@" in value.split("/")[2] or not value.split("/")[2]:
        raise ValueError("must be an address such as http://127.0.0.1:8080, without a password in it")
    return value


def _thresholds(value: object) -> object:
    # YAML 1.1 reads `off` as false.
    if not isinstance(value, dict):
        raise ValueError("must be a mapping of severities")
    return {
        severity: {n: "off" if v is False else v for n, v in values.items()} if isinstance(values, dict) else values
        for severity, values in value.items()
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
        shown = "" if value is _MISSING else f" is {_shown(value)}"
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
        monitoring: Monitoring | None = _monitoring.validate_python(document)
    except ValidationError as error:
        monitoring = None
        for e in error.errors(include_url=False):
            key = tuple(part for part in e["loc"] if part not in ("demo", "file", "freqtrade"))
            yield key, _MISSING if e["type"] == "missing" else e["input"], _allowed(e["type"], e["msg"], key)
    if not isinstance(document, Mapping):
        return
    yield from _threshold_faults(("thresholds",), document.get("thresholds"))
    bots = document.get("bots")
    for index, bot in enumerate(bots if isinstance(bots, list) else []):
        if isinstance(bot, Mapping):
            yield from _threshold_faults(("bots", index, "thresholds"), bot.get("thresholds"))
    if monitoring is not None:
        yield from _faults_of_valid(monitoring, folder)


def _threshold_faults(key: Key, given: object) -> Iterator[tuple[Key, object, str]]:
    if isinstance(given, Mapping):
        yield from ((key + path, value, allowed) for path, value, allowed in thresholds.faults(given))


def _faults_of_valid(monitoring: Monitoring, folder: Path) -> Iterator[tuple[Key, object, str]]:
    """Faults that show only between values, or outside the file."""
    if not any(True for _ in thresholds.faults(monitoring.thresholds)):
        own = thresholds.merged(thresholds.defaults(), monitoring.thresholds)
        for path, value, allowed in thresholds.order_faults(own):
            yield ("thresholds", *path), value, allowed
    seen: dict[str, int] = {}
    for index, bot in enumerate(monitoring.bots):
        key: Key = ("bots", index)
        if bot.name in seen:
            yield (*key, "name"), bot.name, f"is the name of bots[{seen[bot.name]}] already; each bot needs its own"
        seen.setdefault(bot.name, index)
        if bot.thresholds and not any(True for _ in thresholds.faults(bot.thresholds)):
            for path, value, allowed in thresholds.order_faults(monitoring.thresholds_of(bot)):
                yield (*key, "thresholds", *path), value, allowed
        if isinstance(bot, FreqtradeBot):
            try:
                password_of(bot, folder)
            except ValueError as error:
                yield key, _MISSING, str(error)


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
    return message.removeprefix("Value error, ")


def _dotted(key: Key) -> str:
    """('bots', 0, 'url') as bots[0].url."""
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in key).lstrip(".") or "the file"


def _shown(value: object) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True).removesuffix("\n...\n").strip()
    return text if len(text) <= 80 else text[:77] + "..."
