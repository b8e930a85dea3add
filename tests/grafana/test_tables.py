"""Tables that join queries by name keep their columns through an incident: the exporter is gone, under the real rules.

Of several queries Grafana calls the values `Value #A` and so on, but `Value` once only one of them has an answer, which
no column knows then. The first query's value is never shown, so that one may be left alone.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.binaries import binary
from tests.grafana.dashboards import FILES, load, panels, substituted
from tests.grafana.evaluate import ALL_BOTS
from tests.replay.load import RULES
from tests.replay.load import load as load_scenario
from tests.replay.series import collect

# An SLA counts each step as a minute, and is judged from an hour on.
DIES, ENDS = 65, 85
SCENARIO = f"""
description: The exporter dies, and stays so.
lasts: {ENDS}m
step: 60s
monitoring: {{preset: production, bots: [{{name: a, type: demo}}, {{name: b, type: demo}}]}}
story:
  - {{from: {DIES}m, until: {ENDS}m, exporter: dead}}
fires: []
"""


def _tables() -> dict[str, list[str]]:
    """Each table's queries, where they are several."""
    tables = {}
    for file in FILES:
        for panel in panels(load(file)):
            if panel["type"] == "table" and len(panel["targets"]) > 1:
                tables[f"{file.stem}: {panel['title']}"] = [_of_all(target["expr"]) for target in panel["targets"]]
    return tables


def _of_all(expression: str) -> str:
    text = substituted(expression)
    for one, all_ in ALL_BOTS.items():
        text = text.replace(one, all_)
    return text


def _answered(queries: list[str]) -> str:
    """How many of the queries have an answer."""
    return " + ".join(f"(count({query}) > bool 0 or vector(0))" for query in queries)


def _alone(queries: list[str]) -> str:
    """Whether one of them alone has an answer, and not the first."""
    return f"({_answered(queries)}) == 1 unless on () ({queries[0]})"


def test_no_column_of_a_table_is_left_alone(tmp_path: Path) -> None:
    tables = _tables()
    file = tmp_path / "scenario.yml"
    file.write_text(SCENARIO)
    samples = collect(load_scenario(file))
    tests: list[dict[str, Any]] = [
        # What isn't expected is told with its labels.
        {
            "expr": f'label_replace({_alone(queries)}, "table", "{name}", "", "")',
            "eval_time": f"{minute}m",
            "exp_samples": [],
        }
        for name, queries in tables.items()
        for minute in range(DIES - 5, ENDS)
    ]
    # The incident is one: what is asked for was there before, and isn't now.
    first = _answered(tables["trading-bot: Bots, one by one"])
    tests += [
        {"expr": f"{first} > bool 9", "eval_time": f"{at}m", "exp_samples": [{"labels": "{}", "value": value}]}
        for at, value in ((DIES - 1, 1), (ENDS - 1, 0))
    ]
    rules = sorted(RULES.glob("*.yml"))
    groups = [group["name"] for rule in rules for group in yaml.safe_load(rule.read_text("utf-8"))["groups"]]
    made = {
        "rule_files": [str(rule.resolve()) for rule in rules],
        "evaluation_interval": "60s",
        "group_eval_order": sorted(groups, key=lambda name: name != "thresholds"),
        "tests": [
            {
                "interval": f"{samples.slot}s",
                "input_series": [{"series": series, "values": values} for series, values in samples.notated()],
                "promql_expr_test": tests,
            }
        ],
    }
    unit = tmp_path / "tables.yml"
    unit.write_text(json.dumps(made))
    result = subprocess.run(
        [binary("promtool"), "test", "rules", str(unit)], capture_output=True, text=True, check=False
    )
    assert set(re.findall(r'got: \{table="(.+)"\}', result.stderr + result.stdout)) == set()
    assert result.returncode == 0, result.stdout + result.stderr
