"""The configured bots over a reload: kept where their entry is the same, made anew where it isn't."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.bots import Bots
from exporter.config.entries import Monitoring
from exporter.config.load import ConfigError, load
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


def test_two_reloads_at_once(make_bots: MakeBots, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second is refused, not kept waiting: the first may hang, as on a network disk that is away."""
    bots = make_bots("bots: [{name: demo, type: demo}]")
    begun, free = threading.Event(), threading.Event()

    def hanging(path: Path) -> Monitoring:
        begun.set()
        assert free.wait(10)
        return load(path)

    monkeypatch.setattr("exporter.bots.load", hanging)
    first = threading.Thread(target=bots.reload)
    first.start()
    assert begun.wait(10)
    try:
        with pytest.raises(ConfigError, match=r"monitoring\.yml is being read again already; try again"):
            bots.reload()
    finally:
        free.set()
        first.join()
    assert bots.reload_successful
    bots.reload()


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


def test_freqtrade_with_a_document_beside_it(make_bots: MakeBots, tmp_path: Path, text: str) -> None:
    """Which tells of model, market and system; of the rest freqtrade's API has the only word."""
    text = text.replace("username: lab", "username: lab, state_file: ft.json")
    bots = make_bots(text)
    groups = ("bot", "trading", "model", "market", "system", "exporter")
    got = read(bots, *groups)
    assert got.get("trading_bot_up", bot="ft") == 1
    assert {bot for (bot,) in got.of("trading_bot_model_accuracy")} == {"demo"}
    assert got.get("trading_bot_source_errors_total", bot="ft", reason="missing") == 1
    answered = read(bots, "system").get("trading_bot_response_time_seconds_count", bot="ft")

    document = full()
    document["bot"] |= {"name": "no", "status": "stopped"}
    write(tmp_path / "ft.json", document)
    got = read(bots, *groups)
    assert got.get("trading_bot_state", bot="ft", state="running") == 1
    assert got.get("trading_bot_profit_loss", bot="ft") == -9.3671333
    assert got.get("trading_bot_model_accuracy", bot="ft") == 0.71
    assert got.get("trading_bot_market_rsi", bot="ft", symbol="C1/USDT") == 55.5
    assert got.get("trading_bot_cpu_usage_ratio", bot="ft") == 0.1
    assert got.get("trading_bot_response_time_p95_seconds", bot="ft") == 0.4
    # The histogram is of its own API, where the document states times too.
    both = read(bots, "system").get("trading_bot_response_time_seconds_count", bot="ft")
    assert (both or 0) > (answered or 0) > 3
    assert got.get("trading_bot_response_time_seconds_count", bot="demo") is not None
    reload(bots, tmp_path, text.replace("ft.json", "other.json"))
    assert {bot for (bot,) in read(bots, *groups).of("trading_bot_model_accuracy")} == {"demo"}


def test_a_stale_document_beside_a_bot_that_runs(make_bots: MakeBots, tmp_path: Path, text: str) -> None:
    write(tmp_path / "ft.json", full(time.time() - 40))
    bots = make_bots(text.replace("username: lab", "username: lab, state_file: ft.json, stale_after: 30"))
    got = read(bots, "bot", "model", "exporter")
    assert got.get("trading_bot_up", bot="ft") == 1
    assert got.get("trading_bot_model_accuracy", bot="ft") is None
    assert got.get("trading_bot_source_errors_total", bot="ft", reason="stale") == 1


def test_its_process_and_its_exchange_beside_what_a_bot_states(
    make_bots: MakeBots, tmp_path: Path, server: FreqtradeServer
) -> None:
    """What the bot states wins; what fails is a fault of its own, and the bot is as alive as it says."""
    (tmp_path / "bot.pid").write_text(str(os.getpid()))
    document = full()
    del document["system"]
    write(tmp_path / "s.json", document)
    text = (
        "bots: [{name: x, type: file, path: s.json, "
        f"process: {{pid_file: bot.pid}}, probes: ['127.0.0.1:{server.port}']}}]"
    )
    bots = make_bots(text)
    got = read(bots, "bot", "system", "exporter")
    assert (got.get("trading_bot_memory_bytes", bot="x") or 0) > 10_000_000
    assert 0 < (got.get("trading_bot_memory_usage_ratio", bot="x") or 0) < 1
    assert 0 < (got.get("trading_bot_network_latency_seconds", bot="x") or 0) < 5
    assert got.get("trading_bot_error_rate", bot="x") is None
    assert set(got.of("trading_bot_source_errors_total").values()) == {0}
    assert {part for _, part in got.of("trading_bot_source_read_seconds")} == {"state", "process", "network"}

    write(tmp_path / "s.json", full() | {"system": {"memory_bytes": 7, "network_latency": 0.0}})
    got = read(bots, "system")
    assert got.get("trading_bot_memory_bytes", bot="x") == 7
    assert got.get("trading_bot_network_latency_seconds", bot="x") == 0
    assert 0 < (got.get("trading_bot_memory_usage_ratio", bot="x") or 0) < 1

    reload(bots, tmp_path, text.replace("bot.pid", "no.pid").replace(f":{server.port}", ":1"))
    got = read(bots, "bot", "system", "exporter")
    assert got.get("trading_bot_up", bot="x") == 1
    assert got.get("trading_bot_memory_bytes", bot="x") == 7
    assert got.get("trading_bot_memory_usage_ratio", bot="x") is None
    errors = {reason for (_, reason), count in got.of("trading_bot_source_errors_total").items() if count}
    assert errors == {"missing", "connection"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("process: {name: a}", "process: {name: b}"),
        ("probes: ['127.0.0.1:1']", "probes: []"),
        ("path: s.json", "path: t.json"),
        ("stale_after: 60", "stale_after: 61"),
    ],
)
def test_each_key_counts_at_a_reload(make_bots: MakeBots, tmp_path: Path, before: str, after: str) -> None:
    text = "bots: [{name: x, type: file, path: s.json, stale_after: 60, process: {name: a}, probes: ['127.0.0.1:1']}]"
    bots = make_bots(text)
    reader = bots.readers["x"]
    reload(bots, tmp_path, text)
    assert bots.readers["x"] is reader
    reload(bots, tmp_path, text.replace(before, after))
    assert bots.readers["x"] is not reader
    assert bots.readers["x"].record is reader.record


def test_the_host_s_disks_at_a_reload(make_bots: MakeBots, tmp_path: Path) -> None:
    bots = make_bots("bots: [{name: x, type: demo}]")
    host = bots.host
    assert set(read(bots, "host").of("trading_bot_host_disk_usage_ratio")) == {("/",)}
    reload(bots, tmp_path, "bots: [{name: x, type: demo}]\nmin_trades: 3\n")
    assert bots.host is host
    reload(bots, tmp_path, f"bots: [{{name: x, type: demo}}]\nhost: {{disks: [/, '{tmp_path}']}}\n")
    assert set(read(bots, "host").of("trading_bot_host_disk_usage_ratio")) == {("/",), (str(tmp_path),)}
