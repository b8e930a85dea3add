"""Closed trades by their ids, and sums over them: a new trade costs the same however long the history is."""

from __future__ import annotations

import bisect
import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from exporter.histogram import Buckets, Histogram

DURATION_BUCKETS = (60, 300, 900, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 86400, 3 * 86400, 7 * 86400)
PROFIT_RATIO_BUCKETS = (-0.1, -0.05, -0.02, -0.01, -0.005, -0.002, 0.0, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)


@dataclass(frozen=True, slots=True)
class Trade:
    """A closed trade: profit after fees and size in the account's currency, times in Unix seconds."""

    id: int | str
    closed_at: float
    profit: float
    opened_at: float | None = None
    profit_ratio: float | None = None
    pair: str | None = None
    size: float | None = None
    fees: float | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """What the closed trades come to. Money in the account's currency, ratios as fractions, durations in seconds."""

    wins: int
    losses: int
    draws: int
    profit: float
    gross_profit: float
    gross_loss: float  # positive
    fees: float | None  # None: no trade states them
    best: float | None  # profit ratios
    worst: float | None
    durations: Histogram
    profit_ratios: Histogram
    average_size: float | None
    average_duration: float | None
    pair_profit: dict[str, float]  # in the order of their first trade
    daily_profit: dict[dt.date, float]  # days with a trade, by date of closing in the configured zone
    at: float  # when it was made, in Unix seconds
    today: dt.date
    first_closed: float | None
    last_closed: float | None
    closed_last_day: int
    closed_last_week: int
    longest_wins: int
    longest_losses: int
    peak_profit: float  # the highest that the sum of profits ever was, at least 0
    worst_fall: float  # the largest fall of that sum below its peak so far, in money
    worst_drawdown: float | None  # and as a ratio of initial capital + peak; None where the capital is not known

    @property
    def count(self) -> int:
        """How many trades closed."""
        return self.wins + self.losses + self.draws


class History:
    """All closed trades of a bot, each counted once by its id.

    What depends on the order of closing (drawdown, streaks) is carried on when trades come in order, and made anew
    when one comes late. Not safe for several threads; a `Summary` is.

    Args:
        zone: the time zone in which a trade's closing has its date.
    """

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._trades: dict[int | str, Trade] = {}
        self._forget_sums()

    def _forget_sums(self) -> None:
        self._wins = self._losses = self._draws = 0
        self._profit = self._gross_profit = self._gross_loss = 0.0
        self._fees: float | None = None
        self._best: float | None = None
        self._worst: float | None = None
        self._durations = Buckets(DURATION_BUCKETS)
        self._profit_ratios = Buckets(PROFIT_RATIO_BUCKETS)
        self._pair_profit: dict[str, float] = {}
        self._daily_profit: dict[dt.date, float] = {}
        self._closing_times: list[float] = []
        self._sums: list[float] = []  # of profits, after each trade
        self._longest_wins = self._longest_losses = 0
        self._streak = 0  # positive: wins in a row, negative: losses
        self._size_sum, self._size_count = 0.0, 0
        self._fall = _Fall(None)
        self._late = False  # a trade came that closed before one already counted

    def __len__(self) -> int:
        return len(self._trades)

    def knows(self, trade: Trade) -> bool:
        """Whether this trade was added before.

        Raises:
            ValueError: its id stands for another trade now, so this is another bot's or a new database's history.
        """
        known = self._trades.get(trade.id)
        if known is not None and (known.closed_at, known.profit) != (trade.closed_at, trade.profit):
            raise ValueError(f"trade {trade.id} is not the one that it was")
        return known is not None

    def add(self, trades: Iterable[Trade]) -> None:
        """Add closed trades; those whose id is known are passed over."""
        new = sorted({t.id: t for t in trades if t.id not in self._trades}.values(), key=lambda t: t.closed_at)
        if not new:
            return
        self._trades.update((t.id, t) for t in new)
        # Pages that go into the past would each have all counted anew: that waits until somebody asks.
        self._late = self._late or (bool(self._closing_times) and new[0].closed_at < self._closing_times[-1])
        if not self._late:
            for trade in new:
                self._count(trade)

    def replace(self, trades: Iterable[Trade]) -> None:
        """Temporary."""
        self.add(trades)

    def _count_anew(self) -> None:
        self._forget_sums()
        for trade in sorted(self._trades.values(), key=lambda t: t.closed_at):
            self._count(trade)

    def _count(self, trade: Trade) -> None:
        self._count_result(trade.profit)
        self._closing_times.append(trade.closed_at)
        self._sums.append(self._profit)
        date = self._date(trade.closed_at)
        self._daily_profit[date] = self._daily_profit.get(date, 0.0) + trade.profit
        if trade.fees is not None:
            self._fees = (self._fees or 0.0) + trade.fees
        if trade.profit_ratio is not None:
            self._profit_ratios.observe(trade.profit_ratio)
            self._best = trade.profit_ratio if self._best is None else max(self._best, trade.profit_ratio)
            self._worst = trade.profit_ratio if self._worst is None else min(self._worst, trade.profit_ratio)
        if trade.opened_at is not None:
            self._durations.observe(max(trade.closed_at - trade.opened_at, 0.0))
        if trade.pair is not None:
            self._pair_profit[trade.pair] = self._pair_profit.get(trade.pair, 0.0) + trade.profit
        if trade.size is not None:
            self._size_sum += trade.size
            self._size_count += 1

    def _count_result(self, profit: float) -> None:
        self._profit += profit
        if profit > 0:
            self._wins += 1
            self._gross_profit += profit
            self._streak = max(self._streak, 0) + 1
            self._longest_wins = max(self._longest_wins, self._streak)
        elif profit < 0:
            self._losses += 1
            self._gross_loss -= profit
            self._streak = min(self._streak, 0) - 1
            self._longest_losses = max(self._longest_losses, -self._streak)
        else:
            self._draws += 1
            self._streak = 0

    def _date(self, time: float) -> dt.date:
        return dt.datetime.fromtimestamp(time, self._zone).date()

    def _closed_since(self, time: float) -> int:
        return len(self._closing_times) - bisect.bisect_right(self._closing_times, time)

    def summary(self, now: float, initial_capital: float | None) -> Summary:
        """What the trades come to at a time; its cost doesn't grow with their number.

        Args:
            now: Unix seconds.
            initial_capital: the money that the profits came on top of, for drawdown ratios.
        """
        if self._late:
            self._count_anew()
        if self._fall.initial_capital != initial_capital:
            self._fall = _Fall(initial_capital)
        self._fall.follow(self._sums)
        return Summary(
            wins=self._wins,
            losses=self._losses,
            draws=self._draws,
            profit=self._profit,
            gross_profit=self._gross_profit,
            gross_loss=self._gross_loss,
            fees=self._fees,
            best=self._best,
            worst=self._worst,
            durations=self._durations.value(),
            profit_ratios=self._profit_ratios.value(),
            average_size=self._size_sum / self._size_count if self._size_count else None,
            average_duration=self._durations.mean(),
            pair_profit=dict(self._pair_profit),
            daily_profit=dict(self._daily_profit),
            at=now,
            today=self._date(now),
            first_closed=self._closing_times[0] if self._closing_times else None,
            last_closed=self._closing_times[-1] if self._closing_times else None,
            closed_last_day=self._closed_since(now - 86400),
            closed_last_week=self._closed_since(now - 7 * 86400),
            longest_wins=self._longest_wins,
            longest_losses=self._longest_losses,
            peak_profit=self._fall.peak,
            worst_fall=self._fall.worst,
            worst_drawdown=self._fall.worst_ratio if initial_capital else None,
        )


class _Fall:
    """Follows a sum of profits and keeps its peak and its largest falls below it."""

    def __init__(self, initial_capital: float | None) -> None:
        self.initial_capital = initial_capital
        self.peak = self.worst = self.worst_ratio = 0.0
        self._seen = 0

    def follow(self, sums: list[float]) -> None:
        for value in sums[self._seen :]:
            self.peak = max(self.peak, value)
            fall = self.peak - value
            self.worst = max(self.worst, fall)
            if self.initial_capital:
                self.worst_ratio = max(self.worst_ratio, min(fall / (self.initial_capital + self.peak), 1.0))
        self._seen = len(sums)
