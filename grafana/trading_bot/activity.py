"""Row "Activity": do the bots trade as usual, and what is open?"""

from __future__ import annotations

from grafana_foundation_sdk.builders import barchart, table, timeseries
from grafana_foundation_sdk.models import common

from grafana import promql, style
from grafana.board import Row
from grafana.panels import columns, lines
from grafana.promql import current, exact
from grafana.style import set_
from grafana.tables import Label, Value, coloured_text, measure, money, rows
from grafana.trading_bot.by_hour import by_hour
from grafana.trading_bot.curves import of_each_bot
from grafana.trading_bot.values import BOT, MODE, NO_TRADES, PROFIT, RESULTS

OF_POSITION = f'{promql.BOT},pair=~"$pair"'
MOST_POSITIONS = 100


def row() -> Row:
    """The row, with ids from 400."""
    return Row(400, "Activity", [_pace(), _hours(), _open_positions(), _positions(), _bots()])


def _pace() -> timeseries.Panel:
    panel = lines(
        401,
        "Trades an hour",
        (12, 8),
        "Trades closed in the 24 hours before, an hour; of more than ten bots, those that traded most. The dashed line "
        "is trades_per_hour of monitoring.yml. A curve that falls below a bot's usual pace: see whether its pairs, "
        "stake or market have changed.",
        style.COUNT,
        2,
        style.TOO_FEW,
    )
    return of_each_bot(panel, {"": "trading_bot_trades_per_hour"}, [("trades_per_hour", "warning")], "max").min(0)


def _hours() -> barchart.Panel:
    more = promql.of_bot("bot_result:trades_total:increase5m")
    panel = columns(
        402,
        "Trades by hour of day (UTC)",
        (12, 8),
        "Trades of the last 30 days by the hour at which they closed, as far as they were recorded. Hours in which a "
        "bot mostly loses may be better left out of its trading times.",
        style.GROUPED,
        1,
        NO_TRADES,
    )
    panel.stacking(common.StackingMode.NORMAL)
    for result, colour in RESULTS.items():
        panel.override_by_name(result, [style.colour(colour)])
    return by_hour(panel, f"sum by (result) (sum_over_time({more}[1h]))", "result")


def _open_positions() -> timeseries.Panel:
    panel = lines(
        403,
        "Open positions over time",
        (12, 8),
        "Positions that are open; of more than ten bots, the ten with most. When a bot stays at its most for long, its "
        "money is tied up; when it stays at 0, it finds nothing to buy.",
        style.COUNT,
        1,
        "no position known",
    )
    return of_each_bot(panel, {"": "trading_bot_open_positions"}).min(0)


def _positions() -> table.Panel:
    def latest(metric: str) -> str:
        # Not the newest of some minutes: a position that was closed would stay.
        return f"max by (bot, pair, side) ({metric}{{{OF_POSITION}}})"

    profit = f"({latest('trading_bot_position_profit_ratio')} and on (bot) {promql.ANSWERING})"
    worst = f"bottomk({MOST_POSITIONS}, {profit})"
    to_stop = latest("trading_bot_position_stop_distance_ratio")
    return rows(
        404,
        "Positions, one by one",
        (12, 8),
        f"Each open position, the worst first, at most {MOST_POSITIONS}. Several in a pair are one row. "
        "To stop is how far the price is from the stop. A loss close to its stop will be realised soon; one without a "
        "stop has no floor: set one, or close it.",
        [
            Label("Pair", "pair", [set_("custom.minWidth", 105)]),
            BOT,
            Label("Side", "side", [set_("custom.width", 75)]),
            Value(
                "Profit",
                worst,
                [*measure(style.RATIO, 2, 95), *coloured_text(), PROFIT],
            ),
            Value("To stop", f"{to_stop} and on (bot, pair, side) {worst}", measure(style.RATIO, 2, 95)),
        ],
        worst,
        sort_by="Profit",
        absent="no open position known",
    )


def _bots() -> table.Panel:
    def ago(name: str, metric: str) -> Value:
        return Value(name, f"time() - {current(metric)}", measure(style.SECONDS, 0, 105))

    return rows(
        405,
        "Activity by bot",
        (24, 6),
        "How much each bot trades: in the last 24 hours, an hour; in the last 7 days, a day; how large, and how long "
        "it holds; orders are those not filled yet. A last trade much "
        "longer ago than usual, or a loop that last ran minutes ago: read the bot's log.",
        [
            BOT,
            Value("Trades/h", current("trading_bot_trades_per_hour"), measure(style.COUNT, 2, 85)),
            Value("Trades/day", current("trading_bot_trades_per_day"), measure(style.COUNT, 1, 95)),
            ago("Last trade", "trading_bot_last_trade_timestamp_seconds"),
            Value(
                "Held, mean",
                current("trading_bot_position_duration_avg_seconds"),
                measure(style.SECONDS, 1, 105),
            ),
            Value("Size, mean", exact(current("trading_bot_position_size_avg")), money()),
            Label("Currency", "currency", [set_("custom.width", 85)]),
            Value("Open", current("trading_bot_open_positions"), measure(style.COUNT, 0, 65)),
            Value("Orders", current("trading_bot_pending_orders"), measure(style.COUNT, 0, 75)),
            ago("Last active", "trading_bot_last_activity_timestamp_seconds"),
            ago("Candles", "trading_bot_data_timestamp_seconds"),
            MODE,
        ],
        f"max by (bot, mode, currency) ({promql.ANSWERING})",
        sort_by="Trades/h",
        absent="no bot answers",
    )
