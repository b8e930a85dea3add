"""Row "Now": what fires, since when, and who looks after it."""

from __future__ import annotations

from collections.abc import Sequence

from grafana_foundation_sdk.builders import stat, table

from grafana import style
from grafana.alerts import series
from grafana.board import Row
from grafana.promql import firing
from grafana.stats import Number, side_by_side, the_worst, width
from grafana.style import set_
from grafana.tables import Label, Value, lamp, measure, rows
from grafana.trading_bot.bots import SEVERITIES, severity

# None counts as 0 only where there is a sign that rules are evaluated.
EVALUATED = "0 * count(bot:threshold)"
NO_RULES = "no rules evaluated"
# A time of today, else date and time; milliseconds.
CLOCK = "dateTimeAsIsoNoDateIfToday"
STEPS = {
    "step_1": "step 1",
    "step_2": "step 2",
    "step_3": "step 3",
    "system_down": "stays down",
    "drawdown": "drawdown",
    "repeated": "comes back",
}
ROLES = ("manager", "technical_lead", "emergency_contact", "risk_manager")
ESCALATING = 'ALERTS{alertstate="firing",escalation!="",bot=~"$bot|"}'
# An acknowledgement stops them, though their conditions go on.
UNSTOPPED = f"{ESCALATING} unless on (condition, bot, severity) {series.ACKNOWLEDGED}"
GOES_ON = {"0": ("stopped", style.CLEAR), "1": ("goes on", style.ORANGE)}
# A click shows that bot alone, there where its figures are; or all bots, see `series.with_bot`.
BOT = Label(
    "Bot",
    "bot",
    [
        set_("custom.minWidth", 95),
        set_(
            "links",
            [
                {
                    "title": "${__value.text} on the overview",
                    "url": "/d/trading-bot?var-bot=${__value.raw:percentencode}"
                    "&${datasource:queryparam}&${exchange:queryparam}&${__url_time_range}",
                }
            ],
        ),
    ],
)
ABOUT = Label("About", "about", [set_("custom.minWidth", 105)])


def alert_rows(
    id_: int,
    title: str,
    size: tuple[int, int],
    description: str,
    columns: Sequence[Label | Value],
    labels_from: str,
    absent: str,
    hidden: Sequence[str] = (),
) -> table.Panel:
    """A table of alerts, the worst first."""
    named = [
        column._replace(expression=series.with_bot(column.expression)) if isinstance(column, Value) else column
        for column in columns
    ]
    return rows(
        id_,
        title,
        size,
        description,
        named,
        series.with_bot(labels_from),
        sort_by="Severity",
        absent=absent,
        hidden=("condition", "severity", *hidden),
    )


def row() -> Row:
    """The row, with ids from 100."""
    return Row(100, "Now", [_count(), _unanswered(), _longest(), _escalated(), _held_back(), _firing(), _escalations()])


def _count() -> stat.Panel:
    return side_by_side(
        101,
        "Firing",
        (7, 4),
        "Alerts that fire now, of these bots and of the monitoring itself. Act on a critical one within 5 minutes, on "
        "a warning within an hour. No rules evaluated: nobody would be warned, look at Prometheus's log.",
        [
            Number(
                name,
                f"count({firing(name)}) or {EVALUATED}",
                style.SUCCESS if name == "critical" else style.NEUTRAL,
                [(1, colour)],
            )
            for name, (_, colour) in SEVERITIES.items()
        ],
        NO_RULES,
    )


def _unanswered() -> stat.Panel:
    return side_by_side(
        102,
        "Nobody looks after",
        (4, 4),
        "Critical alerts and warnings that nobody has acknowledged. The link to do it is in the message and in the "
        "inbox; until then repeats and escalation go on.",
        [
            Number(
                "not acknowledged",
                f"count({series.UNANSWERED}) or {EVALUATED}",
                style.SUCCESS,
                [(1, style.WARNING)],
            )
        ],
        NO_RULES,
    )


def _longest() -> stat.Panel:
    oldest = f"topk(1, time() - {series.SINCE} unless on (condition, bot, severity) {series.ACKNOWLEDGED})"
    return the_worst(
        103,
        "Longest unanswered",
        (5, 4),
        "The alert that has waited longest for somebody to acknowledge it, counted from when its condition began. From "
        "15 minutes on for a critical one, others are told: see Escalations.",
        f"{oldest} or on () 0 / ({EVALUATED})",
        "{{alertname}} {{bot}}",
        NO_RULES,
        style.SECONDS,
        0,
        (style.NEUTRAL, [(300, style.WARNING), (900, style.CRITICAL)]),
        "none",
    )


def _escalated() -> stat.Panel:
    return side_by_side(
        104,
        "Escalated",
        (3, 4),
        "Alerts of which others are told by now, since nobody answered in time, or they are too bad for one person; "
        "without acknowledged ones, which are told no more. The table Escalations below says to whom.",
        [
            Number(
                "alerts",
                f"count(count by (alert, bot, severity) ({UNSTOPPED})) or {EVALUATED}",
                steps=[(1, style.ORANGE)],
            )
        ],
        NO_RULES,
    )


def _held_back() -> stat.Panel:
    return side_by_side(
        105,
        "Held back by Alertmanager",
        (5, 4),
        "Alerts that fire and of which nothing is told now: acknowledged, silenced, in a maintenance, or explained by"
        " a worse one. And the silences: an acknowledgement is one, too. Remove those that nobody remembers, at "
        "Alertmanager's page.",
        [
            Number("held back", 'sum(alertmanager_alerts{state="suppressed"})', steps=[(1, style.INFO)]),
            Number("silences", 'sum(alertmanager_silences{state="active"})', steps=[(1, style.INFO)]),
        ],
        "Alertmanager isn't seen",
    )


def _firing() -> table.Panel:
    escalated = (
        f"{series.FIRING} * on (condition, bot, severity) group_left ()"
        f" count by (condition, bot, severity) ({ESCALATING})"
    )
    return alert_rows(
        106,
        "Firing now",
        (24, 9),
        "Each alert that fires: what it measures now beside its limit, for how long its condition has held, who looks"
        " after it and since when, and of how many escalations others were told. Value and limit are empty where an "
        "alert has none, or it can't be read. What to do stands in its message, in the inbox and in its runbook.",
        [
            severity(series.FIRING),
            Label("Alert", "alertname", [set_("custom.minWidth", 175)]),
            BOT,
            ABOUT,
            Label("Now", "measured", [width(125)]),
            Label("Limit", "limit", [width(85)]),
            Value("For", f"time() - {series.SINCE}", measure(style.SECONDS, 1, 90)),
            Label("Acknowledged by", "by", [set_("custom.minWidth", 135)]),
            Value(
                "At",
                f"{series.FIRING} * on (condition, bot, severity) group_left (by) {series.ACKNOWLEDGED} * 1000",
                [*measure(CLOCK, 0), width(175)],
            ),
            Value("Escalations", escalated, measure(style.COUNT, 0, 100)),
            # Their values are only carriers of the texts above.
            Value("value text", series.values()),
            Value("limit text", series.limits()),
        ],
        series.FIRING,
        absent="no firing alert known",
        hidden=("value text", "limit text"),
    )


def _escalations() -> table.Panel:
    keys = "severity, alert, bot, escalation, role, condition"
    since = ESCALATING.replace('ALERTS{alertstate="firing",', "ALERTS_FOR_STATE{")
    held = f"max by ({keys}) ({ESCALATING})"
    stopped = f"({held} and on (condition, bot, severity) {series.ACKNOWLEDGED})"
    return alert_rows(
        107,
        "Escalations",
        (24, 6),
        "Who is told beside the administrator, why, and for how long by now. Acknowledging the alert stops all of its"
        " escalations: what came after the time beside the name was told to nobody. A role without a contact falls to"
        " the next one that has one: see contacts in monitoring.yml.",
        [
            severity(held),
            Label("Of", "alert", [set_("custom.minWidth", 150)]),
            BOT,
            Value(
                "State", f"{held} * 0 + 1 unless on ({keys}) {stopped} or {stopped} * 0", [*lamp(GOES_ON), width(85)]
            ),
            Label(
                "Why",
                "escalation",
                [set_("mappings", [style.texts({step: (name, style.NEUTRAL) for step, name in STEPS.items()})])],
            ),
            Label(
                "Told",
                "role",
                [
                    set_(
                        "mappings",
                        [style.texts({role: (role.replace("_", " "), style.NEUTRAL) for role in ROLES})],
                    )
                ],
            ),
            Value(
                "For", f"time() - (max by ({keys}) ({since}) and on ({keys}) {held})", measure(style.SECONDS, 1, 100)
            ),
            Label("Acknowledged by", "by", [set_("custom.minWidth", 135)]),
            Value(
                "At",
                f"{held} * on (condition, bot, severity) group_left (by) {series.ACKNOWLEDGED} * 1000",
                [*measure(CLOCK, 0), width(175)],
            ),
        ],
        held,
        absent="no escalation known",
    )
