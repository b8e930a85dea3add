"""From states to metrics: one module a group, each metric in exactly one group."""

from __future__ import annotations

from exporter.metrics import bot, config, exporter, host, market, model, system, trading

GROUPS = {
    "bot": bot,
    "trading": trading,
    "model": model,
    "market": market,
    "system": system,
    "host": host,
    "config": config,
    "exporter": exporter,
}

# Every series name that the exporter serves of its own, with its group.
METRICS: dict[str, str] = {
    series: group for group, module in GROUPS.items() for family in module.FAMILIES for series in family.series_names
}
