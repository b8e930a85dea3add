"""The committed dashboards: generated, complete, and asking only for what there is."""

from __future__ import annotations

import collections
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from tests.grafana.dashboards import FILES, ROOT, VALUES, expressions, ids, load, panels, substituted

# What Grafana 9.4 and 12 both have.
TYPES = {"stat", "timeseries", "gauge", "bargauge", "piechart", "barchart", "state-timeline", "table", "text"}
COLOURS = {"#e74c3c", "#f39c12", "#3498db", "#2ecc71", "#9b59b6", "#e67e22", "#8e9aa6"}


@pytest.fixture(params=FILES, ids=lambda file: file.stem)
def dashboard(request: pytest.FixtureRequest) -> dict[str, Any]:
    return load(request.param)


def test_regenerating_changes_nothing() -> None:
    check = subprocess.run(
        [sys.executable, "-m", "grafana.generate", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert check.returncode == 0, check.stdout + check.stderr


def test_check_tells_a_changed_file(tmp_path: Path) -> None:
    changed = (
        "import pathlib, sys; from grafana import generate;"
        "generate.FOLDER = pathlib.Path(sys.argv.pop(1)); sys.exit(generate.main())"
    )
    command = [sys.executable, "-c", changed, str(tmp_path)]

    def run(*options: str) -> tuple[int, str]:
        done = subprocess.run([*command, *options], cwd=ROOT, capture_output=True, text=True, check=False)
        assert not done.stderr, done.stderr
        return done.returncode, done.stdout

    assert run("--check") == (1, "trading-bot.json: not as generated; run python -m grafana.generate\n")
    assert run() == (0, "trading-bot.json: written\n")
    assert run("--check") == (0, "")
    (tmp_path / "by-hand.json").write_text("{}")
    status, told = run("--check")
    assert status == 1
    assert told.startswith("by-hand.json: nothing generates it")


def test_ids_are_unique(dashboard: dict[str, Any]) -> None:
    doubled = [id_ for id_, count in collections.Counter(ids(dashboard)).items() if count > 1]
    assert not doubled


def test_each_panel_says_what_it_shows(dashboard: dict[str, Any]) -> None:
    for panel in panels(dashboard):
        title = panel["title"]
        assert title
        assert panel["type"] in TYPES, title
        assert panel["description"].endswith("."), title
        # What it shows, and what to do or think when it looks wrong: more than one sentence.
        assert len(re.findall(r"[.:;] ", panel["description"])) >= 1, title
        defaults = panel["fieldConfig"]["defaults"]
        assert defaults["unit"], title
        assert "decimals" in defaults, title
        assert panel["datasource"] == {"type": "prometheus", "uid": "$datasource"}, title
        references = [target["refId"] for target in panel["targets"]]
        assert all(references), title
        assert len(references) == len(set(references)), title


def test_axes_have_decimals(dashboard: dict[str, Any]) -> None:
    """Grafana 9.4 writes the empty state's text beside each fractional tick of an axis with no decimals."""
    for panel in panels(dashboard):
        if panel["type"] in ("timeseries", "barchart"):
            assert panel["fieldConfig"]["defaults"]["decimals"] > 0, panel["title"]


def test_panels_do_not_overlap(dashboard: dict[str, Any]) -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24, panel["title"]
        for place in ((x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])):
            assert place not in taken, f"{panel['title']} and {taken[place]}"
            taken[place] = panel["title"]


def test_colours_are_those_of_the_house(dashboard: dict[str, Any]) -> None:
    text = str(dashboard)
    assert set(re.findall(r"#[0-9a-fA-F]{6}\b", text)) <= COLOURS
    # None is left to Grafana: its names for colours have other values.
    assert not re.search(r"'(?:color|fixedColor)': '(?!#)", text)


def test_settings(dashboard: dict[str, Any]) -> None:
    assert dashboard["editable"] is False
    assert dashboard["time"] == {"from": "now-24h", "to": "now"}
    assert dashboard["refresh"] == "30s"
    assert dashboard["tags"] == ["trading-bot"]
    variables = dashboard["templating"]["list"]
    assert [variable["name"] for variable in variables][:4] == ["datasource", "exchange", "bot", "pair"]
    assert all(variable["multi"] and variable["includeAll"] for variable in variables[1:])
    (link,) = dashboard["links"]
    assert link["type"] == "dashboards"
    assert (link["tags"], link["asDropdown"], link["keepTime"], link["includeVars"]) == (
        ["trading-bot"],
        True,
        True,
        True,
    )
    assert "${DS_" not in str(dashboard)


def test_it_is_not_named_as_its_folder(dashboard: dict[str, Any]) -> None:
    """Grafana refuses such a dashboard."""
    providers = yaml.safe_load((ROOT / "grafana/provisioning/dashboards/trading-bots.yml").read_text("utf-8"))
    assert dashboard["title"] != providers["providers"][0]["folder"]


def test_expressions_are_valid(dashboard: dict[str, Any]) -> None:
    for where, expression in expressions(dashboard):
        try:
            promql_parser.parse(substituted(expression))
        except ValueError as error:
            pytest.fail(f"{where}: {error}\n{expression}")


def test_only_chosen_bots_are_asked_for(dashboard: dict[str, Any]) -> None:
    """Each selector of a bot's series has a matcher of the variable; the machine's are no bot's."""
    for where, expression in expressions(dashboard):
        if where.startswith("variable "):
            continue
        for selector in re.findall(r"\b(?:trading_bot_(?!host_)\w+|ALERTS\w*)(\{[^}]*\})?", expression):
            assert 'bot=~"$bot' in selector or "on (bot)" in expression, f"{where}: {expression}"


def test_variables_are_known(dashboard: dict[str, Any]) -> None:
    named = {variable["name"] for variable in dashboard["templating"]["list"]}
    used = {name for _, expression in expressions(dashboard) for name in re.findall(r"\$([a-z_]\w*)", expression)}
    assert used <= named | {name for name in VALUES if name.startswith("__")}


def test_instant_numbers_have_no_stale_curve(dashboard: dict[str, Any]) -> None:
    """A number of now is asked for as one: the last point of a curve is that of a bot's death."""
    for panel in panels(dashboard):
        if panel["type"] in ("stat", "gauge", "piechart", "barchart", "table"):
            assert panel["targets"][-1]["instant"], panel["title"]
            if panel["type"] != "table":
                assert sum(not target["instant"] for target in panel["targets"]) <= 1, panel["title"]
