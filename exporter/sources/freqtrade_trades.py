"""Reads a freqtrade bot's closed trades a page at a time, and afterwards only what is new."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from exporter.figures.history import History, Trade
from exporter.state import SourceError
from exporter.values import finite, label, seconds

PAGE = 500
# Once the history is complete a scrape finds few new trades.
SHORT_PAGE = 50
# Each takes some 120 bytes of memory.
MOST_TRADES = 200_000
# Seconds kept for the calls that come after the trades.
RESERVE = 12.0

FetchPage = Callable[[int, int, float], Mapping[str, Any]]


@dataclass
class _Place:
    """How far a list is read; its next page begins with the last trade of the one before, to see that none moved up."""

    offset: int = 0
    overlap: int = 0  # none where the server gives a single trade a page


class TradeReader:
    """Follows the list of closed trades, newest first.

    New trades push older ones to later offsets, so paging on where the last scrape stopped misses none; an id that
    comes twice counts once. When a deleted trade or another database makes the list disagree with what is known, all
    is read anew, from the next scrape on.

    Args:
        fetch: returns the page of /trades at (limit, offset), before a deadline.
        zone: the time zone in which a trade's closing has its date.
    """

    def __init__(self, fetch: FetchPage, zone: ZoneInfo) -> None:
        self._fetch = fetch
        self._zone = zone
        self._start_anew()

    def _start_anew(self) -> None:
        self._history = History(self._zone)
        self._place = _Place()
        self.complete = False

    def read(self, deadline: float) -> History | None:
        """The complete history, or None as long as it isn't: the next call goes on.

        Raises:
            SourceError: a page could not be read; what was read before is kept.
        """
        try:
            if not self.complete and not self._read_older(deadline):
                return None
            self.complete = self._read_newer(deadline)
        except ValueError:
            # An id stands for another trade now (History.knows), or the list moved up.
            self.complete = False
        if self.complete:
            return self._history
        self._start_anew()
        return None

    def _read_older(self, deadline: float) -> bool:
        """Page towards the oldest trade; False when time is up first."""
        while True:
            trades, _, total = self._turn(PAGE, self._place, deadline)
            if not trades or self._place.offset >= total:
                return True
            if deadline - time.monotonic() < RESERVE:
                return False

    def _read_newer(self, deadline: float) -> bool:
        """Read what closed since; False where the list and the known trades disagree."""
        while True:
            known = len(self._history)
            total = self._read_front(deadline)
            # A trade that closed between two pages stands at the front now, where another look finds it.
            if len(self._history) in (total, known):
                return len(self._history) == total

    def _read_front(self, deadline: float) -> int:
        """Page from the newest trade to the first that was known before; how many trades there are."""
        place = _Place()
        seen: set[int | str] = set()
        while True:
            trades, new, total = self._turn(SHORT_PAGE, place, deadline)
            seen |= new
            if not trades or place.offset >= total or any(trade.id not in seen for trade in trades):
                return total

    def _turn(self, limit: int, place: _Place, deadline: float) -> tuple[list[Trade], set[int | str], int]:
        """Add the page at a place and go on behind it; its trades, the ids of the new ones, and how many there are."""
        trades, total = self._page(limit, place.offset - place.overlap, deadline)
        new = {trade.id for trade in trades if not self._history.knows(trade)}
        if place.overlap and (not trades or trades[0].id in new):
            raise ValueError("the list moved up, past trades that were not read")
        self._history.add(trades)
        place.offset += len(trades) - place.overlap
        place.overlap = min(len(trades) - 1, 1) if trades else 0
        return trades, new, total

    def _page(self, limit: int, offset: int, deadline: float) -> tuple[list[Trade], int]:
        page = self._fetch(limit, offset, deadline)
        try:
            rows, total = page["trades"], int(page["total_trades"])
            if len(rows) > limit:
                raise ValueError(f"{len(rows)} trades where {limit} were asked for")
            trades = [trade_of(row) for row in rows]
        except (KeyError, OverflowError, TypeError, ValueError) as error:
            raise SourceError(
                "invalid", f"/trades: not the list of trades that freqtrade's API gives: {error!r}"
            ) from None
        if max(total, len(self._history)) > MOST_TRADES:
            self._start_anew()
            raise SourceError(
                "invalid",
                f"/trades: more than {MOST_TRADES} closed trades, too many to follow; give the bot a new database",
            )
        return trades, total


def trade_of(row: Mapping[str, Any]) -> Trade:
    """A closed trade of /trades. Times there are in milliseconds.

    Raises:
        KeyError, TypeError, ValueError: the row is not a closed trade.
    """
    closed, profit = seconds(row["close_timestamp"], 1000), finite(row["profit_abs"])
    if closed is None or profit is None:
        raise ValueError(f"trade {row['trade_id']!r} has no time of closing or no profit")
    return Trade(
        id=int(row["trade_id"]),
        closed_at=closed,
        profit=profit,
        opened_at=seconds(row.get("open_timestamp"), 1000),
        profit_ratio=finite(row.get("profit_ratio")),
        pair=label(row["pair"]),
        size=finite(row.get("stake_amount")),
        fees=_fees(row),
    )


def _fees(row: Mapping[str, Any]) -> float | None:
    """Fees of entry and exit in the stake currency, from their rates: fee_*_cost may be in another currency."""
    parts = [finite(row.get(key)) for key in ("amount", "fee_open", "open_rate", "fee_close", "close_rate")]
    if any(part is None for part in parts):
        return None
    amount, fee_open, open_rate, fee_close, close_rate = (part or 0.0 for part in parts)
    return finite(amount * (fee_open * open_rate + fee_close * close_rate))
