"""Events as bars: how many in each step of a chart."""

from __future__ import annotations

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import timeseries
from grafana_foundation_sdk.models import common

from grafana import style
from grafana.panels import lines


def in_step(counter: str) -> str:
    """How many in each step: the difference of two counts, for `increase` guesses, and with few events badly.

    Less than before is a restart, which counted from zero.
    """
    before = f"{counter} offset $__interval"
    return f"({counter} - {before} >= 0 or {counter})"


def in_range(counter: str) -> str:
    """How many in the time shown, of a reading a minute: all readings of a month would be too many.

    Of what was first seen within the last minutes there are not two of those yet.
    """
    return f"(round(increase({counter}[$__range:1m])) or round(increase({counter}[1m])))"


def counts(id_: int, title: str, size: tuple[int, int], description: str, absent: str) -> timeseries.Panel:
    """Stacked bars; its queries are of `in_step`."""
    return (
        lines(id_, title, size, description, style.GROUPED, 1, absent)
        .draw_style(common.GraphDrawStyle.BARS)
        .fill_opacity(80)
        .line_width(0)
        .min(0)
        .stacking(stacked())
    )


def stacked() -> common_builders.StackingConfig:
    """Series stand upon each other."""
    return common_builders.StackingConfig().mode(common.StackingMode.NORMAL).group("A")
