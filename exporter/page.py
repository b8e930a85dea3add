"""The rows of the page that shows a person how each bot does."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import get_args

from exporter.bots import Bots
from exporter.config.entries import DemoBot
from exporter.figures.results import complete
from exporter.reading import BotReader, Record, read_all
from exporter.sources import Group, Part
from exporter.state import BotState

# Seconds. A person waits less long than Prometheus does.
_TIMEOUT = 4.0


@dataclass(frozen=True)
class Row:
    """A bot on the page, as text."""

    name: str
    status: str
    demo: bool
    profit: str
    trades: str
    open_positions: str
    last_activity: str
    fault: str


def rows(bots: Bots) -> list[Row]:
    """Every configured bot, read now."""
    readers = list(bots.readers.values())
    read = read_all(readers, ("bot", "trading"), time.monotonic() + _TIMEOUT)
    return [_row(bots, reader, states) for reader, states in read]


def _row(bots: Bots, reader: BotReader, states: Mapping[Group, Sequence[BotState]]) -> Row:
    bot, trading = (next(iter(states[group]), None) for group in ("bot", "trading"))
    results = reader.attempt(lambda: complete(trading, bots.config.limits)) if trading else None
    currency = (bot.bot.currency if bot else None) or ""
    profit = results.profit_loss if results else None
    seen = bot.bot.last_activity if bot else None
    return Row(
        name=reader.name,
        status=(bot.bot.status or "unknown") if bot else "can't be read",
        demo=isinstance(reader.config, DemoBot),
        profit="–" if profit is None else f"{profit:+,.2f} {currency}",
        trades=_number(results.total_trades if results else None),
        open_positions=_number(results.active_positions if results else None),
        last_activity=datetime.fromtimestamp(seen, bots.config.zone).strftime("%Y-%m-%d %H:%M:%S %Z") if seen else "–",
        fault=_fault(reader.record),
    )


_ORDER: list[str] = [*get_args(Part), "push", "results"]


def _fault(record: Record) -> str:
    """One fault of a bot, as its parts mostly fail for the same reason; that of its liveness goes first."""
    faults = sorted(record.faults.copy().items(), key=lambda item: _ORDER.index(item[0]))
    return next((each for _, sentences in faults for each in sentences), "")


def _number(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"
