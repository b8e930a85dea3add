"""HTTP servers of the tests, each in a thread of its own."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from http.server import HTTPServer
from typing import Self


@contextlib.contextmanager
def serving(server: HTTPServer) -> Iterator[None]:
    """Serves, and closes the server at the end."""
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Serving:
    """What has a server, as a context manager."""

    _server: HTTPServer

    def __enter__(self) -> Self:
        self._serving = serving(self._server)
        self._serving.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._serving.__exit__(None, None, None)
