"""What .env and the shell's environment become."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from native.errors import StackError
from native.settings import SOCKET_LENGTH, Settings, load, read_env
from tests.native.project import ROOT


def settings(folder: Path, env: str = "", shell: dict[str, str] | None = None) -> Settings:
    """Settings of a project in the folder, with this .env."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / "docker-compose.yml", folder)
    (folder / ".env").write_bytes(env.encode())
    return load(folder, shell or {})


def test_env_as_people_write_it(tmp_path: Path) -> None:
    text = (
        "\ufeff# a comment\r\nexport A=1\r\nB = two words \r\nC='single $HOME # kept'\r\n"
        'D="double"\r\nE=\r\nF=value # a comment\r\n'
    )
    (tmp_path / ".env").write_bytes(text.encode())
    assert read_env(tmp_path / ".env") == {
        "A": "1",
        "B": "two words",
        "C": "single $HOME # kept",
        "D": "double",
        "E": "",
        "F": "value",
    }


def test_no_env_is_no_fault(tmp_path: Path) -> None:
    assert read_env(tmp_path / ".env") == {}


def test_bad_line_is_named_without_its_value(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=1\n\nmy secret words\n")
    with pytest.raises(StackError, match=r"^\.env, line 3: not NAME=value") as caught:
        read_env(tmp_path / ".env")
    assert "secret" not in str(caught.value)


def test_defaults_and_the_shell_wins_over_env(tmp_path: Path) -> None:
    found = settings(tmp_path, "GRAFANA_PORT=4000\nRETENTION=10d\nEXPORTER_PORT=\n", {"GRAFANA_PORT": "5000"})
    assert found.ports == {
        "exporter": 8000,
        "responder": 8080,
        "alertmanager": 9093,
        "prometheus": 9090,
        "grafana": 5000,
    }
    assert found.environment["GRAFANA_URL"] == "http://localhost:5000"
    assert found.environment["RETENTION"] == "10d"
    assert found.environment["PROMETHEUS_ADDRESS"] == "127.0.0.1:9090"


@pytest.mark.parametrize("port", ["http", "0", "65536", "-1", "90 90", "٣"])
def test_impossible_port_is_named(tmp_path: Path, port: str) -> None:
    with pytest.raises(StackError, match=r"^PROMETHEUS_PORT in \.env is .*: a port is a number from 1 to 65535\.$"):
        settings(tmp_path, f"PROMETHEUS_PORT={port}\n")


def test_one_port_for_two_is_named(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"^PROMETHEUS_PORT is 8000, which exporter has too"):
        settings(tmp_path, "PROMETHEUS_PORT=8000\n")


def test_grafana_is_set_up_as_in_docker_compose(tmp_path: Path) -> None:
    environment = settings(tmp_path).environment
    assert environment["GF_AUTH_ANONYMOUS_ENABLED"] == "false"
    assert environment["GF_ANALYTICS_REPORTING_ENABLED"] == "false"
    assert environment["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"
    assert environment["GF_SECURITY_ADMIN_PASSWORD"] == f"$__file{{{tmp_path}/.stack/out/grafana/admin_password}}"
    assert not [value for name, value in environment.items() if name.startswith("GF_") and "/etc/grafana" in value]


def test_channels_are_no_reason_to_restart_but_a_bots_password_is(tmp_path: Path) -> None:
    before = settings(tmp_path, "TELEGRAM_BOT_TOKEN=1\nMY_BOT=a\n").process_environment
    assert settings(tmp_path, "TELEGRAM_BOT_TOKEN=2\nMY_BOT=a\n").process_environment == before
    assert settings(tmp_path, "TELEGRAM_BOT_TOKEN=1\nMY_BOT=b\n").process_environment != before


def test_processes_get_little_of_the_shell_and_no_channel_secret(tmp_path: Path) -> None:
    env = "MY_BOT='a b'\nTZ=Asia/Tokyo\nSMTP_PASSWORD=x\nGRAFANA_ADMIN_PASSWORD=y\nRESPONDER_PASSWORD=z\n"
    found = settings(tmp_path, env, {"PATH": "/bin", "LC_ALL": "C", "HOMEBREW_TOKEN": "t", "MY_BOT": "wins"})
    assert found.inherited == {"PATH": "/bin", "LC_ALL": "C"}
    assert found.process_environment["MY_BOT"] == "wins"
    assert found.process_environment["WITHOUT_DOTENV"] == "-u MY_BOT"
    assert (
        not {"SMTP_PASSWORD", "GRAFANA_ADMIN_PASSWORD", "RESPONDER_PASSWORD", "HOMEBREW_TOKEN"}
        & found.process_environment.keys()
    )


def test_control_socket_of_a_long_path_is_short(tmp_path: Path) -> None:
    far = settings(tmp_path / ("long " * 20))
    assert len(str(far.socket)) <= SOCKET_LENGTH
    assert far.socket != settings(tmp_path / ("longer " * 20)).socket
