"""The tables and the timeline of row "Overview": how does each bot stand, and what is wrong?"""

from __future__ import annotations

from grafana_foundation_sdk.builders import statetimeline, table

from grafana import promql, style
from grafana.panels import over_time, states
from grafana.promql import current, exact, firing, firing_of_bots, firing_since, latest, status
from grafana.style import set_
from grafana.tables import Label, Value, coloured_cell, coloured_text, gauge_cell, lamp, measure, money, named, rows
from grafana.trading_bot.values import BOT, DRAWDOWN, LIMIT_STEPS, MODE, OF_LIMIT, PROFIT, TRADES

STATUSES = {
    str(promql.DOWN): ("down", style.CRITICAL),
    str(promql.STALLED): ("stalled", style.CRITICAL),
    str(promql.ERROR): ("error", style.CRITICAL),
    str(promql.UNWATCHED): ("not watched", style.WARNING),
    str(promql.UNKNOWN): ("unknown", style.WARNING),
    str(promql.RELOADING): ("reloading", style.INFO),
    str(promql.STOPPED): ("stopped", style.INFO),
    str(promql.PAUSED): ("paused", style.INFO),
    str(promql.RUNNING): ("running", style.SUCCESS),
}
SEVERITIES = {
    "critical": ("critical", style.CRITICAL),
    "warning": ("warning", style.WARNING),
    "info": ("info", style.INFO),
}
RETURN = f"{latest('trading_bot_profit_loss')} / on (bot) ({latest('trading_bot_initial_capital')} > 0)"


def severity(alerts: str) -> Value:
    """The column by which the worst come first."""
    names = {"1": SEVERITIES["critical"], "2": SEVERITIES["warning"], "3": SEVERITIES["info"]}
    return Value("Severity", promql.ranked(alerts), [*lamp(names), set_("custom.width", 85)])


def bots() -> table.Panel:
    """A row for each bot, those that need a look first."""
    return rows(
        112,
        "Bots, one by one",
        (24, 7),
        "How each bot stands now, those that need a look first; a click on a name shows that bot alone. A bot that "
        "doesn't answer has no values, for old ones would mislead. Return is the P&L over the initial capital. "
        "“Of limit” is the share of max_drawdown (monitoring.yml) that its drawdown has used up.",
        [
            BOT,
            Value("Status", status(), [*coloured_cell(), named(STATUSES), set_("custom.width", 100)]),
            Value("Alerts", f"count by (bot) ({firing_of_bots()})", [*measure(style.COUNT, 0, 65)]),
            MODE,
            Value("P&L", exact(current("trading_bot_profit_loss")), [*money(), *coloured_text(), PROFIT]),
            Value(
                "Today",
                exact(current("trading_bot_period_profit_loss", period="day")),
                [*money(), *coloured_text(), PROFIT],
            ),
            Label("Currency", "currency", [set_("custom.width", 85)]),
            Value(
                "Return",
                f"{RETURN} and on (bot) {promql.ANSWERING}",
                [*measure(style.RATIO, 2, 90), *coloured_text(), PROFIT],
            ),
            Value("Drawdown", DRAWDOWN, measure(style.RATIO, 2, 95)),
            Value(
                "Of limit",
                OF_LIMIT,
                [
                    *measure(style.RATIO, 0),
                    *gauge_cell(1),
                    style.steps(style.SUCCESS, *LIMIT_STEPS),
                    set_("custom.minWidth", 130),
                ],
            ),
            Value("Trades", f"sum by (bot) ({TRADES})", measure(style.COUNT, 0, 75)),
            Value("Win rate", current("trading_bot_win_rate"), measure(style.RATIO, 1, 85)),
            Value("Sharpe", current("trading_bot_sharpe_ratio"), measure(style.COUNT, 2, 75)),
            Value("Open", current("trading_bot_open_positions"), measure(style.COUNT, 0, 65)),
            Value(
                "Uptime", f"time() - {current('trading_bot_start_timestamp_seconds')}", measure(style.DURATION, 0, 115)
            ),
            Label("Exchange", "exchange"),
            Label("Strategy", "strategy"),
            Value("Configured", f"max by (bot) ({promql.of_bot('bot:threshold')})"),
        ],
        f"max by (bot, mode, currency, exchange, strategy) ({promql.ANSWERING})",
        sort_by="Status",
        absent="no bot known: see the exporter's page, port 8000",
        # It stands by the status while the exporter is gone: of a single answer Grafana would not tell which one it is.
        hidden=("Configured",),
    )


def timeline() -> statetimeline.Panel:
    """What each bot did when."""
    code = promql.of_bot("bot:status:code")
    # On average over the time shown.
    worst = f"bottomk(12, avg_over_time({code}{promql.SHOWN}))"
    return (
        states(
            113,
            "Status over time",
            (15, 6),
            "What each bot did when; of more than twelve, those that stood worst, and of each step the worst. Red is a "
            "failure: the annotations on the charts below tell which alert it raised. In gaps nothing was recorded.",
        )
        .with_target(over_time(promql.of_bots(promql.in_step(code, "min"), worst), "{{bot}}"))
        .mappings([style.texts(STATUSES)])
    )


def firing_alerts() -> table.Panel:
    """A row for each alert that fires."""
    alerts = f"max by (alertname, bot, severity) ({firing()})"
    since = f"max by (alertname, bot, severity) ({firing_since()})"
    return rows(
        114,
        "Firing alerts",
        (9, 6),
        "Each alert that fires now, and for how long its condition has held. The message in your channel and the "
        "inbox has the details, the recommended actions and the runbook.",
        [
            severity(alerts),
            Label("Alert", "alertname", [set_("custom.minWidth", 110)]),
            Label("Bot", "bot", [set_("custom.minWidth", 90)]),
            Value("For", f"time() - ({since} and {alerts})", measure(style.SECONDS, 0, 80)),
        ],
        alerts,
        sort_by="Severity",
        absent="no firing alert known",
        hidden=("severity",),
    )
