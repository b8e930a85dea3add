"""State documents for tests."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

DAY = 86400.0


def full(now: float | None = None, **changes: Any) -> dict[str, Any]:
    """A document from which every metric can be served: 60 trades in ten days, two open positions."""
    now = time.time() if now is None else now
    trades = [
        {
            "id": n,
            "opened_at": now - n * DAY / 6 - 900,
            "closed_at": now - n * DAY / 6,
            "profit": (3.0, -2.0, -4.5, 4.0, 0.0)[n % 5],
            "profit_ratio": (0.03, -0.02, -0.045, 0.04, 0.0)[n % 5],
            "pair": f"C{n % 3}/USDT",
            "size": 100.0,
            "fees": 0.1,
        }
        for n in range(1, 61)
    ]
    position = {"size": 50.0, "profit": -1.0, "profit_ratio": -0.02, "stop_distance_ratio": 0.05}
    return {
        "timestamp": now,
        "bot": {
            "name": "Full",
            "exchange": "binance",
            "strategy": "Trend",
            "version": "1.2",
            "mode": "live",
            "currency": "USDT",
            "status": "running",
            "uptime": 3600,
            "last_activity": now - 1,
            "data_updated_at": now - 30,
        },
        "trading": {"initial_capital": 1000.0, "balance": 990.0, "pending_orders": 1, "max_exposure": 400.0},
        "trades": trades,
        "positions": [{"pair": "C0/USDT", **position}, {"pair": "C1/USDT", "side": "short", **position}],
    } | changes


def write(path: Path, document: dict[str, Any]) -> None:
    """Replace a file by a document."""
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(document), encoding="utf-8")
    draft.replace(path)
