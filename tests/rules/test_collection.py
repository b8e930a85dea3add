"""prometheus.yml and the processes' flags as shipped: what the tests that shorten intervals can't see."""

from __future__ import annotations

import configparser
import shlex
from typing import Any

import yaml

from exporter.metrics import GROUPS
from tests.stack import ROOT

CONFIG: dict[str, Any] = yaml.safe_load((ROOT / "prometheus" / "prometheus.yml").read_text())
JOBS: dict[str, Any] = {job["job_name"]: job for job in CONFIG["scrape_configs"]}
# How often each group is read, and how long that may take. The worst delay of a message follows from these.
OF_BOTS = {
    "bot": ("10s", "8s"),
    "trading": ("60s", "30s"),
    "model": ("120s", "10s"),
    "market": ("60s", "10s"),
    "system": ("30s", "10s"),
}
OF_EXPORTER = {"host": ("30s", "10s"), "config": ("15s", "10s"), "exporter": ("15s", "10s")}

# How often each group of rules is evaluated.
INTERVALS = {
    # A bot that dies, money that is lost, a machine at its limit, an escalation: each scrape is looked at.
    **dict.fromkeys(("bot", "trading", "model", "system", "host", "maintenance", "monitoring", "escalation"), "10s"),
    **dict.fromkeys(("stack", "messages", "configuration"), "10s"),
    # Limits change seldom and are many; those of a bot that was taken out must be gone before it could be called dead,
    # after a minute. What is told beside an alert is read once a minute.
    **dict.fromkeys(("thresholds", "status"), "30s"),
    # Warnings, and what builds up over hours.
    **dict.fromkeys(("activity", "model_warnings", "market", "sources"), "1m"),
    **dict.fromkeys(
        (
            "maintenance_memory",
            "escalation_memory",
            "escalation_repeated",
            "score",
            "benchmarks",
            "milestones",
            "reports",
        ),
        "1m",
    ),
    # Health counts minutes, and a promise is judged by the minute: each sample is taken for 60 seconds.
    **dict.fromkeys(("health", "sla"), "1m"),
    # Long windows; the next evaluation still sees this one's result, which is in sight for five minutes.
    "sla_period": "4m",
    # Closes an hour; the sums over weeks take each close for one.
    "sla_hours": "1h",
    # What charts draw over weeks.
    "dashboards": "1m",
    "dashboards_slow": "5m",
}


def test_each_group_has_a_job_with_its_interval() -> None:
    assert {*OF_BOTS, *OF_EXPORTER} == set(GROUPS)
    for group, (interval, timeout) in (OF_BOTS | OF_EXPORTER).items():
        job = CONFIG["global"] | JOBS[group]
        assert job["params"] == {"collect[]": [group]}
        assert (job["scrape_interval"], job["scrape_timeout"]) == (interval, timeout), group
    assert CONFIG["global"]["evaluation_interval"] == "10s"


def test_bots_are_discovered_and_the_exporter_itself_is_not() -> None:
    for name in OF_BOTS:
        (discovery,) = JOBS[name]["http_sd_configs"]
        assert discovery == {"url": "http://exporter:8000/sd", "refresh_interval": "30s"}
        assert "static_configs" not in JOBS[name]
    for name in OF_EXPORTER:
        assert JOBS[name]["static_configs"] == [{"targets": ["exporter:8000"]}]


def test_the_monitoring_itself_is_read() -> None:
    """Without these, what is told of the monitoring itself would just be missing."""
    programs = {"prometheus": "prometheus:9090", "alertmanager": "alertmanager:9093", "responder": "responder:8080"}
    assert JOBS.keys() == {*OF_BOTS, *OF_EXPORTER, *programs}
    for name, target in programs.items():
        assert JOBS[name]["static_configs"] == [{"targets": [target]}]
        # Their samples' labels are not to pass for ours.
        assert "honor_labels" not in JOBS[name]


def test_what_the_exporter_says_of_a_bot_is_kept_as_it_is() -> None:
    # Without it `bot` would be `exported_bot` as soon as a target has a label of that name.
    assert all(JOBS[name]["honor_labels"] is True for name in (*OF_BOTS, *OF_EXPORTER))


def test_each_group_of_rules_has_its_interval() -> None:
    """promtool doesn't look at it, so no test of a rule would fail."""
    found = {
        group["name"]: group.get("interval", CONFIG["global"]["evaluation_interval"])
        for file in (ROOT / "prometheus" / "rules").glob("*.yml")
        for group in yaml.safe_load(file.read_text())["groups"]
    }
    assert found == INTERVALS


def _native(program: str) -> set[str]:
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";",))
    parser.read(ROOT / "native" / "supervisord.conf")
    return {word for word in shlex.split(parser[f"program:{program}"]["command"]) if word.startswith("--")}


def _docker(service: str) -> set[str]:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return set(compose["services"][service]["command"])


def test_both_ways_start_with_the_same_flags() -> None:
    # Without the first, an alert's age begins anew at each restart; without the second, a killed Alertmanager forgets a
    # quarter of an hour.
    needed = {
        "prometheus": {"--rules.alert.for-grace-period=0s"},
        "alertmanager": {"--data.maintenance-interval=30s"},
    }
    for service, flags in needed.items():
        native, docker = _native(service), _docker(service)
        assert flags <= native and flags <= docker
        # Natively each listens on an address of its own.
        assert _names(native) - {"--web.listen-address"} == _names(docker) - {"--web.listen-address"}


def _names(flags: set[str]) -> set[str]:
    return {flag.partition("=")[0] for flag in flags}
