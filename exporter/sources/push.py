"""Source `push`: a state document that a bot sends, kept over a restart of the exporter."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import logging
import os
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from urllib.parse import quote
from zoneinfo import ZoneInfo

from exporter.document import Documents
from exporter.schema import MAX_BYTES
from exporter.sources import DOCUMENT, Group, Part
from exporter.state import BotState, SourceError

log = logging.getLogger(__name__)


class PushSource:
    """Takes a bot's state documents and serves the last one. It may be read and given one at the same time.

    Args:
        name: the bot's.
        folder: where the last document is stored, for the exporter's next start.
        token: what the bot has to send.
        stale_after: seconds after the document's timestamp for which its values are served.
        zone: the time zone of days, weeks and months.
    """

    groups: Mapping[Group, Part] = DOCUMENT

    def __init__(self, name: str, folder: Path, token: str, stale_after: float, zone: ZoneInfo) -> None:
        self._name = name
        self._token = _digest(token)
        # Any name may be a bot's, but not a file's.
        self._file = folder / f"{hashlib.sha256(name.encode()).hexdigest()}.json"
        self._documents = Documents("the pushed document", stale_after, zone)
        self._reading, self._putting = Lock(), Lock()
        self._not_stored: str | None = None
        self._load()

    def admits(self, token: str) -> bool:
        """Whether a token is the bot's; how long it takes to tell says nothing about it."""
        return hmac.compare_digest(_digest(token), self._token)

    def read(self, part: Part, deadline: float) -> BotState:  # noqa: ARG002 - it is here already
        """The document's state; the last good one's while the present one is invalid and that one not stale."""
        with self._reading:
            return self._documents.state(time.time())

    def put(self, text: bytes) -> None:
        """Make a document the present one, and store it.

        Raises:
            SourceError: it is invalid, and the one before stays; or it is stale already.
            OutdatedError: it is older than the present one, which stays.
        """
        with self._putting:
            with self._reading:
                self._documents.take(text, in_order=True)
            self._store(text)

    def _store(self, text: bytes) -> None:
        draft = self._file.with_suffix(".new")
        fault = None
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with open(draft, "wb", opener=_private) as file:
                file.write(text)
            draft.replace(self._file)
        except OSError as error:
            with contextlib.suppress(OSError):
                draft.unlink()
            fault = f"{self._file}: {error.strerror}; make it writable, else a restart of the exporter loses the state"
        if fault is not None and fault != self._not_stored:
            log.warning("bot %s: its state is served but not stored: %s", self._name, fault)
        self._not_stored = fault

    def _load(self) -> None:
        try:
            with self._file.open("rb") as file:
                self._documents.take(file.read(MAX_BYTES + 1))
        except FileNotFoundError:
            pass
        except (OSError, SourceError) as error:
            log.warning("bot %s: its stored state is not used: %s: %s", self._name, self._file, error)
        else:
            return
        path = f"/api/v1/bots/{quote(self._name, safe='')}/state"
        self._documents.fail(
            "missing", f"the bot has not sent its state yet; it goes to PUT {path}, see docs/state-document.md"
        )


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


_NOBODY = secrets.token_bytes(32)


def admits_nobody(token: str) -> bool:
    """What takes as long as `PushSource.admits`, for a bot that there is not."""
    return hmac.compare_digest(_digest(token), _NOBODY)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
