"""The section `reports` of monitoring.yml: when the daily and the weekly report are due."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import time
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator

from exporter.config.entry import Entry
from exporter.config.schedule import Recurring, hour, weekly
from exporter.config.settings import switched

Report = Recurring | Literal["off"]

_DAILY, _WEEKLY = Recurring(time(8)), Recurring(time(8), 0)


def _or_off(default: Recurring, read: Callable[[object], Recurring]) -> Callable[[object], Report]:
    def check(value: object) -> Report:
        said = switched(value)
        if said == "on":
            return default
        if said == "off":
            return "off"
        try:
            return read(value)
        except ValueError as error:
            raise ValueError(f"{error}, on or off") from None

    return check


_Daily = Annotated[Report, BeforeValidator(_or_off(_DAILY, lambda value: Recurring(hour(value))))]
_Weekly = Annotated[Report, BeforeValidator(_or_off(_WEEKLY, weekly))]


class ReportsEntry(Entry):
    """When reports are due, in the configured zone."""

    daily: _Daily = _DAILY
    weekly: _Weekly = _WEEKLY

    def due(self, now: float, zone: ZoneInfo) -> Iterator[tuple[str, float]]:
        """Each report that is on, with the latest moment at which it was due."""
        for name, report in (("daily", self.daily), ("weekly", self.weekly)):
            if report != "off":
                yield name, report.latest(now, zone)


def whole(value: object) -> object:
    """The section as a mapping, where it is on, off or empty."""
    said = switched(value)
    if said is not None:
        return {"daily": said, "weekly": said}
    return {} if value is None else value
