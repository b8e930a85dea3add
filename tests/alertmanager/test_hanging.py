"""A server that accepts a connection and never answers silences only itself, in the real Alertmanager."""

from __future__ import annotations

import datetime as dt
import re
import socket
from pathlib import Path

import pytest
import requests

from tests.alertmanager.harness import Alerting, bot_down
from tests.channels import SmtpServer, TelegramServer
from tests.stack import wait_for

# What NotificationsFailing goes by.
COUNTED = r'^alertmanager_(notifications|notification_requests|notifications_failed)_total\{integration="%s".*\} (\d+)$'


def told(alerting: Alerting) -> list[str]:
    """What the inbox was told of the bot, oldest first."""
    return [message["status"] for message in reversed(alerting.inbox())]


def counted(alerting: Alerting, channel: str) -> dict[str, int]:
    """Begun, attempted and given up messages of a channel."""
    text = requests.get(f"{alerting.url('alertmanager')}/metrics", timeout=10).text
    found: dict[str, int] = {}
    for name, number in re.findall(COUNTED % channel, text, re.MULTILINE):
        found[name] = found.get(name, 0) + int(number)
    return found


@pytest.mark.parametrize("channel", ["email", "telegram"])
def test_it_silences_only_itself(tmp_path: Path, channel: str) -> None:
    with TelegramServer() as telegram, SmtpServer() as smtp, socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]  # nobody accepts what the kernel does
        settings, well = smtp.settings | telegram.settings, telegram if channel == "email" else smtp
        settings |= {"SMTP_PORT": str(port)} if channel == "email" else {"TELEGRAM_API_URL": f"http://127.0.0.1:{port}"}
        with Alerting(tmp_path, settings) as alerting:
            for number, status in enumerate(["firing", "resolved", "firing"], 1):
                now = dt.datetime.now(dt.UTC).isoformat()
                alerting.post([bot_down(ended=status == "resolved", **({"starts_at": now} if number == 3 else {}))])
                wait_for(f"the inbox hears {number}", lambda number=number: len(told(alerting)) == number)  # type: ignore[misc]
                well.wait_for_count(lambda _: True, number)
            assert told(alerting) == ["firing", "resolved", "firing"]
            assert counted(alerting, channel) == {
                "notifications": 1,
                "notification_requests": 0,
                "notifications_failed": 0,
            }
            # Once it is broken off, it is tried again.
            silent.close()
            wait_for("it is tried again", lambda: counted(alerting, channel)["notification_requests"] > 1)
