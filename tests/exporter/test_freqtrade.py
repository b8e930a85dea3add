"""The freqtrade source on recorded answers of a real bot: what it states, what it must not state, and what hangs."""

from __future__ import annotations

import json
import threading
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from exporter.figures.histogram import RESPONSE_TIME_BUCKETS
from exporter.figures.results import Limits, complete
from exporter.sources.freqtrade import FreqtradeSource, bot_of, candles_current_until, positions_of, trading_of
from exporter.state import BotState, SourceError
from tests.exporter import freqtrade_server as play
from tests.exporter.freqtrade_server import PASSWORD, USERNAME, FreqtradeServer, recorded, recorded_trades
from tests.exporter.helpers import RECORDED_AT, set_clock, soon, wait_until

UTC = ZoneInfo("UTC")


@pytest.fixture(autouse=True)
def recorded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    set_clock(monkeypatch, "exporter.sources.freqtrade", lambda: RECORDED_AT)


def source_of(server: FreqtradeServer, password: str = PASSWORD) -> FreqtradeSource:
    return FreqtradeSource(server.url + "/", USERNAME, password, UTC)


def read_trading(server: FreqtradeServer) -> BotState:
    return source_of(server).read("trading", soon(20))


def test_running_bot(server: FreqtradeServer) -> None:
    state = source_of(server).read("bot", soon())
    assert state.problems == ()
    bot = state.bot
    assert (bot.name, bot.exchange, bot.strategy, bot.version) == ("ft-lab", "binance", "FastChurn", "2026.9")
    assert (bot.mode, bot.currency, bot.status) == ("dry_run", "USDT", "running")
    assert bot.started_at == 1795254601  # of this run, not bot_start_ts, which is that of the database
    assert bot.last_activity == 1795255243
    # The newest complete candle opened at 09:59; it is the newest that can be until 10:01, which is not over yet.
    assert bot.data_updated_at == RECORDED_AT
    assert server.calls("pair_candles") == [{"pair": "BTC/USDT", "timeframe": "1m", "limit": "1"}]


def test_running_trading(server: FreqtradeServer) -> None:
    trades = recorded_trades()
    state = read_trading(server)
    assert state.problems == ()
    assert state.history_complete
    results = complete(state, Limits())
    assert (results.total_trades, results.winning_trades, results.losing_trades) == (66, 22, 44)
    assert results.profit_loss == -9.3671333
    assert results.realized_profit_loss == -8.85707448
    assert results.realized_profit_loss == pytest.approx(sum(t["profit_abs"] for t in trades), rel=1e-12)
    assert results.initial_capital == 990
    assert results.balance == 981.2210431647998
    assert results.equity == pytest.approx(990 - 9.3671333, rel=1e-12)
    assert results.win_rate == pytest.approx(22 / 66, rel=1e-12)
    assert results.profit_factor == pytest.approx(0.3718377907778895, rel=1e-12)  # as /profit states it
    assert results.expectancy == pytest.approx(-0.13419809818181816, rel=1e-12)
    assert results.last_trade_time == max(t["close_timestamp"] for t in trades) / 1000
    assert (results.active_positions, results.pending_orders) == (4, 0)
    assert results.current_exposure == 239.3202872
    assert results.max_exposure == 600
    assert results.risk_utilization == pytest.approx(239.3202872 / 600)
    assert results.best_trade == max(t["profit_ratio"] for t in trades)
    assert results.worst_trade == min(t["profit_ratio"] for t in trades)
    assert results.position_size_avg == pytest.approx(sum(t["stake_amount"] for t in trades) / 66)
    seconds = [(t["close_timestamp"] - t["open_timestamp"]) / 1000 for t in trades]
    assert results.position_duration_avg == pytest.approx(sum(seconds) / 66)
    assert results.fees == pytest.approx(sum(t["fee_open_cost"] + t["fee_close_cost"] for t in trades), rel=1e-6)
    assert results.daily_pnl == results.weekly_pnl == results.monthly_pnl == pytest.approx(-8.85707448)
    # As /profit states it for the closed trades; the open ones make it a little deeper now.
    assert state.trades is not None
    assert state.trades.worst_drawdown == pytest.approx(0.009075705696969668, rel=1e-6)
    assert results.drawdown == pytest.approx(9.3671333 / 990)
    assert results.max_drawdown == pytest.approx(9.3671333 / 990)


def test_half_an_hour_of_trading_is_not_judged(server: FreqtradeServer) -> None:
    results = complete(read_trading(server), Limits())
    # freqtrade itself says -559, -1000 and -1883 here.
    assert (results.sharpe_ratio, results.sortino_ratio, results.calmar_ratio) == (None, None, None)
    assert (results.trades_per_hour, results.trades_per_day, results.var_95) == (None, None, None)


def test_running_positions(server: FreqtradeServer) -> None:
    state = read_trading(server)
    expected = server.answers["status"]["json"]
    assert state.positions is not None
    assert [p.pair for p in state.positions] == [t["pair"] for t in expected]
    for position, trade in zip(state.positions, expected, strict=True):
        assert position.side == "long"
        assert (position.size, position.profit) == (trade["stake_amount"], trade["profit_abs"])
        assert position.profit_ratio == trade["profit_ratio"]
        above = (trade["current_rate"] - trade["stop_loss_abs"]) / trade["current_rate"]
        assert position.stop_distance_ratio == pytest.approx(above, abs=1e-3)
        assert position.stop_distance_ratio is not None
        assert position.stop_distance_ratio > 0


@pytest.mark.parametrize("name", ["stopped", "paused"])
def test_not_running(server: FreqtradeServer, name: str) -> None:
    server.play(name)
    server.closed = [t for t in server.closed if t["close_timestamp"] < server.answers["recorded_at"] * 1000]
    state = source_of(server).read("bot", soon())
    assert state.bot.status == name
    assert state.problems == ()
    assert state.bot.last_activity == server.answers["health"]["json"]["last_process_ts"]
    assert state.bot.data_updated_at is None  # nothing is wanted of the data of a bot that doesn't work
    trading = read_trading(server)
    assert trading.problems == ()
    results = complete(trading, Limits())
    assert results.profit_loss == server.answers["profit"]["json"]["profit_all_coin"]
    assert results.total_trades == server.answers["profit"]["json"]["closed_trade_count"]
    assert results.winning_trades == server.answers["profit"]["json"]["winning_trades"]
    # While stopped /count answers 502: the open trades are counted from /status.
    assert results.active_positions == 6
    assert results.current_exposure == pytest.approx(358.926816)


def test_stopped_bot_is_not_asked_for_its_count(server: FreqtradeServer) -> None:
    server.play("stopped")
    read_trading(server)
    assert server.calls("count") == []


@pytest.mark.parametrize(
    ("state", "status"),
    [("reload_config", "reloading"), ("", "unknown"), ("dancing", "unknown"), (None, "unknown"), ([], "unknown")],
)
def test_states(server: FreqtradeServer, state: object, status: str) -> None:
    server.answers["show_config"] = {"status": 200, "json": server.answers["show_config"]["json"] | {"state": state}}
    assert source_of(server).read("bot", soon()).bot.status == status


def test_while_it_reloads_it_cannot_be_read(server: FreqtradeServer) -> None:
    server.misbehave["health"] = play.status(502)
    with pytest.raises(SourceError) as caught:
        source_of(server).read("bot", soon())
    assert caught.value.reason == "http_status"
    server.misbehave.clear()
    assert source_of(server).read("bot", soon()).bot.status == "running"


def test_exchange_away(server: FreqtradeServer) -> None:
    """The bot looks healthy, but what depends on prices is not known: absent, not 0, not that of before."""
    server.play("exchange_down")
    assert source_of(server).read("bot", soon()).bot.status == "running"
    state = read_trading(server)
    results = complete(state, Limits())
    assert state.problems == ()
    for value in ("profit_loss", "equity", "balance", "drawdown", "max_drawdown"):
        assert getattr(results, value) is None, value
    assert state.positions is not None
    assert {(p.profit, p.profit_ratio, p.stop_distance_ratio) for p in state.positions} == {(None, None, None)}
    # What was booked is as true as ever.
    assert results.realized_profit_loss == -8.83651484
    assert results.total_trades == 66
    assert results.active_positions == 6
    assert results.current_exposure == pytest.approx(359.540335)


def test_no_closed_trades(server: FreqtradeServer) -> None:
    server.play("no_closed_trades")
    server.closed = []
    state = read_trading(server)
    results = complete(state, Limits())
    assert state.problems == ()
    assert (results.total_trades, results.winning_trades, results.losing_trades) == (0, 0, 0)
    assert results.profit_loss == -0.58129172
    assert results.realized_profit_loss == 0
    assert results.daily_pnl == 0
    for value in ("win_rate", "profit_factor", "expectancy", "last_trade_time", "best_trade", "position_size_avg"):
        assert getattr(results, value) is None, value
    orders = [o for t in server.answers["status"]["json"] for o in t["orders"] if o["is_open"]]
    assert results.pending_orders == len(orders) > 0


def test_liveness_answers_while_results_hang(server: FreqtradeServer) -> None:
    server.misbehave |= {"status": play.hang, "profit": play.hang}
    source = source_of(server)
    trading = threading.Thread(target=lambda: source.read("trading", soon(1.0)))
    trading.start()
    wait_until(lambda: server.calls("profit"))
    for _ in range(3):
        assert source.read("bot", soon()).bot.status == "running"
    assert trading.is_alive()
    trading.join()


def test_a_hung_exchange_costs_only_what_needs_it(server: FreqtradeServer) -> None:
    server.misbehave |= {"status": play.hang, "profit": play.hang}
    state = source_of(server).read("trading", soon(0.8))
    assert [p.reason for p in state.problems] == ["timeout", "timeout"]
    results = complete(state, Limits())
    assert (results.total_trades, results.active_positions) == (66, 4)
    assert results.realized_profit_loss == pytest.approx(-8.85707448)
    assert (results.profit_loss, results.equity, results.balance, results.drawdown) == (None, None, None, None)
    assert (results.pending_orders, state.positions) == (None, None)


@pytest.mark.parametrize("call", ["balance", "count", "profit", "status", "trades"])
def test_one_call_that_fails_takes_no_other_with_it(server: FreqtradeServer, call: str) -> None:
    server.misbehave[call] = play.status(500)
    state = read_trading(server)
    assert [(p.reason, f"/{call}: HTTP 500" in str(p)) for p in state.problems] == [("http_status", True)]
    results = complete(state, Limits())
    known = {
        "balance": "profit_loss",
        "count": "balance",
        "profit": "current_exposure",
        "status": "profit_loss",
        "trades": "profit_loss",
    }
    assert getattr(results, known[call]) is not None
    if call == "count":
        assert results.active_positions == 4
    if call == "profit":
        assert results.profit_loss == pytest.approx(-9.3671333, abs=0.02)  # from trades and positions


@pytest.mark.parametrize("document", [[], {}, None, "text", 5, [[]], [None], ["x"], [{}], {"a": []}, [{"pair": None}]])
@pytest.mark.parametrize(
    "call", ["balance", "count", "profit", "status", "trades", "whitelist", "pair_candles", "health"]
)
def test_wrong_shapes(server: FreqtradeServer, call: str, document: Any) -> None:
    """Whatever JSON comes, the fault is the answer's and not the exporter's."""
    server.misbehave[call] = play.status(200, json.dumps(document).encode())
    for part in ("bot", "trading"):
        try:
            state = source_of(server).read(part, soon())
        except SourceError as error:
            assert (error.reason, call) == ("invalid", "health")
        else:
            assert {p.reason for p in state.problems} <= {"invalid"}
            complete(state, Limits())


HUGE = 10**400


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), HUGE, -1, "12", [], True, 1e300])
def test_hostile_numbers(server: FreqtradeServer, value: object) -> None:
    for call in ("balance", "count", "profit", "health"):
        answer = server.answers[call]["json"]
        server.answers[call] = {"status": 200, "json": dict.fromkeys(answer, value)}
    server.answers["status"]["json"][0] |= {"profit_abs": value, "profit_ratio": value, "stake_amount": value}
    server.answers["show_config"]["json"] |= {"stake_amount": value, "max_open_trades": value}
    bot = source_of(server).read("bot", soon()).bot
    state = read_trading(server)
    assert {p.reason for p in state.problems} == set()
    for stated in (bot.started_at, bot.last_activity):
        assert stated is None
    assert complete(state, Limits()).active_positions in (4, None if value != 1e300 else int(1e300))


def test_hostile_text(server: FreqtradeServer) -> None:
    hostile = 'a"b\n\\\x7f' + "x" * 10_000
    server.answers["show_config"]["json"] |= {"bot_name": hostile, "strategy": hostile}
    server.answers["status"]["json"][0]["pair"] = hostile
    server.closed[0]["pair"] = hostile
    bot = source_of(server).read("bot", soon()).bot
    assert bot.name == 'a"b\n\\\x7f' + "x" * 194
    state = read_trading(server)
    assert state.positions is not None
    assert state.trades is not None
    assert state.positions[0].pair == bot.name
    assert bot.name in state.trades.pair_profit


def test_wrong_password(server: FreqtradeServer) -> None:
    for part in ("bot", "trading"):
        with pytest.raises(SourceError) as caught:
            source_of(server, "wrong-password").read(part, soon())
        assert caught.value.reason == "auth"
        assert "wrong-password" not in str(caught.value)
    assert server.credentials[0] is not None


def test_a_history_in_one_request_then_in_a_short_one(server: FreqtradeServer) -> None:
    source = source_of(server)
    source.read("trading", soon(30))
    first = len(server.calls("trades"))
    source.read("trading", soon(30))
    assert server.calls("trades")[first:] == [{"limit": "50", "offset": "0", "order_by_id": "false"}]
    assert first == 2


@pytest.mark.parametrize("cap", [1, 7, 50, 500])
def test_any_page_size(server: FreqtradeServer, cap: int) -> None:
    server.page_cap = cap
    source = source_of(server)
    state = source.read("trading", soon(60))
    assert state.trades is not None
    assert (state.trades.count, state.trades.wins) == (66, 22)
    asked = len(server.calls("trades"))
    source.read("trading", soon(60))
    assert len(server.calls("trades")) == asked + 1


def test_a_new_exporter_counts_the_same(server: FreqtradeServer) -> None:
    assert read_trading(server).trades == read_trading(server).trades


def test_pure_parsers_know_shorts() -> None:
    trade = {"pair": "BTC/USDT:USDT", "is_short": True, "stake_amount": 10.0, "stoploss_current_dist_ratio": 0.02}
    (position,) = positions_of([trade | {"amount": 3.0}])
    assert (position.side, position.stop_distance_ratio) == ("short", 0.02)


def test_an_entry_that_is_not_filled_yet_has_no_result() -> None:
    trade = {"pair": "BTC/USDT", "stake_amount": 10.0, "amount": 0.0, "profit_ratio": 0.0, "profit_abs": 0.0}
    (position,) = positions_of([trade | {"stoploss_current_dist_ratio": 0.0}])
    assert (position.size, position.profit_ratio, position.stop_distance_ratio) == (10.0, None, None)


@pytest.mark.parametrize(
    ("stake", "most", "expected"),
    [("60", 10, 600), ("unlimited", 10, 985), ("60", -1, 985), ("600", 10, 985), (None, 3, 985), ("nan", 3, 985)],
)
def test_max_exposure(stake: object, most: object, expected: float) -> None:
    config = {"stake_amount": stake, "max_open_trades": most}
    trading = trading_of(config, {"starting_capital": 990}, {}, {"profit_closed_coin": -5}, None)
    assert trading.max_exposure == expected


def test_candles() -> None:
    row = {"columns": ["date", "__date_ts"], "data": [["x", 60_000_000]], "timeframe_ms": 60_000}
    assert candles_current_until(row, 60_100) == 60_100
    assert candles_current_until(row, 60_120) == 60_120
    assert candles_current_until(row, 60_500) == 60_120
    assert candles_current_until(row | {"data": []}, 60_500) is None
    assert candles_current_until({}, 60_500) is None


def test_live_and_dry_run() -> None:
    assert bot_of({}, {"dry_run": False}).mode == "live"
    assert bot_of({}, recorded("running")["show_config"]["json"]).mode == "dry_run"
    assert bot_of({}, {}).mode is None


def observed(source: FreqtradeSource) -> int:
    times = source.read("api", soon()).response_times
    assert times is not None
    assert times.bounds == RESPONSE_TIME_BUCKETS
    return sum(times.counts)


def test_response_times_are_those_of_the_calls(server: FreqtradeServer) -> None:
    """Of both other parts; asking for them asks the bot nothing."""
    source = source_of(server)
    assert (observed(source), server.asked) == (0, [])
    for part in ("bot", "trading"):
        source.read(part, soon(20))
        assert observed(source) == len(server.asked)
    times = source.read("api", soon()).response_times
    assert times is not None
    assert 0 < times.sum < 20


@pytest.mark.parametrize("code", [301, 401, 403, 429, 500, 502])
def test_an_http_error_is_an_answer(server: FreqtradeServer, code: int) -> None:
    server.misbehave["health"] = play.status(code)
    source = source_of(server)
    with pytest.raises(SourceError):
        source.read("bot", soon())
    assert observed(source) == 1


def test_who_waits_in_vain_has_waited(server: FreqtradeServer) -> None:
    server.misbehave["health"] = play.hang
    source = source_of(server)
    with pytest.raises(SourceError):
        source.read("bot", soon(0.3))
    times = source.read("api", soon()).response_times
    assert times is not None
    assert times.sum >= 0.25
    # No time was left for a call: nothing was asked, and nobody waited.
    with pytest.raises(SourceError):
        source.read("bot", soon(-1))
    assert observed(source) == 1


def test_a_connection_that_never_stood_has_no_response_time(server: FreqtradeServer) -> None:
    """Quick refusals of a dead bot would make its API look quick."""
    nobody = FreqtradeSource("http://127.0.0.1:1", USERNAME, PASSWORD, UTC)
    nameless = FreqtradeSource("http://no-such-host.invalid", USERNAME, PASSWORD, UTC)
    server.misbehave["health"] = play.not_http
    for source in (nobody, nameless, source_of(server)):
        with pytest.raises(SourceError) as caught:
            source.read("bot", soon())
        assert caught.value.reason in ("connection", "dns")
        assert observed(source) == 0
