"""Row "Score": how well does each bot do, in one number, and why?"""

from __future__ import annotations

from grafana_foundation_sdk.builders import table, timeseries

from grafana import promql, style
from grafana.board import Row
from grafana.panels import lines, over_time
from grafana.promql import drawn, of_bot, of_bots
from grafana.style import set_
from grafana.tables import Value, coloured_text, gauge_cell, measure, rows
from grafana.trading_bot.curves import BY_BOT
from grafana.trading_bot.values import BOT

PARTS = {
    "win_rate": "Win rate",
    "sharpe_ratio": "Sharpe",
    "max_drawdown": "Max. fall",
    "profit_loss": "P&L",
    "trades_per_hour": "Pace",
    "error_rate": "Errors",
    "uptime": "Uptime",
}
# A low score is no failure, so it isn't red.
STEPS = ((0.25, style.WARNING), (0.5, style.INFO), (0.75, style.SUCCESS))


def row() -> Row:
    """The row, with ids from 280."""
    return Row(280, "Score", [_parts(), _trend()])


def _parts() -> table.Panel:
    def value(expression: str) -> str:
        return f"max by (bot) (last_over_time({expression}[5m])) and on (bot) {promql.ANSWERING}"

    share = [*measure(style.RATIO, 0, 74), *coloured_text(), style.steps(style.ORANGE, *STEPS)]
    return rows(
        281,
        "Score and its parts",
        (15, 8),
        "How well each bot does, from 0 to 100 %, the lowest first, and the parts that make it: each is 0 % at what is "
        "bad, 100 % at what is as good as need be. Of a part that isn't measured (a dash) the weight is shared among "
        "the others; Measured is how much of the weight is. There from 20 trades on. Work on the lowest part first.",
        [
            BOT,
            Value(
                "Score",
                value(of_bot("bot:score:ratio")),
                [
                    *measure(style.RATIO, 0),
                    *gauge_cell(1),
                    set_("custom.minWidth", 110),
                    style.steps(style.ORANGE, *STEPS),
                ],
            ),
            *(Value(name, value(of_bot("bot_part:score:ratio", part=part)), share) for part, name in PARTS.items()),
            Value("Measured", value(of_bot("bot:score_measured:ratio")), measure(style.RATIO, 0, 90)),
        ],
        value(of_bot("bot:score:ratio")),
        sort_by="Score",
        absent="too few trades yet, or no bot answers",
    )


def _trend() -> timeseries.Panel:
    score = drawn("score_ratio")
    now = f"max by (bot) (last_over_time({score}[1d] @ end()))"
    return (
        lines(
            282,
            "Score over time",
            (9, 8),
            "The same score over time; of more than eight bots, the four best now and the four worst. "
            "A curve that falls for days: the table beside it says which part is low.",
            style.RATIO,
            1,
            style.TOO_FEW,
        )
        .with_target(
            over_time(
                of_bots(score, f"topk(4, {now}) or bottomk(4, {now})"),
                BY_BOT,
            )
        )
        .min(0)
        .max(1)
    )
