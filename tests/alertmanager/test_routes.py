"""Who is told what: the committed file and some rendered ones, asked with the real amtool."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from init.run import ROOT, run
from tests.alertmanager.test_nobody_unheard import SETTINGS
from tests.alertmanager.walk import Heard, behind, heard, routes
from tests.binaries import binary

COMMITTED = ROOT / "alertmanager" / "alertmanager.yml"
PEOPLE = {"telegram", "slack", "email", "sms"}
LISTENING = {"discord", "webhook"}
MONITORING = """
contacts:
  administrator: [{name: Me, sms: "+4915100000000"}]
  manager: [{name: Anna, phone: "+4915100000001", sms: "+4915100000001", email: anna@example.org}]
channels: {warning: [slack]}
quiet_hours: {from: "22:00", to: "07:00"}
"""
# By name: the channels, and monitoring.yml.
RENDERED = {
    "none": ([], "bots: []"),
    "email": (["email"], "bots: []"),
    "all": (list(SETTINGS), "bots: []"),
    "all and monitoring.yml": (list(SETTINGS), MONITORING),
}

Row = tuple[str, dict[str, str], set[str], str, str]


def of_bot(alert: str, severities: str, wanted: set[str], cooldown: str, wait: str) -> list[Row]:
    """The rows of a bot's alert, one a severity."""
    condition = re.sub("(?<!^)(?=[A-Z])", "_", alert).lower()
    return [
        (alert, {"condition": condition, "severity": severity, "bot": "x"}, wanted, cooldown, wait)
        for severity in severities.split()
    ]


def escalation(alert: str, severity: str, role: str, wanted: set[str], cooldown: str, wait: str = "5s") -> Row:
    """The row of an escalation, which has the labels of what it escalates."""
    labels = {"condition": "mine", "severity": severity, "bot": "x", "escalation": "step", "role": role}
    return (alert, labels, wanted, cooldown, wait)


# alert, its labels, the channels it asks for, its cooldown, how soon the first message leaves
TABLE: list[Row] = [
    escalation("EscalationNoResponse", "critical", "manager", {"phone", "sms"}, "5m"),
    escalation("EscalationNoResponse", "warning", "manager", {"email"}, "1h", "30s"),
    escalation("EscalationNoResponse", "info", "manager", {"email"}, "1h", "30s"),
    escalation("EscalationNoResponse", "critical", "technical_lead", {"phone", "email"}, "5m"),
    escalation("EscalationNoResponse", "critical", "emergency_contact", {"phone", "sms", "email"}, "5m"),
    escalation("EscalationRepeated", "critical", "technical_lead", {"phone", "email"}, "30m"),
    escalation("EscalationRepeated", "warning", "technical_lead", {"phone", "email"}, "30m"),
    escalation("EscalationSystemDown", "critical", "emergency_contact", {"phone", "sms", "email"}, "5m"),
    escalation("EscalationDrawdown", "critical", "risk_manager", {"phone", "sms", "email"}, "10m"),
    ("BotDown", {"condition": "bot_down", "severity": "critical", "bot": "x"}, PEOPLE, "5m", "5s"),
    *of_bot("HighDrawdown", "critical", {"telegram", "email", "sms"}, "10m", "5s"),
    *of_bot("DailyLoss", "critical", {"telegram", "email", "sms"}, "10m", "5s"),
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
    ("ResponderDown", {"condition": "responder_down", "severity": "critical"}, {"telegram", "email"}, "5m", "5s"),
    ("RuleEvaluationFailing", {"severity": "critical"}, {"telegram", "email"}, "5m", "5s"),
    ("NotificationsFailing", {"severity": "critical", "channel": "slack"}, PEOPLE, "5m", "5s"),
    *of_bot("SourceFailing", "warning", {"telegram", "email"}, "5m", "30s"),
    ("ConfigReloadFailed", {"severity": "warning"}, {"telegram", "email"}, "5m", "30s"),
    ("MyOwn", {"severity": "critical"}, {"telegram", "email"}, "5m", "5s"),
    ("MyOwn", {"severity": "warning", "bot": "x"}, {"telegram", "email"}, "5m", "30s"),
    ("MyOwn", {}, {"telegram", "email"}, "5m", "30s"),
]
ROWS = pytest.mark.parametrize(
    "alert, labels, wanted, cooldown, wait",
    TABLE,
    ids=[f"{row[0]}-{row[1].get('role', '')}-{row[1].get('severity', '')}" for row in TABLE],
)


def receivers_of(config: Path, alert: str, labels: dict[str, str]) -> list[str]:
    """The receivers that amtool names for these labels."""
    pairs = [f"{name}={value}" for name, value in {"alertname": alert, **labels}.items()]
    command = [binary("amtool"), "config", "routes", "test", f"--config.file={config}", *pairs]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip().split(",")


def heard_of(config: Path, alert: str, labels: dict[str, str]) -> list[Heard]:
    """Who hears of it, by our own walk."""
    return heard(yaml.safe_load(config.read_text()), {"alertname": alert, **labels})


@pytest.fixture(scope="module", params=RENDERED)
def rendered(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[set[str], Path]:
    """The channels that are configured, and the configuration rendered for them."""
    channels, monitoring = RENDERED[request.param]
    folder = tmp_path_factory.mktemp("out")
    (folder / "monitoring.yml").write_text(monitoring)
    settings = {name: value for channel in channels for name, value in SETTINGS[channel].items()}
    run(settings, folder / "out", monitoring=folder / "monitoring.yml")
    there = set(channels) if "contacts" in monitoring else set(channels) - {"sms", "phone"}
    return there, folder / "out" / "alertmanager" / "alertmanager.yml"


@ROWS
def test_the_committed_table(alert: str, labels: dict[str, str], wanted: set[str], cooldown: str, wait: str) -> None:
    found = heard_of(COMMITTED, alert, labels)
    assert {each.channel for each in found} == wanted | LISTENING | {"inbox"}
    role = labels.get("role", "administrator")
    assert {each.target for each in found if each.channel in ("sms", "phone")} <= {role}
    route = _route_of(alert, labels.get("severity", ""), labels.get("role", ""))
    assert (route["group_interval"], route["group_wait"]) == (cooldown, wait)


def test_our_walk_is_alertmanagers(rendered: tuple[set[str], Path]) -> None:
    """Else what the other tests say of routes would be of our own making."""
    _, config = rendered
    document = yaml.safe_load(config.read_text())
    for alert, labels, *_ in TABLE[:: 1 if "quiet-hours" in config.read_text() else 9]:
        own = [route["receiver"] for route in routes(document, {"alertname": alert, **labels})]
        assert own == receivers_of(config, alert, labels), (alert, labels)


def test_what_monitoring_yml_says(tmp_path: Path) -> None:
    (tmp_path / "monitoring.yml").write_text(MONITORING)
    settings = {name: value for each in SETTINGS.values() for name, value in each.items()}
    run(settings, tmp_path, monitoring=tmp_path / "monitoring.yml")
    config = tmp_path / "alertmanager" / "alertmanager.yml"

    def told(alert: str, **labels: str) -> set[tuple[str, str, bool]]:
        found = heard_of(config, alert, labels)
        return {(each.channel, each.target, bool(each.muted)) for each in found} - {("inbox", "", False)}

    listening = {("discord", "", False), ("webhook", "", False)}
    telegram = {("telegram", "telegram_chat_id:0", False), ("telegram", "telegram_chat_id_2:42", False)}
    email = {("email", "me@example.org", False)}
    assert told("HighErrorRate", severity="critical") == telegram | email | listening
    assert told("DailyLoss", severity="critical") == telegram | email | listening | {("sms", "administrator", False)}
    assert told("HighMemoryUsage", severity="warning") == {("slack", "", True)}
    assert told("MyOwn", severity="warning") == {("slack", "", True)}
    assert told("MyOwn") == telegram | email | listening
    assert told("DailySummary", severity="info") == telegram | email | listening
    quiet = {(channel, target, True) for channel, target, _ in telegram | listening}
    assert told("BotStopped", severity="info") == quiet
    step = {"role": "manager", "severity": "critical"}
    by_number = {("phone", "manager", False), ("sms", "manager", False)}
    assert told("EscalationNoResponse", **step) == by_number | listening
    # The technical lead is nobody: Anna is asked, by what the step names of what she has.
    step["role"] = "technical_lead"
    assert told("EscalationNoResponse", **step) == listening | {
        ("phone", "manager", False),
        ("email", "anna@example.org", False),
    }
    step = {"role": "manager", "severity": "warning"}
    muted = {(channel, target, True) for channel, target, _ in listening}
    assert told("EscalationNoResponse", **step) == muted | {("email", "anna@example.org", True)}
    failing = {"severity": "critical", "channel": "telegram"}
    others = {("slack", "", False), ("sms", "administrator", False)}
    assert told("NotificationsFailing", **failing) == email | others | listening
    (hours,) = [e for e in yaml.safe_load(config.read_text())["time_intervals"] if e["name"] == "quiet-hours"]
    assert hours["time_intervals"][0]["times"] == [
        {"start_time": "22:00", "end_time": "24:00"},
        {"start_time": "00:00", "end_time": "07:00"},
    ]


def test_each_alert_has_a_line() -> None:
    files = (ROOT / "prometheus" / "rules").glob("*.yml")
    groups = [group for file in files for group in yaml.safe_load(file.read_text())["groups"]]
    alerts = {rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule}
    matchers = [
        m for route in _routes(yaml.safe_load(COMMITTED.read_text())["route"]) for m in route.get("matchers", [])
    ]
    assert {m.split('"')[1] for m in matchers if m.startswith("alertname=")} == alerts
    assert alerts - {"Watchdog", "BotInMaintenance"} == {row[0] for row in TABLE} - {"MyOwn"}


def test_a_maintenance_is_told_to_nobody(rendered: tuple[set[str], Path]) -> None:
    labels = {"condition": "maintenance", "severity": "none", "bot": "x"}
    assert heard_of(rendered[1], "BotInMaintenance", labels) == []


@pytest.mark.parametrize("alert", ["DailySummary", "WeeklySummary", "MilestoneReached"])
def test_news_have_no_end(rendered: tuple[set[str], Path], alert: str) -> None:
    found = heard_of(rendered[1], alert, {"severity": "info", "bot": "x"})
    assert found
    assert not any(each.ends for each in found)


def test_what_is_told_together() -> None:
    """An incident has a message of its own; a report is one message about all bots."""
    for route in _routes(yaml.safe_load(COMMITTED.read_text())["route"]):
        report = set(route.get("matchers", [])) & {'alertname="DailySummary"', 'alertname="WeeklySummary"'}
        labels = {"alertname", "condition", "severity"}
        assert set(route["group_by"]) == labels | (
            set() if report else {"bot", "escalation", "sla", "milestone", "over"}
        )


def test_the_heartbeat_goes_nowhere_else(rendered: tuple[set[str], Path]) -> None:
    chosen, config = rendered
    found = heard_of(config, "Watchdog", {"condition": "watchdog", "severity": "none"})
    assert {each.channel for each in found} == chosen & {"heartbeat"}
    assert not any(each.ends or each.muted for each in found)


@pytest.mark.parametrize("config", [COMMITTED], ids=["committed"])
def test_alertmanager_accepts_the_committed_file(config: Path) -> None:
    _check(config)


def test_alertmanager_accepts_the_rendered_file(rendered: tuple[set[str], Path]) -> None:
    chosen, config = rendered
    _check(config)
    document = yaml.safe_load(config.read_text())
    telegram = [len(receiver.get("telegram_configs", [])) for receiver in document["receivers"]]
    assert set(telegram) <= ({0, 2} if "telegram" in chosen else {0})
    prefixes = {key.split("_")[0] for key in document["global"] if key != "http_config"}
    names = {"telegram": "telegram", "slack": "slack", "email": "smtp"}
    assert prefixes == {names[channel] for channel in chosen & names.keys()}


def test_the_end_is_told_but_to_the_heartbeat_and_of_news() -> None:
    for receiver in yaml.safe_load(COMMITTED.read_text())["receivers"]:
        news = receiver["name"] == "heartbeat" or receiver["name"].endswith("-once")
        for channel, _, config in behind(receiver):
            assert config["send_resolved"] is (not news and channel != "phone")


def test_each_repeat_is_looked_at_in_time() -> None:
    """It is only looked at every group_interval: below a multiple of it by less than one interval, never equal."""
    for route in _routes(yaml.safe_load(COMMITTED.read_text())["route"]):
        every, repeat = _seconds(route["group_interval"]), _seconds(route["repeat_interval"])
        assert 0 < -repeat % every <= every * 0.2, route


def test_the_next_person_is_told_of_a_warning_once_a_day() -> None:
    for severity, least in (("critical", 59 * 60), ("warning", 23 * 3600), ("info", 23 * 3600)):
        repeat = _seconds(_route_of("EscalationNoResponse", severity, "manager")["repeat_interval"])
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


def _route_of(alert: str, severity: str, role: str = "") -> dict[str, Any]:
    (found,) = routes(yaml.safe_load(COMMITTED.read_text()), {"alertname": alert, "severity": severity, "role": role})
    return dict(found)


def _seconds(text: str) -> int:
    units = {"h": 3600, "m": 60, "s": 1}
    return sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+)([hms])", text))
