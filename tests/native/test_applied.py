"""What counts as a change, so that a second `up` does as much as is needed and no more."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest

from native.applied import Applied
from native.settings import Settings, load
from tests.native.project import ROOT


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    for name in ("exporter", "responder", "prometheus", "native"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("monitoring.yml", "requirements.lock", "docker-compose.yml"):
        shutil.copy(ROOT / name, tmp_path)
    for name in (
        "alertmanager/alertmanager.yml",
        "alertmanager/secrets/telegram_bot_token",
        "prometheus/prometheus.yml",
    ):
        path = tmp_path / ".stack/out" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    (tmp_path / ".stack/run").mkdir()
    return load(tmp_path, {})


def test_nothing_recorded_means_all_has_changed_and_then_nothing(settings: Settings) -> None:
    now = Applied.now(settings)
    assert now.changed(Applied.read(settings)) == ["processes", "exporter", "alertmanager", "prometheus"]
    now.write(settings)
    assert Applied.now(settings).changed(Applied.read(settings)) == []
    assert Applied.read(settings).ports == settings.ports


def test_record_is_the_owners_alone_and_a_broken_one_counts_as_none(settings: Settings) -> None:
    Applied.now(settings).write(settings)
    path = settings.stack / "run" / "applied.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_text("{")
    assert Applied.read(settings) == Applied()


@pytest.mark.parametrize(
    ("file", "changed"),
    [
        ("monitoring.yml", ["exporter"]),
        ("prometheus/rules/bot.yml", ["prometheus"]),
        (".stack/out/alertmanager/secrets/telegram_bot_token", ["alertmanager"]),
        ("exporter/web.py", ["processes"]),
        ("responder/templates/sms.txt", ["processes"]),
        ("native/supervisord.conf", ["processes"]),
    ],
)
def test_a_changed_file_concerns_its_readers_only(settings: Settings, file: str, changed: list[str]) -> None:
    before = Applied.now(settings)
    path = settings.root / file
    path.write_text(path.read_text() + "\n# changed\n")
    assert Applied.now(settings).changed(before) == changed
