"""What a bot may push: its token, its rate, its size."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from threading import Lock

from exporter.bots import Bots
from exporter.bucket import Bucket
from exporter.document import OutdatedError
from exporter.reading import BotReader
from exporter.schema import MAX_BYTES
from exporter.sources.push import PushSource, admits_nobody
from exporter.state import SourceError

log = logging.getLogger(__name__)

# At once, and a second on average.
_PUSHES_OF_A_BOT = 20, 2.0
_WRONG_TOKENS = 10, 1 / 6


class RefusedError(Exception):
    """A request that is refused: an HTTP status, a sentence, and where it may come again the seconds until then."""

    def __init__(self, status: int, sentence: str, wait: float | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.headers: Mapping[str, str] = {} if wait is None else {"Retry-After": str(math.ceil(wait))}
        if status == 401:
            self.headers = {"WWW-Authenticate": "Bearer"}


def bears_token(bots: Bots, authorization: str) -> bool:
    """Whether a header Authorization has the token of any bot that pushes."""
    token = authorization.partition(" ")[2].strip()
    sources = (source for reader in bots.readers.values() for source in reader.sources)
    return any(isinstance(source, PushSource) and source.admits(token) for source in sources)


class Pushes:
    """The door for pushed documents. Nobody without a bot's token learns which bots there are."""

    def __init__(self, bots: Bots) -> None:
        self._bots = bots
        self._wrong_tokens = Bucket(*_WRONG_TOKENS)
        self._of_bots: dict[str, Bucket] = {}
        self._lock = Lock()
        self._taking = Lock()  # one document at a time, for a large one takes many times its size in memory

    def put(self, name: str, authorization: str, encoding: str, size: int, body: Callable[[], bytes]) -> None:
        """Take a bot's document.

        Args:
            name: the bot's.
            authorization, encoding: what the request's headers say; empty where there are none.
            size: of the body.
            body: gives it.

        Raises:
            RefusedError: it is not taken.
        """
        reader, source = self._admitted(name, authorization)
        try:
            self._take(name, source, encoding, size, body)
        except RefusedError as refused:
            # Its next document may be good, before anybody reads the bot.
            reader.pushed(SourceError("invalid", f"a push was refused with HTTP {refused.status}: {refused}"))
            raise
        reader.pushed(None)

    def _take(self, name: str, source: PushSource, encoding: str, size: int, body: Callable[[], bytes]) -> None:
        if encoding.lower() not in ("", "identity"):
            raise RefusedError(415, f"the document is packed ({encoding[:80]}); send it as it is")
        with self._lock:
            bucket = self._of_bots.setdefault(name, Bucket(*_PUSHES_OF_A_BOT))
        if (wait := bucket.take()) is not None:
            most, a_second = _PUSHES_OF_A_BOT
            raise RefusedError(429, f"too often: {most} at once and {a_second:g} a second are taken of a bot", wait)
        if size > MAX_BYTES:
            raise RefusedError(413, f"larger than {MAX_BYTES >> 20} MiB; state totals and leave lists out")
        try:
            with self._taking:
                source.put(body())
        except OutdatedError as error:
            raise RefusedError(409, str(error)) from None
        except SourceError as error:
            raise RefusedError(422, str(error)) from None

    def _admitted(self, name: str, authorization: str) -> tuple[BotReader, PushSource]:
        reader = self._bots.readers.get(name)
        source = next((s for s in reader.sources if isinstance(s, PushSource)), None) if reader else None
        scheme, _, token = authorization.partition(" ")
        admits = admits_nobody if source is None else source.admits
        if admits(token.strip()) and scheme.lower() == "bearer" and reader is not None and source is not None:
            return reader, source
        sentence = "wrong or missing token, or no bot of type push has this name; send Authorization: Bearer TOKEN"
        if (wait := self._wrong_tokens.take()) is not None:
            raise RefusedError(429, f"{sentence}; and too many such requests came, try again later", wait)
        log.warning("a push to the bot %.80r was refused: %s", name, sentence)
        raise RefusedError(401, sentence)
