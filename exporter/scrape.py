"""What one scrape serves: chooses the bots and groups, has them read, and fills the metric families."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, generate_latest

from exporter.bots import Bots
from exporter.metrics import bot, config, exporter, trading
from exporter.metrics.families import Families
from exporter.reading import BotReader, read_all
from exporter.results import Limits, complete
from exporter.sources import Part
from exporter.state import BotState

# prometheus-client's own metrics of this process.
_process = CollectorRegistry()
ProcessCollector(registry=_process)
PlatformCollector(registry=_process)
GCCollector(registry=_process)

PARTS: tuple[Part, ...] = ("bot", "trading")


def scrape(bots: Bots, names: Sequence[str], groups: Sequence[str], deadline: float) -> bytes:
    """The exposition of some bots' groups.

    Args:
        names: bots to serve; all of them must be configured.
        groups: keys of `metrics.GROUPS`.
        deadline: the `time.monotonic()` by which the bots must be read.
    """
    # A reload may have dropped a bot since the names were checked.
    known = bots.readers
    readers = [known[name] for name in names if name in known]
    parts = [part for part in PARTS if part in groups]
    states = read_all(readers, parts, deadline)
    families = Families()
    for reader in readers:
        if "bot" in groups:
            bot.collect(families, reader.name, states[reader.name]["bot"])
        state = states[reader.name].get("trading")
        if state is not None:
            reader.attempt(partial(_add_trading, families, reader, state, bots.config.limits))
    _add_own(families, bots, readers, groups)
    own = generate_latest(families)
    return own + generate_latest(_process) if "exporter" in groups else own


def _add_trading(families: Families, reader: BotReader, state: BotState, limits: Limits) -> None:
    results = complete(state, limits)
    reader.record.series_dropped += trading.collect(families, reader.name, results, state.trades, state.positions)


def _add_own(families: Families, bots: Bots, readers: Sequence[BotReader], groups: Sequence[str]) -> None:
    """The groups that need no reading; after the readings, so that they show them."""
    if "config" in groups:
        for reader in readers:
            config.collect(families, reader.name, bots.config.thresholds_of(reader.config))
        config.collect_reload(families, bots.reload_successful, bots.reload_time)
    if "exporter" in groups:
        exporter.collect_version(families)
        for reader in readers:
            exporter.collect(families, reader.name, reader.record)
