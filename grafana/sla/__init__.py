"""The dashboard `trading-bot-sla`: what was promised, is each bot healthy, and how well does it do?"""

from __future__ import annotations

from typing import Any

from grafana.board import board
from grafana.sla import health, performance, promises

UID = "trading-bot-sla"


def build() -> dict[str, Any]:
    """The whole dashboard."""
    return board(
        UID,
        "SLA and health",
        "Whether the bots keep what was promised, are healthy, and do what was expected of them.",
        [promises.row(), promises.budget_row(), health.row(), performance.row()],
        hidden=("pair",),
    )
