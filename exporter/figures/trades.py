"""A closed trade, and the ids of those that are known, in a tenth of the memory that a set of them would take."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Trade(NamedTuple):
    """A closed trade: profit after fees and size in the account's currency, times in Unix seconds."""

    id: int | str
    closed_at: float
    profit: float
    opened_at: float | None = None
    profit_ratio: float | None = None
    pair: str | None = None
    size: float | None = None
    fees: float | None = None


class TradeIds:
    """The ids of trades and, of each, whether it still has the same result; 16 bytes a trade.

    Ids are kept as keys of 64 bits: a whole number below 2⁶¹ is its own, and of texts one pair in 10¹⁹ has the same.
    """

    def __init__(self) -> None:
        self._ids = array("q")  # ascending
        self._results = array("q")  # beside each id

    def __len__(self) -> int:
        return len(self._ids)

    def knows(self, trade: Trade) -> bool:
        """Whether a trade with this id was added.

        Raises:
            ValueError: it closed at another time, or with another profit.
        """
        key = _key(trade.id)
        place = bisect_left(self._ids, key)
        if place == len(self._ids) or self._ids[place] != key:
            return False
        if self._results[place] != _result(trade):
            raise ValueError(f"trade {trade.id} is not the one that it was")
        return True

    def unknown(self, trades: Iterable[Trade]) -> dict[int, Trade]:
        """Those trades whose ids were not added yet, by their keys; of one id the first."""
        ids = self._ids
        highest = ids[-1] if ids else None
        new: dict[int, Trade] = {}
        for trade in trades:
            key = _key(trade.id)
            if highest is None or key > highest or ids[bisect_left(ids, key)] != key:
                new.setdefault(key, trade)
        return new

    def add(self, unknown: Mapping[int, Trade]) -> None:
        """Add trades as `unknown` gives them."""
        rows = sorted([(key, _result(trade)) for key, trade in unknown.items()])
        if not rows:
            return
        # Only what lies among the new ids is moved: nothing where they are all higher, or all lower, than the rest.
        low, high = (bisect_left(self._ids, key) for key, _ in (rows[0], rows[-1]))
        if low < high:
            rows = sorted([*zip(self._ids[low:high], self._results[low:high], strict=True), *rows])
        self._ids[low:high] = array("q", [key for key, _ in rows])
        self._results[low:high] = array("q", [result for _, result in rows])


def digest(trades: Iterable[Trade]) -> int:
    """A number that tells one set of trades from another, whatever their order.

    That of two sets without a common trade is `digest(one) ^ digest(other)`.
    """
    total = 0
    for trade in trades:
        # As -1 and -2 have the same hash.
        total ^= hash((trade, trade.profit == -1, trade.profit_ratio == -1))
    return total


def _key(identity: int | str) -> int:
    # Python gives -1 and -2 the same hash, and -1 to nothing.
    return -1 if identity == -1 else hash(identity)


def _result(trade: Trade) -> int:
    return hash((trade.closed_at, trade.profit, trade.profit == -1))
