"""Completes what a bot states of its trading with what its trades, positions and equity say.

A value that the bot states wins. Nothing is judged on a handful of trades: see `Limits`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from exporter.figures.daily import Daily
from exporter.figures.equity import EquitySummary
from exporter.figures.history import Summary
from exporter.figures.statistics import calmar_ratio, drawdown
from exporter.state import BotState, Position, Trading

# What is absent until enough trades are closed, and what needs enough days besides.
_NEED_TRADES = ("win_rate", "profit_factor", "expectancy", "recovery_factor", "trades_per_hour", "trades_per_day")
_NEED_DAYS = (
    "sharpe_ratio",
    "sortino_ratio",
    "calmar_ratio",
    "var_95",
    "var_99",
    "expected_shortfall_95",
    "expected_shortfall_99",
)
_NO_DAYS: dict[str, Any] = dict.fromkeys(_NEED_DAYS)
_NO_RATIOS: dict[str, Any] = dict.fromkeys(_NEED_TRADES) | _NO_DAYS

_Values = Mapping[str, float | None]


@dataclass(frozen=True)
class Limits:
    """How much must have happened before results are judged: closed trades, and full days since the first of them."""

    min_trades: int = 20
    min_days: int = 7


def complete(state: BotState, limits: Limits) -> Trading:
    """A bot's trading values, as stated and, where not stated, as computed; None for what can't be known yet.

    Where the curve of equity has enough days, the figures by day (Sharpe, Sortino, Calmar, value at risk, expected
    shortfall) are of it, for open positions count in it; else they are of the closed trades, on the initial capital.
    """
    trades, equity, positions = whole(state), state.equity, state.positions
    known: dict[str, Any] = {key: value for key, value in vars(state.trading).items() if value is not None}
    if positions is not None:
        _add(known, _of_positions(positions))
    if state.trades is not None:
        _add(known, _of_pace(state.trades))
    if trades is not None:
        _add(known, _of_trades(trades))
    if equity is not None:
        _add(known, _of_curve(equity, known.get("equity", equity.value)))
    _add(known, _of_profit(known, trades, positions))
    if trades is not None:
        _add(known, _of_results(trades))
    if "drawdown" in known and "max_drawdown" in known:
        known["max_drawdown"] = max(known["max_drawdown"], known["drawdown"])
    days = _enough_days(trades, equity, known.get("initial_capital"), limits)
    if days is not None:
        _add(known, _of_days(*days, known.get("max_drawdown")))
    _add(known, _shares(known))
    if (total := known.get("total_trades")) is not None and total < limits.min_trades:
        known |= _NO_RATIOS
    elif days is None and trades is not None:
        # Those that the bot states as well, for its trades show that they are of a few days.
        known |= _NO_DAYS
    return state.trading.model_copy(update=known)


def _add(known: dict[str, Any], values: _Values) -> None:
    for key, value in values.items():
        # A ratio to next to nothing, which a float doesn't hold, is none.
        if value is not None and key not in known and math.isfinite(value):
            known[key] = value


def _of_positions(positions: tuple[Position, ...]) -> _Values:
    sizes = [p.size for p in positions if p.size is not None]
    return {
        "active_positions": len(positions),
        "current_exposure": sum(sizes) if len(sizes) == len(positions) else None,
    }


def whole(state: BotState) -> Summary | None:
    """A bot's closed trades, where it doesn't state that there are others: of a few of them no total follows."""
    total = state.trading.total_trades
    return state.trades if state.trades is not None and total in (None, state.trades.count) else None


def _of_pace(trades: Summary) -> _Values:
    """When the last trade closed, and how many do in an hour and a day.

    trades_per_hour, trades_per_day: of the last 24 hours, and of the last 7 times 24 hours; None before a full such
    window, for half an hour's pace says nothing of a day's.
    """
    age = 0.0 if trades.first_closed is None else trades.at - trades.first_closed
    return {
        "last_trade_time": trades.last_closed,
        "trades_per_hour": trades.closed_last_day / 24 if age >= 86400 else None,
        "trades_per_day": trades.closed_last_week / 7 if age >= 7 * 86400 else None,
    }


def _of_trades(trades: Summary) -> _Values:
    return {
        "total_trades": trades.count,
        "winning_trades": trades.wins,
        "losing_trades": trades.losses,
        "realized_profit_loss": trades.profit,
        "fees": trades.fees,
        "daily_pnl": trades.day_profit,
        "weekly_pnl": trades.week_profit,
        "monthly_pnl": trades.month_profit,
        "position_size_avg": trades.average_size,
        "position_duration_avg": trades.average_duration,
        "best_trade": trades.best,
        "worst_trade": trades.worst,
        "max_consecutive_wins": trades.longest_wins,
        "max_consecutive_losses": trades.longest_losses,
    }


def _of_profit(known: Mapping[str, Any], trades: Summary | None, positions: tuple[Position, ...] | None) -> _Values:
    """Total profit, equity and drawdown. Open positions count, so all are absent while their worth is not known."""
    realized, capital = known.get("realized_profit_loss"), known.get("initial_capital")
    profit, equity = known.get("profit_loss"), known.get("equity")
    if profit is None and realized is not None and positions is not None:
        open_profits = [p.profit for p in positions if p.profit is not None]
        if len(open_profits) == len(positions):
            profit = realized + sum(open_profits)
    if equity is None and profit is not None and capital is not None:
        equity = capital + profit
    now = worst = None
    if trades is not None and equity is not None and capital is not None:
        now = drawdown(equity, max(capital + trades.peak_profit, equity))
        if now is not None and trades.worst_drawdown is not None:
            worst = max(now, trades.worst_drawdown)
    return {"profit_loss": profit, "equity": equity, "drawdown": now, "max_drawdown": worst}


def _of_curve(equity: EquitySummary, value: float) -> _Values:
    """Drawdown of the account, whose present value the bot may state besides."""
    return {
        "equity": value,
        "drawdown": drawdown(value, max(equity.peak, value)),
        "max_drawdown": equity.max_drawdown,
    }


def _shares(known: Mapping[str, Any]) -> _Values:
    exposure, most = known.get("current_exposure"), known.get("max_exposure")
    total, wins = known.get("total_trades"), known.get("winning_trades")
    return {
        "risk_utilization": exposure / most if exposure is not None and most else None,
        "win_rate": wins / total if total and wins is not None and wins <= total else None,
    }


def _of_results(trades: Summary) -> _Values:
    """Factors.

    profit_factor: sum of the profits ÷ sum of the losses; None without a loss.
    expectancy: mean profit of a trade, in money; None without a trade.
    recovery_factor: profit ÷ the largest fall of the summed profits below their peak, in money; None without a fall.
    """
    return {
        "profit_factor": trades.gross_profit / trades.gross_loss if trades.gross_loss else None,
        "expectancy": trades.profit / trades.count if trades.count else None,
        "recovery_factor": trades.profit / trades.worst_fall if trades.worst_fall else None,
    }


def _enough_days(
    trades: Summary | None, equity: EquitySummary | None, capital: float | None, limits: Limits
) -> tuple[Daily, float | None] | None:
    """The results by day that are to be judged, and the capital at the first day's start; None before enough days."""
    if equity is not None and equity.daily.days >= limits.min_days:
        return equity.daily, equity.base
    if trades is not None and trades.daily.days >= limits.min_days:
        return trades.daily, capital
    return None


def _of_days(daily: Daily, capital: float | None, max_drawdown: float | None) -> _Values:
    values: dict[str, float | None] = daily.risk._asdict()
    if capital is not None:
        growth = daily.growth(capital)
        values["sharpe_ratio"] = growth.sharpe_ratio
        values["sortino_ratio"] = growth.sortino_ratio
        values["calmar_ratio"] = calmar_ratio(growth.annual_growth, max_drawdown)
    return values
