"""Every metric, label and label's value that a rule, a message's template or a dashboard names is one that there is.

A rule on a metric that nobody emits can never fire, and one with a label that its metric lacks joins nothing.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.grafana import dashboards
from tests.rules.promql import Typing, UnknownError, parse
from tests.rules.series import OF_EACH, OF_THE_STACK, SOMETIMES, VALUES, emitted, known, rules, severities
from tests.stack import Stack, wait_for

STRING = r'("(?:[^"\\]|\\.)*"|`[^`]*`)'
# In place of what a template or a dashboard fills in.
VARIABLE = "variable"
FILLED = {"q": f'"{VARIABLE}"', "s": VARIABLE, "%": "%"}


def _is_variable(value: str) -> bool:
    return value.strip("|") in {VARIABLE, *(v.replace(r"\\", "\\") for v in dashboards.VALUES.values())}


TYPING = Typing(known(), variable=_is_variable)


def _name(rule: dict[str, Any]) -> str:
    return rule.get("record") or "-".join([rule["alert"], *severities(rule)])


def queries(template: str) -> Iterator[str]:
    """The PromQL in a template, with VARIABLE for what it fills in."""
    found = re.findall(rf"printf\s+{STRING}[^|{{}}]*\|\s*query\b", template)
    found += re.findall(rf"\bquery\s+{STRING}", template)
    assert len(found) == len(re.findall(r"\bquery\b", template)), f"a query that this test can't read: {template}"
    for text in found:
        plain = text[1:-1] if text.startswith("`") else ast.literal_eval(text)
        yield re.sub(r"%(?:\[\d\])?[\d.]*([a-z%])", lambda verb: FILLED.get(verb[1], "1"), plain)


def check_template(text: str, of_alert: frozenset[str]) -> None:
    """Refuse a template that names what there is not."""
    wrong = set(re.findall(r"\$labels\.(\w+)", text)) - of_alert
    if wrong:
        raise UnknownError(f"the alert has no label {', '.join(sorted(wrong))}: {text}")
    answered = {label for query in queries(text) for label in TYPING.labels(parse(query))}
    asked = re.findall(r'\b(?:label|sortByLabel) "(\w+)"', text) + re.findall(r"\.Labels\.(\w+)", text)
    if not set(asked) <= answered:
        raise UnknownError(f"no query there answers with {', '.join(sorted(set(asked) - answered))}: {text}")


def check_rule(rule: dict[str, Any]) -> None:
    """Refuse a rule that names what there is not, in its expression or its templates."""
    labels = TYPING.labels(parse(rule["expr"]))
    for text in [*rule.get("labels", {}).values(), *rule.get("annotations", {}).values()]:
        check_template(text, frozenset(labels) | {"severity"} if "alert" in rule else frozenset(labels))


@pytest.mark.parametrize("rule", rules(), ids=_name)
def test_rule(rule: dict[str, Any]) -> None:
    check_rule(rule)


@pytest.mark.parametrize("rule", [rule for rule in rules() if "alert" in rule], ids=_name)
def test_alert_of_a_bot_has_the_label(rule: dict[str, Any]) -> None:
    """What is muted, acknowledged and grouped by bot must have it."""
    if "bot_status" in rule["annotations"]:
        assert "bot" in TYPING.labels(parse(rule["expr"]))


@pytest.mark.parametrize("file", dashboards.FILES, ids=lambda file: file.stem)
def test_dashboard(file: Path) -> None:
    dashboard = dashboards.load(file)
    for _, expression in dashboards.expressions(dashboard):
        TYPING.labels(parse(dashboards.substituted(expression)))
    for panel in dashboards.panels(dashboard):
        for target in panel["targets"]:
            labels = TYPING.labels(parse(dashboards.substituted(target["expr"])))
            shown = re.findall(r"{{\s*(\w+)\s*}}", target.get("legendFormat", ""))
            assert set(shown) <= set(labels), f"{panel['title']}: {target['expr']} gives {sorted(labels)}, not {shown}"
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            metric, label = re.fullmatch(r"label_values\((.+), *(\w+)\)", variable["query"]["query"]).groups()
            assert label in TYPING.labels(parse(dashboards.substituted(metric))), variable["query"]["query"]


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        pytest.param("trading_bot_upp == 0", "nothing emits", id="metric"),
        pytest.param("bot:maintenence", "nothing emits", id="recorded"),
        pytest.param('trading_bot_up{bots="a"}', "no label bots", id="matcher"),
        pytest.param('trading_bot_state{state="runing"}', "state is never runing", id="value"),
        pytest.param('trading_bot_state{state=~"stopped|pausd"}', "state is never pausd", id="one of many values"),
        pytest.param('bot:threshold{threshold="max_drawdwn"}', "never max_drawdwn", id="threshold"),
        pytest.param('monitoring:target{target="min_trads"}', "never min_trads", id="target"),
        pytest.param('trading_bot_period_profit_loss{period="daily"}', "never daily", id="period"),
        pytest.param('bot:status_part{part="6"}', "never 6", id="value that a rule made"),
        pytest.param('up{job="exporters"}', "never exporters", id="job"),
        pytest.param('ALERTS{alertname="BotDwn"}', "never BotDwn", id="alert"),
        pytest.param("max by (bto) (trading_bot_up)", "no label bto", id="by"),
        pytest.param("max without (bto) (trading_bot_up)", "no label bto", id="without"),
        pytest.param("trading_bot_up * on (name) trading_bot_info", "no label name", id="on"),
        pytest.param("trading_bot_up * ignoring (nam) trading_bot_info", "no label nam", id="ignoring"),
        pytest.param(
            "trading_bot_up * on (bot) group_left (curency) trading_bot_info", "no label curency", id="group_left"
        ),
        pytest.param('label_replace(trading_bot_up, "a", "$1", "bto", "(.*)")', "no label bto", id="label_replace"),
        pytest.param(
            'max by (pair) (label_replace(max by (bot) (trading_bot_up), "a", "b", "", ""))', "pair", id="lost"
        ),
        pytest.param("histogram_quantile(0.9, trading_bot_up)", "no label le", id="histogram"),
    ],
)
def test_what_is_not_there_is_told(expression: str, told: str) -> None:
    with pytest.raises(UnknownError, match=told):
        check_rule({"record": "made:up", "expr": expression})


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ('{{ with printf "trading_bot_upp{bot=%q}" $labels.bot | query }}{{ end }}', "nothing emits"),
        ('{{ with query "max by (bto) (trading_bot_up)" }}{{ end }}', "no label bto"),
        ("{{ $labels.bto }}", "no label bto"),
        ('{{ with query "trading_bot_up" }}{{ . | first | label "reason" }}{{ end }}', "answers with reason"),
    ],
)
def test_what_is_not_there_is_told_of_templates(template: str, told: str) -> None:
    rule = {"alert": "MadeUp", "expr": "trading_bot_up == 0", "labels": {}, "annotations": {"description": template}}
    with pytest.raises(UnknownError, match=told):
        check_rule(rule)


def test_the_stack_emits_what_it_is_asked_for(tmp_path: Path) -> None:
    """The exporter's values and labels, and those of Prometheus and Alertmanager, are held against running ones."""
    with Stack(tmp_path, {"bots": [{"name": "demo", "type": "demo"}]}, {}) as stack:
        of_the_stack = {name: labels for metrics in OF_THE_STACK.values() for name, labels in metrics.items()}
        asked = f'{{__name__=~"{"|".join([*of_the_stack, *OF_EACH])}"}} or {{__name__=~"trading_bot_.+"}}'
        needed = {*of_the_stack, *OF_EACH, "trading_bot_trades_total", "trading_bot_threshold"}

        def answered() -> list[dict[str, str]]:
            address = f"{stack.url('prometheus')}/api/v1/query"
            answer = requests.get(address, params={"query": asked}, timeout=10).json()
            series = [result["metric"] for result in answer["data"]["result"]]
            return series if needed - SOMETIMES <= {labels["__name__"] for labels in series} else []

        for labels in wait_for("all series are there", answered):
            name = labels.pop("__name__")
            if name not in emitted():
                assert labels["job"] == "responder", name
                continue
            assert set(labels) <= set(emitted()[name]), name
            for label, value in labels.items():
                assert value in VALUES.get(label, {value}) or name in of_the_stack, f"{name}: {label}={value}"
            assert set(of_the_stack.get(name, ())) <= set(labels), name
