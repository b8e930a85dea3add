"""Completes what a bot states of its trading with what its trades, positions and equity say.

A value that the bot states wins. Nothing is judged on a handful of trades: see `Limits`.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from typing import Any

from exporter import statistics
from exporter.equity import EquitySummary
from exporter.history import Summary
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


@dataclass(frozen=True)
class Limits:
    """How much must have happened before results are judged: closed trades, and full days since the first of them."""

    min_trades: int = 20
    min_days: int = 7


def complete(state: BotState, limits: Limits) -> Trading:
    """A bot's trading values, as stated and, where not stated, as computed; None for what can't be known yet."""
    stated = {key: value for key, value in state.trading if value is not None}
    known: dict[str, Any] = dict(stated)

    def add(**values: float | None) -> None:
        for key, value in values.items():
            if value is not None and math.isfinite(value):  # a ratio to next to nothing is none
                known.setdefault(key, value)

    if state.positions is not None:
        add(**_of_positions(state.positions))
    if state.trades is not None:
        add(**_of_trades(state.trades, known.get("total_trades", state.trades.count)))
    if state.equity is not None:
        add(**_of_equity(state.equity))
    add(**_of_profit(known, state.trades, state.positions))
    if state.trades is not None:
        add(**_ratios(known, state.trades, limits))
    if known.get("max_exposure"):
        exposure = known.get("current_exposure")
        add(risk_utilization=None if exposure is None else exposure / known["max_exposure"])
    if 0 < known.get("total_trades", 0) >= known.get("winning_trades", math.inf):
        add(win_rate=known["winning_trades"] / known["total_trades"])
    return Trading.model_construct(**_judged(known, state.trades, limits))


def _judged(known: dict[str, Any], trades: Summary | None, limits: Limits) -> dict[str, Any]:
    hidden: set[str] = set()
    if known.get("total_trades", limits.min_trades) < limits.min_trades:
        hidden |= {*_NEED_TRADES, *_NEED_DAYS}
    # Those that the bot states as well, where its trades show that they are of a few days.
    if trades is not None and known.get("total_trades") == trades.count:
        days = len(statistics.daily_results(trades.daily_profit, trades.today))
        hidden |= {*_NEED_DAYS} if days < limits.min_days else set()
    return {key: value for key, value in known.items() if key not in hidden}


def _of_positions(positions: tuple[Position, ...]) -> dict[str, float | None]:
    sizes = [p.size for p in positions if p.size is not None]
    return {
        "active_positions": len(positions),
        "current_exposure": sum(sizes) if len(sizes) == len(positions) else None,
    }


def _of_trades(trades: Summary, total: int) -> dict[str, float | None]:
    # A list of a part of all trades: its wins and losses don't belong to the total.
    partial = total != trades.count
    week = trades.today - dt.timedelta(days=trades.today.weekday())
    month = trades.today.replace(day=1)

    def since(first: dt.date) -> float:
        return sum((profit for day, profit in trades.daily_profit.items() if day >= first), 0.0)

    return {
        "total_trades": trades.count,
        "winning_trades": None if partial else trades.wins,
        "losing_trades": None if partial else trades.losses,
        "realized_profit_loss": trades.profit,
        "fees": trades.fees,
        "daily_pnl": since(trades.today),
        "weekly_pnl": since(week),
        "monthly_pnl": since(month),
        "last_trade_time": trades.last_closed,
        "position_size_avg": trades.average_size,
        "position_duration_avg": trades.average_duration,
        "best_trade": trades.best,
        "worst_trade": trades.worst,
        "max_consecutive_wins": trades.longest_wins,
        "max_consecutive_losses": trades.longest_losses,
    }


def _of_equity(equity: EquitySummary) -> dict[str, float | None]:
    return {"equity": equity.value, "drawdown": equity.drawdown, "max_drawdown": equity.max_drawdown}


def _of_profit(
    known: dict[str, Any], trades: Summary | None, positions: tuple[Position, ...] | None
) -> dict[str, float | None]:
    """Total profit, equity and drawdown. Open positions count, so all are absent while their worth is not known."""
    realized, capital = known.get("realized_profit_loss"), known.get("initial_capital")
    profit, equity = known.get("profit_loss"), known.get("equity")
    if profit is None and realized is not None and positions is not None:
        open_profits = [p.profit for p in positions if p.profit is not None]
        if len(open_profits) == len(positions):
            profit = realized + sum(open_profits)
    if equity is None and profit is not None and capital is not None:
        equity = capital + profit
    drawdown = worst = None
    if trades is not None and equity is not None and capital is not None:
        drawdown = _drawdown(equity, max(capital + trades.peak_profit, equity))
        if drawdown is not None and trades.worst_drawdown is not None:
            worst = max(drawdown, trades.worst_drawdown)
    return {"profit_loss": profit, "equity": equity, "drawdown": drawdown, "max_drawdown": worst}


def _drawdown(value: float, peak: float) -> float | None:
    """How far a value is below its peak, as a fraction of it: 0 at the peak, 1 when nothing is left or less."""
    return min(max((peak - value) / peak, 0.0), 1.0) if peak > 0 else None


def _ratios(known: dict[str, Any], trades: Summary, limits: Limits) -> dict[str, float | None]:
    results = statistics.daily_results(trades.daily_profit, trades.today)
    age = 0.0 if trades.first_closed is None else trades.at - trades.first_closed
    ratios: dict[str, float | None] = {
        "profit_factor": trades.gross_profit / trades.gross_loss if trades.gross_loss else None,
        "expectancy": trades.profit / trades.count if trades.count else None,
        "recovery_factor": trades.profit / trades.worst_fall if trades.worst_fall else None,
        # Against a full window only: half an hour's pace says nothing of a day's.
        "trades_per_hour": trades.closed_last_day / 24 if age >= 86400 else None,
        "trades_per_day": trades.closed_last_week / 7 if age >= 7 * 86400 else None,
    }
    if len(results) < limits.min_days:
        return ratios
    for confidence, name in ((0.95, "95"), (0.99, "99")):
        ratios[f"var_{name}"] = statistics.value_at_risk(results, confidence)
        ratios[f"expected_shortfall_{name}"] = statistics.expected_shortfall(results, confidence)
    if capital := known.get("initial_capital"):
        returns = statistics.daily_returns(results, capital)
        if returns is not None:
            ratios["sharpe_ratio"] = statistics.sharpe_ratio(returns)
            ratios["sortino_ratio"] = statistics.sortino_ratio(returns)
            ratios["calmar_ratio"] = statistics.calmar_ratio(returns, known.get("max_drawdown"))
    return ratios
