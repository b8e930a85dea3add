"""The trades that closed last, kept packed: a bot's take 10 to 20 KB, where as objects they would take 70."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Sequence
from typing import Any

from exporter.figures.trades import Trade

MOST = 200


class Recent:
    """The last `MOST` closed trades of those that were added, in any order. Not safe for several threads."""

    def __init__(self) -> None:
        self.packed = _packed([])  # for `unpacked`
        self._latest = -math.inf
        self._oldest = -math.inf  # what closed before it is none of them

    def add(self, trades: Sequence[Trade]) -> None:
        """Add trades that come in order of closing."""
        new = [trade for trade in trades[-MOST:] if trade.closed_at >= self._oldest]
        if not new:
            return
        rows = _rows(self.packed) + new
        # A new trade is mostly the latest: that costs the same however many are kept.
        if len(new) > 1 or new[0].closed_at <= self._latest:
            rows.sort(key=_order)
        rows = rows[-MOST:]
        self.packed = _packed(rows)
        self._latest = rows[-1][1]
        self._oldest = rows[0][1] if len(rows) == MOST else -math.inf


def unpacked(packed: bytes) -> list[Trade]:
    """Trades in order of closing."""
    return [Trade(*row) for row in _rows(packed)]


def _rows(packed: bytes) -> list[Any]:
    rows: list[Any] = json.loads(zlib.decompress(packed))
    return rows


def _packed(rows: list[Any]) -> bytes:
    return zlib.compress(json.dumps(rows, separators=(",", ":")).encode())


def _order(row: Sequence[Any]) -> tuple[float, str]:
    # Those of one moment have an order too, so that a list can be read page by page.
    return row[1], str(row[0])
