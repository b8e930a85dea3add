"""The HTTP server: waitress, with what a connection may cost bounded before the application sees its request.

waitress takes a whole body before it calls the application. Here a body is kept only where it may come: 2 KiB from
anybody, a state document from a bot with its token. Any other is thrown away as it comes, so that its sender gets to
read the answer, and takes neither memory nor a temporary file.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from io import BytesIO
from typing import Any

import waitress
from flask import Flask
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import BaseWSGIServer
from waitress.task import WSGITask
from waitress.utilities import Error

from exporter.document import MAX_BYTES
from exporter.push import BODY_DONE, PUSH_PATH, Pushes, RefusedError, too_large

_SMALL = 2 * 1024

_SETTINGS: dict[str, Any] = {
    # A scrape waits for its bot, so this many scrapes of hung bots at once cost the others nothing.
    "threads": 256,
    "ident": None,
    # A sender of more than this is hung up on.
    "max_request_body_size": 4 * MAX_BYTES,
    "max_request_header_size": 8 * 1024,
    # Idle connections shall neither keep others out nor stay.
    "connection_limit": 1000,
    "channel_timeout": 30,
    "cleanup_interval": 5,
    # What is sent faster than it is taken waits in memory, never in a file, and no more of it than this.
    "outbuf_high_watermark": 1024 * 1024,
    "outbuf_overflow": 2 * 1024 * 1024,
    "asyncore_use_poll": True,  # select() knows no file beyond the 1024th
}


def create_server(app: Flask, pushes: Pushes, host: str, port: int) -> Any:
    """A server that listens; its `run()` serves.

    Raises:
        OSError: it can't listen there.
    """

    class Channel(_Channel):
        @staticmethod
        def parser_class(adjustments: Adjustments) -> _Parser:
            return _Parser(adjustments, pushes)

    sockets: dict[int, Any] = {}
    server = waitress.create_server(app, sockets, host=host, port=port, **_SETTINGS)
    for each in sockets.values():
        if isinstance(each, BaseWSGIServer):
            each.channel_class = Channel
    return server


class _Body:
    """A body in memory, thrown away as soon as it is larger than it may be."""

    def __init__(self, most: int) -> None:
        self._file = BytesIO()
        self._most = most
        self.too_large = False

    def __len__(self) -> int:
        return self._file.tell()

    def append(self, data: bytes) -> None:
        if len(self) + len(data) > self._most:
            self.too_large = True
            self._file = BytesIO()
        if not self.too_large:
            self._file.write(data)

    def getfile(self) -> BytesIO:
        self._file.seek(0)
        return self._file

    def close(self) -> None:
        self._file = BytesIO()


class _Answer(Error):  # type: ignore[misc] # noqa: N818 - waitress's name for it
    """A refusal, as waitress sends it."""

    def __init__(self, refused: RefusedError) -> None:
        super().__init__(f"{refused}\n")
        # Not the exception itself, whose frames hold what was received.
        self._status, self._headers = HTTPStatus(refused.status), refused.headers

    def to_response(self, ident: str | None = None) -> tuple[str, list[tuple[str, str]], bytes]:  # noqa: ARG002
        headers = {"Content-Type": "text/plain; charset=utf-8", **self._headers}
        return f"{self._status.value} {self._status.phrase}", list(headers.items()), self.body.encode()


class _Parser(HTTPRequestParser):  # type: ignore[misc]
    """Decides about a body when the headers are known."""

    completed: bool
    expect_continue: bool

    def __init__(self, adjustments: Adjustments, pushes: Pushes) -> None:
        super().__init__(adjustments)
        self._pushes = pushes
        self._body = _Body(0)
        self._give_back: Callable[[], None] | None = None

    def parse_header(self, header_plus: bytes) -> None:
        super().parse_header(header_plus)
        if self.body_rcv is None:
            return
        most = 0
        try:
            most = self._most()
        except RefusedError as refused:
            self.error = _Answer(refused)
            # Who waits for our word hasn't begun to send.
            self.completed, self.expect_continue = self.expect_continue, False
        self._body = self.body_rcv.buf = _Body(most)

    def _most(self) -> int:
        """How large the body may be.

        Raises:
            RefusedError: it doesn't need to come.
        """
        before, after = PUSH_PATH
        if not self.chunked and self.content_length <= _SMALL:
            return _SMALL
        if self.command == "PUT" and self.path.startswith(before) and self.path.endswith(after):
            # WSGI's way to hold UTF-8 in a text.
            name = self.path[len(before) : -len(after)].encode("latin-1").decode("utf-8", "replace")
            size = MAX_BYTES if self.chunked else self.content_length
            self._give_back = self._pushes.reserve(name, self.headers.get("AUTHORIZATION", ""), size)
            return MAX_BYTES
        if self.chunked:
            return _SMALL
        raise too_large()

    def received(self, data: bytes) -> int:
        consumed: int = super().received(data)
        if self._body.too_large and self.error is None:
            self.error = _Answer(too_large())
        return consumed

    def close(self) -> None:
        super().close()
        if self._give_back is not None:
            self._give_back()


class _Task(WSGITask):  # type: ignore[misc]
    """A call of the application, which can say that it is through with the request's body."""

    def get_environment(self) -> dict[str, Any]:
        environment: dict[str, Any] = super().get_environment()
        return environment | {BODY_DONE: self.request.close}


class _Channel(HTTPChannel):  # type: ignore[misc]
    """A connection; what it was about to send is given up when it ends."""

    task_class = _Task

    def handle_close(self) -> None:
        super().handle_close()
        if self.request is not None:
            self.request.close()
