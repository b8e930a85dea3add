"""Panels with the house's defaults. Only what Grafana 9.4 to 12 share is used."""

from __future__ import annotations

from typing import TypeVar

from grafana_foundation_sdk.builders import (
    barchart,
    bargauge,
    gauge,
    piechart,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.builders import (
    common as common_builders,
)
from grafana_foundation_sdk.models import common, dashboard
from grafana_foundation_sdk.models.piechart import PieChartLegendValues, PieChartType

from grafana import style
from grafana.style import set_

AnyPanel = (
    barchart.Panel
    | bargauge.Panel
    | gauge.Panel
    | piechart.Panel
    | stat.Panel
    | statetimeline.Panel
    | table.Panel
    | timeseries.Panel
)
P = TypeVar(
    "P",
    barchart.Panel,
    bargauge.Panel,
    gauge.Panel,
    piechart.Panel,
    stat.Panel,
    statetimeline.Panel,
    table.Panel,
    timeseries.Panel,
)

# An override: Grafana 9.4 writes the empty state's text at each place of an axis where it leaves out a label.
NO_TEXT_ON_AXES = ("/.*/", [set_("noValue", "")])

# Of bands, and of charts of hundreds of series, whose cost is that of each series at each point: every third pixel.
FEW_POINTS = 400

# Gaps up to this long are a missed scrape or a restart, and the line goes on over them; milliseconds.
SHORT_GAP = 300_000


def now(expression: str, name: str = "", ref: str = "A") -> prometheus.Dataquery:
    """A query for the present moment; `name` is the legend."""
    return prometheus.Dataquery().expr(expression).instant().legend_format(name).ref_id(ref)


def over_time(expression: str, name: str = "", ref: str = "A") -> prometheus.Dataquery:
    """A query for the time shown; `name` is the legend."""
    return prometheus.Dataquery().expr(expression).range().legend_format(name).ref_id(ref)


def with_basics(panel: P, id_: int, title: str, size: tuple[int, int], description: str, unit: str, decimals: int) -> P:
    """What every panel has; `size` is width (of 24) and height."""
    return (
        panel.id(id_)
        .title(title)
        .description(description)
        .datasource(style.DATASOURCE)
        .span(size[0])
        .height(size[1])
        .unit(unit)
        .decimals(decimals)
    )


def numbers(
    id_: int, title: str, size: tuple[int, int], description: str, unit: str = style.COUNT, decimals: int = 0
) -> stat.Panel:
    """One or more large numbers, of now."""
    return (
        with_basics(stat.Panel(), id_, title, size, description, unit, decimals)
        .graph_mode(common.BigValueGraphMode.NONE)
        .color_mode(common.BigValueColorMode.VALUE)
        .text_mode(common.BigValueTextMode.AUTO)
        .reduce_options(common_builders.ReduceDataOptions().calcs(["last"]))
        .thresholds(style.thresholds(style.NEUTRAL))
        .mappings([style.when_absent(style.NOT_KNOWN, dashboard.SpecialValueMatch.NULL)])
        .no_value(style.NOT_KNOWN)
    )


def number_with_trend(panel: stat.Panel, trend: str, expression: str) -> stat.Panel:
    """A large number of now above the curve that led to it.

    The curve's last point may be a step old, hours where a month is shown, and ends where a bot died. So the number
    is a query of its own, always with a value, put behind the curve's points.
    """
    return (
        panel.with_target(over_time(trend))
        .with_target(now(f"{expression} or on () vector(NaN)", ref="B"))
        .transformations([dashboard.DataTransformerConfig(id_val="merge", options={})])
        .graph_mode(common.BigValueGraphMode.AREA)
        .mappings([style.when_absent(style.NOT_KNOWN, dashboard.SpecialValueMatch.NULL_AND_NAN)])
        .text_mode(common.BigValueTextMode.VALUE)
    )


def judged_number(panel: stat.Panel, expression: str, answering: str) -> stat.Panel:
    """A large number of now that bots state only once they have enough trades; `answering` are those that could."""
    return panel.with_target(now(f"{expression} or on () count({answering}) * NaN")).mappings(
        [
            style.when_absent(style.NOT_KNOWN, dashboard.SpecialValueMatch.NULL),
            style.when_absent(style.TOO_FEW, dashboard.SpecialValueMatch.NA_N),
        ]
    )


def _names_below() -> common_builders.VizLegendOptions:
    """A legend of names alone, below the panel."""
    return (
        common_builders.VizLegendOptions()
        .show_legend(True)
        .display_mode(common.LegendDisplayMode.LIST)
        .placement(common.LegendPlacement.BOTTOM)
        .calcs([])
    )


def lines(
    id_: int, title: str, size: tuple[int, int], description: str, unit: str, decimals: int, absent: str
) -> timeseries.Panel:
    """Curves over time."""
    return (
        with_basics(timeseries.Panel(), id_, title, size, description, unit, decimals)
        .line_width(2)
        .fill_opacity(0)
        .show_points(common.VisibilityMode.NEVER)
        .span_nulls(SHORT_GAP)
        .legend(_names_below())
        .tooltip(
            common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING)
        )
        .no_value(absent)
    )


def limit_line(colour: str = style.CRITICAL) -> list[dashboard.DynamicConfigValue]:
    """For an override: the series is a limit, drawn as a dashed line, red where nothing else is said."""
    return [
        style.colour(colour),
        set_("custom.lineStyle", {"fill": "dash", "dash": [10, 6]}),
        set_("custom.lineWidth", 2),
        set_("custom.fillOpacity", 0),
    ]


def day_bars(
    id_: int, title: str, size: tuple[int, int], description: str, unit: str, decimals: int, absent: str
) -> timeseries.Panel:
    """Stacked bars, one a day, of the last 30 days whatever time is shown elsewhere."""
    return (
        lines(id_, title, size, description, unit, decimals, absent)
        .draw_style(common.GraphDrawStyle.BARS)
        .bar_alignment(common.BarAlignment.AFTER)
        .fill_opacity(80)
        .line_width(0)
        .span_nulls(False)
        .stacking(common_builders.StackingConfig().mode(common.StackingMode.NORMAL).group("A"))
        .interval("1d")
        .time_from("30d")
    )


def shares(id_: int, title: str, size: tuple[int, int], description: str, unit: str, absent: str) -> piechart.Panel:
    """A ring of shares, with values and percentages beside it."""
    return (
        with_basics(piechart.Panel(), id_, title, size, description, unit, 0)
        .pie_type(PieChartType.DONUT)
        .reduce_options(common_builders.ReduceDataOptions().calcs(["last"]))
        .display_labels([])
        .legend(
            piechart.PieChartLegendOptions()
            .show_legend(True)
            .display_mode(common.LegendDisplayMode.TABLE)
            .placement(common.LegendPlacement.BOTTOM)
            .values([PieChartLegendValues.VALUE, PieChartLegendValues.PERCENT])
        )
        .no_value(absent)
    )


def bars(id_: int, title: str, size: tuple[int, int], description: str, unit: str, decimals: int) -> barchart.Panel:
    """Horizontal bars to both sides of zero, from a table with one text and one number."""
    return (
        with_basics(barchart.Panel(), id_, title, size, description, unit, decimals)
        .orientation(common.VizOrientation.HORIZONTAL)
        # Written beside a long bar to the left, values would cover the names.
        .show_value(common.VisibilityMode.NEVER)
        .bar_width(0.8)
        .fill_opacity(80)
        .line_width(0)
        .legend(common_builders.VizLegendOptions().show_legend(False).calcs([]))
        .no_value(style.UNKNOWN)
    )


def columns(
    id_: int, title: str, size: tuple[int, int], description: str, unit: str, decimals: int, absent: str
) -> barchart.Panel:
    """Upright bars side by side, from a table with one text and some numbers."""
    return (
        bars(id_, title, size, description, unit, decimals)
        .orientation(common.VizOrientation.VERTICAL)
        .x_tick_label_spacing(40)
        .legend(_names_below())
        .no_value(absent)
        .override_by_regexp(*NO_TEXT_ON_AXES)
    )


def counts(id_: int, title: str, size: tuple[int, int], description: str, absent: str) -> bargauge.Panel:
    """A horizontal bar for each query, the name left of it, the count at its end."""
    return (
        with_basics(bargauge.Panel(), id_, title, size, description, style.COUNT, 0)
        .orientation(common.VizOrientation.HORIZONTAL)
        .display_mode(common.BarGaugeDisplayMode.BASIC)
        .reduce_options(common_builders.ReduceDataOptions().calcs(["last"]))
        .show_unfilled(False)
        .text(common_builders.VizTextDisplayOptions().title_size(12).value_size(14))
        .min(0)
        .mappings([style.when_absent(absent, dashboard.SpecialValueMatch.NULL)])
        .no_value(absent)
    )


def gauges(
    id_: int, title: str, size: tuple[int, int], description: str, unit: str, decimals: int, absent: str
) -> gauge.Panel:
    """A gauge for each series."""
    return (
        with_basics(gauge.Panel(), id_, title, size, description, unit, decimals)
        .reduce_options(common_builders.ReduceDataOptions().calcs(["last"]))
        .show_threshold_markers(True)
        .show_threshold_labels(False)
        .mappings([style.when_absent(absent, dashboard.SpecialValueMatch.NULL)])
        .no_value(absent)
    )


def states(id_: int, title: str, size: tuple[int, int], description: str) -> statetimeline.Panel:
    """Bands of states over time, one for each series."""
    return (
        with_basics(statetimeline.Panel(), id_, title, size, description, style.COUNT, 0)
        .merge_values(True)
        .show_value(common.VisibilityMode.NEVER)
        .row_height(0.8)
        .fill_opacity(80)
        .line_width(0)
        .max_data_points(FEW_POINTS)
        .legend(common_builders.VizLegendOptions().show_legend(False).calcs([]))
    )
