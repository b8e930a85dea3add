"""`python -m init`: what it writes, keeps, removes, refuses and prints."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import bcrypt
import pytest
import yaml

from init.faults import Faults
from init.files import File, write_all
from init.run import ROOT, run
from tests.binaries import binary

ALL = {
    "TELEGRAM_BOT_TOKEN": "123456:AA-secret_token",
    "TELEGRAM_CHAT_ID": "4711,-100222:42",
    "SLACK_WEBHOOK_URL": "https://hooks.example.org/secret-path",
    "SMTP_HOST": "mail.example.org",
    "SMTP_FROM": "a@example.org",
    "SMTP_TO": "b@example.org,c@example.org",
    "SMTP_USERNAME": "user",
    "SMTP_PASSWORD": "pa$$ \"word\" 'of' mine",
    "DISCORD_WEBHOOK_URL": "https://discord.example.org/secret-path",
    "WEBHOOK_URL": "https://hook.example.org/secret-path",
    "WEBHOOK_TOKEN": "secret-webhook-token",
    "SMS_URL": "twilio://AC0123456789abcdef0123456789abcdef:secret0of0sms@+4915100000000/{to}",
    "PHONE_URL": "twilio://AC0123456789abcdef0123456789abcdef:secret0of0calls@+4915100000000/{to}?method=call",
    "HEARTBEAT_URL": "https://heartbeat.example.org/secret-uuid",
    "GRAFANA_ADMIN_PASSWORD": "my own password",
}
SECRETS = {
    "telegram_bot_token": ALL["TELEGRAM_BOT_TOKEN"],
    "telegram_chat_id": "4711",
    "telegram_chat_id_2": "-100222",
    "slack_webhook_url": ALL["SLACK_WEBHOOK_URL"],
    "smtp_password": ALL["SMTP_PASSWORD"],
    "discord_webhook_url": ALL["DISCORD_WEBHOOK_URL"],
    "webhook_url": ALL["WEBHOOK_URL"],
    "webhook_token": ALL["WEBHOOK_TOKEN"],
    "heartbeat_url": ALL["HEARTBEAT_URL"],
}
NUMBER = "+4915100000001"
MONITORING = f"""
timezone: America/New_York
contacts:
  administrator: [{{name: Me, sms: "{NUMBER}"}}]
  manager:
    - {{name: Anna, phone: "{NUMBER}", sms: "{NUMBER}", email: anna@example.org}}
    - {{name: Carl, sms: "{NUMBER}"}}
channels: {{warning: [telegram, phone], info: [phone]}}
quiet_hours: {{from: "22:00", to: "07:00"}}
"""


def tree(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    """Content, mode and time of change of each file."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mode & 0o777, path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_alertmanager_asks_for_grafanas_password(tmp_path: Path) -> None:
    def hashed() -> bytes:
        users = yaml.safe_load((tmp_path / "alertmanager" / "web.yml").read_text())["basic_auth_users"]
        assert users.keys() == {"admin"}
        return bytes(users["admin"], "ascii")

    run({}, tmp_path)
    made = (tmp_path / "grafana" / "admin_password").read_bytes()
    first = hashed()
    assert bcrypt.checkpw(made, first)
    config = yaml.safe_load((tmp_path / "prometheus" / "prometheus.yml").read_text())
    job = next(job for job in config["scrape_configs"] if job["job_name"] == "alertmanager")
    for asked in (job, config["alerting"]["alertmanagers"][0]):
        assert Path(asked["basic_auth"]["password_file"]).read_bytes() == made
    run({}, tmp_path)
    assert hashed() == first
    (tmp_path / "grafana" / "admin_password").unlink()
    run({"GRAFANA_ADMIN_PASSWORD": "pässword: €"}, tmp_path)
    assert bcrypt.checkpw("pässword: €".encode(), hashed())
    with pytest.raises(Faults, match=r"GRAFANA_ADMIN_PASSWORD is over 72 bytes long"):
        run({"GRAFANA_ADMIN_PASSWORD": "x" * 73}, tmp_path / "another")


def test_broken_hash_is_made_anew(tmp_path: Path) -> None:
    run({}, tmp_path)
    path = tmp_path / "alertmanager" / "web.yml"
    right = path.read_text()
    for text in ("", "[", "basic_auth_users: {admin: nonsense}", "basic_auth_users: 1"):
        path.write_text(text)
        run({}, tmp_path)
        assert path.read_text()[:40] == right[:40] and "$2b$10$" in path.read_text()


def test_all_channels(tmp_path: Path) -> None:
    out = tmp_path / "out"
    monitoring = tmp_path / "monitoring.yml"
    monitoring.write_text(MONITORING)
    lines = run(ALL, out, monitoring=monitoring)
    secrets = out / "alertmanager" / "secrets"
    token = (out / "responder" / "token").read_text()
    assert {path.name: path.read_text() for path in secrets.iterdir()} == {**SECRETS, "responder_token": token}
    assert len(token) >= 40
    text = (out / "alertmanager" / "alertmanager.yml").read_text()
    config = yaml.safe_load(text)
    assert config["global"] == {
        "http_config": {"follow_redirects": False},
        "telegram_api_url": "https://api.telegram.org",
        "telegram_bot_token_file": str(secrets / "telegram_bot_token"),
        "slack_api_url_file": str(secrets / "slack_webhook_url"),
        "smtp_smarthost": "mail.example.org:587",
        "smtp_from": "a@example.org",
        "smtp_require_tls": True,
        "smtp_auth_username": "user",
        "smtp_auth_password_file": str(secrets / "smtp_password"),
    }
    receivers = {
        receiver["name"].partition("email-sms-telegram-slack/")[2]: receiver for receiver in config["receivers"]
    }
    chats = receivers["telegram"]["telegram_configs"]
    assert [(c["chat_id_file"], c.get("message_thread_id")) for c in chats] == [
        (str(secrets / "telegram_chat_id"), None),
        (str(secrets / "telegram_chat_id_2"), 42),
    ]
    assert [c["to"] for c in receivers["email"]["email_configs"]] == ["b@example.org", "c@example.org"]
    assert (out / "grafana" / "admin_password").read_text() == ALL["GRAFANA_ADMIN_PASSWORD"]
    assert "America/New_York" in (out / "alertmanager" / "templates" / "timezone.tmpl").read_text()
    assert (out / "responder" / "timezone").read_text() == "America/New_York"
    assert lines == [
        "Telegram: on, 2 chats",
        "Slack: on, #trading-alerts",
        "Email: on, to b@example.org, c@example.org by mail.example.org",
        "Discord: on",
        "Webhook: on, to hook.example.org with its token",
        "SMS: on, by twilio, 3 numbers",
        "Phone: on, by twilio, 1 number",
        "Heartbeat: on",
        "Inbox: always on, http://localhost:8080, password: that of Grafana",
        "Administrator: Me by SMS",
        "Manager: Anna by phone, SMS, email; Carl by SMS",
        "Technical lead: nobody; who is asked instead: Anna, Carl (manager)",
        "Emergency contact: nobody; who is asked instead: Anna, Carl (manager)",
        "Risk manager: nobody; who is asked instead: Anna, Carl (manager)",
        "Warning: by Telegram (phone left out)",
        "Info: by what is there (phone left out)",
        "Quiet hours: 22:00 to 07:00 America/New_York, for what is no critical; the inbox hears it at once",
        "Webhooks by kind: left out. To tell programs of trades, alerts or reports, see docs/webhooks.md",
        f"Grafana and Alertmanager: user admin, password in {out / 'grafana' / 'admin_password'}",
        "Links in messages lead to localhost, which no phone opens: docs/channels.md#links-that-work-on-your-phone",
    ]
    for secret in (*SECRETS.values(), token, ALL["GRAFANA_ADMIN_PASSWORD"]):
        assert secret not in text
        assert secret not in "\n".join(lines)


def test_the_inbox_has_grafanas_password_or_its_own(tmp_path: Path) -> None:
    run({}, tmp_path)
    made = (tmp_path / "grafana" / "admin_password").read_text()
    assert (tmp_path / "responder" / "password").read_text() == made
    lines = run({"RESPONDER_PASSWORD": "my own"}, tmp_path)
    assert (tmp_path / "responder" / "password").read_text() == "my own"
    assert (tmp_path / "responder" / "alertmanager_password").read_text() == made
    assert "Inbox: always on, http://localhost:8080, password: RESPONDER_PASSWORD" in lines
    run({}, tmp_path)
    assert (tmp_path / "responder" / "password").read_text() == made


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(ALL, out)
    shared = out / "grafana" / "admin_password"
    for path in out.rglob("*"):
        others = path.stat().st_mode & 0o077
        if path == shared:
            assert path.stat().st_mode & 0o777 == 0o444
        elif path == shared.parent:
            assert path.stat().st_mode & 0o777 == 0o755
        else:
            assert others == 0, path
    assert out.stat().st_mode & 0o077 == 0


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    run(ALL, tmp_path)
    before = tree(tmp_path)
    run(ALL, tmp_path)
    assert tree(tmp_path) == before


def test_passwords_are_made_once_and_a_channel_given_up_leaves_no_secret(tmp_path: Path) -> None:
    lines = run({}, tmp_path)
    made = [(tmp_path / name).read_text() for name in ("grafana/admin_password", "responder/token")]
    assert "Slack: left out. To switch it on, set SLACK_WEBHOOK_URL in .env" in lines
    assert {path.name for path in (tmp_path / "alertmanager" / "secrets").iterdir()} == {"responder_token"}
    run({**ALL, "GRAFANA_ADMIN_PASSWORD": ""}, tmp_path)
    run({}, tmp_path)
    assert {path.name for path in (tmp_path / "alertmanager" / "secrets").iterdir()} == {"responder_token"}
    assert [(tmp_path / name).read_text() for name in ("grafana/admin_password", "responder/token")] == made


def test_grafanas_password_is_the_one_of_its_first_start(tmp_path: Path) -> None:
    run({"GRAFANA_ADMIN_PASSWORD": "the first"}, tmp_path)
    lines = run({"GRAFANA_ADMIN_PASSWORD": "another"}, tmp_path)
    assert (tmp_path / "grafana" / "admin_password").read_text() == "the first"
    assert any("counts at the first start only" in line for line in lines)
    assert not any("the first start only" in line for line in run({"GRAFANA_ADMIN_PASSWORD": "the first"}, tmp_path))


def test_a_fault_leaves_everything_as_it_was(tmp_path: Path) -> None:
    run(ALL, tmp_path)
    before = tree(tmp_path)
    with pytest.raises(Faults):
        run({**ALL, "SMTP_PORT": "0"}, tmp_path)
    assert tree(tmp_path) == before


def test_prometheus_gets_this_machines_addresses(tmp_path: Path) -> None:
    addresses = {"EXPORTER_ADDRESS": "127.0.0.1:18000", "ALERTMANAGER_ADDRESS": "127.0.0.1:19093"}
    run({**addresses, "RESPONDER_ADDRESS": "127.0.0.1:18080"}, tmp_path)
    text = (tmp_path / "prometheus" / "prometheus.yml").read_text()
    config = yaml.safe_load(text)
    assert "exporter:8000" not in text and "http://127.0.0.1:18000/sd" in text
    assert config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] == ["127.0.0.1:19093"]
    assert config["rule_files"] == [str(ROOT / "prometheus" / "rules" / "*.yml")]
    assert config["global"]["external_labels"]["grafana_url"] == "${GRAFANA_URL}"
    routes = (tmp_path / "alertmanager" / "alertmanager.yml").read_text()
    assert "http://127.0.0.1:18080/api/v1/alerts" in routes and "responder:8080" not in routes


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of what init reads, to be changed by a user."""
    for name in ("alertmanager", "prometheus"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "monitoring.yml", tmp_path)
    return tmp_path


def edit(project: Path, old: str, new: str) -> None:
    path = project / "alertmanager" / "alertmanager.yml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_route_to_a_receiver_that_is_not_there(project: Path) -> None:
    edit(project, "  - name: telegram\n", "  - name: renamed\n")
    with pytest.raises(Faults, match="a route names the receiver telegram, which isn't there"):
        run({}, project / "out", project)
    assert not (project / "out").exists()


def test_a_secret_that_is_not_there(project: Path) -> None:
    edit(project, "credentials_file: secrets/responder_token", "credentials_file: secrets/other")
    with pytest.raises(Faults, match=r"credentials_file names .*secrets/other, which isn't there or is empty"):
        run({}, project / "out", project)


def test_a_receiver_of_the_users_own_is_heard_too(project: Path) -> None:
    edit(project, "inhibit_rules:", "  - name: mine\n    slack_configs: [{channel: '#mine'}]\n\ninhibit_rules:")
    run({name: ALL[name] for name in ("TELEGRAM_BOT_TOKEN", "TELEGRAM_CHAT_ID")}, project / "out", project)
    config = yaml.safe_load((project / "out" / "alertmanager" / "alertmanager.yml").read_text())
    mine = {
        receiver["name"]: set(receiver) - {"name"} for receiver in config["receivers"] if "mine" in receiver["name"]
    }
    assert mine == {"mine/telegram": {"telegram_configs"}, "mine/others": {"webhook_configs"}}


def command(environ: dict[str, str], out: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], **environ}
    arguments = [sys.executable, "-m", "init", "--out", str(out)]
    return subprocess.run(arguments, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_the_command(tmp_path: Path) -> None:
    done = command(ALL, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Telegram: on, 2 chats" in done.stdout
    done = command({**ALL, "SMTP_PORT": "x", "SMTP_REQUIRE_TLS": "x"}, tmp_path)
    assert done.returncode == 1
    assert "SMTP_PORT" in done.stderr and "SMTP_REQUIRE_TLS" in done.stderr and "Nothing was changed" in done.stderr
    assert not any(secret in done.stdout + done.stderr for secret in SECRETS.values() if len(secret) > 8)


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = command({}, tmp_path / "file" / "out")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr and str(tmp_path / "file") in done.stderr


def test_amtool_is_asked_where_it_is_there(project: Path) -> None:
    path = {"PATH": str(Path(binary("amtool")).parent)}
    run({**ALL, **path}, project / "out", project)
    before = tree(project / "out")
    edit(project, "group_wait: 30s\n", "group_wait: soon\n")
    with pytest.raises(Faults, match=r"amtool refuses the rendered alertmanager\.yml: "):
        run({**ALL, **path}, project / "out", project)
    assert tree(project / "out") == before


def test_what_cannot_be_written_or_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "alertmanager").write_text("a file where a folder should be")
    with pytest.raises(Faults, match="can't be written"):
        run({}, tmp_path)
    (tmp_path / "responder" / "token").unlink(missing_ok=True)
    (tmp_path / "responder" / "token").parent.mkdir(exist_ok=True)
    (tmp_path / "responder" / "token").mkdir()
    with pytest.raises(Faults, match="can't be read"):
        run({}, tmp_path)


@pytest.mark.parametrize("text", ["- a list", "a: b: c", ""])
def test_a_committed_file_that_is_no_configuration_is_said(project: Path, text: str) -> None:
    (project / "prometheus" / "prometheus.yml").write_text(text)
    with pytest.raises(Faults, match=r"prometheus\.yml"):
        run({}, project / "out", project)


def test_what_can_not_be_written_is_known_before_the_first_is(tmp_path: Path) -> None:
    files = {tmp_path / "first": File("a"), tmp_path / "second": File("p\udcfcss")}
    with pytest.raises(Faults, match="second can't be written: what it is made of has bytes that are no UTF-8"):
        write_all(files)
    assert list(tmp_path.iterdir()) == []
