"""Source `file`: a JSON state document that a bot, in any language, replaces atomically."""

from __future__ import annotations

import json
import logging
import os
import time
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from exporter.history import History
from exporter.sources import Part
from exporter.state import BotState, SourceError, StateDocument, parse_document, unknown_keys

log = logging.getLogger(__name__)

MAX_BYTES = 16 * 1024 * 1024
# A bot's clock may be ahead of ours by this much.
MAX_AHEAD = 60.0
_MOST_FAULTS = 10


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
        self._good: tuple[StateDocument, History | None] | None = None
        self._fault: SourceError | None = None
        self._warned: set[str] = set()

    def read(self, part: Part, deadline: float) -> BotState:  # noqa: ARG002 - a document is read whole, at once
        """The document's state; both parts are in it."""
        self._refresh()
        if self._good is None:
            raise self._fault or SourceError("missing", f"{self._path}: no such file")
        document, history = self._good
        now = time.time()
        age = now - document.timestamp
        if age > self._stale_after:
            raise self._fault or SourceError(
                "stale",
                f"{self._path}: its timestamp is {age:.0f} s old, more than stale_after ({self._stale_after:.0f} s); "
                "does the bot still write it?",
            )
        state = state_of(document, history, now)
        return replace(state, problems=(self._fault,)) if self._fault else state

    def _refresh(self) -> None:
        try:
            with self._path.open("rb") as file:
                stat = os.fstat(file.fileno())
                version = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
                if version == self._version:
                    return
                text = file.read(MAX_BYTES + 1)
        except OSError as error:
            self._version = None
            self._fault = SourceError(
                "missing", f"{self._path}: {error.strerror}; does the bot write its state there, may it be read?"
            )
            return
        self._version = version
        try:
            document = self._parse(text)
        except SourceError as error:
            self._fault = error
            return
        history = None
        if document.trades is not None:
            history = History(self._zone)
            history.add(document.closed_trades())
        self._good, self._fault = (document, history), None

    def _parse(self, text: bytes) -> StateDocument:
        if len(text) > MAX_BYTES:
            raise SourceError("invalid", f"{self._path}: larger than {MAX_BYTES >> 20} MiB")
        try:
            document = parse_document(text)
        except ValidationError as error:
            raise SourceError("invalid", f"{self._path}: {_faults(error)}") from None
        ahead = document.timestamp - time.time()
        if ahead > MAX_AHEAD:
            raise SourceError(
                "invalid", f"{self._path}: timestamp is {ahead:.0f} s in the future; are the clocks right?"
            )
        for key in set(unknown_keys(json.loads(text))) - self._warned:
            self._warned.add(key)
            log.warning("%s: the key %s is not known and not used; see the document's schema", self._path, key[:200])
        return document


def state_of(document: StateDocument, history: History | None, now: float) -> BotState:
    """A document's state, with its uptime turned into a time of start and its trades summed up."""
    bot = document.bot
    if bot.started_at is None and bot.uptime is not None:
        bot = bot.model_copy(update={"started_at": document.timestamp - bot.uptime})
    return BotState(
        bot=bot,
        trading=document.trading,
        trades=history.summary(now, document.trading.initial_capital) if history else None,
        positions=document.positions,
        equity=document.equity,
    )


def _faults(error: ValidationError) -> str:
    """Every fault as `path: reason`, the first ten of them."""
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    lines = [f"{'.'.join(map(str, e['loc'])) or 'document'}: {e['msg']}" for e in errors[:_MOST_FAULTS]]
    if len(errors) > _MOST_FAULTS:
        lines.append(f"and {len(errors) - _MOST_FAULTS} more")
    return "; ".join(lines)
