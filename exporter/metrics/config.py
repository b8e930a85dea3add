"""Group `config`: what rules and dashboards join of monitoring.yml, and whether it was read well."""

from __future__ import annotations

from exporter.config.entries import Monitoring
from exporter.config.thresholds import OF_THE_HOST, Thresholds
from exporter.metrics.families import Families, Family

THRESHOLD = Family(
    "trading_bot_threshold",
    "A threshold of monitoring.yml in base units, the machine's without the label bot; one that is off has no series.",
    ("threshold", "severity"),
)
TARGET = Family(
    "trading_bot_target",
    "A target or switch of monitoring.yml in base units, a switch that is on is 1; one that is off has no series.",
    ("target",),
    of_bot=False,
)
MAINTENANCE = Family("trading_bot_maintenance", "Whether the bot is in planned maintenance: 1, or 0.")
REPORT_DUE = Family(
    "trading_bot_report_due_timestamp_seconds",
    "When the report was last due, in Unix seconds; one that is off has no series.",
    ("report",),
    of_bot=False,
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
FAMILIES = (THRESHOLD, TARGET, MAINTENANCE, REPORT_DUE, RELOAD_SUCCESSFUL, RELOAD_TIME)


def collect(families: Families, name: str, thresholds: Thresholds, maintained: bool) -> None:
    """Add a bot's thresholds, and whether it is in maintenance."""
    for severity, values in thresholds.items():
        for threshold, value in values.items():
            if not isinstance(value, str):
                families.add(THRESHOLD, value, name, threshold, severity)
    families.add(MAINTENANCE, int(maintained), name)


def collect_file(families: Families, config: Monitoring, now: float) -> None:
    """Add what is no bot's: the machine's thresholds, the targets, and when reports are due."""
    for severity, values in config.own_thresholds.items():
        for threshold in OF_THE_HOST:
            value = values.get(threshold, "off")
            if not isinstance(value, str):
                families.add_of_none(THRESHOLD, value, threshold, severity)
    for target, value in config.targets.items():
        families.add(TARGET, value, target)
    for report, due in config.reports.due(now, config.zone):
        families.add(REPORT_DUE, due, report)


def collect_reload(families: Families, successful: bool, time: float) -> None:
    """Add how the last reading of monitoring.yml went."""
    families.add(RELOAD_SUCCESSFUL, int(successful))
    families.add(RELOAD_TIME, time)
