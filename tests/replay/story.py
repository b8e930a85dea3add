"""The exporter as it is, with bots and a machine to which happens what a scenario tells, at the scenario's time."""

from __future__ import annotations

import datetime as dt
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch
from zlib import crc32
from zoneinfo import ZoneInfo

from exporter import bots as bots_module
from exporter import reading, scrape
from exporter.bots import Bots
from exporter.config.entries import BotEntry, DemoBot
from exporter.host import HostState
from exporter.sources import DOCUMENT, Group, Part, Source, demo
from exporter.sources.demo import DemoSource
from exporter.state import BotState, SourceError
from tests.replay.scenario import TIMES, Event, Ramp, Scenario
from tests.replay.spans import seconds

_TELL_TIME = (bots_module, reading, scrape, demo)
_HISTORY = 30 * 86400


class Clock:
    """The scenario's time."""

    def __init__(self, begins: dt.datetime) -> None:
        self.begins = begins.timestamp()
        self.at = 0.0  # seconds since the scenario's start

    def now(self) -> float:
        """The time of day that the exporter sees, in Unix seconds."""
        return self.begins + self.at

    @contextmanager
    def everywhere(self) -> Iterator[None]:
        """Let the exporter see this time. It logs nothing meanwhile: that bots can't be read is the scenario's."""
        with ExitStack() as stack:
            stack.callback(logging.disable, logging.root.manager.disable)
            logging.disable(logging.WARNING)
            for module in _TELL_TIME:
                # Durations stand still: a reading takes no time.
                stack.enter_context(patch.object(module, "time", SimpleNamespace(time=self.now, monotonic=self.now)))
            yield


class _Simulation(DemoSource):
    """A demo bot some of whose trades don't take place, or end otherwise."""

    def __init__(self, bot: DemoBot, since: float, zone: ZoneInfo, events: Sequence[Event], begins: float) -> None:
        super().__init__(bot.seed, since, zone)
        self._events = [event for event in events if event.trades < 1 or event.profit]
        self._begins = begins

    def _deals(self, start: float, end: float) -> Iterator[Any]:
        for deal in super()._deals(start, end):
            told = [event for event in self._events if event.holds(deal.opened_at - self._begins)]
            if any(crc32(str(deal.id).encode()) / 2**32 >= event.trades for event in told):
                continue
            more = sum(event.profit for event in told)
            yield replace(deal, profit_ratio=max(deal.profit_ratio + more, -demo.STOP)) if more else deal


class _Told:
    """A source that tells of a simulated bot what the scenario says."""

    groups: Mapping[Group, Part] = DOCUMENT

    def __init__(self, bot: DemoSource, events: Sequence[Event], clock: Clock, held: dict[str, Any]) -> None:
        self._bot = bot
        self._events = events
        self._clock = clock
        self._held = held

    def read(self, part: Part, deadline: float) -> BotState:  # noqa: ARG002 - all is computed at once
        at = self._clock.at
        told = [event for event in self._events if event.holds(at)]
        for event in told:
            if event.unreachable is not None:
                raise SourceError(event.unreachable, "as the scenario says")
        state = self._bot.state_at(self._clock.now())
        for number, event in enumerate(self._events):
            for key in event.hold:
                name = f"{number}:{key}"
                if event.holds(at):
                    state = _with(state, key, self._held.setdefault(name, _value(state, key)))
                else:
                    self._held.pop(name, None)
        for event in told:
            for key, value in event.values.items():
                state = _with(state, key, self._at(event, key, value))
        return state

    def _at(self, event: Event, key: str, value: object) -> object:
        if isinstance(value, Ramp):
            return value.at(event.share(self._clock.at))
        if key in TIMES:
            return self._clock.begins + seconds(value)
        return value


def _value(state: BotState, key: str) -> object:
    part, _, name = key.partition(".")
    return getattr(state.markets[0] if part == "market" else getattr(state, part), name)


def _with(state: BotState, key: str, value: object) -> BotState:
    part, _, name = key.partition(".")
    if part == "host":
        return state
    if part == "market":
        return replace(state, markets=tuple(m.model_copy(update={name: value}) for m in state.markets))
    return replace(state, **{part: getattr(state, part).model_copy(update={name: value})})


class _Machine:
    """A machine at ease, but for what the scenario says."""

    def __init__(self, scenario: Scenario, clock: Clock) -> None:
        self._scenario = scenario
        self._clock = clock

    def read(self) -> HostState:
        values: dict[str, float] = {"cpu_usage": 0.2, "memory_usage": 0.4, "disk_usage": 0.5}
        for event in self._scenario.story:
            for key, value in event.values.items():
                if key.startswith("host.") and event.holds(self._clock.at):
                    now = value.at(event.share(self._clock.at)) if isinstance(value, Ramp) else float(str(value))
                    values[key.removeprefix("host.")] = now
        traffic = int(self._clock.at) * 1000
        disks = {"/": values["disk_usage"]}
        network = {"receive": traffic, "transmit": traffic}
        return HostState(values["cpu_usage"], values["memory_usage"], disks, network, ())  # type: ignore[arg-type]


class ToldBots(Bots):
    """The scenario's bots.

    Args:
        folder: where its monitoring.yml is; what outlives a restart of the exporter is kept there, too.
        held: the values that stand still, which outlive it as well.
    """

    def __init__(self, scenario: Scenario, clock: Clock, folder: Path, held: dict[str, Any]) -> None:
        self._scenario = scenario
        self._clock = clock
        self._held = held
        since = dict.fromkeys(scenario.bots, clock.begins - _HISTORY)
        (folder / "demo.json").write_text(json.dumps(since))
        super().__init__(folder / "monitoring.yml", folder)
        self.host = _Machine(scenario, clock)  # type: ignore[assignment]

    def _sources(self, bot: BotEntry, zone: ZoneInfo, secret: str | None) -> Iterator[Source]:
        if not isinstance(bot, DemoBot):
            yield from super()._sources(bot, zone, secret)
            return
        events = self._scenario.of(bot.name)
        simulation = _Simulation(bot, self._demo_since(bot.name), zone, events, self._clock.begins)
        held = self._held.setdefault(bot.name, {})
        yield _Told(simulation, events, self._clock, held)
