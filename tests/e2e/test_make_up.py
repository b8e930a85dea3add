"""`make up` without containers, as a person sees it: in a fresh copy of the project, on free ports."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from native.errors import StackError
from native.settings import SERVICES, load
from native.stack import Stack
from tests.binaries import binary
from tests.native.project import Project
from tests.stack import wait_for

RULE = "groups:\n  - name: new\n    rules:\n      - {record: brand_new, expr: vector(1)}\n"
BOT_WITH_PASSWORD = (
    "bots:\n  - {name: x, type: freqtrade, url: 'http://127.0.0.1:1', username: u, password_env: ONLY_IN_THE_SHELL}\n"
)
GOOD = "bots:\n  - {name: demo, type: demo}\n"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A fresh copy in a folder with a space; Prometheus and Alertmanager are found on PATH."""
    fetched = Path(binary("prometheus")).parent
    environment = {"MODE": "native", "PATH": f"{fetched}:{os.environ['PATH']}", "GRAFANA_HOME": "/none"}
    project = Project(tmp_path_factory.mktemp("make-up") / "my project", environment)
    no_first_start(project)
    yield project
    project.stack("down")


def no_first_start(project: Project) -> None:
    """What only a first start does, test_past.py looks at."""
    (project.folder / ".stack/data/prometheus/wal").mkdir(parents=True)


@pytest.fixture
def stopped(project: Project) -> Iterator[Project]:
    """The project as shipped, not running before or after."""
    project.stack("down")
    project.env()
    project.write("monitoring.yml", GOOD)
    yield project
    project.stack("down")


@pytest.fixture
def running(stopped: Project) -> Project:
    """The project as shipped, up."""
    stopped.up()
    return stopped


def pids(project: Project) -> dict[str, str]:
    log = (project.folder / ".stack/log/supervisord.log").read_text()
    return dict(re.findall(r"spawned: '(\w+)' with pid (\d+)", log))


def listening(project: Project) -> list[str]:
    """The services whose port answers."""
    found = []
    for name, port in project.ports.items():
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                found.append(name)
    return found


def password(project: Project) -> str:
    return (project.folder / ".stack/out/grafana/admin_password").read_text()


def test_up_starts_all_says_where_and_the_bot_is_seen(stopped: Project) -> None:
    output = stopped.up()
    assert "All is healthy" in output
    for name in ("exporter", "responder", "alertmanager", "prometheus"):
        assert f"http://localhost:{stopped.ports[name]}" in output
    without = [line for line in output.splitlines() if line.startswith("Grafana could not be had")]
    assert len(without) == 1
    assert "GRAFANA_HOME" in without[0]
    wait_for("the demo bot in Prometheus", lambda: stopped.query('trading_bot_up{bot="demo"}==1'), 30)
    code, status = stopped.stack("status")
    assert code == 0
    assert status.count(" healthy ") == 4


def test_second_up_changes_nothing(running: Project) -> None:
    before = pids(running), password(running)
    assert "nothing has changed" in running.up()
    assert (pids(running), password(running)) == before


def test_changed_files_are_applied_by_a_reload(running: Project) -> None:
    before = pids(running)
    running.write("monitoring.yml", GOOD + "  - {name: second, type: demo}\n")
    running.env(TELEGRAM_BOT_TOKEN="123456:ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghi", TELEGRAM_CHAT_ID="42")
    assert "Reloaded with a changed configuration: exporter, alertmanager." in running.up()
    assert pids(running) == before
    assert [target["labels"]["instance"] for target in running.get("exporter", "/sd")] == ["demo", "second"]
    assert "telegram" in running.get("alertmanager", "/api/v2/status", password(running))["config"]["original"]


def test_changed_rule_is_read_by_the_same_prometheus(running: Project) -> None:
    before = pids(running)
    running.write("prometheus/rules/new.yml", RULE)
    try:
        assert "Reloaded with a changed configuration: prometheus." in running.up()
        assert pids(running) == before
        assert "brand_new" in str(running.get("prometheus", "/api/v1/rules"))
    finally:
        (running.folder / "prometheus/rules/new.yml").unlink()


def test_refusal_by_prometheus_itself_is_told(running: Project) -> None:
    """Where promtool found no fault."""
    stack = Stack(load(running.folder, running.environment))
    path = stack.settings.out / "prometheus/prometheus.yml"
    path.write_text(path.read_text() + "nonsense: 1\n")
    for _ in range(2):
        with pytest.raises(StackError, match=r"^Prometheus refused its new configuration(.|\n)*nonsense"):
            stack.reload(next(service for service in SERVICES if service.name == "prometheus"))


def test_alertmanager_asks_for_the_password(running: Project) -> None:
    running.check_alertmanagers_password(password(running))


def test_web_pages_can_neither_stop_prometheus_nor_read_it(running: Project) -> None:
    assert running.open_to_web_pages() == []


def test_secrets_are_in_the_environment_of_those_who_need_them(stopped: Project) -> None:
    telegram = "123456:ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghi"
    stopped.env(
        TELEGRAM_BOT_TOKEN=telegram, TELEGRAM_CHAT_ID="42", MY_BOT="'of the bot'", GRAFANA_ADMIN_PASSWORD="pass"
    )
    assert stopped.stack("up", SOME_TOKEN="of the shell")[0] == 0
    found = {name: Path("/proc", pid, "environ").read_text() for name, pid in pids(stopped).items()}
    assert found.keys() == {"exporter", "responder", "alertmanager", "prometheus"}
    assert {name for name, text in found.items() if "MY_BOT=of the bot" in text} == {"exporter"}
    for secret in (telegram, "SOME_TOKEN", "of the shell", "GRAFANA_ADMIN_PASSWORD"):
        assert [name for name, text in found.items() if secret in text] == []


def test_password_that_only_the_shell_has_is_told_as_missing(stopped: Project) -> None:
    stopped.write("monitoring.yml", BOT_WITH_PASSWORD)
    code, output = stopped.stack("up", ONLY_IN_THE_SHELL="x")
    assert code == 1
    assert "password_env names ONLY_IN_THE_SHELL, which is not set; set it in .env" in output


def test_moved_port_restarts_the_processes(running: Project) -> None:
    old = running.ports["prometheus"]
    running.ports["prometheus"] = running.ports["grafana"]
    try:
        running.env(GRAFANA_PORT=old)
        assert "restarting them" in running.up()
        assert running.query("up") is not None
    finally:
        running.ports["prometheus"] = old


def test_refused_configuration_is_told_with_its_line_and_the_old_goes_on(running: Project) -> None:
    running.write("monitoring.yml", "bots:\n  - {name: demo, type: nonsense}\n")
    code, output = running.stack("up")
    assert code == 1
    assert "monitoring.yml:2" in output
    assert running.get("exporter", "/sd")[0]["labels"]["instance"] == "demo"


def test_killed_process_comes_back(running: Project) -> None:
    os.kill(int(pids(running)["exporter"]), signal.SIGKILL)
    wait_for("the exporter's end", lambda: "exporter" not in listening(running) or None, 10, every=0.02)
    wait_for("the exporter's return", lambda: running.get("exporter", "/-/healthy"), 20)


def test_a_test_message_is_sent_beside_what_runs(running: Project) -> None:
    running.env(TELEGRAM_BOT_TOKEN="123456:secret-token", TELEGRAM_CHAT_ID="42", TELEGRAM_API_URL="http://127.0.0.1:1")
    running.up()
    before = pids(running)
    code, output = running.make("test-alert")
    assert code != 0
    assert "\nTelegram, chat 42: FAILED: dial tcp 127.0.0.1:1: connect: connection refused." in output
    assert "\nSlack: left out. To switch it on" in output
    assert "\nInbox: delivered\n" in output
    assert "secret-token" not in output
    assert pids(running) == before
    assert running.get("alertmanager", "/api/v2/alerts?filter=alertname=TestMessage", password(running)) == []
    code, output = running.stack("test-alert", CHANNEL="inbox")
    assert (code, output.splitlines()[1:]) == (0, ["Inbox: delivered"])
    assert "nothing has changed" in running.up()


def test_without_the_stack_no_test_message_is_sent(stopped: Project) -> None:
    assert stopped.stack("test-alert") == (1, "Nothing runs. Start it with: make up\n")


def test_port_in_use_is_told_and_nothing_starts(stopped: Project) -> None:
    port = stopped.ports["prometheus"]
    with socket.create_server(("127.0.0.1", port)):
        code, output = stopped.stack("up")
    assert code == 1
    assert re.search(
        rf"^Prometheus needs port {port}, which is in use by \S+ \(pid {os.getpid()}\)\. "
        r"Stop that, or set PROMETHEUS_PORT in \.env to a free port\.$",
        output,
        re.MULTILINE,
    ), output
    assert listening(stopped) == []


def test_env_that_others_may_read_is_told(stopped: Project) -> None:
    warning = "Others on this machine may read .env, which holds secrets. Close it: chmod 600 .env\n"
    stopped.write("monitoring.yml", "nonsense")
    assert warning not in stopped.stack("up")[1]
    for mode in (0o640, 0o604):
        (stopped.folder / ".env").chmod(mode)
        assert stopped.stack("up")[1].count(warning) == 1


def test_what_it_makes_is_the_owners_alone(stopped: Project) -> None:
    (stopped.folder / ".stack").chmod(0o755)
    stopped.up()
    modes = {name: (stopped.folder / name).stat().st_mode & 0o777 for name in (".stack", ".stack/run", ".stack/lock")}
    assert modes == {".stack": 0o700, ".stack/run": 0o700, ".stack/lock": 0o600}


def test_second_up_at_the_same_time_is_sent_away(stopped: Project) -> None:
    stopped.up()
    with (stopped.folder / ".stack/lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert stopped.stack("up") == (1, "Another `make up` or `make down` is at work here. Wait for its end.\n")


def test_service_that_cannot_start_is_named_with_its_words_and_nothing_stays(stopped: Project) -> None:
    # Prometheus can't open its data where a file stands in a folder's place.
    data = stopped.folder / ".stack/data/prometheus"
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(parents=True)
    (data / "wal").write_text("")
    code, output = stopped.stack("up")
    assert code == 1
    assert "Prometheus ended at its start. Its last lines:" in output
    assert "wal" in output
    shutil.rmtree(data)
    no_first_start(stopped)
    assert listening(stopped) == []
    assert stopped.stack("status")[0] == 1


def test_check_knows_the_passwords_of_env(stopped: Project) -> None:
    bot = "bots: [{name: mine, type: freqtrade, url: 'http://127.0.0.1:1', username: u, password_env: MY_PASSWORD}]"
    stopped.write("monitoring.yml", bot)
    assert "MY_PASSWORD, which is not set; set it in .env" in stopped.make("check")[1]
    stopped.env(MY_PASSWORD="secret")
    assert stopped.make("check") == (0, "monitoring.yml: OK, 1 bot\n.env: OK\n")
    stopped.env(MY_PASSWORD="secret", SMTP_HOST="mail.example.org")
    assert "SMTP_FROM and SMTP_TO are not set, which email needs" in stopped.make("check")[1]


def test_a_wrong_retention_is_told_before_anything_stops(running: Project) -> None:
    running.env(RETENTION="ever")
    code, output = running.stack("up")
    assert code == 1
    assert "RETENTION is 'ever'" in output
    assert running.stack("status")[0] == 0


def test_missing_python_and_engine_are_told(stopped: Project, tmp_path: Path) -> None:
    for name in ("bash", "dirname", "cat", "env"):
        for folder in ("/usr/bin", "/bin"):
            if Path(folder, name).exists() and not (tmp_path / name).exists():
                (tmp_path / name).symlink_to(Path(folder, name))
    environment = {"PATH": str(tmp_path), "PYTHON": ""}
    venv = stopped.folder / ".venv"
    venv.rename(stopped.folder / ".venv-away")
    try:
        code, output = stopped.stack("up", **environment)
        assert (code, output) == (
            1,
            "Python 3.11 or newer is needed, and not found. Install it, or name it: PYTHON=/path/to/python3 make up\n",
        )
    finally:
        (stopped.folder / ".venv-away").rename(venv)
    code, output = stopped.stack("up", **environment | {"MODE": "docker"})
    assert code == 1
    assert output.startswith("Docker is not installed")


def test_down_stops_all_and_says_when_nothing_runs(running: Project) -> None:
    assert running.stack("down") == (0, "Stopped. Data and passwords are kept in .stack.\n")
    assert listening(running) == []
    assert running.stack("down") == (0, "Nothing runs.\n")
    code, output = running.stack("logs", "prometheus")
    assert code == 0
    assert "Server is ready" in output
