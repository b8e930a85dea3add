"""prometheus.yml and the processes' flags as shipped: what the tests that shorten intervals can't see."""

from __future__ import annotations

import configparser
import shlex
from typing import Any

import yaml

from exporter.metrics import GROUPS
from tests.stack import ROOT, START_DELAY

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


def _native(program: str) -> set[str]:
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";",))
    parser.read(ROOT / "native" / "supervisord.conf")
    return {word for word in shlex.split(parser[f"program:{program}"]["command"]) if word.startswith("--")}


def _docker(service: str) -> set[str]:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return set(compose["services"][service]["command"])


def test_both_ways_start_with_the_same_flags() -> None:
    # Without the first, an alert's age begins anew at each restart; without the second, a killed Alertmanager forgets a
    # quarter of an hour; without the third, a started one tells what is held back before it knows by what: Prometheus
    # sends each alert again with the first evaluation after a minute.
    needed = {
        "prometheus": {"--rules.alert.for-grace-period=0s"},
        "alertmanager": {"--data.maintenance-interval=30s", START_DELAY},
    }
    assert int(START_DELAY.partition("=")[2].removesuffix("s")) >= 60 + 10
    for service, flags in needed.items():
        native, docker = _native(service), _docker(service)
        assert flags <= native and flags <= docker
        # Natively each listens on an address of its own.
        assert _names(native) - {"--web.listen-address"} == _names(docker) - {"--web.listen-address"}


def _names(flags: set[str]) -> set[str]:
    return {flag.partition("=")[0] for flag in flags}
