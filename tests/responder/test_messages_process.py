"""SMS by `python -m responder` as a process: what a SIGKILL can't lose, and what stands in its log."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

from responder.database import Database
from responder.outbox.outbox import Delivery, Outbox
from tests.channels import HttpServer, Request
from tests.responder.samples import alert, body
from tests.responder.test_process import AUTHORIZED, running
from tests.responder.test_service import serving
from tests.responder.twilio import AUTH, SID, SMS_URL
from tests.stack import wait_for

SMS = "/api/v1/notify/sms/administrator"


class Service(HttpServer[str]):
    """Takes what Apprise's json:// sends, and calls `taken` before it answers."""

    def __init__(self, taken: Callable[[], None]) -> None:
        super().__init__()
        self.taken = taken

    def answer(self, request: Request) -> tuple[int, str]:
        self.keep(json.loads(request.body)["message"])
        self.taken()
        return 200, "{}"


def write(folder: Path, url: str) -> str:
    """Contacts with this service; returns the option for the responder."""
    file = folder / "contacts.json"
    me = {"name": "Me", "phone": "", "sms": "+4915112345670"}
    document = {"sms_url": url, "phone_url": "", "roles": {"administrator": [me]}}
    file.write_text(json.dumps(document))
    return str(file)


def post(url: str, number: int) -> requests.Response:
    message: dict[str, Any] = body(alert(fingerprint=str(number), labels={"bot": f"bot-{number}"}))
    return requests.post(url + SMS, json=message, headers=AUTHORIZED, timeout=10)


def rows(folder: Path) -> list[Delivery]:
    return list(Outbox(Database(folder / "data" / "responder.sqlite"), 3600).latest(limit=100))


def test_a_kill_loses_nothing_and_doubles_at_most_what_was_under_way(tmp_path: Path) -> None:
    process: subprocess.Popen[bytes] | None = None
    left = [1, 2]  # the kills: at which message

    def taken() -> None:
        if process and left and len(service.messages) >= left[0]:
            left.pop(0)
            process.send_signal(signal.SIGKILL)
            process.wait(20)

    with Service(taken) as service:
        file = write(tmp_path, service.url.replace("http", "json") + "/{to}")
        accepted = 0
        while left:
            with running(tmp_path, **{"contacts-file": file}) as (process, url):
                try:
                    # What isn't answered Alertmanager sends again.
                    while accepted < 4 and post(url, accepted).ok:
                        accepted += 1
                except requests.ConnectionError:
                    pass
                process.wait(20)
            assert process.returncode == -signal.SIGKILL
        process = None
        with running(tmp_path, **{"contacts-file": file}) as (_, url):
            while accepted < 4 and post(url, accepted).ok:
                accepted += 1
            wait_for("all are delivered", lambda: [row.state for row in rows(tmp_path)] == ["delivered"] * 4)
    told = Counter(bot for message in service.messages for bot in re.findall(r"bot-\d", message))
    assert set(told) == {f"bot-{number}" for number in range(4)}
    # Each kill came between the delivery and its being written down: what went with that message came once more.
    assert set(told.values()) <= {1, 2, 3} and len(service.messages) <= 4 + 2


def test_a_stop_waits_for_what_is_under_way(tmp_path: Path) -> None:
    process: subprocess.Popen[bytes] | None = None

    def taken() -> None:
        if process:
            process.send_signal(signal.SIGTERM)

    with Service(taken) as service:
        file = write(tmp_path, service.url.replace("http", "json") + "/{to}")
        with running(tmp_path, **{"contacts-file": file}) as (process, url):
            assert post(url, 1).ok
            assert process.wait(20) == 0
        assert len(service.messages) == 1
    assert [row.state for row in rows(tmp_path)] == ["delivered"]
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_the_log_holds_no_secret(tmp_path: Path) -> None:
    with running(tmp_path, **{"contacts-file": write(tmp_path, SMS_URL.replace(AUTH, f"no-{AUTH}"))}) as (_, url):
        assert post(url, 1).ok
        wait_for("the first attempt failed", lambda: [row.error for row in rows(tmp_path)][-1])
        (row,) = rows(tmp_path)
    log = (tmp_path / "log").read_text()
    assert "An invalid Twilio Authentication Token (…) was specified." in row.error
    assert f"sms to administrator/Me failed, tried again: {row.error}" in log
    for secret in (SID, AUTH, "+15551234567", "+4915112345670"):
        assert secret not in log


def test_a_broken_header_tells_the_log_nothing(tmp_path: Path) -> None:
    def broken(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nno colon\r\nX: y\r\n\r\nok")

    with serving(broken) as service, running(tmp_path, **{"contacts-file": write(tmp_path, service)}) as (_, url):
        assert post(url, 1).ok
        wait_for("it is delivered", lambda: [row.state for row in rows(tmp_path)] == ["delivered"])
    log = (tmp_path / "log").read_text()
    assert "SECRET" not in log and "4915112345670" not in log and "headers" not in log
