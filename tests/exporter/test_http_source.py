"""Source `http`: a document from a URL, over real connections: credentials, faults, TLS, and what never ends."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from exporter.config.entries import HttpBot
from exporter.reading import BotReader
from exporter.schema import MAX_BYTES
from exporter.sources.http import HttpSource
from exporter.state import BotState, SourceError
from tests.exporter import freqtrade_server as play
from tests.exporter.documents import full
from tests.exporter.freqtrade_server import FreqtradeServer
from tests.exporter.helpers import set_clock, soon, wait_until

UTC = ZoneInfo("UTC")
SECRET = "s3cret-not-to-be-seen"


def source(server: FreqtradeServer, path: str = "state", stale_after: float = 180, **more: Any) -> HttpSource:
    return HttpSource(f"{server.url}/api/v1/{path}", stale_after, UTC, **more)


def serve(server: FreqtradeServer, document: object) -> None:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    server.misbehave["state"] = play.status(200, body)


def read(source: HttpSource, seconds: float = 10) -> BotState:
    return source.read("state", soon(seconds))


def fault(source: HttpSource, seconds: float = 10) -> SourceError:
    with pytest.raises(SourceError) as caught:
        read(source, seconds)
    assert SECRET not in str(caught.value)
    return caught.value


def test_a_document(server: FreqtradeServer) -> None:
    serve(server, full())
    http = source(server)
    state = read(http)
    assert state.bot.name == "Full"
    assert state.trades is not None
    assert state.trades.count == 60
    assert state.problems == ()
    assert server.credentials == [None]
    serve(server, full(trades=full()["trades"][:1]))
    again = read(http)
    assert again.trades is not None
    assert again.trades.count == 1


def test_a_document_is_parsed_once(server: FreqtradeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(server, full())
    http = source(server)
    read(http)
    monkeypatch.setattr(http._documents, "take", lambda _: pytest.fail("parsed again"))
    assert read(http).bot.name == "Full"


@pytest.mark.parametrize(
    ("more", "sent"),
    [
        ({}, None),
        ({"secret": SECRET}, f"Bearer {SECRET}"),
        ({"username": "lab", "secret": SECRET}, "Basic bGFiOnMzY3JldC1ub3QtdG8tYmUtc2Vlbg=="),
    ],
)
def test_credentials(server: FreqtradeServer, more: dict[str, str], sent: str | None) -> None:
    serve(server, full())
    http = source(server, **more)
    read(http)
    read(http)
    assert server.credentials == [sent, sent]


def test_an_invalid_document_is_told_and_the_last_good_one_serves_until_it_is_stale(
    server: FreqtradeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(server, full())
    http = source(server, "state", 60)
    read(http)
    serve(server, {"timestamp": time.time(), "trading": {"win_rate": 37}})
    for _ in range(2):
        state = read(http)
        assert state.bot.name == "Full"
        assert [(p.reason, "trading.win_rate is 37: " in str(p)) for p in state.problems] == [("invalid", True)]
    later = time.time() + 61
    set_clock(monkeypatch, "exporter.sources.http", lambda: later)
    assert fault(http).reason == "invalid"


def test_a_document_that_stands_still_goes_stale(server: FreqtradeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(server, full())
    http = source(server, "state", 60)
    read(http)
    later = time.time() + 61
    set_clock(monkeypatch, "exporter.sources.http", lambda: later)
    assert fault(http).reason == "stale"


@pytest.mark.parametrize(
    ("misbehaviour", "reason", "words"),
    [
        (play.status(204, b""), "http_status", "HTTP 204"),
        (play.status(401), "auth", "HTTP 401: credentials refused; check those that monitoring.yml names"),
        (play.status(403), "auth", "HTTP 403: credentials refused"),
        (play.status(404), "http_status", "HTTP 404 Not Found; is the path right?"),
        (play.status(429), "http_status", "HTTP 429 Too Many Requests"),
        (play.status(500), "http_status", "HTTP 500 Internal Server Error"),
        (play.status(200, b"<html>"), "invalid", "not JSON: "),
        (play.status(200, b""), "invalid", "not JSON: "),
        (play.status(200, b'{"timestamp":"\xff\xfe"}'), "invalid", "not JSON: "),
        (play.status(200, json.dumps(full()).encode("utf-16")), "invalid", "must be UTF-8 without"),
        (play.status(200, b"{}", Content_Encoding="gzip"), "invalid", "packed (gzip), which was not asked for"),
        (play.status(200, b"[" * 150_000), "invalid", ""),
        (play.status(200, b"[" + b"1," * 300_000 + b"1]"), "invalid", "values, more than 100000"),
        (play.cut_off, "invalid", ""),
        (play.not_http, "connection", ""),
        (play.flood, "invalid", "the answer is larger than 2 MiB"),
    ],
)
def test_bad_answers(server: FreqtradeServer, misbehaviour: play.Misbehaviour, reason: str, words: str) -> None:
    server.misbehave["state"] = misbehaviour
    error = fault(source(server, "state?key=" + SECRET, secret=SECRET))
    assert error.reason == reason
    assert words in str(error)
    assert str(error).startswith(f"{server.url}/api/v1/state: ")


def test_the_largest_answer(server: FreqtradeServer) -> None:
    body = json.dumps(full()).encode()
    serve(server, body + b" " * (MAX_BYTES - len(body)))
    assert read(source(server)).bot.name == "Full"
    serve(server, body + b" " * (MAX_BYTES - len(body) + 1))
    assert fault(source(server)).reason == "invalid"


@pytest.mark.parametrize(
    "misbehaviour", [play.hang, play.drip, play.drip_headers, play.keep_continuing, play.trail, play.drip_chunks]
)
def test_what_never_ends_is_ended_with_the_scrape(server: FreqtradeServer, misbehaviour: play.Misbehaviour) -> None:
    server.misbehave["state"] = misbehaviour
    http = source(server)
    error = fault(http, 0.3)
    assert (error.reason, "no answer within 5 s, or the scrape's time" in str(error)) == ("timeout", True)
    serve(server, full())
    assert read(http).bot.name == "Full"


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(server: FreqtradeServer, code: int) -> None:
    with FreqtradeServer() as other:
        there = f"{other.url}/api/v1/state"
        server.misbehave["state"] = play.status(code, Location=there)
        error = fault(source(server, secret=SECRET))
        assert error.reason == "http_status"
        assert f"sent on to '{there}'; redirects are not followed, give the final url" in str(error)
        assert other.asked == []


def test_nobody_listens() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        error = fault(HttpSource(f"http://127.0.0.1:{bound.getsockname()[1]}/s?key={SECRET}", 180, UTC))
    assert error.reason == "connection"
    assert str(error).endswith("/s: Connection refused; is the bot running, is the address right?")


def unresolvable(*_: object, **__: object) -> None:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def test_a_name_that_nobody_resolves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", unresolvable)
    error = fault(HttpSource("http://bot.invalid/state", 180, UTC))
    assert (error.reason, str(error)) == (
        "dns",
        "http://bot.invalid/state: Name or service not known; is the host's name right?",
    )


def test_a_name_that_takes_longer_than_the_scrape(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scrape is answered in time; the thread that resolves the name comes back when the resolver gives up."""
    resolver_gives_up = threading.Event()

    def slow(*_: object, **__: object) -> None:
        resolver_gives_up.wait(60)
        unresolvable()

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    bot = HttpBot(name="x", type="http", url="http://bot.invalid/state")
    with ThreadPoolExecutor() as pool:
        reader = BotReader(bot, (HttpSource(bot.url, 180, UTC),), pool)
        for _ in range(3):
            deadline = soon(0.2)
            reading = reader.start("state", deadline)
            assert reader.finish("state", reading, deadline) is None
            assert not reading.done()
        assert pool._work_queue.qsize() == 0, "scrapes that come meanwhile join the same reading"
        assert reader.record.errors["timeout"] == 3
        resolver_gives_up.set()
        wait_until(reading.done)
    assert reader.record.errors["dns"] == 1


Tls = Callable[..., tuple[FreqtradeServer, Path]]


@pytest.fixture
def tls(tmp_path: Path) -> Iterator[Tls]:
    """Make a server with a certificate of its own; returns it and the certificate's file."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed, which makes the certificates")
    running: list[FreqtradeServer] = []

    def make(name: str = "IP:127.0.0.1", days: int = 2) -> tuple[FreqtradeServer, Path]:
        key, request, certificate = (tmp_path / f"{each}{len(running)}.pem" for each in ("key", "request", "cert"))
        extension = tmp_path / "extension"
        extension.write_text(f"subjectAltName={name}")
        ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        openssl("req", "-new", *ec, "-keyout", key, "-out", request, "-subj", "/CN=bot")
        sign = ["-signkey", key, "-days", days, "-extfile", extension]
        openssl("x509", "-req", "-in", request, *sign, "-out", certificate)
        server = FreqtradeServer()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server._server.socket = context.wrap_socket(server._server.socket, server_side=True)
        server.url = server.url.replace("http:", "https:")
        serve(server, full())
        running.append(server.__enter__())
        return server, certificate

    yield make
    for server in running:
        server.__exit__()


def openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def test_a_certificate_of_its_own_is_refused_but_for_ca_file(tls: Tls) -> None:
    server, certificate = tls()
    error = fault(source(server, secret=SECRET))
    assert error.reason == "tls"
    assert "check the certificate and the https:// address" in str(error)
    assert server.credentials == []
    assert read(source(server, secret=SECRET, ca_file=certificate)).bot.name == "Full"
    _, another = tls()
    assert fault(source(server, ca_file=another)).reason == "tls"


@pytest.mark.parametrize(("name", "days"), [("DNS:elsewhere.example", 2), ("IP:127.0.0.1", -1)])
def test_a_certificate_of_another_host_or_time(tls: Tls, name: str, days: int) -> None:
    server, certificate = tls(name, days)
    assert fault(source(server, secret=SECRET, ca_file=certificate)).reason == "tls"
    assert server.credentials == []


def test_a_ca_file_that_is_none(tls: Tls, tmp_path: Path) -> None:
    server, _ = tls()
    error = fault(source(server, ca_file=tmp_path / "nothing.pem"))
    assert (error.reason, "ca_file can't be read" in str(error)) == ("tls", True)
    (tmp_path / "text.pem").write_text("text")
    assert fault(source(server, ca_file=tmp_path / "text.pem")).reason == "tls"


def test_no_tls_where_tls_is_asked(server: FreqtradeServer) -> None:
    http = HttpSource(server.url.replace("http:", "https:") + "/api/v1/state", 180, UTC, None, SECRET)
    assert fault(http).reason == "tls"
