"""The log-in: what it guards, and what those try who have no password."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from itsdangerous import URLSafeTimedSerializer
from prometheus_client.parser import text_string_to_metric_families
from werkzeug.test import TestResponse

from responder.access.attempts import BURST, BURST_OF_ALL, MAX_KEYS, SECONDS, SECONDS_OF_ALL, Attempts, Bucket
from responder.access.login import OPEN, TOKEN_ONLY, local_path
from responder.access.sessions import kept_key
from tests.responder.application import AUTHORIZED, PASSWORD, Responder, csrf, log_in
from tests.responder.samples import body

LINK = "/acknowledge?condition=bot_down&bot=my+bot%26&severity=critical"


@pytest.fixture
def responder(tmp_path: Path) -> Responder:
    return Responder(tmp_path)


def test_everything_is_guarded_unless_it_is_named_as_open(responder: Responder) -> None:
    guarded = set()
    for rule in responder.app.url_map.iter_rules():
        for method in rule.methods or set():
            path = rule.rule.replace("<name>", "x").replace("<path:filename>", "style.css")
            with responder.stranger().open(path, method=method) as answer:
                if "/login?next=" in answer.headers.get("Location", "") or answer.status_code == 401:
                    guarded.add(rule.endpoint)
    assert guarded == {"inbox", "messages", "acknowledge", "change", "logout", "deliveries", *TOKEN_ONLY}
    assert guarded.isdisjoint(OPEN)


def test_after_the_log_in_comes_the_page_that_was_asked_for(responder: Responder) -> None:
    client = responder.stranger()
    sent = client.get(LINK)
    assert sent.status_code == 303
    form = client.get(sent.headers["Location"])
    assert 'type="password"' in form.text and form.headers["Cache-Control"] == "no-store"
    done = log_in(client, form={"next": LINK})
    assert (done.status_code, done.headers["Location"]) == (303, LINK)
    assert client.get("/login", query_string={"next": LINK}).headers["Location"] == LINK
    assert "Log out" in client.get("/").text


@pytest.mark.parametrize(
    "path",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/%0d%0aSet-Cookie:x\r\n",
        "javascript:alert(1)",
        " //evil.example",
        "///evil.example",
        "/" + "x" * 9000,
        "",
    ],
)
def test_nobody_is_sent_elsewhere(responder: Responder, path: str) -> None:
    assert local_path(path) == "/"
    done = log_in(responder.stranger(), form={"next": path})
    assert done.headers["Location"] == "/" and "x" not in done.headers.getlist("Set-Cookie")


def test_the_cookie_is_no_loot(tmp_path: Path) -> None:
    for secure in (False, True):
        client = Responder(tmp_path, secure=secure).stranger()
        answer = client.get("/login", base_url="https://inbox.example.org")
        token = answer.text.partition('name="csrf_token" value="')[2].partition('"')[0]
        form = {"csrf_token": token, "password": PASSWORD}
        done = client.post("/login", data=form, base_url="https://inbox.example.org")
        assert done.status_code == 303
        cookies = done.headers.getlist("Set-Cookie")
        assert len(cookies) == 2
        for cookie in cookies:
            assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Domain" not in cookie
            assert ("Secure" in cookie) == secure
            assert PASSWORD not in cookie


def test_a_copied_cookie_ends_with_the_logout(responder: Responder) -> None:
    client, thief = responder.person(), responder.stranger()
    cookie = client.get_cookie("responder_session")
    assert cookie
    thief.set_cookie("responder_session", cookie.value)
    assert thief.get("/").status_code == 200
    assert client.post("/logout", data={"csrf_token": csrf(client)}).status_code == 303
    assert client.get("/").status_code == thief.get("/").status_code == 303


def test_a_new_password_ends_all(responder: Responder) -> None:
    client = responder.person()
    responder.password_file.write_text("another\n")
    assert client.get("/").status_code == 303
    assert log_in(client).status_code == 401
    assert log_in(client, "another").status_code == 303
    responder.password_file.unlink()
    answer = client.get("/")
    assert answer.status_code == 503 and "password can&#39;t be read; the log says more" in answer.text
    assert client.get("/runbooks/").status_code == 200


def test_thirty_days(responder: Responder, monkeypatch: pytest.MonkeyPatch) -> None:
    client = responder.person()
    now = time.time()
    monkeypatch.setattr("responder.access.sessions.time.time", lambda: now + 29 * 86400)
    assert client.get("/").status_code == 200
    monkeypatch.setattr("responder.access.sessions.time.time", lambda: now + 31 * 86400)
    assert client.get("/").status_code == 303


@pytest.mark.parametrize(
    "content", [{}, {"id": "x"}, {"id": "x", "since": 0, "password": "x"}, {"id": "x", "since": 1e12}]
)
def test_a_cookie_of_ones_own_making(responder: Responder, content: dict[str, object]) -> None:
    client = responder.stranger()
    for value in ("", "x.y.z", URLSafeTimedSerializer(b"x" * 32, salt="cookie-session").dumps(content)):
        client.set_cookie("responder_session", value)
        assert client.get("/").status_code == 303


@pytest.mark.parametrize("path", [LINK, "/logout", "/login"])
@pytest.mark.parametrize(
    "token, headers",
    [
        ("", {}),
        ("wrong", {}),
        ("ü", {}),
        (None, {"Sec-Fetch-Site": "cross-site"}),
        (None, {"Sec-Fetch-Site": "same-site"}),
    ],
)
def test_forms_of_others_are_refused(
    responder: Responder, path: str, token: str | None, headers: dict[str, str]
) -> None:
    client = responder.person()
    form = {"csrf_token": csrf(client) if token is None else token, "name": "Mallory", "password": PASSWORD}
    answer = client.post(path, data=form, headers=headers)
    assert answer.status_code == 400 and "Please try again" in answer.text
    assert client.get("/").status_code == 200, "still logged in"


def test_the_token_of_one_browser_is_none_of_another(responder: Responder) -> None:
    ann, bob = responder.person(), responder.person()
    assert ann.post("/logout", data={"csrf_token": csrf(bob)}).status_code == 400
    stranger = responder.stranger()
    token = csrf(stranger, "/login")
    log_in(stranger)
    assert stranger.post("/logout", data={"csrf_token": token}).status_code == 400, "from before the log-in"


@pytest.mark.parametrize("password", ["", "the passwörd", PASSWORD + "x", PASSWORD[:-1], "x" * 400_000, "\0", "\ud800"])
def test_a_wrong_password(responder: Responder, password: str, caplog: pytest.LogCaptureFixture) -> None:
    client = responder.stranger()
    form = {"csrf_token": csrf(client, "/login"), "password": password.encode("utf-8", "surrogatepass")}
    answer = client.post("/login", data=form)
    assert answer.status_code == 401 and "not the password" in answer.text
    assert client.get("/").status_code == 303
    assert "wrong password was tried from 127.0.0.1" in caplog.text and "the p" not in caplog.text


def attempt(client: FlaskClient, password: str, address: str = "192.0.2.1") -> TestResponse:
    return log_in(client, password, environ_base={"REMOTE_ADDR": address})


def test_guessing_is_slow_and_the_owner_comes_in_all_the_same(responder: Responder) -> None:
    owner = responder.person()
    owner.post("/logout", data={"csrf_token": csrf(owner)})
    guesser = responder.stranger()
    assert [attempt(guesser, "guess").status_code for _ in range(BURST)] == [401] * BURST
    limited = attempt(guesser, PASSWORD)
    assert limited.status_code == 429 and limited.headers["Retry-After"] == "30" and "in 30 s" in limited.text
    assert attempt(owner, PASSWORD).status_code == 303, "from the same address, as behind a proxy"
    responder.now += SECONDS
    assert attempt(guesser, "guess").status_code == 401
    assert attempt(guesser, "guess").status_code == 429
    responder.now += SECONDS
    assert attempt(responder.stranger(), PASSWORD).status_code == 303, "nobody is locked out for good"
    logins = {
        sample.labels["result"]: sample.value
        for family in text_string_to_metric_families(owner.get("/metrics").text)
        for sample in family.samples
        if sample.name == "trading_bot_responder_logins_total"
    }
    assert logins == {"right": 3, "wrong": BURST + 1, "limited": 2}


def test_a_known_browser_has_no_more_guesses_than_others(responder: Responder) -> None:
    known = responder.person()
    known.post("/logout", data={"csrf_token": csrf(known)})
    assert [attempt(known, "x").status_code for _ in range(BURST + 1)] == [401] * BURST + [429]


def test_a_made_up_browser_is_a_stranger(responder: Responder) -> None:
    client = responder.stranger()
    for _ in range(BURST):
        attempt(client, "x")
    client.set_cookie("responder_browser", "InRoaXMgaXMgbXkgYnJvd3NlciI.signature", path="/login")
    assert attempt(client, "x").status_code == 429


def test_many_addresses_share_what_all_have(responder: Responder) -> None:
    client = responder.stranger()
    codes = [attempt(client, "x", f"192.0.2.{number}").status_code for number in range(BURST_OF_ALL + 5)]
    assert codes == [401] * BURST_OF_ALL + [429] * 5
    responder.now += SECONDS_OF_ALL
    assert attempt(client, PASSWORD, "198.51.100.1").status_code == 303


def test_one_address_cannot_use_up_what_all_have() -> None:
    attempts = Attempts(lambda: 0)
    assert sum(attempts.begin("192.0.2.1", "") == 0 for _ in range(1000)) == BURST
    assert sum(attempts.begin(f"2001:db8::{number:x}", "") == 0 for number in range(1000)) == BURST, "one network"
    assert attempts.begin("192.0.2.2", "") == 0
    assert attempts.begin("no address", "") == 0


@pytest.fixture
def clock() -> Iterator[list[float]]:
    yield [0.0]


def test_buckets_fill_up_again_and_are_bounded(clock: list[float]) -> None:
    bucket = Bucket(2, 10, lambda: clock[0])
    assert [bucket.take("a") for _ in range(4)] == [0, 0, 10, 10]
    clock[0] = 4
    assert bucket.take("a") == 6
    clock[0] = 10
    assert [bucket.take("a"), bucket.take("a")] == [0, 10]
    bucket.give_back("a")
    assert [bucket.take("a"), bucket.take("a")] == [0, 10]
    clock[0] = 1000
    assert [bucket.take("a") for _ in range(3)] == [0, 0, 10]
    for number in range(MAX_KEYS + 10):
        bucket.take(str(number))
    assert len(bucket._spent) == MAX_KEYS


def test_programs_read_with_the_token(responder: Responder) -> None:
    client = responder.stranger()
    client.post("/api/v1/alerts", json=body(), headers=AUTHORIZED)
    assert client.get("/api/v1/messages").status_code == 401
    assert client.get("/api/v1/messages", headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert client.get("/", headers=AUTHORIZED).status_code == 303, "pages are for people"
    answer = client.get("/api/v1/messages", headers=AUTHORIZED).json
    assert answer and len(answer["messages"]) == 1
    assert responder.person().get("/api/v1/messages").status_code == 200


def test_a_locked_database_lets_nobody_in(responder: Responder, tmp_path: Path) -> None:
    client = responder.person()
    (tmp_path / "responder.sqlite").write_bytes(b"broken" * 1000)
    assert client.get("/").status_code == 503


@pytest.mark.parametrize(
    "query",
    ["", "?bot=x", "?condition=", "?condition=" + "x" * 1001, "?condition=x&bot=" + "x" * 1001, "?condition=%00"],
)
def test_a_link_that_is_not_whole(responder: Responder, query: str) -> None:
    answer = responder.person().get(f"/acknowledge{query}")
    assert answer.status_code == 400 and "link is not whole" in answer.text


@pytest.mark.parametrize("name", ["", "  ", "x" * 41, "a\x00b", "a\u202eb"])
def test_a_name_that_is_none(responder: Responder, name: str) -> None:
    client = responder.person()
    answer = client.post(LINK, data={"csrf_token": csrf(client), "name": name})
    assert answer.status_code in (400, 503) and "Please give your name" in answer.text


@pytest.mark.parametrize("do", ["", "take back"])
def test_without_alertmanager_nothing_is_pretended(responder: Responder, do: str) -> None:
    client = responder.person()
    answer = client.get(LINK)
    assert answer.status_code == 503 and "Alertmanager doesn&#39;t answer" in answer.text
    answer = client.post(LINK, data={"csrf_token": csrf(client), "name": "Ann", "do": do}, follow_redirects=True)
    assert answer.status_code == 503 and "acknowledged this" not in answer.text
    assert not responder.ledger.current()


def test_the_key_is_kept_and_readable_by_nobody_else(tmp_path: Path) -> None:
    key = kept_key(tmp_path)
    assert len(key) == 32 and kept_key(tmp_path) == key
    (path,) = tmp_path.iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_bytes(b"cut off")
    assert len(kept_key(tmp_path)) == 32
