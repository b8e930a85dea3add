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
            ("Active alerts B", "30m", {"{}": 0}),
        ],
    )


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
        pytest.param("100x719 108x720 3x1600", [8, 3], id="reset"),
    ],
)
def test_trades_by_day(tmp_path: Path, values: str, by_day: list[int]) -> None:
    series = _bot("a", {'trading_bot_trades_total{result="win"}': values})
    _evaluate(
        tmp_path,
        series,
        [("Trades by day A", f"{day}d", {'{result="win"}': count}) for day, count in enumerate(by_day)],
    )
