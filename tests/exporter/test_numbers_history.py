"""All figures of closed trades, held against pandas and empyrical: random histories, zones and ways of telling them."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import empyrical
import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from exporter.figures.daily import Calendar
from exporter.figures.history import History, Summary, Trade
from exporter.figures.results import Limits, complete
from exporter.figures.statistics import DAYS_A_YEAR
from exporter.state import BotState, Trading
from tests.exporter.numbers import ZONES, equal

ALL = Limits(min_trades=1, min_days=2)
CAPITAL = 1000.0
HOUR = 3600
# Days around a change of the clocks of each zone, and days without one.
_STARTS = tuple(
    dt.datetime.fromisoformat(f"{day}T00:00+00:00").timestamp()
    for day in ("2010-10-28", "2011-03-10", "2011-12-20", "2017-10-10", "2023-03-20", "2026-03-25", "2026-06-01")
)

_money = st.integers(-5000, 5000).map(lambda cents: cents / 100)
_trades = st.lists(
    st.tuples(
        st.integers(0, 40 * 24 * HOUR * 1000),  # closing, in ms after the start
        _money | st.just(0.0),
        st.none() | st.integers(-HOUR, 100 * HOUR),  # how long it was open; an opening after the closing counts as 0
        st.none() | st.floats(-0.5, 0.5),
        st.none() | st.sampled_from(["A/B", "C/D", "E/F"]),
        st.none() | _money.map(abs),
        st.none() | _money.map(abs),
    ),
    min_size=1,
    max_size=80,
    unique_by=lambda row: row[0],  # of equal times it is open which comes first
)


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Trade], str, float]:
    """Trades in order of closing, a zone, and a time at or after the last closing."""
    start = draw(st.sampled_from(_STARTS))
    rows = sorted(draw(_trades), key=lambda row: row[0])
    times = [(start * 1000 + row[0]) / 1000 for row in rows]
    trades = [
        Trade(n, time, profit, None if held is None else time - held, *others)
        for n, (time, (_, profit, held, *others)) in enumerate(zip(times, rows, strict=True))
    ]
    return trades, draw(st.sampled_from(ZONES)), times[-1] + draw(st.integers(0, 10 * 24 * HOUR))


def pages(trades: list[Trade], chance: random.Random) -> Iterator[list[Trade]]:
    """The trades in order, newest first in pages that overlap, or shuffled with some of them twice."""
    way = chance.choice(["in order", "newest first", "shuffled"])
    told = list(trades)
    if way == "newest first":
        told.reverse()
    if way == "shuffled":
        told += chance.sample(told, len(told) // 2)
        chance.shuffle(told)
    size = chance.randint(1, 20)
    for start in range(0, len(told), size):
        yield told[max(start - 1, 0) : start + size]


def summed(trades: list[Trade], zone: str, now: float, chance: random.Random) -> Summary:
    history = History(ZoneInfo(zone))
    for page in pages(trades, chance):
        history.add(page)
        if chance.random() < 0.2:
            history.summary(now - chance.randint(0, 5 * 86400), CAPITAL)
    return history.summary(now, CAPITAL)


def frame(trades: list[Trade], zone: str) -> pd.DataFrame:
    """The trades as a table by local time."""
    table = pd.DataFrame(trades)
    milliseconds = (table.closed_at * 1000).round().astype("int64")
    table.index = pd.to_datetime(milliseconds, unit="ms", utc=True).dt.tz_convert(zone).dt.tz_localize(None)
    return table


def local(now: float, zone: str) -> pd.Timestamp:
    return pd.Timestamp(now, unit="s", tz="UTC").tz_convert(zone).tz_localize(None)


def by_day(table: pd.DataFrame, today: pd.Timestamp) -> pd.Series:
    """The result of each day from the first to yesterday."""
    results = table.profit.groupby(table.index.normalize()).sum()
    return results.reindex(pd.date_range(results.index[0], today - pd.Timedelta(days=1)), fill_value=0.0)


def mean(values: pd.Series) -> float | None:
    known = values.dropna().astype(float)
    return known.mean() if len(known) else None


@settings(max_examples=120)
@given(histories(), st.randoms(use_true_random=False))
def test_counts_sums_and_averages(history: tuple[list[Trade], str, float], chance: random.Random) -> None:
    trades, zone, now = history
    got = complete(BotState(trades=summed(trades, zone, now, chance)), ALL)
    table = frame(trades, zone)
    won, lost = table.profit[table.profit > 0], table.profit[table.profit < 0]
    gross = table.profit.abs().sum()
    assert (got.total_trades, got.winning_trades, got.losing_trades) == (len(table), len(won), len(lost))
    assert got.win_rate == equal((table.profit > 0).mean())
    assert got.realized_profit_loss == equal(table.profit.sum(), gross)
    assert got.expectancy == equal(table.profit.mean(), gross)
    assert got.profit_factor == equal(won.sum() / -lost.sum() if len(lost) else None)
    assert got.fees == equal(table.fees.clip(lower=0).sum() if table.fees.notna().any() else None)
    assert got.position_size_avg == equal(mean(table["size"]))
    # A trade that closes before it opens is a slip.
    durations = table.closed_at - table.opened_at.astype(float)
    assert got.position_duration_avg == equal(mean(durations[durations >= 0]), 1e9)
    ratios = table.profit_ratio.dropna()
    assert got.best_trade == (ratios.max() if len(ratios) else None)
    assert got.worst_trade == (ratios.min() if len(ratios) else None)
    pairs = table.dropna(subset=["pair"]).groupby("pair", sort=False).profit.sum()
    served = summed(trades, zone, now, chance).pair_profit
    assert list(served) == list(pairs.index)
    assert list(served.values()) == pytest.approx(list(pairs), rel=1e-9, abs=1e-9)


@settings(max_examples=120)
@given(histories(), st.randoms(use_true_random=False))
def test_streaks_and_falls(history: tuple[list[Trade], str, float], chance: random.Random) -> None:
    trades, zone, now = history
    summary = summed(trades, zone, now, chance)
    table = frame(trades, zone)
    sign = np.sign(table.profit)
    runs = sign.groupby((sign != sign.shift()).cumsum()).agg(["first", "size"])
    for value, longest in ((1, summary.longest_wins), (-1, summary.longest_losses)):
        assert longest == runs["size"][runs["first"] == value].max() if (sign == value).any() else longest == 0
    account = pd.Series([0.0, *table.profit.cumsum()]) + CAPITAL
    gross = table.profit.abs().sum() + CAPITAL
    fall = (account.cummax() - account).max()
    assert summary.worst_fall == equal(fall, gross)
    # empyrical goes below -1 where more was lost than there was.
    assume(account.min() > 0)
    expected = -empyrical.max_drawdown(account.pct_change().dropna())
    assert summary.worst_drawdown == equal(expected, 100)
    got = complete(BotState(trades=summary), ALL)
    # What is 0 but for rounding is no fall.
    assume(fall == 0 or fall > 1e-3)
    if fall or summary.worst_fall == 0:
        assert got.recovery_factor == equal(table.profit.sum() / fall if fall else None, gross / (fall or 1))


@settings(max_examples=200)
@given(histories(), st.randoms(use_true_random=False))
def test_days_weeks_and_months(history: tuple[list[Trade], str, float], chance: random.Random) -> None:
    trades, zone, now = history
    summary = summed(trades, zone, now, chance)
    table, moment = frame(trades, zone), local(now, zone)
    today = moment.normalize()
    gross = table.profit.abs().sum()
    results = by_day(table, today)
    assert summary.daily.today == today.date()
    assert summary.daily.results == pytest.approx(tuple(results), rel=1e-9, abs=1e-13 * gross)
    got = complete(BotState(trades=summary), ALL)
    for period, value in (("D", got.daily_pnl), ("W-SUN", got.weekly_pnl), ("M", got.monthly_pnl)):
        same = table.index.to_period(period) == moment.to_period(period)
        assert value == equal(table.profit[same].sum(), gross)
    closed = table.closed_at
    full_day, full_week = now - closed.min() >= 86400, now - closed.min() >= 7 * 86400
    assert got.trades_per_hour == ((closed > now - 86400).sum() / 24 if full_day else None)
    assert got.trades_per_day == ((closed > now - 7 * 86400).sum() / 7 if full_week else None)


@settings(max_examples=200)
@given(histories(), st.randoms(use_true_random=False))
def test_ratios_and_risk_of_the_days(history: tuple[list[Trade], str, float], chance: random.Random) -> None:
    trades, zone, now = history
    results = by_day(frame(trades, zone), local(now, zone).normalize())
    assume(len(results) >= ALL.min_days)
    stated = Trading(initial_capital=CAPITAL, max_drawdown=0.25)
    got = complete(BotState(trading=stated, trades=summed(trades, zone, now, chance)), ALL)
    largest = results.abs().max()
    # A loss is negative there, positive here.
    assert got.var_95 == equal(-empyrical.value_at_risk(results, 0.05), 10 * largest)
    assert got.var_99 == equal(-empyrical.value_at_risk(results, 0.01), 10 * largest)
    assert got.expected_shortfall_95 == equal(-empyrical.conditional_value_at_risk(results, 0.05), 10 * largest)
    assert got.expected_shortfall_99 == equal(-empyrical.conditional_value_at_risk(results, 0.01), 10 * largest)
    before = CAPITAL + results.cumsum().shift(fill_value=0.0)
    # None is served of a capital that was used up, and of next to nothing its rounding is a large part.
    assume(before.min() > 1)
    returns = results / before
    assume(returns.std() == 0 or returns.std() > 1e-6 * returns.abs().max())
    expected = {
        "sharpe_ratio": empyrical.sharpe_ratio(returns, annualization=DAYS_A_YEAR),
        "sortino_ratio": empyrical.sortino_ratio(returns, annualization=DAYS_A_YEAR),
    }
    downside = empyrical.downside_risk(returns, annualization=1) or 1.0
    assume(downside > 1e-9)
    for key, ratio in expected.items():
        assert getattr(got, key) == equal(ratio if np.isfinite(ratio) else None, 20 * returns.abs().max() / downside)
    # empyrical's drawdown is of the days' ends; ours sees every trade, or is as stated.
    growth = empyrical.annual_return(returns, annualization=DAYS_A_YEAR) if returns.min() > -1 else np.nan
    assert got.calmar_ratio == equal(growth / 0.25 if np.isfinite(growth) else None, 1000 * (1 + growth))


@settings(max_examples=300)
@given(
    st.sampled_from(ZONES),
    st.sampled_from([*_STARTS, 946_684_800.0, 2_000_000_000.0]),
    st.lists(st.integers(-2 * HOUR, 30 * HOUR) | st.integers(-90, 90), max_size=60),
)
def test_dates_in_a_zone(zone: str, start: float, steps: list[int]) -> None:
    """One after another, mostly of the same day."""
    calendar = Calendar(ZoneInfo(zone))
    times = pd.Series(np.cumsum([start, *steps]))
    dates = pd.to_datetime(times, unit="s", utc=True).dt.tz_convert(zone).dt.date
    assert [calendar.date(time) for time in times] == list(dates)


@pytest.mark.parametrize("zone", ZONES)
def test_each_quarter_of_an_hour_for_years(zone: str) -> None:
    calendar = Calendar(ZoneInfo(zone))
    quarters = np.arange(_STARTS[0], _STARTS[0] + 500 * 86400, 900)
    times = pd.Series(np.sort([*quarters, *(quarters - 0.125)]))
    dates = pd.to_datetime(times, unit="s", utc=True).dt.tz_convert(zone).dt.date
    assert [calendar.date(time) for time in times] == list(dates)
