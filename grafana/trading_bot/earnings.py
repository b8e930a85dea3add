"""Of row "Performance in $currency": the marks of trades on the P&L, and the profit by day and by hour."""

from __future__ import annotations

from grafana_foundation_sdk.builders import barchart, timeseries
from grafana_foundation_sdk.models import common

from grafana import promql, style
from grafana.panels import columns, day_bars, over_time
from grafana.promql import drawn, of_bot
from grafana.style import set_
from grafana.trading_bot.by_hour import by_hour
from grafana.trading_bot.values import CURRENCY, NO_TRADES

GAINED = f"{of_bot('bot:realized_profit_loss:increase5m').removesuffix('}')}{CURRENCY}}}"
# More marks than these would be a band.
MARKED_SECONDS = 3 * 86400
MARKED_BOTS = 5


def with_trades(panel: timeseries.Panel, total: str) -> timeseries.Panel:
    """Mark on the curve `total` when positions were opened, and trades won or lost: in that step there was one."""
    bots = f"count({drawn('trading_bot_profit_loss')})"
    few = f"and on () (vector($__range_s) <= {MARKED_SECONDS}) and on () ({bots} <= {MARKED_BOTS})"
    for ref, name, colour in (("C", "opened", style.INFO), ("D", "lost", style.ORANGE), ("E", "won", style.SUCCESS)):
        happened = f'bot_event:trades:increase1m{{{promql.BOT}{CURRENCY},event="{name}"}}'
        marked = f"{total} and on (mode) sum by (mode) (sum_over_time({happened}[$__interval])) {few}"
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
    # A bar begins with its day, hence the offset into the future.
    panel = day_bars(
        204,
        "Profit by day in $currency (UTC)",
        (13, 8),
        "Realised profit or loss of each of the last 30 days, as far back as they were recorded. A bad day is "
        "normal; a bad week is a reason to look at the strategy and at what the markets did.",
        style.MONEY,
        2,
        NO_TRADES,
    ).with_target(over_time(f"sum by (mode) (sum_over_time({GAINED}[1d] offset -1d))", "$currency {{mode}}"))
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
    return by_hour(panel, f"sum by (mode) (sum_over_time({GAINED}[1h]))", "mode")
