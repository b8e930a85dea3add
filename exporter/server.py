"""The HTTP server: waitress, with bounds for what strangers can take of it: memory, files, connections, time."""

from __future__ import annotations

import logging
import resource
import time
from collections.abc import Callable
from functools import partial
from io import BytesIO
from typing import Any

import waitress
from flask import Flask
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import BaseWSGIServer

from exporter.schema import MAX_BYTES

_MOST_FILES = 8192
_MOST_CONNECTIONS = 1000
_SETTINGS: dict[str, Any] = {
    # A scrape waits for its bot, so this many scrapes of hung bots at once cost the others nothing.
    "threads": 256,
    "ident": None,
    # A document that is too large is taken, and thrown away, so that its sender gets to read why.
    "max_request_body_size": 2 * MAX_BYTES,
    # Beyond this a body waits in a temporary file, not in memory.
    "inbuf_overflow": 16 * 1024,
    "max_request_header_size": 8 * 1024,
    # Idle and slow connections shall neither keep others out nor stay.
    "channel_timeout": 30,
    "cleanup_interval": 5,
    # What is sent faster than it is taken waits in memory, and no more of it than this.
    "outbuf_high_watermark": 1024 * 1024,
    "outbuf_overflow": 2 * 1024 * 1024,
    "asyncore_use_poll": True,  # select() knows no file beyond the 1024th
}


def create_server(app: Flask, admits: Callable[[str], bool], host: str, port: int) -> Any:
    """A server that listens; its `run()` serves.

    Args:
        admits: whether the body of a request with this header Authorization is wanted.

    Raises:
        OSError: it can't listen there.
    """

    class Channel(HTTPChannel):  # type: ignore[misc]
        parser_class = staticmethod(partial(_Request, admits))

    # It warns of each request that waits for a thread.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    sockets: dict[int, Any] = {}
    server = waitress.create_server(app, sockets, host=host, port=port, connection_limit=_connections(), **_SETTINGS)
    for each in sockets.values():
        if isinstance(each, BaseWSGIServer):
            each.channel_class = Channel
            each.maintenance = partial(_end_slow, each)
    return server


def _connections() -> int:
    """How many connections there may be after the limit of open files was raised: half of it, for bots need some."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = min(n for n in (hard, _MOST_FILES) if n != resource.RLIM_INFINITY)
    if soft != resource.RLIM_INFINITY and soft < files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    return min(files // 2, _MOST_CONNECTIONS)


def _end_slow(server: BaseWSGIServer, now: float) -> None:
    """waitress ends idle connections only: end those as well whose answer isn't taken, or whose request doesn't end."""
    BaseWSGIServer.maintenance(server, now)
    earliest = now - server.adj.channel_timeout
    for channel in list(server.active_channels.values()):
        not_taken = channel.total_outbufs_len and channel.last_activity < earliest
        request = None if channel.requests else channel.request
        if not_taken or (request is not None and request.began < earliest):
            channel.handle_close()


class _Request(HTTPRequestParser):  # type: ignore[misc]
    """A request that is being received. waitress takes a body whole, before the application sees the headers."""

    def __init__(self, admits: Callable[[str], bool], adjustments: Adjustments) -> None:
        super().__init__(adjustments)
        self.began = time.time()
        self._admits = admits

    def received(self, data: bytes) -> int:
        taken: int = super().received(data)
        if self.completed and not self.empty and taken < len(data):
            # Hundreds of requests in a packet would wait in memory. Who sends them ahead has to send them again.
            self.headers["CONNECTION"] = "close"
            return len(data)
        return taken

    def parse_header(self, header_plus: bytes) -> None:
        super().parse_header(header_plus)
        if self.body_rcv is not None and (
            self.content_length > MAX_BYTES or not self._admits(self.headers.get("AUTHORIZATION", ""))
        ):
            self.body_rcv.buf = _Nowhere()


class _Nowhere:
    """Takes a body that the application will refuse, so that its sender gets to read the answer."""

    def append(self, data: bytes) -> None:
        pass

    def __len__(self) -> int:
        return 0

    def getfile(self) -> BytesIO:
        return BytesIO()

    def close(self) -> None:
        pass
