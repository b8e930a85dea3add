"""Row "Risk": what the bots could lose, and how close they are to their limits."""

from __future__ import annotations

from grafana_foundation_sdk.builders import gauge, table, timeseries

from grafana import promql, style
from grafana.board import Row
from grafana.panels import gauges, limit_line, lines, now, over_time
from grafana.promql import current, drawn, exact, labelled, latest, most, of_bots
from grafana.style import set_
from grafana.tables import Label, Value, gauge_cell, measure, money, rows
from grafana.trading_bot.values import BOT, MODE

UTILISATION = "trading_bot_risk_utilization_ratio"
UTILISATION_STEPS = ((0.5, style.INFO), (0.8, style.WARNING), (0.9, style.CRITICAL))
BY_BOT = "{{bot}} · {{mode}}"


def row() -> Row:
    """The row, with ids from 300."""
    return Row(300, "Risk", [_drawdown(), _utilisation(), _exposure(), _loss(), _bots()])


def _drawdown() -> timeseries.Panel:
    deepest = most(10, "trading_bot_drawdown_ratio")
    limit = f'min(bot:threshold{{{promql.BOT},threshold="max_drawdown",severity="critical"}})'
    return (
        lines(
            301,
            "Drawdown",
            (16, 9),
            "How far each account is below its peak, open positions included; of more than ten bots, the ten that were "
            "deepest. The dashed line is max_drawdown of monitoring.yml, the strictest where bots differ. A line that "
            "nears it: reduce position sizes, or close risky positions before HighDrawdown fires.",
            style.RATIO,
            1,
            "no drawdown known",
        )
        .with_target(over_time("-" + of_bots(drawn("trading_bot_drawdown_ratio"), deepest), BY_BOT))
        .with_target(over_time(f"-{limit}", "limit", "B"))
        .max(0)
        # Hardly any, or the areas of ten bots together hide the curves.
        .fill_opacity(5)
        .override_by_name("limit", limit_line())
    )


def _utilisation() -> gauge.Panel:
    by_bot = labelled(latest(UTILISATION), "mode")
    return (
        gauges(
            302,
            "Risk utilisation",
            (8, 9),
            "Money in open positions over the most that may be, of the six bots that use most. From 80 % on little "
            "is left for a bad day: reduce position sizes, or allow fewer open trades.",
            style.RATIO,
            0,
            "no exposure known",
        )
        .with_target(now(f"topk(6, {by_bot})", BY_BOT))
        .min(0)
        .max(1)
        .thresholds(style.thresholds(style.SUCCESS, *UTILISATION_STEPS))
    )


def _exposure() -> timeseries.Panel:
    ratio = "exposure_ratio"
    return (
        lines(
            303,
            "Exposure, share of its maximum",
            (12, 8),
            "Money in open positions over the most that each bot may have in them; of more than ten bots, the ten that "
            "used most. The dashed line is that maximum. A line above it means the bot breaks its own limit: check its "
            "settings and positions opened by hand. Amounts stand in the table below.",
            style.RATIO,
            1,
            "no exposure known",
        )
        .with_target(over_time(of_bots(drawn(ratio), most(10, ratio)), BY_BOT))
        .with_target(over_time(f"0 * count({drawn(ratio)}) + 1", "maximum", "B"))
        .min(0)
        .override_by_name("maximum", limit_line())
    )


def _loss() -> timeseries.Panel:
    panel = lines(
        304,
        "Loss of a bad day, share of equity",
        (12, 8),
        "What one day may cost, from the daily results so far. VaR, value at risk: 95 of 100 days lost less. ES, "
        "expected shortfall: the mean of the days beyond it. Of more than five bots, those with most at risk. When it "
        "grows, positions are too large for how much the market moves.",
        style.RATIO,
        2,
        style.TOO_FEW,
    )
    at_risk = most(5, "value_at_risk_ratio")
    for ref, name, metric in (
        ("A", "VaR", "value_at_risk_ratio"),
        ("B", "ES", "expected_shortfall_ratio"),
    ):
        panel.with_target(over_time(of_bots(drawn(metric), at_risk), f"{BY_BOT} {name}", ref))
    return panel.override_by_regexp("/ES$/", style.dashed())


def _bots() -> table.Panel:
    def amount(name: str, metric: str, **labels: str) -> Value:
        return Value(name, exact(current(metric, **labels)), money())

    def ratio(name: str, metric: str) -> Value:
        return Value(name, current(metric), measure(style.COUNT, 2, 85))

    return rows(
        305,
        "Risk by bot",
        (24, 7),
        "Each bot's risk figures now; amounts are in the bot's currency. Ratios are a year's, and there from 20 trades "
        "and 7 days on. VaR is the loss that 95 or 99 of 100 days stayed below, ES the mean loss of the days beyond "
        "it. A maximum drawdown much deeper than you can bear: give the bot less money.",
        [
            BOT,
            MODE,
            Label("Currency", "currency", [set_("custom.width", 85)]),
            Value("Max. drawdown", current("trading_bot_max_drawdown_ratio"), measure(style.RATIO, 2, 135)),
            ratio("Sharpe", "trading_bot_sharpe_ratio"),
            ratio("Sortino", "trading_bot_sortino_ratio"),
            ratio("Calmar", "trading_bot_calmar_ratio"),
            amount("VaR 95 %", "trading_bot_value_at_risk", confidence="0.95"),
            amount("VaR 99 %", "trading_bot_value_at_risk", confidence="0.99"),
            amount("ES 95 %", "trading_bot_expected_shortfall", confidence="0.95"),
            amount("ES 99 %", "trading_bot_expected_shortfall", confidence="0.99"),
            amount("Exposure", "trading_bot_exposure"),
            amount("Max. exposure", "trading_bot_max_exposure"),
            Value(
                "Utilisation",
                current(UTILISATION),
                [
                    *measure(style.RATIO, 0),
                    *gauge_cell(1),
                    style.steps(style.SUCCESS, *UTILISATION_STEPS),
                    set_("custom.minWidth", 130),
                ],
            ),
        ],
        f"max by (bot, mode, currency) ({promql.ANSWERING})",
        sort_by="Bot",
        absent="no bot answers",
    )
