"""What a scrape of a bot with a long history costs, counted in steps and bytes, not in time."""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Callable
from types import FrameType
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from exporter.figures import daily
from exporter.figures.course import Course
from exporter.figures.equity import EquityCurve
from exporter.figures.histogram import Buckets
from exporter.figures.history import History, Trade
from exporter.figures.results import Limits, complete
from exporter.schema import EquityPoint
from exporter.state import BotState, Position, Trading

BERLIN = ZoneInfo("Europe/Berlin")
NOW = 1_790_000_000.0
DAY = 86400.0
CAPITAL = 10_000.0
FEW, MANY = 100, 100_000
# The same falls again and again: how many there are has no bearing on the worst.
_PROFITS = (3.0, -1.0, 2.0, 0.0, -2.5, 1.5)


def trades_of(count: int) -> list[Trade]:
    """Two hours apart, the last two hours ago: so many more days, and pairs, the more there are."""
    return [
        Trade(
            id=n,
            closed_at=NOW - (count - n) * 7200,
            profit=_PROFITS[n % 6],
            opened_at=NOW - (count - n) * 7200 - 60,
            profit_ratio=0.01,
            pair=f"P{n % (count // 2)}",
            size=5.0,
            fees=0.1,
        )
        for n in range(count)
    ]


@pytest.fixture(scope="module")
def histories() -> tuple[History, History]:
    """A short and a long one, each read before, half a minute ago."""
    made = []
    for count in (FEW, MANY):
        history = History(BERLIN)
        history.add(trades_of(count))
        scrape(history, NOW - 30)
        made.append(history)
    return made[0], made[1]


def scrape(history: History, now: float, more: tuple[Trade, ...] = ()) -> Trading:
    history.add(more)
    trading = Trading(initial_capital=CAPITAL)
    positions = (Position(pair="P", size=1, profit=1),)
    trades = history.summary(now, CAPITAL)
    return complete(BotState(trading=trading, trades=trades, positions=positions), Limits())


def steps(work: Callable[[], object]) -> int:
    """How many lines of Python, calls, and calls of built-in functions something takes."""
    count = 0

    def line(*_: Any) -> Callable[..., Any]:
        nonlocal count
        count += 1
        return line

    def call(_: FrameType, event: str, __: Any) -> None:
        nonlocal count
        count += event.endswith("call")

    before = sys.gettrace()
    sys.settrace(line)
    sys.setprofile(call)
    try:
        work()
    finally:
        sys.setprofile(None)
        sys.settrace(before)
    return count


def test_a_scrape_costs_the_same_however_long_the_history(histories: tuple[History, History]) -> None:
    few, many = (steps(lambda h=history: scrape(h, NOW)) for history in histories)  # type: ignore[misc]
    assert few == many < 1000


def test_so_does_a_scrape_that_finds_a_new_trade(histories: tuple[History, History]) -> None:
    new = (Trade(MANY + 1, NOW + 1, -1.0, NOW - 60, 0.01, "P1", 5.0, 0.1),)
    few, many = (steps(lambda h=history: scrape(h, NOW + 2, new)) for history in histories)  # type: ignore[misc]
    assert few == many < 1500


def test_it_is_told_of_the_first_pairs_only(histories: tuple[History, History]) -> None:
    summary = histories[1].summary(NOW, CAPITAL)
    assert (len(summary.pair_profit), summary.pairs) == (50, 5_000)
    assert summary.pair_profit is histories[1].summary(NOW + 60, CAPITAL).pair_profit


def test_a_trade_takes_little_memory() -> None:
    trades = trades_of(20_000)
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        history = History(BERLIN)
        history.add([trade._replace(pair="P") for trade in trades])
        history.summary(NOW, CAPITAL)
        assert (tracemalloc.get_traced_memory()[0] - before) / len(history) < 60
    finally:
        tracemalloc.stop()


@pytest.fixture
def followed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many profits were followed at each time."""
    counts: list[int] = []
    follow = Course.follow

    def counted(self: Course, profits: Any) -> None:
        counts.append(len(profits))
        follow(self, profits)

    monkeypatch.setattr(Course, "follow", counted)
    return counts


def test_pages_newest_first_are_counted_anew_once(followed: list[int]) -> None:
    history = History(BERLIN)
    trades = trades_of(1000)
    for start in range(900, -1, -100):
        history.add(trades[start : start + 100][::-1])
    assert followed == [100]
    history.summary(NOW, CAPITAL)
    history.summary(NOW, CAPITAL)
    assert followed == [100, 1000]


def test_a_late_trade_is_summed_up_once_and_the_others_are_not(
    followed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    history = History(BERLIN)
    history.add(trades_of(1000))
    observed: list[int] = []
    monkeypatch.setattr(Buckets, "observe_all", lambda _, values: observed.append(len(values)))
    history.add([Trade(5000, NOW - 10 * DAY, 5.0, NOW - 11 * DAY, 0.1, "P1", 5.0, 0.1)])
    history.summary(NOW, CAPITAL)
    assert (followed, observed) == ([1000, 1001], [1, 1, 1])


def test_a_new_version_of_a_list_costs_what_is_new(followed: list[int]) -> None:
    history = History(BERLIN)
    trades = trades_of(1000)
    for count in (990, 990, 1000, 1000):
        history.replace(trades[:count])
    assert followed == [990, 10]
    history.replace(trades[10:])
    assert followed == [990, 10, 990]


def test_days_are_the_same_until_one_of_them_changes() -> None:
    history = History(BERLIN)
    history.add(trades_of(100))

    def days(now: float = NOW) -> daily.Daily:
        return history.summary(now, CAPITAL).daily

    first = days()
    assert days(NOW + 60) is first
    history.add([Trade(1001, NOW + 1, 1.0), Trade(1000, NOW - 1, 1.0)])  # today, the earlier one late
    assert days(NOW + 60) is first
    history.add([Trade(1002, NOW - DAY, 1.0)])
    changed = days()
    assert changed is not first
    assert sum(changed.results) == sum(first.results) + 1
    tomorrow = days(NOW + DAY)
    assert (tomorrow.days, tomorrow.results[:-1]) == (changed.days + 1, changed.results)
    assert days(NOW + DAY + 60) is tomorrow


def test_figures_by_day_are_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    computed: list[str] = []

    def count(name: str) -> None:
        function = getattr(daily.statistics, name)
        monkeypatch.setattr(daily.statistics, name, lambda *args: (computed.append(name), function(*args))[1])

    count("value_at_risk")
    count("sharpe_ratio")
    history = History(BERLIN)
    history.add(trades_of(1000))
    results = [scrape(history, NOW + n) for n in range(5)]
    assert sorted(computed) == ["sharpe_ratio", "value_at_risk", "value_at_risk"]  # of 95 and of 99
    assert len({result.sharpe_ratio for result in results}) == 1
    # Another capital has another ratio, whichever was asked for before.
    days = history.summary(NOW, CAPITAL).daily
    one, other = days.growth(CAPITAL), days.growth(2 * CAPITAL)
    assert one.sharpe_ratio != other.sharpe_ratio
    assert (days.growth(CAPITAL), days.growth(2 * CAPITAL)) == (one, other)


def test_a_curve_is_summed_up_once_a_day() -> None:
    curve = EquityCurve([EquityPoint(time=NOW - n * 3600, value=100 + n) for n in range(100)], BERLIN)
    summary = curve.summary(NOW)
    assert curve.summary(NOW + 60) is summary
    assert curve.summary(NOW + DAY) is not summary
