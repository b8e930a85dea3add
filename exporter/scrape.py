"""What one scrape serves: chooses the bots and groups, has them read, and writes the series."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import get_args

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, generate_latest

from exporter.bots import Bots
from exporter.figures.results import Limits, complete, whole
from exporter.metrics import bot, config, exporter, host, market, model, system, trading
from exporter.metrics.families import Families
from exporter.reading import BotReader, read_all
from exporter.sources import Group
from exporter.state import BotState

# prometheus-client's own metrics of this process.
_process = CollectorRegistry()
ProcessCollector(registry=_process)
PlatformCollector(registry=_process)
GCCollector(registry=_process)

_READ_GROUPS: tuple[Group, ...] = get_args(Group)


def scrape(bots: Bots, names: Sequence[str], groups: Sequence[str], deadline: float) -> bytes:
    """The exposition of some bots' groups.

    Args:
        names: bots to serve; all of them must be configured.
        groups: keys of `metrics.GROUPS`; one that is off is left out.
        deadline: the `time.monotonic()` by which the bots must be read.
    """
    # A reload may have dropped a bot since the names were checked.
    known = bots.readers
    off = bots.config.groups_off
    groups = [group for group in groups if group not in off]
    readers = [known[name] for name in names if name in known]
    families = Families()
    read = [group for group in _READ_GROUPS if group in groups]
    for reader, states in read_all(readers, read, deadline):
        if "bot" in states:
            bot.collect(families, reader.name, next(iter(states["bot"]), None))
        reader.attempt(partial(_add_values, families, reader, states, bots.config.limits))
    _add_own(families, bots, readers, groups)
    own = families.text()
    return own + generate_latest(_process) if "exporter" in groups else own


def _add_values(
    families: Families, reader: BotReader, states: Mapping[Group, Sequence[BotState]], limits: Limits
) -> None:
    name, dropped = reader.name, 0
    for state in states.get("trading", ())[:1]:
        results = complete(state, limits)
        dropped += trading.collect(families, name, results, whole(state), state.positions)
    # Of what several know, the first one's word counts: whole for a model and a market, value by value for the system.
    for state in states.get("model", ())[:1]:
        model.collect(families, name, state.model)
    for state in states.get("market", ())[:1]:
        dropped += market.collect(families, name, state.markets)
    system.collect(families, name, states.get("system", ()))
    reader.record.series_dropped += dropped


def _add_own(families: Families, bots: Bots, readers: Sequence[BotReader], groups: Sequence[str]) -> None:
    """The groups that are not read from a bot; after the readings, so that they show them."""
    if "host" in groups:
        host.collect(families, bots.host.read())
    if "config" in groups:
        now = time.time()
        maintained = bots.maintained(now)
        for reader in readers:
            thresholds = bots.config.thresholds_of(reader.config)
            config.collect(families, reader.name, thresholds, reader.name in maintained)
        config.collect_file(families, bots.config, now)
        config.collect_reload(families, bots.reload_successful, bots.reload_time)
    if "exporter" in groups:
        exporter.collect_version(families)
        for reader in readers:
            exporter.collect(families, reader.name, reader.record)
