"""Closed trades, each counted once by its id, and sums over them at a cost that doesn't grow with their number."""

from __future__ import annotations

import datetime as dt
import heapq
import math
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from zoneinfo import ZoneInfo

from exporter.figures.course import Course
from exporter.figures.daily import Calendar, Daily
from exporter.figures.histogram import Buckets, Histogram
from exporter.figures.recent import Recent
from exporter.figures.trades import Trade as Trade
from exporter.figures.trades import TradeIds, digest

DURATION_BUCKETS = (60, 300, 900, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 86400, 3 * 86400, 7 * 86400)
PROFIT_RATIO_BUCKETS = (-0.1, -0.05, -0.02, -0.01, -0.005, -0.002, 0.0, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
# A summary tells the profits of so many pairs, those that were traded first, so that no bot fills a Prometheus.
MOST_PAIRS = 50
# More pairs than any exchange has are not followed: each takes memory.
_MOST_FOLLOWED = 5_000


@dataclass(frozen=True, slots=True)
class Summary:
    """What the closed trades come to. Money in the account's currency, ratios as fractions, durations in seconds."""

    wins: int
    losses: int
    draws: int
    profit: float
    gross_profit: float
    gross_loss: float  # positive
    fees: float | None  # without rebates; None: no trade states them
    best: float | None  # profit ratios
    worst: float | None
    durations: Histogram
    profit_ratios: Histogram
    average_size: float | None
    average_duration: float | None
    pair_profit: Mapping[str, float]  # in the order of their first trade, at most MOST_PAIRS of them
    pairs: int  # how many there are in all
    daily: Daily  # from the day of the first trade on, by date of closing in the configured zone
    day_profit: float  # of the running day, week (from Monday) and month
    week_profit: float
    month_profit: float
    at: float  # when it was made, in Unix seconds
    first_closed: float | None
    last_closed: float | None
    closed_last_day: int  # in the 24 hours, and the 7 times 24 hours, up to `at`
    closed_last_week: int
    longest_wins: int
    longest_losses: int
    peak_profit: float  # the highest that the sum of profits ever was, at least 0
    worst_fall: float  # the largest fall of that sum below its peak so far, in money
    worst_drawdown: float | None  # and as a ratio of initial capital + peak; None where the capital is not known
    recent: bytes  # the trades that closed last, packed

    @property
    def count(self) -> int:
        """How many trades closed."""
        return self.wins + self.losses + self.draws


class History:
    """All closed trades of a bot.

    A trade takes some 35 bytes, and the last 200 some 10 KB more. What doesn't depend on the order of closing is summed
    up when a trade comes; what does (drawdown, streaks) is carried on, and made anew, at the next summary, after trades
    that closed before others that were known already. Not safe for several threads; a `Summary` is.

    Args:
        zone: the time zone in which a trade's closing has its date.
    """

    def __init__(self, zone: ZoneInfo) -> None:
        self._calendar = Calendar(zone)
        self._forget()

    def _forget(self) -> None:
        self._ids = TradeIds()
        self._digest = 0  # of all trades, in any order
        self._closing, self._profits = array("d"), array("d")  # in order of closing unless late
        self._late = False
        self._course = Course()
        self._recent = Recent()
        self._wins = self._losses = 0
        self._gross_profit = self._gross_loss = 0.0
        self._fees: float | None = None
        self._best: float | None = None
        self._worst: float | None = None
        self._durations = Buckets(DURATION_BUCKETS)
        self._profit_ratios = Buckets(PROFIT_RATIO_BUCKETS)
        self._sizes = Buckets(())  # for their mean
        self._pairs: dict[str, tuple[float, float]] = {}  # first closing and profit
        self._first_pairs: list[str] | None = None
        self._first_pairs_until = math.inf  # a pair that is first traded later is not one of them
        self._pair_profit: Mapping[str, float] | None = None
        self._days: dict[dt.date, float] = {}
        self._daily: Daily | None = None

    def __len__(self) -> int:
        return len(self._ids)

    def knows(self, trade: Trade) -> bool:
        """Whether this trade was added before.

        Raises:
            ValueError: its id stands for another trade now, so this is another bot's or a new database's history.
        """
        return self._ids.knows(trade)

    def add(self, trades: Iterable[Trade]) -> None:
        """Add closed trades; those whose id is known are passed over, and of one id the first counts."""
        self._add(self._ids.unknown(trades))

    def replace(self, trades: Iterable[Trade]) -> None:
        """Make these trades the whole history; only what is new is summed up.

        Where a known trade is missing, or anything of it has changed, all is summed up anew.
        """
        first: dict[int | str, Trade] = {}
        for trade in trades:
            first.setdefault(trade.id, trade)
        new = self._ids.unknown(first.values())
        if digest(first.values()) ^ digest(new.values()) != self._digest:
            self._forget()
            new = self._ids.unknown(first.values())
        self._add(new)

    def _add(self, unknown: dict[int, Trade]) -> None:
        if not unknown:
            return
        self._ids.add(unknown)
        self._digest ^= digest(unknown.values())
        new = sorted(unknown.values(), key=attrgetter("closed_at"))
        # Column by column, which takes half the time.
        _, closing, profits, opened, ratios, pairs, sizes, fees = zip(*new, strict=True)
        # Pages that go into the past would each have all counted anew: that waits until somebody asks.
        self._late = self._late or (bool(self._closing) and closing[0] < self._closing[-1])
        self._closing.extend(closing)
        self._profits.extend(profits)
        if not self._late:
            self._course.follow(profits)
        self._recent.add(new)
        self._sum_up_results(profits, ratios, fees)
        self._durations.observe_all(
            [end - start for start, end in zip(opened, closing, strict=True) if start is not None and start <= end]
        )
        self._sizes.observe_all([size for size in sizes if size is not None])
        self._sum_up_days(closing, profits)
        self._sum_up_pairs(pairs, closing, profits)

    def _sum_up_results(
        self, profits: Sequence[float], ratios: Sequence[float | None], fees: Sequence[float | None]
    ) -> None:
        gains, losses = [p for p in profits if p > 0], [p for p in profits if p < 0]
        self._wins += len(gains)
        self._losses += len(losses)
        self._gross_profit += math.fsum(gains)
        self._gross_loss -= math.fsum(losses)
        # Rebates are left out: a counter that goes back would count as begun anew.
        if known_fees := [max(fee, 0.0) for fee in fees if fee is not None]:
            self._fees = (self._fees or 0.0) + math.fsum(known_fees)
        if known := [ratio for ratio in ratios if ratio is not None]:
            self._profit_ratios.observe_all(known)
            best, worst = max(known), min(known)
            self._best = best if self._best is None else max(self._best, best)
            self._worst = worst if self._worst is None else min(self._worst, worst)

    def _sum_up_days(self, closing: Sequence[float], profits: Sequence[float]) -> None:
        date, days = self._calendar.date, self._days
        if self._daily is not None and date(closing[0]) < self._daily.today:
            self._daily = None
        for closed, profit in zip(closing, profits, strict=True):
            day = date(closed)
            days[day] = days.get(day, 0.0) + profit

    def _sum_up_pairs(self, names: Sequence[str | None], closing: Sequence[float], profits: Sequence[float]) -> None:
        pairs = self._pairs
        for pair, closed, profit in zip(names, closing, profits, strict=True):
            if pair is None or (len(pairs) >= _MOST_FOLLOWED and pair not in pairs):
                continue
            first, before = pairs.get(pair, (math.inf, 0.0))
            if closed < first:
                first = closed
                if closed < self._first_pairs_until:
                    self._first_pairs = None
            pairs[pair] = (first, before + profit)
        self._pair_profit = None

    def summary(self, now: float, initial_capital: float | None) -> Summary:
        """What the trades come to at a time; its cost doesn't grow with the number of trades, days or pairs.

        Args:
            now: Unix seconds. Where the clock was set back, later trades are in the totals, but not in the running
                day, week and month nor in the last hours and days.
            initial_capital: the money that the profits came on top of, for drawdown ratios; one that is not above 0
                counts as not known.
        """
        if self._late:
            self._count_anew()
        closing, course = self._closing, self._course
        today = self._calendar.date(now)
        daily = self._daily_until(today)
        day = self._days.get(today, 0.0)
        until_now = bisect_right(closing, now)
        return Summary(
            wins=self._wins,
            losses=self._losses,
            draws=len(closing) - self._wins - self._losses,
            profit=course.total,
            gross_profit=self._gross_profit,
            gross_loss=self._gross_loss,
            fees=self._fees,
            best=self._best,
            worst=self._worst,
            durations=self._durations.value(),
            profit_ratios=self._profit_ratios.value(),
            average_size=self._sizes.mean(),
            average_duration=self._durations.mean(),
            pair_profit=self._profit_of_first_pairs(),
            pairs=len(self._pairs),
            daily=daily,
            day_profit=day,
            week_profit=daily.week + day,
            month_profit=daily.month + day,
            at=now,
            first_closed=closing[0] if closing else None,
            last_closed=closing[-1] if closing else None,
            closed_last_day=until_now - bisect_right(closing, now - 86400),
            closed_last_week=until_now - bisect_right(closing, now - 7 * 86400),
            longest_wins=course.longest_wins,
            longest_losses=course.longest_losses,
            peak_profit=course.peak,
            worst_fall=course.worst_fall,
            worst_drawdown=course.worst_drawdown(initial_capital),
            recent=self._recent.packed,
        )

    def _count_anew(self) -> None:
        order = sorted(range(len(self._closing)), key=self._closing.__getitem__)
        self._closing = array("d", map(self._closing.__getitem__, order))
        self._profits = array("d", map(self._profits.__getitem__, order))
        self._course = Course()
        self._course.follow(self._profits)
        self._late = False

    def _daily_until(self, today: dt.date) -> Daily:
        """The finished days before a day; the same object as long as they are the same."""
        if self._daily is None or self._daily.today != today:
            first = min(self._days, default=today).toordinal()
            dates = map(dt.date.fromordinal, range(first, today.toordinal()))
            self._daily = Daily(today, tuple([self._days.get(date, 0.0) for date in dates]))
        return self._daily

    def _profit_of_first_pairs(self) -> Mapping[str, float]:
        pairs = self._pairs
        if self._first_pairs is None:
            self._first_pairs = heapq.nsmallest(MOST_PAIRS, pairs, key=lambda pair: pairs[pair][0])
            full = len(self._first_pairs) == MOST_PAIRS
            self._first_pairs_until = pairs[self._first_pairs[-1]][0] if full else math.inf
        if self._pair_profit is None:
            self._pair_profit = {pair: pairs[pair][1] for pair in self._first_pairs}
        return self._pair_profit
