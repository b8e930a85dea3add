"""The dashboard `trading-bot-stack`: does the monitoring itself work?"""

from __future__ import annotations

from typing import Any

from grafana.board import board
from grafana.stack import alertmanager, components, exporter, prometheus

UID = "trading-bot-stack"


def build() -> dict[str, Any]:
    """The whole dashboard."""
    return board(
        UID,
        "The stack",
        "Whether the monitoring itself works: exporter, Prometheus, Alertmanager and responder.",
        [components.row(), exporter.row(), prometheus.row(), alertmanager.row(), alertmanager.responder_row()],
        hidden=("pair",),
    )
