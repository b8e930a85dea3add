"""One answer over HTTP: whatever a server does, it ends in time, with a sentence, and without the password."""

from __future__ import annotations

import gzip
import socket
import threading
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from exporter.sources.client import get, new_session, parsed
from exporter.state import SourceError
from tests.exporter import freqtrade_server as play
from tests.exporter.freqtrade_server import PASSWORD, USERNAME, FreqtradeServer
from tests.exporter.helpers import soon


@pytest.fixture
def other_host() -> Iterator[FreqtradeServer]:
    with FreqtradeServer() as other:
        yield other


def get_json(
    session: requests.Session, url: str, deadline: float, at_most: float, params: dict[str, Any] | None = None
) -> object:
    return parsed(url, get(session, url, deadline, at_most, params))


def ask(server: FreqtradeServer, at_most: float = 5.0, call: str = "health") -> object:
    return get_json(new_session(USERNAME, PASSWORD), f"{server.url}/api/v1/{call}", soon(20), at_most)


def fault(server: FreqtradeServer, at_most: float = 5.0) -> SourceError:
    with pytest.raises(SourceError) as caught:
        ask(server, at_most)
    assert PASSWORD not in str(caught.value)
    assert server.url in str(caught.value)
    return caught.value


def test_an_answer(server: FreqtradeServer) -> None:
    assert ask(server) == server.answers["health"]["json"]


def test_parameters_are_sent(server: FreqtradeServer) -> None:
    get_json(new_session(USERNAME, PASSWORD), f"{server.url}/api/v1/trades", soon(), 5, {"limit": 3, "pair": "A/B&c=d"})
    assert server.calls("trades") == [{"limit": "3", "pair": "A/B&c=d"}]


@pytest.mark.parametrize(
    ("misbehaviour", "reason", "words"),
    [
        (play.status(401), "auth", "HTTP 401: credentials refused; check those that monitoring.yml names"),
        (play.status(403), "auth", "HTTP 403: credentials refused; check those that monitoring.yml names"),
        (play.status(404), "http_status", "HTTP 404 Not Found; is the path right?"),
        (play.status(429), "http_status", "HTTP 429 Too Many Requests"),
        (play.status(500), "http_status", "HTTP 500 Internal Server Error"),
        (play.status(502), "http_status", "HTTP 502 Bad Gateway"),
        (play.status(204, b""), "http_status", "HTTP 204"),
        (play.status(200, b"<html>"), "invalid", "is not JSON"),
        (play.status(200, b""), "invalid", "is not JSON"),
        (play.status(200, b"[" * 50_000), "invalid", "is not JSON"),
        (play.status(200, b'{"a":"\xff\xfe"}'), "invalid", "is not JSON"),
        (play.status(200, b'"\\ud800"'), "invalid", "is not JSON"),
        (play.status(200, b"{}", X="x" * 9000), "invalid", "a header is longer than 8 KiB"),
        (play.status(200, b"not gzip", Content_Encoding="gzip"), "invalid", "not a proper HTTP answer"),
        (play.cut_off, "invalid", "not"),
        (play.not_http, "connection", ""),
    ],
)
def test_bad_answers(server: FreqtradeServer, misbehaviour: play.Misbehaviour, reason: str, words: str) -> None:
    server.misbehave["health"] = misbehaviour
    error = fault(server)
    assert error.reason == reason
    assert words in str(error)


@pytest.mark.parametrize(
    "misbehaviour", [play.hang, play.drip, play.drip_headers, play.keep_continuing, play.trail, play.drip_chunks]
)
def test_what_never_ends_is_ended(server: FreqtradeServer, misbehaviour: play.Misbehaviour) -> None:
    server.misbehave["health"] = misbehaviour
    began = time.monotonic()
    error = fault(server, at_most=0.3)
    assert time.monotonic() - began < 3
    assert (error.reason, str(error)) == (
        "timeout",
        f"{server.url}/api/v1/health: no answer within 0.3 s, or the scrape's time",
    )


def test_a_session_goes_on_after_a_call_that_was_ended(server: FreqtradeServer) -> None:
    """And no end of an earlier call comes over a later one."""
    session = new_session(USERNAME, PASSWORD)
    for misbehaviour in (play.trail, play.drip):
        server.misbehave["health"] = misbehaviour
        with pytest.raises(SourceError):
            get_json(session, f"{server.url}/api/v1/health", soon(), 0.3)
        server.misbehave.clear()
        for _ in range(3):
            assert get_json(session, f"{server.url}/api/v1/health", soon(), 0.5) == server.answers["health"]["json"]
            time.sleep(0.3)


@pytest.mark.parametrize(("sent", "allowed"), [(1 << 20, None), ((1 << 20) + 1, "1"), (1 << 21, "1")])
def test_how_large_an_answer_may_be(server: FreqtradeServer, sent: int, allowed: str | None) -> None:
    server.misbehave["health"] = play.status(200, b" " * (sent - 2) + b"{}")
    if allowed is None:
        assert ask(server) == {}
    else:
        assert str(fault(server)).endswith(f"the answer is larger than {allowed} MiB")


def test_an_emoji_costs_only_its_own_text_more_memory() -> None:
    body = '["🤖", "'.encode() + b"x" * (4 << 20) + b'"]'
    tracemalloc.start()
    parsed("", body)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 << 20


@pytest.mark.parametrize("status", [401, 403])
def test_credentials_that_nobody_gave(server: FreqtradeServer, status: int) -> None:
    server.misbehave["health"] = play.status(status)
    with pytest.raises(SourceError, match="it asks for credentials; give token_env, or username and password_env"):
        get(new_session(), f"{server.url}/api/v1/health", soon(), 5)


def test_an_address_of_freqtrade_with_its_api(server: FreqtradeServer) -> None:
    with pytest.raises(SourceError, match=r"HTTP 404 Not Found; give freqtrade's url without /api/v1$"):
        get(new_session(USERNAME, PASSWORD), f"{server.url}/api/v1/api/v1/health", soon(), 5)


def test_an_answer_of_many_small_values_is_refused_before_it_is_parsed(server: FreqtradeServer) -> None:
    server.misbehave["health"] = play.status(200, b"[" + b"{}," * 200_000 + b"{}]")
    error = fault(server)
    assert (error.reason, "the answer has some 400002 values, more than 60000" in str(error)) == ("invalid", True)


def test_a_packed_answer_is_not_asked_for_and_refused(server: FreqtradeServer) -> None:
    accepted: list[str | None] = []

    def packed(handler: play.Handler, _: object) -> None:
        accepted.append(handler.headers.get("Accept-Encoding"))
        play.send(handler, 200, gzip.compress(b" " * (1 << 26) + b"{}"), Content_Encoding="gzip\x1b[2J")

    server.misbehave["health"] = packed
    error = fault(server)
    assert (error.reason, accepted) == ("invalid", ["identity"])
    assert str(error).endswith("not a proper HTTP answer: packed (gzip\\x1b[2J), which was not asked for")


def test_what_a_server_says_steers_no_terminal_and_fills_no_log(server: FreqtradeServer) -> None:
    def reason(handler: play.Handler, _: object) -> None:
        handler.wfile.write(b"HTTP/1.1 500 \x1b]0;OWNED\x07\x1b[2J\rbot y: all is well" + b"!" * 5000 + b"\r\n\r\n")
        handler.close_connection = True

    server.misbehave["health"] = reason
    text = str(fault(server))
    assert text.isprintable()
    assert "HTTP 500 \\x1b]0;OWNED\\x07\\x1b[2J" in text
    assert len(text) == 300


def test_40_mb_are_refused_before_they_are_read(server: FreqtradeServer) -> None:
    server.misbehave["health"] = play.flood
    error = fault(server, at_most=20)
    assert (error.reason, "larger than 1 MiB" in str(error)) == ("invalid", True)


def test_the_scrape_s_end_counts_too(server: FreqtradeServer) -> None:
    server.misbehave["health"] = play.hang
    with pytest.raises(SourceError) as caught:
        get_json(new_session(), server.url + "/api/v1/health", soon(0.2), 30)
    assert caught.value.reason == "timeout"


def test_no_time_left_asks_nothing(server: FreqtradeServer) -> None:
    with pytest.raises(SourceError, match="no time left"):
        get_json(new_session(), server.url + "/api/v1/health", soon(-1), 5)
    assert server.asked == []


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(server: FreqtradeServer, other_host: FreqtradeServer, code: int) -> None:
    there = other_host.url + "/api/v1/health"
    server.misbehave["health"] = play.status(code, Location=there + "?key=secret")
    error = fault(server)
    assert "secret" not in str(error)
    assert error.reason == "http_status"
    assert f"sent on to '{there}'; redirects are not followed, give the final url" in str(error)
    assert other_host.asked == []


def test_a_redirect_s_body_is_not_read(server: FreqtradeServer) -> None:
    sent: list[int] = []
    ended = threading.Event()

    def redirect(handler: play.Handler, _: threading.Event) -> None:
        handler.send_response(302)
        handler.send_header("Location", "/")
        handler.end_headers()
        handler.close_connection = True
        try:
            for number in range(100):
                handler.wfile.write(b"x" * (1 << 20))
                sent.append(number)
        finally:
            ended.set()

    server.misbehave["health"] = redirect
    assert fault(server, at_most=20).reason == "http_status"
    assert ended.wait(15)
    assert len(sent) < 50


def test_cookies_are_not_kept(server: FreqtradeServer) -> None:
    server.misbehave["health"] = play.status(200, b"{}", Set_Cookie="a=b; Max-Age=1000")
    session = new_session()
    get(session, server.url + "/api/v1/health", soon(), 5)
    assert not session.cookies


def test_many_addresses_that_do_not_answer_have_the_call_s_time_together(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def connect(connection: socket.socket, address: tuple[str, int]) -> None:
        tried.append(address[0])
        time.sleep(connection.gettimeout() or 0)
        raise TimeoutError

    kind = socket.AF_INET, socket.SOCK_STREAM, 6, ""
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: [(*kind, (f"192.0.2.{n}", 80)) for n in range(10)])
    monkeypatch.setattr(socket.socket, "connect", connect)
    with pytest.raises(SourceError) as caught:
        get(new_session(), "http://bot.example/", soon(), 0.2)
    assert caught.value.reason == "timeout"
    assert tried == ["192.0.2.0"]


def test_nobody_listens() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}/api/v1/health"
        with pytest.raises(SourceError) as caught:
            get_json(new_session(), url, soon(), 5)
    assert caught.value.reason == "connection"
    assert str(caught.value) == f"{url}: Connection refused; is the bot running, is the address right?"


def test_a_name_that_does_not_resolve() -> None:
    with pytest.raises(SourceError) as caught:
        get_json(new_session(), "http://no-such-host.invalid/", soon(), 5)
    assert caught.value.reason == "dns"
    assert str(caught.value).startswith("http://no-such-host.invalid/: ")
    assert str(caught.value).endswith("; is the host's name right?")


def test_no_tls_where_tls_is_asked(server: FreqtradeServer) -> None:
    with pytest.raises(SourceError) as caught:
        get_json(new_session(), server.url.replace("http:", "https:"), soon(), 5)
    assert caught.value.reason == "tls"
    assert "check the certificate and the https:// address" in str(caught.value)


def test_the_environment_s_proxy_and_netrc_are_not_used(
    server: FreqtradeServer, other_host: FreqtradeServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HTTP_PROXY", other_host.url)
    monkeypatch.setenv("http_proxy", other_host.url)
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert ask(server) == server.answers["health"]["json"]
    with pytest.raises(SourceError):
        get_json(new_session(), server.url + "/api/v1/health", soon(), 5)
    assert other_host.asked == []
    assert server.credentials[-1] is None


def test_a_token(server: FreqtradeServer) -> None:
    server.misbehave["health"] = play.status(200, b"{}")
    get_json(new_session(token="0123456789abcdef"), server.url + "/api/v1/health", soon(), 5)
    assert server.credentials == ["Bearer 0123456789abcdef"]


def test_a_query_which_may_hold_a_key_is_asked_and_not_told(server: FreqtradeServer) -> None:
    server.misbehave["health"] = play.status(500)
    with pytest.raises(SourceError) as caught:
        get(new_session(), server.url + "/api/v1/health?key=secret", soon(), 5)
    assert server.calls("health") == [{"key": "secret"}]
    assert str(caught.value) == f"{server.url}/api/v1/health: HTTP 500 Internal Server Error"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_trusted_certificates_that_are_not_there(server: FreqtradeServer, tmp_path: Path, scheme: str) -> None:
    """Which matters only to who needs them."""
    url = server.url.replace("http", scheme) + "/api/v1/health"
    session = new_session(USERNAME, PASSWORD, ca_file=tmp_path / "none.pem")
    if scheme == "http":
        assert get(session, url, soon(), 5)
        return
    with pytest.raises(SourceError) as caught:
        get(session, url, soon(), 5)
    assert caught.value.reason == "tls"
    assert str(caught.value).startswith(f"{url}: ca_file can't be read: ")
    assert str(caught.value).endswith(f"{tmp_path}/none.pem")
