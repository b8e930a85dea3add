"""Of row "Performance in $currency": the marks of trades on the P&L, and the profit by day and by hour."""

from __future__ import annotations

from grafana_foundation_sdk.builders import barchart, timeseries
from grafana_foundation_sdk.models import common

from grafana import promql, style
from grafana.panels import columns, day_bars, over_time
from grafana.promql import labelled, of_bot
from grafana.style import set_
from grafana.trading_bot.by_hour import by_hour
from grafana.trading_bot.values import CURRENCY, NO_TRADES

REALISED = of_bot("trading_bot_realized_profit_loss")
# More marks than these would be a band.
MARKED_SECONDS = 3 * 86400
MARKED_BOTS = 5


def _by_mode(expression: str) -> str:
    return f"sum by (mode) ({labelled(expression, 'mode', CURRENCY)})"


def with_trades(panel: timeseries.Panel, total: str) -> timeseries.Panel:
    """Mark on the curve `total` when positions were opened, and trades won or lost: in that step there was one."""

    def then(metric: str, by: str, offset: str = "", **labels: str) -> str:
        return f"sum by (bot) (max by ({by}) ({of_bot(metric, **labels)}{offset}))"

    def touched(offset: str = "") -> str:
        # Each position is open, or a trade: their sum grows with each that is opened.
        positions = then("trading_bot_open_positions", "bot", offset)
        return f"({positions} + on (bot) {then('trading_bot_trades_total', 'bot, result', offset)})"

    def closed(result: str) -> str:
        after, earlier = (then("trading_bot_trades_total", "bot", offset, result=result) for offset in ("", before))
        return f"{after} - on (bot) {earlier} > 0"

    before = " offset $__interval"
    few = f"and on () (vector($__range_s) <= {MARKED_SECONDS}) and on () (count({promql.ANSWERING}) <= {MARKED_BOTS})"
    for ref, name, colour, happened in (
        ("C", "opened", style.INFO, f"{touched()} - on (bot) {touched(before)} > 0"),
        ("D", "lost", style.ORANGE, closed("loss")),
        ("E", "won", style.SUCCESS, closed("win")),
    ):
        marked = f"{total} and on (mode) {_by_mode(f'({happened})')} {few}"
        panel.with_target(over_time(marked, f"$currency {{{{mode}}}}, {name}", ref)).override_by_regexp(
            f"/, {name}$/",
            [
                style.colour(colour),
                set_("custom.drawStyle", common.GraphDrawStyle.POINTS.value),
                set_("custom.showPoints", common.VisibilityMode.ALWAYS.value),
                set_("custom.pointSize", 7),
            ],
        )
    return panel


def by_day() -> timeseries.Panel:
    """Realised profit of each day."""
    # As the trades by day: differences at the ends of two days. Of a bot's first day, and where its wins fell
    # (an emptied database), it is what the bot states of its running day.
    end, before = f"last_over_time({REALISED}[1d] offset -1d)", f"last_over_time({REALISED}[1d])"
    stated = f"max by (bot) (last_over_time({of_bot('trading_bot_period_profit_loss', period='day')}[1d] offset -1d))"
    wins = of_bot("trading_bot_trades_total", result="win")
    goes_on = (
        f"max by (bot) (last_over_time({wins}[1d] offset -1d)) >= on (bot) max by (bot) (last_over_time({wins}[1d]))"
    )
    gained = (
        f"((max by (bot) ({end}) - on (bot) max by (bot) ({before})) and on (bot) ({goes_on}) or on (bot) {stated})"
    )
    # Whoever answered on that day counts, in the mode that it had last: on some day a dry run becomes live.
    seen = f"max_over_time(timestamp(trading_bot_info{{{promql.BOT}{CURRENCY}}})[1d:10m] offset -1d)"
    info = f"(topk by (bot) (1, max by (bot, mode) ({seen})) * 0 + 1)"
    panel = day_bars(
        204,
        "Profit by day in $currency",
        (13, 8),
        "Realised profit or loss of each of the last 30 days (UTC), as far back as they were recorded. A bad day is "
        "normal; a bad week is a reason to look at the strategy and at what the markets did.",
        style.MONEY,
        2,
        NO_TRADES,
    ).with_target(over_time(f"sum by (mode) ({gained} * on (bot) group_left (mode) {info})", "$currency {{mode}}"))
    for mode, colour in style.MODES.items():
        panel.override_by_regexp(rf"/ {mode}$/", [style.colour(colour)])
    return panel.override_by_regexp(*style.coin_decimals())


def by_hour_of_day() -> barchart.Panel:
    """Realised profit by the hour of the day."""
    panel = columns(
        205,
        "Profit by hour of day in $currency (UTC)",
        (11, 8),
        "Realised profit or loss of the last 30 days by the hour in which the trades closed, as far as they were "
        "recorded. Hours that lose again and again may be better left out of the bots' trading times.",
        style.MONEY,
        2,
        NO_TRADES,
    )
    for mode, colour in style.MODES.items():
        panel.override_by_name(mode, [style.colour(colour)])
    gained = f"(max by (bot) ({REALISED}) - on (bot) max by (bot) ({REALISED} offset 1h))"
    return by_hour(panel, _by_mode(gained), "mode")
