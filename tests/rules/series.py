"""Every series that rules and dashboards can ask for, with its labels: derived from who emits it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from exporter.config import sections
from exporter.config.thresholds import THRESHOLDS
from exporter.metrics import GROUPS
from exporter.state import REGIMES, STATUSES, TRENDS
from tests.rules.promql import Labels, Typing, parse

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "prometheus"
RULE_FILES = sorted((PROMETHEUS / "rules").glob("*.yml"))

SEVERITIES = frozenset({"critical", "warning", "info", "none"})
# What the exporter writes into labels, where that is a closed set.
VALUES: dict[str, frozenset[str]] = {
    "confidence": frozenset({"0.95", "0.99"}),
    "direction": frozenset({"receive", "transmit"}),
    "mode": frozenset({"live", "dry_run", "demo", ""}),
    "period": frozenset({"day", "week", "month"}),
    "regime": frozenset(REGIMES),
    "report": frozenset({"daily", "weekly"}),
    "result": frozenset({"win", "loss", "draw"}),
    "severity": frozenset(THRESHOLDS),
    "side": frozenset({"long", "short"}),
    "state": frozenset(STATUSES),
    "target": frozenset(sections.series(name, key) for name, table in sections.SECTIONS.items() for key in table),
    "threshold": frozenset(name for table in THRESHOLDS.values() for name in table),
    "trend": frozenset(TRENDS),
    "window": frozenset({"1h", "24h"}),
}
# What the others of the stack say of themselves, by job, as far as it is asked for; a test holds it against real ones.
_BUILD = ("branch", "goarch", "goos", "goversion", "revision", "tags", "version")
OF_THE_STACK: dict[str, dict[str, tuple[str, ...]]] = {
    "alertmanager": {
        "alertmanager_alerts": ("state",),
        "alertmanager_build_info": _BUILD,
        "alertmanager_cluster_enabled": (),
        "alertmanager_cluster_members": (),
        "alertmanager_config_last_reload_successful": (),
        "alertmanager_notification_latency_seconds_bucket": ("integration", "le"),
        "alertmanager_notification_requests_failed_total": ("integration",),
        "alertmanager_notification_requests_total": ("integration",),
        "alertmanager_notifications_failed_total": ("integration", "reason"),
        "alertmanager_notifications_suppressed_total": ("reason",),
        "alertmanager_notifications_total": ("integration",),
        "alertmanager_silences": ("state",),
    },
    "prometheus": {
        "prometheus_build_info": _BUILD,
        "prometheus_config_last_reload_successful": (),
        "prometheus_engine_query_duration_seconds": ("quantile", "slice"),
        "prometheus_notifications_dropped_total": (),
        "prometheus_notifications_errors_total": ("alertmanager",),
        "prometheus_notifications_sent_total": ("alertmanager",),
        "prometheus_rule_evaluation_failures_total": ("rule_group",),
        "prometheus_rule_group_interval_seconds": ("rule_group",),
        "prometheus_rule_group_iterations_missed_total": ("rule_group",),
        "prometheus_rule_group_last_duration_seconds": ("rule_group",),
        "prometheus_target_scrapes_sample_duplicate_timestamp_total": (),
        "prometheus_target_scrapes_sample_out_of_bounds_total": (),
        "prometheus_target_scrapes_sample_out_of_order_total": (),
        "prometheus_tsdb_head_chunks_storage_size_bytes": (),
        "prometheus_tsdb_head_samples_appended_total": ("type",),
        "prometheus_tsdb_head_series": (),
        "prometheus_tsdb_lowest_timestamp_seconds": (),
        "prometheus_tsdb_storage_blocks_bytes": (),
        "prometheus_tsdb_wal_storage_size_bytes": (),
    },
    "responder": {
        "trading_bot_acknowledged_timestamp_seconds": ("bot", "by", "condition", "severity"),
        "trading_bot_responder_deliveries_total": ("channel", "result"),
        "trading_bot_responder_deliveries_waiting": ("channel",),
        "trading_bot_responder_errors_total": ("reason",),
        "trading_bot_responder_last_received_timestamp_seconds": (),
        "trading_bot_responder_logins_total": ("result",),
        "trading_bot_responder_messages_total": ("status", "severity"),
    },
}
# There only once something was held back, acknowledged or received, or where two Alertmanagers are a cluster.
SOMETIMES = frozenset(
    {
        "alertmanager_cluster_members",
        "alertmanager_notifications_suppressed_total",
        "trading_bot_acknowledged_timestamp_seconds",
        "trading_bot_responder_last_received_timestamp_seconds",
    }
)
# Of each process, and of each scrape.
OF_EACH = (
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "up",
)


class Group(NamedTuple):
    """A group of rules: its name, its own interval if it has one, and its rules in order."""

    name: str
    interval: str | None
    rules: list[dict[str, Any]]


@cache
def groups() -> tuple[Group, ...]:
    """All groups of all rule files."""
    files = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in RULE_FILES]
    return tuple(Group(g["name"], g.get("interval"), g["rules"]) for file in files for g in file["groups"])


def rules() -> list[dict[str, Any]]:
    """All rules."""
    return [rule for group in groups() for rule in group.rules]


@cache
def configuration() -> dict[str, Any]:
    """prometheus.yml."""
    loaded: dict[str, Any] = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text(encoding="utf-8"))
    return loaded


def jobs() -> dict[str, dict[str, Any]]:
    """The scrape jobs by name, each with what holds for all."""
    return {job["job_name"]: configuration()["global"] | job for job in configuration()["scrape_configs"]}


@cache
def emitted() -> Mapping[str, Labels]:
    """The series that are scraped."""
    series: dict[str, Labels] = {}
    for group, module in GROUPS.items():
        target = {"job": frozenset({group}), "instance": None}
        for family in module.FAMILIES:
            labels = (("bot",) if family.of_bot else ()) + family.labels
            for name in family.series_names:
                all_labels = labels + (("le",) if name.endswith("_bucket") else ())
                series[name] = {**target, **{label: VALUES.get(label) for label in all_labels}}
    for job, metrics in OF_THE_STACK.items():
        for name, stated in metrics.items():
            series[name] = {"job": frozenset({job}), "instance": None, **dict.fromkeys(stated)}
    return series | {name: {"job": frozenset(jobs()), "instance": None} for name in OF_EACH}


def job_of(metric: str) -> str:
    """Which job scrapes a metric."""
    (job,) = emitted()[metric]["job"] or ("",)
    return job


def _alert_labels(rule: dict[str, Any], labels: Labels) -> Labels:
    """An alert's labels: its expression's, and its own."""
    own = {name: frozenset({value}) if "{{" not in value else None for name, value in rule.get("labels", {}).items()}
    return {**labels, **own}


@cache
def known() -> Mapping[str, Labels]:
    """All series: scraped, recorded, and ALERTS.

    Rules ask for each other's series, some for their own: each round brings the labels a step further, and one that
    brings nothing new is the last.
    """
    series: dict[str, Labels] = dict(emitted())
    about: dict[str, frozenset[str] | None] = {
        "alertname": frozenset(rule["alert"] for rule in rules() if "alert" in rule),
        "escalation": None,  # asked for as absent, so it needn't be there
    }
    of_alerts = {"ALERTS": about | {"alertstate": frozenset({"pending", "firing"})}, "ALERTS_FOR_STATE": about}
    series |= of_alerts
    for _ in range(20):
        before = dict(series)
        typing = Typing(before, strict=False)
        fresh: dict[str, dict[str, frozenset[str] | None]] = {}
        for rule in rules():
            labels = _alert_labels(rule, typing.labels(parse(rule["expr"])))
            for name in [rule["record"]] if "record" in rule else of_alerts:
                into = fresh.setdefault(name, {})
                for label, values in labels.items():
                    was = into.get(label, frozenset())
                    into[label] = None if was is None or values is None else was | values
        for name, labels in of_alerts.items():
            fresh[name] |= labels
        series |= fresh
        if series == before:
            return series
    raise AssertionError("the labels of the recorded series come to no end")


def severities(rule: dict[str, Any]) -> list[str]:
    """An alert's severities: its own, those of the threshold that it compares with, or those of the series."""
    if "severity" in rule["labels"]:
        return [rule["labels"]["severity"]]
    named = re.findall(r'threshold="(\w+)"', rule["expr"])
    if named:
        return [severity for severity, table in THRESHOLDS.items() if any(name in table for name in named)]
    told = Typing(known(), strict=False).labels(parse(rule["expr"])).get("severity")
    # None is for no person.
    return [severity for severity in THRESHOLDS if severity in (told or THRESHOLDS)]
