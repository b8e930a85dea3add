"""The configured bots over a reload: kept where their entry is the same, made anew where it isn't."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.bots import Bots
from exporter.config import ConfigError
from exporter.scrape import scrape
from tests.exporter.documents import full, write
from tests.exporter.freqtrade_server import PASSWORD, FreqtradeServer
from tests.exporter.helpers import Samples, soon

MakeBots = Callable[[str], Bots]


@pytest.fixture
def text(server: FreqtradeServer) -> str:
    bot = f"{{name: ft, type: freqtrade, url: '{server.url}', username: lab, password_env: BOT_PASSWORD}}"
    return f"bots: [{{name: demo, type: demo}}, {bot}]\n"


def reload(bots: Bots, tmp_path: Path, text: str) -> None:
    (tmp_path / "monitoring.yml").write_text(text, encoding="utf-8")
    bots.reload()


def read(bots: Bots, *groups: str) -> Samples:
    return Samples(scrape(bots, list(bots.readers), groups or ["trading", "exporter", "config", "bot"], soon(20)))


def test_the_order_is_that_of_the_file(make_bots: MakeBots) -> None:
    bots = make_bots("bots: [{name: z, type: demo}, {name: a, type: demo}, {name: m, type: demo}]")
    assert list(bots.readers) == ["z", "a", "m"]


def test_the_same_again_keeps_all(make_bots: MakeBots, tmp_path: Path, text: str, server: FreqtradeServer) -> None:
    bots = make_bots(text)
    read(bots)
    readers, asked = dict(bots.readers), len(server.calls("trades"))
    reload(bots, tmp_path, text)
    assert bots.readers == readers
    read(bots)
    assert len(server.calls("trades")) == asked + 1


def test_other_thresholds_do_not_read_the_history_anew(
    make_bots: MakeBots, tmp_path: Path, text: str, server: FreqtradeServer
) -> None:
    bots = make_bots(text)
    read(bots)
    readers, asked = dict(bots.readers), len(server.calls("trades"))
    own = text.replace("password_env", "thresholds: {critical: {max_drawdown: 0.05}}, password_env")
    reload(bots, tmp_path, own + "thresholds: {critical: {max_drawdown: 0.3, daily_loss: off}}\nmin_trades: 5\n")
    assert bots.readers == readers
    got = read(bots)
    assert len(server.calls("trades")) == asked + 1
    thresholds = got.of("trading_bot_threshold")
    assert thresholds[("ft", "critical", "max_drawdown")] == 0.05
    assert thresholds[("demo", "critical", "max_drawdown")] == 0.3
    assert ("ft", "critical", "daily_loss") not in thresholds


def test_a_bot_removed_and_one_added(make_bots: MakeBots, tmp_path: Path, text: str) -> None:
    bots = make_bots(text)
    demo = bots.readers["demo"]
    write(tmp_path / "s.json", full())
    reload(bots, tmp_path, "bots: [{name: demo, type: demo}, {name: new, type: file, path: s.json}]")
    assert list(bots.readers) == ["demo", "new"]
    assert bots.readers["demo"] is demo
    assert read(bots).of("trading_bot_up") == {("demo",): 1, ("new",): 1}


@pytest.mark.parametrize(
    ("before", "after"),
    [("username: lab", "username: other"), ("{name: ft", "{name: other"), ("bots:", "timezone: Asia/Tokyo\nbots:")],
)
def test_another_entry_makes_another_source(
    make_bots: MakeBots, tmp_path: Path, text: str, before: str, after: str
) -> None:
    bots = make_bots(text)
    sources = bots.readers["ft"].sources
    reload(bots, tmp_path, text.replace(before, after))
    assert list(bots.readers.values())[1].sources[0] is not sources[0]


def test_what_was_counted_goes_on_under_another_source(make_bots: MakeBots, tmp_path: Path, text: str) -> None:
    bots = make_bots(text.replace("username: lab", "username: wrong"))
    read(bots)
    reload(bots, tmp_path, text)
    assert read(bots).get("trading_bot_source_errors_total", bot="ft", reason="auth") == 2


def test_a_rotated_password(make_bots: MakeBots, tmp_path: Path, text: str, server: FreqtradeServer) -> None:
    """By file as by variable: after the reload the new one is used, though the entry is the same."""
    (tmp_path / "password").write_text(PASSWORD + "\n", encoding="utf-8")
    text = text.replace("password_env: BOT_PASSWORD", "password_file: password")
    bots = make_bots(text)
    assert read(bots).get("trading_bot_up", bot="ft") == 1
    server.password = "rotated"
    assert read(bots).get("trading_bot_up", bot="ft") == 0
    (tmp_path / "password").write_text("rotated", encoding="utf-8")
    reload(bots, tmp_path, text)
    assert read(bots).get("trading_bot_up", bot="ft") == 1


def test_a_bad_file_changes_nothing(
    make_bots: MakeBots, tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    bots = make_bots(text)
    readers, config, when = dict(bots.readers), bots.config, bots.reload_time
    with pytest.raises(ConfigError):
        reload(bots, tmp_path, "bots: [{name: x, type: demo, password: hunter2}]")
    assert (bots.readers, bots.config, bots.reload_time, bots.reload_successful) == (readers, config, when, False)
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "is refused, the configuration before stays in use" in record.message
    assert "hunter2" not in caplog.text
    got = read(bots)
    assert got.get("trading_bot_config_last_reload_successful") == 0
    reload(bots, tmp_path, text)
    got = read(bots)
    assert got.get("trading_bot_config_last_reload_successful") == 1
    assert (got.get("trading_bot_config_last_reload_success_timestamp_seconds") or 0) >= when


def test_a_bad_file_at_the_start(make_bots: MakeBots) -> None:
    with pytest.raises(ConfigError):
        make_bots("bots: []")


def test_paths_count_from_the_configuration_s_folder(make_bots: MakeBots, tmp_path: Path) -> None:
    (tmp_path / "states").mkdir()
    write(tmp_path / "states/a.json", full())
    write(tmp_path / "b.json", full())
    text = f"bots: [{{name: a, type: file, path: states/a.json}}, {{name: b, type: file, path: '{tmp_path}/b.json'}}]"
    assert read(make_bots(text)).of("trading_bot_up") == {("a",): 1, ("b",): 1}


def test_two_demo_bots_have_each_their_story(make_bots: MakeBots) -> None:
    got = read(make_bots("bots: [{name: a, type: demo}, {name: b, type: demo, seed: 8}, {name: c, type: demo}]"))
    profit = got.of("trading_bot_realized_profit_loss")
    assert profit[("a",)] != profit[("b",)]
    assert profit[("a",)] == pytest.approx(profit[("c",)], abs=60)
