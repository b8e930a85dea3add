"""What docker-compose.yml gives the exporter, against what the exporter needs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter import bots, server
from native.settings import RELOADABLE

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def exporter() -> dict[str, Any]:
    service: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["exporter"]
    return service


def test_it_gets_of_env_what_it_gets_without_containers(exporter: dict[str, Any]) -> None:
    """Not what is for the channels and for Grafana alone: an empty value hides the one in .env."""
    known = "".join((ROOT / name).read_text() for name in (".env.example", "init/settings.py"))
    names = {name for name in re.findall(r"\b[A-Z][A-Z_]+\b", known) if name.startswith(RELOADABLE)}
    assert exporter["environment"] == dict.fromkeys(names, "")


def test_it_may_have_as_many_threads_as_can_hang_at_once(exporter: dict[str, Any]) -> None:
    """Of the server, of readings with a timer each, and of the most disks; what is left is for probes."""
    assert exporter["pids_limit"] > server._SETTINGS["threads"] + 2 * bots._MOST_THREADS + 20 + 256


def test_its_data_folder_is_its_users_and_no_other_service_runs_as_that(exporter: dict[str, Any]) -> None:
    """It sees the machine's /proc, which opens to it the files and variables of its own user's processes."""
    text = (ROOT / "docker-compose.yml").read_text()
    user, _, group = exporter["user"].partition(":")
    services = {name: service for name, service in yaml.safe_load(text)["services"].items() if "user" in service}
    assert [name for name, service in services.items() if service["user"].startswith(user)] == ["exporter"]
    assert f"-o {user} -g {group} -m 0700 /data " in (ROOT / "Dockerfile").read_text()
