"""What all dashboards share: variables, refresh, links to each other, alerts as annotations, and the layout in rows."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard

from grafana import promql, style
from grafana.panels import AnyPanel, over_time

TAG = "trading-bot"
WIDTH = 24
ALL = dashboard.VariableOption(selected=True, text=["All"], value=["$__all"])


class Row(NamedTuple):
    """A row of panels.

    `id` is the row's own; its panels' ids follow it. `repeat` is a variable: the row is there once for each value.
    A collapsed row is opened by a click on its title, and asks for nothing before.
    """

    id: int
    title: str
    panels: Sequence[AnyPanel]
    repeat: str = ""
    collapsed: bool = False


def board(uid: str, title: str, description: str, rows: Sequence[Row], hidden: Collection[str] = ()) -> dict[str, Any]:
    """A dashboard with the house's settings.

    `hidden` are variables that none of its panels asks for: they are only kept for the dashboards it links to.
    """
    result = (
        builders.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags([TAG])
        .readonly()
        .time("now-24h", "now")
        .refresh("30s")
        .timepicker(builders.TimePicker().refresh_intervals(["10s", "30s", "1m", "2m", "5m", "15m"]))
        .timezone("browser")
        .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
        .link(
            builders.DashboardLink("Dashboards")
            .type(dashboard.DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .as_dropdown(True)
            .include_vars(True)
            .keep_time(True)
        )
    )
    for variable in _variables():
        if variable.build().name in hidden:
            variable.hide(dashboard.VariableHide.HIDE_VARIABLE)
        result.with_variable(variable)
    for severity, colour in (("critical", style.CRITICAL), ("warning", style.WARNING), ("info", style.INFO)):
        result.annotation(_alerts(severity, colour))
    y = 0
    for row in rows:
        head = builders.Row(row.title).id(row.id).grid_pos(dashboard.GridPos(h=1, w=WIDTH, x=0, y=y))
        head.collapsed(row.collapsed)
        if row.repeat:
            head.repeat(row.repeat)
        if row.collapsed:
            _place(head, row.panels, y + 1)
        result.with_row(head)
        y = y + 1 if row.collapsed else _place(result, row.panels, y + 1)
    made: dict[str, Any] = json.loads(json.dumps(result.build(), cls=JSONEncoder))
    # The SDK always writes the place of links and annotations: a menu that only the newest Grafana has.
    for item in (*made["links"], *made["annotations"]["list"]):
        del item["placement"]
    return made


def _place(result: builders.Dashboard | builders.Row, panels: Sequence[AnyPanel], top: int) -> int:
    """Add panels, each as high up as there is room for it, and there as far left; returns where the next row begins."""
    filled = [top] * WIDTH
    for panel in panels:
        size = panel.build().grid_pos or dashboard.GridPos()
        y, x = min((max(filled[x : x + size.w]), x) for x in range(WIDTH - size.w + 1))
        filled[x : x + size.w] = [y + size.h] * size.w
        result.with_panel(panel.grid_pos(dashboard.GridPos(h=size.h, w=size.w, x=x, y=y)))
    return max(filled)


def _variables() -> list[builders.DatasourceVariable | builders.QueryVariable]:
    """The variables at the top; each is limited by those before it."""
    return [
        builders.DatasourceVariable("datasource")
        .label("Data source")
        .type("prometheus")
        .current(dashboard.VariableOption(selected=True, text="Prometheus", value="prometheus")),
        _chosen("exchange", "Exchange", "label_values(trading_bot_info, exchange)").all_value(".*"),
        # A bot that can't be read states no exchange. It is there as long as all exchanges are shown.
        _chosen("bot", "Bot", 'label_values({__name__=~"trading_bot_(info|up)", exchange=~"$exchange"}, bot)'),
        _chosen(
            "pair",
            "Pair",
            f'label_values({{__name__=~"trading_bot_(pair_profit_loss|position_profit_ratio)", {promql.BOT}}}, pair)',
        ).all_value(".*"),
        # Not to be chosen: rows of money are repeated for each currency.
        _chosen("currency", "Currency", f"label_values({promql.ANSWERING}, currency)").hide(
            dashboard.VariableHide.HIDE_VARIABLE
        ),
    ]


def _chosen(name: str, label: str, query: str) -> builders.QueryVariable:
    """A variable with many values, of which any number can be chosen."""
    return (
        builders.QueryVariable(name)
        .label(label)
        .datasource(style.DATASOURCE)
        .query({"query": query, "refId": f"variable-{name}"})
        .definition(query)
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.ALPHABETICAL_CASE_INSENSITIVE_ASC)
        .multi(True)
        .include_all(True)
        .current(ALL)
    )


def _alerts(severity: str, colour: str) -> builders.AnnotationQuery:
    """A mark over the charts where the condition of an alert began.

    The time is a value of its own, for Grafana looks for annotations at a hundred moments or so, whatever `step` says.
    So from each on ahead: the last of them may be a quarter of an hour ago.
    Newer Grafana reads the query from `target`, older from the annotation itself.
    """
    began = f"last_over_time({promql.fired(severity)}[$__interval] offset -$__interval)"
    expression = f"max by (alertname, bot, severity) ({began}) * 1000"
    return (
        builders.AnnotationQuery()
        .name(f"Alerts: {severity}")
        .datasource(style.DATASOURCE)
        .enable(True)
        .hide(True)
        .icon_color(colour)
        .target(over_time(expression, ref="Anno").interval("60s"))
        .expr(expression)
        .step("60s")
        .use_value_for_time(True)
        .title_format("{{alertname}}")
        .text_format("{{bot}}")
        .tag_keys("bot,severity")
    )
