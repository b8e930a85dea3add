"""The dashboard `trading-bot`: one module a row."""

from __future__ import annotations

from typing import Any

from grafana.board import board
from grafana.trading_bot import activity, market, model, overview, performance, risk, score, system

UID = "trading-bot"


def build() -> dict[str, Any]:
    """The whole dashboard."""
    return board(
        UID,
        # Not "Trading bots": Grafana refuses a dashboard named as its folder.
        "Trading bots overview",
        "How the bots stand, what they earn and what they risk.",
        [
            overview.row(),
            performance.money_row(),
            performance.trades_row(),
            score.row(),
            activity.row(),
            risk.row(),
            system.row(),
            model.row(),
            market.row(),
        ],
    )
