"""Source `http`: a state document that a bot serves."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

from exporter.document import Documents
from exporter.schema import MAX_BYTES
from exporter.sources import DOCUMENT, Group, Part
from exporter.sources.client import get, new_session
from exporter.state import BotState, SourceError

# Seconds. A bot that takes longer for a document that it only has to send doesn't work.
_AT_MOST = 5.0


class HttpSource:
    """Reads a state document from a URL. It is parsed once for each version.

    Args:
        url: of the document.
        stale_after: seconds after the document's timestamp for which its values are served.
        zone: the time zone of days, weeks and months.
        username: for HTTP Basic.
        secret: the user's password or, without a user, a bearer token.
        ca_file: certificates to trust instead of the well-known ones.
    """

    groups: Mapping[Group, Part] = DOCUMENT

    def __init__(
        self,
        url: str,
        stale_after: float,
        zone: ZoneInfo,
        username: str | None = None,
        secret: str | None = None,
        ca_file: Path | None = None,
    ) -> None:
        self._url = url
        password, token = (secret, None) if username is not None else (None, secret)
        self._session = new_session(username, password, token, ca_file)
        # A query may hold a key: it is not told.
        self._documents = Documents(url.partition("?")[0], stale_after, zone)
        self._digest = b""

    def read(self, part: Part, deadline: float) -> BotState:  # noqa: ARG002 - a document is read whole
        """The document's state; the last good one's while the present one is invalid and that one not stale."""
        body = get(self._session, self._url, deadline, _AT_MOST, most_bytes=MAX_BYTES)
        digest = hashlib.sha256(body).digest()
        if digest != self._digest:
            self._digest = digest
            with contextlib.suppress(SourceError):  # it comes with the state
                self._documents.take(body)
        return self._documents.state(time.time())
