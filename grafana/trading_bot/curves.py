"""Curves over time, one for each bot, with the limits of monitoring.yml as dashed lines."""

from __future__ import annotations

from collections.abc import Sequence

from grafana_foundation_sdk.builders import timeseries

from grafana import style
from grafana.panels import limit_line, over_time
from grafana.promql import drawn, most, of_bots, strictest

BY_BOT = "{{bot}} · {{mode}}"
SEVERITIES = {"critical": style.CRITICAL, "warning": style.WARNING}


def of_each_bot(
    panel: timeseries.Panel,
    metrics: dict[str, str],
    limits: Sequence[tuple[str, str]] = (),
    lowest: str = "min",
    count: int = 10,
    chosen: str = "",
    near: bool = False,
) -> timeseries.Panel:
    """Add the curves.

    Args:
        metrics: what follows a bot's name in the legend → the metric; all after the first are dashed.
        limits: threshold and severity of each limit of the first metric.
        lowest: `max` where a value must not be below its limit.
        count: how many bots have a curve, those with the largest values of the first metric.
        chosen: a query that gives the bots instead.
        near: a limit shows only if a curve comes near it.
    """
    first = next(iter(metrics.values()))
    bots = chosen or most(count, first)
    refs = iter("ABCDEFGH")
    for position, (name, metric) in enumerate(metrics.items()):
        legend = f"{BY_BOT}, {name}" if name else BY_BOT
        panel.with_target(over_time(of_bots(drawn(metric), bots), legend, next(refs)))
        if position:
            panel.override_by_regexp(f"/, {name}$/", style.dashed())
    for threshold, severity in limits:
        panel.with_target(over_time(strictest(threshold, severity, first, lowest, near), severity, next(refs)))
        panel.override_by_name(severity, limit_line(SEVERITIES[severity]))
    return panel
