"""SMS and phone through services that misbehave: it ends, holds little, tells nothing secret."""

from __future__ import annotations

import base64
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from responder.outbox.courier import DeliveryError
from responder.people import bounded, service
from responder.people.service import hide

# Where all of Apprise's services are loaded, some say that they use what is old.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
NUMBER = "+4915112345678"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


@contextmanager
def serving(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """Apprise's address of a service that answers so; it ends when the other side hangs up."""

    def serve(connection: socket.socket) -> None:
        with connection:
            connection.recv(65536)
            with suppress(OSError):
                answer(connection)

    def accept() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=accept, daemon=True).start()
        yield f"json://user:pa55word@127.0.0.1:{listening.getsockname()[1]}/SECRET/{{to}}"
        listening.shutdown(socket.SHUT_RDWR)


def trickle(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"x")
        time.sleep(0.02)


def drip_headers(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 503 Later\r\nX: ")
    trickle(connection)


def drip_body(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 500 No\r\nContent-Length: 1000000\r\n\r\n")
    trickle(connection)


@pytest.mark.parametrize("answer", [drip_headers, drip_body])
def test_answers_without_end_hold_up_nothing(
    monkeypatch: pytest.MonkeyPatch, answer: Callable[[socket.socket], None]
) -> None:
    monkeypatch.setattr(service, "SEND_SECONDS", 0.2)
    with serving(answer) as url, serving(lambda connection: connection.sendall(OK)) as good:
        # More than a pool of threads on any machine of ours would have.
        for _ in range(8):
            with pytest.raises(DeliveryError, match=r"error=50\d|A Connection error"):
                service.send(url, NUMBER, "hello")
        service.send(good, NUMBER, "hello")
    # What would hold up the end of the process.
    assert [thread for thread in threading.enumerate() if "Pool" in thread.name] == []


def test_time_that_is_up_before_the_call_is_a_failed_delivery(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "SEND_SECONDS", 0)
    with (
        serving(lambda connection: connection.sendall(OK)) as url,
        pytest.raises(DeliveryError, match="A Connection error"),
    ):
        service.send(url, NUMBER, "hello")


def test_what_is_taken_is_not_sent_again_for_an_answer_that_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        trickle(connection)

    monkeypatch.setattr(service, "SEND_SECONDS", 0.2)
    with serving(endless) as url:
        service.send(url, NUMBER, "hello")


@pytest.mark.parametrize("head", [b"500 No\r\n", b"302 Found\r\nLocation: /SECRET\r\n"])
def test_of_a_long_answer_little_is_kept(head: bytes) -> None:
    def long(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 " + head + b"Connection: close\r\n\r\n")
        for _ in range(40):
            connection.sendall(b"x" * 1_000_000)

    with serving(long) as url:
        # Apprise itself is loaded by now.
        with pytest.raises(DeliveryError, match="error="):
            service.send(url, NUMBER, "hello")
        tracemalloc.start()
        try:
            with pytest.raises(DeliveryError, match="error="):
                service.send(url, NUMBER, "hello")
            assert tracemalloc.get_traced_memory()[1] < 8_000_000 + 4 * bounded.MOST_BYTES
        finally:
            tracemalloc.stop()


ENCODED = base64.b64encode(b"me:hunter2/pw").decode()


@pytest.mark.parametrize(
    "text, hidden",
    [
        (f"not Basic {ENCODED}", "not Basic …"),
        (f"not Basic {ENCODED.rstrip('=')}.", "not Basic …."),
        ("no /HOOK%2ftok%2Fen.long", "no /…"),
        ("no hook/tok/en.long", "no …"),
        (r"no hook\/tok\/en.Long", "no …"),
        ("no hook/%74ok%2fen.Long", "no …"),
        ("%2B4915112345678", "…"),
        ("number 4915112345678", "number …"),
    ],
)
def test_a_secret_is_hidden_in_whatever_form(text: str, hidden: str) -> None:
    assert hide(text, "json://me:hunter2%2Fpw@host/Hook%2fTok%2Fen.Long/{to}", NUMBER) == hidden
