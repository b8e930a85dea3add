"""The real Prometheus and Alertmanager with waits that a test can wait for, and one who is told the messages."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import requests
import yaml

from tests.binaries import binary
from tests.channels import Request, WebhookServer
from tests.stack import free_port, wait_for

MUTED = "alertmanager_notifications_suppressed_total"


class Service:
    """A process that answers /-/ready."""

    def __init__(self, folder: Path, name: str, *options: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.folder = folder
        self._name = name
        self._command = [binary(name), *options, f"--web.listen-address=127.0.0.1:{self.port}"]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.folder / f"{self._name}.log").open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        wait_for(f"{self._name} is ready", self._ready)

    def send(self, sign: signal.Signals) -> None:
        assert self._process
        self._process.send_signal(sign)

    def end(self, sign: signal.Signals = signal.SIGTERM) -> None:
        if self._process:
            self.send(sign)
            self._process.wait(20)
            self._process = None

    def _ready(self) -> bool:
        try:
            return requests.get(f"{self.url}/-/ready", timeout=2).ok
        except requests.RequestException:
            return False


class Alerting(Service):
    """Alertmanager, and the messages it sends. A context manager."""

    def __init__(self, folder: Path, repeat: str = "1h") -> None:
        folder.mkdir(exist_ok=True)
        config = folder / "alertmanager.yml"
        self._told = WebhookServer()
        route = {"receiver": "people", "group_wait": "100ms", "group_interval": "500ms", "repeat_interval": repeat}
        route["group_by"] = ["..."]  # type: ignore[assignment]
        route["routes"] = [{"matchers": ['condition="maintenance"'], "receiver": "nobody"}]  # type: ignore[assignment]
        hook = {"url": self._told.url, "send_resolved": True}
        document = {
            "route": route,
            "receivers": [{"name": "people", "webhook_configs": [hook]}, {"name": "nobody"}],
            "inhibit_rules": [
                {"source_matchers": [f'condition="{source}"'], "target_matchers": [target], "equal": ["bot"]}
                for source, target in (
                    ("bot_down", 'condition="low_win_rate"'),
                    ("maintenance", 'condition!="maintenance"'),
                )
            ],
        }
        config.write_text(yaml.safe_dump(document))
        options = [f"--config.file={config}", f"--storage.path={folder / 'alertmanager'}", "--cluster.listen-address="]
        options.append("--data.maintenance-interval=1s")
        super().__init__(folder, "alertmanager", *options)

    def __enter__(self) -> Self:
        self._told.__enter__()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        self._told.__exit__()

    def told(self, bot: str) -> list[str]:
        """What was told of a bot, such as ["firing BotDown", "resolved BotDown"]."""

        def words(request: Request) -> list[str]:
            alerts = json.loads(request.body)["alerts"]
            return [f"{a['status']} {a['labels']['alertname']}" for a in alerts if a["labels"].get("bot", "") == bot]

        return [line for request in self._told.messages for line in words(request)]

    def bodies(self, bot: str) -> list[dict[str, Any]]:
        """The messages with something of a bot, as they came."""
        documents: list[dict[str, Any]] = [json.loads(request.body) for request in self._told.messages]
        return [body for body in documents if any(a["labels"].get("bot") == bot for a in body["alerts"])]

    def wait_told(self, bot: str, *lines: str) -> None:
        """Waits for just these messages."""
        wait_for(f"{lines} of {bot}, not {self.told(bot)}", lambda: self.told(bot) == list(lines))

    def post(self, *alerts: dict[str, Any]) -> None:
        """Sends alerts as Prometheus does."""
        requests.post(f"{self.url}/api/v2/alerts", json=alerts, timeout=10).raise_for_status()

    def get(self, path: str) -> list[dict[str, Any]]:
        """A list of the API."""
        found: list[dict[str, Any]] = requests.get(f"{self.url}/api/v2/{path}", timeout=10).json()
        return found

    def silences(self, bot: str) -> list[dict[str, Any]]:
        """Those of a bot that hold."""
        named = {"name": "bot", "value": bot, "isEqual": True, "isRegex": False}
        return [s for s in self.get("silences") if named in s["matchers"] and s["status"]["state"] != "expired"]

    def muted(self) -> float:
        """How many messages were not sent for a silence."""
        lines = requests.get(f"{self.url}/metrics", timeout=10).text.splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(MUTED) and 'reason="silence"' in line)

    def last(self) -> dict[str, Any]:
        """The last message, as it came."""
        message: dict[str, Any] = json.loads(self._told.messages[-1].body)
        return message

    def remembers(self) -> bool:
        """Whether it knew of a message that was sent, when it last wrote down what it knows."""
        lines = requests.get(f"{self.url}/metrics", timeout=10).text.splitlines()
        (size,) = [line for line in lines if line.startswith("alertmanager_nflog_snapshot_size_bytes ")]
        return float(size.split()[-1]) > 0

    def wait_flushed(self) -> None:
        """Waits until what is silenced now was left out of a message."""
        before = self.muted()
        wait_for("a flush", lambda: self.muted() >= before + 2)


class Ruling(Service):
    """Prometheus, with alerts that fire as they are told to. A context manager."""

    def __init__(self, folder: Path, alertmanager: Alerting) -> None:
        folder.mkdir(exist_ok=True)
        self._rules = folder / "rules.yml"
        config = {
            "global": {"evaluation_interval": "500ms"},
            "rule_files": [str(self._rules)],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{alertmanager.port}"]}]}]},
        }
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        options = [f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'prometheus'}"]
        super().__init__(folder, "prometheus", *options)
        self._fire([])

    def __enter__(self) -> Self:
        self.start()
        wait_for("Prometheus knows Alertmanager", self._knows_alertmanager)
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def _knows_alertmanager(self) -> bool:
        answer = requests.get(f"{self.url}/api/v1/alertmanagers", timeout=10).json()
        return bool(answer["data"]["activeAlertmanagers"])

    def fire(self, bots: Sequence[str], escalated: Sequence[str] = (), **others: Sequence[str]) -> None:
        """From now on, just these fire: BotDown, its escalation, and `low_win_rate` or `maintenance`."""
        self._fire(bots, escalated, **others)
        self.send(signal.SIGHUP)

    def _fire(self, bots: Sequence[str], escalated: Sequence[str] = (), **others: Sequence[str]) -> None:
        labels = {"condition": "bot_down", "severity": "critical"}
        rules = [
            {"alert": "BotDown", "expr": _of(bots), "labels": labels},
            {"alert": "Escalation", "expr": _of(escalated), "labels": {**labels, "escalation": "no_response"}},
        ]
        for name, condition in (("LowWinRate", "low_win_rate"), ("BotInMaintenance", "maintenance")):
            lesser = {"condition": condition, "severity": "warning"}
            rules.append({"alert": name, "expr": _of(others.get(condition, [])), "labels": lesser})
        new = self._rules.with_suffix(".new")
        new.write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": rules}]}))
        shutil.move(new, self._rules)


def _of(bots: Sequence[str]) -> str:
    return " or ".join(f'label_replace(vector(1), "bot", "{bot}", "", "")' for bot in bots) or "vector(1) > 1"


def fires(bot: str, **changes: Any) -> dict[str, Any]:
    """BotDown of a bot for `Alerting.post`; `ended=True` makes it the end of it."""
    now = dt.datetime.now(dt.UTC)
    alert: dict[str, Any] = {
        "labels": {"alertname": "BotDown", "condition": "bot_down", "severity": "critical", "bot": bot}
        | changes.get("labels", {}),
        "annotations": {"summary": "A bot gives no sign of life.", "description": f"{bot} does not answer."},
        "startsAt": changes.get("starts_at", "2026-01-01T10:00:00.123456Z"),
    }
    if changes.get("ended"):
        alert["endsAt"] = now.isoformat()
    return alert
