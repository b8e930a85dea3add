"""`python -m responder` as a process: what it is started with, how it ends, what survives."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import requests

from tests.responder.samples import alert, body
from tests.stack import ROOT, free_port, wait_for

AUTHORIZED = {"Authorization": "Bearer the-token"}


def command(folder: Path, **changes: str) -> list[str]:
    (folder / "token").write_text("the-token\n")
    (folder / "password").write_text("the-password\n")
    options = {
        "listen": "127.0.0.1:0",
        "token-file": str(folder / "token"),
        "password-file": str(folder / "password"),
        "data-dir": str(folder / "data"),
        "alertmanager": "http://127.0.0.1:1",
        **changes,
    }
    return [sys.executable, "-m", "responder", *(f"--{name}={value}" for name, value in options.items())]


@contextmanager
def running(folder: Path, **options: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            command(folder, listen=f"127.0.0.1:{port}", **options), cwd=ROOT, stdout=log, stderr=log
        )

    def ready() -> bool:
        assert process.poll() is None, (folder / "log").read_text()
        try:
            return requests.get(f"{url}/-/ready", timeout=2).ok
        except requests.ConnectionError:
            return False

    try:
        wait_for("the responder is ready", ready)
        yield process, url
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(20)


def test_what_was_accepted_survives_a_kill(tmp_path: Path) -> None:
    for number in range(3):
        with running(tmp_path) as (process, url):
            sent = body(alert(fingerprint=str(number)))
            assert requests.post(f"{url}/api/v1/alerts", json=sent, headers=AUTHORIZED, timeout=10).ok
            process.send_signal(signal.SIGKILL)
            process.wait(20)
    with running(tmp_path) as (_, url):
        assert len(requests.get(f"{url}/api/v1/messages", headers=AUTHORIZED, timeout=10).json()["messages"]) == 3


def test_a_person_logs_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESPONDER_URL", "https://inbox.example.org")
    with running(tmp_path) as (_, url), requests.Session() as session:
        page = session.get(f"{url}/", timeout=10)
        token = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
        assert page.url == f"{url}/login?next=/" and token
        assert all(cookie.secure for cookie in session.cookies)
        cookies = {cookie.name: cookie.value or "" for cookie in session.cookies}
        form = {"csrf_token": token[1], "password": "the-password", "next": "/acknowledge?condition=x"}
        done = requests.post(f"{url}/login", data=form, cookies=cookies, timeout=10, allow_redirects=False)
        assert (done.status_code, done.headers["Location"]) == (303, "/acknowledge?condition=x")
        cookies = {cookie.name: cookie.value or "" for cookie in done.cookies}
        page = requests.get(f"{url}/acknowledge?condition=x", cookies=cookies, timeout=10)
        assert page.status_code == 503 and "Alertmanager doesn&#39;t answer" in page.text
    assert (tmp_path / "data" / "session.key").stat().st_mode & 0o077 == 0


def test_sigterm_ends_it_cleanly(tmp_path: Path) -> None:
    with running(tmp_path) as (process, _):
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert "Stopped" in (tmp_path / "log").read_text()
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_the_token_is_nowhere_to_be_read(tmp_path: Path) -> None:
    with running(tmp_path) as (_, url):
        requests.post(f"{url}/api/v1/alerts", json={}, headers=AUTHORIZED, timeout=10)
        requests.post(f"{url}/api/v1/alerts", data=b"x" * 3_000_000, headers=AUTHORIZED, timeout=10)
    assert "the-token" not in (tmp_path / "log").read_text()


def test_silent_connections_keep_nobody_out(tmp_path: Path) -> None:
    with running(tmp_path) as (_, url), ExitStack() as stack:
        for _ in range(300):
            stack.enter_context(socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])))).send(b"POST ")
        sent = body(alert())
        assert requests.post(f"{url}/api/v1/alerts", json=sent, headers=AUTHORIZED, timeout=5).ok


@pytest.mark.parametrize(
    "options, environment, told",
    [
        ({"listen": "8080"}, {}, "--listen is '8080'"),
        ({"listen": "127.0.0.1:99999"}, {}, "--listen is '127.0.0.1:99999'"),
        ({"token-file": "/nowhere/token"}, {}, "`python -m init` makes it"),
        ({"token-file": "/dev/null"}, {}, "is empty"),
        ({"password-file": "/nowhere/password"}, {}, "`python -m init` makes it"),
        ({"password-file": "/dev/null"}, {}, "is empty"),
        ({"alertmanager": "localhost:9093"}, {}, "--alertmanager is 'localhost:9093'"),
        ({"prometheus": "ftp://localhost"}, {}, "--prometheus is 'ftp://localhost'"),
        ({"data-dir": "/dev/null/data"}, {}, "can't be made"),
        ({}, {"RETENTION": "30"}, "RETENTION is '30'"),
    ],
)
def test_a_wrong_setting_is_said(
    tmp_path: Path, options: dict[str, str], environment: dict[str, str], told: str
) -> None:
    done = subprocess.run(
        command(tmp_path, **options),
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    assert told in done.stderr and "Traceback" not in done.stderr


def test_a_port_in_use_is_said(tmp_path: Path) -> None:
    with running(tmp_path) as (_, url):
        again = command(tmp_path, listen=url.removeprefix("http://"))
        done = subprocess.run(again, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert "can't listen there: Address already in use." in done.stderr
