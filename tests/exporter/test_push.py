"""Pushed documents: tokens, rates, sizes, faults, what a restart and a reload keep, and the real server's limits."""

from __future__ import annotations

import hashlib
import json
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
import requests
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from exporter.bots import Bots
from exporter.bucket import Bucket
from exporter.schema import MAX_BYTES
from exporter.sources.push import PushSource
from exporter.state import SourceError
from exporter.web import create_app
from tests.exporter.documents import full
from tests.exporter.helpers import Samples, set_clock, soon
from tests.exporter.test_main import Process

MakeBots = Callable[[str], Bots]
TOKEN, OTHER_TOKEN = "0123456789abcdef-token", "another-0123456789abcdef"
REFUSED = "wrong or missing token, or no bot of type push has this name; send Authorization: Bearer TOKEN\n"
CONFIG = """
bots:
  - {name: p, type: push, token_env: PUSH_TOKEN}
  - {name: q, type: push, token_env: OTHER_PUSH_TOKEN}
  - {name: d, type: demo}
"""


@pytest.fixture(autouse=True)
def tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUSH_TOKEN", TOKEN)
    monkeypatch.setenv("OTHER_PUSH_TOKEN", OTHER_TOKEN)


@pytest.fixture
def bots(make_bots: MakeBots) -> Bots:
    return make_bots(CONFIG)


@pytest.fixture
def client(bots: Bots) -> FlaskClient:
    return create_app(bots).test_client()


def state(profit: float = 12.5, **changes: Any) -> bytes:
    return json.dumps({"timestamp": time.time(), "trading": {"profit_loss": profit}, **changes}).encode()


def put(
    client: FlaskClient, body: bytes, bot: str = "p", token: str | None = TOKEN, scheme: str = "Bearer", **headers: str
) -> TestResponse:
    if token is not None:
        headers["Authorization"] = f"{scheme} {token}"
    return client.put(f"/api/v1/bots/{quote(bot, safe='')}/state", data=body, headers=headers)


def served(client: FlaskClient, query: str = "?collect[]=bot&collect[]=trading&collect[]=exporter") -> Samples:
    return Samples(client.get("/metrics" + query).data)


def profit(client: FlaskClient, bot: str = "p") -> float | None:
    return served(client).get("trading_bot_profit_loss", bot=bot)


def test_a_push_is_served(client: FlaskClient) -> None:
    answer = put(client, state())
    assert (answer.status_code, answer.data) == (204, b"")
    assert profit(client) == 12.5
    assert served(client).of("trading_bot_up") == {("p",): 1, ("q",): 0, ("d",): 1}
    assert put(client, state(13)).status_code == 204
    assert profit(client) == 13


def test_before_the_first_push_it_says_what_to_do(tmp_path: Path, bots: Bots) -> None:
    source = PushSource("a/b", tmp_path, TOKEN, 180, bots.config.zone)
    with pytest.raises(SourceError) as caught:
        source.read("state", soon())
    assert caught.value.reason == "missing"
    assert "has not sent its state yet; it goes to PUT /api/v1/bots/a%2Fb/state" in str(caught.value)


@pytest.mark.parametrize("bot", ["p", "nobody", "d", "", "q"])
@pytest.mark.parametrize(
    ("scheme", "token"),
    [
        ("Bearer", None),
        ("Bearer", ""),
        ("Bearer", "wrong"),
        ("Bearer", TOKEN + "x"),
        ("Bearer", TOKEN[:-1]),
        ("Basic", TOKEN),
        ("", TOKEN),
        ("Bearer", "ÿ☃".encode().decode("latin-1")),
    ],
)
def test_all_but_the_right_token_get_the_same_answer(
    client: FlaskClient, bot: str, scheme: str, token: str | None
) -> None:
    answer = put(client, state(), bot, token, scheme)
    if bot == "":
        assert answer.status_code == 404
        return
    assert (answer.status_code, answer.text) == (401, REFUSED)
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_token_opens_one_bot(client: FlaskClient) -> None:
    assert put(client, state(), "q", TOKEN).status_code == 401
    assert put(client, state(), "q", OTHER_TOKEN).status_code == 204
    assert put(client, state(), "p", TOKEN, scheme="bearer").status_code == 204


def test_wrong_tokens_are_limited_and_the_right_one_is_not(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    statuses = [put(client, state(), bot, "guess").status_code for bot in ["p", "nobody"] * 20]
    assert statuses == [401] * 10 + [429] * 30
    limited = put(client, state(), "nobody", "guess")
    assert limited.text.startswith(REFUSED.strip())
    assert 1 <= int(limited.headers["Retry-After"]) <= 6
    assert put(client, state()).status_code == 204
    assert len([r for r in caplog.records if "was refused" in r.message]) == 10
    assert "guess" not in caplog.text
    assert TOKEN not in caplog.text


def test_a_bot_in_a_loop_is_limited_and_the_others_are_not(client: FlaskClient) -> None:
    answers = [put(client, state()) for _ in range(40)]
    statuses = [answer.status_code for answer in answers]
    assert statuses[:20] == [204] * 20
    assert 429 in statuses
    limited = answers[statuses.index(429)]
    assert (limited.text, limited.headers["Retry-After"]) == (
        "too often: 20 at once and 2 a second are taken of a bot\n",
        "1",
    )
    assert put(client, state(), "q", OTHER_TOKEN).status_code == 204


def test_a_bucket_fills_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("exporter.bucket.time", SimpleNamespace(monotonic=lambda: now[0]))
    bucket = Bucket(2, 0.5)
    assert [bucket.take(), bucket.take(), bucket.take()] == [None, None, 2.0]
    now[0] += 1.5
    assert bucket.take() == 0.5
    now[0] += 1000
    assert [bucket.take(), bucket.take(), bucket.take()] == [None, None, 2.0]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "not JSON: "),
        (b"[]", "document: "),
        (b"\xff", "not JSON: "),
        (state(trading={"profit_loss": "x", "win_rate": 3}), "2 faults: trading.win_rate is 3: "),
        (state(timestamp=time.time() + 3600), "in the future; are the clocks right"),
        (b'{"timestamp": 1, "x": [' + b"0," * 200_000 + b"0]}", "has some 2000"),
    ],
    ids=["empty", "a list", "not UTF-8", "faults", "in the future", "too many values"],
)
def test_an_invalid_document_is_refused_as_the_page_says(client: FlaskClient, body: bytes, words: str) -> None:
    put(client, state())
    answer = put(client, body)
    assert answer.status_code == 422
    assert answer.text.startswith("the pushed document: ")
    assert words in answer.text
    got = served(client)
    assert got.get("trading_bot_profit_loss", bot="p") == 12.5, "the last good one serves"
    # Once when it was refused, and once as it was read.
    assert got.get("trading_bot_source_errors_total", bot="p", reason="invalid") == 2
    assert client.get("/").text.count("the pushed document: ") == 1
    put(client, state(7))
    assert profit(client) == 7
    assert "the pushed document: " not in client.get("/").text


def test_a_document_that_is_stale_already_is_told(client: FlaskClient) -> None:
    answer = put(client, state(timestamp=time.time() - 1000))
    assert answer.status_code == 422
    assert "older than stale_after (180 s)" in answer.text
    assert served(client).get("trading_bot_up", bot="p") == 0


def test_an_overtaken_document_is_refused_and_a_repeated_one_is_not(client: FlaskClient) -> None:
    now = time.time()
    newer = state(2, timestamp=now - 5)
    assert put(client, newer).status_code == 204
    answer = put(client, state(1, timestamp=now - 6))
    assert answer.status_code == 409
    assert answer.text.startswith("its timestamp is before that of the document here; ")
    assert put(client, newer).status_code == 204
    got = served(client)
    assert got.get("trading_bot_profit_loss", bot="p") == 2
    assert got.get("trading_bot_source_errors_total", bot="p", reason="invalid") == 1


def test_a_clock_that_was_set_back_locks_no_bot_out(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert put(client, state(1)).status_code == 204
    then = time.time() - 3600
    for module in ("exporter.document", "exporter.sources.push"):
        set_clock(monkeypatch, module, lambda: then)
    assert put(client, state(2, timestamp=then)).status_code == 204
    assert profit(client) == 2


def test_a_bot_whose_clock_is_ahead_keeps_its_order(client: FlaskClient) -> None:
    assert put(client, state(2, timestamp=time.time() + 5)).status_code == 204
    assert put(client, state(1, timestamp=time.time() + 4)).status_code == 409
    assert profit(client) == 2


def test_a_stale_document_leaves_the_one_before(client: FlaskClient) -> None:
    assert put(client, state(2)).status_code == 204
    then = time.time() - 500
    assert put(client, state(1, timestamp=then)).status_code == 409
    assert profit(client) == 2


def test_it_goes_stale(tmp_path: Path, bots: Bots, monkeypatch: pytest.MonkeyPatch) -> None:
    source = PushSource("p", tmp_path, TOKEN, 30, bots.config.zone)
    source.put(state())
    assert source.read("state", soon()).trading.profit_loss == 12.5
    later = time.time() + 31
    set_clock(monkeypatch, "exporter.sources.push", lambda: later)
    with pytest.raises(SourceError) as caught:
        source.read("state", soon())
    assert caught.value.reason == "stale"


@pytest.mark.parametrize("encoding", ["gzip", "br", "GZIP", "identity, gzip", "x" * 1000])
def test_a_packed_document_is_refused(client: FlaskClient, encoding: str) -> None:
    answer = put(client, state(), Content_Encoding=encoding)
    assert (answer.status_code, answer.text) == (
        415,
        f"the document is packed ({encoding[:80]}); send it as it is\n",
    )
    assert put(client, state(), Content_Encoding="identity").status_code == 204


def test_how_large_it_may_be(client: FlaskClient) -> None:
    body = state(note="")[:-2]
    body += b"x" * (MAX_BYTES - len(body) - 2) + b'"}'
    assert len(body) == MAX_BYTES
    assert put(client, body).status_code == 204
    answer = put(client, body + b" ")
    assert (answer.status_code, answer.text) == (413, "larger than 2 MiB; state totals and leave lists out\n")


@pytest.mark.parametrize("method", ["get", "post", "delete", "patch", "head", "options"])
def test_it_is_put_and_nothing_else(client: FlaskClient, method: str) -> None:
    answer = getattr(client, method)("/api/v1/bots/p/state", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "PUT"
    assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]


NAMES = ["my 'bot'", "a/b", "/", "//x", "a//b", "../../etc/passwd", "🤖 ☃", "100%", "a/state", "x?y#z&", "state", "'"]


@pytest.mark.parametrize("name", NAMES)
def test_any_name(make_bots: MakeBots, tmp_path: Path, name: str) -> None:
    bots = make_bots(
        json.dumps({"bots": [{"name": name, "type": "push", "token_env": "PUSH_TOKEN"}]}, ensure_ascii=False)
    )
    client = create_app(bots).test_client()
    assert put(client, state(), name).status_code == 204
    assert profit(client, name) == 12.5
    stored = list((tmp_path / "data" / "push").iterdir())
    assert [file.name for file in stored] == [hashlib.sha256(name.encode()).hexdigest() + ".json"]
    assert stored[0].stat().st_mode & 0o777 == 0o600
    assert stored[0].parent.stat().st_mode & 0o777 == 0o700


def test_a_restart_keeps_the_state(bots: Bots, make_bots: MakeBots) -> None:
    document = full()
    put(create_app(bots).test_client(), json.dumps(document).encode())
    again = create_app(make_bots(CONFIG)).test_client()
    got = served(again)
    assert got.get("trading_bot_up", bot="p") == 1
    assert got.get("trading_bot_trades_total", bot="p", result="win") == 24
    answer = put(again, state(1, timestamp=document["timestamp"] - 1))
    assert answer.status_code == 409


@pytest.mark.parametrize("stored", [b"", b"{", b"\x00" * 100, b"[" * 100_000, b" " * (MAX_BYTES + 10)])
def test_a_corrupt_stored_state_is_no_crash(
    make_bots: MakeBots, tmp_path: Path, caplog: pytest.LogCaptureFixture, stored: bytes
) -> None:
    file = tmp_path / "data" / "push" / (hashlib.sha256(b"p").hexdigest() + ".json")
    file.parent.mkdir(parents=True)
    file.write_bytes(stored)
    client = create_app(make_bots(CONFIG)).test_client()
    assert "bot p: its stored state is not used: " in caplog.text
    got = served(client)
    assert got.get("trading_bot_source_errors_total", bot="p", reason="missing") == 1
    assert put(client, state()).status_code == 204
    assert profit(client) == 12.5


def test_where_it_can_not_be_stored_it_is_served(
    make_bots: MakeBots, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "push").write_text("not a folder")
    client = create_app(make_bots(CONFIG)).test_client()
    for value in (1, 2, 3):
        assert put(client, state(value)).status_code == 204
    assert profit(client) == 3
    assert caplog.text.count("bot p: its state is served but not stored: ") == 1
    (tmp_path / "data" / "push").unlink()
    assert put(client, state()).status_code == 204
    assert len(list((tmp_path / "data" / "push").iterdir())) == 1


def test_a_full_disk_leaves_no_half_written_file(
    client: FlaskClient, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put(client, state())
    (file,) = (tmp_path / "data" / "push").iterdir()
    before = file.read_bytes()
    file.with_suffix(".new").symlink_to("/dev/full")
    assert put(client, state(2)).status_code == 204
    assert profit(client) == 2
    assert "No space left on device" in caplog.text
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


def test_a_reload_takes_effect_at_once(
    client: FlaskClient, bots: Bots, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(client, state())
    bots.reload()
    assert profit(client) == 12.5
    monkeypatch.setenv("PUSH_TOKEN", "new-0123456789abcdef")
    bots.reload()
    assert profit(client) == 12.5, "another token is no other bot"
    assert put(client, state()).status_code == 401
    assert put(client, state(3), token="new-0123456789abcdef").status_code == 204
    (tmp_path / "monitoring.yml").write_text("bots: [{name: d, type: demo}]")
    bots.reload()
    assert put(client, state(), token="new-0123456789abcdef").status_code == 401


def test_a_reading_and_pushes_at_the_same_time(tmp_path: Path, bots: Bots) -> None:
    source = PushSource("p", tmp_path, TOKEN, 180, bots.config.zone)
    source.put(json.dumps(full()).encode())
    faults: list[BaseException] = []

    def loop(do: Callable[[], object]) -> None:
        try:
            for _ in range(30):
                do()
        except BaseException as error:
            faults.append(error)

    documents = (json.dumps(full()).encode() for _ in range(1000))
    lock = threading.Lock()

    def push() -> None:
        with lock:
            document = next(documents)
            source.put(document)

    threads = [threading.Thread(target=loop, args=(do,)) for do in (push, push, lambda: source.read("state", soon()))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    (tmp_path / "monitoring.yml").write_text(CONFIG)
    process = Process(tmp_path)
    yield process
    process.popen.kill()
    process.popen.wait()


def send(process: Process, body: bytes, token: str = TOKEN, **headers: str) -> requests.Response:
    headers["Authorization"] = f"Bearer {token}"
    return requests.put(process.url + "/api/v1/bots/p/state", data=body, headers=headers, timeout=20)


def test_the_real_server(process: Process, tmp_path: Path) -> None:
    large = json.dumps(full()).encode()
    for _ in range(5):
        assert send(process, large).status_code == 204
    chunked = requests.put(
        process.url + "/api/v1/bots/p/state",
        data=iter([large[:5000], large[5000:]]),
        headers={"Authorization": f"Bearer {TOKEN}"},
        timeout=20,
    )
    assert chunked.status_code == 204
    assert process.metrics().get("trading_bot_trades_total", bot="p", result="win") == 24
    # Who sends too much gets to read why, as it is thrown away and not left lying.
    for size, token, status, words in [
        (MAX_BYTES + 1, TOKEN, 413, "larger than 2 MiB; state totals and leave lists out\n"),
        (MAX_BYTES, TOKEN, 422, "the pushed document: not JSON: "),
        (MAX_BYTES, "wrong", 401, REFUSED),
        (10, "wrong", 401, REFUSED),
    ]:
        answer = send(process, b"x" * size, token)
        assert (answer.status_code, answer.text[: len(words)]) == (status, words)
    process.popen.kill()
    process.popen.wait()
    again = Process(tmp_path)
    try:
        assert again.metrics().get("trading_bot_trades_total", bot="p", result="win") == 24
        assert TOKEN not in process.log() + again.log()
        assert "Traceback" not in process.log() + again.log()
    finally:
        again.popen.kill()
        again.popen.wait()


def test_an_encoded_slash_on_the_wire(tmp_path: Path) -> None:
    (tmp_path / "monitoring.yml").write_text("bots: [{name: a/b 🤖', type: push, token_env: PUSH_TOKEN}]")
    process = Process(tmp_path)
    try:
        url = f"{process.url}/api/v1/bots/a%2Fb%20%F0%9F%A4%96%27/state"
        for body in (state(), state(padding="x" * 10_000)):
            (tmp_path / "state.json").write_bytes(body)
            command = ["curl", "-sS", "-X", "PUT", "-H", f"Authorization: Bearer {TOKEN}", "--data-binary", "@-", url]
            run = subprocess.run(command, input=body, capture_output=True, check=True)
            assert run.stdout == b""
        assert process.metrics().get("trading_bot_profit_loss", bot="a/b 🤖'") == 12.5
    finally:
        process.popen.kill()
        process.popen.wait()


def memory(process: Process) -> int:
    """The process's largest resident memory so far, in MiB."""
    status = Path(f"/proc/{process.popen.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


def test_bodies_without_a_token_cost_no_memory(process: Process) -> None:
    send(process, state())
    before = memory(process)
    request = b"PUT /api/v1/bots/p/state HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % MAX_BYTES
    connections = [socket.create_connection(("127.0.0.1", process.port)) for _ in range(100)]
    try:
        for connection in connections:
            connection.sendall(request + b"x" * (MAX_BYTES // 2))
        assert process.answers()
        assert send(process, state(padding="x" * 100_000)).status_code == 204
        assert memory(process) - before < 40, "200 MB were sent"
    finally:
        for connection in connections:
            connection.close()


def test_what_is_refused_is_counted_and_logged_once_though_the_next_one_is_good(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        assert put(client, b"{}").status_code == 422
        assert put(client, state(), Content_Encoding="gzip").status_code == 415
        assert put(client, state()).status_code == 204
    assert served(client).get("trading_bot_source_errors_total", bot="p", reason="invalid") == 6
    assert caplog.text.count("HTTP 422") == 3
    assert profit(client) == 12.5
    assert "HTTP 422" not in client.get("/").text
