"""Whoever answers a message with a redirect has not taken it, and leads it nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.alertmanager.harness import Alerting, bot_down
from tests.channels import TelegramServer
from tests.serving import serving
from tests.stack import wait_for


@contextmanager
def redirecting(status: int, asked: list[str]) -> Iterator[str]:
    """A server that leads all that it is asked to another path, and answers there."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"] or 0))
            self.do_GET()

        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200 if self.path == "/elsewhere" else status)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_arguments: Any) -> None:
            """Stays silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with serving(server):
        yield f"http://127.0.0.1:{server.server_port}"


@pytest.mark.parametrize(("status", "token"), [(302, ""), (307, "the-token")])
def test_no_redirect_is_followed(tmp_path: Path, status: int, token: str) -> None:
    asked: list[str] = []
    with redirecting(status, asked) as url:
        settings = {
            "WEBHOOK_URL": f"{url}/webhook",
            "WEBHOOK_TOKEN": token,
            "SLACK_WEBHOOK_URL": f"{url}/slack",
            "DISCORD_WEBHOOK_URL": f"{url}/discord",
            "HEARTBEAT_URL": f"{url}/heartbeat",
            "TELEGRAM_BOT_TOKEN": TelegramServer.TOKEN,
            "TELEGRAM_CHAT_ID": "4711",
            "TELEGRAM_API_URL": f"{url}/telegram",
        }
        with Alerting(tmp_path, settings) as alerting:
            alerting.post([bot_down(), {"labels": {"alertname": "Watchdog", "condition": "watchdog"}}])
            names = ("webhook", "slack", "discord", "heartbeat", "telegram")
            # Again: it doesn't count as told.
            wait_for(
                "each is tried again",
                lambda: all(sum(path.startswith(f"/{name}") for path in asked) >= 2 for name in names),
            )
    assert "/elsewhere" not in asked
