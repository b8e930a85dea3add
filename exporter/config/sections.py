"""The numbers and switches beside the thresholds: SLA, escalation, benchmarks, suggestions, health, groups of metrics.

Rules read them as trading_bot_target{target}. One that is off has no series, so a rule that joins it says nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from exporter.config import settings
from exporter.config.settings import Fault, Preset, Range, Switch, Value, switched

# What is served in which unit ends so, and what belongs to a section begins so.
_ENDS = {
    "seconds": "_seconds",
    "times in 1 h": "_count",
    "requests a second": "_requests_per_second",
}
_BEGINS = {"benchmarks": "benchmark_", "suggestions": "suggestion_", "health": "health_"}

# Section of monitoring.yml → its keys.
SECTIONS: dict[str, dict[str, Range]] = {
    "sla": {
        "availability": Range(0.9, 0.99999, 0.999, "ratio", "production"),
        "response_time_p95": Range(0.1, 30, 2, "seconds", "production"),
        "response_time_p99": Range(0.1, 60, 5, "seconds", "production"),
        "response_time_median": Range(0.05, 30, 1, "seconds", "production"),
        "error_rate": Range(0.0001, 0.1, 0.001, "ratio", "production"),
        "data_freshness": Range(60, 3600, 300, "seconds", "production"),
        "model_accuracy": Range(0.3, 0.99, 0.8, "ratio", "production"),
        "throughput": Range(0.01, 100_000, 100, "requests a second", None),
        "throughput_peak": Range(0.01, 100_000, 200, "requests a second", None),
    },
    "escalation": {
        "no_response": Range(900, 7200, 1800, "seconds", "experienced"),
        "system_down": Range(300, 1800, 600, "seconds", "experienced"),
        "repeated": Range(2, 10, 3, "times in 1 h", "experienced", whole=True),
    },
    "benchmarks": {
        "win_rate": Range(0.3, 0.8, 0.5, "ratio"),
        "max_drawdown": Range(0.01, 0.5, 0.1, "ratio"),
        "sharpe_ratio": Range(0.5, 2, 1, "ratio"),
        "trades_per_day": Range(0.1, 1000, 5, "trades a day"),
        "response_time": Range(0.1, 30, 1, "seconds"),
        "error_rate": Range(0.001, 0.1, 0.01, "ratio"),
        "uptime": Range(0.95, 0.999, 0.99, "ratio"),
        "memory_usage": Range(0.7, 0.9, 0.8, "ratio"),
        "model_accuracy": Range(0.3, 0.99, 0.8, "ratio"),
        "model_drift": Range(0.01, 0.5, 0.1, "ratio"),
        "prediction_confidence": Range(0.5, 0.9, 0.7, "ratio"),
        "prediction_time": Range(0.001, 10, 0.1, "seconds"),
    },
    "suggestions": {
        "win_rate": Range(0.3, 0.8, 0.5, "ratio"),
        "drawdown": Range(0.01, 0.5, 0.1, "ratio"),
        "error_rate": Range(0.001, 0.2, 0.02, "ratio"),
        "trades_per_hour": Range(0.01, 100, 1, "trades an hour"),
    },
    "health": {
        "bot_running": Switch(),
        "api_connectivity": Switch(),
        "model_loaded": Switch(),
        "data_freshness": Switch(),
        "memory": Switch(),
        "cpu": Switch(),
        "disk": Switch(),
        "network": Switch(),
        # Whether bad health is told; a beginner's messages are those of the three thresholds, and of the stack.
        "alert": Switch("experienced"),
    },
    # What is not served is judged nowhere. Without `bot`, `config` or `exporter` nobody would watch the bots at all.
    "groups": {group: Switch() for group in ("trading", "model", "market", "system", "host")},
}


def faults(section: str, given: object) -> Iterator[Fault]:
    """What is wrong with a section as it stands in the file."""
    if given is None or switched(given) is not None:
        return
    if not isinstance(given, Mapping):
        yield (), given, "must be a mapping of keys to values, on or off"
        return
    yield from settings.faults(SECTIONS[section], given, "key")


def own(section: str, given: Any) -> dict[str, Value]:
    """The user's own values of a section without a fault. A whole one that is on or off is so in each of its keys."""
    table = SECTIONS[section]
    said = switched(given)
    if said is not None:
        # What no preset switches on, a word for all does not either.
        given = {key: said for key, setting in table.items() if said == "off" or setting.since is not None}
    return settings.own(table, given or {})


def series(section: str, key: str) -> str:
    """A setting's name in trading_bot_target{target}."""
    return _BEGINS.get(section, "") + key + _ENDS.get(SECTIONS[section][key].unit, "")


def targets(preset: Preset, given: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """All targets that are on, with their values: the user's own, else the preset's. `given` holds the sections."""
    for section, table in SECTIONS.items():
        if section == "groups":
            continue
        owned = own(section, given[section])
        for key, setting in table.items():
            value = owned.get(key, setting.of(preset))
            if not isinstance(value, str):
                yield series(section, key), value
