"""The curve of an account's value: its drawdown, and the results of its days with open positions counted."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol
from zoneinfo import ZoneInfo

from exporter.figures.daily import Calendar, Daily
from exporter.figures.statistics import drawdown


class Point(Protocol):
    """The account's value, in its currency, at a time in Unix seconds."""

    @property
    def time(self) -> float:
        """Unix seconds."""
        ...

    @property
    def value(self) -> float:
        """Money."""
        ...


@dataclass(frozen=True, slots=True)
class EquitySummary:
    """What a curve comes to. Money in the account's currency, ratios as fractions."""

    value: float  # the last
    base: float  # the first, which the first day's result came on top of
    peak: float  # the highest
    max_drawdown: float | None  # None as long as no value was above 0
    daily: Daily


class EquityCurve:
    """A curve of an account's value, read once.

    A day's result is its last value less that of the day before, the first day's its last less its first; a day
    without a point has the result 0. Money paid in or out is in it, for a curve doesn't tell it from a profit.

    Args:
        points: in any order; of those at the same time the later in the list counts.
        zone: the time zone of days.
    """

    def __init__(self, points: Iterable[Point], zone: ZoneInfo) -> None:
        ordered = sorted({point.time: point.value for point in points}.items())
        values = [value for _, value in ordered]
        self._calendar = Calendar(zone)
        self._value, self._base = (values[-1], values[0]) if values else (0.0, 0.0)
        self._peak, self._max_drawdown = max(values, default=0.0), _max_drawdown(values)
        closing = {self._calendar.date(time): value for time, value in ordered}
        self._first = min(closing, default=None)
        self._results = _results(closing, self._base)
        self._summary: EquitySummary | None = None

    def summary(self, now: float) -> EquitySummary | None:
        """What the curve comes to at a time; the same object all day long. None without a point.

        Args:
            now: Unix seconds. The curve's last value is the account's, whenever it was; the days end yesterday.
        """
        if self._first is None:
            return None
        today = self._calendar.date(now)
        if self._summary is None or self._summary.daily.today != today:
            days = max((today - self._first).days, 0)
            results = self._results[:days] + (0.0,) * (days - len(self._results))
            daily = Daily(today, results)
            self._summary = EquitySummary(self._value, self._base, self._peak, self._max_drawdown, daily)
        return self._summary


def _max_drawdown(values: list[float]) -> float | None:
    """The most that a value was below the highest before it, as a fraction of that."""
    worst = None
    peak = float("-inf")
    for value in values:
        peak = max(peak, value)
        now = drawdown(value, peak)
        if now is not None:
            worst = max(worst or 0.0, now)
    return worst


def _results(closing: dict[dt.date, float], base: float) -> tuple[float, ...]:
    """The result of each day from the first to the last that has a point."""
    results: list[float] = []
    first, before = min(closing, default=dt.date.min), base
    for date, value in sorted(closing.items()):
        results += [0.0] * ((date - first).days - len(results))
        results.append(value - before)
        before = value
    return tuple(results)
