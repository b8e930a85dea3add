"""The server's bounds: what strangers can't keep of its memory, files, connections and time."""

from __future__ import annotations

import contextlib
import resource
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from flask import Flask, Response, request
from waitress import wasyncore

from exporter import server as module
from exporter.bots import Bots
from exporter.push import bears_token
from exporter.schema import MAX_BYTES
from exporter.server import create_server

LARGE = 19_000_000
TIMEOUT = 30  # seconds, as documented


class Running:
    """A server whose main loop turns only when a test says so, so that a test can tell it the time."""

    def __init__(self) -> None:
        app = Flask("test")
        app.get("/large", endpoint="large")(lambda: Response(b"x" * 100_000 for _ in range(LARGE // 100_000)))
        app.route("/", methods=["GET", "PUT"], endpoint="size")(lambda: str(len(request.environ["wsgi.input"].read())))
        self._server = create_server(app, lambda authorization: authorization == "Bearer good", "127.0.0.1", 0)
        self.address = "127.0.0.1", int(self._server.effective_port)

    def connect(self) -> socket.socket:
        connection = socket.create_connection(self.address)
        self.turn_until(lambda: self._server.active_channels)
        return connection

    def turn_until(self, condition: Callable[[], object]) -> None:
        end = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < end, "what was waited for did not come"
            wasyncore.loop(0.01, use_poll=True, map=self._server._map, count=1)

    def ask(self, method: str, path: str = "/", **more: Any) -> requests.Response:
        url = "http://{}:{}{}".format(*self.address, path)
        with ThreadPoolExecutor() as pool:
            answer = pool.submit(requests.request, method, url, timeout=20, **more)
            self.turn_until(answer.done)
            return answer.result()

    @property
    def channel(self) -> Any:
        """The only connection, or None."""
        return next(iter(self._server.active_channels.values()), None)

    def maintain(self, now: float) -> None:
        self._server.maintenance(now)

    def close(self) -> None:
        self._server.task_dispatcher.shutdown()
        wasyncore.close_all(self._server._map)


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    monkeypatch.setitem(module._SETTINGS, "threads", 2)
    with contextlib.closing(Running()) as it:
        yield it


@pytest.mark.parametrize("start", [b"G", b"GET / HTTP/1.1\r\nX: ", b"PUT / HTTP/1.1\r\nContent-Length: 9\r\n\r\n1"])
def test_a_request_that_trickles_is_ended(running: Running, start: bytes) -> None:
    with running.connect() as connection:
        connection.sendall(start)
        running.turn_until(lambda: running.channel.request)
        began = time.time()
        running.channel.last_activity = began + TIMEOUT  # its latest byte
        running.maintain(began + TIMEOUT - 10)
        assert running.channel
        running.maintain(began + TIMEOUT + 1)
        assert not running.channel
        assert connection.recv(1) == b""


def test_an_answer_that_is_not_taken_is_ended(running: Running) -> None:
    with running.connect() as connection:
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        running.turn_until(lambda: running.channel.total_outbufs_len > 1_000_000)
        assert running.channel.requests
        running.maintain(time.time() + TIMEOUT - 10)
        assert running.channel
        running.maintain(time.time() + TIMEOUT + 1)
        assert not running.channel


def test_an_answer_that_is_taken_slowly_is_not(running: Running) -> None:
    with running.connect() as connection:
        connection.sendall(b"GET /large HTTP/1.0\r\nHost: a\r\n\r\n")
        connection.setblocking(False)
        taken = 0

        def take() -> bool:
            nonlocal taken
            with contextlib.suppress(BlockingIOError):
                taken += (got := len(connection.recv(200_000)))
                return not got
            if running.channel:
                running.maintain(running.channel.last_activity + TIMEOUT - 1)
            return False

        running.turn_until(take)
        assert taken > LARGE


@pytest.mark.parametrize(
    ("token", "size", "kept"),
    [("good", 100_000, 100_000), ("good", MAX_BYTES + 1, 0), ("bad", 100_000, 0), ("bad", MAX_BYTES, 0)],
)
def test_a_body_is_kept_only_of_who_may_send_it(running: Running, token: str, size: int, kept: int) -> None:
    """And taken of everybody, who can then read why it was refused."""
    headers = {"Authorization": f"Bearer {token}"}
    assert running.ask("PUT", data=b"x" * size, headers=headers).text == str(kept)


@pytest.mark.parametrize(("token", "kept"), [("good", 6000), ("bad", 0)])
def test_a_body_in_chunks(running: Running, token: str, kept: int) -> None:
    answer = running.ask("PUT", data=iter([b"x" * 3000] * 2), headers={"Authorization": f"Bearer {token}"})
    assert answer.text == str(kept)


def test_requests_that_are_sent_ahead_do_not_wait_in_memory(running: Running) -> None:
    with running.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 100)
        channel = running.channel
        running.turn_until(lambda: not running.channel)
        assert not channel.requests
        connection.settimeout(10)
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while piece := connection.recv(65536):
                answer += piece
        assert answer.count(b"HTTP/1.1 200 OK") == 1
        assert b"Connection: close" in answer


@pytest.mark.parametrize(
    ("limits", "raised", "connections"),
    [
        ((1024, 1024), None, 512),
        ((1024, 4096), 4096, 1000),
        ((256, 1_000_000), 8192, 1000),
        ((1024, resource.RLIM_INFINITY), 8192, 1000),
        ((100_000, 100_000), None, 1000),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), None, 1000),
    ],
)
def test_connections_leave_files_over(
    monkeypatch: pytest.MonkeyPatch, limits: tuple[int, int], raised: int | None, connections: int
) -> None:
    set_to: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda _, wanted: set_to.append(wanted))
    assert module._connections() == connections
    assert set_to == ([] if raised is None else [(raised, limits[1])])


@pytest.mark.parametrize(
    ("header", "bears"),
    [
        ("Bearer 0123456789abcdef-p", True),
        ("bearer  0123456789abcdef-q", True),
        ("Bearer 0123456789abcdef", False),
        ("Bearer ", False),
        ("", False),
    ],
)
def test_any_bot_s_token(
    make_bots: Callable[[str], Bots], monkeypatch: pytest.MonkeyPatch, header: str, bears: bool
) -> None:
    monkeypatch.setenv("P", "0123456789abcdef-p")
    monkeypatch.setenv("Q", "0123456789abcdef-q")
    bots = make_bots(
        "bots: [{name: d, type: demo}, {name: p, type: push, token_env: P}, {name: q, type: push, token_env: Q}]"
    )
    assert bears_token(bots, header) is bears
