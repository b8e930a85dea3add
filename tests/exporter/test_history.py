"""Sums over closed trades, against a naive recomputation on random histories."""

from __future__ import annotations

import datetime as dt
import math
import random
from collections import defaultdict
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.figures.daily import Daily
from exporter.figures.history import DURATION_BUCKETS, MOST_PAIRS, PROFIT_RATIO_BUCKETS, History, Summary, Trade

BERLIN = ZoneInfo("Europe/Berlin")
NOW = 1_790_000_000.0

_money = st.floats(-1000, 1000, allow_nan=False).map(lambda x: round(x, 2))
_trade = st.builds(
    Trade,
    id=st.integers(1, 10**6) | st.text(max_size=5),
    closed_at=st.floats(NOW - 40 * 86400, NOW).map(lambda t: round(t, 3)),
    profit=_money,
    opened_at=st.none() | st.floats(NOW - 50 * 86400, NOW),
    profit_ratio=st.none() | st.floats(-0.5, 0.5),
    pair=st.none() | st.sampled_from(["A/B", "C/D", "E/F"]),
    size=st.none() | st.floats(0, 1000),
    fees=st.none() | st.floats(0, 10),
)
# One time of closing belongs to one trade: in which order equal ones come is open.
_trades = st.lists(_trade, max_size=40, unique_by=(lambda t: t.id, lambda t: t.closed_at))


def summed(trades: list[Trade], capital: float | None = 1000.0, zone: ZoneInfo = BERLIN, now: float = NOW) -> Summary:
    history = History(zone)
    history.add(trades)
    return history.summary(now, capital)


def days_of(summary: Summary) -> dict[dt.date, float]:
    """The days that have a result."""
    daily = summary.daily
    results = [*daily.results, summary.day_profit]
    days = {daily.today - dt.timedelta(days=len(daily.results) - n): result for n, result in enumerate(results)}
    return {day: result for day, result in days.items() if result}


def close_to(value: float | dict[Any, float] | None) -> Any:
    return None if value is None else pytest.approx(value, rel=1e-9, abs=1e-7)


@given(_trades)
def test_against_a_naive_recomputation(trades: list[Trade]) -> None:
    summary = summed(trades)
    ordered = sorted(trades, key=lambda t: t.closed_at)
    profits = [t.profit for t in ordered]
    assert summary.count == len(trades)
    assert summary.wins == sum(p > 0 for p in profits)
    assert summary.losses == sum(p < 0 for p in profits)
    assert summary.draws == sum(p == 0 for p in profits)
    assert summary.profit == close_to(math.fsum(profits))
    assert summary.gross_profit == close_to(math.fsum(p for p in profits if p > 0))
    assert summary.gross_loss == close_to(-math.fsum(p for p in profits if p < 0))
    fees = [max(t.fees, 0.0) for t in trades if t.fees is not None]  # rebates are left out
    assert summary.fees == close_to(math.fsum(fees) if fees else None)
    ratios = [t.profit_ratio for t in trades if t.profit_ratio is not None]
    assert (summary.best, summary.worst) == (max(ratios, default=None), min(ratios, default=None))
    sizes = [t.size for t in trades if t.size is not None]
    assert summary.average_size == close_to(math.fsum(sizes) / len(sizes) if sizes else None)
    seconds = [t.closed_at - t.opened_at for t in trades if t.opened_at is not None and t.opened_at <= t.closed_at]
    assert summary.average_duration == close_to(math.fsum(seconds) / len(seconds) if seconds else None)
    for histogram, values, bounds in (
        (summary.durations, seconds, DURATION_BUCKETS),
        (summary.profit_ratios, ratios, PROFIT_RATIO_BUCKETS),
    ):
        edges = [-math.inf, *bounds, math.inf]
        expected = tuple(sum(low < v <= high for v in values) for low, high in pairwise(edges))
        assert histogram.counts == expected
        assert histogram.sum == close_to(math.fsum(values))
    by_day: dict[dt.date, float] = defaultdict(float)
    by_pair: dict[str, float] = defaultdict(float)
    for t in ordered:
        by_day[dt.datetime.fromtimestamp(t.closed_at, BERLIN).date()] += t.profit
        if t.pair is not None:
            by_pair[t.pair] += t.profit
    assert days_of(summary) == close_to({day: profit for day, profit in by_day.items() if profit})
    assert dict(summary.pair_profit) == close_to(dict(by_pair))
    assert list(summary.pair_profit) == list(by_pair)
    assert summary.pairs == len(by_pair)
    times = [t.closed_at for t in ordered]
    assert (summary.first_closed, summary.last_closed) == ((times[0], times[-1]) if times else (None, None))
    assert summary.closed_last_day == sum(t > NOW - 86400 for t in times)
    assert summary.closed_last_week == sum(t > NOW - 7 * 86400 for t in times)


@given(_trades, st.none() | st.floats(1, 5000))
def test_drawdown_against_a_naive_recomputation(trades: list[Trade], capital: float | None) -> None:
    summary = summed(trades, capital)
    curve, total = [0.0], 0.0
    for t in sorted(trades, key=lambda t: t.closed_at):
        total += t.profit
        curve.append(total)
    falls = [(max(curve[: n + 1]), max(curve[: n + 1]) - value) for n, value in enumerate(curve)]
    assert summary.peak_profit == close_to(max(curve))
    assert summary.worst_fall == close_to(max(fall for _, fall in falls))
    if capital is None:
        assert summary.worst_drawdown is None
    else:
        assert summary.worst_drawdown == close_to(max(min(fall / (capital + peak), 1) for peak, fall in falls))


@given(_trades)
def test_streaks_against_a_naive_recomputation(trades: list[Trade]) -> None:
    summary = summed(trades)
    signs = "".join(
        "+" if t.profit > 0 else "-" if t.profit < 0 else "0" for t in sorted(trades, key=lambda t: t.closed_at)
    )
    for sign, longest in (("+", summary.longest_wins), ("-", summary.longest_losses)):
        assert longest == max(n for n in range(len(signs) + 1) if sign * n in signs)


@given(_trades, st.randoms(use_true_random=False), st.integers(1, 7))
def test_order_pages_and_duplicates_change_nothing(trades: list[Trade], chance: random.Random, page: int) -> None:
    expected = summed(trades)
    shuffled = trades + chance.sample(trades, len(trades) // 2)
    chance.shuffle(shuffled)
    history = History(BERLIN)
    for start in range(0, len(shuffled), page):
        history.add(shuffled[start : start + page])
        if chance.random() < 0.3:
            history.summary(NOW, 1000.0)  # looking at it changes nothing either
    got = history.summary(NOW, 1000.0)
    assert len(history) == len(trades)
    for field in Summary.__dataclass_fields__:
        mine, theirs = getattr(got, field), getattr(expected, field)
        if field in ("durations", "profit_ratios"):
            assert mine.counts == theirs.counts
            assert mine.sum == close_to(theirs.sum)
        elif field == "daily":
            assert mine.today == theirs.today
            assert mine.results == pytest.approx(theirs.results, rel=1e-9, abs=1e-7)
        elif isinstance(mine, int | float | dict):
            assert mine == close_to(theirs), field
        else:
            assert mine == theirs, field


def trade(number: int, profit: float, closed_at: float | None = None) -> Trade:
    return Trade(number, closed_at if closed_at is not None else 1_780_000_000.0 + number, profit)


def test_nothing() -> None:
    summary = summed([])
    assert (summary.count, summary.profit, summary.worst_drawdown) == (0, 0, 0)
    assert (summary.fees, summary.best, summary.first_closed, summary.average_size) == (None, None, None, None)


def test_the_bounds_of_a_bucket_belong_to_it() -> None:
    counted = summed([Trade(1, NOW, 1.0, opened_at=NOW - 60, profit_ratio=0.0)])
    assert counted.durations.counts[0] == 1
    assert counted.profit_ratios.counts[PROFIT_RATIO_BUCKETS.index(0.0)] == 1


def test_a_draw_ends_a_streak() -> None:
    summary = summed([trade(n, p) for n, p in enumerate([1, 1, 0, 1, 1, 1, -1, -1, 0, -1])])
    assert (summary.longest_wins, summary.longest_losses, summary.draws) == (3, 2, 2)


def test_more_lost_than_there_was_is_a_drawdown_of_all() -> None:
    assert summed([trade(1, -5000)], 1000).worst_drawdown == 1


def test_the_capital_may_become_known_later() -> None:
    history = History(BERLIN)
    history.add([trade(1, 100), trade(2, -200)])
    assert history.summary(NOW, None).worst_drawdown is None
    assert history.summary(NOW, 1000).worst_drawdown == pytest.approx(200 / 1100)
    assert history.summary(NOW, 100).worst_drawdown == 1


def test_an_id_that_stands_for_another_trade() -> None:
    history = History(BERLIN)
    history.add([trade(1, 5)])
    assert history.knows(trade(1, 5))
    assert not history.knows(trade(2, 5))
    with pytest.raises(ValueError, match="trade 1 is not the one that it was"):
        history.knows(trade(1, 6))


@pytest.mark.parametrize("capital", [0, -5, -200])
def test_no_drawdown_of_a_capital_that_is_none(capital: float) -> None:
    assert summed([trade(1, 200), trade(2, -100)], capital).worst_drawdown is None


def test_of_one_id_the_first_counts() -> None:
    history = History(BERLIN)
    history.add([trade(1, 5), trade(1, 6)])
    history.add([trade(1, 7)])
    history.replace([trade(1, 5), trade(1, 6)])
    assert (len(history), history.summary(NOW, None).profit) == (1, 5)


_CHANGES: dict[str, Any] = {"closed_at": NOW - 1, "profit": -2.0, "opened_at": NOW - 99, "profit_ratio": -2.0}
_CHANGES |= {"pair": "C/D", "size": 7.0, "fees": None, "id": "1"}


@pytest.mark.parametrize("field", _CHANGES)
def test_replacing_by_trades_of_which_one_has_changed(field: str) -> None:
    """Also from -1 to -2, which Python gives the same hash."""
    before = [Trade(1, NOW - 50, -1.0, NOW - 80, -1.0, "A/B", 5.0, 0.5), trade(2, 3)]
    after = [before[0]._replace(**{field: _CHANGES[field]}), before[1]]
    history = History(BERLIN)
    history.replace(before)
    history.replace(after)
    assert history.summary(NOW, 1000.0) == summed(after)


@given(_trades, st.randoms(use_true_random=False))
def test_replacing_makes_the_history_equal_to_the_list(trades: list[Trade], chance: random.Random) -> None:
    history = History(BERLIN)
    for _ in range(4):
        some = chance.sample(trades, chance.randint(0, len(trades)))
        history.replace(iter(some))
        expected = summed(some)
        got = history.summary(NOW, 1000.0)
        assert (len(history), got.wins, got.losses, got.durations.counts) == (
            len(some),
            expected.wins,
            expected.losses,
            expected.durations.counts,
        )
        assert got.profit == close_to(expected.profit)
        assert got.daily.results == close_to(expected.daily.results)
        assert (got.first_closed, got.last_closed) == (expected.first_closed, expected.last_closed)
        assert all(history.knows(each) == (each in some) for each in trades)


def test_the_pairs_that_were_traded_first() -> None:
    """Whatever the order in which they are told; the others are counted."""
    trades = [Trade(n, 1_780_000_000.0 + n, 1.0, pair=f"P{n % 70}") for n in range(300)]
    expected = {f"P{n}": 5.0 if n < 20 else 4.0 for n in range(MOST_PAIRS)}
    for order in (trades, trades[::-1], trades[50:] + trades[:50]):
        history = History(BERLIN)
        for start in range(0, len(order), 40):
            history.add(order[start : start + 40])
            history.summary(NOW, None)
        summary = history.summary(NOW, None)
        assert list(summary.pair_profit.items()) == list(expected.items())
        assert summary.pairs == 70


def test_a_clock_that_was_set_back() -> None:
    """By some hours, before the last trades; by days, before all of them; and right again."""
    history = History(BERLIN)
    trades = [trade(n, 1.0, NOW - n * 3600) for n in range(100)]
    history.add(trades)
    before = history.summary(NOW, 1000.0)
    for back in (3 * 3600, 40 * 3600, 10 * 86400, 20 * 365 * 86400, 60 * 365 * 86400):
        now = NOW - back
        earlier = history.summary(now, 1000.0)
        assert (earlier.count, earlier.profit, earlier.last_closed) == (100, 100, NOW)
        assert earlier.closed_last_day == sum(now - 86400 < t.closed_at <= now for t in trades)
        assert earlier.closed_last_week == sum(now - 7 * 86400 < t.closed_at <= now for t in trades)
        assert earlier.day_profit + sum(earlier.daily.results) <= 100
        assert earlier.daily.risk is not None
        history.add([trades[0]])
    assert history.summary(NOW, 1000.0) == before


def at(text: str) -> float:
    return dt.datetime.fromisoformat(text).timestamp()


@pytest.mark.usefixtures("elsewhere")
def test_days_are_those_of_the_zone() -> None:
    """Around midnight, and on the days of 23 and 25 hours."""
    closings = {
        "2026-03-28T23:30:00+01:00": "2026-03-28",
        "2026-03-29T00:30:00+01:00": "2026-03-29",
        "2026-03-29T23:59:59+02:00": "2026-03-29",  # a day of 23 hours
        "2026-03-30T00:00:00+02:00": "2026-03-30",
        "2026-10-24T22:00:00+00:00": "2026-10-25",
        "2026-10-25T22:59:59+00:00": "2026-10-25",  # a day of 25 hours
        "2026-10-25T23:00:00+00:00": "2026-10-26",
    }
    trades = [Trade(n, at(time), 2.0**n) for n, time in enumerate(closings)]
    expected: dict[dt.date, float] = defaultdict(float)
    for n, day in enumerate(closings.values()):
        expected[dt.date.fromisoformat(day)] += 2.0**n
    assert days_of(summed(trades, now=at("2026-10-27T12:00:00+00:00"))) == expected
    assert summed([], now=at("2026-10-25T22:30:00+00:00")).daily == Daily(dt.date(2026, 10, 25))


def test_more_pairs_than_there_are_take_no_memory() -> None:
    history = History(ZoneInfo("UTC"))
    history.add(Trade(n, NOW + n, 1.0, pair=f"P{n}") for n in range(6000))
    summary = history.summary(NOW + 6000, None)
    assert (summary.count, summary.profit, summary.pairs) == (6000, 6000, 5000)
    assert list(summary.pair_profit) == [f"P{n}" for n in range(50)]
