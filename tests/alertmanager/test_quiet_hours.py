"""Quiet hours in the real Alertmanager: what waits, and what doesn't."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from zoneinfo import ZoneInfo

from tests.alertmanager.harness import Alerting, bot_down
from tests.channels import TelegramServer
from tests.stack import wait_for

# Far from UTC and on no full hour, so that an hour read in the wrong zone would show.
ZONE = "Asia/Kathmandu"
WARNING = {"alertname": "LowWinRate", "condition": "low_win_rate", "severity": "warning"}
CRITICAL = {"alertname": "MyOwn", "condition": "mine", "severity": "critical"}
REPORT = {"alertname": "DailySummary", "condition": "daily_summary", "severity": "info"}


def hours(around: dt.datetime, begins: int, ends: int) -> str:
    """Quiet hours from some hours to others after a moment."""
    begin, end = (around + dt.timedelta(hours=each) for each in (begins, ends))
    return f"quiet_hours: {{from: '{begin:%H:%M}', to: '{end:%H:%M}'}}\n"


def told(alerting: Alerting) -> set[str]:
    return {message["labels"]["alertname"] for message in alerting.inbox()}


def test_a_warning_waits_and_nothing_else(tmp_path: Path) -> None:
    quiet = hours(dt.datetime.now(ZoneInfo(ZONE)), -1, 3)
    with TelegramServer() as telegram, Alerting(tmp_path, telegram.settings, zone=ZONE, monitoring=quiet) as alerting:
        alerting.post([bot_down(labels=WARNING)])
        wait_for("the inbox has the warning", lambda: "LowWinRate" in told(alerting))
        alerting.post([bot_down(labels=CRITICAL), bot_down(labels=REPORT)])
        telegram.wait_for(lambda message: "MyOwn" in message["text"])
        telegram.wait_for(lambda message: "DailySummary" in message["text"])
        wait_for("the inbox has all", lambda: told(alerting) == {"LowWinRate", "MyOwn", "DailySummary"})
        assert not any("LowWinRate" in message["text"] for message in telegram.messages)


def test_outside_of_them_all_is_told(tmp_path: Path) -> None:
    quiet = hours(dt.datetime.now(ZoneInfo(ZONE)), 3, 6)
    with TelegramServer() as telegram, Alerting(tmp_path, telegram.settings, zone=ZONE, monitoring=quiet) as alerting:
        alerting.post([bot_down(labels=WARNING)])
        telegram.wait_for(lambda message: "LowWinRate" in message["text"])
        wait_for("the inbox has it, too", lambda: told(alerting) == {"LowWinRate"})
