"""The whole stack for end-to-end tests and the bench: the real processes, as native/supervisord.conf starts them."""

from __future__ import annotations

import configparser
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

import requests
import yaml

from tests.binaries import binary

ROOT = Path(__file__).resolve().parent.parent
SERVICES = ("exporter", "responder", "alertmanager", "prometheus")

# For tests: as shipped, but with waits that a test can wait for. Thresholds stay as they are.
SHORT_PROMETHEUS = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
SHORT_ROUTE = {"group_wait": "1s", "group_interval": "2s", "repeat_interval": "1h"}

T = TypeVar("T")


def wait_for(what: str, ask: Callable[[], T | None], timeout: float = 30, every: float = 0.2) -> T:
    """Ask until the answer is true; an AssertionError says what did not come."""
    end = time.monotonic() + timeout
    while True:
        answer = ask()
        if answer:
            return answer
        assert time.monotonic() < end, f"{what}: not within {timeout:g} s"
        time.sleep(every)


def free_port() -> int:
    """A TCP port that nothing listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


class Stack:
    """Exporter, Prometheus, Alertmanager and responder, on free ports.

    Args:
        folder: an empty folder; the processes run in it as they run in the project's.
        monitoring: the content of monitoring.yml.
        settings: variables as in .env.
        short: whether intervals and waits are shortened; otherwise they are as shipped.
    """

    def __init__(
        self, folder: Path, monitoring: Mapping[str, Any], settings: Mapping[str, str], short: bool = True
    ) -> None:
        self.folder = folder
        self._short = short
        self.ports = {name: free_port() for name in (*SERVICES, "grafana")}
        self._environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHON": sys.executable, "RETENTION": "1d"}
        self._environment["WITHOUT_DOTENV"] = ""
        for name, port in self.ports.items():
            self._environment[f"{name.upper()}_PORT"] = str(port)
            self._environment[f"{name.upper()}_ADDRESS"] = f"127.0.0.1:{port}"
            self._environment[f"{name.upper()}_URL"] = f"http://localhost:{port}"
        self._environment |= settings
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.configure(monitoring)
        (folder / ".stack" / "bin").mkdir(parents=True)
        for name in ("prometheus", "alertmanager"):
            (folder / ".stack" / "bin" / name).symlink_to(binary(name))

    def configure(self, monitoring: Mapping[str, Any]) -> None:
        """Write monitoring.yml."""
        (self.folder / "monitoring.yml").write_text(yaml.safe_dump(dict(monitoring), allow_unicode=True))

    def __enter__(self) -> Self:
        try:
            self._init()
            for name in SERVICES:
                self.start(name)
            for name in SERVICES:
                self.wait_ready(name)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _init(self) -> None:
        command = [sys.executable, "-m", "init", "--out", str(self.folder / ".stack" / "out")]
        command += ["--config", str(self.folder / "monitoring.yml")]
        subprocess.run(command, cwd=ROOT, env=self._environment, check=True)
        for name in (*SERVICES, "log"):
            (self.folder / ".stack" / "data" / name).mkdir(parents=True, exist_ok=True)
        if self._short:
            self._edit("prometheus/prometheus.yml", self._shorten_prometheus)
            self._edit("alertmanager/alertmanager.yml", lambda config: _shorten_route(config["route"]))

    def _edit(self, name: str, change: Callable[[Any], None]) -> None:
        path = self.folder / ".stack" / "out" / name
        config = yaml.safe_load(path.read_text())
        change(config)
        path.write_text(yaml.safe_dump(config, allow_unicode=True))

    def _shorten_prometheus(self, config: dict[str, Any]) -> None:
        config["global"] |= SHORT_PROMETHEUS
        for job in config["scrape_configs"]:
            # A reading of a real bot's results takes longer than one of its pulse.
            job["scrape_interval"] = job["scrape_timeout"] = "3s" if job["job_name"] == "trading" else "1s"
            for discovery in job.get("http_sd_configs", ()):
                discovery["refresh_interval"] = "1s"
        # The same rules, of which each group is evaluated as often as the shortened configuration says.
        folder = self.folder / ".stack" / "out" / "prometheus" / "rules"
        folder.mkdir(exist_ok=True)
        for file in (ROOT / "prometheus" / "rules").glob("*.yml"):
            rules = yaml.safe_load(file.read_text())
            for group in rules["groups"]:
                group.pop("interval", None)
            (folder / file.name).write_text(yaml.safe_dump(rules, allow_unicode=True))
        config["rule_files"] = [f"{folder}/*.yml"]

    def start(self, name: str) -> None:
        """Start one process."""
        parser = configparser.RawConfigParser(inline_comment_prefixes=(";",))
        parser.read(ROOT / "native" / "supervisord.conf")
        command = parser[f"program:{name}"]["command"]
        for variable, value in self._environment.items():
            command = command.replace(f"%(ENV_{variable})s", value)
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                shlex.split(command), cwd=self.folder, env=self._environment, stdout=log, stderr=subprocess.STDOUT
            )

    def wait_ready(self, name: str, timeout: float = 60) -> None:
        """Wait until a process says that it can do its work."""

        def ready() -> bool:
            code = self._processes[name].poll()
            assert code is None, f"{name} ended with {code}:\n{self.log(name)[-3000:]}"
            try:
                return requests.get(f"{self.url(name)}/-/ready", auth=self.auth(name), timeout=2).ok
            except requests.RequestException:
                return False

        wait_for(f"{name} is ready", ready, timeout)

    def auth(self, name: str) -> tuple[str, str] | None:
        """User and password of Alertmanager; the others ask for none."""
        path = self.folder / ".stack" / "out" / "prometheus" / "alertmanager_password"
        return ("admin", path.read_text()) if name == "alertmanager" else None

    def pid(self, name: str) -> int:
        """The id of a process."""
        return self._processes[name].pid

    def kill(self, name: str, sign: signal.Signals = signal.SIGKILL) -> None:
        """End one process and wait for its end."""
        process = self._processes.pop(name)
        process.send_signal(sign)
        process.wait(30)

    def stop(self) -> None:
        """End all processes."""
        for name in list(self._processes):
            self.kill(name)

    def log(self, name: str) -> str:
        """What a process wrote."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def url(self, name: str) -> str:
        """A service's address."""
        return f"http://127.0.0.1:{self.ports[name]}"

    def query(self, expression: str) -> dict[tuple[tuple[str, str], ...], float]:
        """An instant query's values by their labels, in order and without the name."""
        answer = requests.get(f"{self.url('prometheus')}/api/v1/query", params={"query": expression}, timeout=10).json()
        assert answer["status"] == "success", answer
        return {
            tuple(sorted((k, v) for k, v in series["metric"].items() if k != "__name__")): float(series["value"][1])
            for series in answer["data"]["result"]
        }

    def value(self, expression: str) -> float | None:
        """The value of a query with one series; None without any."""
        values = list(self.query(expression).values())
        assert len(values) <= 1, values
        return values[0] if values else None

    def firing(self) -> set[tuple[str, str]]:
        """Name and bot of the alerts that fire in Prometheus."""
        alerts = self.query('ALERTS{alertstate="firing"}')
        return {(dict(labels)["alertname"], dict(labels).get("bot", "")) for labels in alerts}

    def inbox(self) -> list[dict[str, Any]]:
        """The responder's messages, newest first."""
        token = (self.folder / ".stack" / "out" / "responder" / "token").read_text()
        headers = {"Authorization": f"Bearer {token}"}
        answer = requests.get(f"{self.url('responder')}/api/v1/messages", headers=headers, timeout=10)
        answer.raise_for_status()
        messages: list[dict[str, Any]] = answer.json()["messages"]
        return messages


def _shorten_route(route: dict[str, Any]) -> None:
    for key, value in SHORT_ROUTE.items():
        if key in route:
            route[key] = value
    for child in route.get("routes", ()):
        _shorten_route(child)
