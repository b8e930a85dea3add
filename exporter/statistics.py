"""Ratios and risk figures from a bot's daily results.

Conventions: a day is a calendar day of the configured zone, days without a trade count as 0, the running day is left
out; a year has 365 days, for crypto trades on all of them. Each function returns None where its value is undefined.
"""

from __future__ import annotations

import datetime as dt
import math
import statistics
from collections.abc import Mapping, Sequence

DAYS_A_YEAR = 365
# A return beyond this is that of next to no capital, and its square may be more than a float holds.
_LARGEST_RETURN = 1e15


def daily_results(profit_by_day: Mapping[dt.date, float], today: dt.date) -> list[float]:
    """Profit of each day from that of the first trade to yesterday, in money."""
    if not profit_by_day:
        return []
    first = min(profit_by_day)
    days = (today - first).days
    return [profit_by_day.get(first + dt.timedelta(days=n), 0.0) for n in range(days)]


def daily_returns(results: Sequence[float], initial_capital: float) -> list[float] | None:
    """Each day's result as a fraction of the capital at its start; None once there was (next to) no capital."""
    capital, returns = initial_capital, []
    for result in results:
        if capital <= 0:
            return None
        returns.append(result / capital)
        if abs(returns[-1]) > _LARGEST_RETURN:
            return None
        capital += result
    return returns


def sharpe_ratio(returns: Sequence[float]) -> float | None:
    """Mean daily return over its sample standard deviation, annualised by √365; no risk-free rate (Sharpe 1994).

    None for fewer than two days or no deviation.
    """
    if len(returns) < 2:
        return None
    deviation = statistics.stdev(returns)
    return statistics.fmean(returns) / deviation * math.sqrt(DAYS_A_YEAR) if deviation > 0 else None


def sortino_ratio(returns: Sequence[float]) -> float | None:
    """Mean daily return over its downside deviation, annualised by √365, target 0 (Sortino, van der Meer 1991).

    The downside deviation is the root of the mean, over all days, of the squared losses. None without a losing day.
    """
    if len(returns) < 2:
        return None
    downside = math.sqrt(statistics.fmean(min(r, 0.0) ** 2 for r in returns))
    return statistics.fmean(returns) / downside * math.sqrt(DAYS_A_YEAR) if downside > 0 else None


def calmar_ratio(returns: Sequence[float], max_drawdown: float | None) -> float | None:
    """Compound annual growth over the largest drawdown so far (Young 1991); None without a drawdown or after ruin.

    Args:
        returns: daily returns as fractions.
        max_drawdown: the largest fall below a peak, as a fraction of the peak.
    """
    growth = math.prod(1 + r for r in returns)
    if not returns or not max_drawdown or growth <= 0:
        return None
    try:
        annual = growth ** (DAYS_A_YEAR / len(returns)) - 1
    except OverflowError:
        return None
    return annual / max_drawdown


def value_at_risk(results: Sequence[float], confidence: float) -> float | None:
    """Historical value at risk of one day, in money: the loss (positive) that `confidence` of the days stayed below.

    The (1 - confidence) quantile with linear interpolation between the results. None without a day.
    """
    if not results:
        return None
    ordered = sorted(results)
    position = (len(ordered) - 1) * (1 - confidence)
    low = math.floor(position)
    high = min(low + 1, len(ordered) - 1)
    # Subtracted from 0, for a minus sign would make -0.0 of no loss.
    return 0.0 - (ordered[low] + (ordered[high] - ordered[low]) * (position - low))


def expected_shortfall(results: Sequence[float], confidence: float) -> float | None:
    """Mean loss (positive) of the days that were at least as bad as the value at risk, in money. None without a day."""
    at_risk = value_at_risk(results, confidence)
    if at_risk is None:
        return None
    # Interpolation can put the value at risk a rounding error beyond the worst day, which always counts.
    tail = [r for r in results if r <= -at_risk] or [min(results)]
    return 0.0 - statistics.fmean(tail)
