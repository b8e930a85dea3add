"""docs/performance.md names what health.yml, score.yml and benchmarks.yml record, and monitoring.yml switches that."""

from __future__ import annotations

import re
from typing import Any

import pytest

from exporter.config.sections import SECTIONS, series
from tests.rules.test_rules import ROOT, alerts, rules


def _rows(heading: str) -> dict[str, list[str]]:
    """The table under a heading: its first column, in the order of the page, to the others."""
    text = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in section.splitlines() if line.startswith("| `")]
    return {row[0].strip("`"): row[1:] for row in rows}


def _recorded(name: str, label: str) -> dict[str, dict[str, Any]]:
    """The rules of one name, by the label that tells them apart."""
    found = [rule for rule in rules() if rule.get("record") == name]
    by_label = {rule["labels"][label]: rule for rule in found}
    assert len(by_label) == len(found)
    return by_label


@pytest.mark.parametrize(
    ("heading", "name", "label", "section"),
    [
        ("Health", "bot_check:health:bool", "check", "health"),
        ("Benchmarks", "bot_benchmark:met:bool", "benchmark", "benchmarks"),
        ("Suggestions", "bot_suggestion:measured:value", "suggestion", "suggestions"),
    ],
)
def test_each_row_is_a_rule_and_a_setting(heading: str, name: str, label: str, section: str) -> None:
    recorded = _recorded(name, label)
    assert list(_rows(heading)) == list(recorded) == [key for key in SECTIONS[section] if key != "alert"]
    for key, rule in recorded.items():
        assert re.findall(r'monitoring:target\{target="(\w+)"\}', rule["expr"]) == [series(section, key)]


def test_each_part_of_the_score_has_its_weight() -> None:
    weights = next(rule["expr"] for rule in rules() if rule.get("record") == "part:score_weight:ratio")
    by_part = {part: float(weight) for weight, part in re.findall(r'vector\(([\d.]+)\), "part", "(\w+)"', weights)}
    assert by_part == {part: float(row[0]) for part, row in _rows("Score").items()}
    assert list(by_part) == list(_recorded("bot_part:score:ratio", "part"))
    assert sum(by_part.values()) == pytest.approx(1)


def test_each_suggestion_says_what_it_is() -> None:
    for suggestion, rule in _recorded("bot_suggestion:measured:value", "suggestion").items():
        said = [cell.strip("`") for cell in _rows("Suggestions")[suggestion][1:4]]
        assert said == [rule["labels"][label] for label in ("category", "priority", "action")]


def test_each_series_on_the_page_is_recorded() -> None:
    text = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([a-z_]+:[a-z_]+:\w+)", text))
    assert named <= {rule["record"] for rule in rules() if "record" in rule}


def test_what_explains_bad_health_are_conditions_that_there_are() -> None:
    (rule,) = (rule for rule in alerts() if rule["alert"] == "BotUnhealthy")
    known = {rule["labels"].get("condition", "") for rule in alerts()}
    patterns = re.findall(r'condition=~?"([^"]+)"', rule["expr"])
    assert patterns and all(any(re.fullmatch(pattern, condition) for condition in known) for pattern in patterns)
    for check in _recorded("bot_check:health:bool", "check"):
        assert check == "network" or f'"{check}"' in rule["annotations"]["description"]
