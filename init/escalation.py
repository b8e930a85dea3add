"""Whether anything escalates, by what monitoring.yml switches on."""

from __future__ import annotations

from pathlib import Path

from exporter.config import sections, thresholds
from exporter.config.entries import Monitoring
from exporter.config.load import ConfigError, load_part

_TARGETS = {sections.series("escalation", key) for key in sections.SECTIONS["escalation"]}


def why_off(monitoring: Path) -> str:
    """Why nothing escalates; empty where something does, or where the file has faults, which `make check` tells."""
    try:
        config = load_part(monitoring, Monitoring)
    except ConfigError:
        return ""
    given = [thresholds.faults(each) for each in (config.thresholds, *(bot.thresholds for bot in config.bots))]
    given += [sections.faults(section, getattr(config, section)) for section in sections.SECTIONS]
    if any(True for faults in given for _ in faults) or _TARGETS & set(config.targets):
        return ""
    for bot in config.bots:
        if not isinstance(config.thresholds_of(bot)["critical"]["drawdown_escalation"], str):
            return ""
    return f"preset {config.preset}" if config.escalation is None else "monitoring.yml"
