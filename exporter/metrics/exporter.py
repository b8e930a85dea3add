"""Group `exporter`: how the reading of each bot goes. The exporter's own process metrics are served with it."""

from __future__ import annotations

from exporter import __version__
from exporter.metrics.families import Families, Family
from exporter.reading import Record

INFO = Family("trading_bot_exporter_info", "The exporter's version.", ("version",), of_bot=False)
SECONDS = Family("trading_bot_source_read_seconds", "How long the last reading took.", ("part",))
LAST_SUCCESS = Family(
    "trading_bot_source_last_success_timestamp_seconds", "When the bot was last read, in Unix seconds."
)
ERRORS = Family(
    "trading_bot_source_errors_total", "Readings, or parts of one, that failed, by reason.", ("reason",), "counter"
)
COMPLETE = Family(
    "trading_bot_history_complete", "Whether all closed trades are read: 1, or 0 while a long history is paged through."
)
DROPPED = Family(
    "trading_bot_series_dropped_total",
    "Pairs, positions and symbols that scrapes left out because a bot has too many.",
    (),
    "counter",
)
FAMILIES = (INFO, SECONDS, LAST_SUCCESS, ERRORS, COMPLETE, DROPPED)


def collect(families: Families, name: str, record: Record) -> None:
    """Add what a bot's readings came to."""
    for part, seconds in record.seconds.copy().items():
        families.add(SECONDS, seconds, name, part)
    families.add(LAST_SUCCESS, record.last_success, name)
    for reason, count in record.errors.items():
        families.add(ERRORS, count, name, reason)
    families.add(COMPLETE, None if record.history_complete is None else int(record.history_complete), name)
    families.add(DROPPED, record.series_dropped, name)


def collect_version(families: Families) -> None:
    """Add the exporter's version."""
    families.add(INFO, 1, __version__)
