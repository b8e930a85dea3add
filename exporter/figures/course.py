"""What depends on the order in which trades closed: the course of their profits, and streaks."""

from __future__ import annotations

from collections.abc import Iterable


class Course:
    """Follows the profits in order of closing: their sum, its peak and falls, and streaks. Money, and counts of trades.

    A fall is how far the sum is below its highest so far, which is at least the 0 of the beginning. A profit of exactly
    0 ends a streak.
    """

    def __init__(self) -> None:
        self.total = self.peak = self.worst_fall = 0.0
        self.longest_wins = self.longest_losses = 0
        self._streak = 0  # positive: wins in a row, negative: losses
        # Peak and fall, each fall larger than those before. No other can be the worst drawdown, whatever the capital:
        # one that is no larger, below a peak that is no lower, is no larger a part of it.
        self._falls: list[tuple[float, float]] = []

    def follow(self, profits: Iterable[float]) -> None:
        """Go on with further profits."""
        total, peak, worst, streak = self.total, self.peak, self.worst_fall, self._streak
        for profit in profits:
            total += profit
            if profit > 0:
                peak = max(peak, total)
                streak = streak + 1 if streak > 0 else 1
                self.longest_wins = max(self.longest_wins, streak)
            elif profit < 0:
                if peak - total > worst:
                    worst = peak - total
                    if self._falls and self._falls[-1][0] == peak:
                        self._falls.pop()
                    self._falls.append((peak, worst))
                streak = streak - 1 if streak < 0 else -1
                self.longest_losses = max(self.longest_losses, -streak)
            else:
                streak = 0
        self.total, self.peak, self.worst_fall, self._streak = total, peak, worst, streak

    def worst_drawdown(self, capital: float | None) -> float | None:
        """The largest fall of capital + profits, as a part of the peak before it, 0 to 1; None without a capital."""
        if capital is None or capital <= 0:
            return None
        return max([min(fall / (capital + peak), 1.0) for peak, fall in self._falls], default=0.0)
