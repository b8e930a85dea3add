"""Checks prometheus/: syntax, promtool's unit tests beside this file, and what the rules name elsewhere."""

import os
import re
import subprocess
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import markdown
import pytest
import yaml

from exporter.config.thresholds import THRESHOLDS
from exporter.metrics import METRICS
from responder.runbooks import EXTENSIONS
from tests.binaries import binary
from tests.rules.series import PROMETHEUS, ROOT, RULE_FILES, SEVERITIES, configuration, jobs, rules

UNIT_TESTS = sorted(Path(__file__).parent.glob("*.yml"))
RUNBOOKS = ROOT / "docs" / "runbooks"

# Of the stack as a whole; every other alert is about one bot, or about the host.
STACK_ALERTS = {
    "ConfigReloadFailed",
    "ExporterDown",
    "NotificationsFailing",
    "ResponderDown",
    "RuleEvaluationFailing",
    "Watchdog",
}
# The table of alerts names no action for these.
ALERTS_WITHOUT_ACTIONS = STACK_ALERTS | {
    "BotInMaintenance",
    "BotStopped",
    "BotUnhealthy",
    "DailySummary",
    "ErrorBudgetBurn",
    "EscalationNoResponse",
    "EscalationRepeated",
    "MilestoneReached",
    "SourceFailing",
    "WeeklySummary",
}
# They escalate other alerts, of bots or not, and have those alerts' condition, bot and severity.
ESCALATIONS = {"EscalationDrawdown", "EscalationNoResponse", "EscalationRepeated", "EscalationSystemDown"}
ROLES = {"manager", "technical_lead", "emergency_contact", "risk_manager"}
# The actions that the table of alerts knows.
ACTIONS = {
    "adjust_parameters",
    "adjust_strategy",
    "analyze_losing_trades",
    "check_market_conditions",
    "check_network",
    "clear_cache",
    "close_positions",
    "close_risky_positions",
    "optimize_connections",
    "reduce_position_sizes",
    "reduce_processing",
    "restart_bot",
    "retrain_model",
    "retry_connection",
    "review_strategy",
    "switch_api_endpoint",
}


def promtool(*arguments: str | Path) -> None:
    result = subprocess.run([binary("promtool"), *arguments], capture_output=True, text=True, check=False, cwd=ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


def alerts() -> list[dict[str, Any]]:
    return [rule for rule in rules() if "alert" in rule]


def of_a_bot(rule: dict[str, Any]) -> bool:
    """Whether the alert is about one bot; those of the host compare with the limits that have no bot."""
    return rule["alert"] not in STACK_ALERTS and 'bot:threshold{bot=""' not in rule["expr"]


def alert_id(rule: dict[str, Any]) -> str:
    parts = [rule["alert"], rule["labels"].get("severity"), "host" if 'bot=""' in rule["expr"] else None]
    return "-".join(filter(None, parts))


@pytest.fixture(scope="module")
def unit_tests() -> Iterator[dict[Path, Future[None]]]:
    """promtool's tests under way, one a processor: each takes seconds of just one."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield {file: pool.submit(promtool, "test", "rules", file) for file in UNIT_TESTS}


@pytest.mark.parametrize("file", UNIT_TESTS, ids=lambda file: file.stem)
def test_unit(unit_tests: dict[Path, Future[None]], file: Path) -> None:
    unit_tests[file].result()


@pytest.mark.parametrize("file", UNIT_TESTS, ids=lambda file: file.stem)
def test_unit_has_an_order_of_groups(file: Path) -> None:
    # Without one, promtool evaluates them in a new order at each run, and a test fails now and then. Only what is above
    # the tests is read: below, an anchor may be written twice, which YAML's library refuses.
    head = yaml.safe_load(file.read_text().partition("\ntests:\n")[0])
    names = [
        group["name"]
        for loaded in head["rule_files"]
        for group in yaml.safe_load((file.parent / loaded).read_text())["groups"]
    ]
    assert len(names) == 1 or sorted(head.get("group_eval_order", [])) == sorted(names)


def test_syntax() -> None:
    promtool("check", "rules", "--lint=all", "--lint-fatal", *RULE_FILES)


def test_configuration() -> None:
    promtool("check", "config", "--syntax-only", "--lint=all", "--lint-fatal", PROMETHEUS / "prometheus.yml")


def test_each_rule_file_is_loaded() -> None:
    loaded = {file for pattern in configuration()["rule_files"] for file in PROMETHEUS.glob(pattern)}
    assert loaded == set(RULE_FILES)


@pytest.mark.parametrize("rule", alerts(), ids=alert_id)
def test_alert_says_all_that_a_message_needs(rule: dict[str, Any]) -> None:
    labels, annotations, name = rule["labels"], rule["annotations"], rule["alert"]
    assert name in ESCALATIONS or re.fullmatch(r"[a-z]+(_[a-z]+)*", labels["condition"])
    # Without one of its own it has its threshold's: then the expression must keep it.
    joined = "group_right () bot:threshold" in rule["expr"] or "on (severity) group_left" in rule["expr"]
    assert labels.get("severity") in SEVERITIES or joined or name in ESCALATIONS

    assert "{{" not in annotations["summary"], "a summary is one static sentence; values belong to the description"
    assert annotations["summary"].endswith(".")
    assert annotations["description"].endswith(".")
    assert annotations["runbook_url"] == "{{ $externalLabels.responder_url }}/runbooks/" + name
    dashboard = "{{ $externalLabels.grafana_url }}/d/trading-bot"
    if not of_a_bot(rule):
        assert annotations["dashboard_url"] == dashboard
        assert "bot_status" not in annotations
    else:
        of_its_bot = "?var-bot={{ $labels.bot | urlquery }}"
        of_its_bot_if_any = "{{ with $labels.bot }}?var-bot={{ . | urlquery }}{{ end }}"
        assert annotations["dashboard_url"] == dashboard + (of_its_bot_if_any if name in ESCALATIONS else of_its_bot)
        assert "bot:status_part" in annotations["bot_status"]
    if name not in ALERTS_WITHOUT_ACTIONS:
        assert set(annotations["recommended_actions"].split(",")) <= ACTIONS


def test_bot_status_is_the_same_everywhere() -> None:
    assert len({rule["annotations"]["bot_status"] for rule in alerts() if of_a_bot(rule)}) == 1


def test_each_condition_is_one_alerts() -> None:
    """A silence is for a condition: of two alerts it would hide the other one. Of what it escalates it shall."""
    pairs = {(rule["alert"], rule["labels"]["condition"]) for rule in alerts() if rule["alert"] not in ESCALATIONS}
    assert len(pairs) == len({name for name, _ in pairs}) == len({condition for _, condition in pairs})


@pytest.mark.parametrize("rule", [rule for rule in alerts() if rule["alert"] in ESCALATIONS], ids=lambda r: r["alert"])
def test_an_escalation_has_the_labels_of_what_it_escalates(rule: dict[str, Any]) -> None:
    labels = rule["labels"]
    assert labels["role"] in ROLES and labels["escalation"]
    # Nothing that would make of it another condition, another bot or another severity.
    own = {"alert", "condition", "escalation", "role", "threshold"}
    assert set(labels) <= own
    if "condition" in labels:
        (escalated,) = (a for a in alerts() if a["alert"] == labels["alert"])
        assert labels["condition"] == escalated["labels"]["condition"]
    assert "{{ $externalLabels.responder_url }}/runbooks/" in rule["annotations"]["description"]


def test_each_threshold_named_exists() -> None:
    """And each has an alert."""
    named = {name for rule in rules() for name in re.findall(r'threshold="(\w+)"', rule["expr"])}
    assert named == {name for table in THRESHOLDS.values() for name in table}


@pytest.mark.parametrize("name", sorted({rule["alert"] for rule in alerts()}))
def test_every_alert_is_tested(name: str) -> None:
    assert any(f"alertname: {name}}}" in file.read_text(encoding="utf-8") for file in UNIT_TESTS)


@pytest.mark.parametrize("name", sorted({rule["alert"] for rule in alerts()}))
def test_alert_has_a_runbook(name: str) -> None:
    runbook = (RUNBOOKS / f"{name}.md").read_text(encoding="utf-8")
    assert runbook.startswith(f"# {name}\n")
    assert re.findall(r"^## (.+)$", runbook, re.MULTILINE) == ["Meaning", "Impact", "Diagnosis", "Mitigation"]
    # The inbox shows it as a page: a list that breaks off there leaves its numbers or fences in the text.
    page = markdown.markdown(runbook, extensions=EXTENSIONS)
    assert not re.findall(r"^(?:<p>)?\d\. .*|^.*```.*", page, re.MULTILINE)


def test_no_runbook_without_its_alert() -> None:
    assert {file.stem for file in RUNBOOKS.glob("*.md")} == {rule["alert"] for rule in alerts()}


def test_each_group_of_metrics_has_one_job() -> None:
    """A group in two jobs doubles its series, one in none is lost."""
    collected = [group for job in jobs().values() for group in job.get("params", {}).get("collect[]", [])]
    assert sorted(collected) == sorted(set(METRICS.values()))


def test_settings_leave_with_no_alert() -> None:
    """Each external label is for the links only; one that stays would split Alertmanager's groups."""
    dropped = "|".join(
        rule["regex"] for rule in configuration()["alerting"]["alert_relabel_configs"] if rule["action"] == "labeldrop"
    )
    for label in [*configuration()["global"]["external_labels"], "replica"]:
        assert re.fullmatch(dropped, label)
