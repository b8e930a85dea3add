"""Sending to a webhook: the signature, what is tried again and what is given up, and that no secret shows."""

from __future__ import annotations

import email.utils
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from responder.database import Database
from responder.outbox.courier import Courier, DeliveryError
from responder.outbox.outbox import Entry, Outbox
from responder.webhooks.signed_post import LONGEST_WAIT, SignedPost, _seconds, _shown, signed
from responder.webhooks.subscribers import Subscriber, Subscribers
from tests.responder.receiver import SECRET, Misbehaviour, Receiver, status, verified


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


class World:
    """An outbox with events for one webhook, and a courier whose clock stands still."""

    def __init__(self, folder: Path, receiver: Receiver) -> None:
        self.file = receiver.file(folder / "webhooks.json")
        self.outbox = Outbox(Database(folder / "responder.sqlite"), 3600)
        self.now = 1000.0
        post = SignedPost(Subscribers(self.file), timeout_seconds=0.4, clock=lambda: self.now)
        self.courier = Courier(self.outbox, "webhook", post.deliver, 86400, lambda *_: None, lambda: self.now)

    def add(self, *numbers: int) -> None:
        self.outbox.add(
            Entry("webhook", "ledger", f"of {n}", json.dumps({"id": f"msg_{n}", "body": f'{{"n":{n},"ü":"€"}}'}))
            for n in numbers
        )

    def later(self, seconds: float) -> None:
        """Time passes, and what is due is tried."""
        self.now += seconds
        with self.outbox._database.writing() as connection:
            connection.execute("UPDATE outbox SET next_attempt = next_attempt - ?", (seconds,))
        while self.courier.step():
            pass

    @property
    def last(self) -> tuple[str, str]:
        (row,) = self.outbox.latest(limit=1)
        return row.state, row.error


@pytest.fixture
def world(tmp_path: Path, receiver: Receiver) -> World:
    return World(tmp_path, receiver)


def test_the_signature_is_that_of_the_specifications_own_libraries() -> None:
    # Their tests' example.
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'
    headers = signed(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_documented_snippet_tells_right_from_wrong() -> None:
    now = int(time.time())
    right = dict(signed(SECRET, "msg_1", now, b"{}"))
    assert verified(SECRET, right, b"{}")
    assert verified(SECRET, {**right, "webhook-signature": f"v1a,x {right['webhook-signature']}"}, b"{}")
    assert not verified(SECRET, right, b"{ }")
    assert not verified(SECRET, {**right, "webhook-id": "msg_2"}, b"{}")
    assert not verified(SECRET, dict(signed(SECRET, "msg_1", now - 600, b"{}")), b"{}")
    assert not verified(SECRET[:-4] + "AAAA", right, b"{}")
    for header in right:
        assert not verified(SECRET, {**right, header: "ü"}, b"{}")
        assert not verified(SECRET, {name: value for name, value in right.items() if name != header}, b"{}")


def test_an_event_is_posted_signed(world: World, receiver: Receiver) -> None:
    world.add(1)
    world.later(0)
    (attempt,) = receiver.attempts
    assert attempt.taken and attempt.path == Receiver.PATH and attempt.body == '{"n":1,"ü":"€"}'.encode()
    assert attempt.id == "msg_1" and attempt.headers["content-type"] == "application/json"
    assert world.last == ("delivered", "")


def hang(handler: BaseHTTPRequestHandler) -> None:
    """Says nothing, and after a while nothing more can be said."""
    handler.close_connection = True
    time.sleep(0.6)


def drip(handler: BaseHTTPRequestHandler) -> None:
    """Headers that never end, a byte at a time."""
    handler.close_connection = True
    end = time.monotonic() + 5
    try:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
        while time.monotonic() < end:
            handler.wfile.write(b"x")
            time.sleep(0.05)
        raise AssertionError("it waited for all of it")
    except ConnectionError:
        pass


def garbage(handler: BaseHTTPRequestHandler) -> None:
    """Something else than HTTP."""
    handler.close_connection = True
    handler.wfile.write(b"SSH-2.0-OpenSSH_9.2p1\r\n")


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    """No answer."""
    handler.close_connection = True


@pytest.mark.parametrize(
    ("misbehaviour", "error"),
    [
        (status(500), "HTTP 500 Internal Server Error: no"),
        (status(503, ""), "HTTP 503 Service Unavailable"),
        (status(408), "HTTP 408 Request Timeout: no"),
        (status(429), "HTTP 429 Too Many Requests: no"),
        (status(799), "HTTP 799: no"),
        (hang, "No answer within 0.4 s"),
        (drip, "No answer within 0.4 s"),
        (garbage, "No proper HTTP answer (BadStatusLine)"),
        (hang_up, "No proper HTTP answer (RemoteDisconnected)"),
    ],
)
def test_a_passing_fault_is_tried_again_with_the_same_id(
    world: World, receiver: Receiver, misbehaviour: Misbehaviour, error: str
) -> None:
    receiver.planned = [misbehaviour]
    world.add(1)
    world.later(0)
    assert world.last == ("waiting", error)
    world.later(0.9)
    assert len(receiver.attempts) == 1
    world.later(0.2)
    assert [attempt.id for attempt in receiver.attempts] == ["msg_1", "msg_1"]
    assert receiver.taken == [{"n": 1, "ü": "€"}] and world.last[0] == "delivered"


@pytest.mark.parametrize("code", [400, 401, 404, 410])
def test_what_is_refused_for_an_hour_is_given_up_with_the_receivers_words(
    world: World, receiver: Receiver, code: int
) -> None:
    # Before that it was down for longer, which doesn't count.
    receiver.planned = [status(500)] * 6 + [status(code, "no such account")] * 12
    world.add(1)
    for _ in range(6):
        world.later(1000)
    for _ in range(11):
        world.later(359)
        assert world.last[0] == "waiting"
    world.later(359)
    assert world.last[0] == "given up" and world.last[1].endswith(": no such account")
    assert len(receiver.attempts) == 18
    world.add(2)
    world.later(301)
    assert receiver.taken == [{"n": 2, "ü": "€"}]


def test_what_is_refused_is_tried_five_times_at_least(world: World, receiver: Receiver) -> None:
    receiver.planned = [status(404)] * 5
    world.add(1)
    for _ in range(4):
        world.later(4000)
        assert world.last[0] == "waiting"
    world.later(4000)
    assert world.last[0] == "given up"


@pytest.mark.parametrize("code", [408, 429])
def test_who_is_only_busy_is_tried_on(world: World, receiver: Receiver, code: int) -> None:
    receiver.planned = [status(code)] * 20
    world.add(1)
    for _ in range(20):
        world.later(400)
        assert world.last[0] == "waiting"
    world.later(400)
    assert len(receiver.taken) == 1


def test_of_a_long_answer_little_is_read(world: World, receiver: Receiver) -> None:
    sent: list[int] = []

    def long(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        handler.wfile.write(b"HTTP/1.1 500 No\r\n\r\n")
        try:
            for _ in range(200):
                sent.append(handler.wfile.write(b"x" * 1_000_000))
        except ConnectionError:
            pass

    receiver.planned = [long]
    world.add(1)
    world.later(0)
    assert world.last == ("waiting", f"HTTP 500 Internal Server Error: {'x' * 200}")
    assert len(sent) < 50


def test_resolving_and_connecting_count_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    monkeypatch.setattr("socket.getaddrinfo", lambda *_a, **_k: released.wait(20) and [])
    world.add(1)
    world.later(0)
    assert world.last == ("waiting", "No answer within 0.4 s")
    released.set()
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, ExitStack() as stack:
        address = full.getsockname()
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(address)
        begun: list[int] = []

        class Counted(socket.socket):
            def connect(self, address: Any) -> None:
                begun.append(1)
                super().connect(address)

        monkeypatch.setattr("socket.socket", Counted)
        monkeypatch.setattr("socket.getaddrinfo", lambda *_a, **_k: [(2, 1, 6, "", address)] * 8)
        world.later(10)
    # Each address has its share of the time, all together no more than it.
    assert 1 < len(begun) <= 8 and world.last == ("waiting", "No answer within 0.4 s")


@pytest.mark.parametrize("code", [302, 308])
def test_no_redirect_is_followed(world: World, receiver: Receiver, code: int) -> None:
    with Receiver() as other:
        receiver.planned = [status(code, "", Location=other.url)]
        world.add(1)
        world.later(0)
        assert not other.attempts
    assert "redirects are not followed" in world.last[1] and world.last[0] == "waiting"


@pytest.mark.parametrize(("code", "as_date"), [(429, False), (503, True)])
def test_retry_after_is_honoured(world: World, receiver: Receiver, code: int, as_date: bool) -> None:
    after = email.utils.formatdate(time.time() + 900, usegmt=True) if as_date else "900"
    receiver.planned = [status(code, Retry_After=after)]
    world.add(1)
    world.later(0)
    world.later(890)
    assert len(receiver.attempts) == 1
    world.later(20)
    assert len(receiver.taken) == 1


@pytest.mark.parametrize("after", ["soon", "-5", "", "9" * 400, "Wed, 99 Xxx 2026 99:99:99 GMT", "²", "1.5"])
def test_a_strange_retry_after_does_no_harm(after: str) -> None:
    assert 0 <= _seconds(after) <= LONGEST_WAIT


def test_nothing_secret_shows(world: World, receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    echo = f"not found: {{path}} and {SECRET} and my-own-path again, user trader:pass%77ord password"
    receiver.planned = [status(404, echo), hang_up, status(302, "", Location="http://x/?key=4711-secret")]
    address = receiver.url.replace("//", "//trader:pass%77ord@")
    receiver.file(world.file, url=address)
    world.add(1)
    errors = []
    for _ in range(3):
        world.later(600)
        errors.append(world.last[1])
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        for url in (f"http://127.0.0.1:{closed.getsockname()[1]}/my-own-path", "https://nowhere.invalid/my-own-path"):
            receiver.file(world.file, url=url)
            world.later(600)
            errors.append(world.last[1])
    assert errors[0].startswith("HTTP 404 Not Found: not found: /in/(not shown)?key=(not shown) and (not shown)")
    assert errors[3:] == ["Connection refused", "Its host's name can't be resolved"]
    shown = " ".join(errors) + caplog.text
    for secret in (SECRET, SECRET[6:], "my-own-path", "4711-secret", "trader", "pass%77ord", "password", "nowhere.in"):
        assert secret not in shown
    assert receiver.attempts[0].headers["authorization"] == "Basic dHJhZGVyOnBhc3N3b3Jk"


@pytest.mark.parametrize(
    "text",
    [
        "Basic dHJhZGVyOnBhc3N3b3Jk",
        "trader:pass%77ord",
        "TRADER",
        "Tok%2fen.long",
        "tok/EN.long",
        "%74ok%2Fen.long",
        SECRET,
        SECRET.removeprefix("whsec_"),
    ],
)
@pytest.mark.parametrize("secret", [SECRET, SECRET.removeprefix("whsec_")])
def test_what_is_secret_is_hidden_in_whatever_form(text: str, secret: str) -> None:
    url = "https://trader:pass%77ord@example.org/Tok%2Fen.Long"
    shown = _shown(f"no {text}!", Subscriber(name="ledger", kinds=["trades"], url=url, secret=secret))
    assert re.fullmatch(r"no (Basic |whsec_)?(\(not shown\):?)+!", shown)


def test_of_a_certificate_that_is_not_trusted_it_is_said_so(world: World, receiver: Receiver) -> None:
    receiver.file(world.file, url=receiver.url.replace("http:", "https:"))
    world.add(1)
    world.later(0)
    assert world.last == ("waiting", "No encrypted connection: WRONG_VERSION_NUMBER")


def test_the_file_counts_as_it_is_now(world: World, receiver: Receiver) -> None:
    world.file.write_text("[{")
    world.add(1)
    world.later(0)
    assert world.last[0] == "waiting" and "`python -m init` makes it anew" in world.last[1]
    world.file.unlink()
    world.later(10)
    assert "can't be read" in world.last[1]
    receiver.file(world.file)
    world.later(10)
    assert len(receiver.taken) == 1
    receiver.file(world.file, name="other")
    world.add(2)
    world.later(0)
    assert world.last == ("given up", "It is no longer among the webhooks of monitoring.yml")
    for secret in ("whsec_%%%", "whsec_ü"):
        receiver.file(world.file, secret=secret)
        with pytest.raises(DeliveryError, match="isn't whsec_ and base64"):
            _deliver(world, {"id": "msg_1", "body": "{}"})


def _deliver(world: World, payload: dict[str, Any]) -> None:
    world.outbox.add([Entry("webhook", "ledger", "t", json.dumps(payload))])
    (delivery,) = world.outbox.latest(limit=1)
    SignedPost(Subscribers(world.file)).deliver([delivery])
