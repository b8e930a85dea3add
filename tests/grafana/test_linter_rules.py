"""The rules of Grafana's dashboard-linter, as its documentation has them, held for the committed dashboards.

Held by test_dashboards.py, more strictly: target-promql-rule and template-label-promql-rule by
test_expressions_are_valid, panel-title-description-rule and panel-datasource-rule by
test_each_panel_says_what_it_shows, uneditable-dashboard by test_settings.

Not held: template-job-rule, template-instance-rule, target-job-rule and target-instance-rule, which want the variables
`job` and `instance` in each query. A bot is scraped by several jobs and moves between instances, so bots are chosen by
the variable `bot`; test_only_chosen_bots_are_asked_for sees that each query does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest

from tests.grafana.dashboards import FILES, VALUES, load, panels, substituted

Dashboard = dict[str, Any]
Rule = Callable[[Dashboard], Iterator[str]]

RATES = ("rate", "irate", "increase")
# Those of Grafana's units that are in use.
UNITS = {"none", "short", "locale", "percentunit", "s", "dtdhms", "bytes", "dateTimeAsIsoNoDateIfToday"}

# What a bot states of its whole life is itself the number to show: a rate would only tell of the time that is shown.
TOTALS = {"trading_bot_trades_total", "trading_bot_fees_total"}
# Events of a step, as grafana/counts.py has them and says why: the difference of two counts, which increase() guesses.
IN_STEP = re.compile(r"\((\w+_total(?:\{[^}]*\})?) - \1 offset \$__interval >= 0 or \1\)")


def variables(dashboard: Dashboard, type_: str) -> list[Dashboard]:
    return [variable for variable in dashboard["templating"]["list"] if variable["type"] == type_]


def targets(dashboard: Dashboard) -> Iterator[tuple[str, Dashboard]]:
    for panel in panels(dashboard):
        for target in panel.get("targets", []):
            yield f"{panel['title']} {target['refId']}", target


def selectors(expression: Any, call: str = "") -> Iterator[tuple[str, float | None, str]]:
    """Each series asked for: its name, its range in seconds, and the function that has it as an argument."""
    match expression:
        case promql_parser.VectorSelector():
            yield expression.name or "", None, call
        case promql_parser.MatrixSelector():
            yield expression.vector_selector.name or "", expression.range.total_seconds(), call
        case promql_parser.Call():
            for argument in expression.args:
                yield from selectors(argument, expression.func.name)
        case promql_parser.BinaryExpr():
            yield from selectors(expression.lhs)
            yield from selectors(expression.rhs)
        case promql_parser.SubqueryExpr() | promql_parser.ParenExpr():
            yield from selectors(expression.expr, call)
        case promql_parser.AggregateExpr() | promql_parser.UnaryExpr():
            yield from selectors(expression.expr)


def template_datasource(dashboard: Dashboard) -> Iterator[str]:
    found = [(variable["name"], variable["label"]) for variable in variables(dashboard, "datasource")]
    if found != [("datasource", "Data source")]:
        yield f"data sources {found}"


def template_on_time_change_reload(dashboard: Dashboard) -> Iterator[str]:
    yield from (variable["name"] for variable in variables(dashboard, "query") if variable["refresh"] != 2)


def panel_units(dashboard: Dashboard) -> Iterator[str]:
    for panel in panels(dashboard):
        config = panel["fieldConfig"]
        own = [one["value"] for each in config["overrides"] for one in each["properties"] if one["id"] == "unit"]
        yield from (f"{panel['title']}: {unit}" for unit in [config["defaults"]["unit"], *own] if unit not in UNITS)


def panel_no_targets(dashboard: Dashboard) -> Iterator[str]:
    yield from (panel["title"] for panel in panels(dashboard) if not panel.get("targets"))


def target_logql(dashboard: Dashboard) -> Iterator[str]:
    """target-logql-rule and target-logql-auto-rule: nothing asks Loki."""
    for panel in panels(dashboard):
        for source in (panel["datasource"], *(target.get("datasource") for target in panel.get("targets", []))):
            if source and source["type"] != "prometheus":
                yield panel["title"]


def target_rate_interval(dashboard: Dashboard) -> Iterator[str]:
    """Only of curves: a number of now, asked for once, says of which window it is ("in the last hour")."""
    wanted = float(VALUES["__rate_interval"].removesuffix("s"))
    for where, target in targets(dashboard):
        if not target.get("instant"):
            for name, seconds, call in selectors(promql_parser.parse(substituted(target["expr"]))):
                if call in RATES and seconds not in (None, wanted):
                    yield f"{where}: {call} of {name}"


def target_counter_agg(dashboard: Dashboard) -> Iterator[str]:
    for where, target in targets(dashboard):
        rest = IN_STEP.sub("vector(0)", target["expr"])
        for name, _, call in selectors(promql_parser.parse(substituted(rest))):
            if name.endswith("_total") and call not in RATES and name not in TOTALS:
                yield f"{where}: {name}"


RULES: list[Rule] = [
    template_datasource,
    template_on_time_change_reload,
    panel_units,
    panel_no_targets,
    target_logql,
    target_rate_interval,
    target_counter_agg,
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_rule_is_held(file: Path, rule: Rule) -> None:
    assert list(rule(load(file))) == []


def test_the_rules_find_faults() -> None:
    loki = {"type": "loki", "uid": "$datasource"}
    config = {"defaults": {"unit": "none"}, "overrides": [{"properties": [{"id": "unit", "value": "euros"}]}]}
    asked = ("rate(a_total[1h])", "(a_total - b_total offset $__interval >= 0 or a_total)")
    panel = {"type": "timeseries", "title": "a", "datasource": loki, "fieldConfig": config}
    queries = [{"refId": ref, "expr": expression} for ref, expression in zip("AB", asked, strict=True)]
    bad = {
        "templating": {"list": [{"type": "query", "name": "bot", "refresh": 1}]},
        "panels": [panel | {"targets": queries}, panel | {"targets": []}],
    }
    assert {rule.__name__ for rule in RULES if list(rule(bad))} == {rule.__name__ for rule in RULES}
