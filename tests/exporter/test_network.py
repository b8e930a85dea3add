"""Probes of addresses: real sockets on loopback, hanging names, and what a user is told."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from exporter.sources import network
from exporter.sources.network import Address, ProbeSource, address
from exporter.state import BotState, SourceError
from tests.exporter.helpers import soon, wait_until

Listen = Callable[[str], int]


@pytest.fixture
def listen() -> Iterator[Listen]:
    """Open a listening port on a host."""
    opened = []

    def start(host: str = "127.0.0.1") -> int:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            server = socket.create_server((host, 0), family=family)
        except OSError as error:
            pytest.skip(f"this machine has no {host}: {error}")
        opened.append(server)
        return int(server.getsockname()[1])

    yield start
    for server in opened:
        server.close()


_taken: list[socket.socket] = []


def closed_port() -> int:
    """A port where nobody listens, and which nobody else is given."""
    _taken.append(socket.socket())
    _taken[-1].bind(("127.0.0.1", 0))
    return int(_taken[-1].getsockname()[1])


@pytest.fixture(autouse=True)
def give_back() -> Iterator[None]:
    yield
    while _taken:
        _taken.pop().close()


def read(*addresses: Address, seconds: float = 5.0) -> BotState:
    return ProbeSource(addresses).read("network", soon(seconds))


def fault(*addresses: Address, seconds: float = 5.0) -> SourceError:
    with pytest.raises(SourceError) as raised:
        read(*addresses, seconds=seconds)
    return raised.value


class Names:
    """Stands in for socket.getaddrinfo: counts its calls, answers what it is told, and can hang."""

    def __init__(self, *answers: tuple[str, int]) -> None:
        self.answers = answers
        self.asked: list[str] = []
        self.free = threading.Event()
        self.free.set()

    def __call__(self, host: str, port: int, **_: Any) -> list[Any]:
        self.asked.append(host)
        assert self.free.wait(30)
        return [
            (socket.AF_INET6 if ":" in where[0] else socket.AF_INET, socket.SOCK_STREAM, 0, "", where)
            for where in self.answers or (("127.0.0.1", port),)
        ]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[Names]:
    """Every name is 127.0.0.1, and no resolution outlives the test."""
    names = Names()
    monkeypatch.setattr(socket, "getaddrinfo", names)
    yield names
    names.free.set()
    wait_until(lambda: not pending())


def pending() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("aside")]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_the_time_to_connect(listen: Listen, host: str) -> None:
    state = read((host, listen("127.0.0.1" if host == "localhost" else host)))
    assert state.system.network_latency is not None
    assert 0 < state.system.network_latency < 5
    assert state.problems == ()


def test_the_slowest_of_those_that_answer(listen: Listen, monkeypatch: pytest.MonkeyPatch) -> None:
    ports = [listen("127.0.0.1") for _ in range(3)]
    took = dict(zip(ports, (0.1, 0.7, 0.3), strict=True))
    monkeypatch.setattr(network, "_connect", lambda candidates, _: took[candidates[0][4][1]])
    assert read(*[("127.0.0.1", port) for port in ports]).system.network_latency == 0.7


def test_one_that_refuses_is_a_problem_and_the_others_count(listen: Listen) -> None:
    closed = closed_port()
    state = read(("127.0.0.1", closed), ("127.0.0.1", listen("127.0.0.1")))
    assert state.system.network_latency is not None
    assert [(p.reason, str(p)) for p in state.problems] == [
        (
            "connection",
            f"127.0.0.1:{closed}: Connection refused; is the address right, is the host online?",
        )
    ]


def test_none_answers() -> None:
    error = fault(("127.0.0.1", closed_port()), ("127.0.0.1", closed_port()))
    assert error.reason == "connection"
    assert str(error).count("Connection refused") == 2


def test_a_name_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    error = fault(("exchange.invalid", 443))
    assert (error.reason, str(error)) == (
        "dns",
        "exchange.invalid:443: Name or service not known; is the name right, does DNS work here?",
    )


def test_addresses_are_tried_in_order(listen: Listen, names: Names) -> None:
    names.answers = (("127.0.0.1", closed_port()), ("127.0.0.1", listen("127.0.0.1")))
    assert read(("exchange.test", 443)).problems == ()


def test_an_address_that_does_not_answer_leaves_time_for_the_next(
    listen: Listen, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = listen("127.0.0.1")
    silent, waits = closed_port(), []

    class Socket(socket.socket):
        def connect(self, where: Any) -> None:
            waits.append(self.gettimeout())
            if where[1] == silent:
                raise TimeoutError  # as after its time-out
            super().connect(where)

    monkeypatch.setattr(socket, "socket", Socket)
    names.answers = (("127.0.0.1", silent), ("127.0.0.1", port))
    assert read(("exchange.test", 443)).problems == ()
    assert waits[0] < waits[1] / 1.9
    names.answers = (("127.0.0.1", silent),)
    error = fault(("exchange.test", 443))
    assert (error.reason, str(error)) == ("timeout", "exchange.test:443: no answer within 5 s, or the scrape's time")


def test_a_name_is_remembered_for_five_minutes(listen: Listen, names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    source = ProbeSource([("exchange.test", listen("127.0.0.1"))])
    for _ in range(3):
        source.read("network", soon())
    assert names.asked == ["exchange.test"]
    monkeypatch.setattr(network, "REMEMBERED", 0.0)
    source.read("network", soon())
    assert names.asked == ["exchange.test"] * 2


def test_a_resolution_that_hangs_holds_up_nobody_and_does_not_pile_up(listen: Listen, names: Names) -> None:
    """The other address is served, there is one thread for the hanging name, and it is read when the name answers."""
    open_port = listen("127.0.0.1")
    source = ProbeSource([("exchange.test", open_port)])
    names.free.clear()
    for _ in range(5):
        with pytest.raises(SourceError) as raised:
            source.read("network", soon(0.02))
        assert raised.value.reason == "timeout"
        assert str(raised.value) == (
            f"exchange.test:{open_port}: its name was not resolved within 5 s, or the scrape's time"
        )
    assert names.asked == ["exchange.test"]
    assert len(pending()) == 1
    names.free.set()
    assert source.read("network", soon()).problems == ()


def test_a_hanging_name_costs_the_others_nothing(listen: Listen, monkeypatch: pytest.MonkeyPatch, names: Names) -> None:
    monkeypatch.undo()
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *a, **k: (names if host == "hangs.test" else real)(host, *a, **k)
    )
    names.free.clear()
    state = read(("hangs.test", 443), ("127.0.0.1", listen("127.0.0.1")), seconds=0.3)
    assert state.system.network_latency is not None
    assert [p.reason for p in state.problems] == ["timeout"]


def test_no_time_left() -> None:
    assert fault(("127.0.0.1", closed_port()), seconds=-1).reason in ("timeout", "connection")


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files can't be counted without /proc")
def test_sockets_are_closed(listen: Listen) -> None:
    source = ProbeSource([("127.0.0.1", listen("127.0.0.1")), ("127.0.0.1", closed_port())])
    source.read("network", soon())
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        source.read("network", soon())
    assert len(list(Path("/proc/self/fd").iterdir())) <= before
    wait_until(lambda: not pending())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("api.binance.com:443", ("api.binance.com", 443)),
        ("127.0.0.1:8080", ("127.0.0.1", 8080)),
        ("[::1]:443", ("::1", 443)),
        ("https://api.binance.com", ("api.binance.com", 443)),
        ("https://API.binance.com/api/v3/ping?x=1", ("api.binance.com", 443)),
        ("http://localhost", ("localhost", 80)),
        ("wss://stream.binance.com:9443/ws", ("stream.binance.com", 9443)),
        ("bücher.example:443", ("bücher.example", 443)),
    ],
)
def test_an_address_is_understood(text: str, expected: Address) -> None:
    assert address(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", "api.binance.com", ":443", "a:0", "a:70000", "a:x", "a:443/path", "a b:443", "a\n:443", "https://"),
        *("::1", "[::1]", "[::x]:443", "[::1:443", "ftp://a", "https://user:secret@a", "https://a:0", "//a:443"),
        *("a..b:443", "x" * 64 + ":443", "x." * 200 + "x:443", "https://a b/", "a@b:443", "a:443?x", "\ud800:443"),
    ],
)
def test_what_is_no_address_is_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be an address such as api\.binance\.com:443"):
        address(text)


def test_time_is_measured_without_the_resolution(listen: Listen, names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(range(100))
    port = listen("127.0.0.1")

    class Clock:
        monotonic = staticmethod(time.monotonic)
        perf_counter = staticmethod(lambda: float(next(ticks)))

    def slowly(*arguments: Any, **options: Any) -> Any:
        for _ in range(50):
            next(ticks)
        return names(*arguments, **options)

    monkeypatch.setattr(network, "time", Clock)
    monkeypatch.setattr(socket, "getaddrinfo", slowly)
    assert read(("exchange.test", port)).system.network_latency == 1
