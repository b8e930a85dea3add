"""What Grafana reads at its start."""

from __future__ import annotations

import re
from typing import Any

import yaml

from exporter.metrics import GROUPS
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
