"""Asks a real Prometheus engine: promtool evaluates the dashboards' queries over made-up series."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.binaries import binary
from tests.grafana.dashboards import FILES, ROOT, expressions, load, substituted

# A query's name, the time, and the label sets it gives with their values.
Case = tuple[str, str, dict[str, float]]
# promtool can't compare NaN, but NaN isn't equal to itself.
IS_NUMBER = " is a number"
GROUPS = yaml.safe_load((ROOT / "prometheus" / "rules" / "dashboards.yml").read_text("utf-8"))["groups"]
RULES = [rule for group in GROUPS for rule in group["rules"]]
ALL_BOTS = {r'bot=~"(demo|my\\.bot)"': 'bot=~".+"', r'bot=~"(demo|my\\.bot)|"': 'bot=~".*"'}


def queries(uid: str) -> dict[str, str]:
    """The queries of a dashboard, with variables put in: where each stands (panel and refId) → PromQL."""
    (file,) = (file for file in FILES if file.stem == uid)
    return {where: substituted(expression) for where, expression in expressions(load(file))}


def evaluate(tmp_path: Path, asked: dict[str, str], series: dict[str, str], cases: list[Case]) -> None:
    """Have promtool compare what the queries give with what they should, over made-up series of a sample a minute.

    What dashboards.yml records of them is there, too, as far as it is asked for: the whole would take long.
    """

    def query(name: str) -> str:
        text = asked[name.removesuffix(IS_NUMBER)]
        if name.endswith(IS_NUMBER):
            text = f"({text}) == bool ({text})"
        for one, all_ in ALL_BOTS.items():
            text = text.replace(one, all_)
        return text

    tests: list[dict[str, Any]] = [
        {
            "expr": query(name),
            "eval_time": at,
            "exp_samples": [{"labels": labels, "value": value} for labels, value in expected.items()],
        }
        for name, at, expected in cases
    ]
    # promtool loads series up to the last time asked for; some queries look ahead.
    last = f"{max(_minutes(at) for _, at, _ in cases) + 1440}m"
    tests.append({"expr": "vector(1)", "eval_time": last, "exp_samples": [{"labels": "{}", "value": 1}]})
    needed: list[dict[str, Any]] = []
    # From the last on: a rule stands below those that it reads.
    for rule in reversed(RULES):
        if any(rule["record"] in each["expr"] for each in (*tests, *needed)):
            needed.insert(0, rule)
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "dashboards", "rules": needed}]}))
    file = tmp_path / "queries.yml"
    made = {
        "rule_files": ["rules.yml"] if needed else [],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": key, "values": values} for key, values in series.items()],
                "promql_expr_test": tests,
            }
        ],
    }
    file.write_text(yaml.safe_dump(made))
    result = subprocess.run(
        [binary("promtool"), "test", "rules", str(file)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


def _minutes(duration: str) -> int:
    return int(duration[:-1]) * {"m": 1, "h": 60, "d": 1440}[duration[-1]]
