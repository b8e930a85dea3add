"""The documentation says what is so: schema, thresholds, links, targets."""

import json
import re
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import get_args

import pytest

from exporter import schema, state
from exporter.config.entries import AnyBot, Monitoring
from exporter.config.load import load
from exporter.config.maintenance import Window
from exporter.config.sections import SECTIONS, series
from exporter.config.settings import PRESETS, Range, Switch
from exporter.config.thresholds import THRESHOLDS
from exporter.metrics import GROUPS
from exporter.reference import reference
from exporter.schema import json_schema

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


def _rows(heading: str) -> list[list[str]]:
    """The cells of the table under a heading of docs/configuration.md, without its head."""
    text = (ROOT / "docs" / "configuration.md").read_text()
    section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = [[cell.strip(" `") for cell in line.split("|")[1:-1]] for line in section.splitlines() if line[:1] == "|"]
    return rows[2:]


def test_every_threshold_is_documented() -> None:
    rows = {(severity, name): rest for severity, name, *rest in _rows("Thresholds")}
    assert rows.keys() == {(severity, name) for severity, table in THRESHOLDS.items() for name in table}
    for (severity, name), row in rows.items():
        _holds(THRESHOLDS[severity][name], *row)


def test_every_target_is_documented() -> None:
    rows = {(section, key): rest for section, key, *rest in _rows("Targets")}
    assert rows.keys() == {
        (section, key) for section, table in SECTIONS.items() for key in table if section != "groups"
    }
    for (section, key), (*row, target) in rows.items():
        assert target == series(section, key)
        _holds(SECTIONS[section][key], *row)


def _holds(setting: Range, default: str, span: str, unit: str, preset: str) -> None:
    """What a row says of a setting is so."""
    assert (unit, preset) == (setting.unit, setting.since or "your own")
    if isinstance(setting, Switch):
        assert (default, span) == ("on", "on, off")
        return
    low, _, high = span.partition("–")
    assert (_number(default), _number(low.removesuffix(" and more"))) == (setting.default, setting.low)
    assert not high or _number(high) == setting.high


def test_every_key_of_monitoring_yml_is_documented() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text()
    for key in Monitoring.model_fields:
        assert re.search(rf"^\|[^|]*`{key}[`.]", text, re.MULTILINE), key
    for bot in get_args(get_args(AnyBot)[0]):
        for key in bot.model_fields:
            assert f"`bots[].{key}`" in text or f"`{key}`" in text, key
    windows = [key for key, *_ in _rows("Maintenance")]
    assert re.findall(r"\w+", " ".join(windows)) == [f.alias or name for name, f in Window.model_fields.items()]
    assert [name for name, _ in _rows("Presets")] == list(PRESETS)
    groups = (ROOT / "docs" / "configuration.md").read_text().partition("\n## Groups\n")[2].partition("\n## ")[0]
    assert all(f"`{group}`" in groups for group in SECTIONS["groups"])


def test_the_examples_of_monitoring_yml_are_valid(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "configuration.md").read_text()
    (example,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    (tmp_path / "monitoring.yml").write_text(example)
    config = load(tmp_path / "monitoring.yml")
    assert set(Monitoring.model_fields) - config.model_fields_set == {"host", "min_trades", "min_days"}


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
