"""State documents for tests."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

DAY = 86400.0

# Each key of these has a series of its own.
MODEL: dict[str, Any] = {
    "accuracy": 0.71,
    "precision": 0.72,
    "recall": 0.73,
    "f1_score": 0.74,
    "auc": 0.75,
    "prediction_confidence": 0.76,
    "prediction_uncertainty": 0.2,
    "predictions_per_hour": 12,
    "prediction_time": 0.05,
    "retraining_frequency": 1,
    "loaded": True,
    "drift_detected": False,
    "drift_score": 0.03,
    "data_quality_score": 0.97,
    "missing_data_rate": 0.01,
    "outlier_rate": 0.02,
    "data_freshness": 30,
}
MARKET: dict[str, Any] = {
    "volatility": 0.02,
    "liquidity_score": 0.8,
    "price_change_1h": -0.001,
    "price_change_24h": 0.02,
    "volume_24h": 1e9,
    "volume_change_24h": -0.1,
    "rsi": 55.5,
    "macd": -12.5,
    "bollinger_position": 1.1,
    "support_resistance_strength": 0.6,
    "trend": "up",
    "regime": "bull",
}
SYSTEM: dict[str, Any] = {
    "cpu_usage": 0.1,
    "memory_usage": 0.2,
    "memory_bytes": 123_456_789,
    "network_latency": 0.04,
    "api_latency": 0.05,
    "api_calls_per_minute": 60,
    "requests_per_second": 7.5,
    "error_rate": 0.001,
    "api_error_rate": 0.002,
    "response_time_avg": 0.15,
    "response_time_p95": 0.4,
}


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
        "model": MODEL | {"last_prediction_time": now - 60, "last_retraining": now - DAY},
        "market": [MARKET | {"symbol": f"C{n}/USDT"} for n in range(3)],
        "system": SYSTEM | {"response_times": [0.03, 0.2, 60.0]},
    } | changes


def write(path: Path, document: dict[str, Any]) -> None:
    """Replace a file by a document."""
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(document), encoding="utf-8")
    draft.replace(path)
