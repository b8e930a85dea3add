"""What is computed beside what a bot states: stated wins, little is not judged, open positions count."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from exporter.figures.equity import EquityCurve
from exporter.figures.history import History, Trade
from exporter.figures.results import Limits, complete, whole
from exporter.schema import EquityPoint
from exporter.state import BotState, Position, Trading

BERLIN = ZoneInfo("Europe/Berlin")
DAY = 86400.0


def at(text: str) -> float:
    return dt.datetime.fromisoformat(text).timestamp()


NOW = at("2026-11-20T12:00:00+00:00")


def state(
    profits: list[float] | None = None,
    positions: list[Position] | None = None,
    curve: list[EquityPoint] | None = None,
    every: float = DAY,
    now: float = NOW,
    **stated: Any,
) -> BotState:
    """A bot whose trades closed one after another, the last of them an hour ago."""
    trading = Trading(**stated)
    history = History(BERLIN)
    count = len(profits or [])
    history.add(Trade(n, now - 3600 - (count - 1 - n) * every, p) for n, p in enumerate(profits or []))
    return BotState(
        trading=trading,
        trades=None if profits is None else history.summary(now, trading.initial_capital),
        positions=None if positions is None else tuple(positions),
        equity=None if curve is None else EquityCurve(curve, BERLIN).summary(now),
    )


def result(given: BotState, limits: Limits = Limits()) -> Trading:  # noqa: B008 - immutable
    return complete(given, limits)


def stating(key: str, value: float) -> dict[str, Any]:
    return {key: value}


LOTS = [3.0, -1.0, 2.0, 0.0] * 10
SWINGS = [3.0, 3.0, 3.0, 0.0, 3.0, -7.0, -7.0, -2.0, -2.0, -2.0] * 4  # good days and bad ones


def test_nothing_known_nothing_served() -> None:
    assert all(value is None for _, value in result(state()))


def test_counts_and_ratios() -> None:
    got = result(state(LOTS, initial_capital=1000))
    assert (got.total_trades, got.winning_trades, got.losing_trades) == (40, 20, 10)
    assert got.win_rate == 0.5
    assert got.profit_factor == 5
    assert got.expectancy == 1
    assert got.realized_profit_loss == 40
    assert got.recovery_factor == 40
    assert (got.max_consecutive_wins, got.max_consecutive_losses) == (1, 1)


@pytest.mark.parametrize(
    "key",
    [
        *(
            "win_rate",
            "profit_factor",
            "expectancy",
            "recovery_factor",
            "sharpe_ratio",
            "sortino_ratio",
            "calmar_ratio",
        ),
        *("var_95", "var_99", "expected_shortfall_95", "expected_shortfall_99", "trades_per_hour", "trades_per_day"),
    ],
)
def test_a_handful_of_trades_is_not_judged(key: str) -> None:
    assert getattr(result(state(LOTS[:19], [], initial_capital=1000)), key) is None
    assert getattr(result(state(LOTS[:20], [], initial_capital=1000)), key) is not None
    assert getattr(result(state(LOTS[:19], [], initial_capital=1000), Limits(min_trades=19)), key) is not None
    # Nor is what the bot itself states of them.
    assert getattr(result(state(LOTS[:19], **stating(key, 0.5))), key) is None
    assert getattr(result(state(total_trades=19, **stating(key, 0.5))), key) is None
    assert getattr(result(state(total_trades=20, **stating(key, 0.5))), key) == 0.5


@pytest.mark.parametrize("key", ["sharpe_ratio", "sortino_ratio", "calmar_ratio", "var_95", "expected_shortfall_99"])
def test_a_few_days_are_not_judged(key: str) -> None:
    """Forty trades in six days and a bit, then in eight."""
    assert getattr(result(state(SWINGS, [], every=6.2 * DAY / 40, initial_capital=1000)), key) is None
    assert getattr(result(state(SWINGS, [], every=8 * DAY / 40, initial_capital=1000)), key) is not None
    assert getattr(result(state(LOTS, every=6.2 * DAY / 40, **stating(key, -100.0))), key) is None
    assert getattr(result(state(LOTS, every=8 * DAY / 40, **stating(key, 1.5))), key) == 1.5
    # Where the list is only the latest of many trades, it doesn't say how long the bot has traded.
    assert getattr(result(state(LOTS, every=1, total_trades=4000, **stating(key, 1.5))), key) == 1.5


def test_pace_is_told_of_a_full_window_only() -> None:
    """Not of the time since midnight: trades of the last hour before it don't make a day."""
    early = at("2026-11-20T00:10:00+01:00")
    got = result(state(LOTS, every=60, now=early + 3600))
    assert (got.trades_per_hour, got.trades_per_day) == (None, None)
    got = result(state(LOTS, every=3600))
    assert got.trades_per_hour == pytest.approx(23 / 24, abs=0.05)
    assert got.trades_per_day is None
    got = result(state(LOTS, every=DAY / 4))
    assert got.trades_per_day == pytest.approx(4, abs=0.2)


@pytest.mark.parametrize(
    ("profits", "absent"),
    [
        ([1.0] * 30, ["profit_factor", "recovery_factor", "sortino_ratio", "calmar_ratio"]),
        ([0.0] * 30, ["profit_factor", "recovery_factor", "sharpe_ratio", "sortino_ratio", "calmar_ratio"]),
    ],
)
def test_no_loss_no_variance(profits: list[float], absent: list[str]) -> None:
    got = result(state(profits, [], initial_capital=1000))
    assert {key for key in absent if getattr(got, key) is not None} == set()
    assert got.win_rate == (1 if profits[0] else 0)
    assert got.drawdown == 0


def test_one_trade() -> None:
    got = result(state([5.0]), Limits(min_trades=1))
    assert (got.total_trades, got.win_rate, got.expectancy, got.profit_factor) == (1, 1, 5, None)


def test_open_positions_count_for_profit_and_drawdown() -> None:
    positions = [Position(pair="A", size=100, profit=-30), Position(pair="B", size=50, profit=-40)]
    got = result(state([100.0, -20.0], positions, initial_capital=1000))
    assert got.profit_loss == 10
    assert got.equity == 1010
    assert got.drawdown == pytest.approx(90 / 1100)
    assert got.max_drawdown == pytest.approx(90 / 1100)
    assert (got.active_positions, got.current_exposure) == (2, 150)


def test_a_new_peak_by_open_positions_is_no_drawdown() -> None:
    got = result(state([100.0, -50.0], [Position(pair="A", profit=80)], initial_capital=1000))
    assert got.drawdown == 0
    assert got.max_drawdown == pytest.approx(50 / 1100)


def test_what_positions_are_worth_must_be_known() -> None:
    got = result(state([100.0], [Position(pair="A", profit=None), Position(pair="B", profit=5)], initial_capital=1000))
    assert (got.profit_loss, got.equity, got.drawdown, got.max_drawdown) == (None, None, None, None)
    assert got.realized_profit_loss == 100
    got = result(state([100.0], [Position(pair="A", size=None), Position(pair="B", size=5)]))
    assert got.current_exposure is None


def test_without_capital_no_drawdown() -> None:
    got = result(state([-5.0], [], initial_capital=0))
    assert (got.profit_loss, got.equity, got.drawdown, got.max_drawdown) == (-5, -5, None, None)


def test_positions_not_told_are_not_none() -> None:
    got = result(state([100.0], None, initial_capital=1000))
    assert (got.profit_loss, got.equity, got.active_positions) == (None, None, None)


def test_drawdown_of_an_equity_curve() -> None:
    points = [EquityPoint(time=NOW - 3, value=200), EquityPoint(time=NOW - 5, value=100)]
    points += [EquityPoint(time=NOW - 2, value=50), EquityPoint(time=NOW - 1, value=150)]
    got = result(state(curve=points))
    assert (got.equity, got.drawdown, got.max_drawdown) == (150, 0.25, 0.75)
    got = result(state(curve=[EquityPoint(time=NOW, value=-5)]))
    assert (got.equity, got.drawdown, got.max_drawdown) == (-5, None, None)
    assert result(state(curve=[])).equity is None


def curve(days: int, start: float = 500) -> list[EquityPoint]:
    """A point at each day's end, up to yesterday's and one before; it rises by 10 and falls by 4 in turn."""
    values = [start + sum((10, -4)[k % 2] for k in range(n)) for n in range(days + 1)]
    return [EquityPoint(time=NOW - (days - n) * DAY, value=value) for n, value in enumerate(values)]


_BY_DAY = ("sharpe_ratio", "sortino_ratio", "calmar_ratio", "var_95", "var_99")
_BY_DAY += ("expected_shortfall_95", "expected_shortfall_99")


@pytest.mark.parametrize("key", _BY_DAY)
def test_figures_by_day_are_of_the_equity_where_it_has_enough_days(key: str) -> None:
    of_trades = getattr(result(state(SWINGS, [], initial_capital=1000, max_drawdown=0.1)), key)
    of_equity = getattr(result(state(curve=curve(30), max_drawdown=0.1)), key)
    assert None is not of_trades != of_equity is not None
    both = {"initial_capital": 1000, "max_drawdown": 0.1}
    assert getattr(result(state(SWINGS, [], curve(30), **both)), key) == of_equity
    assert getattr(result(state(SWINGS, [], curve(6), **both)), key) == of_trades
    # Forty trades in a day, but the account is watched for a month.
    assert getattr(result(state(SWINGS, [], curve(30), every=1800, **both)), key) == of_equity
    assert getattr(result(state(SWINGS, [], curve(6), every=1800, **both)), key) is None
    assert getattr(result(state(SWINGS[:19], [], curve(30), **both)), key) is None
    assert getattr(result(state(SWINGS, [], curve(30), **both | stating(key, 0.5))), key) == 0.5


def test_value_at_risk_of_the_equity() -> None:
    got = result(state(curve=curve(30)))
    assert (got.var_95, got.expected_shortfall_99) == (4, 4)
    assert got.max_drawdown == pytest.approx(4 / 510)
    assert got.equity == 500 + 15 * 6


def test_an_account_that_was_used_up_has_no_ratios() -> None:
    got = result(state(curve=[*curve(30), EquityPoint(time=NOW - 40 * DAY, value=0)]))
    assert (got.sharpe_ratio, got.sortino_ratio, got.calmar_ratio) == (None, None, None)
    assert got.var_95 is not None


STATED: dict[str, Any] = {
    "win_rate": 0.25,
    "profit_loss": -7.0,
    "drawdown": 0.3,
    "max_drawdown": 0.4,
    "equity": 5.0,
    "sharpe_ratio": 9,
}
STATED |= {"daily_pnl": 1.5, "expectancy": 2.5, "active_positions": 7, "trades_per_day": 3.5, "best_trade": 0.7}


@pytest.mark.parametrize("key", STATED)
def test_a_stated_value_wins(key: str) -> None:
    given = state(LOTS, [Position(pair="A", profit=1)], initial_capital=1000, **stating(key, STATED[key]))
    assert getattr(result(given), key) == STATED[key]


def test_zero_is_a_stated_value() -> None:
    assert result(state(LOTS, profit_loss=0.0, drawdown=0.0)).drawdown == 0


def test_of_a_part_of_the_trades_no_total_follows() -> None:
    """Such as the last thirty: what they come to is neither all profit nor enough to judge."""
    some = state(LOTS, [], total_trades=1000, initial_capital=1000.0)
    served = {key: value for key, value in result(some) if value is not None}
    assert served.pop("last_trade_time") == NOW - 3600
    pace = {key: served.pop(key) for key in ("trades_per_hour", "trades_per_day") if key in served}
    assert pace == {key: getattr(result(state(LOTS)), key) for key in pace}
    assert served == {"total_trades": 1000, "initial_capital": 1000.0, "active_positions": 0, "current_exposure": 0}
    assert whole(some) is None
    got = result(state(LOTS, total_trades=40))
    assert (got.winning_trades, got.win_rate) == (20, 0.5)


def test_a_stated_equity_is_the_curve_s_last() -> None:
    points = [EquityPoint(time=NOW - 5, value=1000), EquityPoint(time=NOW - 4, value=990)]
    got = result(state(curve=points, equity=500.0))
    assert (got.equity, got.drawdown, got.max_drawdown) == (500, 0.5, 0.5)


def test_the_worst_drawdown_is_never_less_than_that_of_now() -> None:
    got = result(state(drawdown=0.3, max_drawdown=0.01))
    assert (got.drawdown, got.max_drawdown) == (0.3, 0.3)


def test_more_wins_than_trades_are_no_win_rate() -> None:
    assert result(state(total_trades=30, winning_trades=40)).win_rate is None
    assert result(state(total_trades=0, winning_trades=0), Limits(min_trades=1)).win_rate is None


def test_risk_utilization() -> None:
    assert result(state(current_exposure=50, max_exposure=200)).risk_utilization == 0.25
    assert result(state(current_exposure=50, max_exposure=0)).risk_utilization is None
    assert result(state(max_exposure=200)).risk_utilization is None


@pytest.mark.usefixtures("elsewhere")
def test_periods_in_a_zone_with_daylight_saving() -> None:
    """Sunday 25 October 2026 has 25 hours in Berlin; the week began on Monday the 19th, the month on the 1st."""
    closings = {
        "2026-09-30T23:59:00+02:00": 1.0,  # the month before
        "2026-10-01T00:01:00+02:00": 2.0,
        "2026-10-18T23:59:00+02:00": 4.0,  # the week before
        "2026-10-19T00:01:00+02:00": 8.0,
        "2026-10-24T23:59:00+02:00": 16.0,  # yesterday
        "2026-10-25T00:01:00+02:00": 32.0,
        "2026-10-25T02:30:00+02:00": 64.0,
        "2026-10-25T02:30:00+01:00": 128.0,  # an hour later
    }
    history = History(BERLIN)
    history.add(Trade(n, at(time), profit) for n, (time, profit) in enumerate(closings.items()))
    now = at("2026-10-25T23:30:00+01:00")
    got = complete(BotState(trades=history.summary(now, None)), Limits())
    assert (got.daily_pnl, got.weekly_pnl, got.monthly_pnl) == (224, 248, 254)
    got = complete(BotState(trades=history.summary(now + 3600, None)), Limits())
    assert (got.daily_pnl, got.weekly_pnl, got.monthly_pnl) == (0, 0, 254)
