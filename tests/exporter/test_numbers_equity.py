"""The curve of an account's value, held against pandas and empyrical on random curves and zones."""

from __future__ import annotations

import random
from typing import NamedTuple
from zoneinfo import ZoneInfo

import empyrical
import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from exporter.figures.equity import EquityCurve
from exporter.figures.results import Limits, complete
from exporter.figures.statistics import DAYS_A_YEAR, drawdown
from exporter.state import BotState
from tests.exporter.numbers import ZONES, equal

BERLIN = ZoneInfo("Europe/Berlin")
DAY = 86400.0
# Some days before the clocks change in one zone or another; the last in Lord Howe and Berlin.
_STARTS = (1_288_200_000, 1_324_500_000, 1_507_600_000, 1_679_400_000, 1_790_000_000)


class Point(NamedTuple):
    time: float
    value: float


@st.composite
def curves(draw: st.DrawFn) -> tuple[list[Point], str, float]:
    """Points in order, some at the same time; a zone, and a time at or after the last."""
    steps = draw(st.lists(st.integers(0, 3600) | st.integers(0, 3 * 86400), min_size=1, max_size=80))
    times = draw(st.sampled_from(_STARTS)) + np.cumsum(steps)
    values = draw(st.lists(st.integers(1, 500_000), min_size=len(steps), max_size=len(steps)))
    points = [Point(float(time), value / 100) for time, value in zip(times, values, strict=True)]
    return points, draw(st.sampled_from(ZONES)), float(times[-1]) + draw(st.integers(0, 9 * 86400))


@settings(max_examples=200)
@given(curves(), st.randoms(use_true_random=False))
def test_random_curves(curve: tuple[list[Point], str, float], chance: random.Random) -> None:
    points, zone, now = curve
    series = pd.Series(
        [point.value for point in points],
        index=pd.to_datetime([p.time for p in points], unit="s", utc=True).tz_convert(zone).tz_localize(None),
    )
    times = np.array([point.time for point in points])
    last_of_a_time = np.append(np.diff(times) > 0, True)
    known = series[last_of_a_time]
    # Any order will do, but for those at the same time.
    order = {time: chance.random() for time in times}
    summary = EquityCurve(sorted(points, key=lambda p: order[p.time]), ZoneInfo(zone)).summary(now)
    assert summary is not None
    assert (summary.value, summary.base) == (known.iloc[-1], known.iloc[0])
    falls = 1 - known / known.cummax()
    assert drawdown(summary.value, summary.peak) == equal(falls.iloc[-1], 10)
    expected = 0.0 if len(known) == 1 else -empyrical.max_drawdown(known.pct_change().dropna().to_numpy())
    assert summary.max_drawdown == equal(expected, 100)

    today = pd.Timestamp(now, unit="s", tz="UTC").tz_convert(zone).tz_localize(None).normalize()
    ends = known.groupby(known.index.normalize()).last()
    days = pd.date_range(ends.index[0], today - pd.Timedelta(days=1))
    ends = ends.reindex(days).ffill()
    before = ends.shift(fill_value=known.iloc[0])
    results = ends - before
    assert summary.daily.today == today.date()
    assert summary.daily.results == pytest.approx(tuple(results), rel=1e-9, abs=1e-8)

    got = complete(BotState(equity=summary), Limits(min_trades=1, min_days=2))
    if len(results) < 2:
        assert (got.sharpe_ratio, got.var_95, got.calmar_ratio) == (None, None, None)
        return
    largest = ends.max()
    assert got.var_95 == equal(-empyrical.value_at_risk(results, 0.05), 10 * largest)
    assert got.var_99 == equal(-empyrical.value_at_risk(results, 0.01), 10 * largest)
    assert got.expected_shortfall_95 == equal(-empyrical.conditional_value_at_risk(results, 0.05), 10 * largest)
    assert got.expected_shortfall_99 == equal(-empyrical.conditional_value_at_risk(results, 0.01), 10 * largest)
    returns = results / before
    # Of next to nothing its rounding is a large part.
    assume(before.min() > 1e-3 * largest)
    downside = empyrical.downside_risk(returns, annualization=1)
    assume(downside > 1e-6 * returns.abs().max())
    scale = 1000 * returns.abs().max() / downside
    assert got.sharpe_ratio == equal(empyrical.sharpe_ratio(returns, annualization=DAYS_A_YEAR), scale)
    assert got.sortino_ratio == equal(empyrical.sortino_ratio(returns, annualization=DAYS_A_YEAR), scale)
    # empyrical's own drawdown is of the days' ends, ours of every point.
    with np.errstate(over="ignore"):
        growth = empyrical.annual_return(returns, annualization=DAYS_A_YEAR)
    if growth < 1e100:
        assert got.calmar_ratio == equal(growth / expected, 1000 * (1 + growth) / expected)


def test_of_equal_times_the_later_in_the_list_counts() -> None:
    """The other is no peak either."""
    summary = EquityCurve([Point(5e8, 100), Point(9e8, 900), Point(9e8, 90)], BERLIN).summary(9e8)
    assert summary is not None
    assert (summary.value, summary.peak, summary.max_drawdown) == (90, 100, pytest.approx(0.1))


def test_no_point() -> None:
    assert EquityCurve([], BERLIN).summary(9e8) is None


def test_one_point() -> None:
    curve = EquityCurve([Point(9e8, 100)], BERLIN)
    summary = curve.summary(9e8 + 3 * DAY)
    assert summary is not None
    assert (summary.value, summary.base, summary.peak, summary.max_drawdown) == (100, 100, 100, 0)
    assert summary.daily.results == (0, 0, 0)
    assert summary.daily.growth(100) == (None, None, 0)


def test_never_above_zero() -> None:
    summary = EquityCurve([Point(9e8, -5), Point(9e8 + DAY, 0)], BERLIN).summary(9e8 + DAY)
    assert summary is not None
    assert (summary.peak, summary.max_drawdown) == (0, None)


def test_above_zero_for_a_while() -> None:
    summary = EquityCurve([Point(9e8, -5), Point(9e8 + 1, 10), Point(9e8 + 2, -20)], BERLIN).summary(9e8 + DAY)
    assert summary is not None
    assert (summary.peak, summary.max_drawdown) == (10, 1)


def test_a_clock_that_was_set_back() -> None:
    curve = EquityCurve([Point(9e8 + n * DAY, 100 + n) for n in range(10)], BERLIN)
    for now in (9e8 + 5 * DAY, 9e8, 9e8 - 20 * DAY, 0.0):
        summary = curve.summary(now)
        assert summary is not None
        assert summary.value == 109
        assert summary.daily.days == max(round((now - 9e8) / DAY), 0)
        assert summary.daily.growth(summary.base) is not None
