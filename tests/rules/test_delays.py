"""How soon each alert is told at worst, held against what is promised; and docs/alerts.md against what is derived."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import yaml

from tests.rules.alerts_table import PAGE, Alert, alerts, duration, page
from tests.rules.delays import NO_WAY, UNTIMED, WINDOWS, Age, Delay, Route, delay, route, seconds
from tests.rules.promql import parse, parser, walk
from tests.rules.series import ROOT, Group, rules

TOLD = [alert for _, told in alerts() for alert in told]
# Beyond the reading's interval and what the alert itself waits: one evaluation of 10 s and 5 s of group_wait. So what
# is read every 10 s is told within 25 s, of which the requirement speaks; what is read less often can't be.
CRITICAL = 15
# Once a minute, 30 s of group_wait, and where a recorded series of a slow group is between, that one's.
LESSER = 60 + 30 + 60
# Criticals that may come later, by alert or label, with the reason.
LATER = {
    "ErrorBudgetBurn": (600, "what has burned over hours, reckoned once a minute and every four"),
    "escalation": (60, "steps of a ladder of many minutes, looked at once a minute"),
}
READ_EVERY_10_SECONDS = {"BotDown"}


def _name(alert: Alert) -> str:
    return f"{alert.rule['alert']}-{alert.severity}"


@pytest.mark.parametrize("alert", TOLD, ids=_name)
def test_it_is_told_in_time(alert: Alert) -> None:
    if alert.severity == "critical":
        more = [LATER[key][0] for key in (alert.rule["alert"], *alert.rule["labels"]) if key in LATER]
        limit = CRITICAL + max(more, default=0)
    elif alert.rule["alert"] in UNTIMED and alert.severity != "none":
        return
    else:
        limit = LESSER
    assert alert.delay.own <= alert.delay.path.scrape + limit, alert.delay


def test_a_bots_death_is_told_within_25_seconds_of_its_limit() -> None:
    found = {alert.rule["alert"]: alert.delay for alert in TOLD if alert.rule["alert"] in READ_EVERY_10_SECONDS}
    assert set(found) == READ_EVERY_10_SECONDS
    for told in found.values():
        assert told.ages == (Age(setting="bot_down_time"),)
        assert told.seconds == 25
        assert told.path.hang == 8


def test_each_exception_is_needed() -> None:
    asked = {
        (rule.get("record") or rule["alert"], node.func.name, parser.display_duration(arg.range))
        for rule in rules()
        for node in walk(parse(rule["expr"]))
        if isinstance(node, parser.Call)
        for arg in node.args
        if isinstance(arg, parser.MatrixSelector)
    }
    assert set(WINDOWS) <= asked
    for name, metric in NO_WAY:
        assert any(rule.get("record") == name and metric in rule["expr"] for rule in rules())


def test_each_alert_is_in_the_table() -> None:
    assert {alert.rule["alert"] for alert in TOLD} == {rule["alert"] for rule in rules() if "alert" in rule}
    for alert in TOLD:
        assert f"[{alert.rule['alert']}](runbooks/{alert.rule['alert']}.md)" in page()


def test_the_page_is_as_derived() -> None:
    check = subprocess.run(
        [sys.executable, "-m", "tests.rules.alerts_table", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert check.returncode == 0, check.stdout + check.stderr
    assert PAGE.read_text("utf-8") == page()


def _delay(alert: dict[str, Any], groups: dict[str, tuple[str, list[dict[str, Any]]]], wait: float = 5) -> Delay:
    """The delay of an alert in the last group, of groups by name with interval and rules."""
    made = [Group(name, interval, rules) for name, (interval, rules) in groups.items()]
    made[-1].rules.append({"alert": "MadeUp", **alert})
    return delay(made[-1].rules[-1], made[-1], made, Route("a", wait, 300))


@pytest.mark.parametrize(
    ("alert", "groups", "total"),
    [
        # A reading of 10 s, an evaluation of 10 s, and 5 s of group_wait.
        ({"expr": "trading_bot_up == 0"}, {"a": ("10s", [])}, 25),
        ({"expr": "trading_bot_up == 0", "for": "1m"}, {"a": ("10s", [])}, 85),
        # Fires with the first evaluation after its end.
        ({"expr": "trading_bot_up == 0", "for": "15s"}, {"a": ("10s", [])}, 45),
        ({"expr": "trading_bot_up == 0"}, {"a": ("1m", [])}, 75),
        ({"expr": "trading_bot_win_rate < 0.4"}, {"a": ("10s", [])}, 75),
        # The slower of two.
        ({"expr": "trading_bot_up == 0 or trading_bot_win_rate < 0.4"}, {"a": ("10s", [])}, 75),
        ({"expr": 'up{job="model"} == 0'}, {"a": ("10s", [])}, 135),
        # What lets through is no cause.
        ({"expr": "trading_bot_up == 0 unless on (bot) trading_bot_model_loaded == 1"}, {"a": ("10s", [])}, 25),
        ({"expr": "trading_bot_up < on (bot) bot:threshold"}, {"a": ("10s", [])}, 25),
        ({"expr": "bot:threshold and on (bot) trading_bot_up == 0"}, {"a": ("10s", [])}, 25),
        # A recorded series: of the same group at once, of another one after its interval, too.
        ({"expr": "x:y < 1"}, {"a": ("10s", [{"record": "x:y", "expr": "trading_bot_up or x:y"}])}, 25),
        ({"expr": "x:y < 1"}, {"b": ("1m", [{"record": "x:y", "expr": "trading_bot_up"}]), "a": ("10s", [])}, 85),
        # Windows: the newest value is there at once, a mean only after all of it.
        ({"expr": "last_over_time(trading_bot_up[5m]) == 0"}, {"a": ("10s", [])}, 25),
        ({"expr": "avg_over_time(trading_bot_up[5m]) == 0"}, {"a": ("10s", [])}, 325),
        ({"expr": "time() - trading_bot_start_timestamp_seconds >= 60"}, {"a": ("10s", [])}, 85),
        # An age before and, unless and or, too; an age behind them is no limit.
        (
            {"expr": "(time() - trading_bot_start_timestamp_seconds) >= 60 unless on (bot) trading_bot_up"},
            {"a": ("10s", [])},
            85,
        ),
        (
            {"expr": "(time() - trading_bot_start_timestamp_seconds > 60) and on (bot) bot:threshold"},
            {"a": ("10s", [])},
            85,
        ),
        ({"expr": "trading_bot_up == 0 unless on (bot) time() - x:y > 60"}, {"a": ("10s", [])}, 25),
    ],
)
def test_delay(alert: dict[str, Any], groups: dict[str, tuple[str, list[dict[str, Any]]]], total: float) -> None:
    assert _delay(alert, groups).seconds == total


def test_a_series_that_is_recorded_after_its_reader_comes_a_round_later() -> None:
    rules = [{"record": "x:y", "expr": "x:z"}, {"record": "x:z", "expr": "trading_bot_up"}]
    assert _delay({"expr": "x:y < 1"}, {"a": ("10s", rules)}).seconds == 35


def test_an_age_that_is_a_setting_is_named() -> None:
    told = _delay(
        {"expr": 'time() - x:y >= on () group_left () monitoring:target{target="no_response_seconds"}'},
        {"a": ("10s", [{"record": "x:y", "expr": "min by (bot) (ALERTS_FOR_STATE)"}])},
    )
    assert (told.ages, told.seconds) == ((Age(setting="no_response_seconds"),), 15)


TABLE = """
    x:since{condition=~"bot_down|stale_data"} * 0 + 600 or x:since{condition="volatile"} * 0 + 7200
    or x:since{severity="critical"} * 0 + 900 or x:since{severity="warning"} * 0 + 3600
"""


@pytest.mark.parametrize(
    ("severity", "ages"),
    [
        ("critical", (Age(600, 900), Age(setting="no_response_seconds", times=2))),
        ("warning", (Age(3600, 7200),)),
        # No single age is left of it: there is one number.
        ("info", ()),
    ],
)
def test_the_ages_of_each_severity_and_condition(severity: str, ages: tuple[Age, ...]) -> None:
    told: list[dict[str, Any]] = [
        {"alert": "Down", "expr": "x", "labels": {"condition": "bot_down", "severity": "critical"}},
        {"alert": "Wild", "expr": "x", "labels": {"condition": "volatile", "severity": "warning"}},
    ]
    expr = """(
        time() - x:since >= x:limit
        or time() - x:since{severity="critical"}
          >= on () group_left () 2 * monitoring:target{target="no_response_seconds"}
    ) and on () monitoring:target"""
    records = [{"record": "x:since", "expr": "ALERTS_FOR_STATE"}, {"record": "x:limit", "expr": TABLE}, *told]
    made = Group("a", "10s", [*records, {"alert": "MadeUp", "expr": expr, "labels": {"escalation": "x"}}])
    assert delay(made.rules[-1], made, [made], Route("a", 5, 300), severity).ages == ages


def test_what_the_page_says_of_ages() -> None:
    said = {
        (alert.rule["alert"], alert.severity): alert.delay for alert in TOLD if "escalation" not in alert.rule["labels"]
    }
    assert said["BotStopped", "info"].seconds == 110
    assert said["BotStopped", "warning"].seconds == 86400 + 50
    down = [alert.severity for alert in TOLD if alert.rule["alert"] == "EscalationSystemDown"]
    assert down == ["critical"]
    for words in (
        "| the sooner of 10 min to 30 min ([which](configuration.md#escalation)) and `no_response` + 15 s |",
        "| critical | Nobody has answered an alert. | 3 × `no_response` + 15 s |",
        "| critical | A bot stays down. | `system_down` + 15 s |",
        "so its alerts are not told. | while it lasts |",
        "The monitoring works. | always fires, while all works |",
        "## What each bot did in the last day and week, told once, at the hour of monitoring.yml\n",
        "## Is each bot alive?\n",
    ):
        assert words in page()


def test_a_slower_group_would_be_told() -> None:
    """BotDown once a minute would come too late."""
    slow = _delay({"expr": "trading_bot_up == 0"}, {"a": ("1m", [])})
    assert slow.own > slow.path.scrape + CRITICAL


def test_the_first_matching_route_counts() -> None:
    tree = yaml.safe_load("""
        receiver: all
        group_wait: 30s
        group_interval: 5m
        routes:
          - {matchers: [alertname="A", severity!="info"], receiver: a, group_wait: 5s}
          - matchers: [severity=~"warning|info"]
            group_interval: 1h
            routes:
              - {matchers: [bot=~".+"], receiver: bots, group_wait: 0s}
    """)
    assert route({"alertname": "A", "severity": "critical"}, tree) == Route("a", 5, 300)
    assert route({"alertname": "A", "severity": "info"}, tree) == Route("all", 30, 3600)
    assert route({"alertname": "B", "severity": "info", "bot": "x"}, tree) == Route("bots", 0, 3600)
    assert route({"alertname": "B", "severity": "critical"}, tree) == Route("all", 30, 300)


def test_durations() -> None:
    assert [seconds(text) for text in ("5s", "1h30m", None, "0s")] == [5, 5400, 0, 0]
    assert [duration(number) for number in (0, 25, 150, 10950)] == ["0 s", "25 s", "2 min 30 s", "3 h 2 min 30 s"]
