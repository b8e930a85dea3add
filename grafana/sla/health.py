"""Row "Health": what fails now, and what failed when."""

from __future__ import annotations

from grafana_foundation_sdk.builders import stat, statetimeline, table

from grafana import style
from grafana.board import Row
from grafana.panels import over_time, states
from grafana.promql import SHOWN, UNTIL_NOW, in_step, none_known, of_bot, of_bots, recorded, told_in_label
from grafana.stats import Number, side_by_side, the_worst, width
from grafana.tables import Value, lamp, lamps, rows
from grafana.trading_bot.values import BOT

HEALTH = of_bot("bot:health:bool")
FAILED = of_bot("bot_check:health:failed")
OK = {"0": ("fails", style.CRITICAL), "1": ("ok", style.SUCCESS)}
# label `check` → the column's name.
CHECKS = {
    "bot_running": "Running",
    "api_connectivity": "Exchange",
    "network": "Network",
    "data_freshness": "Data",
    "model_loaded": "Model",
    "cpu": "CPU",
    "memory": "Memory",
    "disk": "Disk",
}


def row() -> Row:
    """The row, with ids from 300."""
    return Row(300, "Health", [_healthy(), _now(), _often(), _overall(), _checks()])


def _healthy() -> stat.Panel:
    known = f"0 * count({of_bot('bot:maintenance')})"
    return side_by_side(
        301,
        "Bots",
        (6, 5),
        "Bots of which a check fails, and those of which none does. Unclear are those that nobody can judge: stopped "
        "or paused on purpose, or not seen. When one is ill, the table beside tells which check.",
        [
            Number("ill", f"count({HEALTH} == 0) or {known}", steps=[(1, style.CRITICAL)]),
            Number("healthy", f"count({HEALTH} == 1) or {known}", steps=[(1, style.SUCCESS)]),
            Number("unclear", f"count({of_bot('bot:maintenance')} unless on (bot) {HEALTH}) or {known}"),
        ],
        "no bot known",
    )


def _often() -> stat.Panel:
    return the_worst(
        302,
        "Healthy for, least",
        (6, 4),
        "Share of the time shown in which all checks of a bot passed, of the bot that was ill most; time in which "
        "nobody could judge it doesn't count. Below 99 % something comes again: see below which check and when.",
        f"bottomk(1, avg_over_time({HEALTH}[$__range:$__interval]))",
        "{{bot}}",
        style.NOT_KNOWN,
        style.RATIO,
        1,
        (style.WARNING, [(0.99, style.SUCCESS)]),
    )


def _now() -> table.Panel:
    return rows(
        303,
        "Health now",
        (18, 9),
        "The checks of each bot, those that are ill first; docs/performance.md has their limits. A dash: the bot "
        "states nothing that this check looks at, or it is off. A failing disk is the host's, and fails for all.",
        [
            BOT,
            Value("Overall", recorded("bot:health:bool"), [*lamp(OK), width(80)]),
            *lamps("bot_check:health:bool", "check", CHECKS, OK),
        ],
        f"max by (bot) ({of_bot('bot:maintenance')})",
        sort_by="Overall",
        absent="no bot known: see the exporter's page, port 8000",
    )


def _overall() -> statetimeline.Panel:
    # No failed check is lost between two steps, but the host's disk; that all was well is read at each step's moment.
    by_bot = f"min by (bot) ({in_step(FAILED)} or {HEALTH} + 0)"
    # A bot of which that isn't recorded yet is judged by the last step.
    shares = f"avg_over_time({of_bot('bot:health:every5m')}{SHOWN})"
    judged = f"({shares} or avg_over_time({HEALTH}[$__interval] {UNTIL_NOW}) or {HEALTH} @ end() + 0)"
    none = f"{told_in_label(f'absent({judged})', 'bot', 'no bot judged yet')} - 1"
    return (
        states(
            304,
            "Health over time",
            (12, 8),
            "When all checks of a bot passed (green) and when one failed (red); of more than twelve bots, those that "
            "were ill most. A gap: nobody could judge it, for it was stopped or paused on purpose, or nobody looked.",
        )
        .with_target(over_time(f"{of_bots(by_bot, f'bottomk(12, {judged})')} or {none}", "{{bot}}"))
        .mappings([style.texts({**OK, "-1": ("not judged", style.CLEAR)})])
    )


def _checks() -> statetimeline.Panel:
    longest = f"topk(2, max by (bot) (count_over_time({FAILED}{SHOWN})))"
    bands = of_bots(f"max by (bot, check) {in_step(FAILED)}", longest)
    # The host's disk is a check of all bots, and recorded once.
    of_any = 'bot_check:health:failed{bot=~"$bot|"}'
    of_host = in_step('bot_check:health:failed{bot=""}')
    none = f"{none_known(of_any, 'bot', 'no failed check known')} - 1"
    return (
        states(
            305,
            "Failed checks over time",
            (12, 8),
            "Which checks failed when, of the two bots of which one failed longest, and the host's disk; choose other "
            "bots above. Which one went red first is mostly the cause, what came after it follows from it. Not red: it "
            "passed, or there was nothing to measure, as of a bot that is down.",
        )
        .with_target(over_time(f"{bands} or max by (bot, check) {of_host} or {none}", "{{bot}} {{check}}"))
        .mappings([style.texts({"0": ("fails", style.CRITICAL), "-1": ("none known", style.CLEAR)})])
    )
