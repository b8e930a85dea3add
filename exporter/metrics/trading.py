"""Group `trading`: a bot's results, positions and risk. Scraped every 60 s."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from exporter.figures.history import MOST_PAIRS, Summary
from exporter.metrics.families import Families, Family
from exporter.state import Position, Trading

_MONEY = "in the account's currency"

TRADES = Family(
    "trading_bot_trades_total", "Closed trades by result; a profit of exactly 0 is a draw.", ("result",), "counter"
)
FEES = Family("trading_bot_fees_total", f"Fees of the closed trades, rebates left out, {_MONEY}.", (), "counter")
PERIOD = Family(
    "trading_bot_period_profit_loss",
    f"Realised profit of the running day, week (from Monday) and month in the configured time zone, {_MONEY}.",
    ("period",),
)
VALUE_AT_RISK = Family(
    "trading_bot_value_at_risk",
    f"Historical value at risk of one day, {_MONEY}; a loss is positive.",
    ("confidence",),
)
EXPECTED_SHORTFALL = Family(
    "trading_bot_expected_shortfall",
    f"Mean loss of the days at or beyond the value at risk, {_MONEY}; a loss is positive.",
    ("confidence",),
)
DURATION = Family("trading_bot_trade_duration_seconds", "Holding times of the closed trades.", (), "histogram")
PROFIT_RATIO = Family(
    "trading_bot_trade_profit_ratio",
    "Profits of the closed trades as fractions of what was put in.",
    (),
    "histogram",
    signed=True,
)
PAIR_PROFIT = Family("trading_bot_pair_profit_loss", f"Realised profit of a pair, {_MONEY}.", ("pair",))
POSITION_PROFIT = Family(
    "trading_bot_position_profit_ratio", "Profit of the open positions in a pair, as a fraction.", ("pair", "side")
)
STOP_DISTANCE = Family(
    "trading_bot_position_stop_distance_ratio",
    "How far the price is from the stop, as a fraction of the price; the nearest of a pair's positions.",
    ("pair", "side"),
)

# State key → gauge without labels of its own.
GAUGES: dict[str, Family] = {
    "win_rate": Family("trading_bot_win_rate", "Share of the closed trades that won, 0 to 1."),
    "profit_loss": Family("trading_bot_profit_loss", f"Profit or loss, open positions included, {_MONEY}."),
    "realized_profit_loss": Family(
        "trading_bot_realized_profit_loss", f"Profit or loss of the closed trades, {_MONEY}."
    ),
    "equity": Family("trading_bot_equity", f"Value of the account, open positions included, {_MONEY}."),
    "balance": Family("trading_bot_balance", f"Balance of the account as the bot states it, {_MONEY}."),
    "initial_capital": Family("trading_bot_initial_capital", f"Money that the bot started with, {_MONEY}."),
    "drawdown": Family(
        "trading_bot_drawdown_ratio", "How far equity is below its peak now, open positions included, 0 to 1."
    ),
    "max_drawdown": Family(
        "trading_bot_max_drawdown_ratio",
        "The largest fall of the closed trades below their peak so far, or that of now where it is larger, 0 to 1.",
    ),
    "sharpe_ratio": Family("trading_bot_sharpe_ratio", "Sharpe ratio of the daily returns, annualised."),
    "sortino_ratio": Family("trading_bot_sortino_ratio", "Sortino ratio of the daily returns, annualised."),
    "calmar_ratio": Family("trading_bot_calmar_ratio", "Annual growth over the largest drawdown."),
    "profit_factor": Family("trading_bot_profit_factor", "Sum of the profits over the sum of the losses."),
    "recovery_factor": Family("trading_bot_recovery_factor", "Realised profit over the largest fall in money."),
    "expectancy": Family("trading_bot_expectancy", f"Mean profit of a closed trade, {_MONEY}."),
    "trades_per_hour": Family("trading_bot_trades_per_hour", "Trades closed in the last 24 hours, an hour."),
    "trades_per_day": Family("trading_bot_trades_per_day", "Trades closed in the last 7 days, a day."),
    "last_trade_time": Family(
        "trading_bot_last_trade_timestamp_seconds", "When the last trade closed, in Unix seconds."
    ),
    "active_positions": Family("trading_bot_open_positions", "Open positions."),
    "pending_orders": Family("trading_bot_pending_orders", "Orders that are not filled yet."),
    "position_size_avg": Family("trading_bot_position_size_avg", f"Mean size of the closed trades, {_MONEY}."),
    "position_duration_avg": Family(
        "trading_bot_position_duration_avg_seconds", "Mean holding time of the closed trades."
    ),
    "best_trade": Family(
        "trading_bot_best_trade_profit_ratio", "Profit of the best closed trade, as a fraction of what was put in."
    ),
    "worst_trade": Family(
        "trading_bot_worst_trade_profit_ratio", "Profit of the worst closed trade, as a fraction of what was put in."
    ),
    "current_exposure": Family("trading_bot_exposure", f"Money in open positions, {_MONEY}."),
    "max_exposure": Family("trading_bot_max_exposure", f"The most that may be in open positions, {_MONEY}."),
    "risk_utilization": Family(
        "trading_bot_risk_utilization_ratio", "Exposure over the most that it may be, 0 to 1 and above when exceeded."
    ),
    "max_consecutive_losses": Family("trading_bot_max_consecutive_losses", "Longest run of lost trades."),
    "max_consecutive_wins": Family("trading_bot_max_consecutive_wins", "Longest run of won trades."),
}
FAMILIES = (
    *(TRADES, FEES, PERIOD, VALUE_AT_RISK, EXPECTED_SHORTFALL, DURATION, PROFIT_RATIO),
    *(PAIR_PROFIT, POSITION_PROFIT, STOP_DISTANCE),
    *GAUGES.values(),
)


def collect(
    families: Families, name: str, trading: Trading, trades: Summary | None, positions: Sequence[Position] | None
) -> int:
    """Add a bot's series.

    Args:
        trading: complete, as `results.complete` gives it.

    Returns:
        How many series were cut because the bot has more pairs than `MOST_PAIRS`.
    """
    for key, family in GAUGES.items():
        families.add(family, getattr(trading, key), name)
    _add_counts(families, name, trading)
    families.add(FEES, trading.fees, name)
    for period, value in (("day", trading.daily_pnl), ("week", trading.weekly_pnl), ("month", trading.monthly_pnl)):
        families.add(PERIOD, value, name, period)
    families.add(VALUE_AT_RISK, trading.var_95, name, "0.95")
    families.add(VALUE_AT_RISK, trading.var_99, name, "0.99")
    families.add(EXPECTED_SHORTFALL, trading.expected_shortfall_95, name, "0.95")
    families.add(EXPECTED_SHORTFALL, trading.expected_shortfall_99, name, "0.99")
    dropped = 0
    if trades is not None:
        for family, histogram in ((DURATION, trades.durations), (PROFIT_RATIO, trades.profit_ratios)):
            # Of trades that don't state it, there is none; of no trade yet, one that begins with 0.
            if trades.count == 0 or any(histogram.counts):
                families.add_histogram(family, histogram, name)
        for pair, profit in trades.pair_profit.items():
            families.add(PAIR_PROFIT, profit, name, pair)
        dropped += trades.pairs - len(trades.pair_profit)
    return dropped + _add_positions(families, name, positions or ())


def _add_counts(families: Families, name: str, trading: Trading) -> None:
    total, wins, losses = trading.total_trades, trading.winning_trades, trading.losing_trades
    if wins is not None:
        families.add(TRADES, wins, name, "win")
    if losses is not None:
        families.add(TRADES, losses, name, "loss")
    if total is not None and wins is not None and losses is not None and total >= wins + losses:
        families.add(TRADES, total - wins - losses, name, "draw")


def _add_positions(families: Families, name: str, positions: Iterable[Position]) -> int:
    """One series a pair and side, so several positions in one share it: profits weighted by size, the nearest stop."""
    grouped: dict[tuple[str, str], list[Position]] = {}
    for position in positions:
        grouped.setdefault((position.pair, position.side), []).append(position)
    for (pair, side), group in list(grouped.items())[:MOST_PAIRS]:
        families.add(POSITION_PROFIT, _mean_profit(group), name, pair, side)
        distances = [p.stop_distance_ratio for p in group if p.stop_distance_ratio is not None]
        families.add(STOP_DISTANCE, min(distances, default=None), name, pair, side)
    return 2 * max(len(grouped) - MOST_PAIRS, 0)


def _mean_profit(positions: Sequence[Position]) -> float | None:
    known = [(p.profit_ratio, 1.0 if p.size is None else p.size) for p in positions if p.profit_ratio is not None]
    weight = sum(size for _, size in known)
    return sum(ratio * size for ratio, size in known) / weight if weight else None
