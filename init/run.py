"""All steps in their order: read and check, render, check again, and only then write."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from init import access, alertmanager, prometheus, secrets, timezone, webhooks
from init.faults import Faults
from init.files import File, remove_others, write_all
from init.settings import SERVICES, Settings, read

ROOT = Path(__file__).resolve().parent.parent


def run(environ: Mapping[str, str], out: Path, root: Path = ROOT, monitoring: Path | None = None) -> list[str]:
    """Writes everything below `out` and returns what to tell the user. Raises Faults, with nothing changed.

    `monitoring` is monitoring.yml, if it isn't the one of the project.
    """
    settings = read(environ)
    zone = timezone.configured(monitoring or root / "monitoring.yml")
    told = webhooks.render(monitoring or root / "monitoring.yml", environ)
    out = out.resolve()
    folder = out / "alertmanager"
    token_file = out / "responder" / "token"
    password_file = out / "grafana" / "admin_password"
    token = secrets.kept(token_file) or secrets.made()
    # Grafana takes its password at its first start only: what it was given then must stay to be found.
    password = secrets.kept(password_file) or settings.grafana_password or secrets.made()
    routes = alertmanager.render(root / "alertmanager" / "alertmanager.yml", settings, folder, token)
    web_file = folder / "web.yml"
    password_copy = out / "prometheus" / "alertmanager_password"
    scrapes = prometheus.render(root / "prometheus" / "prometheus.yml", settings.addresses, SERVICES, password_copy)
    templates = {
        folder / "templates" / path.name: path.read_text(encoding="utf-8")
        for path in sorted((root / "alertmanager" / "templates").glob("*.tmpl"))
    }
    templates[folder / "templates" / "links.tmpl"] = alertmanager.links(settings.responder_url)
    templates[folder / "templates" / "timezone.tmpl"] = timezone.render(zone, dt.datetime.now(dt.UTC))
    # The configuration comes last: what it names is there when it is.
    files = {path: File(content) for path, content in {**routes.secrets, **templates}.items()}
    files[token_file] = File(token)
    files[out / "responder" / "timezone"] = File(zone)
    files[out / "responder" / "webhooks.json"] = File(told.text)
    # For its pages, and for setting silences. One password to keep, unless another is wished for.
    files[out / "responder" / "password"] = File(settings.responder_password or password)
    files[out / "responder" / "alertmanager_password"] = File(password)
    # Grafana runs under another user id, and its folder is a volume of its own.
    files[password_file] = File(password, 0o444)
    # Alertmanager lets any web page of the owner's browser silence every alert, unless it asks for a password.
    files[web_file] = File(access.web_config(web_file, password))
    files[password_copy] = File(password)
    files[out / "prometheus" / "prometheus.yml"] = File(scrapes)
    files[folder / "alertmanager.yml"] = File(routes.text)
    _amtool(routes.text, templates, environ.get("PATH", os.defpath))
    out.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_all(files)
    remove_others(folder / "secrets", files)
    remove_others(folder / "templates", files)
    return [*_channel_lines(settings), told.line, *_grafana_lines(settings, password, password_file)]


def _amtool(config: str, templates: Mapping[Path, str], search_path: str) -> None:
    """Alertmanager's own check of the result, where its tool is in PATH."""
    tool = shutil.which("amtool", path=search_path)
    if not tool:
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "templates").mkdir()
        (folder / "alertmanager.yml").write_text(config, encoding="utf-8")
        for path, content in templates.items():
            (folder / "templates" / path.name).write_text(content, encoding="utf-8")
        command = [tool, "check-config", "alertmanager.yml"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603
    if done.returncode:
        raise Faults([f"amtool refuses the rendered alertmanager.yml: {(done.stdout + done.stderr).strip()}"])


def _grafana_lines(settings: Settings, password: str, file: Path) -> list[str]:
    lines = [f"Grafana and Alertmanager: user admin, password in {file}"]
    if settings.grafana_password not in ("", password):
        lines.append(
            "Grafana: GRAFANA_ADMIN_PASSWORD counts at the first start only. Change the password in Grafana itself"
        )
    return lines


def _channel_lines(settings: Settings) -> list[str]:
    lines = []
    if settings.telegram:
        chats = len(settings.telegram.chats)
        lines.append(f"Telegram: on, {chats} chat{'s' if chats > 1 else ''}")
    else:
        lines.append("Telegram: left out. To switch it on, set TELEGRAM_BOT_TOKEN and TELEGRAM_CHAT_ID in .env")
    if settings.slack:
        lines.append(f"Slack: on, {settings.slack.channel}")
    else:
        lines.append("Slack: left out. To switch it on, set SLACK_WEBHOOK_URL in .env")
    if settings.email:
        lines.append(f"Email: on, to {', '.join(settings.email.recipients)} by {settings.email.host}")
    else:
        lines.append("Email: left out. To switch it on, set SMTP_HOST, SMTP_FROM and SMTP_TO in .env")
    if settings.heartbeat_url:
        lines.append("Heartbeat: on")
    else:
        lines.append("Heartbeat: left out. To be told when this whole machine is gone, set HEARTBEAT_URL in .env")
    whose = "RESPONDER_PASSWORD" if settings.responder_password else "that of Grafana"
    return [*lines, f"Inbox: always on, {settings.responder_url}, password: {whose}"]
