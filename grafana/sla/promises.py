"""Rows "Is it kept?" and "Error budget": the items of the SLA, and what of it may still fail. See docs/sla.md."""

from __future__ import annotations

from grafana_foundation_sdk.builders import stat, table, timeseries

from grafana import style
from grafana.board import Row
from grafana.panels import FEW_POINTS, limit_line, lines, over_time
from grafana.promql import BOT as OF_BOT
from grafana.promql import UNTIL_NOW, of_bot, recorded
from grafana.stats import Number, side_by_side, the_worst, width
from grafana.style import set_
from grafana.tables import Label, Value, coloured_text, gauge_cell, lamp, measure, named, rows
from grafana.trading_bot.values import BOT

# The items: label `sla` → name.
ITEMS = {
    "availability": "availability",
    "error_rate": "error rate",
    "response_time_p95": "response time p95",
    "response_time_p99": "response time p99",
    "response_time_median": "response time median",
    "data_freshness": "data freshness",
    "model_accuracy": "model accuracy",
    "throughput": "throughput",
    "throughput_peak": "throughput, peak",
}
NO_TARGETS = "no SLA targets set"
TOO_EARLY = "too early"  # nothing is judged on less than an hour

BROKEN, KEPT, NOT_MEASURED = range(3)
VERDICTS = {
    str(BROKEN): ("broken", style.CRITICAL),
    str(KEPT): ("kept", style.SUCCESS),
    str(NOT_MEASURED): ("not measured", style.CLEAR),
}

SPENT = {"0": ("spent", style.CRITICAL)}

MET = recorded("bot_sla:met:bool", "bot, sla")
LEFT = recorded("bot_sla:error_budget_left:ratio", "bot, sla")
SPENT_IN = recorded("bot_sla:error_budget_spent_in:seconds", "bot, sla")
# How fast it may burn before somebody is told: the factors of ErrorBudgetBurn's pairs of windows.
PAGE_FAST, PAGE, TICKET_DAY, TICKET = 14.4, 6, 3, 1
WINDOWS = {
    "5m": PAGE_FAST,
    "30m": PAGE,
    "1h": PAGE_FAST,
    "2h": TICKET_DAY,
    "6h": PAGE,
    "1d": TICKET_DAY,
    "3d": TICKET,
}

# Each bot with each item that has a target, also where nobody could measure it.
WANTED = " or ".join(
    f'label_replace({of_bot("bot:maintenance")} * 0 and on () sla:budget:ratio{{sla="{sla}"}}, "sla", "{sla}", "", "")'
    for sla in ITEMS
)


def row() -> Row:
    """The row, with ids from 100."""
    return Row(100, "Is it kept?", [_verdicts(), _score(), _budget_left(), _spent_first(), _items()])


def budget_row() -> Row:
    """The row, with ids from 200."""
    return Row(200, "Error budget", [_budget_over_time(), _burn_over_time(), _burn_rates()])


def _verdicts() -> stat.Panel:
    return side_by_side(
        101,
        "Promises",
        (8, 4),
        "Items of the SLA, of each bot: kept over the last four weeks, broken, or not measured, which is neither. "
        "When one is broken, the table below tells which, and the row Error budget since when.",
        [
            Number("broken", f"count({MET} == 0) or 0 * count({WANTED})", steps=[(1, style.CRITICAL)]),
            Number("kept", f"count({MET} == 1) or 0 * count({WANTED})", steps=[(1, style.SUCCESS)]),
            Number("not measured", f"count(({WANTED}) unless on (bot, sla) {MET}) or 0 * count({WANTED})"),
        ],
        NO_TARGETS,
    )


def _score() -> stat.Panel:
    lowest = f"min({of_bot('bot:sla_score:ratio')}) or on () 0 / (count({WANTED}) * 0)"
    return side_by_side(
        102,
        "SLA score, lowest",
        (5, 4),
        "How much of the six promised items is kept, each counting the same, of the bot that has the lowest; 100 % "
        "when all are. Beside it the smallest share of the items that a bot's score rests on: of one that rests on "
        "few, the score says little.",
        [
            Number("score", lowest, style.CRITICAL, [(0.99, style.WARNING), (1, style.SUCCESS)]),
            Number("measured", f"min({of_bot('bot:sla_measured:ratio')})", properties=[set_("decimals", 0)]),
        ],
        NO_TARGETS,
        style.RATIO,
        2,
        TOO_EARLY,
    )


def _budget_left() -> stat.Panel:
    return the_worst(
        103,
        "Error budget left, least",
        (6, 4),
        "What may still fail within four weeks, of the item that has least. Below 0 more failed than was allowed. "
        "Below a quarter, change nothing that could break it: no updates, no new strategies.",
        f"bottomk(1, {LEFT}) or on () 0 / (count({WANTED}) * 0)",
        "{{bot}} {{sla}}",
        NO_TARGETS,
        style.RATIO,
        0,
        (style.CRITICAL, [(0, style.WARNING), (0.25, style.SUCCESS)]),
        TOO_EARLY,
    )


def _spent_first() -> stat.Panel:
    return the_worst(
        104,
        "First budget spent in",
        (5, 4),
        "How long the first error budget lasts at the rate of the last hour, in time that is measured; 0 where one is"
        " spent already, not in sight while nothing fails or less than an hour is measured. Within hours: look at "
        "that bot now. Within days: before the week is over.",
        f"bottomk(1, {SPENT_IN}) or on () 0 / (count({WANTED}) * 0)",
        "{{bot}} {{sla}}",
        NO_TARGETS,
        style.SECONDS,
        1,
        (style.CRITICAL, [(86400, style.WARNING), (7 * 86400, style.SUCCESS)]),
        "not in sight",
        SPENT,
    )


def _items() -> table.Panel:
    # What was promised: the share of the time in which it must be kept.
    promised = f"({WANTED}) + on (sla) group_left () (1 - sla:budget:ratio)"
    burn_steps = style.steps(style.NEUTRAL, (1, style.WARNING), (PAGE_FAST, style.CRITICAL))
    return rows(
        105,
        "Promises, one by one",
        (24, 9),
        "Each item of each bot over the last four weeks, or since it is measured; those that are broken first. "
        "Promised is the share of the measured time in which the item must be kept. Burn is how many times as fast as"
        " allowed the budget was spent in the last hour: above 1 it won't last. Not measured is neither kept nor "
        "broken.",
        [
            BOT,
            Label(
                "Item",
                "sla",
                [
                    set_("mappings", [style.texts({sla: (name, style.NEUTRAL) for sla, name in ITEMS.items()})]),
                    set_("custom.minWidth", 150),
                ],
            ),
            Value(
                "Verdict",
                f"{MET} or on (bot, sla) ({WANTED}) + {NOT_MEASURED}",
                [*lamp(VERDICTS), width(115)],
            ),
            Value("Kept", recorded("bot_sla:compliance:ratio", "bot, sla"), measure(style.RATIO, 3, 95)),
            Value("Promised", promised, measure(style.RATIO, 1, 90)),
            Value(
                "Budget left",
                LEFT,
                [
                    *measure(style.RATIO, 0),
                    *gauge_cell(1),
                    style.steps(style.CRITICAL, (0, style.WARNING), (0.25, style.SUCCESS)),
                    set_("custom.minWidth", 160),
                ],
            ),
            Value("Spent in", SPENT_IN, [*measure(style.SECONDS, 1, 95), named(SPENT)]),
            Value(
                "Burn, 1 h",
                recorded("bot_sla:burn_rate:ratio_1h", "bot, sla"),
                [*measure(style.COUNT, 1, 90), *coloured_text(), burn_steps],
            ),
            Value("Measured", recorded("bot_sla:measured_seconds:4w", "bot, sla"), measure(style.SECONDS, 1, 100)),
        ],
        WANTED,
        sort_by="Verdict",
        absent="no SLA targets set: preset production has some, see docs/sla.md",
    )


def _budget_over_time() -> timeseries.Panel:
    # One choice for the whole time shown, so that no line comes and goes.
    at_end = f"last_over_time({of_bot('bot_sla:error_budget_left:ratio')}[1d] {UNTIL_NOW})"
    drawn = f"{LEFT} and on (bot, sla) (bottomk(10, max by (bot, sla) ({at_end})))"
    return (
        lines(
            201,
            "Error budget left",
            (12, 9),
            "What may still fail, of each item; of more than ten, those that have least now. A step down is an "
            "outage, a slope something that fails all the time. At the dashed line it is spent; far below it the "
            "chart ends. It comes back as what failed becomes older than four weeks.",
            style.RATIO,
            1,
            f"{NO_TARGETS}, less than an hour measured, or nothing in the last day shown",
        )
        .with_target(over_time(drawn, "{{bot}} {{sla}}"))
        .with_target(over_time(f"0 * count({drawn})", "spent", "B"))
        .max_data_points(FEW_POINTS)
        .min(-0.25)
        .max(1)
        .override_by_name("spent", limit_line())
    )


def _burn_over_time() -> timeseries.Panel:
    panel = lines(
        202,
        "Burn rate, fastest item of each window",
        (12, 9),
        "How many times as fast as allowed an error budget is spent; at 1, the dashed line, it lasts just as long as "
        "the four weeks that it is for. A short window that is high while the long ones are low is a moment; when the "
        "long ones follow, ErrorBudgetBurn tells you: from 14.4 in an hour, 6 in six, 3 in a day, 1 in three days.",
        style.COUNT,
        1,
        f"{NO_TARGETS}, or nothing measured yet",
    )
    colours = {"1h": style.ORANGE, "6h": style.WARNING, "1d": style.INFO, "3d": style.PURPLE}
    for ref, (window, colour) in zip("ABCD", colours.items(), strict=True):
        panel.with_target(over_time(f"max({of_bot(f'bot:burn_rate:ratio_{window}')})", window, ref))
        panel.override_by_name(window, [style.colour(colour)])
    allowed = f"0 * count({of_bot('bot:burn_rate:ratio_1h')}) + 1"
    return (
        panel.with_target(over_time(allowed, "allowed", "E"))
        .min(0)
        .max_data_points(FEW_POINTS)
        .override_by_name("allowed", limit_line())
    )


def _burn_rates() -> table.Panel:
    # With fifty bots there are hundreds of items: only those that spend anything.
    spending = f'max by (bot, sla) ({{__name__=~"bot_sla:burn_rate:ratio_.+",{OF_BOT}}}) >= 0.005'
    chosen = f"and on (bot, sla) ({spending})"
    return rows(
        203,
        "Burn rates, one by one",
        (24, 7),
        "How many times as fast as allowed each error budget was spent, over windows up to now; only items that spend "
        "any, the fastest of the last hour first. A cell is red or orange where ErrorBudgetBurn looks at that window: "
        "a critical one needs 5 min and 1 h, or 30 min and 6 h, a warning 2 h and a day, or 6 h and three days, both "
        "beyond the limit.",
        [
            BOT,
            Label("Item", "sla", [set_("mappings", [style.texts({s: (n, style.NEUTRAL) for s, n in ITEMS.items()})])]),
            *(
                Value(
                    window,
                    f"{recorded(f'bot_sla:burn_rate:ratio_{window}', 'bot, sla')} {chosen}",
                    [
                        *measure(style.COUNT, 2, 95),
                        *coloured_text(),
                        style.steps(
                            style.NEUTRAL,
                            (factor, style.CRITICAL if factor in (PAGE, PAGE_FAST) else style.WARNING),
                        ),
                    ],
                )
                for window, factor in WINDOWS.items()
            ),
        ],
        spending,
        sort_by="1h",
        largest_first=True,
        absent="no spending known",
    )
