"""Presets, sections and reports: what a monitoring.yml comes to, as rules see it in the series."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from exporter.bots import Bots
from exporter.config.load import ConfigError, load
from exporter.config.sections import SECTIONS, series
from exporter.config.settings import PRESETS
from exporter.config.thresholds import THRESHOLDS
from exporter.scrape import scrape
from tests.exporter.helpers import Samples, set_clock, soon

MakeBots = Callable[[str], Bots]

DEMO = "bots: [{name: x, type: demo}]\n"
SLA = {
    "availability": 0.999,
    "response_time_p95_seconds": 2,
    "response_time_p99_seconds": 5,
    "response_time_median_seconds": 1,
    "error_rate": 0.001,
    "data_freshness_seconds": 300,
    "model_accuracy": 0.8,
}
ESCALATION = {"no_response_seconds": 1800, "system_down_seconds": 600, "repeated_count": 3}
BENCHMARKS = {
    "benchmark_win_rate": 0.5,
    "benchmark_max_drawdown": 0.1,
    "benchmark_sharpe_ratio": 1,
    "benchmark_trades_per_day": 5,
    "benchmark_response_time_seconds": 1,
    "benchmark_error_rate": 0.01,
    "benchmark_uptime": 0.99,
    "benchmark_memory_usage": 0.8,
    "benchmark_model_accuracy": 0.8,
    "benchmark_model_drift": 0.1,
    "benchmark_prediction_confidence": 0.7,
    "benchmark_prediction_time_seconds": 0.1,
}
SUGGESTIONS = {
    "suggestion_win_rate": 0.5,
    "suggestion_drawdown": 0.1,
    "suggestion_error_rate": 0.02,
    "suggestion_trades_per_hour": 1,
}
RULES = ("bot_running", "api_connectivity", "model_loaded", "data_freshness", "memory", "cpu", "disk", "network")
HEALTH = {f"health_{rule}": 1 for rule in RULES}
BEGINNER = BENCHMARKS | SUGGESTIONS | HEALTH


def of(bots: Bots) -> Samples:
    return Samples(scrape(bots, list(bots.readers), ["config"], soon()))


def targets(bots: Bots) -> dict[str, float]:
    return {target: value for (target,), value in of(bots).of("trading_bot_target").items()}


def thresholds(bots: Bots, bot: str = "x") -> dict[tuple[str, ...], float]:
    found = of(bots).of("trading_bot_threshold")
    return {(severity, name): value for (name_of, severity, name), value in _three(found) if name_of == bot}


def _three(found: dict[tuple[str, ...], float]) -> list[tuple[tuple[str, ...], float]]:
    """The machine's have no label `bot`."""
    return [(labels if len(labels) == 3 else ("", *labels), value) for labels, value in found.items()]


FIRST = {("critical", "bot_down_time"): 300, ("critical", "max_drawdown"): 0.1, ("critical", "error_rate"): 0.05}
ALL = {(severity, name): each.default for severity, table in THRESHOLDS.items() for name, each in table.items()}


@pytest.mark.parametrize(
    ("preset", "expected", "others"),
    [
        ("", FIRST, BEGINNER),
        ("preset: beginner", FIRST, BEGINNER),
        ("preset: experienced", ALL, BEGINNER | ESCALATION | {"health_alert": 1}),
        ("preset: production", ALL, BEGINNER | ESCALATION | {"health_alert": 1} | SLA),
    ],
)
def test_exactly_what_a_preset_switches_on(
    make_bots: MakeBots, preset: str, expected: dict[tuple[str, ...], float], others: dict[str, float]
) -> None:
    bots = make_bots(DEMO + preset)
    assert thresholds(bots) == expected
    assert targets(bots) == others


def test_a_user_s_own_value_overrides_the_preset(make_bots: MakeBots) -> None:
    bots = make_bots("""
preset: beginner
bots:
  - {name: x, type: demo}
  - {name: y, type: demo, thresholds: {critical: {max_drawdown: 0.05, cpu_usage: off}, info: {sharpe_ratio: on}}}
thresholds:
  critical: {bot_down_time: 10m, cpu_usage: on, error_rate: off}
  warning: {win_rate: 0.5}
sla: {availability: 0.99, data_freshness: 10m, throughput: 5}
escalation: {no_response: on}
benchmarks: {win_rate: 0.6, trades_per_day: off}
suggestions: off
health: {network: off, alert: on}
""")
    shared = {("critical", "bot_down_time"): 600, ("warning", "win_rate"): 0.5}
    assert thresholds(bots) == shared | {("critical", "cpu_usage"): 0.95, ("critical", "max_drawdown"): 0.1}
    assert thresholds(bots, "y") == shared | {("critical", "max_drawdown"): 0.05, ("info", "sharpe_ratio"): 2}
    got = targets(bots)
    assert {target: got[target] for target in got if target in SLA | ESCALATION} == {
        "availability": 0.99,
        "data_freshness_seconds": 600,
        "no_response_seconds": 1800,
    }
    assert got["throughput_requests_per_second"] == 5
    assert (got["benchmark_win_rate"], got["health_alert"]) == (0.6, 1)
    assert not {"benchmark_trades_per_day", "health_network", "suggestion_win_rate"} & set(got)


def test_whole_sections(make_bots: MakeBots) -> None:
    """What no preset switches on, a word for all doesn't either."""
    assert targets(make_bots(DEMO + "sla: on\nbenchmarks: 'off'\nhealth: off\nsuggestions:\n")) == SUGGESTIONS | SLA
    production = "preset: production\nsla: off\nescalation: off\nsuggestions: off\nhealth: {}\n"
    assert targets(make_bots(DEMO + production)) == BENCHMARKS | HEALTH | {"health_alert": 1}


def test_the_machine_s_thresholds_are_the_file_s_and_have_no_bot(make_bots: MakeBots) -> None:
    own = "bots: [{name: x, type: demo, thresholds: {critical: {cpu_usage: 0.9, disk_usage: off}}}]\n"
    given = "thresholds: {critical: {cpu_usage: 0.85, memory_usage: off}, warning: {disk_usage: 0.7}}\n"
    assert thresholds(make_bots(own + given + "preset: production\n"), "") == {
        ("critical", "cpu_usage"): 0.85,
        ("critical", "disk_usage"): 0.95,
        ("warning", "cpu_usage"): 0.8,
        ("warning", "disk_usage"): 0.7,
        ("warning", "memory_usage"): 0.8,
    }
    assert thresholds(make_bots(own), "") == {}


@pytest.mark.parametrize(
    ("section", "key"), [(section, key) for section in SECTIONS for key in SECTIONS[section] if section != "groups"]
)
def test_each_key(make_bots: MakeBots, section: str, key: str) -> None:
    setting, target = SECTIONS[section][key], series(section, key)
    assert setting.low <= setting.default <= setting.high
    for value in ("on", *(() if section == "health" else (setting.low, setting.high))):
        bots = make_bots(f"{DEMO}{section}: {{{key}: {value}}}")
        assert targets(bots)[target] == (setting.default if value == "on" else value)
    assert target not in targets(make_bots(f"{DEMO}preset: production\n{section}: {{{key}: off}}"))


def test_no_target_is_served_twice() -> None:
    names = [series(section, key) for section in SECTIONS for key in SECTIONS[section]]
    assert len(set(names)) == len(names)


AT = datetime.fromisoformat("2026-11-24T12:00+01:00").timestamp()


def timestamp(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize(
    ("reports", "daily", "weekly"),
    [
        ("", "2026-11-24T08:00+01:00", "2026-11-23T08:00+01:00"),
        ("reports:", "2026-11-24T08:00+01:00", "2026-11-23T08:00+01:00"),
        ("reports: on", "2026-11-24T08:00+01:00", "2026-11-23T08:00+01:00"),
        ("reports: {daily: 18:30, weekly: sunday 18:30}", "2026-11-23T18:30+01:00", "2026-11-22T18:30+01:00"),
        ("reports: {daily: '07:15', weekly: off}", "2026-11-24T07:15+01:00", None),
        ("reports: {daily: off, weekly: on}", None, "2026-11-23T08:00+01:00"),
        ("reports: off", None, None),
    ],
)
def test_reports(
    make_bots: MakeBots, monkeypatch: pytest.MonkeyPatch, reports: str, daily: str | None, weekly: str | None
) -> None:
    set_clock(monkeypatch, "exporter.scrape", lambda: AT)
    got = of(make_bots(f"timezone: Europe/Berlin\n{DEMO}{reports}\n")).of("trading_bot_report_due_timestamp_seconds")
    expected = {"daily": daily, "weekly": weekly}
    assert got == {(name,): timestamp(due) for name, due in expected.items() if due is not None}


def faults(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "monitoring.yml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(file)
    return [fault.removeprefix(f"{file}:") for fault in caught.value.faults]


WRONG = (
    DEMO
    + """\
preset: Production
sla: {availability: 99.9, error_rate: "0.001", uptime: 1}
escalation:
  no_response: 10m
  system_down: 2 h
  repeated: 1
benchmarks: 5
suggestions:
  win_rate:
health: {memory: 1, disk: yes, cpu: maybe}
groups: {bot: off, trading: 0}
reports:
  daily: 8am
  weekly: monday
  monthly: "08:00"
"""
)
DURATION = "(seconds, or such as {}), on or off"
QUOTES = "; without the quotes, which make a text of the number"


def test_every_fault_at_once(tmp_path: Path) -> None:
    keys = {section: ", ".join(table) for section, table in SECTIONS.items()}
    assert sorted(faults(tmp_path, WRONG)) == sorted(
        [
            "2: preset is Production: must be 'beginner', 'experienced' or 'production'",
            "3: sla.availability is 99.9: must be 0.9 to 0.99999 (ratio), on or off",
            f"3: sla.error_rate is '0.001': must be 0.0001 to 0.1 (ratio), on or off{QUOTES}",
            f"3: sla.uptime is 1: unknown key; allowed: {keys['sla']}",
            f"5: escalation.no_response is 10m: must be 900 to 7200 {DURATION.format('15m')}",
            f"6: escalation.system_down is 2 h: must be 300 to 1800 {DURATION.format('5m')}",
            "7: escalation.repeated is 1: must be a whole number from 2 to 10 (times in 1 h), on or off",
            "8: benchmarks is 5: must be a mapping of keys to values, on or off",
            "10: suggestions.win_rate is null: must be 0.3 to 0.8 (ratio), on or off",
            "11: health.memory is 1: must be on or off",
            "11: health.cpu is maybe: must be on or off",
            "12: groups.bot is false: unknown key; allowed: trading, model, market, system, host",
            "12: groups.trading is 0: must be on or off",
            "14: reports.daily is 8am: must be an hour from 00:00 to 23:59, on or off",
            "15: reports.weekly is monday: must be a day and an hour such as monday 08:00, on or off",
            "16: reports.monthly is 08:00: unknown key; see docs/configuration.md for those that are known",
        ]
    )


@pytest.mark.parametrize("preset", [*PRESETS, "nonsense"])
def test_thresholds_are_held_against_those_of_the_preset(tmp_path: Path, preset: str) -> None:
    """A warning that comes after its critical is a fault only where there is that critical."""
    late = any(
        "must be below the critical one, which is 2" in fault
        for fault in faults(
            tmp_path, f"{DEMO}preset: {preset}\nthresholds: {{warning: {{network_latency: 4}}}}\nx: 1\n"
        )
    )
    assert late == (preset in ("experienced", "production"))


def test_a_duration_is_the_same_everywhere(make_bots: MakeBots) -> None:
    bots = make_bots(
        "bots: [{name: x, type: file, path: a.json, stale_after: 2m, thresholds: {critical: {bot_down_time: 2m}}}]"
    )
    assert getattr(bots.config.bots[0], "stale_after", None) == 120
    assert thresholds(bots)[("critical", "bot_down_time")] == 120
