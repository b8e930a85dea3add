"""Reads a freqtrade bot's closed trades a page at a time, and afterwards only what is new."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from exporter.history import History, Trade
from exporter.state import SourceError, finite

PAGE = 500
# Once the history is complete a scrape finds few new trades.
SHORT_PAGE = 50
# Seconds kept for the calls that come after the trades.
RESERVE = 12.0

FetchPage = Callable[[int, int, float], Mapping[str, Any]]


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
        self._offset = 0
        self.complete = False

    def read(self, deadline: float) -> History | None:
        """The complete history, or None as long as it isn't: the next call goes on.

        Raises:
            SourceError: a page could not be read; what was read before is kept.
        """
        try:
            if self.complete or self._read_older(deadline):
                self.complete = self._read_newer(deadline)
                if self.complete:
                    return self._history
            else:
                return None
        except ValueError:
            # An id stands for another trade now (History.knows): another database.
            pass
        self._start_anew()
        return None

    def _read_older(self, deadline: float) -> bool:
        """Page towards the oldest trade; False when time is up first."""
        while True:
            trades, total = self._page(PAGE, self._offset, deadline)
            self._add(trades)
            self._offset += len(trades)
            if not trades or self._offset >= total:
                return True
            if deadline - time.monotonic() < RESERVE:
                return False

    def _read_newer(self, deadline: float) -> bool:
        """Page from the newest trade to the first known one; False where the list and the known trades disagree."""
        offset = 0
        while True:
            trades, total = self._page(SHORT_PAGE, offset, deadline)
            known = self._add(trades)
            offset += len(trades)
            if known or not trades or offset >= total:
                return len(self._history) == total

    def _add(self, trades: list[Trade]) -> bool:
        """Add a page's trades; whether one of them was known."""
        known = [self._history.knows(trade) for trade in trades]
        self._history.add(trades)
        return any(known)

    def _page(self, limit: int, offset: int, deadline: float) -> tuple[list[Trade], int]:
        page = self._fetch(limit, offset, deadline)
        try:
            return [trade_of(row) for row in page["trades"]], int(page["total_trades"])
        except (KeyError, TypeError, ValueError) as error:
            raise SourceError(
                "invalid", f"/trades: not the list of trades that freqtrade's API gives: {error!r}"
            ) from None


def trade_of(row: Mapping[str, Any]) -> Trade:
    """A closed trade of /trades. Times there are in milliseconds.

    Raises:
        KeyError, TypeError, ValueError: the row is not a closed trade.
    """
    closed, profit = finite(row["close_timestamp"]), finite(row["profit_abs"])
    if closed is None or profit is None:
        raise ValueError(f"trade {row['trade_id']!r} has no time of closing or no profit")
    opened = finite(row.get("open_timestamp"))
    return Trade(
        id=int(row["trade_id"]),
        closed_at=closed / 1000,
        profit=profit,
        opened_at=None if opened is None else opened / 1000,
        profit_ratio=finite(row.get("profit_ratio")),
        pair=str(row["pair"]),
        size=finite(row.get("stake_amount")),
        fees=_fees(row),
    )


def _fees(row: Mapping[str, Any]) -> float | None:
    """Fees of entry and exit in the stake currency, from their rates: fee_*_cost may be in another currency."""
    parts = [finite(row.get(key)) for key in ("amount", "fee_open", "open_rate", "fee_close", "close_rate")]
    if any(part is None for part in parts):
        return None
    amount, fee_open, open_rate, fee_close, close_rate = (part or 0.0 for part in parts)
    return amount * (fee_open * open_rate + fee_close * close_rate)
