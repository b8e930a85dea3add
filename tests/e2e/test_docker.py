"""`make up` in containers, by a real engine: `make test-docker`. Without one the tests are skipped, with the reason."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.native.project import ROOT, Project
from tests.stack import wait_for

RULE = "groups:\n  - name: new\n    rules:\n      - {record: brand_new, expr: vector(1)}\n"
GOOD = "bots:\n  - {name: demo, type: demo}\n"
LIMIT_BYTES = 500 * 1000 * 1000
# They end by themselves.
ONCE = ("init", "past")


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)


def reason_to_skip() -> str:
    """Why the stack can't be run in containers here; nothing where it can."""
    if not shutil.which("docker") or run("docker", "info").returncode:
        return "no Docker engine answers here"
    if run("docker", "compose", "version").returncode:
        return "Docker has no compose plugin here"
    wanted = [image for image in run("docker", "compose", "config", "--images").stdout.split() if "/" in image]
    base = next(line.split()[1] for line in (ROOT / "Dockerfile").read_text().splitlines() if line.startswith("FROM"))
    for image in {base, *wanted}:
        if image.startswith("grafana/"):  # `make up` goes on without it
            continue
        if run("docker", "image", "inspect", image).returncode and run("docker", "pull", "-q", image).returncode:
            return f"the image {image} is not here and can't be pulled"
    return ""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A fresh copy in a folder with a space, as a compose project of its own."""
    reason = reason_to_skip()
    if reason:
        pytest.skip(reason)
    environment = {"MODE": "docker", "COMPOSE_PROJECT_NAME": f"monitoring-test-{uuid.uuid4().hex[:8]}"}
    project = Project(tmp_path_factory.mktemp("docker") / "my project", environment)
    project.write("monitoring.yml", GOOD)
    yield project
    compose(project, "down", "-v", "--remove-orphans", "-t", "2")


@pytest.fixture(scope="module")
def running(project: Project) -> Project:
    output = project.up()
    for name in ("exporter", "responder", "alertmanager", "prometheus"):
        assert f"http://localhost:{project.ports[name]}" in output
    assert "the demo bot's past 30 days are being made" in output
    return project


def compose(project: Project, *arguments: str) -> str:
    done = subprocess.run(
        ["docker", "compose", *arguments],
        cwd=project.folder,
        env=project.environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def containers(project: Project) -> dict[str, Any]:
    """What the engine says of each container, by service."""
    found = json.loads(run("docker", "inspect", *compose(project, "ps", "-aq").split()).stdout)
    return {container["Config"]["Labels"]["com.docker.compose.service"]: container for container in found}


def password(project: Project) -> str:
    return compose(project, "run", "--rm", "--no-deps", "-T", "init", "cat", "/out/grafana/admin_password")


def test_port_in_use_is_told_and_nothing_starts(project: Project) -> None:
    port = project.ports["prometheus"]
    with socket.create_server(("127.0.0.1", port)):
        code, output = project.stack("up")
    assert code == 1
    assert f"Prometheus needs port {port}, which is in use" in output
    assert "set PROMETHEUS_PORT in .env to a free port." in output
    assert compose(project, "ps", "-aq") == ""


def test_fault_in_monitoring_yml_is_told_and_nothing_starts(project: Project) -> None:
    project.write("monitoring.yml", "bots:\n  - {name: demo, type: nonsense}\n")
    code, output = project.stack("up")
    project.write("monitoring.yml", GOOD)
    assert code == 1
    assert "monitoring.yml:2" in output
    assert compose(project, "ps", "-aq") == ""


def test_files_that_the_containers_may_not_read_are_told_and_nothing_starts(project: Project) -> None:
    """As a checkout under a strict umask leaves them."""
    rules = project.folder / "prometheus/rules/bot.yml"
    rules.chmod(0o600)
    code, output = project.stack("up")
    rules.chmod(0o644)
    assert code == 1
    assert "may not read prometheus/rules/bot.yml" in output
    assert compose(project, "ps", "-aq") == ""


def test_all_are_healthy_and_the_bot_is_seen(running: Project) -> None:
    assert running.get("exporter", "/-/healthy")
    assert running.get("responder", "/-/healthy")
    assert running.get("alertmanager", "/-/healthy", password(running))
    wait_for("the demo bot in Prometheus", lambda: running.query('trading_bot_up{bot="demo"}==1'), 30)
    code, status = running.stack("status")
    assert code == 0, status
    states = {name: container["State"] for name, container in containers(running).items()}
    assert states.pop("init")["ExitCode"] == 0
    del states["past"]
    assert {state["Health"]["Status"] for state in states.values()} == {"healthy"}


def test_the_demo_bots_past_comes_beside_what_runs(running: Project) -> None:
    def seen() -> bool:
        assert "could not be" not in compose(running, "logs", "past")
        return bool(running.query("count_over_time((bot:health:bool==1)[30d:5m])>30*288-10"))

    wait_for("the past", seen, 300, every=1)
    wait_for("its end", lambda: containers(running)["past"]["State"]["Status"] == "exited", 60)
    assert "past is made" in running.stack("logs", "past")[1]


def test_every_scrape_target_is_up(running: Project) -> None:
    def targets() -> list[Any]:
        found: list[Any] = running.get("prometheus", "/api/v1/targets?state=active")["data"]["activeTargets"]
        return found if found and all(target["health"] == "up" for target in found) else []

    # The group model is collected every 120 s.
    assert {target["labels"]["job"] for target in wait_for("all targets are up", targets, 150)} >= {"bot", "trading"}


def test_containers_can_do_little(running: Project) -> None:
    for name, container in containers(running).items():
        host = container["HostConfig"]
        # The exporter sees the machine's processes: those of its own user would be open to it.
        user = "65533" if name == "exporter" else "65534"
        assert container["Config"]["User"].split(":")[0] == user, name
        assert host["ReadonlyRootfs"], name
        assert host["CapDrop"] == ["ALL"], name
        assert host["SecurityOpt"] == ["no-new-privileges:true"], name
        assert host["PidsLimit"] == (2048 if name == "exporter" else 256), name
        assert all("size=" in options for options in host["Tmpfs"].values()), name
        assert host["LogConfig"]["Config"] == {"max-file": "3", "max-size": "10m"}, name
        published = [binding for ports in host["PortBindings"].values() for binding in ports]
        assert {binding["HostIp"] for binding in published} <= {"127.0.0.1"}, name
        if name not in ONCE:
            users = run("docker", "top", container["Id"], "-eo", "uid,pid").stdout.splitlines()[1:]
            assert {line.split()[0] for line in users} == {user}, name
            assert host["RestartPolicy"]["Name"] == "unless-stopped", name


# Runs as the exporter: what it has of .env, and what runs in the processes whose files are open to it.
LOOK = """
import json, os
from pathlib import Path
Path("/data/kept").write_text("1")
names = [name for name in ("TELEGRAM_BOT_TOKEN", "GRAFANA_ADMIN_PASSWORD", "MY_BOT") if os.environ[name]]
open_to_it = [path.parent / "cmdline" for path in Path("/host/proc").glob("[0-9]*/root") if os.access(path, os.X_OK)]
commands = [path.read_text().split("\\0") for path in open_to_it]
print(json.dumps([names, [command[2] for command in commands if "-c" not in command]]))
"""


def test_the_exporter_has_no_secrets_of_others(running: Project) -> None:
    running.env(TELEGRAM_BOT_TOKEN="1:x", TELEGRAM_CHAT_ID="42", GRAFANA_ADMIN_PASSWORD="x" * 20, MY_BOT="y")
    try:
        seen = compose(running, "run", "--rm", "--no-deps", "-T", "exporter", "python", "-c", LOOK)
    finally:
        running.env()
    assert json.loads(seen) == [["MY_BOT"], ["exporter"]]


def test_memory_limits_add_up_to_less_than_500_mb(project: Project) -> None:
    services = json.loads(compose(project, "config", "--format", "json"))["services"]
    limits = {name: int(service["mem_limit"]) for name, service in services.items() if name not in ONCE}
    assert sum(limits.values()) <= LIMIT_BYTES, limits
    assert [name for name, service in services.items() if service.get("image", "").endswith("latest")] == []


def test_second_up_changes_nothing(running: Project) -> None:
    def started() -> dict[str, str]:
        return {name: one["State"]["StartedAt"] for name, one in containers(running).items() if name not in ONCE}

    before = started(), password(running)
    output = running.up()
    assert "All is healthy" in output
    assert "past" not in output
    assert (started(), password(running)) == before


def test_another_checkout_leaves_it_alone_and_says_where_it_is(running: Project, tmp_path: Path) -> None:
    other = Project(tmp_path / "other", running.environment)
    before = containers(running)
    for mode in ("docker", ""):
        code, output = other.stack("up", MODE=mode)
        assert code == 1
        assert "Another checkout of this project runs in Docker" in output
        assert f"make -C '{running.folder}' down" in output
    assert other.stack("down") == (0, f"Nothing runs.\nWhat runs in Docker is another checkout's: {running.folder}\n")
    assert containers(running).keys() == before.keys()
    assert running.stack("status")[0] == 0


def test_changed_files_are_applied_without_a_restart_of_prometheus(running: Project) -> None:
    before = containers(running)["prometheus"]["State"]["StartedAt"]
    running.write("monitoring.yml", GOOD + "  - {name: second, type: demo}\n")
    running.env(TELEGRAM_BOT_TOKEN="123456:ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghi", TELEGRAM_CHAT_ID="42")
    output = running.up()
    assert "Telegram: on" in output
    assert [target["labels"]["instance"] for target in running.get("exporter", "/sd")] == ["demo", "second"]
    assert "telegram" in running.get("alertmanager", "/api/v2/status", password(running))["config"]["original"]
    assert containers(running)["prometheus"]["State"]["StartedAt"] == before


def test_a_test_message_is_sent_beside_what_runs(running: Project) -> None:
    running.env(TELEGRAM_BOT_TOKEN="123456:secret-token", TELEGRAM_CHAT_ID="42", TELEGRAM_API_URL="http://127.0.0.1:1")
    running.up()
    before = containers(running)
    code, output = running.stack("test-alert")
    after = containers(running)
    running.env()
    running.up()
    assert code == 1
    assert "\nTelegram, chat 42: FAILED: dial tcp 127.0.0.1:1: connect: connection refused." in output
    assert "\nSlack: left out. To switch it on" in output
    assert "\nInbox: delivered\n" in output
    assert "secret-token" not in output
    assert {name: one["Id"] for name, one in after.items()} == {name: one["Id"] for name, one in before.items()}
    assert run("docker", "ps", "-aq", "--filter", "name=test-alert-").stdout == ""
    assert running.get("alertmanager", "/api/v2/alerts?filter=alertname=TestMessage", password(running)) == []


def test_changed_rule_is_read_and_a_refused_one_is_told(running: Project) -> None:
    before = containers(running)["prometheus"]["State"]["StartedAt"]
    running.write("prometheus/rules/new.yml", RULE)
    running.up()
    assert "brand_new" in str(running.get("prometheus", "/api/v1/rules"))
    running.write("prometheus/rules/new.yml", RULE.replace("vector(1)", "vector("))
    code, output = running.stack("up")
    (running.folder / "prometheus/rules/new.yml").unlink()
    assert code == 1
    assert "Prometheus refused its new configuration and keeps the old" in output
    assert "rules/new.yml" in output
    assert containers(running)["prometheus"]["State"]["StartedAt"] == before


def test_alertmanager_asks_for_the_password(running: Project) -> None:
    running.check_alertmanagers_password(password(running))


def test_web_pages_can_neither_stop_prometheus_nor_read_it(running: Project) -> None:
    assert running.open_to_web_pages() == []


def test_down_removes_the_containers_and_keeps_the_data(running: Project) -> None:
    before = password(running)
    code, output = running.stack("down")
    assert code == 0, output
    assert compose(running, "ps", "-aq") == ""
    assert password(running) == before
    assert running.stack("down") == (0, "Nothing runs.\n")
