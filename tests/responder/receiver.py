"""A local receiver of webhooks, which answers as it is told, and checks each signature as docs/webhooks.md says."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.serving import Serving
from tests.stack import ROOT

SECRET = "whsec_bm90IHRvIGJlIHNlZW4gYnkgYW55Ym9keSBlbHNl"
PAGE = (ROOT / "docs" / "webhooks.md").read_text()
(SNIPPET,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
_documented: dict[str, Any] = {}
exec(SNIPPET, _documented)  # noqa: S102 - the project's own
verified: Callable[[str, dict[str, str], bytes], bool] = _documented["verified"]

# What is done instead of answering 200.
Misbehaviour = Callable[[BaseHTTPRequestHandler], None]


def status(code: int, body: str = "no", **headers: str) -> Misbehaviour:
    """Answer with an HTTP status; {path} in the body is the request's."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        content = body.replace("{path}", handler.path).encode()
        handler.send_response(code)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(content)

    return answer


@dataclass(frozen=True)
class Attempt:
    """A request that was signed right."""

    path: str
    headers: dict[str, str]
    body: bytes
    taken: bool

    @property
    def id(self) -> str:
        """Of the event."""
        return self.headers["webhook-id"]

    @property
    def event(self) -> dict[str, Any]:
        """The body."""
        found: dict[str, Any] = json.loads(self.body)
        return found


class Receiver(Serving):
    """A context manager; `attempts` are the requests that came, `planned` what happens to the next ones."""

    PATH = "/in/my-own-path?key=4711-secret"

    def __init__(self) -> None:
        self.attempts: list[Attempt] = []
        self.planned: list[Misbehaviour] = []
        self.released = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        """Its address, of which a part is secret."""
        return f"http://127.0.0.1:{self._server.server_port}{self.PATH}"

    @property
    def taken(self) -> list[dict[str, Any]]:
        """The events that it confirmed."""
        return [attempt.event for attempt in self.attempts if attempt.taken]

    def file(self, path: Path, *kinds: str, **more: Any) -> Path:
        """Writes webhooks.json with one that leads here."""
        ledger = {"name": "ledger", "kinds": kinds or ("trades", "alerts", "reports"), "url": self.url}
        path.write_text(json.dumps([{**ledger, "secret": SECRET, **more}]))
        return path

    def __exit__(self, *_: object) -> None:
        self.released.set()
        super().__exit__()


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            right = verified(SECRET, headers, body)
            planned = (
                status(401, "wrong signature") if not right else receiver.planned.pop(0) if receiver.planned else None
            )
            receiver.attempts.append(Attempt(self.path, headers, body, planned is None))
            (planned or status(200, "ok"))(self)

        def log_message(self, *_arguments: Any) -> None:
            """Stays silent: what came is looked at by the tests."""

    return Handler
