"""Reads bots for scrapes: one reading for scrapes that come together, none that outlasts its scrape, faults counted."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, field
from threading import Lock
from typing import Literal, TypeVar

from exporter.bucket import Bucket
from exporter.config.entries import BotEntry
from exporter.sources import Group, Part, Source
from exporter.state import REASONS, Bot, BotState, SourceError

log = logging.getLogger(__name__)

T = TypeVar("T")

# What can be faulty: a reading, what is made of it, and what the bot sends by itself.
Subject = Part | Literal["results", "push"]

# Of a bot, at once and a second on average: one whose fault sounds different each time doesn't fill the log.
_LOG_LINES = 20, 0.1
_GRACE = 0.3  # seconds
# So many bots are read ahead, for each reading that is under way takes a thread, and memory. When one doesn't answer
# within so many seconds, all the others are begun: one that hangs costs them nothing.
_AHEAD, _QUICK = 16, 0.02


@dataclass
class Record:
    """What the readings of one bot came to, for the metrics of the group `exporter`."""

    errors: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(REASONS, 0)))
    seconds: dict[Part, float] = field(default_factory=dict)
    last_success: float | None = None
    # The latest of a part, until it can be read; and of what is made of them.
    faults: dict[Subject, tuple[str, ...]] = field(default_factory=dict)
    history_complete: bool | None = None
    series_dropped: int = 0


class BotReader:
    """Reads one bot on behalf of scrapes.

    Args:
        config: the bot's entry in monitoring.yml.
        sources: what reads it: the bot itself, and what else is known of it, the first one's word counting most.
        pool: threads for readings; one that hangs keeps its thread, and the next scrape waits for that same reading.
        secret: the bot's password or token when its source was made; another one needs another source.
        record: what earlier readings came to, where the bot had another source before.
    """

    def __init__(
        self,
        config: BotEntry,
        sources: Sequence[Source],
        pool: ThreadPoolExecutor,
        secret: str | None = None,
        record: Record | None = None,
    ) -> None:
        self.config = config
        self.sources = sources
        self.secret = secret
        self.record = record or Record()
        self.bot = Bot()  # as it was last read
        # Its last trades, packed: None until they are read, empty where it tells of none.
        self.recent: bytes | None = None
        self._pool = pool
        self._parts: dict[Part, Source] = {}
        self._groups: dict[Group, tuple[Part, ...]] = {}
        for source in sources:
            for group, part in source.groups.items():
                self._parts[part] = source
                self._groups[group] = (*self._groups.get(group, ()), part)
        self._log_lines = Bucket(*_LOG_LINES)
        self._running: dict[Part, Future[BotState]] = {}
        self._lock = Lock()

    @property
    def name(self) -> str:
        """The bot's name, the value of the label `bot`."""
        return self.config.name

    def parts(self, group: Group) -> tuple[Part, ...]:
        """What to read for a group of metrics; nothing where nobody knows of it."""
        return self._groups.get(group, ())

    def start(self, part: Part, deadline: float) -> Future[BotState]:
        """Begin a reading, or join the one that is under way."""
        with self._lock:
            running = self._running.get(part)
            if running is None or running.done():
                # It ends a little before its scrape, which can then serve the parts that could be read.
                grace = min(_GRACE, max(deadline - time.monotonic(), 0) / 10)
                running = self._pool.submit(self._read, part, deadline - grace)
                self._running[part] = running
            return running

    def finish(self, part: Part, reading: Future[BotState], deadline: float) -> BotState | None:
        """A reading's state; None where the bot couldn't be read by the deadline (`time.monotonic()`)."""
        try:
            state = reading.result(timeout=max(deadline - time.monotonic(), 0))
            with self._lock:
                if self._running.get(part) is reading:
                    del self._running[part]  # not to keep its state
            return state
        except FutureTimeout:
            # The reading itself counts its fault when it ends; one that never does is counted here.
            self._count(part, SourceError("timeout", "still being read when the scrape's time was up"))
        except SourceError:
            pass
        return None

    def pushed(self, fault: SourceError | None) -> None:
        """Note that the bot sent its state: in vain, where there is a fault, which the next one that is taken ends."""
        if fault is not None:
            self._count("push", fault)
        else:
            with self._lock:
                self.record.faults.pop("push", ())

    def _read(self, part: Part, deadline: float) -> BotState:
        began = time.monotonic()
        try:
            state = self._parts[part].read(part, deadline)
        except SourceError as error:
            self._count(part, error)
            raise
        except Exception as error:
            raise self._internal(part, error) from error
        finally:
            self.record.seconds[part] = time.monotonic() - began
        if state.problems:
            self._count(part, *state.problems)
        with self._lock:
            # Not its process, and not how quick its answers were: they are known of a dead bot, too.
            if part in self.parts("bot") + self.parts("trading"):
                self.record.last_success = time.time()
            if part in self.parts("trading"):
                self.record.history_complete = state.history_complete
                if state.trades is not None:
                    self.recent = state.trades.recent
                elif state.history_complete:
                    self.recent = b""
            if part in self.parts("bot"):
                self.bot = state.bot
            if not state.problems and self.record.faults.pop(part, ()):
                log.info("bot %s: its part %s can be read again", self.name, part)
        return state

    def attempt(self, compute: Callable[[], T]) -> T | None:
        """What is made of the bot's state; None where that fails, which is a fault of the exporter with this bot."""
        try:
            made = compute()
        except Exception as error:
            self._internal("results", error)
            return None
        with self._lock:
            self.record.faults.pop("results", ())
        return made

    def _internal(self, part: Subject, error: Exception) -> SourceError:
        fault = SourceError("internal", f"a fault of the exporter: {error!r}; see its log")
        self._count(part, fault, cause=error)
        return fault

    def _count(self, part: Subject, *errors: SourceError, cause: Exception | None = None) -> None:
        with self._lock:
            # Each scrape meets the same faults again: one is logged when it is new.
            known = self.record.faults.get(part, ())
            for error in errors:
                self.record.errors[error.reason] += 1
                if str(error) not in known and self._log_lines.take() is None:
                    log.warning("bot %s: %s: %s", self.name, error.reason, error, exc_info=cause)
            self.record.faults[part] = tuple(map(str, errors))


def read_all(
    readers: Sequence[BotReader], groups: Sequence[Group], deadline: float
) -> Iterator[tuple[BotReader, Mapping[Group, list[BotState]]]]:
    """Read what groups need of several bots side by side.

    Yields:
        Each bot with its groups' states: of those who know of the group, those that could be read by the deadline, in
        order. A part that several groups need is read once.
    """
    started: list[dict[Part, Future[BotState]]] = []

    def start_until(end: int) -> None:
        for following in readers[len(started) : end]:
            parts = dict.fromkeys(part for group in groups for part in following.parts(group))
            started.append({part: following.start(part, deadline) for part in parts})

    for number, reader in enumerate(readers):
        start_until(number + _AHEAD)
        under_way = [reading for reading in started[number].values() if not reading.done()]
        if under_way and wait(under_way, timeout=_QUICK).not_done:
            start_until(len(readers))
        states = {part: reader.finish(part, reading, deadline) for part, reading in started[number].items()}
        started[number] = {}  # not to keep a thousand states
        yield reader, {group: [s for p in reader.parts(group) if (s := states[p]) is not None] for group in groups}
