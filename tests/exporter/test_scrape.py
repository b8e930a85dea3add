"""What one scrape serves of real bots: exact series of the recordings, absence, and what a bad bot can't do."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.bots import Bots
from exporter.figures.results import Limits, complete
from exporter.metrics import GROUPS, METRICS
from exporter.page import rows
from exporter.scrape import scrape
from exporter.sources import freqtrade_trades
from exporter.state import BotState, Trading
from tests.exporter import freqtrade_server as play
from tests.exporter.documents import full, write
from tests.exporter.freqtrade_server import FreqtradeServer
from tests.exporter.helpers import RECORDED_AT, Samples, set_clock, soon, wait_until

MakeBots = Callable[[str], Bots]

ONE = "bots: [{{name: x, type: freqtrade, url: '{url}', username: lab, password_env: BOT_PASSWORD}}]"


def freqtrade(make_bots: MakeBots, server: FreqtradeServer) -> Bots:
    return make_bots(ONE.format(url=server.url))


def of(bots: Bots, *groups: str, seconds: float = 20, names: list[str] | None = None) -> Samples:
    return Samples(scrape(bots, names or list(bots.readers), groups or list(GROUPS), soon(seconds)))


def test_the_running_recording(make_bots: MakeBots, server: FreqtradeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    set_clock(monkeypatch, "exporter.sources.freqtrade", lambda: RECORDED_AT)
    got = of(freqtrade(make_bots, server))
    single = {
        "trading_bot_up": 1,
        "trading_bot_start_timestamp_seconds": 1795254601,
        "trading_bot_last_activity_timestamp_seconds": 1795255243,
        "trading_bot_data_timestamp_seconds": RECORDED_AT,
        "trading_bot_win_rate": 22 / 66,
        "trading_bot_profit_loss": -9.3671333,
        "trading_bot_realized_profit_loss": -8.85707448,
        "trading_bot_fees_total": 7.9056719824999995,
        "trading_bot_equity": 980.6328667,
        "trading_bot_balance": 981.2210431647998,
        "trading_bot_initial_capital": 990,
        "trading_bot_drawdown_ratio": 9.3671333 / 990,
        "trading_bot_max_drawdown_ratio": 9.3671333 / 990,
        "trading_bot_profit_factor": 0.3718377907778895,
        "trading_bot_recovery_factor": -8.85707448 / 8.98494864,
        "trading_bot_expectancy": -0.13419809818181816,
        "trading_bot_last_trade_timestamp_seconds": 1795255189.028,
        "trading_bot_open_positions": 4,
        "trading_bot_pending_orders": 0,
        "trading_bot_exposure": 239.3202872,
        "trading_bot_max_exposure": 600,
        "trading_bot_risk_utilization_ratio": 0.3988671,
        "trading_bot_position_size_avg": 59.898662007575766,
        "trading_bot_position_duration_avg_seconds": 182.4901818181818,
        "trading_bot_best_trade_profit_ratio": 0.007305085971247395,
        "trading_bot_worst_trade_profit_ratio": -0.010233451291046441,
        "trading_bot_history_complete": 1,
        "trading_bot_series_dropped_total": 0,
    }
    for name, value in single.items():
        assert got.get(name, bot="x") == pytest.approx(value, rel=1e-6), name
    assert got.of("trading_bot_trades_total") == {("x", "win"): 22, ("x", "loss"): 44, ("x", "draw"): 0}
    assert got.get("trading_bot_trade_duration_seconds_count", bot="x") == 66
    assert sum(got.of("trading_bot_pair_profit_loss").values()) == pytest.approx(-8.85707448)
    assert len(got.of("trading_bot_position_profit_ratio")) == 4
    assert list(got.of("trading_bot_period_profit_loss").values()) == pytest.approx([-8.85707448] * 3)
    assert set(got.of("trading_bot_source_errors_total").values()) == {0}
    for absent in ("sharpe_ratio", "sortino_ratio", "calmar_ratio", "trades_per_hour", "trades_per_day"):
        assert f"trading_bot_{absent}" not in got.names


def test_while_the_exchange_is_away(make_bots: MakeBots, server: FreqtradeServer) -> None:
    server.play("exchange_down")
    got = of(freqtrade(make_bots, server))
    assert got.get("trading_bot_up", bot="x") == 1
    absent = ("profit_loss", "equity", "balance", "drawdown_ratio", "max_drawdown_ratio", "position_profit_ratio")
    for name in (*absent, "position_stop_distance_ratio", "calmar_ratio"):
        assert f"trading_bot_{name}" not in got.names, name
    assert got.get("trading_bot_realized_profit_loss", bot="x") == -8.83651484
    assert got.get("trading_bot_open_positions", bot="x") == 6


@pytest.mark.parametrize(("recording", "state"), [("stopped", "stopped"), ("paused", "paused")])
def test_not_running(make_bots: MakeBots, server: FreqtradeServer, recording: str, state: str) -> None:
    server.play(recording)
    got = of(freqtrade(make_bots, server))
    assert got.get("trading_bot_up", bot="x") == 1
    assert {labels for labels, value in got.of("trading_bot_state").items() if value} == {("x", state)}
    assert got.get("trading_bot_open_positions", bot="x") == 6
    assert set(got.of("trading_bot_source_errors_total").values()) == {0}


def test_no_closed_trades(make_bots: MakeBots, server: FreqtradeServer) -> None:
    server.play("no_closed_trades")
    server.closed = []
    got = of(freqtrade(make_bots, server))
    assert got.of("trading_bot_trades_total") == {("x", "win"): 0, ("x", "loss"): 0, ("x", "draw"): 0}
    assert got.get("trading_bot_trade_duration_seconds_count", bot="x") == 0
    assert got.get("trading_bot_realized_profit_loss", bot="x") == 0
    for absent in (
        "win_rate",
        "profit_factor",
        "expectancy",
        "last_trade_timestamp_seconds",
        "best_trade_profit_ratio",
    ):
        assert f"trading_bot_{absent}" not in got.names, absent


def test_a_dead_bot_has_no_value_series(make_bots: MakeBots, server: FreqtradeServer) -> None:
    bots = freqtrade(make_bots, server)
    assert "trading_bot_profit_loss" in of(bots).names
    for call in ("health", "show_config"):
        server.misbehave[call] = play.status(502)
    got = of(bots)
    assert got.get("trading_bot_up", bot="x") == 0
    assert got.get("trading_bot_source_errors_total", bot="x", reason="http_status") == 2
    seen = got.get("trading_bot_source_last_success_timestamp_seconds", bot="x")
    assert of(bots).get("trading_bot_source_last_success_timestamp_seconds", bot="x") == seen is not None
    left = {n for n in got.names if n.startswith("trading_bot")}
    assert {
        n
        for n in left
        if not n.startswith(("trading_bot_source", "trading_bot_config", "trading_bot_exporter", "trading_bot_host"))
    } == {
        *(
            "trading_bot_up",
            "trading_bot_threshold",
            "trading_bot_target",
            "trading_bot_maintenance",
            "trading_bot_report_due_timestamp_seconds",
            "trading_bot_history_complete",
            "trading_bot_series_dropped_total",
        ),
        # How long we waited for its answers is no value of its own.
        *(f"trading_bot_response_time_seconds_{each}" for each in ("bucket", "count", "sum")),
    }
    server.misbehave.clear()
    assert of(bots).get("trading_bot_up", bot="x") == 1


def test_counters_are_the_same_after_a_restart(make_bots: MakeBots, server: FreqtradeServer) -> None:
    first = of(freqtrade(make_bots, server), "trading")
    assert first.counters()
    assert of(freqtrade(make_bots, server), "trading").counters() == first.counters()


def test_a_history_longer_than_a_scrape(
    make_bots: MakeBots, server: FreqtradeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What depends on the history is absent until it is complete; what doesn't is there."""
    monkeypatch.setattr(freqtrade_trades, "PAGE", 20)
    bots = freqtrade(make_bots, server)
    seen = []
    for _ in range(5):
        got = of(bots, "trading", "exporter", seconds=6)  # less than what is kept for the other calls
        counts = got.of("trading_bot_trades_total")
        seen.append((got.get("trading_bot_history_complete", bot="x"), counts.get(("x", "loss"))))
        assert got.get("trading_bot_profit_loss", bot="x") == -9.3671333
    assert seen == [(0, None)] * 3 + [(1, 44)] * 2


def test_hung_and_dripping_bots_hold_up_nobody(make_bots: MakeBots, server: FreqtradeServer, tmp_path: Path) -> None:
    write(tmp_path / "state.json", full())
    with FreqtradeServer() as dripping, FreqtradeServer() as endless, FreqtradeServer() as hung:
        for other, how in ((dripping, play.drip), (endless, play.drip_headers), (hung, play.hang)):
            other.misbehave |= dict.fromkeys(("health", "show_config"), how)
        text = "bots:\n- {name: file, type: file, path: state.json}\n- {name: demo, type: demo}\n"
        for name, one in {"well": server, "dripping": dripping, "endless": endless, "hung": hung}.items():
            text += (
                f"- {{name: {name}, type: freqtrade, url: '{one.url}', username: lab, password_env: BOT_PASSWORD}}\n"
            )
        bots = make_bots(text)
        began = time.monotonic()
        got = of(bots, seconds=1.0)
        assert time.monotonic() - began < 10
        bad = ("dripping", "endless", "hung")
        assert got.of("trading_bot_up") == {(n,): float(n not in bad) for n in bots.readers}
        for name in bad:
            assert got.get("trading_bot_source_errors_total", bot=name, reason="timeout") == 2, name
        assert {name for (name,) in got.of("trading_bot_profit_loss")} == {"file", "demo", "well"}
    wait_until(lambda: all(reading.done() for r in bots.readers.values() for reading in r._running.values()))


@pytest.mark.parametrize(
    "how", [play.status(401), play.status(429), play.status(500), play.status(200, b"{"), play.flood, play.not_http]
)
def test_a_bad_bot_takes_no_other_with_it(make_bots: MakeBots, server: FreqtradeServer, how: play.Misbehaviour) -> None:
    server.misbehave |= dict.fromkeys(("health", "show_config", "profit"), how)
    bots = make_bots(ONE.format(url=server.url)[:-1] + ", {name: demo, type: demo}]")
    got = of(bots)
    assert got.of("trading_bot_up") == {("x",): 0, ("demo",): 1}
    assert "Traceback" not in str(bots.readers["x"].record.faults)


def test_simultaneous_scrapes_ask_the_bot_once(make_bots: MakeBots, server: FreqtradeServer) -> None:
    began = threading.Event()
    go = threading.Event()

    def late(handler: play.Handler, _: threading.Event) -> None:
        began.set()
        go.wait(10)
        play.send(handler, 500, b"")

    server.misbehave["show_config"] = late
    bots = freqtrade(make_bots, server)
    scrapes = [threading.Thread(target=of, args=(bots, "trading")) for _ in range(6)]
    for each in scrapes:
        each.start()
    assert began.wait(10)
    time.sleep(0.1)
    go.set()
    for each in scrapes:
        each.join()
    assert len(server.calls("show_config")) == 1


def test_pairs_are_capped_and_counted(make_bots: MakeBots, tmp_path: Path) -> None:
    now = time.time()
    trades = [{"id": n, "closed_at": now - n, "profit": 1, "pair": f"P{n}"} for n in range(60)]
    write(tmp_path / "state.json", full(trades=trades, positions=[]))
    bots = make_bots("bots: [{name: x, type: file, path: state.json}]")
    for scrapes in (1, 2):
        got = of(bots, "trading", "exporter")
        assert len(got.of("trading_bot_pair_profit_loss")) == 50
        assert got.get("trading_bot_series_dropped_total", bot="x") == 10 * scrapes


def test_a_hostile_bot_cannot_forge_a_series(make_bots: MakeBots, server: FreqtradeServer) -> None:
    hostile = '"} 1\ntrading_bot_up{bot="other"} 0\n\x7f'
    server.closed[0]["pair"] = hostile
    server.answers["show_config"]["json"] |= {"bot_name": hostile, "strategy": hostile}
    got = of(freqtrade(make_bots, server))
    assert got.of("trading_bot_up") == {("x",): 1}
    assert any("trading_bot_up{" in pair for _, pair in got.of("trading_bot_pair_profit_loss"))


def test_a_name_with_everything(make_bots: MakeBots) -> None:
    got = of(make_bots("bots: [{name: 'a\\n {} 🤖', type: demo}]"), "bot", "config")
    assert got.of("trading_bot_up") == {("a\\n {} 🤖",): 1}


def test_a_group_that_is_off_is_neither_read_nor_served(make_bots: MakeBots, server: FreqtradeServer) -> None:
    """Asked for by name or with all the others: its job gets an empty page, and nothing of it is judged."""
    bots = make_bots(ONE.format(url=server.url) + "\ngroups: {trading: off, host: off, market: on}\n")
    assert of(bots, "trading").names == of(bots, "host").names == set()
    assert not server.calls("trades")
    names = of(bots).names
    assert {"trading_bot_up", "trading_bot_response_time_seconds_count"} < names
    assert not {n for n in names if METRICS.get(n) in ("trading", "host")}


def test_a_bot_dropped_meanwhile_is_left_out(make_bots: MakeBots) -> None:
    bots = make_bots("bots: [{name: x, type: demo}]")
    assert of(bots, "bot", names=["gone", "x"]).of("trading_bot_up") == {("x",): 1}


def test_a_hung_reading_ends_and_the_bot_is_back(make_bots: MakeBots, server: FreqtradeServer) -> None:
    bots = freqtrade(make_bots, server)
    server.misbehave["health"] = play.hang
    assert of(bots, "bot", seconds=0.3).get("trading_bot_up", bot="x") == 0
    server.misbehave.clear()
    wait_until(lambda: of(bots, "bot").get("trading_bot_up", bot="x") == 1)


def test_money_beyond_all_measure_is_refused_and_takes_no_other_with_it(
    make_bots: MakeBots, tmp_path: Path, server: FreqtradeServer
) -> None:
    now = time.time()
    trades = [{"id": n, "closed_at": now - 86400 * n, "profit": 1.7e308 * (-1) ** n} for n in range(25)]
    write(tmp_path / "state.json", full(trades=trades, trading={"initial_capital": 1.0}))
    server.closed = [row | {"profit_abs": 1.7e308} for row in server.closed]
    text = (
        "bots: [{name: demo, type: demo}, {name: file, type: file, path: state.json}, " + ONE.format(url=server.url)[7:]
    )
    got = of(make_bots(text))
    assert got.of("trading_bot_up") == {("demo",): 1, ("file",): 0, ("x",): 1}
    errors = {labels for labels, n in got.of("trading_bot_source_errors_total").items() if n}
    assert errors == {("file", "invalid"), ("x", "invalid")}


@pytest.mark.parametrize("capital", [1e-300, 1e-12, 1.0])
def test_results_against_next_to_no_capital_are_numbers_or_absent(
    make_bots: MakeBots, tmp_path: Path, capital: float
) -> None:
    now = time.time()
    trades = [{"id": n, "closed_at": now - 86400 * n, "profit": 1e15 * (-1) ** n} for n in range(25)]
    write(tmp_path / "state.json", full(trades=trades, positions=[], trading={"initial_capital": capital}))
    got = of(make_bots("bots: [{name: x, type: file, path: state.json}]"))
    assert set(got.of("trading_bot_source_errors_total").values()) == {0}
    assert all(math.isfinite(v) for n in got.names if n.startswith("trading_bot") for v in got.of(n).values())


def test_a_fault_of_the_exporter_with_one_bot_is_that_bot_s_alone_and_told_once(
    make_bots: MakeBots, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path / "state.json", full())
    bots = make_bots("bots: [{name: demo, type: demo}, {name: x, type: file, path: state.json}]")

    def broken(state: BotState, limits: Limits) -> Trading:
        if state.bot.name == "Full":
            raise OverflowError("oh")
        return complete(state, limits)

    monkeypatch.setattr("exporter.scrape.complete", broken)
    monkeypatch.setattr("exporter.page.complete", broken)
    for scrapes in (1, 2, 3):
        got = of(bots)
        assert got.of("trading_bot_up") == {("demo",): 1, ("x",): 1}
        assert {bot for (bot,) in got.of("trading_bot_profit_loss")} == {"demo"}
        assert got.get("trading_bot_source_errors_total", bot="x", reason="internal") == scrapes
    demo, broken_bot = rows(bots)
    assert (demo.fault, broken_bot.profit) == ("", "–")
    assert broken_bot.fault == "a fault of the exporter: OverflowError('oh'); see its log"
    assert caplog.text.count("Traceback") == 1
    monkeypatch.undo()
    assert of(bots).get("trading_bot_profit_loss", bot="x") == 4
    assert rows(bots)[1].fault == ""
