"""A hard end for an HTTP call: its connection is shut down when its time is up, whatever the server sends.

A socket's time-out starts anew with each packet, and http.client reads on by itself for as long as headers,
`100 Continue` or trailers come. Only the end of the connection stops that. And each address of a name would get the
whole time to be connected.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool


class _Call:
    """A call and the connection on which its answer comes."""

    def __init__(self, end: float) -> None:
        self.end = end
        self.connection: socket.socket | None = None

    def shut_down(self) -> None:
        if self.connection is not None:
            with contextlib.suppress(OSError):  # closed meanwhile
                # Not an SSLSocket's own method, which takes the encryption away from under the reader.
                socket.socket.shutdown(self.connection, socket.SHUT_RDWR)


# The call that a thread makes; a session's connections serve several threads.
_made_by = threading.local()
_LONGEST_HEADER = 8 * 1024


@contextlib.contextmanager
def hard_end(end: float) -> Iterator[None]:
    """Shut down the connection of the call made within, over a session with `HardEndAdapter` or one to `watch`.

    Args:
        end: the `time.monotonic()` at which that happens; the caller's reading then fails, or just ends.
    """
    call = _made_by.call = _Call(end)
    timer = threading.Timer(max(end - time.monotonic(), 0), call.shut_down)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        _made_by.call = None


def watch(connection: socket.socket | None) -> None:
    """Take this for the connection of the call that this thread makes; raises TimeoutError where its time is up."""
    call: _Call | None = getattr(_made_by, "call", None)
    if call is not None:
        call.connection = connection
        # The timer may have gone off while there was no connection to shut down.
        if time.monotonic() >= call.end:
            raise TimeoutError("the call's time was up when it was connected")


class _Options(list[tuple[int, int, int | bytes]]):
    """A new socket's options. urllib3 sets them just before it tries an address: past the end it tries no more."""

    def __iter__(self) -> Iterator[tuple[int, int, int | bytes]]:
        watch(None)
        return super().__iter__()


class _Head:
    """The lines before a body: http.client bounds their number, and each of them only at 64 KiB."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.close = file.close

    def readline(self, _: int) -> bytes:
        line: bytes = self._file.readline(_LONGEST_HEADER + 1)
        if len(line) > _LONGEST_HEADER:
            raise ValueError(f"a header is longer than {_LONGEST_HEADER >> 10} KiB")
        return line


class _Response(http.client.HTTPResponse):
    def begin(self) -> None:
        file = self.fp
        self.fp = _Head(file)  # type: ignore[assignment]
        try:
            super().begin()
        finally:
            self.fp = self.fp and file


class _Connection(HTTPConnection):
    response_class = _Response

    def getresponse(self) -> Any:
        watch(self.sock)
        return super().getresponse()


class _SecureConnection(HTTPSConnection):
    response_class = _Response

    def getresponse(self) -> Any:
        watch(self.sock)
        return super().getresponse()


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class HardEndAdapter(HTTPAdapter):
    """Connections that `hard_end` can shut down."""

    def send(self, request: requests.PreparedRequest, *arguments: Any, **options: Any) -> requests.Response:
        """As `HTTPAdapter` does, all its errors of requests' kind."""
        try:
            return super().send(request, *arguments, **options)
        except TimeoutError as error:  # time was up before urllib3 did what it takes for its own
            raise requests.ConnectTimeout(error, request=request) from None

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Make the pools of connections."""
        options["socket_options"] = _Options(HTTPConnection.default_socket_options)
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
