"""Group `config`: the thresholds of monitoring.yml, which rules and dashboards join, and whether it was read well."""

from __future__ import annotations

from exporter.metrics.families import Families, Family
from exporter.thresholds import Thresholds

THRESHOLD = Family(
    "trading_bot_threshold",
    "A threshold of monitoring.yml in base units; one that is off has no series.",
    ("threshold", "severity"),
)
RELOAD_SUCCESSFUL = Family(
    "trading_bot_config_last_reload_successful",
    "Whether monitoring.yml was valid when last read: 1, or 0.",
    of_bot=False,
)
RELOAD_TIME = Family(
    "trading_bot_config_last_reload_success_timestamp_seconds",
    "When monitoring.yml was last read and valid, in Unix seconds.",
    of_bot=False,
)
FAMILIES = (THRESHOLD, RELOAD_SUCCESSFUL, RELOAD_TIME)


def collect(families: Families, name: str, thresholds: Thresholds) -> None:
    """Add a bot's thresholds."""
    for severity, values in thresholds.items():
        for threshold, value in values.items():
            if not isinstance(value, str):
                families.add(THRESHOLD, value, name, threshold, severity)


def collect_reload(families: Families, successful: bool, time: float) -> None:
    """Add how the last reading of monitoring.yml went."""
    families.add(RELOAD_SUCCESSFUL, int(successful))
    families.add(RELOAD_TIME, time)
