"""The list of a bot's recent closed trades: what the last reading told, page by page."""

from __future__ import annotations

import datetime as dt
from typing import Any

from exporter.bots import Bots
from exporter.figures.recent import MOST, unpacked
from exporter.figures.trades import Trade
from exporter.push import RefusedError

PAGE = 100
# Prometheus reads results so often.
_READ_SECONDS = 60


def page(bots: Bots, name: str, after: str | None, limit: str | None) -> dict[str, Any]:
    """A page of the trades that are kept, oldest first.

    Args:
        name: the bot's.
        after: the id of the last trade of the page before; None begins with the oldest that is kept.
        limit: how many at most, as the request has it.

    Returns:
        bot, mode, currency, trades, and `next`: what `after` is for the following page, None where there is none.

    Raises:
        RefusedError: there is no such list or page.
    """
    reader = bots.readers.get(name)
    if reader is None:
        raise RefusedError(404, f"no bot named {name[:80]!r} in the configuration; /sd lists those that are")
    size = _size(limit)
    if "trading" in bots.config.groups_off:
        raise RefusedError(404, "the group trading is off in monitoring.yml, so no trades are read")
    if reader.recent is None:
        sentence = "its trades are not read yet; Prometheus does so once a minute, /metrics at once"
        raise RefusedError(503, sentence, _READ_SECONDS)
    if not reader.recent:
        raise RefusedError(404, "the bot tells of no single trades; see `trades` in docs/state-document.md")
    trades = unpacked(reader.recent)
    if after is not None:
        place = next((number for number, trade in enumerate(trades, 1) if str(trade.id) == after), None)
        if place is None:
            raise RefusedError(410, f"no trade {after[:80]!r} among the last {MOST}, which are kept; leave after out")
        trades = trades[place:]
    told = trades[:size]
    return {
        "bot": name,
        "mode": reader.bot.mode,
        "currency": reader.bot.currency,
        "trades": [_told(trade) for trade in told],
        "next": str(told[-1].id) if len(trades) > size else None,
    }


def _size(limit: str | None) -> int:
    if limit is None:
        return PAGE
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:9]) <= MOST):
        raise RefusedError(400, f"limit is {limit[:80]!r}: must be a whole number from 1 to {MOST}")
    return int(limit)


def _told(trade: Trade) -> dict[str, Any]:
    """With the keys of the state document; what isn't known is null."""
    return {
        "id": trade.id,
        "pair": trade.pair,
        "opened_at": None if trade.opened_at is None else _moment(trade.opened_at),
        "closed_at": _moment(trade.closed_at),
        "profit": trade.profit,
        "profit_ratio": trade.profit_ratio,
        "size": trade.size,
        "fees": trade.fees,
    }


def _moment(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat().replace("+00:00", "Z")
