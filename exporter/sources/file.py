"""Source `file`: a JSON state document that a bot, in any language, replaces atomically."""

from __future__ import annotations

import datetime as dt
import errno
import logging
import os
import time
from dataclasses import replace
from pathlib import Path
from stat import S_ISREG
from threading import Lock
from zoneinfo import ZoneInfo

from pydantic import ValidationError
from pydantic_core import from_json

from exporter.equity import EquityCurve
from exporter.history import History
from exporter.sources import Part
from exporter.state import BotState, SourceError, StateDocument, parse_document, unknown_keys
from exporter.values import seconds, values_in

log = logging.getLogger(__name__)

# A parsed document takes some ten times its size in memory, one of many small values far more.
MAX_BYTES = 4 * 1024 * 1024
MAX_VALUES = 200_000
# A bot's clock may be ahead of ours by this much.
MAX_AHEAD = 60.0
_MOST_FAULTS = 10
_MOST_WARNINGS = 50


class FileSource:
    """Reads a state document. It is parsed once for each version of the file.

    An invalid document is refused whole, and the last good one serves until it is stale.

    Args:
        path: the document.
        stale_after: seconds after the document's timestamp for which its values are served.
        zone: the time zone of days, weeks and months.
    """

    def __init__(self, path: Path, stale_after: float, zone: ZoneInfo) -> None:
        self._path = path
        self._stale_after = stale_after
        self._zone = zone
        self._version: tuple[int, int, int] | None = None
        self._good: tuple[StateDocument, History | None, EquityCurve | None] | None = None
        self._fault: tuple[str, str] | None = None  # reason and message
        self._warned: set[str] = set()
        # The two parts may be asked for at once, and both are the same document.
        self._lock = Lock()

    def read(self, part: Part, deadline: float) -> BotState:  # noqa: ARG002 - a document is read whole, at once
        """The document's state; both parts are in it."""
        with self._lock:
            self._refresh()
            # Made afresh: an exception raised again and again would keep the frames of every time.
            fault = None if self._fault is None else SourceError(*self._fault)
            now = time.time()
            if self._good is None or now - self._good[0].timestamp > self._stale_after:
                raise fault or self._stale()
            state = state_of(*self._good, now)
        return replace(state, problems=(fault,)) if fault else state

    def _stale(self) -> SourceError:
        written = dt.datetime.fromtimestamp(self._good[0].timestamp, self._zone) if self._good else "unknown"
        return SourceError(
            "stale",
            f"{self._path}: its timestamp is {written}, older than stale_after ({self._stale_after:g} s); "
            "does the bot still write it?",
        )

    def _refresh(self) -> None:
        try:
            with open(self._path, "rb", opener=_without_waiting) as file:
                stat = os.fstat(file.fileno())
                if not S_ISREG(stat.st_mode):
                    raise OSError(errno.EINVAL, "Is a pipe or a device, not a file")
                version = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
                if version == self._version:
                    return
                text = file.read(MAX_BYTES + 1)
        except OSError as error:
            self._version = None
            self._fault = (
                "missing",
                f"{self._path}: {error.strerror}; does the bot write its state there, may it be read?",
            )
            return
        self._version = version
        try:
            document = self._parse(text)
        except SourceError as error:
            self._fault = (error.reason, str(error))
            return
        history = curve = None
        if document.trades is not None:
            history = (self._good[1] if self._good else None) or History(self._zone)
            history.replace(document.closed_trades())
        if document.equity is not None:
            curve = EquityCurve(document.equity, self._zone)
        document = document.model_copy(update={"trades": None, "equity": None})  # they are in the history and the curve
        self._good, self._fault = (document, history, curve), None

    def _parse(self, text: bytes) -> StateDocument:
        too_much = None
        if len(text) > MAX_BYTES:
            too_much = f"larger than {MAX_BYTES >> 20} MiB"
        elif (values := values_in(text)) > MAX_VALUES:
            too_much = f"has some {values} values, more than {MAX_VALUES}"
        if too_much:
            raise SourceError("invalid", f"{self._path}: {too_much}; state totals and leave lists out")
        try:
            document = parse_document(text)
        except ValidationError as error:
            raise SourceError("invalid", f"{self._path}: {_faults(error)}") from None
        key, latest = document.latest_time()
        if (ahead := latest - time.time()) > MAX_AHEAD:
            raise SourceError("invalid", f"{self._path}: {key} is {ahead:.0f} s in the future; are the clocks right?")
        for key in sorted(set(unknown_keys(from_json(text))) - self._warned)[: _MOST_WARNINGS - len(self._warned)]:
            self._warned.add(key)
            log.warning("%s: the key %.200r is not known and not used; see the document's schema", self._path, key)
        return document


def _without_waiting(path: str, flags: int) -> int:
    """Open a file; a pipe, too, is opened at once, although nobody writes to it."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)


def state_of(document: StateDocument, history: History | None, curve: EquityCurve | None, now: float) -> BotState:
    """A document's state, with its uptime turned into a time of start and its trades summed up.

    A bot that states no last activity was active when it wrote: an age counts from there, not from our reading.
    """
    bot = document.bot
    if bot.last_activity is None:
        bot = bot.model_copy(update={"last_activity": document.timestamp})
    if bot.started_at is None and bot.uptime is not None:
        bot = bot.model_copy(update={"started_at": seconds(document.timestamp - bot.uptime)})
    return BotState(
        bot=bot,
        trading=document.trading,
        trades=None if history is None else history.summary(now, document.trading.initial_capital),
        positions=document.positions,
        equity=None if curve is None else curve.summary(now),
    )


def _faults(error: ValidationError) -> str:
    """The faults as `path: reason`, the first ten of them, and how many there are."""
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    lines = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'document'}: {e['msg']}" for e in errors[:_MOST_FAULTS])
    return f"{len(errors)} faults: {lines}" if len(errors) > 1 else lines
