"""The documentation says what is so: schema, thresholds, links, targets."""

import json
import re
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import get_args

import pytest

from exporter import schema, state
from exporter.metrics import GROUPS
from exporter.reference import reference
from exporter.schema import json_schema
from exporter.thresholds import THRESHOLDS

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_the_published_schema_is_the_one_that_is_checked() -> None:
    published = json.loads((ROOT / "docs" / "state-document.schema.json").read_text())
    assert published == json_schema(), "run: python -m exporter schema > docs/state-document.schema.json"


def test_the_reference_of_metrics_is_current() -> None:
    published = (ROOT / "docs" / "metrics.md").read_text()
    assert published == reference(), "run: python -m exporter metrics > docs/metrics.md"


def test_of_freqtrade_each_metric_is_said_where_it_comes_from() -> None:
    text = (ROOT / "docs" / "freqtrade.md").read_text()
    cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("|")]
    named = re.findall(r"`(trading_bot_\w+\*?)`", " ".join(cells))
    assert len(set(named)) == len(named)
    for group in ("bot", "trading", "model", "market", "system"):
        for family in GROUPS[group].FAMILIES:
            assert f"`{family.name}`" in text or f"trading_bot_{group}_*" in named, family.name
    assert all(name.endswith("*") or name in {f.name for g in GROUPS.values() for f in g.FAMILIES} for name in named)


@pytest.mark.parametrize(
    ("heading", "model"),
    [
        ("bot", state.Bot),
        ("trading", state.Trading),
        ("model", state.Model),
        ("market", state.Market),
        ("system", state.System),
        ("trades", schema.ClosedTrade),
        ("positions", state.Position),
        ("equity", schema.EquityPoint),
    ],
)
def test_every_key_of_the_state_document_is_documented(heading: str, model: type) -> None:
    text = (ROOT / "docs" / "state-document.md").read_text()
    section = text.partition(f"\n### {heading}\n")[2].partition("\n### ")[0]
    rows = [[cell.strip() for cell in line.split("|")] for line in section.splitlines() if line.startswith("| `")]
    keys = [key for row in rows for key in re.findall(r"`(\w+)`", row[1])]
    known = {field.name for field in fields(model)} if is_dataclass(model) else set(model.model_fields)
    more = {"trading": {"total_pnl"}, "system": {"response_times", "response_times_at"}}.get(heading, set())
    assert sorted(keys) == sorted(known | more)
    families = {family.name for group in GROUPS.values() for family in group.FAMILIES}
    named = {name for row in rows for cell in row[3:] for name in re.findall(r"`(trading_bot_\w+)`", cell)}
    assert named <= families


def test_the_values_of_texts_are_documented() -> None:
    text = (ROOT / "docs" / "state-document.md").read_text()
    for values in (state.STATUSES, state.TRENDS, state.REGIMES, get_args(state.Mode)):
        assert ", ".join(f"`{value}`" for value in values) in text


def test_every_threshold_is_documented_with_its_default_and_range() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text()
    rows = re.findall(r"^\| (critical|warning|info) \| `(\w+)` \| ([\d., ]+) \| ([^|]+) \|", text, re.MULTILINE)
    documented = {(severity, name): (_number(default), span) for severity, name, default, span in rows}
    assert documented.keys() == {(severity, name) for severity, table in THRESHOLDS.items() for name in table}
    for (severity, name), (default, span) in documented.items():
        threshold = THRESHOLDS[severity][name]
        assert default == threshold.default, name
        low, _, high = span.strip().partition("–")
        assert _number(low.removesuffix(" and more")) == threshold.low, name
        assert not high or _number(high) == threshold.high, name


def _number(text: str) -> float:
    return float(text.replace(" ", ""))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:`|^\s*\$?\s*)make ([a-z-]+)", page.read_text(), re.MULTILINE))
    assert named <= targets
