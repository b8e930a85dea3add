"""Row "Before": what fired when, how often, and what was escalated."""

from __future__ import annotations

from grafana_foundation_sdk.builders import statetimeline, table

from grafana import style
from grafana.alerts import series
from grafana.alerts.present import ABOUT, BOT, alert_rows
from grafana.board import Row
from grafana.panels import over_time, states
from grafana.promql import SHOWN, fired, in_step, none_known
from grafana.style import set_
from grafana.tables import Label, Value, measure
from grafana.trading_bot.bots import SEVERITIES, severity

QUIET = "0"
CODES = {"info": 1, "warning": 2, "critical": 3}
BANDS = {
    QUIET: ("quiet", style.CLEAR),
    **{str(code): SEVERITIES[name] for name, code in CODES.items()},
}


def row() -> Row:
    """The row, with ids from 200."""
    return Row(200, "Before", [_timeline(), _how_often(), _escalated()])


def _timeline() -> statetimeline.Panel:
    keys = "alertname, bot, about"
    codes = " or ".join(
        f"{series.known_by(in_step(fired(name)), keys)} * 0 + {code}" for name, code in reversed(CODES.items())
    )
    longest = f"topk(20, {series.known_by(f'count_over_time({fired()}{SHOWN})', keys)})"
    none = none_known(fired(), "alertname", "no alert known")
    return (
        states(
            201,
            "Alerts over time",
            (24, 10),
            "What fired when; of more than twenty alerts, those that fired longest. Those that begin together mostly "
            "have one cause: look at which was first. One that comes and goes needs a limit of its own, or a repair.",
        )
        .with_target(over_time(_bands(codes, keys, longest, none), "{{alertname}} {{bot}} {{about}}"))
        .mappings([style.texts(BANDS)])
    )


def _bands(codes: str, keys: str, chosen: str, none: str) -> str:
    """The codes of the chosen alerts, quiet where they have none; or that there is none."""
    return f"({codes}) and on ({keys}) ({chosen}) or {QUIET} * ({chosen}) or {none}"


def _how_often() -> table.Panel:
    # Each incident has a beginning of its own, which is the value.
    began = 'alert:firing_since:timestamp_seconds{bot=~"$bot|"}'
    incidents = series.known_by(f"(changes({began}[$__range]) + 1)")
    minutes = series.known_by(f"count_over_time({fired()}[$__range])")
    return alert_rows(
        202,
        "How often",
        (14, 9),
        "The alerts of the time shown: how many incidents, and in how many minutes they fired. What fires every day "
        "and is never acted upon should be changed or switched off: it hides the rest. Messages that are told once "
        "(summaries, milestones) have no count.",
        [
            severity(minutes),
            Label("Alert", "alertname", [set_("custom.minWidth", 150)]),
            BOT,
            ABOUT,
            Value("Incidents", incidents, measure(style.COUNT, 0, 95)),
            Value("Firing for", f"{minutes} * 60", measure(style.SECONDS, 1, 110)),
        ],
        minutes,
        absent="no alert known in this time",
    )


def _escalated() -> statetimeline.Panel:
    keys = "alert, bot, severity, escalation"
    escalated = fired(escalated=True)
    by_whom = 'trading_bot_acknowledged_timestamp_seconds{bot=~"$bot|"}'
    # It ends with the alert, which is recorded for up to a minute after: that must not look as if somebody were told.
    acknowledged = f"({in_step(by_whom)} or last_over_time({by_whom}[3m]))"
    codes = (
        f"max by ({keys}) ({in_step(escalated)} unless on (condition, bot, severity) {acknowledged}) * 0 + 1"
        f" or max by ({keys}) ({in_step(escalated)}) * 0 + 2"
    )
    longest = f"topk(12, max by ({keys}) (count_over_time({escalated}{SHOWN})))"
    none = none_known(escalated, "alert", "no escalation known")
    return (
        states(
            203,
            "Escalations over time",
            (10, 9),
            "When others were told (orange); of more than twelve, those that lasted longest. Blue: acknowledged, so "
            "nobody was. The first step comes as late as docs/alerts.md says, later ones after no_response of "
            "monitoring.yml. Many of them: nobody saw the first message, so check its channel below, or tell somebody"
            " who is awake.",
        )
        .with_target(over_time(_bands(codes, keys, longest, none), "{{alert}} {{bot}} {{escalation}}"))
        .mappings(
            [
                style.texts(
                    {QUIET: ("quiet", style.CLEAR), "1": ("escalated", style.ORANGE), "2": ("acknowledged", style.INFO)}
                )
            ]
        )
    )
