"""Calendar days in a time zone, and what a bot's finished days come to."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple
from zoneinfo import ZoneInfo

from exporter.figures import statistics

_DAY = 86400


class Calendar:
    """Tells the date of a time in a zone; quickly for times of the same day as the one before."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._day = (0, 0, dt.date.min)  # first second, first second after it, date

    def date(self, time: float) -> dt.date:
        """The date in the zone at a time in Unix seconds."""
        start, end, date = self._day
        if not start <= time < end:
            self._day = _, _, date = self._look_up(math.floor(time))
        return date

    def _look_up(self, second: int) -> tuple[int, int, dt.date]:
        local = dt.datetime.fromtimestamp(second, self._zone)
        start = second - (local.hour * 3600 + local.minute * 60 + local.second)
        end = start + _DAY
        for edge in (start, end - 1):
            if dt.datetime.fromtimestamp(edge, self._zone).utcoffset() != local.utcoffset():
                # The clocks change on this day, at whatever hour: nothing is known but this second.
                return second, second + 1, local.date()
        return start, end, local.date()


class Risk(NamedTuple):
    """What one day may cost, in money; a loss is positive. See `statistics`."""

    var_95: float | None
    var_99: float | None
    expected_shortfall_95: float | None
    expected_shortfall_99: float | None


class Growth(NamedTuple):
    """How a capital grew by the days' results. See `statistics`."""

    sharpe_ratio: float | None
    sortino_ratio: float | None
    annual_growth: float | None


@dataclass(frozen=True)
class Daily:
    """A bot's results of its finished days, and figures from them, each computed once when it is first asked for.

    Args:
        today: the running day, which is not among them.
        results: in money, of each calendar day from the first to yesterday; 0 where nothing happened.
    """

    today: dt.date
    results: tuple[float, ...] = ()
    # The last one asked for: a capital that changes at times doesn't fill the memory.
    _growth: dict[float, Growth] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def days(self) -> int:
        """How many days are finished."""
        return len(self.results)

    @cached_property
    def week(self) -> float:
        """Sum of the running week's finished days, from Monday, in money."""
        return self._sum_of_last(self.today.weekday())

    @cached_property
    def month(self) -> float:
        """Sum of the running month's finished days, in money."""
        return self._sum_of_last(self.today.day - 1)

    def _sum_of_last(self, days: int) -> float:
        return math.fsum(self.results[-days:]) if days else 0.0

    @cached_property
    def risk(self) -> Risk:
        """Value at risk and expected shortfall of a day, in money; all None without a day."""
        ordered = sorted(self.results)
        return Risk(
            statistics.value_at_risk(ordered, 0.95),
            statistics.value_at_risk(ordered, 0.99),
            statistics.expected_shortfall(ordered, 0.95),
            statistics.expected_shortfall(ordered, 0.99),
        )

    def growth(self, capital: float) -> Growth:
        """Sharpe and Sortino ratio and growth a year; all None where the capital was used up.

        Args:
            capital: at the first day's start, in money.
        """
        growth = self._growth.get(capital)
        if growth is None:
            returns = statistics.daily_returns(self.results, capital) or []
            growth = Growth(
                statistics.sharpe_ratio(returns),
                statistics.sortino_ratio(returns),
                statistics.annual_growth(returns),
            )
            self._growth.clear()
            self._growth[capital] = growth
        return growth
