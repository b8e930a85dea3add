"""The replay tool: what a scenario may say, the samples that come of it, and a short one through the real rules."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.replay import __main__ as program
from tests.replay.__main__ import Replay, lines, main
from tests.replay.expect import deviations
from tests.replay.load import FOLDER, RULES, load, names
from tests.replay.run import Firing
from tests.replay.scenario import Event, Expected, Scenario
from tests.replay.series import collect
from tests.replay.spans import seconds, shown
from tests.replay.told import to_nobody, told

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs" / "replay.md").read_text(encoding="utf-8")
DEMO = [{"name": "my-bot", "type": "demo"}]
CRASH: dict[str, Any] = {
    "description": "A bot dies.",
    "lasts": "8m",
    "monitoring": {
        "preset": "experienced",
        "bots": [{"name": "my-bot", "type": "demo"}],
        "thresholds": {"critical": {"bot_down_time": "1m"}},
    },
    "story": [{"from": "2m", "until": "5m", "unreachable": "connection"}],
    "fires": [{"alert": "BotDown", "severity": "critical", "between": ["2m50s", "3m10s"], "ends": ["5m", "5m20s"]}],
}

READ = (
    "trading_bot_up",
    "trading_bot_start_timestamp_seconds",
    "trading_bot_last_activity_timestamp_seconds",
    "trading_bot_report_due_timestamp_seconds",
)


def written(folder: Path, **changed: object) -> Path:
    file = folder / "scenario.yml"
    file.write_text(yaml.safe_dump(changed | {k: v for k, v in CRASH.items() if k not in changed}, sort_keys=False))
    return file


def firing(alert: str, begins: float, ends: float | None = None, **labels: str) -> Firing:
    return Firing(frozenset({"alertname": alert, "severity": "critical", **labels}.items()), begins, ends)


@pytest.mark.parametrize("name", names())
def test_scenario_is_valid(name: str) -> None:
    assert load(FOLDER / f"{name}.yml").description.endswith(".")


def _rules(file: Path) -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"] for rule in group["rules"]]


def test_no_rule_reads_the_calendar() -> None:
    """Series are moved to where promtool's clock begins, so it would see other hours than a person does."""
    calendar = re.compile(r"\b(hour|minute|month|year|day_of_\w+|days_in_month)\s*\(")
    for file in RULES.glob("*.yml"):
        for rule in _rules(file):
            assert not calendar.search(rule["expr"]), rule


def test_the_example_of_the_documentation_comes_true(capsys: pytest.CaptureFixture[str]) -> None:
    """Its file is the one that is printed there, and so is what comes of it; an hour takes some five seconds."""
    (example,) = re.findall(r"```yaml\n(.*?)```", DOCS, re.DOTALL)
    (output,) = re.findall(r"```\n\$ make replay SCENARIO=slow-exchange\n(.*?)```", DOCS, re.DOTALL)
    assert (FOLDER / "slow-exchange.yml").read_text(encoding="utf-8") == example
    code = main(["slow-exchange"])
    assert (code, capsys.readouterr().out) == (0, output)


@pytest.mark.parametrize(
    ("heading", "model"), [("A scenario", Scenario), ("Events", Event), ("Expectations", Expected)]
)
def test_every_key_is_documented(heading: str, model: type[Scenario | Event | Expected]) -> None:
    section = re.split(r"\n##+ ", DOCS.partition(f"# {heading}\n")[2])[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    keys = {field.alias or name for name, field in model.model_fields.items()} - {"name"}
    assert set(re.findall(r"`(\w+)`", " ".join(rows))) == keys


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"lasts": "2x"}, "scenario.yml:1: lasts: must be a time such as 30m, 1h30m or 2d6h"),
        ({"lasts": "65s"}, "step must be 10s, 15s, 20s, 30s or 60s, and lasts a multiple of it"),
        ({"begins": "2025-01-01 10:00"}, "begins: must be a day and an hour of 2026 (UTC) such as 2026-01-05 06:00"),
        ({"stroy": []}, "stroy: unknown key; see docs/replay.md for those that are known"),
        ({"story": [{"from": "1m", "unreachable": "gone"}]}, "story.0.unreachable: must be one of auth, connection"),
        ({"story": [{"set": {"bot.staus": "paused"}}]}, "bot.staus is no value of a bot"),
        ({"story": [{"set": {"system.error_rate": 3}}]}, "system.error_rate is 3.0: must be less than or equal to 1"),
        ({"story": [{"set": {"system.error_rate": {"from": 0, "to": 1}}}]}, "the event needs until, and no every"),
        ({"story": [{"set": {"bot.started_at": 3}}]}, "must be a time such as 30m"),
        ({"story": [{"hold": ["host.cpu_usage"]}]}, "host.cpu_usage is the machine's, which stands still anyway"),
        ({"story": [{"every": "5m"}]}, "story.0: every and for need each other"),
        ({"story": [{"bot": "other"}]}, "story.0.bot is other: there are my-bot"),
        ({"story": [{"from": "9m"}]}, "story.0 is not over when the scenario is, which lasts 8m"),
        ({"fires": [{"alert": "BotDown", "after": "1m"}]}, "fires.0.severity: is missing"),
        ({"fires": [{"alert": "A", "severity": "info"}]}, "fires.0: needs between, such as [5m, 6m], or after"),
        ({"monitoring": {"preset": "x"}}, "monitoring.preset is x: must be 'beginner', 'experienced' or 'production'"),
        (
            {"fires": [{"alert": "BotDwon", "severity": "critical", "after": "1m"}]},
            "scenario.yml:2: fires.0.alert is BotDwon: must be one of BotDown, BotInMaintenance, BotStopped",
        ),
        (
            {"fires": [{"alert": "BotStopped", "severity": "critical", "after": "1m"}]},
            "scenario.yml:3: fires.0.severity is critical: must be info or warning",
        ),
        (
            {"fires": [{"alert": "BotDown", "severity": "high", "after": "1m"}]},
            "fires.0.severity is high: must be critical, warning or info",
        ),
        (
            {"fires": [{"alert": "BotDown", "severity": "critical", "bot": "mybot", "after": "1m"}]},
            "scenario.yml:4: fires.0.bot is mybot: there are my-bot",
        ),
        (
            {"step": "30s", "monitoring": {"preset": "production", "bots": DEMO}},
            "scenario.yml:1: step is 30s: must be 60s where monitoring has an SLA (preset production, or sla): ",
        ),
        ({"monitoring": {"sla": {"availability": 0.99}, "bots": DEMO}}, "step is 10s: must be 60s where"),
        ({"monitoring": {"sla": "on", "bots": DEMO}}, "step is 10s: must be 60s where"),
        (
            {"monitoring": {"bots": [{"name": "x", "type": "freqtrade"}]}},
            "scenario.yml:4: monitoring.bots[0].type is freqtrade: must be demo; only demo bots can be replayed",
        ),
        (
            {"monitoring": {"bots": DEMO, "thresholds": {"warning": {"win_rate": 7}}}},
            "scenario.yml:7: monitoring.thresholds.warning.win_rate is 7: must be ",
        ),
        ({"monitoring": {}}, "scenario.yml:1: monitoring.bots: is missing"),
    ],
)
def test_faults_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changed: dict[str, Any], sentence: str
) -> None:
    assert main([str(written(tmp_path, **changed))]) == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    "changed",
    [
        {"lasts": "10m", "step": "60s", "monitoring": {"preset": "production", "bots": DEMO}},
        {"monitoring": {"preset": "production", "sla": "off", "bots": DEMO}},
        {"fires": [{"alert": "Watchdog", "severity": "none", "after": "0s"}]},
    ],
)
def test_what_is_allowed(tmp_path: Path, changed: dict[str, Any]) -> None:
    load(written(tmp_path, **changed))


def test_an_unknown_scenario_is_told_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["crahs"]) == 2
    assert "crahs.yml: No such file or directory; there are: bad-day" in capsys.readouterr().err


def test_spans() -> None:
    assert [seconds(text) for text in ("90s", "1h30m", "2d6h", "1w")] == [90, 5400, 194_400, 604_800]
    assert [shown(span) for span in (0, 90, 5400, 90_061)] == ["0s", "1m30s", "1h30m", "1d1h1m1s"]


def test_samples_are_what_prometheus_would_have(tmp_path: Path) -> None:
    story = [
        {"from": "1m", "until": "2m", "unreachable": "timeout"},
        {"from": "3m", "until": "4m", "exporter": "dead"},
        {"from": "5m", "set": {"bot.started_at": "5m"}},
        {"from": "2m", "until": "3m", "hold": ["bot.last_activity"]},
    ]
    (tmp_path / "rules.yml").write_text(" ".join(READ))
    series = dict(collect(load(written(tmp_path, lasts="6m", story=story)), rules=tmp_path).notated())
    bot, config = 'instance="my-bot",job="bot"', 'instance="exporter:8000",job="config"'
    # A bot that can't be read is told as not up, and its other series end; a dead exporter tells nothing.
    assert series[f'trading_bot_up{{{bot},bot="my-bot"}}'] == "1x5 0x5 1x5 stale _x5 1x12"
    assert series[f"up{{{bot}}}"] == "1x17 0x5 1x12"
    # Times are counted from the scenario's start.
    start = series[f'trading_bot_start_timestamp_seconds{{{bot},bot="my-bot"}}']
    assert start == "-2592000x5 stale _x5 -2592000x5 stale _x5 -2592000x5 300x6"
    activity = series[f'trading_bot_last_activity_timestamp_seconds{{{bot},bot="my-bot"}}']
    assert activity.startswith("0 10 20 30 40 50 stale _x5 120x5 stale _x5 240 250")
    # Due at 08:00 the day before. What is collected every 15 s is so every 20 s, at a step of 10 s.
    due = series[f'trading_bot_report_due_timestamp_seconds{{{config},report="daily"}}']
    assert due.startswith("-57600 _x1 -57600 _x1 -57600")
    assert {name.partition("{")[0] for name in series} == {*READ, "up"}


def test_what_alertmanager_holds_back() -> None:
    down = firing("BotDown", 100, 500, condition="bot_down", bot="a")
    lesser = firing("SourceFailing", 200, 700, condition="source_failing", bot="a", severity="warning")
    other = firing("SourceFailing", 200, 700, condition="source_failing", bot="b", severity="warning")
    short = firing("StaleData", 200, 400, condition="stale_data", bot="a", severity="warning")
    worst = firing("HighDrawdown", 200, 400, condition="high_drawdown", bot="a")
    every = [down, lesser, other, short, worst]
    assert [told(each, every) for each in every] == [100, 500, 200, None, 200]
    for_good = firing("BotDown", 100, None, condition="bot_down", bot="a")
    assert told(lesser, [for_good, lesser]) is None


def test_differences_are_told() -> None:
    expected = [
        {"alert": "A", "severity": "critical", "bot": "x", "between": ["1m", "2m"], "ends": ["5m", "6m"]},
        {"alert": "B", "severity": "critical", "after": "1m", "ends": "never", "times": 2},
        {"alert": "C", "severity": "critical", "labels": {"escalation": "no_response"}, "after": "1m"},
        {"alert": "D", "severity": "critical", "after": "1m", "optional": True},
        {"alert": "E", "severity": "critical", "after": "1m", "told": False},
    ]
    scenario = Scenario.model_validate(CRASH | {"name": "x", "fires": expected})
    firings = [
        firing("A", 150, 400, bot="x"),
        firing("A", 90, 330, bot="x"),
        firing("A", 90, 330, bot="y"),
        firing("B", 90, 100),
        firing("E", 90, 100),
        firing("Watchdog", 0, severity="none"),
        firing("DailySummary", 0, severity="critical"),
    ]
    assert deviations(scenario, firings) == [
        "A (critical, x) fires at 2m30s; expected between 1m and 2m.",
        "A (critical, x) ends at 6m40s; expected between 5m and 6m.",
        "A (critical, y) fires at 1m30s, which the scenario doesn't expect.",
        "B (critical) ends at 1m40s; expected to go on.",
        "E (critical) of 1m30s is told; expected that it is held back.",
        "DailySummary (critical) fires at 0s, which the scenario doesn't expect.",
        "B (critical) fires once (at 1m30s); expected 2 times.",
        "C (critical, escalation=no_response) doesn't fire; expected after 1m.",
    ]


def test_a_crash_through_the_real_rules(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(written(tmp_path))]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^2m50s +5m +BotDown +critical +my-bot +at once$", out, re.MULTILINE)
    assert "    my-bot is unreachable: nothing answers at its address." in out
    assert out.endswith("as expected\n")


def test_a_difference_is_the_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fires = [{"alert": "HighDrawdown", "severity": "critical", "after": "0s"}]
    assert main([str(written(tmp_path, fires=fires))]) == 1
    out = capsys.readouterr().out
    assert "DIFFERS: BotDown (critical, my-bot) fires at 2m50s, which the scenario doesn't expect." in out
    assert "DIFFERS: HighDrawdown (critical) doesn't fire; expected after 0s." in out


def test_a_broken_scenario_does_not_cut_the_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path, lasts="2x").rename(tmp_path / "broken.yml")
    written(tmp_path).rename(tmp_path / "crash.yml")
    for module in (program, sys.modules[load.__module__]):
        monkeypatch.setattr(module, "FOLDER", tmp_path)
    assert main([]) == 2
    out = capsys.readouterr().out
    assert re.search(
        r"^  broken +FAULTY\n      broken.yml:1: lasts: must be a time .*\n  crash +8m +A bot dies", out, re.MULTILINE
    )
    assert main(["--all"]) == 1
    out = capsys.readouterr().out
    assert "broken.yml:1: lasts: must be a time" in out
    assert re.search(r"^crash +as expected: BotDown ", out, re.MULTILINE)
    assert out.endswith("2 scenarios, 1 with differences or faults\n")


def test_an_alert_for_machines_is_told_to_nobody() -> None:
    nobody = [firing("BotInMaintenance", 0, severity="none"), firing("Watchdog", 0, severity="none")]
    assert [to_nobody(each) for each in (*nobody, firing("BotDown", 0))] == ["to nobody", "heartbeat", ""]


def test_a_text_is_printed_again_where_it_differs() -> None:
    scenario = Scenario.model_validate(CRASH | {"name": "x", "fires": []})
    firings = [firing("A", 0, 10), firing("A", 20, 30), firing("A", 40, 50)]
    for each, text in zip(firings, ("one", "one", "two"), strict=True):
        each.description = text
    printed = [line.strip() for line in lines(Replay(scenario, firings, ["It differs."], 0))]
    assert [line for line in printed if line in ("one", "two")] == ["one", "two"]
    assert printed[-1] == "1 difference"


def test_the_list_names_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    out = capsys.readouterr().out
    assert all(f"  {name} " in out for name in names())
