"""From states to series: exact values, absent ones, caps, hostile labels, and the list of what is served."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from exporter.bots import Bots
from exporter.config.thresholds import defaults, merged
from exporter.figures.histogram import Buckets
from exporter.figures.history import History, Trade
from exporter.metrics import GROUPS, METRICS, bot, config, exporter, market, model, system, trading
from exporter.metrics.families import Families, Family
from exporter.reading import Record
from exporter.scrape import scrape
from exporter.state import REGIMES, STATUSES, TRENDS, Bot, BotState, Market, Model, Position, System, Trading
from tests.binaries import binary
from tests.exporter.documents import full, write
from tests.exporter.helpers import Samples, soon, wait_until

NOW = 1795255243.0


def served(families: Families) -> Samples:
    return Samples(families.text())


def of_bot(state: BotState | None, name: str = "x") -> Samples:
    families = Families()
    bot.collect(families, name, state)
    return served(families)


def of_trading(
    values: Trading | None = None, trades: list[Trade] | None = None, positions: list[Position] | None = None
) -> tuple[Samples, int]:
    families = Families()
    summary = None
    if trades is not None:
        history = History(ZoneInfo("UTC"))
        history.add(trades)
        summary = history.summary(NOW, None)
    dropped = trading.collect(families, "x", values or Trading(), summary, positions)
    return served(families), dropped


@pytest.fixture
def everything(tmp_path: Path, make_bots: Callable[[str], Bots]) -> Bots:
    """A bot of which every metric is known."""
    write(tmp_path / "state.json", full())
    return make_bots("preset: production\nbots: [{name: full, type: file, path: state.json}]")


def test_metrics_lists_exactly_what_is_served(everything: Bots) -> None:
    # The processor's time is told from a second after the start on.
    wait_until(lambda: everything.host.read().cpu_usage is not None)
    for group in GROUPS:
        names = {n for n in Samples(scrape(everything, ["full"], [group], soon())).names if n.startswith("trading_bot")}
        if group == "exporter":
            # What a bot's readings came to is known once it was read.
            assert names - {n for n, g in METRICS.items() if g == group} == set()
        else:
            assert names == {n for n, g in METRICS.items() if g == group}
    names = Samples(scrape(everything, ["full"], list(GROUPS), soon())).names
    assert {n for n in names if n.startswith("trading_bot")} == set(METRICS)
    assert all(n.startswith(("process_", "python_")) for n in names - set(METRICS))


def test_each_metric_is_in_one_group_and_has_its_help() -> None:
    families = [family for module in GROUPS.values() for family in module.FAMILIES]
    assert len({family.name for family in families}) == len(families)
    assert len(METRICS) == sum(len(family.series_names) for family in families)
    assert all(family.help.endswith(".") for family in families)


# What promtool complains of, and why it stays.
JUSTIFIED: set[str] = set()


def test_promtool_has_no_complaint(everything: Bots) -> None:
    own = scrape(everything, ["full"], list(GROUPS), soon())
    run = subprocess.run([binary("promtool"), "check", "metrics"], input=own, capture_output=True, check=False)
    complaints = {line for line in run.stderr.decode().splitlines() if line}
    assert {c for c in complaints if not c.startswith(("process_", "python_"))} == JUSTIFIED, run.stdout.decode()


def test_a_running_bot() -> None:
    about = Bot(name="Own", exchange="e", strategy="s", version="v", mode="live", currency="EUR", status="paused")
    times = {"started_at": NOW - 50, "last_activity": NOW - 1, "data_updated_at": NOW - 2}
    got = of_bot(BotState(bot=about.model_copy(update=times)))
    labels = {"exchange": "e", "strategy": "s", "version": "v", "mode": "live", "currency": "EUR"}
    assert got.get("trading_bot_info", bot="x", name="Own", **labels) == 1
    assert got.get("trading_bot_up", bot="x") == 1
    assert got.of("trading_bot_state") == {("x", s): float(s == "paused") for s in STATUSES}
    assert got.get("trading_bot_start_timestamp_seconds", bot="x") == NOW - 50
    assert got.get("trading_bot_last_activity_timestamp_seconds", bot="x") == NOW - 1
    assert got.get("trading_bot_data_timestamp_seconds", bot="x") == NOW - 2


def test_a_bot_that_says_nothing_of_itself() -> None:
    got = of_bot(BotState())
    assert got.names == {"trading_bot_up", "trading_bot_info", "trading_bot_state"}
    assert got.of("trading_bot_state")[("x", "unknown")] == 1
    assert got.of("trading_bot_info") == {("x", "", "", "", "x", "", ""): 1}


def test_of_a_bot_that_cannot_be_read_only_that() -> None:
    got = of_bot(None)
    assert got.names == {"trading_bot_up"}
    assert got.get("trading_bot_up", bot="x") == 0


def test_nothing_known_no_series() -> None:
    got, dropped = of_trading()
    assert (got.names, dropped) == (set(), 0)


def test_zero_is_served() -> None:
    got, _ = of_trading(Trading(profit_loss=0.0, total_trades=0, winning_trades=0, losing_trades=0, fees=0))
    assert got.get("trading_bot_profit_loss", bot="x") == 0
    assert got.of("trading_bot_trades_total") == {("x", "win"): 0, ("x", "loss"): 0, ("x", "draw"): 0}
    assert got.get("trading_bot_fees_total", bot="x") == 0


@pytest.mark.parametrize(("key", "family"), trading.GAUGES.items())
def test_every_gauge_serves_its_key(key: str, family: Family) -> None:
    value: dict[str, Any] = {key: 0.125}
    got, _ = of_trading(Trading.model_construct(**value))
    assert got.names == {family.name}
    assert got.get(family.name, bot="x") == 0.125


def test_values_with_labels() -> None:
    got, _ = of_trading(
        Trading(
            daily_pnl=1,
            weekly_pnl=2,
            monthly_pnl=3,
            var_95=4,
            var_99=5,
            expected_shortfall_95=6,
            expected_shortfall_99=7,
        )
    )
    assert got.of("trading_bot_period_profit_loss") == {("x", "day"): 1, ("x", "week"): 2, ("x", "month"): 3}
    assert got.of("trading_bot_value_at_risk") == {("x", "0.95"): 4, ("x", "0.99"): 5}
    assert got.of("trading_bot_expected_shortfall") == {("x", "0.95"): 6, ("x", "0.99"): 7}


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({"total_trades": 10, "winning_trades": 6, "losing_trades": 3}, {"win": 6, "loss": 3, "draw": 1}),
        ({"winning_trades": 6, "losing_trades": 3}, {"win": 6, "loss": 3}),
        ({"total_trades": 10}, {}),
        ({"total_trades": 5, "winning_trades": 6, "losing_trades": 3}, {"win": 6, "loss": 3}),
    ],
)
def test_counts(counts: dict[str, int], expected: dict[str, int]) -> None:
    got, _ = of_trading(Trading(**counts))
    assert got.of("trading_bot_trades_total") == {("x", result): n for result, n in expected.items()}


def test_histograms() -> None:
    trades = [
        Trade(n, NOW - n, 1.0, opened_at=NOW - n - seconds, profit_ratio=ratio)
        for n, (seconds, ratio) in enumerate([(30, -0.2), (60, 0.0), (7200, 0.03), (10**7, 0.5)])
    ]
    got, _ = of_trading(trades=trades)
    durations = got.of("trading_bot_trade_duration_seconds_bucket")
    assert durations[("x", "60.0")] == 2
    assert durations[("x", "10800.0")] == 3
    assert durations[("x", "+Inf")] == 4
    assert got.get("trading_bot_trade_duration_seconds_count", bot="x") == 4
    assert got.get("trading_bot_trade_duration_seconds_sum", bot="x") == 30 + 60 + 7200 + 10**7
    ratios = got.of("trading_bot_trade_profit_ratio_bucket")
    assert (ratios[("x", "-0.1")], ratios[("x", "0.0")], ratios[("x", "0.05")], ratios[("x", "+Inf")]) == (1, 2, 3, 4)


def test_pairs_are_capped_and_what_was_cut_is_told() -> None:
    trades = [Trade(n, NOW + n, 1.0, pair=f"P{n}") for n in range(70)]
    positions = [Position(pair=f"P{n}", profit_ratio=0.1, stop_distance_ratio=0.2) for n in range(53)]
    got, dropped = of_trading(trades=trades, positions=positions)
    assert set(got.of("trading_bot_pair_profit_loss")) == {("x", f"P{n}") for n in range(50)}
    assert len(got.of("trading_bot_position_profit_ratio")) == 50
    assert len(got.of("trading_bot_position_stop_distance_ratio")) == 50
    assert dropped == 20 + 2 * 3
    assert of_trading(trades=trades[:50], positions=positions[:50])[1] == 0


def test_several_positions_in_a_pair_share_a_series() -> None:
    positions = [
        Position(pair="A", size=100, profit_ratio=0.1, stop_distance_ratio=0.05),
        Position(pair="A", size=300, profit_ratio=-0.1, stop_distance_ratio=0.02),
        Position(pair="A", side="short", profit_ratio=0.3),
        Position(pair="B"),
        Position(pair="C", size=0, profit_ratio=0.3),
    ]
    got, _ = of_trading(positions=positions)
    assert got.of("trading_bot_position_profit_ratio") == pytest.approx(
        {("x", "A", "long"): -0.05, ("x", "A", "short"): 0.3}
    )
    assert got.of("trading_bot_position_stop_distance_ratio") == {("x", "A", "long"): 0.02}


HOSTILE = ['a"b', "a\\", "a\nb", '"} 1\ntrading_bot_up{bot="y', "🤖", "x" * 200, "{}", " "]


@pytest.mark.parametrize("text", HOSTILE)
def test_labels_are_escaped(text: str) -> None:
    got = of_bot(BotState(bot=Bot(name=text)), name=text)
    assert got.of("trading_bot_up") == {(text,): 1}
    assert got.of("trading_bot_info") == {(text, "", "", "", text, "", ""): 1}
    got, _ = of_trading(trades=[Trade(1, NOW, 5.0, pair=text)], positions=[Position(pair=text, profit_ratio=1)])
    assert got.of("trading_bot_pair_profit_loss") == {("x", text): 5}
    assert got.of("trading_bot_position_profit_ratio") == {("x", text, "long"): 1}


def test_thresholds_in_base_units_and_none_for_off() -> None:
    families = Families()
    own = {"critical": {"max_drawdown": 0.2, "error_rate": "off"}}
    config.collect(families, "x", merged(defaults("experienced"), own), True)
    config.collect_reload(families, False, NOW)
    got = served(families)
    thresholds = got.of("trading_bot_threshold")
    assert len(thresholds) == 12 + 13 + 8 - 1
    assert thresholds[("x", "critical", "max_drawdown")] == 0.2
    assert thresholds[("x", "critical", "bot_down_time")] == 300
    assert ("x", "critical", "error_rate") not in thresholds
    assert got.of("trading_bot_maintenance") == {("x",): 1}
    assert got.get("trading_bot_config_last_reload_successful") == 0
    assert got.get("trading_bot_config_last_reload_success_timestamp_seconds") == NOW


def test_readings() -> None:
    families = Families()
    exporter.collect(families, "x", Record())
    got = served(families)
    assert set(got.of("trading_bot_source_errors_total").values()) == {0}
    assert got.get("trading_bot_series_dropped_total", bot="x") == 0
    assert got.names == {"trading_bot_source_errors_total", "trading_bot_series_dropped_total"}
    record = Record(seconds={"bot": 0.5}, last_success=NOW, history_complete=False, series_dropped=3)
    record.errors["auth"] = 2
    families = Families()
    exporter.collect(families, "x", record)
    got = served(families)
    assert got.get("trading_bot_source_errors_total", bot="x", reason="auth") == 2
    assert got.get("trading_bot_source_read_seconds", bot="x", part="bot") == 0.5
    assert got.get("trading_bot_source_last_success_timestamp_seconds", bot="x") == NOW
    assert got.get("trading_bot_history_complete", bot="x") == 0
    assert got.get("trading_bot_series_dropped_total", bot="x") == 3


def of_model(**values: Any) -> Samples:
    families = Families()
    model.collect(families, "x", Model(**values))
    return served(families)


def of_markets(*markets: Market) -> tuple[Samples, int]:
    families = Families()
    dropped = market.collect(families, "x", markets)
    return served(families), dropped


def of_system(*states: BotState) -> Samples:
    families = Families()
    system.collect(families, "x", states)
    return served(families)


def test_each_key_of_the_state_has_a_metric() -> None:
    """And none is asked of a state that doesn't know it."""
    assert set(model.GAUGES) == set(Model.model_fields)
    assert set(market.GAUGES) == set(Market.model_fields) - {
        *("symbol", "price_change_1h", "price_change_24h", "trend", "regime")
    }
    assert set(system.GAUGES) == set(System.model_fields)


@pytest.mark.parametrize("key", model.GAUGES)
def test_every_value_of_a_model(key: str) -> None:
    others = {"loaded": True, "drift_detected": False, "last_retraining": NOW, "last_prediction_time": NOW}
    value = others.get(key, 0.25)
    got = of_model(**{key: value})
    assert got.names == {model.GAUGES[key].name}
    assert got.get(model.GAUGES[key].name, bot="x") == float(value)


def test_a_model_s_flags_and_zeros() -> None:
    got = of_model(loaded=False, drift_detected=True, accuracy=0.0, data_freshness=0)
    assert got.of("trading_bot_model_loaded") == {("x",): 0}
    assert got.of("trading_bot_model_drift_detected") == {("x",): 1}
    assert got.of("trading_bot_model_accuracy") == {("x",): 0}
    assert got.of("trading_bot_model_data_age_seconds") == {("x",): 0}
    assert of_model().names == set()


@pytest.mark.parametrize("key", market.GAUGES)
def test_every_value_of_a_market(key: str) -> None:
    values: dict[str, Any] = {key: 0.125}
    got, dropped = of_markets(Market(symbol="A/B", **values), Market(symbol="C/D"))
    assert (got.names, dropped) == ({market.GAUGES[key].name}, 0)
    assert got.get(market.GAUGES[key].name, bot="x", symbol="A/B") == 0.125


def test_price_changes_by_window() -> None:
    got, _ = of_markets(Market(symbol="A", price_change_1h=-0.01, price_change_24h=0.2), Market(symbol="B"))
    changes = got.of("trading_bot_market_price_change_ratio")
    assert changes == {("x", "A", "1h"): -0.01, ("x", "A", "24h"): 0.2}


def test_of_trends_and_regimes_one_is_1() -> None:
    got, _ = of_markets(
        Market(symbol="A", trend="down", regime="calm"), Market(symbol="B"), Market(symbol="C", trend="up")
    )
    trends = {("x", s, t): float((s, t) in {("A", "down"), ("C", "up")}) for s in ("A", "C") for t in TRENDS}
    assert got.of("trading_bot_market_trend") == trends
    regimes = got.of("trading_bot_market_regime")
    assert regimes == {("x", regime, "A"): float(regime == "calm") for regime in REGIMES}


def test_symbols_are_capped_and_what_was_cut_is_told() -> None:
    markets = [Market(symbol=f"S{n}", rsi=n, trend="up") for n in range(73)]
    got, dropped = of_markets(*markets)
    assert got.of("trading_bot_market_rsi") == {("x", f"S{n}"): n for n in range(50)}
    assert len(got.of("trading_bot_market_trend")) == 50 * len(TRENDS)
    assert dropped == 23
    assert of_markets(*markets[:50])[1] == 0


def test_of_a_symbol_that_is_named_twice_the_first_counts() -> None:
    """A series is served once; nor does it count among those that were cut."""
    got, dropped = of_markets(*[Market(symbol="A", rsi=n) for n in (40, 60)] * 60, Market(symbol="B", macd=1))
    assert got.of("trading_bot_market_rsi") == {("x", "A"): 40}
    assert got.of("trading_bot_market_macd") == {("x", "B"): 1}
    assert dropped == 0


@pytest.mark.parametrize("key", system.GAUGES)
def test_every_value_of_the_system(key: str) -> None:
    values: dict[str, Any] = {key: 0.125}
    got = of_system(BotState(system=System(**values)))
    assert got.names == {system.GAUGES[key].name}
    assert got.get(system.GAUGES[key].name, bot="x") == 0.125


def test_of_what_several_know_of_the_system_the_bot_s_own_word_counts() -> None:
    """Value by value, a stated 0 included; of the histograms the first that there is."""
    own, process = Buckets((1.0,)), Buckets((2.0,))
    own.observe(0.5)
    states = (
        BotState(system=System(cpu_usage=0.0, error_rate=0.1)),
        BotState(system=System(cpu_usage=0.5, memory_bytes=7), response_times=own.value()),
        BotState(system=System(memory_bytes=9, network_latency=0.2), response_times=process.value()),
    )
    got = of_system(*states)
    assert got.of("trading_bot_cpu_usage_ratio") == {("x",): 0}
    assert got.of("trading_bot_error_rate") == {("x",): 0.1}
    assert got.of("trading_bot_memory_bytes") == {("x",): 7}
    assert got.of("trading_bot_network_latency_seconds") == {("x",): 0.2}
    assert got.of("trading_bot_response_time_seconds_bucket") == {("x", "1.0"): 1, ("x", "+Inf"): 1}
    assert got.get("trading_bot_response_time_seconds_count", bot="x") == 1
    assert got.get("trading_bot_response_time_seconds_sum", bot="x") == 0.5
    assert of_system().names == of_system(BotState()).names == set()


@pytest.mark.parametrize("text", HOSTILE)
def test_symbols_are_escaped(text: str) -> None:
    got, _ = of_markets(Market(symbol=text, rsi=50))
    assert got.of("trading_bot_market_rsi") == {("x", text): 50}
