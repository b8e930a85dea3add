"""The dashboard `trading-bot`: one module a row."""

from __future__ import annotations

from typing import Any

from grafana.board import board
from grafana.trading_bot import overview, performance, risk

UID = "trading-bot"


def build() -> dict[str, Any]:
    """The whole dashboard."""
    return board(
        UID,
        # Not "Trading bots": Grafana refuses a dashboard named as its folder.
        "Trading bots overview",
        "How the bots stand, what they earn and what they risk.",
        [overview.row(), performance.money_row(), performance.trades_row(), risk.row()],
    )
