"""The thresholds that rules compare with: names, severities, ranges and defaults, in base units.

The rules hold no numbers: they join these values as the series trading_bot_threshold{bot,threshold,severity}.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from exporter.config import settings
from exporter.config.settings import Fault, Preset, Range, Value

Thresholds = dict[str, dict[str, Value]]  # severity → threshold → value

# Those of the machine, which is no bot's; the file's own ones count for it.
OF_THE_HOST = ("cpu_usage", "memory_usage", "disk_usage")


@dataclass(frozen=True)
class Threshold(Range):
    """One threshold."""

    since: Preset | None = "experienced"
    # For a warning: whether it must lie below its critical or above it, None where there is no critical.
    warns: Literal["below", "above"] | None = None


THRESHOLDS: dict[str, dict[str, Threshold]] = {
    "critical": {
        "bot_down_time": Threshold(60, 3600, 300, "seconds", since="beginner"),
        "max_drawdown": Threshold(0.01, 0.5, 0.10, "ratio", since="beginner"),
        "drawdown_escalation": Threshold(0.02, 0.6, 0.15, "ratio"),
        "daily_loss": Threshold(0.01, 1e12, 1000, "money"),
        "error_rate": Threshold(0.01, 0.2, 0.05, "ratio", since="beginner"),
        "memory_usage": Threshold(0.7, 0.95, 0.90, "ratio"),
        "cpu_usage": Threshold(0.8, 0.98, 0.95, "ratio"),
        "disk_usage": Threshold(0.8, 0.98, 0.95, "ratio"),
        "api_response_time": Threshold(1, 30, 5, "seconds"),
        "network_latency": Threshold(0.5, 10, 2, "seconds"),
        "data_freshness": Threshold(300, 1800, 600, "seconds"),
        "model_accuracy": Threshold(0.3, 0.8, 0.5, "ratio"),
    },
    "warning": {
        "win_rate": Threshold(0.3, 0.6, 0.4, "ratio"),
        "model_drift": Threshold(0.01, 0.5, 0.1, "ratio"),
        "network_latency": Threshold(0.1, 5, 1, "seconds", warns="below"),
        "disk_usage": Threshold(0.6, 0.9, 0.8, "ratio", warns="below"),
        "api_response_time": Threshold(0.5, 10, 2, "seconds", warns="below"),
        "memory_usage": Threshold(0.6, 0.9, 0.8, "ratio", warns="below"),
        "cpu_usage": Threshold(0.6, 0.9, 0.8, "ratio", warns="below"),
        "trades_per_hour": Threshold(0.01, 1, 0.1, "trades an hour"),
        "prediction_confidence": Threshold(0.4, 0.8, 0.6, "ratio"),
        "data_quality_score": Threshold(0.5, 0.9, 0.7, "ratio"),
        "model_accuracy": Threshold(0.3, 0.95, 0.7, "ratio", warns="above"),
        "risk_utilization": Threshold(0.1, 1, 0.8, "ratio"),
        "volatility": Threshold(0.01, 0.5, 0.05, "ratio"),
    },
    "info": {
        "daily_pnl": Threshold(100, 10_000, 1000, "money"),
        "trades_count": Threshold(10, 500, 50, "trades a day"),
        "uptime_hours": Threshold(1, 168, 24, "hours"),
        "weekly_pnl": Threshold(1000, 50_000, 5000, "money"),
        "monthly_pnl": Threshold(5000, 200_000, 20_000, "money"),
        "sharpe_ratio": Threshold(1, 5, 2, "ratio"),
        "max_consecutive_wins": Threshold(5, 50, 10, "trades"),
        "recovery_factor": Threshold(1, 10, 2, "ratio"),
    },
}


def defaults(preset: Preset) -> Thresholds:
    """Every threshold as a preset has it."""
    return {
        severity: {name: threshold.of(preset) for name, threshold in table.items()}
        for severity, table in THRESHOLDS.items()
    }


def merged(base: Thresholds, own: Mapping[str, Mapping[str, Any]]) -> Thresholds:
    """A set of thresholds with some of them replaced, by values as they stand in the file."""
    if not own:
        return base
    replaced = {severity: settings.own(THRESHOLDS[severity], values) for severity, values in own.items()}
    return {severity: values | replaced.get(severity, {}) for severity, values in base.items()}


def faults(given: Mapping[str, Any]) -> Iterator[Fault]:
    """What is wrong with each threshold as given."""
    for severity, values in given.items():
        table = THRESHOLDS.get(severity)
        if table is None:
            yield (severity,), values, f"unknown severity; allowed: {', '.join(THRESHOLDS)}"
            continue
        if values is None:
            continue
        if not isinstance(values, Mapping):
            yield (severity,), values, "must be a mapping of thresholds to values"
            continue
        found = settings.faults(table, values, f"{severity} threshold")
        yield from (((severity, *path), value, allowed) for path, value, allowed in found)


def order_faults(thresholds: Thresholds) -> Iterator[Fault]:
    """Of a complete set: warnings that would come only after their critical, and an escalation before its alert."""
    for name, threshold in THRESHOLDS["warning"].items():
        warning, critical = thresholds["warning"].get(name), thresholds["critical"].get(name)
        if threshold.warns is None or not isinstance(warning, int | float) or not isinstance(critical, int | float):
            continue
        late = warning > critical if threshold.warns == "below" else warning < critical
        if late:
            yield ("warning", name), warning, f"must be {threshold.warns} the critical one, which is {critical:g}"
    limit, escalation = (thresholds["critical"].get(name) for name in ("max_drawdown", "drawdown_escalation"))
    if isinstance(limit, int | float) and isinstance(escalation, int | float) and escalation < limit:
        allowed = f"must be at least max_drawdown, which is {limit:g}, or off: it escalates a drawdown that is worse"
        yield ("critical", "drawdown_escalation"), escalation, allowed
