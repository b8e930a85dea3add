"""The command line, and the real process: its signals, its port, its log."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from exporter.__main__ import main
from exporter.metrics import GROUPS
from tests.exporter import freqtrade_server as play
from tests.exporter.freqtrade_server import PASSWORD, FreqtradeServer
from tests.exporter.helpers import Samples, wait_until
from tests.stack import ROOT, free_port


class Process:
    """The exporter as a process of its own."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = folder / "exporter.log"
        arguments = [
            "--config",
            folder / "monitoring.yml",
            "--data-dir",
            folder / "data",
            "--allowed-host",
            "Bots.example",
        ]
        with self._log.open("wb") as log:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", "exporter", "--listen", f"127.0.0.1:{self.port}", *map(str, arguments)],
                cwd=ROOT,
                env={**os.environ, **environment},
                stdout=log,
                stderr=log,
            )
        wait_until(lambda: self.popen.poll() is not None or self.answers())

    def answers(self) -> bool:
        try:
            return requests.get(self.url + "/-/ready", timeout=5).status_code == 200
        except requests.ConnectionError:
            return False

    def metrics(self, query: str = "") -> Samples:
        return Samples(requests.get(self.url + "/metrics" + query, timeout=20).content)

    def log(self) -> str:
        return self._log.read_text(encoding="utf-8")


@pytest.fixture
def process(tmp_path: Path, server: FreqtradeServer) -> Iterator[Process]:
    """An exporter of a demo bot and a freqtrade."""
    bot = f"{{name: ft, type: freqtrade, url: '{server.url}', username: lab, password_env: BOT_PASSWORD}}"
    (tmp_path / "monitoring.yml").write_text(f"bots: [{{name: demo, type: demo}}, {bot}]")
    process = Process(tmp_path)
    yield process
    process.popen.kill()
    process.popen.wait()


def test_it_serves_reloads_and_ends(process: Process, tmp_path: Path, server: FreqtradeServer) -> None:
    assert process.metrics().of("trading_bot_up") == {("demo",): 1, ("ft",): 1}

    # SIGHUP with a bad file, a good one, and a storm of them.
    good = (tmp_path / "monitoring.yml").read_text()
    (tmp_path / "monitoring.yml").write_text("bots: 5")
    process.popen.send_signal(signal.SIGHUP)
    config = "?collect[]=config"
    wait_until(lambda: process.metrics(config).get("trading_bot_config_last_reload_successful") == 0)
    assert "is refused, the configuration before stays in use" in process.log()
    (tmp_path / "monitoring.yml").write_text(good.replace("name: demo", "name: new"))
    for _ in range(100):
        process.popen.send_signal(signal.SIGHUP)
        time.sleep(0.001)
    wait_until(lambda: process.metrics(config).get("trading_bot_config_last_reload_successful") == 1)
    assert process.metrics().of("trading_bot_up") == {("new",): 1, ("ft",): 1}

    # SIGTERM while a scrape hangs on its bot.
    server.misbehave["health"] = play.hang
    with socket.create_connection(("127.0.0.1", process.port)) as scrape:
        scrape.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_until(lambda: server.calls("health")[2:])
        process.popen.send_signal(signal.SIGTERM)
        assert process.popen.wait(15) == 0
    assert process.log().endswith("stopped\n")
    assert PASSWORD not in process.log()
    assert "Traceback" not in process.log()


def test_dripping_connections_do_not_silence_it(process: Process) -> None:
    """More than waitress' own limit of 100."""
    with contextlib.ExitStack() as stack:
        dripping = [stack.enter_context(socket.create_connection(("127.0.0.1", process.port))) for _ in range(300)]
        for _ in range(2):
            for each in dripping:
                each.sendall(b"GET / HTTP/1.1\r\nX: a\r\n")
            assert process.answers()
    assert process.answers()


def test_large_requests_are_refused(process: Process) -> None:
    reload = process.url + "/-/reload"
    assert requests.post(reload, data=b"x" * 1024, timeout=5).status_code == 200
    with socket.create_connection(("127.0.0.1", process.port)) as connection:
        connection.settimeout(15)
        connection.sendall(b"POST /-/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 413 ")
    assert requests.get(process.url, headers={"X": "x" * 40_000}, timeout=5).status_code == 431


@pytest.mark.parametrize(("host", "status"), [("bots.example", 200), ("other.example", 403)])
def test_allowed_hosts(process: Process, host: str, status: int) -> None:
    assert requests.get(process.url + "/-/ready", headers={"Host": host}, timeout=5).status_code == status


def test_a_port_in_use(process: Process, tmp_path: Path) -> None:
    listen = f"127.0.0.1:{process.port}"
    arguments = ["--config", str(tmp_path / "monitoring.yml"), "--listen", listen, "--data-dir", str(tmp_path / "d")]
    run = subprocess.run([sys.executable, "-m", "exporter", *arguments], cwd=ROOT, capture_output=True, check=False)
    assert run.returncode == 1
    text = run.stderr.decode()
    assert (
        f"can't listen on 127.0.0.1:{process.port}: Address already in use; give another address with --listen" in text
    )
    assert "Traceback" not in text


def test_it_does_not_start_with_a_bad_file(tmp_path: Path) -> None:
    (tmp_path / "monitoring.yml").write_text("bots: []\nx: 1\n")
    process = Process(tmp_path)
    assert process.popen.wait(10) == 1
    assert f"{tmp_path}/monitoring.yml:1: bots is []" in process.log()
    assert f"{tmp_path}/monitoring.yml:2: x is 1: unknown key" in process.log()


def check(tmp_path: Path, text: str | None) -> int:
    if text is not None:
        (tmp_path / "monitoring.yml").write_text(text)
    return main(["check", "--config", str(tmp_path / "monitoring.yml")])


def test_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "monitoring.yml"
    assert check(tmp_path, None) == 1
    assert capsys.readouterr() == ("", f"{path}: No such file or directory; give the configuration with --config\n")
    assert check(tmp_path, "bots: [{name: a, type: demo}]") == 0
    assert capsys.readouterr() == (f"{path}: OK, 1 bot\n", "")
    assert check(tmp_path, "bots: [{name: a, type: demo}, {name: b, type: demo}]") == 0
    assert capsys.readouterr().out == f"{path}: OK, 2 bots\n"
    assert check(tmp_path, "bots: [{name: a, type: demo, seed: x}]\ntimezone: 5\n") == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert sorted(err.splitlines()) == [
        f"{path}:1: bots[0].seed is x: must be a valid integer",
        f"{path}:2: timezone is 5: must be a valid string",
    ]


def test_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "StateDocument"


def test_the_reference_of_metrics(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["metrics"]) == 0
    out = capsys.readouterr().out
    assert all(f"| `{family.name}` |" in out for module in GROUPS.values() for family in module.FAMILIES)


@pytest.mark.parametrize("address", ["8000", ":8000", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:70000", "127.0.0.1:-1"])
def test_addresses_that_are_none(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--listen", address])
    assert ended.value.code == 2
    assert "must be HOST:PORT, such as 127.0.0.1:8000" in capsys.readouterr().err


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert "check monitoring.yml" in capsys.readouterr().out
