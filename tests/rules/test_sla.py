"""The SLA's page names exactly what its rules record: items, budgets' targets and series."""

import re
from pathlib import Path

import yaml

from exporter.config.sections import SECTIONS, series

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "sla.md").read_text(encoding="utf-8")
GROUPS = yaml.safe_load((ROOT / "prometheus" / "rules" / "sla.yml").read_text(encoding="utf-8"))["groups"]
RULES = [rule for group in GROUPS for rule in group["rules"]]

# Steps on the way, which nobody need read.
STEPS = {
    "bot:sla_counted:bool",
    "bot_sla:bad_seconds:past_4w",
    "bot_sla:measured_seconds:past_4w",
    "bot_sla:missed:ratio",
    "bot_sla:missed_minutes:6h",
    "bot_sla:told:bool",
    "sla:budget:ratio",
    "sla:hour_closed:timestamp_seconds",
    "sla:hour_over:bool",
    "sla:hours_open:count",
}


def judged() -> list[str]:
    return [rule["labels"]["sla"] for rule in RULES if rule.get("record") == "bot_sla:bad:ratio"]


def rows(heading: str) -> list[list[str]]:
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line.startswith("| `")
    ]


def test_the_page_has_a_row_for_each_item() -> None:
    items = [row[0].strip("`") for row in rows("How it is measured")]
    assert sorted(items) == sorted(judged())


def test_each_item_has_its_target_and_default() -> None:
    for row in rows("How it is measured"):
        key, default = re.match(r"`(\w+)`, (.+)", row[1]).groups()  # type: ignore[union-attr]
        setting = SECTIONS["sla"][key]
        said = "off" if setting.since is None else f"{setting.default:g} s"
        assert default == (said if setting.unit != "ratio" else f"{setting.default * 100:g} %"), key


def test_each_target_is_read() -> None:
    """A target that no item reads would be a promise that nobody checks."""
    text = "\n".join(rule["expr"] for rule in RULES if rule.get("record") == "bot_sla:bad:ratio")
    assert set(re.findall(r'monitoring:target\{target="(\w+)"', text)) == {
        series("sla", key) for key in SECTIONS["sla"]
    }
    assert set(judged()) == set(SECTIONS["sla"])


def test_each_recorded_series_is_on_the_page() -> None:
    recorded = {rule["record"] for rule in RULES if "record" in rule} - STEPS
    named = set(re.findall(r"\bbot(?:_sla)?:\w+:\w+", PAGE))
    windows = {f"bot_sla:burn_rate:ratio{window}" for window in re.findall(r"`(_\d+[mhd])`", PAGE)}
    assert named | windows == recorded
