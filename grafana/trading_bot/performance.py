"""Rows "Performance": what the bots earn, in money for each currency, and by trades."""

from __future__ import annotations

from grafana_foundation_sdk.builders import barchart, piechart, stat, timeseries
from grafana_foundation_sdk.models import common, dashboard
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from grafana import promql, style
from grafana.board import Row
from grafana.panels import bars, day_bars, lines, now, numbers, over_time, shares
from grafana.promql import drawn, exact, labelled, latest
from grafana.trading_bot import earnings, trades
from grafana.trading_bot.values import CURRENCY, NO_TRADES, RESULTS

PERIODS = {"day": "today", "week": "this week", "month": "this month"}


def money_row() -> Row:
    """The row of money, once for each currency, with ids from 200."""
    return Row(
        200,
        "Performance in $currency",
        [_profit(), _periods(), _pairs(), earnings.by_day(), earnings.by_hour_of_day()],
        repeat="currency",
    )


def trades_row() -> Row:
    """The row of trades and returns, with ids from 250."""
    return Row(
        250,
        "Performance by trades and bots",
        [_trades_by_day(), _results(), _returns(), trades.profits(), trades.durations(), trades.figures()],
    )


def _profit() -> timeseries.Panel:
    panel = lines(
        201,
        "P&L over time in $currency",
        (11, 9),
        "Profit or loss since the bots' start: realised is that of closed trades, total has the open positions too. "
        "A total well below the realised line means losing positions that are still open. The lines step when a bot "
        "joins or leaves, for only bots that answer count. Dots, of up to three days and five bots: a position was "
        "opened (blue), a trade won (green) or lost (orange).",
        style.MONEY,
        2,
        "no P&L known",
    )
    for ref, name, metric in (
        ("A", "total", "trading_bot_profit_loss"),
        ("B", "realised", "trading_bot_realized_profit_loss"),
    ):
        panel.with_target(over_time(_summed(metric), f"$currency {{{{mode}}}}, {name}", ref))
    for mode, colour in style.MODES.items():
        panel.override_by_regexp(rf"/ {mode}, /", [style.colour(colour)])
    panel.override_by_regexp(*style.coin_decimals()).override_by_regexp("/realised$/", style.dashed())
    return earnings.with_trades(panel, _summed("trading_bot_profit_loss"))


def _summed(metric: str) -> str:
    return f"sum by (mode) ({drawn(metric).removesuffix('}')}{CURRENCY}}})"


def _periods() -> stat.Panel:
    panel = (
        numbers(
            202,
            "Realised P&L in $currency",
            (5, 9),
            "Profit or loss of the trades closed in the running day, week (from Monday) and month, in the time zone of "
            "monitoring.yml. A bad day is normal; when a week and a month are bad too, review the strategy.",
            style.MONEY,
            2,
        )
        .text_mode(common.BigValueTextMode.VALUE_AND_NAME)
        .orientation(common.VizOrientation.HORIZONTAL)
        .color_scheme(style.by_threshold())
        .thresholds(style.thresholds(style.ORANGE, (0, style.SUCCESS)))
        .override_by_regexp(*style.coin_decimals())
    )
    for ref, (period, name) in zip("ABC", PERIODS.items(), strict=True):
        by_bot = labelled(latest("trading_bot_period_profit_loss", period=period), "mode", CURRENCY)
        panel.with_target(now(f"sum by (mode) ({by_bot})", f"$currency {{{{mode}}}}, {name}", ref))
    return panel


def _pairs() -> barchart.Panel:
    # Not `latest`: a pair that is gone from a list cut at fifty would stay for minutes.
    profit = f'max by (bot, pair) (trading_bot_pair_profit_loss{{{promql.BOT},pair=~"$pair"}})'
    by_pair = f"sum by (pair, mode) ({labelled(exact(profit), 'mode', CURRENCY)})"
    named = f'sum by (name) (label_join({by_pair}, "name", " · ", "pair", "mode"))'
    # The bar chart has no empty state of its own.
    none = 'label_replace(vector(NaN), "name", "none known", "", "")'
    ranked = f"sort_desc(topk(8, {named}) or bottomk(8, {named})) or on () {none}"
    return (
        bars(
            203,
            "P&L by pair in $currency",
            (8, 9),
            "Realised profit or loss of each pair since the bots' start; of more than sixteen, the eight best and the "
            "eight worst. A pair that loses for long may be better left out of the bot's pair list.",
            style.MONEY,
            style.COIN_DECIMALS,
        )
        .with_target(now(ranked).format(PromQueryFormat.TABLE))
        .transformations(
            [
                dashboard.DataTransformerConfig(
                    id_val="organize",
                    options={"excludeByName": {"Time": True}, "indexByName": {}, "renameByName": {"Value": "P&L"}},
                )
            ]
        )
        .x_field("name")
        .color_by_field("P&L")
        .color_scheme(style.by_threshold())
        .thresholds(style.thresholds(style.ORANGE, (0, style.SUCCESS)))
    )


def _trades_by_day() -> timeseries.Panel:
    # A bar begins with its day, hence the offset into the future.
    panel = day_bars(
        251,
        "Trades by day (UTC)",
        (10, 9),
        "Trades closed on each of the last 30 days, by result, as far back as they were recorded. Days without bars "
        "had no trade, or nobody recorded. Many more losses than wins for days on end: review the strategy.",
        style.GROUPED,
        1,
        NO_TRADES,
    )
    more = promql.of_bot("bot_result:trades_total:increase5m")
    panel.with_target(over_time(f"sum by (result) (sum_over_time({more}[1d] offset -1d))", "{{result}}"))
    for result, colour in RESULTS.items():
        panel.override_by_name(result, [style.colour(colour)])
    return panel


def _results() -> piechart.Panel:
    count = promql.current("trading_bot_trades_total", by="bot, result")
    panel = shares(
        252,
        "Wins and losses",
        (4, 9),
        "Closed trades of all time by result; a profit of exactly 0 is a draw. More losses than wins can still earn, "
        "if the wins are larger: compare with the P&L.",
        style.COUNT,
        style.NOT_KNOWN,
    ).with_target(now(f"sum by (result) ({count})", "{{result}}"))
    for result, colour in RESULTS.items():
        panel.override_by_name(result, [style.colour(colour)])
    return panel


def _returns() -> timeseries.Panel:
    share = drawn("return_ratio")
    at_end = f"max by (bot) (last_over_time({share}[$__range:$__interval] @ end()))"
    return lines(
        253,
        "Return by bot",
        (10, 9),
        "P&L, open positions included, over the bot's initial capital, so that bots of any size and currency compare; "
        "of more than ten bots, the five best and the five worst. A line that ends is a bot that stopped answering.",
        style.RATIO,
        2,
        "no P&L known",
    ).with_target(
        over_time(
            promql.of_bots(share, f"topk(5, {at_end}) or bottomk(5, {at_end})"),
            "{{bot}} · {{mode}}",
        )
    )
