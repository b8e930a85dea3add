"""What the dashboard's queries answer, on a real Prometheus engine: promtool evaluates them over made-up series."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.grafana.evaluate import IS_NUMBER, Case, evaluate, queries

QUERIES = queries("trading-bot")


def _bot(
    name: str, values: dict[str, str], mode: str = "live", currency: str = "USDT", died: bool = False
) -> dict[str, str]:
    """A bot's series in promtool's notation; one that died did so after half an hour."""
    of = f'bot="{name}"'
    about = f'mode="{mode}",currency="{currency}",exchange="x",strategy="s"'
    series = {
        f"trading_bot_up{{{of}}}": "1x29 0x70" if died else "1x5000",
        f"trading_bot_info{{{of},{about}}}": "1x29 stale" if died else "1x5000",
        f'bot:threshold{{{of},threshold="max_drawdown",severity="critical"}}': "0.1x5000",
    }
    for metric, text in values.items():
        bare, _, labels = metric.rstrip("}").partition("{")
        series[f"{bare}{{{','.join(filter(None, (of, labels)))}}}"] = text
    return series


def _evaluate(tmp_path: Path, series: dict[str, str], cases: list[Case]) -> None:
    evaluate(tmp_path, QUERIES, series, cases)


def test_a_dead_bot_has_a_status_and_no_values(tmp_path: Path) -> None:
    alive = {
        "trading_bot_profit_loss": "100x100",
        'trading_bot_state{state="running"}': "1x100",
        'trading_bot_state{state="paused"}': "0x100",
        "trading_bot_open_positions": "2x100",
    }
    # Its values are scraped less often than its state: they are still fresh when it dies.
    dead = {
        "trading_bot_profit_loss": "7x31",
        'trading_bot_state{state="running"}': "1x29 stale",
        "trading_bot_open_positions": "1x31",
    }
    cases: list[Case] = [
        ("Bots A", "20m", {"{}": 0}),
        ("Bots B", "20m", {"{}": 2}),
        ("P&L A", "20m", {'{currency="USDT",mode="live"}': 107}),
        ("Open positions B", "20m", {"{}": 3}),
    ]
    for minutes_later in ("31m", "90m"):
        cases += [
            ("Bots A", minutes_later, {"{}": 1}),
            ("Bots B", minutes_later, {"{}": 1}),
            ("P&L A", minutes_later, {'{currency="USDT",mode="live"}': 100}),
            ("Open positions B", minutes_later, {"{}": 2}),
            ("Bots, one by one B", minutes_later, {'{bot="dead"}': 0, '{bot="alive"}': 8}),
        ]
    _evaluate(tmp_path, _bot("alive", alive) | _bot("dead", dead, died=True), cases)


def test_the_status_of_each_kind(tmp_path: Path) -> None:
    series: dict[str, str] = {}
    for name, state in (("stalled", "running"), ("idle", "stopped"), ("broken", "error"), ("works", "running")):
        series |= _bot(name, {f'trading_bot_state{{state="{state}"}}': "1x100"})
    # Configured, but the exporter says nothing of it.
    series['bot:threshold{bot="unwatched",threshold="max_drawdown",severity="critical"}'] = "0.1x100"
    series['ALERTS{alertname="BotDown",alertstate="firing",severity="critical",bot="stalled"}'] = "1x100"
    # Of the machine, so of no bot: not a row of the table.
    series['ALERTS{alertname="HighCpuUsage",alertstate="firing",severity="warning"}'] = "1x100"
    expected = {"broken": 2, "idle": 6, "stalled": 1, "unwatched": 3, "works": 8}
    _evaluate(
        tmp_path,
        series,
        [
            ("Bots, one by one B", "30m", {f'{{bot="{bot}"}}': code for bot, code in expected.items()}),
            ("Bots A", "30m", {"{}": 2}),
            ("Bots C", "30m", {"{}": 1}),
            ("Bots D", "30m", {"{}": 1}),
            ("Active alerts A", "30m", {"{}": 1}),
            ("Active alerts B", "30m", {"{}": 1}),
            ("Active alerts C", "30m", {"{}": 0}),
            ("Bots, one by one C", "30m", {'{bot="stalled"}': 1}),
        ],
    )


def test_a_status_is_one_band_also_where_readings_are_rare(tmp_path: Path) -> None:
    """The demo bot's past has a reading every five minutes; a step with one and a step without belong together."""
    series = {'bot:status:code{bot="a"}': "8 _ _ _ _ 1 _ _ _ _ 8"}
    wanted = {"3m": 8, "4m": 1, "5m": 1, "6m": 1}
    _evaluate(tmp_path, series, [("Status over time A", at, {'{bot="a"}': code}) for at, code in wanted.items()])


def test_of_many_bots_those_that_stood_worst_have_a_band(tmp_path: Path) -> None:
    """Also one that was down for a single minute."""
    series = {f'bot:status:code{{bot="{n:02}"}}': f"8x{n + 2} 0 8x30" if n < 12 else "8x60" for n in range(15)}
    wanted = {f'{{bot="{n:02}"}}': 8.0 for n in range(12)}
    _evaluate(tmp_path, series, [("Status over time A", "25m", wanted)])


def test_nothing_is_green_where_nothing_is_known(tmp_path: Path) -> None:
    _evaluate(
        tmp_path,
        {"other_metric": "1x100"},
        [(name, "30m", {}) for name in ("Bots A", "Bots B", "Active alerts A", "P&L A", "Win rate A")],
    )


def test_money_of_currencies_and_modes_stays_apart(tmp_path: Path) -> None:
    series: dict[str, str] = {}
    for name, mode, currency, value in (
        ("a", "live", "USDT", "1.004"),
        ("b", "live", "BTC", "0.0012345678"),
        ("c", "demo", "USDT", "10"),
        ("d", "live", "USDT", "2"),
    ):
        series |= _bot(name, {"trading_bot_profit_loss": f"{value}x100"}, mode, currency)
    _evaluate(
        tmp_path,
        series,
        [
            (
                "P&L A",
                "30m",
                {
                    '{currency="BTC",mode="live"}': 0.0012345678,
                    '{currency="USDT",mode="demo"}': 10,
                    '{currency="USDT",mode="live"}': 3.004,
                },
            ),
            ("P&L over time in $currency A", "30m", {'{mode="live"}': 3.004, '{mode="demo"}': 10}),
            # Rounded to what counts in each currency.
            ("Bots, one by one D", "30m", {'{bot="a"}': 1, '{bot="b"}': 0.001235, '{bot="c"}': 10, '{bot="d"}': 2}),
        ],
    )


def test_ratios_wait_for_enough_trades(tmp_path: Path) -> None:
    old = {
        'trading_bot_trades_total{result="win"}': "30x100",
        'trading_bot_trades_total{result="loss"}': "70x100",
        "trading_bot_win_rate": "_x40 0.3x60",
    }
    _evaluate(
        tmp_path,
        _bot("old", old) | _bot("new", {'trading_bot_trades_total{result="win"}': "3x100"}),
        [
            # NaN is what says "too few trades yet".
            (f"Win rate A{IS_NUMBER}", "20m", {"{}": 0}),
            ("Win rate A", "60m", {"{}": 0.3}),
            (f"Sharpe, lowest A{IS_NUMBER}", "60m", {"{}": 0}),
            ("Trades B", "60m", {"{}": 103}),
        ],
    )


@pytest.mark.parametrize(
    ("values", "by_day"),
    [
        pytest.param("100x2980", [0, 0], id="none"),
        pytest.param("100x719 101x720 105x1600", [1, 4], id="counted"),
        # Nobody recorded over midnight: those trades belong to the day on which they were seen.
        pytest.param("100x700 _x1000 110x1280", [0, 10], id="gap"),
        # A bot restarted with an empty database counts from zero again.
        pytest.param("100x719 108x720 0x20 3x1600", [8, 3], id="reset"),
    ],
)
def test_trades_by_day(tmp_path: Path, values: str, by_day: list[int]) -> None:
    series = _bot("a", {'trading_bot_trades_total{result="win"}': values})
    _evaluate(
        tmp_path,
        series,
        [("Trades by day (UTC) A", f"{day}d", {'{result="win"}': count}) for day, count in enumerate(by_day)],
    )


@pytest.mark.parametrize(
    ("realised", "trades", "by_day"),
    [
        pytest.param("10x719 15x720 12x1600", "1x719 2x720 3x1600", [5, -3], id="difference"),
        # What it had earned before anybody recorded it was earned on some other day.
        pytest.param("_x600 5x400 7x2400", "_x600 1x2400", [2, 0], id="first day"),
        # A bot restarted with an empty database: not a loss of all that it had earned.
        pytest.param("10x719 15x720 0x20 2x1600", "5x719 6x720 0x20 1x1600", [5, 2], id="reset"),
        # The exporter was away over midnight.
        pytest.param("10x719 _x900 15x1600", "5x719 _x900 6x1600", [0, 5], id="gap"),
    ],
)
def test_profit_by_day(tmp_path: Path, realised: str, trades: str, by_day: list[int]) -> None:
    values = {
        "trading_bot_realized_profit_loss": realised,
        'trading_bot_trades_total{result="win"}': trades,
    }
    cases: list[Case] = [
        ("Profit by day in $currency (UTC) A", f"{day}d", {'{mode="live"}': profit})
        for day, profit in enumerate(by_day)
    ]
    _evaluate(tmp_path, _bot("a", values), cases)


def test_profit_and_trades_by_hour_of_day(tmp_path: Path) -> None:
    values = {
        "trading_bot_realized_profit_loss": "0x59 10x59 5x5000",
        'trading_bot_trades_total{result="win"}': "0x59 1x5000",
        'trading_bot_trades_total{result="loss"}': "0x119 3x5000",
    }
    profit = {'{hour="00",mode="live"}': 10, '{hour="01",mode="live"}': -5}
    trades = {("00", "win"): 1, ("00", "loss"): 0, ("01", "win"): 0, ("01", "loss"): 3}
    by_label = {f'{{hour="{hour}",result="{result}"}}': count for (hour, result), count in trades.items()}
    cases: list[Case] = [
        ("Profit by hour of day in $currency (UTC) A", "150m", dict[str, float](profit)),
        ("Trades by hour of day (UTC) A", "150m", dict[str, float](by_label)),
    ]
    _evaluate(tmp_path, _bot("a", values), cases)


def test_trades_are_marked_when_they_open_and_close(tmp_path: Path) -> None:
    opened, lost, won = (f"P&L over time in $currency {ref}" for ref in "CDE")
    values = {
        "trading_bot_profit_loss": "100x60",
        # One opens in minute 10; in minute 20 it closes, and another opens.
        "trading_bot_open_positions": "0x9 1x50",
        'trading_bot_trades_total{result="win"}': "5x19 6x40",
        'trading_bot_trades_total{result="loss"}': "4x29 5x40",
    }
    mark = {'{mode="live"}': 100.0}
    marks: dict[str, dict[str, dict[str, float]]] = {
        "9m": {opened: {}, lost: {}, won: {}},
        "10m": {opened: mark, lost: {}, won: {}},
        "11m": {opened: {}, lost: {}, won: {}},
        "20m": {opened: mark, lost: {}, won: mark},
        "30m": {opened: mark, lost: mark, won: {}},
    }
    cases: list[Case] = [(name, at, expected) for at, seen in marks.items() for name, expected in seen.items()]
    _evaluate(tmp_path, _bot("a", values), cases)


def test_a_distribution_counts_each_step_for_itself(tmp_path: Path) -> None:
    series: dict[str, str] = {}
    for bot in ("a", "b"):
        metric = "trading_bot_trade_duration_seconds_bucket"
        up_to = {"60.0": 1, "300.0": 1, "900.0": 4, "1800.0": 9}
        series |= _bot(bot, {f'{metric}{{le="{bound}"}}': f"{count}x60" for bound, count in up_to.items()})
    expected = dict(zip("ABCD", (2, 0, 6, 10), strict=True))
    cases: list[Case] = [(f"Holding times of trades {ref}", "30m", {"{}": n}) for ref, n in expected.items()]
    _evaluate(tmp_path, series, cases)


def test_a_limit_is_drawn_only_beside_values(tmp_path: Path) -> None:
    """Else the empty state, "no model reported by this bot", would never be seen."""
    series = _bot("a", {"trading_bot_model_accuracy": "_x30 0.8x60"}) | _bot("b", {})
    for bot, limit in (("a", 0.5), ("b", 0.6)):
        series[f'bot:threshold{{bot="{bot}",threshold="model_accuracy",severity="critical"}}'] = f"{limit}x90"
    name = next(name for name, query in QUERIES.items() if name.startswith("Accuracy and F1") and "critical" in query)
    _evaluate(tmp_path, series, [(name, "20m", {}), (name, "60m", {"{}": 0.6})])


def test_lines_of_the_markets_are_drawn_while_their_bot_answers(tmp_path: Path) -> None:
    dead = _bot("dead", {'trading_bot_market_rsi{symbol="X/Y"}': "60x31"}, died=True)
    other = _bot("no-markets", {})
    _evaluate(
        tmp_path, dead | other, [("RSI B", "20m", {"{}": 70}), ("RSI C", "20m", {"{}": 30}), ("RSI B", "40m", {})]
    )


def test_profit_of_a_day_on_which_a_dry_run_became_live(tmp_path: Path) -> None:
    # The dry run had earned 500. Live it has 10 from before, and earns 3. Amounts are read later than the mode.
    values = {
        "trading_bot_realized_profit_loss": "500x702 10x100 13x1600",
        'trading_bot_trades_total{result="win"}': "9x702 2x100 3x1600",
    }
    before, after = (_bot("a", values, mode) for mode in ("dry_run", "live"))
    (dry_run,) = (key for key in before if "dry_run" in key)
    (live,) = (key for key in after if 'mode="live"' in key)
    series = after | {dry_run: "1x700 stale", live: "_x701 1x1600"}
    day = {'{mode="dry_run"}': 0.0, '{mode="live"}': 3.0}
    hours = {f'{{hour="{hour:02}",mode="dry_run"}}': 0.0 for hour in range(12)}
    hours |= {f'{{hour="{hour:02}",mode="live"}}': 3.0 * (hour == 13) for hour in range(11, 15)}
    cases: list[Case] = [
        ("Profit by day in $currency (UTC) A", "0d", day),
        ("Profit by hour of day in $currency (UTC) A", "15h", hours),
    ]
    _evaluate(tmp_path, series, cases)
