"""Row "Market": what do the markets do that the bots watch?"""

from __future__ import annotations

from grafana_foundation_sdk.builders import statetimeline, table, timeseries

from grafana import promql, style
from grafana.board import Row
from grafana.panels import FEW_POINTS, limit_line, lines, over_time, states
from grafana.promql import of_bot
from grafana.style import set_
from grafana.tables import Label, Property, Value, coloured_cell, coloured_text, measure, named, rows
from grafana.trading_bot.values import BOT

NO_MARKET = "no market reported by this bot"
OF_MARKET = f'{promql.BOT},symbol=~"$pair"'
VOLATILITY = "trading_bot_market_volatility_ratio"
TRENDS = {"down": ("down", style.ORANGE), "sideways": ("sideways", style.INFO), "up": ("up", style.SUCCESS)}
REGIMES = {
    "bear": ("bear", style.ORANGE),
    "volatile": ("volatile", style.WARNING),
    "sideways": ("sideways", style.INFO),
    "calm": ("calm", style.PURPLE),
    "bull": ("bull", style.SUCCESS),
}
# Green from no fall on, orange below: a falling market is no failure.
CHANGE = style.steps(style.ORANGE, (0, style.SUCCESS))
MARKET = "{{symbol}} · {{bot}}"


def row() -> Row:
    """The row, with ids from 700."""
    return Row(
        700, "Market", [_markets(), _volatility(), _strength(), _timeline("trend"), _timeline("regime")], collapsed=True
    )


def _latest(metric: str, *matchers: str) -> str:
    """The newest value of each market of each bot that answers."""
    of = ",".join((OF_MARKET, *matchers))
    return f"(max by (bot, symbol) (last_over_time({metric}{{{of}}}[5m])) and on (bot) {promql.ANSWERING})"


def _which(kind: str, names: dict[str, tuple[str, str]]) -> str:
    """The trend or regime of each market, as the position of its name."""
    metric = f"trading_bot_market_{kind}"
    return " or ".join(
        f'max by (bot, symbol) ({metric}{{{OF_MARKET},{kind}="{name}"}} == 1) * {position}'
        for position, name in enumerate(names)
    )


def _numbered(names: dict[str, tuple[str, str]]) -> dict[str, tuple[str, str]]:
    return {str(position): text for position, text in enumerate(names.values())}


def _markets() -> table.Panel:
    def value(name: str, key: str, unit: str, decimals: int, *properties: Property) -> Value:
        return Value(name, _latest(f"trading_bot_market_{key}"), [*measure(unit, decimals, 100), *properties])

    def change(name: str, window: str) -> Value:
        expression = _latest("trading_bot_market_price_change_ratio", f'window="{window}"')
        return Value(name, expression, [*measure(style.RATIO, 2, 85), *coloured_text(), CHANGE])

    def state(name: str, kind: str, names: dict[str, tuple[str, str]]) -> Value:
        properties = [*coloured_cell(), named(_numbered(names)), set_("custom.width", 95)]
        return Value(name, f"({_which(kind, names)}) and on (bot) {promql.ANSWERING}", properties)

    return rows(
        701,
        "Markets, one by one",
        (24, 8),
        "What each bot states of the markets that it watches, of the chosen pairs. An RSI above 70 is called "
        "overbought, below 30 oversold; Bollinger is where the price is between the bands, 0 to 100 %. "
        "Liquidity and support are in the bot's own measure. When a market is far from what your strategy was made "
        "for, leave that pair out.",
        [
            Label("Pair", "symbol", [set_("custom.minWidth", 105)]),
            BOT,
            state("Trend", "trend", TRENDS),
            state("Regime", "regime", REGIMES),
            change("1 h", "1h"),
            change("24 h", "24h"),
            value("Volatility", "volatility_ratio", style.RATIO, 2),
            value("Liquidity", "liquidity_score", style.COUNT, 2),
            value("RSI", "rsi", style.COUNT, 0),
            value("MACD", "macd", style.GROUPED, 4),
            value("Bollinger", "bollinger_position_ratio", style.RATIO, 0),
            value("Support", "support_resistance_strength", style.COUNT, 2),
            value("Volume 24 h", "volume_24h", "short", 1),
            value("Its change", "volume_change_ratio", style.RATIO, 1, *coloured_text(), CHANGE),
        ],
        f'max by (bot, symbol) ({{__name__=~"trading_bot_market_.+",{OF_MARKET}}}) and on (bot) {promql.ANSWERING}',
        sort_by="Pair",
        absent=NO_MARKET,
    )


def _chosen(metric: str, choose: str) -> str:
    """Curves of the markets that `choose` gives by their values of the last day, also of a bot that has died on it."""
    at_end = f"max by (bot, symbol) (last_over_time({metric}{{{OF_MARKET}}}[1d] @ end()))"
    curves = f"bot_symbol:{metric.removeprefix('trading_bot_')}:last5m{{{OF_MARKET}}}"
    return f"{curves} and on (bot, symbol) ({choose.format(at_end)})"


def _known(metric: str) -> str:
    """How many bots have curves: for lines across the chart."""
    bots = f"max by (bot) (last_over_time({metric}{{{OF_MARKET}}}[1d] @ end()))"
    return f"count({promql.of_bot('bot:info:answering')} and on (bot) {bots})"


def _limit() -> str:
    limit = f"min({of_bot('bot:threshold', threshold='volatility', severity='warning')})"
    return f"{limit} and on () {_known(VOLATILITY)}"


def _volatility() -> timeseries.Panel:
    return (
        lines(
            702,
            "Volatility",
            (12, 9),
            "How much each market moves, as a share of its price; of more than ten, the ten that move most now. The "
            "dashed line is volatility of monitoring.yml: above it stops are hit by chance, so reduce position sizes.",
            style.RATIO,
            2,
            NO_MARKET,
        )
        .with_target(over_time(_chosen(VOLATILITY, "topk(10, {})"), MARKET))
        .with_target(over_time(_limit(), "warning", "B"))
        .max_data_points(FEW_POINTS)
        .min(0)
        .override_by_name("warning", limit_line(style.WARNING))
    )


def _strength() -> timeseries.Panel:
    rsi = "trading_bot_market_rsi"
    panel = (
        lines(
            703,
            "RSI",
            (12, 9),
            "Relative strength index of each market; of more than eight, the four highest and the four lowest now. "
            "Above 70 it is called overbought, below 30 oversold: a bot that buys in the one or sells in the other "
            "goes against the habit, so see whether its strategy means to.",
            style.COUNT,
            1,
            NO_MARKET,
        )
        .with_target(over_time(_chosen(rsi, "topk(4, {0}) or bottomk(4, {0})"), MARKET))
        .max_data_points(FEW_POINTS)
        .min(0)
        .max(100)
    )
    for ref, name, level in (("B", "overbought", 70), ("C", "oversold", 30)):
        panel.with_target(over_time(f"0 * {_known(rsi)} + {level}", name, ref))
        panel.override_by_name(name, limit_line(style.NEUTRAL))
    return panel


def _timeline(kind: str) -> statetimeline.Panel:
    names = TRENDS if kind == "trend" else REGIMES
    what = {
        "trend": (704, "Trend over time", "Where each market goes, as the bot sees it", "against its trend loses"),
        "regime": (705, "Regime over time", "What kind of market it is, as the bot sees it", "made for another loses"),
    }
    id_, title, text, loses = what[kind]
    # Its numbers are those of `_which`, recorded in prometheus/rules/dashboards.yml.
    code = f"bot_symbol:market_{kind}:code{{{OF_MARKET}}}"
    # Twelve bands can be told apart; those that change most say most.
    liveliest = f"topk(12, max by (bot, symbol) (last_over_time({VOLATILITY}{{{OF_MARKET}}}[1d] @ end())))"
    return (
        states(
            id_,
            title,
            (12, 7),
            f"{text}; of more than twelve, those that move most now. A strategy {loses}: when it does, leave the pair "
            "out or pause the bot until the market is as it was.",
        )
        .with_target(over_time(f"{code} and on (bot, symbol) {liveliest}", MARKET))
        # This kind of panel has no words of its own where there is nothing.
        .with_target(over_time(f"vector(-1) unless on () count({liveliest})", NO_MARKET, "B"))
        .mappings([style.texts({"-1": ("none", style.NEUTRAL), **_numbered(names)})])
    )
