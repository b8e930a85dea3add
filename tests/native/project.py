"""A copy of this project in a folder of its own, driven through stack.sh as a person would."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.stack import wait_for

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("exporter", "responder", "alertmanager", "prometheus", "grafana")
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", ".stack", ".env", "secrets", "__pycache__", ".*_cache", ".hypothesis"
)


def free_ports(count: int) -> list[int]:
    """TCP ports that nothing listens on, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()


class Project:
    """The copy, with free ports in its .env."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        shutil.copytree(ROOT, folder, ignore=LEFT_OUT)
        self.folder = folder
        self.ports = dict(zip(SERVICES, free_ports(len(SERVICES)), strict=True))
        ours = {f"{name.upper()}_{what}" for name in SERVICES for what in ("PORT", "URL", "ADDRESS")}
        self.environment = {name: value for name, value in os.environ.items() if name not in ours} | environment
        self.env()

    def env(self, **more: object) -> None:
        """Write .env: the ports, and what is given."""
        ports = {f"{name.upper()}_PORT": port for name, port in self.ports.items()}
        # As Windows' editors write it.
        self.write(".env", "".join(f"{name}={value}\r\n" for name, value in {**ports, **more}.items()))
        (self.folder / ".env").chmod(0o600)

    def write(self, name: str, text: str) -> None:
        """Replace a file of the project, as editors do."""
        new = self.folder / f"{name}.new"
        new.write_text(text, newline="")
        new.rename(self.folder / name)

    def stack(self, *arguments: str, **environment: str) -> tuple[int, str]:
        """Run stack.sh; its exit code and all that it printed."""
        return self._run([str(self.folder / "stack.sh"), *arguments], environment)

    def make(self, target: str) -> tuple[int, str]:
        """Make a target; its exit code and all that it printed."""
        return self._run(["make", "-s", "-C", str(self.folder), target], {})

    def _run(self, command: list[str], environment: Mapping[str, str]) -> tuple[int, str]:
        done = subprocess.run(
            command,
            env={**self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
        )
        return done.returncode, done.stdout

    def up(self) -> str:
        """`stack.sh up`, which must succeed; what it printed."""
        code, output = self.stack("up")
        assert code == 0, output
        return output

    def get(self, service: str, path: str, password: str = "") -> Any:
        """What a service answers, read as JSON where it is; None when it doesn't answer 200."""
        basic = b64encode(f"admin:{password}".encode()).decode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.ports[service]}{path}")
        if password:
            request.add_header("Authorization", f"Basic {basic}")
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                text = answer.read().decode()
        except (OSError, urllib.error.URLError):
            return None
        return json.loads(text) if text[:1] in ("{", "[") else text

    def open_to_web_pages(self) -> list[str]:
        """What Prometheus and its results let a page of another origin do."""
        address = f"http://127.0.0.1:{self.ports['prometheus']}"
        found = []
        for path in ("/-/quit", "/-/reload"):
            try:
                urllib.request.urlopen(urllib.request.Request(address + path, method="POST"), timeout=5).close()
                found.append(path)
            except urllib.error.HTTPError:
                pass
        for origin in ("http://elsewhere.example", "null", f"{address}.elsewhere.example"):
            request = urllib.request.Request(address + "/api/v1/query?query=up", headers={"Origin": origin})
            with urllib.request.urlopen(request, timeout=5) as answer:
                if answer.headers["Access-Control-Allow-Origin"]:
                    found.append(origin)
        return found

    def query(self, expression: str) -> list[Any]:
        """An instant query's series."""
        answer = self.get("prometheus", f"/api/v1/query?query={expression}")
        return answer["data"]["result"] if answer else []

    def check_alertmanagers_password(self, password: str) -> None:
        """Nobody gets in without it; Prometheus has it."""
        assert self.get("alertmanager", "/api/v2/silences") is None
        assert self.get("alertmanager", "/api/v2/silences", password) == []

        def accepted() -> bool:
            return bool(
                self.query('up{job="alertmanager"}==1') and self.get("alertmanager", "/api/v2/alerts", password)
            )

        # An alert that fires before Prometheus has discovered Alertmanager (about 5 s) is sent again a minute later.
        wait_for("Prometheus may scrape it, and hand over its alerts", accepted, 180)
