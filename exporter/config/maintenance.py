"""The section `maintenance` of monitoring.yml: when a bot's alerts are muted and its SLA doesn't count the time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, time
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, model_validator

from exporter.config.entry import Entry
from exporter.config.schedule import DAYS, Recurring, hour, moment
from exporter.config.settings import duration

# A window that never ends would silence a bot for good.
_MINUTE, _DAILY_MOST, _WEEKLY_MOST = 60, 23 * 3600, 6 * 86400


def _bots(value: object) -> tuple[str, ...] | None:
    if value == "all":
        return None
    if not isinstance(value, list) or not value or not all(isinstance(name, str) for name in value):
        raise ValueError("must be all, or a list of bots' names")
    return tuple(value)


def _moment(value: object) -> datetime:
    allowed = "must be a day and an hour such as 2026-12-24 22:00"
    if isinstance(value, str) and len(value) > len("2026-12-24"):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(allowed) from None
    if not isinstance(value, datetime) or not 2000 <= value.year < 2100:
        raise ValueError(allowed)
    return value


def _every(value: object) -> str:
    day = value.lower() if isinstance(value, str) else ""
    if day != "daily" and day not in DAYS:
        raise ValueError("must be daily or a day such as sunday")
    return day


def _seconds(value: object) -> float:
    seconds = duration(value)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not _MINUTE <= seconds <= _WEEKLY_MOST:
        raise ValueError("must be a time from 1m to 6d such as 2h, or a number of seconds")
    return seconds


class Window(Entry):
    """One entry of the calendar: once, `from` and `until`; or again and again, `every`, `at` and `for`."""

    bots: Annotated[tuple[str, ...] | None, BeforeValidator(_bots)] = None  # None is all
    begins: Annotated[datetime | None, BeforeValidator(_moment)] = Field(default=None, alias="from")
    ends: Annotated[datetime | None, BeforeValidator(_moment)] = Field(default=None, alias="until")
    every: Annotated[str | None, BeforeValidator(_every)] = None
    at: Annotated[time | None, BeforeValidator(hour)] = None
    lasts: Annotated[float | None, BeforeValidator(_seconds)] = Field(default=None, alias="for")

    @model_validator(mode="after")
    def _whole(self) -> Window:
        given = self.model_fields_set - {"bots"}
        if given not in ({"begins", "ends"}, {"every", "at", "lasts"}):
            raise ValueError("needs from and until, or every, at and for")
        if self.begins and self.ends:
            if (self.begins.tzinfo is None) != (self.ends.tzinfo is None):
                raise ValueError("from and until must both say their zone, or neither")
            if self.begins >= self.ends:
                raise ValueError("until must be after from")
        if self.every == "daily" and self.lasts is not None and self.lasts > _DAILY_MOST:
            raise ValueError("for must be at most 23h where it is every day")
        return self

    def holds(self, now: float, zone: ZoneInfo) -> bool:
        """Whether it is maintenance now."""
        if self.begins and self.ends:
            return _timestamp(self.begins, zone) <= now < _timestamp(self.ends, zone)
        if self.at is None or self.lasts is None:
            return False
        weekday = None if self.every == "daily" else DAYS.index(self.every or "")
        # One that began earlier has ended, or ends before the latest does.
        return now < Recurring(self.at, weekday).latest(now, zone) + self.lasts


def _timestamp(given: datetime, zone: ZoneInfo) -> float:
    return moment(given, zone) if given.tzinfo is None else given.timestamp()


def unknown_bots(given: object, names: Mapping[str, Any]) -> Iterator[tuple[tuple[int | str, ...], object, str]]:
    """The windows' bots that are none: key, value and what is allowed."""
    for index, window in enumerate(given if isinstance(given, list) else []):
        bots = window.get("bots") if isinstance(window, Mapping) else None
        for number, name in enumerate(bots if isinstance(bots, list) else []):
            if isinstance(name, str) and name not in names:
                yield (index, "bots", number), name, f"no such bot; there are: {', '.join(names)}"
