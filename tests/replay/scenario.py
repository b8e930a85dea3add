"""A scenario as data: what happens to which bot, and which alerts must come of it; docs/replay.md has its keys."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from exporter import state
from exporter.state import REASONS
from tests.replay.spans import Span, Within, seconds, shown

# The calendar of 1970, where promtool's clock begins, is that of this year: both begin on a Thursday.
YEAR = 2026
_MONITORING: Mapping[str, Any] = {"preset": "experienced", "bots": [{"name": "my-bot", "type": "demo"}]}
_PARTS: Mapping[str, type[state.Values]] = {
    "bot": state.Bot,
    "trading": state.Trading,
    "model": state.Model,
    "market": state.Market,
    "system": state.System,
}
HOST = ("host.cpu_usage", "host.memory_usage", "host.disk_usage")
# Values that are a time; a scenario gives it as one of its own.
TIMES = (
    "bot.started_at",
    "bot.last_activity",
    "bot.data_updated_at",
    "trading.last_trade_time",
    "model.last_prediction_time",
    "model.last_retraining",
)


class Part(BaseModel):
    """A mapping of a scenario: no other keys than its own."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Ramp(Part):
    """A value that goes evenly from one to another while its event lasts."""

    begin: float = Field(alias="from")
    end: float = Field(alias="to")

    def at(self, share: float) -> float:
        """The value when a share of the time has gone by."""
        return self.begin + (self.end - self.begin) * share


def _known(key: str) -> str:
    part, _, name = key.partition(".")
    if key not in HOST and (part not in _PARTS or name not in _PARTS[part].model_fields):
        raise ValueError(f"{key} is no value of a bot; see docs/state-document.md for those there are")
    return key


def _reason(why: str) -> str:
    if why not in REASONS:
        raise ValueError(f"must be one of {', '.join(REASONS)}")
    return why


Key = Annotated[str, AfterValidator(_known)]
Value = Ramp | float | bool | str | None


class Event(Part):
    """What happens for a while, once or again and again."""

    bot: str | None = None
    begins: Span = Field(default=0, alias="from")
    ends: Span | None = Field(default=None, alias="until")
    every: Span | None = None
    lasts: Span | None = Field(default=None, alias="for")
    exporter: Literal["dead"] | None = None
    unreachable: Annotated[str, AfterValidator(_reason)] | None = None
    values: dict[Key, Value] = Field(default_factory=dict, alias="set")
    hold: tuple[Key, ...] = ()
    trades: Annotated[float, Field(ge=0, le=1)] = 1.0
    profit: Annotated[float, Field(ge=-0.03, le=0.03)] = 0.0

    @model_validator(mode="after")
    def _whole(self) -> Event:
        if (self.every is None) != (self.lasts is None):
            raise ValueError("every and for need each other")
        if self.every is not None and self.lasts is not None and not 0 < self.lasts < self.every:
            raise ValueError("for must be shorter than every")
        if self.ends is not None and self.ends <= self.begins:
            raise ValueError("until must be after from")
        for key in set(self.hold) & set(HOST):
            raise ValueError(f"{key} is the machine's, which stands still anyway; give it in set")
        for key, value in self.values.items():
            self._allowed(key, value)
        return self

    def _allowed(self, key: str, value: Value) -> None:
        if isinstance(value, Ramp):
            if self.ends is None or self.every is not None:
                raise ValueError(f"{key} goes from one value to another: the event needs until, and no every")
            self._allowed(key, value.begin)
            self._allowed(key, value.end)
            return
        if key in TIMES:
            seconds(value)
            return
        if key in HOST:
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
                raise ValueError(f"{key} must be 0 to 1")
            return
        part, _, name = key.partition(".")
        more = {"symbol": "any"} if part == "market" else {}
        try:
            _PARTS[part](**{name: value}, **more)
        except ValidationError as error:
            raise ValueError(f"{key} is {value!r}: {error.errors()[0]['msg']}") from None

    def holds(self, at: float) -> bool:
        """Whether it is going on at a time of the scenario."""
        if at < self.begins or (self.ends is not None and at >= self.ends):
            return False
        return self.every is None or self.lasts is None or (at - self.begins) % self.every < self.lasts

    def share(self, at: float) -> float:
        """How much of it has gone by."""
        return 0.0 if self.ends is None else (at - self.begins) / (self.ends - self.begins)


class Expected(Part):
    """An alert that must fire, or may."""

    alert: str
    severity: str
    bot: str | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    between: Within | None = None
    after: Span | None = None
    ends: Within | Literal["never"] | None = None
    times: Annotated[int, Field(ge=1)] | None = None
    told: bool = True
    optional: bool = False

    @model_validator(mode="after")
    def _whole(self) -> Expected:
        if (self.between is None) == (self.after is None):
            raise ValueError("needs between, such as [5m, 6m], or after")
        return self

    @property
    def window(self) -> tuple[float, float]:
        """The earliest and the latest time at which it may begin to fire."""
        return self.between or (float(self.after or 0), float("inf"))


def _moment(value: object) -> dt.datetime:
    try:
        moment = dt.datetime.fromisoformat(value) if isinstance(value, str) else value
        if isinstance(moment, dt.datetime) and moment.tzinfo is None and moment.year == YEAR:
            return moment.replace(tzinfo=dt.UTC)
    except ValueError:
        pass
    raise ValueError(f"must be a day and an hour of {YEAR} (UTC) such as {YEAR}-01-05 06:00")


class Scenario(Part):
    """What happens, and what must come of it."""

    name: str
    description: str
    lasts: Span
    step: Annotated[Span, Field(ge=10, le=60)] = 10
    begins: Annotated[dt.datetime, BeforeValidator(_moment)] = dt.datetime(YEAR, 1, 1, tzinfo=dt.UTC)
    monitoring: dict[str, Any] = Field(default_factory=lambda: dict(_MONITORING))
    story: tuple[Event, ...] = ()
    fires: tuple[Expected, ...] = ()

    @model_validator(mode="after")
    def _whole(self) -> Scenario:
        if self.lasts % self.step or (self.step % 10 and self.step != 15):
            raise ValueError("step must be 10s, 15s, 20s, 30s or 60s, and lasts a multiple of it")
        for number, event in enumerate(self.story):
            if event.begins >= self.lasts or (event.ends or 0) > self.lasts:
                raise ValueError(f"story.{number} is not over when the scenario is, which lasts {shown(self.lasts)}")
            if event.bot is not None and event.bot not in self.bots:
                raise ValueError(f"story.{number}.bot is {event.bot}: there are {', '.join(self.bots)}")
        return self

    @property
    def bots(self) -> list[str]:
        """The bots' names."""
        bots = self.monitoring.get("bots")
        return [str(bot.get("name")) for bot in bots if isinstance(bot, dict)] if isinstance(bots, list) else []

    def of(self, bot: str) -> list[Event]:
        """What happens to a bot."""
        return [event for event in self.story if event.bot in (None, bot)]

    def exporter_is_dead(self, at: float) -> bool:
        """Whether the exporter doesn't answer at a time."""
        return any(event.exporter is not None and event.holds(at) for event in self.story)
