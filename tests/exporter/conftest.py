"""Fixtures of the exporter's tests."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from exporter.bots import Bots
from tests.exporter.freqtrade_server import PASSWORD, FreqtradeServer

settings.register_profile("exporter", deadline=None, max_examples=60, database=None)
settings.load_profile("exporter")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FreqtradeServer]:
    """A freqtrade that plays the running bot; its password is in BOT_PASSWORD."""
    monkeypatch.setenv("BOT_PASSWORD", PASSWORD)
    with FreqtradeServer() as running:
        yield running


@pytest.fixture
def make_bots(tmp_path: Path) -> Callable[[str], Bots]:
    """Make the bots of a monitoring.yml in a folder of its own."""

    def make(text: str) -> Bots:
        (tmp_path / "monitoring.yml").write_text(text, encoding="utf-8")
        return Bots(tmp_path / "monitoring.yml", tmp_path / "data")

    return make


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The machine's own zone is another than the configured one."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()
