"""Of row "Performance by trades and bots": how large and how long the trades are, and each bot's figures."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from grafana_foundation_sdk.builders import bargauge, table

from exporter.figures.history import DURATION_BUCKETS, PROFIT_RATIO_BUCKETS
from grafana import promql, style
from grafana.panels import counts, now
from grafana.promql import current, exact
from grafana.style import set_
from grafana.tables import Label, Value, coloured_text, measure, money, rows
from grafana.trading_bot.values import BOT, MODE, PROFIT


def _durations(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"


def _percent(ratio: float) -> str:
    return f"{ratio * 100:g} %".replace("-", "\N{MINUS SIGN}")


def _distribution(panel: bargauge.Panel, metric: str, bounds: Sequence[float], names: Sequence[str]) -> bargauge.Panel:
    """Fill a panel with the count of each bucket, those that hold nothing of any bot included."""

    def upto(bound: str) -> str:
        return f"sum({current(f'{metric}_bucket', le=bound)})"

    edges = [*(str(float(bound)) for bound in bounds), "+Inf"]
    for position, (edge, name) in enumerate(zip(edges, names, strict=True)):
        less = f" - {upto(edges[position - 1])}" if position else ""
        panel.with_target(now(f"{upto(edge)}{less}", name, chr(ord("A") + position)))
    return panel


def profits() -> bargauge.Panel:
    """How many trades brought how much."""
    bounds = PROFIT_RATIO_BUCKETS
    names = [
        f"below {_percent(bounds[0])}",
        *(f"{_percent(low)} to {_percent(high)}" for low, high in pairwise(bounds)),
        f"above {_percent(bounds[-1])}",
    ]
    panel = counts(
        254,
        "Results of trades",
        (12, 11),
        "How many of all closed trades ended with which profit or loss, as a share of what was put in; each step "
        "has its upper end in it, so the grey one has those that ended even, too. Few large losses can cost more than "
        "many small wins bring: see whether stops are where they should be.",
        style.NOT_KNOWN,
    )
    for name, bound in zip(names, (*bounds, 1.0), strict=True):
        # Draws are in that which ends at nothing.
        shade = style.NEUTRAL if bound == 0 else style.ORANGE if bound < 0 else style.SUCCESS
        panel.override_by_name(name, [style.colour(shade)])
    return _distribution(panel, "trading_bot_trade_profit_ratio", bounds, names)


def durations() -> bargauge.Panel:
    """How many trades were held for how long."""
    bounds = DURATION_BUCKETS
    names = [
        f"up to {_durations(bounds[0])}",
        *(f"{_durations(low)} to {_durations(high)}" for low, high in pairwise(bounds)),
        f"over {_durations(bounds[-1])}",
    ]
    panel = counts(
        255,
        "Holding times of trades",
        (12, 11),
        "For how long all closed trades were held. Many that are much longer than the strategy intends are positions "
        "that it couldn't sell: look at its exit rules.",
        style.NOT_KNOWN,
    ).color_scheme(style.fixed(style.INFO))
    return _distribution(panel, "trading_bot_trade_duration_seconds", bounds, names)


def figures() -> table.Panel:
    """Best and worst, and what a trade brings, of each bot."""

    def ratio(name: str, metric: str) -> Value:
        return Value(name, current(metric), [*measure(style.RATIO, 2, 80), *coloured_text(), PROFIT])

    def count(name: str, metric: str, decimals: int = 0) -> Value:
        return Value(name, current(metric), measure(style.COUNT, decimals, 115))

    return rows(
        256,
        "Trades by bot, best and worst",
        (24, 6),
        "Figures of all closed trades of each bot: the best and the worst, what the mean trade brings, and the longest "
        "runs of wins and of losses. Profit factor is all profits over all losses: below 1 the bot loses money. A "
        "run of losses longer than you could bear: risk less on each trade.",
        [
            BOT,
            MODE,
            count("Profit factor", "trading_bot_profit_factor", 2),
            Value(
                "Mean trade",
                exact(current("trading_bot_expectancy")),
                [*money(), *coloured_text(), PROFIT, set_("custom.width", 120)],
            ),
            Label("Currency", "currency", [set_("custom.width", 85)]),
            ratio("Best", "trading_bot_best_trade_profit_ratio"),
            ratio("Worst", "trading_bot_worst_trade_profit_ratio"),
            count("Wins in row", "trading_bot_max_consecutive_wins"),
            count("Losses in row", "trading_bot_max_consecutive_losses"),
            count("Recovery", "trading_bot_recovery_factor", 2),
            Value("Fees", exact(current("trading_bot_fees_total")), money()),
        ],
        f"max by (bot, mode, currency) ({promql.ANSWERING})",
        sort_by="Profit factor",
        absent="no bot answers",
    )
