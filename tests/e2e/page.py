"""A page of series that Prometheus scrapes, in place of an exporter."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.serving import Serving


class Page(Serving):
    """A page of series for Prometheus, at /metrics of any query. A context manager."""

    def __init__(self) -> None:
        self._series: dict[str, float] = {}
        self._lock = threading.Lock()
        page = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                content = page.text(self.path).encode()
                self.send_response(200)
                self.send_header("Content-Type", page.kind(self.path))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_arguments: Any) -> None:
                """Stays silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port

    def set(self, name: str, value: float, **labels: str) -> None:
        """Sets a series."""
        key = name + "{" + ",".join(f"{label}={json.dumps(text)}" for label, text in labels.items()) + "}"
        with self._lock:
            self._series[key] = value

    def text(self, _path: str) -> str:
        """What is answered."""
        with self._lock:
            return "".join(f"{key} {value}\n" for key, value in self._series.items())

    def kind(self, _path: str) -> str:
        """Its content type."""
        return "text/plain; version=0.0.4"
