"""Ratios and risk figures from a bot's daily results.

Conventions: a day is a calendar day of the configured zone, days without a result count as 0, the running day is left
out; a year has 365 days, for crypto trades on all of them; the risk-free rate and the target return are 0. Money is in
the account's currency, returns are fractions. Each function returns None where its value is undefined.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

DAYS_A_YEAR = 365
# A return beyond this is that of next to no capital, and its square may be more than a float holds.
_LARGEST_RETURN = 1e15
# Returns that differ by less than this share of the largest are equal but for rounding.
_ROUNDING = 1e-12


def drawdown(value: float, peak: float) -> float | None:
    """How far a value is below its peak, as a fraction of it: (peak - value) ÷ peak.

    0 at the peak or above, 1 when nothing is left or less. None without a peak above 0.
    """
    return min(max((peak - value) / peak, 0.0), 1.0) if peak > 0 else None


def daily_returns(results: Sequence[float], initial_capital: float) -> list[float] | None:
    """Each day's result as a fraction of the capital at its start: result ÷ (initial capital + results before).

    Results are compounded: what was won is capital on the next day. [] for no day. None once there was (next to) no
    capital at a day's start.
    """
    capital, returns = initial_capital, []
    for result in results:
        if capital <= 0 or abs(result) > _LARGEST_RETURN * capital:
            return None
        returns.append(result / capital)
        capital += result
    return returns


def sharpe_ratio(returns: Sequence[float]) -> float | None:
    """Sharpe ratio, annualised: mean ÷ standard deviation × √365.

    The deviation is that of a sample (n - 1). None for fewer than two days, and where all days are equal.
    Source: W. F. Sharpe, The Sharpe Ratio, Journal of Portfolio Management 21 (1994).
    """
    count = len(returns)
    if count < 2:
        return None
    mean = math.fsum(returns) / count
    deviation = math.sqrt(math.fsum([(r - mean) ** 2 for r in returns]) / (count - 1))
    # The mean of equal values can differ from them in the last bit, which would make a ratio of 10¹⁵.
    if deviation <= _ROUNDING * max(map(abs, returns)):
        return None
    return mean / deviation * math.sqrt(DAYS_A_YEAR)


def sortino_ratio(returns: Sequence[float]) -> float | None:
    """Sortino ratio, annualised: mean ÷ downside deviation × √365, for a target of 0.

    The downside deviation is the root of the mean, over all days, of the squared losses; days without a loss count as
    0 in it. None for fewer than two days, and without a losing day.
    Source: F. A. Sortino and R. van der Meer, Downside Risk, Journal of Portfolio Management 17 (1991).
    """
    count = len(returns)
    if count < 2:
        return None
    downside = math.sqrt(math.fsum([r * r for r in returns if r < 0]) / count)
    return math.fsum(returns) / count / downside * math.sqrt(DAYS_A_YEAR) if downside > 0 else None


def annual_growth(returns: Sequence[float]) -> float | None:
    """Compound growth a year, as a fraction: (product of 1 + return) to the power of 365 ÷ days, - 1.

    None without a day, after a day that took all, and where it is more than a float holds.
    """
    if not returns or min(returns) <= -1:
        return None
    try:
        # By logarithms: of a small growth, the 1 would take the last digits.
        return math.expm1(math.fsum(map(math.log1p, returns)) * DAYS_A_YEAR / len(returns))
    except OverflowError:
        return None


def calmar_ratio(growth: float | None, max_drawdown: float | None) -> float | None:
    """Calmar ratio: compound growth a year ÷ largest drawdown so far.

    It is taken over the whole history where Young takes 36 months. None without growth or without a drawdown.
    Source: T. W. Young, Calmar Ratio: A Smoother Tool, Futures 20 (1991).

    Args:
        growth: of a year, as a fraction.
        max_drawdown: the largest fall below a peak, as a fraction of the peak.
    """
    return growth / max_drawdown if growth is not None and max_drawdown else None


def value_at_risk(ordered: Sequence[float], confidence: float) -> float | None:
    """Historical value at risk of one day, in money: the loss (positive) that `confidence` of the days stayed below.

    The (1 - confidence) quantile of the results, with linear interpolation (type 7 of Hyndman and Fan), its sign
    turned. With fewer than 1 ÷ (1 - confidence) days it lies near the worst of them; with one it is that day's; below
    0 where even the bad days won. None without a day.
    Source: R. J. Hyndman and Y. Fan, Sample Quantiles in Statistical Packages, The American Statistician 50 (1996).

    Args:
        ordered: the days' results in money, ascending.
        confidence: such as 0.95.
    """
    if not ordered:
        return None
    low, share = _tail(len(ordered), confidence)
    high = min(low + 1, len(ordered) - 1)
    # Subtracted from 0, for a minus sign would make -0.0 of no loss.
    return 0.0 - (ordered[low] + (ordered[high] - ordered[low]) * share)


def expected_shortfall(ordered: Sequence[float], confidence: float) -> float | None:
    """Mean loss (positive) of the days at or beyond the value at risk, in money: never below it.

    These are the worst ⌊(n - 1) × (1 - confidence)⌋ + 1 of n days, so one at least. Of days that are equal to the value
    at risk no more count than that, else the many days without a trade would make a bot's few bad ones look small.
    None without a day.
    Source: C. Acerbi and D. Tasche, On the coherence of expected shortfall, Journal of Banking & Finance 26 (2002).

    Args:
        ordered: the days' results in money, ascending.
        confidence: such as 0.95.
    """
    if not ordered:
        return None
    count = _tail(len(ordered), confidence)[0] + 1
    return 0.0 - math.fsum(ordered[:count]) / count


def _tail(count: int, confidence: float) -> tuple[int, float]:
    """Where the quantile lies among so many ordered days: the place below it, and the share of the way to the next."""
    # Rounded: 1 - 0.95 is a little more than 0.05, 1 - 0.9 a little less than 0.1.
    position = round((count - 1) * (1 - confidence), 9)
    low = math.floor(position)
    return low, position - low
