"""Row "Performance": score, benchmarks and suggestions. See docs/performance.md."""

from __future__ import annotations

from grafana_foundation_sdk.builders import stat, table, timeseries

from grafana import promql, style
from grafana.board import Row
from grafana.panels import FEW_POINTS, lines, over_time
from grafana.promql import BOT as OF_BOT
from grafana.promql import of_bot, of_bots, recorded
from grafana.stats import Number, side_by_side, the_worst, width
from grafana.style import set_
from grafana.tables import Label, Value, coloured_cell, gauge_cell, lamps, measure, named, rows
from grafana.trading_bot.values import BOT

SCORE = of_bot("bot:score:ratio")
MET = of_bot("bot_benchmark:met:bool")
SUGGESTION = of_bot("bot_suggestion:measured:value")

SCORE_STEPS = ((0.3, style.WARNING), (0.6, style.SUCCESS))
MET_OR_NOT = {"0": ("missed", style.WARNING), "1": ("met", style.SUCCESS)}
# label `benchmark` → the column's name.
BENCHMARKS = {
    "win_rate": "Win rate",
    "max_drawdown": "Drawdown",
    "sharpe_ratio": "Sharpe",
    "trades_per_day": "Trades",
    "response_time": "Response",
    "error_rate": "Errors",
    "uptime": "Uptime",
    "memory_usage": "Memory",
    "model_accuracy": "Accuracy",
    "model_drift": "Drift",
    "prediction_confidence": "Confidence",
    "prediction_time": "Prediction",
}
PARTS = {
    "win_rate": "Win rate",
    "sharpe_ratio": "Sharpe",
    "max_drawdown": "Drawdown",
    "profit_loss": "P&L",
    "trades_per_hour": "Trades",
    "error_rate": "Errors",
    "uptime": "Uptime",
}
PRIORITIES = {"high": style.ORANGE, "medium": style.WARNING, "low": style.INFO}
SUGGESTIONS = {
    "win_rate": "low win rate",
    "drawdown": "deep drawdown",
    "error_rate": "many errors",
    "trades_per_hour": "few trades",
}
ACTIONS = ("analyze_losing_trades", "reduce_position_sizes", "review_error_logs", "review_entry_conditions")
NO_BOT = "no bot known: see the exporter's page, port 8000"


def row() -> Row:
    """The row, with ids from 400."""
    return Row(
        400,
        "Performance",
        [_lowest(), _met(), _suggested(), _suggestions(), _over_time(), _scores(), _benchmarks()],
    )


def _lowest() -> stat.Panel:
    return the_worst(
        401,
        "Score, lowest",
        (8, 4),
        "Seven measures in one number from 0 to 1, of the bot that has the lowest; docs/performance.md tells what "
        "counts how much. From 20 trades on. When it falls for days, the table Scores shows which part it is.",
        f"bottomk(1, {SCORE}) or on () 0 / (count({promql.ANSWERING}) * 0)",
        "{{bot}}",
        "no bot answers",
        style.COUNT,
        2,
        (style.ORANGE, SCORE_STEPS),
        style.TOO_FEW,
    )


def _met() -> stat.Panel:
    return side_by_side(
        402,
        "Benchmarks",
        (8, 4),
        "What was expected of the bots: how many benchmarks they miss, and how many they meet. What a bot doesn't "
        "state, or has too few trades for, is neither. Missed ones are told by nobody: look at them once a week.",
        [
            Number("missed", f"count({MET} == 0) or 0 * count({MET})", steps=[(1, style.WARNING)]),
            Number("met", f"count({MET} == 1) or 0 * count({MET})", steps=[(1, style.SUCCESS)]),
        ],
        "none measured yet",
    )


def _suggested() -> stat.Panel:
    judged = f"0 * count({promql.ANSWERING})"
    return side_by_side(
        403,
        "Suggestions",
        (8, 4),
        "What could be looked at, as the table below says; of high priority what costs money. None is an alarm: "
        "take your time, and change one thing at a time.",
        [
            Number(
                "high",
                f'count(bot_suggestion:measured:value{{{OF_BOT},priority="high"}}) or {judged}',
                steps=[(1, style.ORANGE)],
            ),
            Number(
                "other",
                f'count(bot_suggestion:measured:value{{{OF_BOT},priority!="high"}}) or {judged}',
                steps=[(1, style.INFO)],
            ),
        ],
        "no bot answers",
    )


def _suggestions() -> table.Panel:
    # Shares and numbers need other units, so each is made a text: count_values turns a value into a label.
    texts = " or ".join(
        f'label_replace(count_values by (bot, suggestion, priority, action) ("measured", round({value})),'
        f' "measured", "$1{unit}", "measured", "(.*)")'
        for value, unit in (
            (f'bot_suggestion:measured:value{{{OF_BOT},suggestion!="trades_per_hour"}} * 100, 0.01', " %"),
            (of_bot("bot_suggestion:measured:value", suggestion="trades_per_hour") + ", 0.01", " an hour"),
        )
    )
    return rows(
        404,
        "Suggestions, one by one",
        (24, 6),
        "What is outside of the limits in monitoring.yml (section suggestions), and what to look at then. Measured is "
        "what it is now; error rates are the last hour's. Nothing is done by itself.",
        [
            BOT,
            Label(
                "Priority",
                "priority",
                [
                    *coloured_cell(),
                    named({name: (name, colour) for name, colour in PRIORITIES.items()}),
                    width(75),
                ],
            ),
            Label(
                "What",
                "suggestion",
                [
                    named({name: (text, style.NEUTRAL) for name, text in SUGGESTIONS.items()}),
                    set_("custom.minWidth", 125),
                ],
            ),
            Label("Measured", "measured", [width(115)]),
            Label(
                "Look at",
                "action",
                [
                    named({name: (name.replace("_", " "), style.NEUTRAL) for name in ACTIONS}),
                    set_("custom.minWidth", 190),
                ],
            ),
        ],
        texts,
        sort_by="Priority",
        absent="no suggestion known",
    )


def _over_time() -> timeseries.Panel:
    at_end = f"last_over_time({SCORE}[$__range:$__interval] @ end())"
    return (
        lines(
            405,
            "Score over time",
            (24, 8),
            "Each bot's score from 0 to 1; of more than ten bots, the five best and the five worst. A step is mostly "
            "a part that has begun or ceased to be measured; a slope is the bot itself.",
            style.COUNT,
            2,
            style.TOO_FEW,
        )
        .with_target(over_time(of_bots(SCORE, f"topk(5, {at_end}) or bottomk(5, {at_end})"), "{{bot}}"))
        .max_data_points(FEW_POINTS)
        .min(0)
        .max(1)
    )


def _scores() -> table.Panel:
    def part(of: str, name: str) -> Value:
        return Value(name, recorded("bot_part:score:ratio", part=of), measure(style.COUNT, 2, 95))

    return rows(
        406,
        "Scores",
        (24, 6),
        "Each bot's score and its parts, each from 0 to 1; the lowest first. Measured is the share of the weights that "
        "is known: the rest of the score rests on that alone. No score: too few trades yet, or the bot doesn't answer.",
        [
            BOT,
            Value(
                "Score",
                recorded("bot:score:ratio"),
                [
                    *measure(style.COUNT, 2),
                    *gauge_cell(1),
                    style.steps(style.ORANGE, *SCORE_STEPS),
                    set_("custom.minWidth", 150),
                ],
            ),
            Value("Measured", recorded("bot:score_measured:ratio"), measure(style.RATIO, 0, 95)),
            *(part(of, name) for of, name in PARTS.items()),
        ],
        f"max by (bot) ({of_bot('bot:maintenance')})",
        sort_by="Score",
        absent=NO_BOT,
    )


def _benchmarks() -> table.Panel:
    return rows(
        407,
        "Benchmarks, one by one",
        (24, 6),
        "What was expected of each bot (monitoring.yml, section benchmarks), and whether it is met; momentary values "
        "are an hour's average. A dash: not measured, too few trades yet, or switched off.",
        [
            BOT,
            *lamps("bot_benchmark:met:bool", "benchmark", BENCHMARKS, MET_OR_NOT),
        ],
        f"max by (bot) ({of_bot('bot:maintenance')})",
        sort_by="Bot",
        absent=NO_BOT,
    )
