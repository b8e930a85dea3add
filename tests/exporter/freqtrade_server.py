"""A small HTTP server that plays freqtrade from recorded answers of a real one, and can misbehave."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import ssl
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

RECORDED = Path(__file__).parent / "recorded"
USERNAME, PASSWORD = "lab", "pass:wörd-☃-not-to-be-seen"

Handler = BaseHTTPRequestHandler
Misbehaviour = Callable[[Handler, threading.Event], None]


def recorded(name: str) -> dict[str, Any]:
    """The answers of one recording by call, completed with those of the running bot."""
    answers: dict[str, Any] = json.loads((RECORDED / "running.json").read_text())
    answers.update(json.loads((RECORDED / f"{name}.json").read_text()))
    return answers


def recorded_trades() -> list[dict[str, Any]]:
    """The running bot's closed trades, in the order of their ids."""
    trades: list[dict[str, Any]] = json.loads((RECORDED / "trades.json").read_text())
    return trades


def send(handler: Handler, status: int, body: bytes, **headers: str) -> None:
    """Send a whole answer."""
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(body)), "Content-Type": "application/json", **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def status(code: int, body: bytes = b'{"error":"no"}', **headers: str) -> Misbehaviour:
    """Answer with an HTTP status."""
    return lambda handler, _: send(handler, code, body, **headers)


def hang(_: Handler, released: threading.Event) -> None:
    """Say nothing until the server ends."""
    released.wait(60)


def _write_on(handler: Handler, released: threading.Event, byte: bytes) -> None:
    while not released.wait(0.02):
        handler.wfile.write(byte)
        handler.wfile.flush()


def drip(handler: Handler, released: threading.Event) -> None:
    """A body that never ends, a byte at a time."""
    handler.send_response(200)
    handler.end_headers()
    handler.close_connection = True
    _write_on(handler, released, b" ")


def drip_headers(handler: Handler, released: threading.Event) -> None:
    """Headers that never end."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
    _write_on(handler, released, b"x")


def keep_continuing(handler: Handler, released: threading.Event) -> None:
    """`100 Continue`, and no answer."""
    while not released.is_set():
        handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 2000)


def trail(handler: Handler, released: threading.Event) -> None:
    """A whole answer, and trailers that never end."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n")
    while not released.is_set():
        handler.wfile.write(b"a: b\r\n" * 2000)


def drip_chunks(handler: Handler, released: threading.Event) -> None:
    """The length of a chunk that never ends."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    _write_on(handler, released, b"0")


def flood(handler: Handler, _: threading.Event) -> None:
    """40 MB of JSON."""
    handler.send_response(200)
    handler.end_headers()
    handler.close_connection = True
    piece = b"[" + b"0," * (1 << 19)
    for _count in range(40):
        handler.wfile.write(piece)


def cut_off(handler: Handler, _: threading.Event) -> None:
    """A body that ends before its length."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"a":')
    handler.close_connection = True


def not_http(handler: Handler, _: threading.Event) -> None:
    """Something else than HTTP."""
    handler.wfile.write(b"SSH-2.0-OpenSSH_9.2p1\r\n")
    handler.close_connection = True


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that hangs up on a flood is what the tests want.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class FreqtradeServer:
    """A freqtrade on loopback; over TLS where a file with a certificate and its key is given.

    `answers` are those of the API by call; `closed` its closed trades; `misbehave` what a call does instead. `asked`
    lists each request's call and parameters, `credentials` what came with it.
    """

    def __init__(self, recording: str = "running", certificate: Path | None = None) -> None:
        self.closed: list[dict[str, Any]] = recorded_trades()
        self.misbehave: dict[str, Misbehaviour] = {}
        self.page_cap: int | None = None
        self.before_page: Callable[[int], None] = lambda _: None
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.credentials: list[str | None] = []
        self.password = PASSWORD
        self.play(recording)
        self._released = threading.Event()
        self._connections: set[socket.socket] = set()  # those that clients keep open
        server = self

        class _Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 65536  # headers and body in one packet: two would wait for each other

            def setup(self) -> None:
                super().setup()
                server._connections.add(self.connection)

            def finish(self) -> None:
                server._connections.discard(self.connection)
                with contextlib.suppress(OSError):
                    super().finish()

            def do_GET(self) -> None:
                with contextlib.suppress(ConnectionError):
                    server._answer(self)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = _Server(("127.0.0.1", 0), _Handler)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        if certificate is not None:
            encrypted = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            encrypted.load_cert_chain(certificate)
            self._server.socket = encrypted.wrap_socket(self._server.socket, server_side=True)
            self.url = f"https://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._released.set()
        self._server.shutdown()
        self._server.server_close()
        for connection in self._connections.copy():
            with contextlib.suppress(OSError):  # closed meanwhile
                connection.shutdown(socket.SHUT_RDWR)

    def play(self, recording: str) -> None:
        """Answer as in a recording from now on."""
        self.answers = recorded(recording)

    def calls(self, call: str) -> list[dict[str, str]]:
        """The parameters of each request for a call."""
        return [parameters for name, parameters in self.asked if name == call]

    def _answer(self, handler: Handler) -> None:
        address = urlsplit(handler.path)
        call = address.path.removeprefix("/api/v1/")
        parameters = {k: v[0] for k, v in parse_qs(address.query).items()}
        self.asked.append((call, parameters))
        self.credentials.append(handler.headers.get("Authorization"))
        if call in self.misbehave:
            self.misbehave[call](handler, self._released)
        elif handler.headers.get("Authorization") != self._basic():
            send(handler, 401, b'{"detail":"Unauthorized"}')
        elif call == "trades":
            self._send_json(handler, 200, self._page(parameters))
        elif call in self.answers:
            answer = self.answers[call]
            self._send_json(handler, answer["status"], answer["json"])
        else:
            send(handler, 404, b'{"detail":"Not Found"}')

    def _basic(self) -> str:
        return "Basic " + base64.b64encode(f"{USERNAME}:{self.password}".encode()).decode()

    def _page(self, parameters: dict[str, str]) -> dict[str, Any]:
        self.before_page(len(self.calls("trades")))
        limit, offset = int(parameters.get("limit", 500)), int(parameters.get("offset", 0))
        limit = min(limit, self.page_cap or limit)
        newest_first = parameters.get("order_by_id") == "false"
        key = "close_timestamp" if newest_first else "trade_id"
        trades = sorted(self.closed, key=lambda t: t[key], reverse=newest_first)[offset : offset + limit]
        return {"trades": trades, "trades_count": len(trades), "offset": offset, "total_trades": len(self.closed)}

    @staticmethod
    def _send_json(handler: Handler, code: int, document: Any) -> None:
        send(handler, code, json.dumps(document).encode())
