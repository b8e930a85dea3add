"""The real Alertmanager with a rendered configuration, its waits shortened, and the real responder behind it."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self

import requests
import yaml

from init.run import run
from tests.binaries import binary
from tests.stack import free_port, wait_for

ROOT = Path(__file__).resolve().parents[2]
SHORT = {"group_wait": "500ms", "group_interval": "1s", "repeat_interval": "1h"}

Alert = Mapping[str, Any]


class Alerting:
    """Alertmanager and responder on free ports; a context manager."""

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, str],
        change: Callable[[dict[str, Any]], None] | None = None,
        zone: str = "UTC",
        monitoring: str = "",
    ) -> None:
        """`settings` are variables of .env, `monitoring` more of monitoring.yml; times are told in `zone`.

        `change` edits the rendered configuration.
        """
        self._folder = folder
        self._ports = {name: free_port() for name in ("alertmanager", "responder")}
        self._out = folder / "out"
        addresses = {f"{name.upper()}_ADDRESS": f"127.0.0.1:{port}" for name, port in self._ports.items()}
        self._environment = {**addresses, **settings}
        path = folder / "monitoring.yml"
        path.write_text(f"timezone: {zone}\n{monitoring}")
        run(self._environment, self._out, monitoring=path)
        path = self._out / "alertmanager" / "alertmanager.yml"
        document = yaml.safe_load(path.read_text())
        shorten(document["route"])
        if change:
            change(document)
        path.write_text(yaml.safe_dump(document, allow_unicode=True))
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def url(self, name: str) -> str:
        """Where alertmanager or responder answers."""
        return f"http://127.0.0.1:{self._ports[name]}"

    def post(self, alerts: Sequence[Alert]) -> None:
        """Sends alerts as Prometheus does."""
        requests.post(f"{self.url('alertmanager')}/api/v2/alerts", json=list(alerts), timeout=10).raise_for_status()

    def inbox(self) -> list[dict[str, Any]]:
        """The messages that the responder has kept, newest first."""
        headers = {"Authorization": f"Bearer {(self._out / 'responder' / 'token').read_text()}"}
        answer = requests.get(f"{self.url('responder')}/api/v1/messages?limit=1000", headers=headers, timeout=10)
        answer.raise_for_status()
        messages: list[dict[str, Any]] = answer.json()["messages"]
        return messages

    def log(self, name: str) -> str:
        """What a process has written."""
        return (self._folder / f"{name}.log").read_text(errors="replace")

    def __enter__(self) -> Self:
        try:
            self._start_all()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            process.wait(20)

    def _start_all(self) -> None:
        for name in ("responder", "alertmanager"):
            self._start(name)

    def _start(self, name: str) -> None:
        listen = {name: f"127.0.0.1:{port}" for name, port in self._ports.items()}
        responder = [sys.executable, "-m", "responder", "--listen", listen["responder"]]
        responder += ["--data-dir", str(self._folder / "data"), "--token-file", str(self._out / "responder" / "token")]
        responder += ["--timezone-file", str(self._out / "responder" / "timezone")]
        responder += ["--password-file", str(self._out / "responder" / "password")]
        responder += ["--alertmanager", self.url("alertmanager")]
        alertmanager = [
            binary("alertmanager"),
            f"--config.file={self._out / 'alertmanager' / 'alertmanager.yml'}",
            f"--storage.path={self._folder / 'alertmanager'}",
            "--cluster.listen-address=",
            f"--web.listen-address={listen['alertmanager']}",
            "--web.external-url=http://alerts.example.org:9093",
            "--web.route-prefix=/",
        ]
        command = {"responder": responder, "alertmanager": alertmanager}[name]
        with (self._folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
        wait_for(f"{name} is ready", partial(self._ready, name))

    def _ready(self, name: str) -> bool:
        try:
            return requests.get(f"{self.url(name)}/-/ready", timeout=2).ok
        except requests.RequestException:
            return False


def shorten(route: dict[str, Any]) -> None:
    """Waits that a test can wait for, in a route and those below it."""
    route |= SHORT
    for child in route.get("routes", []):
        shorten(child)


def bot_down(bot: str = "demo", **changes: Any) -> dict[str, Any]:
    """BotDown as our rules send it; `ended` makes it the end of it."""
    now = dt.datetime.now(dt.UTC)
    alert: dict[str, Any] = {
        "labels": {"alertname": "BotDown", "condition": "bot_down", "severity": "critical", "bot": bot},
        "annotations": {
            "summary": "A bot gives no sign of life.",
            "description": f"{bot} is unreachable: it does not answer (reason: timeout). "
            "Last sign of life 5m 10s ago, limit 5m 0s.",
            "bot_status": "P&L 123.45 USDT · 42 trades · win rate 55.0 % · 3 open positions",
            "recommended_actions": "restart_bot,close_positions",
            "runbook_url": "http://localhost:8080/runbooks/BotDown",
            "dashboard_url": f"http://localhost:3000/d/trading-bot?var-bot={bot}",
        },
        "startsAt": (now - dt.timedelta(minutes=3)).isoformat(),
    }
    alert["labels"] |= changes.get("labels", {})
    alert["annotations"] |= changes.get("annotations", {})
    if changes.get("ended"):
        alert["endsAt"] = now.isoformat()
    if "starts_at" in changes:
        alert["startsAt"] = changes["starts_at"]
    return alert
