"""What Grafana reads at its start."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.metrics import GROUPS
from native import settings
from tests.grafana.dashboards import FILES, ROOT, load

PROVISIONING = ROOT / "grafana" / "provisioning"


def _read(path: str) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((PROVISIONING / path).read_text("utf-8"))
    return read


def test_one_data_source() -> None:
    (source,) = _read("datasources/prometheus.yml")["datasources"]
    assert source["uid"] == "prometheus"
    assert source["type"] == "prometheus"
    assert source["url"] == "http://$PROMETHEUS_ADDRESS"
    assert source["isDefault"] is True
    assert source["editable"] is False


def test_the_longest_interval_of_what_is_rated_is_the_smallest_step() -> None:
    (source,) = _read("datasources/prometheus.yml")["datasources"]
    config = yaml.safe_load((ROOT / "prometheus" / "prometheus.yml").read_text("utf-8"))
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    rated = {name for name, group in GROUPS.items() if any(family.kind != "gauge" for family in group.FAMILIES)}
    longest = max(int(jobs[name].get("scrape_interval", "15s").removesuffix("s")) for name in rated)
    assert source["jsonData"]["timeInterval"] == f"{longest}s"


def test_dashboards_cannot_be_lost_by_a_click() -> None:
    (provider,) = _read("dashboards/trading-bots.yml")["providers"]
    assert provider["folder"] == "Trading bots"
    assert provider["options"]["path"] == "$DASHBOARDS_PATH"
    assert provider["allowUiUpdates"] is False
    assert provider["disableDeletion"] is True


def test_uids() -> None:
    for file in FILES:
        uid = load(file)["uid"]
        assert uid == file.stem
        assert re.fullmatch(r"[a-z0-9-]{1,40}", uid)


def test_the_dashboard_starts_with_the_provisioned_source() -> None:
    for file in FILES:
        first = load(file)["templating"]["list"][0]
        assert (first["name"], first["type"], first["query"]) == ("datasource", "datasource", "prometheus")
        assert first["current"]["value"] == "prometheus"


# What calls out unless it is told not to, in any Grafana from 9.4 to 12: usage statistics, looks for updates, the
# news, avatars, snapshots and migrations to other hosts, and whatever has to do with plugins from the catalogue.
QUIET = {
    "GF_ANALYTICS_REPORTING_ENABLED": "false",
    "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
    "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
    "GF_ANALYTICS_FEEDBACK_LINKS_ENABLED": "false",
    "GF_NEWS_NEWS_FEED_ENABLED": "false",
    "GF_SECURITY_DISABLE_GRAVATAR": "true",
    "GF_SNAPSHOTS_EXTERNAL_ENABLED": "false",
    "GF_CLOUD_MIGRATION_ENABLED": "false",
    "GF_PLUGINS_PREINSTALL_DISABLED": "true",
    "GF_PLUGINS_PREINSTALL_AUTO_UPDATE": "false",
    "GF_PLUGINS_PLUGIN_ADMIN_ENABLED": "false",
    "GF_PLUGINS_PUBLIC_KEY_RETRIEVAL_DISABLED": "true",
}
CLOSED = {
    "GF_AUTH_ANONYMOUS_ENABLED": "false",
    "GF_USERS_ALLOW_SIGN_UP": "false",
    "GF_PUBLIC_DASHBOARDS_ENABLED": "false",
}


def _in_containers() -> dict[str, str]:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    return {name: str(value) for name, value in compose["services"]["grafana"]["environment"].items()}


def _without() -> dict[str, str]:
    return dict(settings.load(ROOT, {"PATH": "/bin"}).process_environment)


@pytest.fixture(params=[_in_containers, _without], ids=["in containers", "without"])
def environment(request: pytest.FixtureRequest) -> dict[str, str]:
    """What Grafana is started with, either way."""
    made: dict[str, str] = request.param()
    return made


def test_grafana_calls_nobody(environment: dict[str, str]) -> None:
    assert {name: environment.get(name) for name in QUIET} == QUIET


def test_grafana_asks_who_is_there(environment: dict[str, str]) -> None:
    assert {name: environment.get(name) for name in CLOSED} == CLOSED
    passwords = {name: value for name, value in environment.items() if "ADMIN_PASSWORD" in name and "GF_" in name}
    (where,) = passwords.values()
    # The one that init makes, from its file: none stands here.
    assert re.fullmatch(r"(\$__file\{)?/.+/grafana/admin_password\}?", where)


def test_grafana_has_no_plugins_of_others(environment: dict[str, str]) -> None:
    installed = [name for name in environment if re.search("INSTALL", name) and name not in QUIET]
    assert not installed
    assert sorted(folder.name for folder in PROVISIONING.iterdir()) == ["dashboards", "datasources"]


def test_the_overview_is_the_home_dashboard(environment: dict[str, str]) -> None:
    home = Path(environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert home.parent == Path(environment["DASHBOARDS_PATH"])
    assert load(ROOT / "grafana" / "dashboards" / home.name)["uid"] == "trading-bot"


def test_dashboards_link_to_each_other() -> None:
    """By a menu of all with the same tag; where a link names one, it exists, and time and source come along."""
    uids = {file.stem for file in FILES}
    assert len(uids) >= 4
    for file in FILES:
        text = file.read_text("utf-8")
        for link in re.findall(r'"url": "([^"]+)"', text):
            assert link.startswith("/d/"), link
            assert re.split("[/?]", link)[2] in uids, link
            assert "${__url_time_range}" in link, link
            assert "${datasource:queryparam}" in link, link
