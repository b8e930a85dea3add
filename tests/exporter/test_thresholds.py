"""Thresholds: the table itself, ranges, `off`, and warnings that come before their criticals."""

from __future__ import annotations

import pytest

from exporter.config.thresholds import THRESHOLDS, defaults, faults, merged, order_faults

ALL = [(s, n) for s, table in THRESHOLDS.items() for n in table]


def test_the_table_of_the_requirements() -> None:
    assert {severity: len(table) for severity, table in THRESHOLDS.items()} == {
        "critical": 12,
        "warning": 13,
        "info": 8,
    }
    critical = {name: threshold.default for name, threshold in THRESHOLDS["critical"].items()}
    assert (critical["bot_down_time"], critical["max_drawdown"], critical["daily_loss"]) == (300, 0.1, 1000)


@pytest.mark.parametrize(("severity", "name"), ALL)
def test_a_default_lies_in_its_range_and_the_range_s_ends_do(severity: str, name: str) -> None:
    threshold = THRESHOLDS[severity][name]
    assert threshold.low <= threshold.default <= threshold.high
    for right in (threshold.low, threshold.high, threshold.default, "off", False, "on", True):
        assert list(faults({severity: {name: right}})) == []
    for value in (threshold.low * 0.99, threshold.high * 1.01, -1, 0, float("nan"), float("inf"), "5", None, [1]):
        ((path, shown, allowed),) = faults({severity: {name: value}})
        assert path == (severity, name)
        assert shown is value
        assert f"must be {threshold.low:g} to {threshold.high:g}" in allowed
        assert "on or off" in allowed


def test_all_faults_at_once() -> None:
    given = {"critical": {"max_drawdown": 2, "max_drowdown": 0.1}, "fatal": {}, "info": [1]}
    assert [path for path, _, _ in faults(given)] == [
        ("critical", "max_drawdown"),
        ("critical", "max_drowdown"),
        ("fatal",),
        ("info",),
    ]


def test_the_defaults_are_in_order() -> None:
    assert list(order_faults(defaults("production"))) == []


@pytest.mark.parametrize(
    ("name", "warning", "critical", "word"),
    [("disk_usage", 0.9, 0.85, "below"), ("network_latency", 3, 2, "below"), ("model_accuracy", 0.4, 0.5, "above")],
)
def test_a_warning_that_comes_after_its_critical(name: str, warning: float, critical: float, word: str) -> None:
    together = merged(defaults("production"), {"warning": {name: warning}, "critical": {name: critical}})
    ((path, value, allowed),) = order_faults(together)
    assert (path, value) == (("warning", name), warning)
    assert allowed == f"must be {word} the critical one, which is {critical:g}"
    for severity in ("warning", "critical"):
        assert list(order_faults(merged(together, {severity: {name: "off"}}))) == []


def test_an_escalation_that_comes_before_its_alert() -> None:
    together = merged(defaults("production"), {"critical": {"max_drawdown": 0.2}})
    ((path, value, allowed),) = order_faults(together)
    assert (path, value) == (("critical", "drawdown_escalation"), 0.15)
    assert allowed == "must be at least max_drawdown, which is 0.2, or off: it escalates a drawdown that is worse"
    for fine in ({"max_drawdown": "off"}, {"drawdown_escalation": "off"}, {"drawdown_escalation": 0.2}):
        assert list(order_faults(merged(together, {"critical": fine}))) == []


def test_merging_replaces_what_is_given_only() -> None:
    got = merged(defaults("production"), {"critical": {"max_drawdown": "off"}})
    assert got["critical"].pop("max_drawdown") == "off"
    base = defaults("production")
    del base["critical"]["max_drawdown"]
    assert got == base
