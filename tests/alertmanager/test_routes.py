"""Who is told what: the committed file and every combination of channels, asked with the real amtool."""

from __future__ import annotations

import itertools
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from init.run import ROOT, run
from tests.binaries import binary
from tests.rules.delays import matches

COMMITTED = ROOT / "alertmanager" / "alertmanager.yml"
CHANNELS = {
    "telegram": {"TELEGRAM_BOT_TOKEN": "1:x", "TELEGRAM_CHAT_ID": "1,2"},
    "slack": {"SLACK_WEBHOOK_URL": "https://hooks.example.org/x"},
    "email": {"SMTP_HOST": "mail.example.org", "SMTP_FROM": "a@example.org", "SMTP_TO": "b@example.org"},
    "heartbeat": {"HEARTBEAT_URL": "https://heartbeat.example.org/x"},
}
PEOPLE = {"telegram", "slack", "email"}
COMBINATIONS = [
    frozenset(chosen) for count in range(len(CHANNELS) + 1) for chosen in itertools.combinations(CHANNELS, count)
]

Row = tuple[str, dict[str, str], set[str], str, str]


def of_bot(alert: str, severities: str, wanted: set[str], cooldown: str, wait: str) -> list[Row]:
    """The rows of a bot's alert, one a severity."""
    condition = re.sub("(?<!^)(?=[A-Z])", "_", alert).lower()
    return [
        (alert, {"condition": condition, "severity": severity, "bot": "x"}, wanted, cooldown, wait)
        for severity in severities.split()
    ]


def escalation(alert: str, condition: str, row: str, cooldown: str) -> Row:
    """The row of an escalation, which has the labels of what it escalates."""
    labels = {"condition": condition, "severity": "critical", "bot": "x", "escalation": row, "role": "manager"}
    return (alert, labels, PEOPLE, cooldown, "5s")


# alert, its labels, the channels it asks for, its cooldown, how soon the first message leaves
TABLE: list[Row] = [
    escalation("EscalationSystemDown", "bot_down", "system_down", "5m"),
    escalation("EscalationNoResponse", "daily_loss", "step_1", "5m"),
    escalation("EscalationNoResponse", "mine", "step_3", "5m"),
    *(
        (
            "EscalationNoResponse",
            {"condition": "mine", "severity": severity, "escalation": "step_1"},
            PEOPLE,
            "1h",
            "30s",
        )
        for severity in ("warning", "info")
    ),
    escalation("EscalationDrawdown", "high_drawdown", "drawdown", "10m"),
    escalation("EscalationRepeated", "high_error_rate", "repeated", "30m"),
    ("BotDown", {"condition": "bot_down", "severity": "critical", "bot": "x"}, PEOPLE, "5m", "5s"),
    *of_bot("HighDrawdown", "critical", {"telegram", "email"}, "10m", "5s"),
    *of_bot("DailyLoss", "critical", {"telegram", "email"}, "10m", "5s"),
    *of_bot("HighErrorRate", "critical", {"telegram", "email"}, "5m", "5s"),
    *of_bot("HighMemoryUsage", "critical warning", {"telegram", "email"}, "5m", "5s"),
    *of_bot("HighCpuUsage", "critical warning", {"telegram", "email"}, "5m", "5s"),
    ("HighDiskUsage", {"condition": "high_disk_usage", "severity": "critical"}, {"telegram", "email"}, "5m", "5s"),
    ("HighDiskUsage", {"condition": "high_disk_usage", "severity": "warning"}, {"telegram", "email"}, "5m", "5s"),
    *of_bot("SlowApiResponse", "critical warning", {"telegram", "email"}, "5m", "5s"),
    *of_bot("StaleData", "critical", {"telegram", "email"}, "5m", "5s"),
    *of_bot("LowModelAccuracy", "critical warning", {"telegram", "email"}, "5m", "5s"),
    *of_bot("LowWinRate", "warning", {"telegram", "email"}, "30m", "30s"),
    *of_bot("ModelDrift", "warning", {"telegram", "email"}, "1h", "30s"),
    *of_bot("HighNetworkLatency", "critical warning", {"telegram"}, "15m", "5s"),
    *of_bot("LowTradingActivity", "warning", {"telegram"}, "1h", "30s"),
    *of_bot("LowPredictionConfidence", "warning", {"telegram"}, "1h", "30s"),
    *of_bot("LowDataQuality", "warning", {"telegram"}, "1h", "30s"),
    *of_bot("HighRiskUtilization", "warning", {"telegram"}, "1h", "30s"),
    *of_bot("HighVolatility", "warning", {"telegram"}, "1h", "30s"),
    *of_bot("BotUnhealthy", "warning", {"telegram", "email"}, "30m", "30s"),
    *of_bot("ErrorBudgetBurn", "critical", {"telegram", "email"}, "5m", "5s"),
    *of_bot("ErrorBudgetBurn", "warning", {"telegram", "email"}, "1h", "30s"),
    *of_bot("DailySummary", "info", {"telegram", "email"}, "11h", "30s"),
    *of_bot("WeeklySummary", "info", {"telegram", "email"}, "11h", "30s"),
    *of_bot("MilestoneReached", "info", {"telegram"}, "1h", "30s"),
    ("BotStopped", {"condition": "bot_stopped", "severity": "info", "bot": "x"}, {"telegram"}, "24h", "30s"),
    ("BotStopped", {"condition": "bot_stopped", "severity": "warning", "bot": "x"}, {"telegram"}, "24h", "30s"),
    ("ExporterDown", {"condition": "exporter_down", "severity": "critical"}, {"telegram", "email"}, "5m", "5s"),
    ("RuleEvaluationFailing", {"severity": "critical"}, {"telegram", "email"}, "5m", "5s"),
    ("NotificationsFailing", {"severity": "critical", "channel": "slack"}, {"telegram", "email"}, "5m", "5s"),
    *of_bot("SourceFailing", "warning", {"telegram", "email"}, "5m", "30s"),
    ("ConfigReloadFailed", {"severity": "warning"}, {"telegram", "email"}, "5m", "30s"),
    ("MyOwn", {"severity": "critical"}, {"telegram", "email"}, "5m", "5s"),
    ("MyOwn", {"severity": "warning", "bot": "x"}, {"telegram", "email"}, "5m", "30s"),
    ("MyOwn", {}, {"telegram", "email"}, "5m", "30s"),
]
ROWS = pytest.mark.parametrize(
    "alert, labels, wanted, cooldown, wait", TABLE, ids=[f"{row[0]}-{row[1].get('severity', '')}" for row in TABLE]
)


def receiver_of(config: Path, alert: str, labels: dict[str, str]) -> dict[str, Any]:
    """The receiver that amtool names for these labels."""
    pairs = [f"{name}={value}" for name, value in {"alertname": alert, **labels}.items()]
    command = [binary("amtool"), "config", "routes", "test", f"--config.file={config}", *pairs]
    name = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    document = yaml.safe_load(config.read_text())
    found: dict[str, Any] = next(receiver for receiver in document["receivers"] if receiver["name"] == name)
    return found


def channels_of(receiver: dict[str, Any]) -> set[str]:
    """The channels of a receiver; the webhooks by what they are for."""
    found = {key.removesuffix("_configs") for key in receiver if key.endswith("_configs")} - {"webhook"}
    for webhook in receiver.get("webhook_configs", []):
        found.add("heartbeat" if "url_file" in webhook else "inbox")
    return found


@pytest.fixture(scope="module", params=COMBINATIONS, ids=lambda chosen: "+".join(sorted(chosen)) or "none")
def rendered(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[frozenset[str], Path]:
    """One combination of configured channels, and the configuration rendered for it."""
    chosen: frozenset[str] = request.param
    out = tmp_path_factory.mktemp("out")
    run({name: value for channel in chosen for name, value in CHANNELS[channel].items()}, out)
    return chosen, out / "alertmanager" / "alertmanager.yml"


@ROWS
def test_the_committed_table(alert: str, labels: dict[str, str], wanted: set[str], cooldown: str, wait: str) -> None:
    assert channels_of(receiver_of(COMMITTED, alert, labels)) == wanted | {"inbox"}
    route = _route_of(alert, labels.get("severity", ""))
    assert (route["group_interval"], route["group_wait"]) == (cooldown, wait)


@ROWS
def test_nobody_unheard(
    rendered: tuple[frozenset[str], Path],
    alert: str,
    labels: dict[str, str],
    wanted: set[str],
    cooldown: str,
    wait: str,
) -> None:
    """The alert's own channels that are configured; else those that are; the inbox always."""
    del cooldown, wait
    chosen, config = rendered
    people = chosen & PEOPLE
    assert channels_of(receiver_of(config, alert, labels)) == {"inbox"} | (wanted & people or people)


def test_each_alert_has_a_line() -> None:
    files = (ROOT / "prometheus" / "rules").glob("*.yml")
    groups = [group for file in files for group in yaml.safe_load(file.read_text())["groups"]]
    alerts = {rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule}
    matchers = [
        m for route in _routes(yaml.safe_load(COMMITTED.read_text())["route"]) for m in route.get("matchers", [])
    ]
    assert {m.split('"')[1] for m in matchers if m.startswith("alertname=")} == alerts
    assert alerts - {"Watchdog", "BotInMaintenance"} == {row[0] for row in TABLE} - {"MyOwn"}


def test_a_maintenance_is_told_to_nobody(rendered: tuple[frozenset[str], Path]) -> None:
    _, config = rendered
    labels = {"condition": "maintenance", "severity": "none", "bot": "x"}
    assert channels_of(receiver_of(config, "BotInMaintenance", labels)) == set()


@pytest.mark.parametrize("alert", ["DailySummary", "WeeklySummary", "MilestoneReached"])
def test_news_have_no_end(rendered: tuple[frozenset[str], Path], alert: str) -> None:
    _, config = rendered
    receiver = receiver_of(config, alert, {"severity": "info", "bot": "x"})
    configs = [config for key, configs in receiver.items() if key.endswith("_configs") for config in configs]
    assert configs
    assert not any(config["send_resolved"] for config in configs)


def test_what_is_told_together() -> None:
    """An incident has a message of its own; a report is one message about all bots."""
    for route in _routes(yaml.safe_load(COMMITTED.read_text())["route"]):
        report = set(route.get("matchers", [])) & {'alertname="DailySummary"', 'alertname="WeeklySummary"'}
        labels = {"alertname", "condition", "severity"}
        assert set(route["group_by"]) == labels | (set() if report else {"bot", "escalation", "sla", "milestone"})


def test_the_heartbeat_goes_nowhere_else(rendered: tuple[frozenset[str], Path]) -> None:
    chosen, config = rendered
    receiver = receiver_of(config, "Watchdog", {"condition": "watchdog", "severity": "none"})
    assert channels_of(receiver) == chosen & {"heartbeat"}
    assert not any(webhook["send_resolved"] for webhook in receiver.get("webhook_configs", []))


@pytest.mark.parametrize("config", [COMMITTED], ids=["committed"])
def test_alertmanager_accepts_the_committed_file(config: Path) -> None:
    _check(config)


def test_alertmanager_accepts_the_rendered_file(rendered: tuple[frozenset[str], Path]) -> None:
    chosen, config = rendered
    _check(config)
    document = yaml.safe_load(config.read_text())
    telegram = [len(receiver.get("telegram_configs", [])) for receiver in document["receivers"]]
    assert set(telegram) <= ({0, 2} if "telegram" in chosen else {0})
    prefixes = {key.split("_")[0] for key in document["global"]}
    names = {"telegram": "telegram", "slack": "slack", "email": "smtp"}
    assert prefixes == {names[channel] for channel in chosen & PEOPLE}


def test_the_end_is_told_but_to_the_heartbeat_and_of_news() -> None:
    for receiver in yaml.safe_load(COMMITTED.read_text())["receivers"]:
        for key, configs in receiver.items():
            if key.endswith("_configs"):
                told = receiver["name"] != "heartbeat" and not receiver["name"].endswith("-once")
                assert all(config["send_resolved"] is told for config in configs)


def test_each_repeat_is_looked_at_in_time() -> None:
    """It is only looked at every group_interval: below a multiple of it by less than one interval, never equal."""
    for route in _routes(yaml.safe_load(COMMITTED.read_text())["route"]):
        every, repeat = _seconds(route["group_interval"]), _seconds(route["repeat_interval"])
        assert 0 < -repeat % every <= every * 0.2, route


def test_the_next_person_is_told_of_a_warning_once_a_day() -> None:
    for severity, least in (("critical", 59 * 60), ("warning", 23 * 3600), ("info", 23 * 3600)):
        repeat = _seconds(_route_of("EscalationNoResponse", severity)["repeat_interval"])
        assert least <= repeat < least + 3600


def test_every_template_that_is_used_is_there() -> None:
    used, defined = set(), set()
    texts = [path.read_text() for path in (ROOT / "alertmanager" / "templates").glob("*.tmpl")]
    for text in (*texts, COMMITTED.read_text()):
        used |= set(re.findall(r'{{-? *template "([^"]+)"', text))
        defined |= set(re.findall(r'{{-? *define "([^"]+)"', text))
    assert used <= defined
    assert defined - used == set()


def _check(config: Path) -> None:
    command = [binary("amtool"), "check-config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _routes(route: dict[str, Any], above: dict[str, Any] | None = None) -> Iterator[dict[str, Any]]:
    whole = {**(above or {}), **route}
    whole.pop("routes", None)
    yield whole
    for child in route.get("routes", []):
        yield from _routes(child, {**whole, "matchers": []})


def _route_of(alert: str, severity: str) -> dict[str, Any]:
    default, *rest = _routes(yaml.safe_load(COMMITTED.read_text())["route"])
    labels = {"alertname": alert, "severity": severity}
    return next((route for route in rest if all(matches(matcher, labels) for matcher in route["matchers"])), default)


def _seconds(text: str) -> int:
    units = {"h": 3600, "m": 60, "s": 1}
    return sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+)([hms])", text))
