"""The dashboard `trading-bot-alerts`: what fires, who looks after it, what fired, and did the messages get out?"""

from __future__ import annotations

from typing import Any

from grafana.alerts import messages, past, present
from grafana.board import board

UID = "trading-bot-alerts"


def build() -> dict[str, Any]:
    """The whole dashboard."""
    return board(
        UID,
        "Alerts",
        "What fires and who looks after it, what fired before, who was told next, and whether the messages got out.",
        [present.row(), past.row(), messages.row()],
        hidden=("pair",),
    )
