"""The entries of monitoring.yml: which keys there are, and what each may be."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from exporter.config import sections, thresholds
from exporter.config.contacts import Told
from exporter.config.entry import Entry
from exporter.config.maintenance import Window
from exporter.config.reports import ReportsEntry, whole
from exporter.config.settings import Preset, duration
from exporter.config.thresholds import Thresholds
from exporter.config.webhooks import Webhooks
from exporter.figures.results import Limits
from exporter.sources.network import address


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError("must be a time zone's name such as UTC or Europe/Berlin") from None
    return name


def _url(forbidden: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        try:
            parts = urlsplit(value)
            valid = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:  # a port that is none
            valid = False
        if not valid or set(forbidden) & set(value) or not value.isprintable() or " " in value:
            raise ValueError("must be an address such as http://127.0.0.1:8080, without a password in it")
        return value

    return check


def _address(value: str) -> str:
    address(value)
    return value


def _absolute(value: str) -> str:
    if not PurePosixPath(value).is_absolute() or ".." in PurePosixPath(value).parts:
        raise ValueError("must be a path from the root, such as / or /data")
    return value


def own_thresholds(value: object) -> dict[str, Any]:
    """Thresholds as they stand in YAML, where a section with nothing in it is null."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError("must be a mapping of severities")
    return {severity: values for severity, values in value.items() if values is not None}


def _or_none(value: object) -> object:
    return () if value is None else value


def _choosable(name: str) -> str:
    """Grafana puts all bots' names into each query without escaping quotes: one such name would break every chart."""
    if '"' in name:
        raise ValueError("must not have a \" in it, which dashboards can't ask for; a ' can be")
    if name in ("All", "$__all"):
        raise ValueError("stands for all bots in the dashboards; give the bot another name")
    return name


Name = Annotated[
    str,
    # PromQL can't read U+FFFD: alerts of a bot with it in its name had no text. U+0085 to U+2029 break lines too.
    Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f\x{85}\x{2028}\x{2029}\x{FFFD}]+$"),
    AfterValidator(_choosable),
]
OwnThresholds = Annotated[dict[str, Any], BeforeValidator(own_thresholds)]
Path = Annotated[str, Field(min_length=1)]
StaleAfter = Annotated[float, Field(ge=10, le=86400), BeforeValidator(duration)]


class ProcessEntry(Entry):
    """Where a bot's process is found, for its use of processor and memory."""

    pid_file: Path | None = None
    name: Path | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> ProcessEntry:
        if (self.pid_file is None) == (self.name is None):
            raise ValueError("needs pid_file (a path) or name (of the program or script), one of them")
        return self


class BotEntry(Entry):
    """What every kind of bot may have."""

    name: Name
    thresholds: OwnThresholds = Field(default_factory=dict)
    process: ProcessEntry | None = None
    probes: Annotated[tuple[Annotated[str, AfterValidator(_address)], ...], Field(max_length=10, strict=False)] = ()


class DemoBot(BotEntry):
    """A simulated bot."""

    type: Literal["demo"]
    seed: int = 7


class FileBot(BotEntry):
    """A bot that writes a state document; a relative path counts from the configuration's folder."""

    type: Literal["file"]
    path: Path
    stale_after: StaleAfter = 180


class _WithSecret(BotEntry):
    """A bot whose password or token stands in a variable or a file, not here."""

    password_env: str | None = None
    password_file: str | None = None
    token_env: str | None = None
    token_file: str | None = None


class HttpBot(_WithSecret):
    """A bot that serves its state document."""

    type: Literal["http"]
    url: Annotated[str, AfterValidator(_url("@#"))]
    stale_after: StaleAfter = 180
    username: Path | None = None
    ca_file: Path | None = None


class PushBot(_WithSecret):
    """A bot that sends its state document, with its token."""

    type: Literal["push"]
    stale_after: StaleAfter = 180


class FreqtradeBot(_WithSecret):
    """A freqtrade bot with its API server switched on, and a state document beside it for what the API can't tell."""

    type: Literal["freqtrade"]
    url: Annotated[str, AfterValidator(_url("@?#"))]
    username: Path
    ca_file: Path | None = None
    state_file: Path | None = None
    stale_after: StaleAfter = 180


AnyBot = Annotated[DemoBot | FileBot | FreqtradeBot | HttpBot | PushBot, Field(discriminator="type")]


class HostEntry(Entry):
    """What is measured of the machine."""

    disks: Annotated[tuple[Annotated[str, AfterValidator(_absolute)], ...], Field(max_length=20, strict=False)] = ("/",)


class Monitoring(Told):
    """The whole of monitoring.yml."""

    preset: Preset = "beginner"
    timezone: Annotated[str, AfterValidator(_zone)] = "UTC"
    min_trades: Annotated[int, Field(ge=1, le=1000)] = 20
    min_days: Annotated[int, Field(ge=2, le=365)] = 7
    host: HostEntry = HostEntry()
    bots: Annotated[list[AnyBot], Field(min_length=1)]
    thresholds: OwnThresholds = Field(default_factory=dict)
    # As they stand in YAML; exporter/sections.py says what is allowed.
    sla: Any = None
    escalation: Any = None
    benchmarks: Any = None
    suggestions: Any = None
    health: Any = None
    groups: Any = None
    reports: Annotated[ReportsEntry, BeforeValidator(whole)] = ReportsEntry()
    maintenance: Annotated[tuple[Window, ...], BeforeValidator(_or_none), Field(max_length=200, strict=False)] = ()
    webhooks: Webhooks = ()

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of days, weeks and months."""
        return ZoneInfo(self.timezone)

    @property
    def limits(self) -> Limits:
        """How much must have happened before results are judged."""
        return Limits(self.min_trades, self.min_days)

    @cached_property
    def own_thresholds(self) -> Thresholds:
        """The file's thresholds: its own where it has some, else the preset's."""
        return thresholds.merged(thresholds.defaults(self.preset), self.thresholds)

    def thresholds_of(self, bot: BotEntry) -> Thresholds:
        """A bot's thresholds: its own where it has some, else the file's."""
        return thresholds.merged(self.own_thresholds, bot.thresholds)

    @property
    def targets(self) -> dict[str, float]:
        """What rules read beside the thresholds, by name."""
        given = {section: getattr(self, section) for section in sections.SECTIONS}
        return dict(sections.targets(self.preset, given))

    @property
    def groups_off(self) -> set[str]:
        """The groups of metrics that are not served."""
        return {group for group, value in sections.own("groups", self.groups).items() if value == "off"}

    def maintained(self, now: float) -> set[str]:
        """The bots whose calendar says maintenance."""
        windows = [window for window in self.maintenance if window.holds(now, self.zone)]
        return {bot.name for bot in self.bots if any(w.bots is None or bot.name in w.bots for w in windows)}
