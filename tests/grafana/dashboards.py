"""Reads the committed dashboards for the tests."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "grafana" / "dashboards").glob("*.json"))

# What Grafana puts in place of variables before a query reaches Prometheus. With a pair's slash and a bot's dot, as
# Grafana escapes them inside a regular expression.
VALUES = {
    "bot": r"(demo|my\\.bot)",
    "pair": ".*",
    "exchange": ".*",
    "currency": "USDT",
    "__range": "86400s",
    "__range_s": "86400",
    "__interval": "60s",
    "__interval_ms": "60000",
    "__rate_interval": "240s",
}


def load(file: Path) -> dict[str, Any]:
    """A dashboard."""
    loaded: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return loaded


def panels(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All panels with something in them, also those in collapsed rows."""
    for panel in dashboard["panels"]:
        if panel["type"] != "row":
            yield panel
        yield from (inner for inner in panel.get("panels", []) if inner["type"] != "row")


def ids(dashboard: dict[str, Any]) -> Iterator[int]:
    """The ids of all panels and rows."""
    for panel in dashboard["panels"]:
        yield panel["id"]
        yield from (inner["id"] for inner in panel.get("panels", []))


def expressions(dashboard: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Where each query stands, and its PromQL with variables."""
    for panel in panels(dashboard):
        for target in panel["targets"]:
            yield f"{panel['title']} {target['refId']}", target["expr"]
    for annotation in dashboard["annotations"]["list"]:
        yield annotation["name"], annotation["expr"]
        yield f"{annotation['name']} (target)", annotation["target"]["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            # label_values(METRIC, label)
            wanted = re.fullmatch(r"label_values\((.+), *\w+\)", variable["query"]["query"])
            assert wanted, variable["query"]
            yield f"variable {variable['name']}", wanted[1]


def substituted(expression: str, values: Mapping[str, str] = VALUES) -> str:
    """PromQL as Prometheus gets it, with these values of its variables."""

    def value(match: re.Match[str]) -> str:
        return values[match[1]]

    return re.sub(r"\$([a-z_]\w*)", value, expression)
