"""Webhook bodies as Alertmanager 0.33 sends them."""

from __future__ import annotations

from typing import Any


def alert(**changes: Any) -> dict[str, Any]:
    """One alert of a notification; labels and annotations are added to those that are there."""
    return {
        "status": "firing",
        "startsAt": "2026-11-21T10:00:00.123Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://localhost:9090/graph",
        "fingerprint": "4f2a9c0e11223344",
        **changes,
        "labels": {"alertname": "BotDown", "bot": "demo", "condition": "bot_down", "severity": "critical"}
        | changes.get("labels", {}),
        "annotations": {
            "summary": "A bot gives no sign of life.",
            "description": "demo is unreachable.",
            "bot_status": "P&L 1.00 USDT",
            "recommended_actions": "restart_bot,close_positions",
            "runbook_url": "http://localhost:8080/runbooks/BotDown",
            "dashboard_url": "http://localhost:3000/d/trading-bot?var-bot=demo&x=1",
        }
        | changes.get("annotations", {}),
    }


RESOLVED = {"status": "resolved", "endsAt": "2026-11-21T10:05:00Z"}


def body(*alerts: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A notification."""
    return {
        "version": "4",
        "groupKey": '{}/{alertname="BotDown"}:{bot="demo"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "email-telegram-slack",
        "groupLabels": {"alertname": "BotDown", "bot": "demo", "condition": "bot_down", "severity": "critical"},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://localhost:9093",
        "notification_reason": "first",
        "alerts": list(alerts) or [alert()],
        **changes,
    }
