"""All steps in their order: read and check, render, check again, and only then write."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from exporter.config.contacts import Told
from exporter.config.load import ConfigError, load_part
from init import access, alertmanager, escalation, lines, prometheus, secrets, timezone, webhooks
from init.faults import Faults
from init.files import File, remove_others, write_all
from init.settings import SERVICES, Settings, read

ROOT = Path(__file__).resolve().parent.parent


def run(environ: Mapping[str, str], out: Path, root: Path = ROOT, monitoring: Path | None = None) -> list[str]:
    """Writes everything below `out` and returns what to tell the user. Raises Faults, with nothing changed.

    `monitoring` is monitoring.yml, if it isn't the one of the project.
    """
    settings = read(environ)
    monitoring = monitoring or root / "monitoring.yml"
    zone = timezone.configured(monitoring)
    told = _told(monitoring)
    hooks = webhooks.render(monitoring, environ)
    out = out.resolve()
    folder = out / "alertmanager"
    token_file = out / "responder" / "token"
    password_file = out / "grafana" / "admin_password"
    token = secrets.kept(token_file) or secrets.made()
    # Grafana takes its password at its first start only: what it was given then must stay to be found.
    password = secrets.kept(password_file) or settings.grafana_password or secrets.made()
    routes = alertmanager.render(root / "alertmanager" / "alertmanager.yml", settings, folder, token, told, zone)
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
    files[out / "responder" / "contacts.json"] = File(routes.contacts)
    files[out / "responder" / "webhooks.json"] = File(hooks.text)
    # For its pages, and for setting silences. One password to keep, unless another is wished for.
    files[out / "responder" / "password"] = File(settings.responder_password or password)
    files[out / "responder" / "alertmanager_password"] = File(password)
    zone_data = timezone.data(zone)
    files[folder / "zoneinfo" / zone] = File(zone_data)
    # Grafana runs under another user id, and its folder is a volume of its own.
    files[password_file] = File(password, 0o444)
    # Alertmanager lets any web page of the owner's browser silence every alert, unless it asks for a password.
    files[web_file] = File(access.web_config(web_file, password))
    files[password_copy] = File(password)
    files[out / "prometheus" / "prometheus.yml"] = File(scrapes)
    files[folder / "alertmanager.yml"] = File(routes.text)
    _amtool(routes.text, templates, (zone, zone_data), environ.get("PATH", os.defpath))
    out.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_all(files)
    remove_others(folder / "secrets", files)
    remove_others(folder / "templates", files)
    return [
        *lines.of_channels(settings, told, zone, escalation.why_off(monitoring)),
        hooks.line,
        *_grafana_lines(settings, password, password_file),
        *lines.of_links(settings, told),
    ]


def _told(monitoring: Path) -> Told:
    """What monitoring.yml says of who is told."""
    try:
        return load_part(monitoring, Told)
    except ConfigError as error:
        raise Faults(error.faults) from error


def _amtool(config: str, templates: Mapping[Path, str], zone: tuple[str, bytes], search_path: str) -> None:
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
        zone_file = folder / "zoneinfo" / zone[0]
        zone_file.parent.mkdir(parents=True)
        zone_file.write_bytes(zone[1])
        done = subprocess.run(  # noqa: S603
            [tool, "check-config", "alertmanager.yml"],
            cwd=folder,
            env={**os.environ, "ZONEINFO": str(folder / "zoneinfo")},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    if done.returncode:
        raise Faults([f"amtool refuses the rendered alertmanager.yml: {(done.stdout + done.stderr).strip()}"])


def _grafana_lines(settings: Settings, password: str, file: Path) -> list[str]:
    lines = [f"Grafana and Alertmanager: user admin, password in {file}"]
    if settings.grafana_password not in ("", password):
        lines.append(
            "Grafana: GRAFANA_ADMIN_PASSWORD counts at the first start only. Change the password in Grafana itself"
        )
    return lines
