"""Row "Overview": is all well, and which bot is it that isn't?"""

from __future__ import annotations

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import stat
from grafana_foundation_sdk.models import common, dashboard

from grafana import promql, style
from grafana.board import Row
from grafana.panels import judged_number, now, number_with_trend, numbers
from grafana.promql import current, drawn, firing, labelled, latest, status
from grafana.style import set_
from grafana.trading_bot import bots
from grafana.trading_bot.values import DRAWDOWN, LIMIT_STEPS, OF_LIMIT, TRADES

# Of the bots with enough trades to have a rate of their own, each trade counting the same.
WIN_RATE = (
    f"sum({current('trading_bot_trades_total', result='win')} and on (bot) trading_bot_win_rate)"
    f" / sum({TRADES} and on (bot) trading_bot_win_rate)"
)


def row() -> Row:
    """The row, with ids from 100."""
    return Row(
        100,
        "Overview",
        [
            _status(),
            _alerts(),
            _money(
                103,
                "P&L",
                latest("trading_bot_profit_loss"),
                "Profit or loss since each bot's start, open positions included",
            ),
            _money(
                104,
                "P&L today",
                latest("trading_bot_period_profit_loss", period="day"),
                "Realised profit or loss since midnight in the time zone of monitoring.yml",
            ),
            _trades(),
            _win_rate(),
            _drawdown(),
            _uptime(),
            _sharpe(),
            _positions(),
            bots.bots(),
            bots.timeline(),
            bots.firing_alerts(),
        ],
    )


def _status() -> stat.Panel:
    known = f"0 * count({status()})"
    return (
        numbers(
            101,
            "Bots",
            (4, 4),
            "How many bots run, and how many fail: they don't answer, their loop stands still, or they state an error. "
            "Idle ones were paused or stopped on purpose, or reload; unclear ones say nothing of themselves, or the "
            "exporter says nothing of them. When one fails, find it in the table below and follow its alert's runbook.",
        )
        .with_target(now(f"count({status()} <= {promql.ERROR}) or {known}", "failing", "A"))
        .with_target(now(f"count({status()} == {promql.RUNNING}) or {known}", "running", "B"))
        .with_target(now(f"count({status()} >= {promql.RELOADING} < {promql.RUNNING})", "idle", "C"))
        .with_target(now(f"count({status()} > {promql.ERROR} < {promql.RELOADING})", "unclear", "D"))
        .text_mode(common.BigValueTextMode.VALUE_AND_NAME)
        .mappings([style.when_absent("no bot known", dashboard.SpecialValueMatch.NULL)])
        .color_scheme(style.by_threshold())
        .override_by_name("failing", [style.steps(style.NEUTRAL, (1, style.CRITICAL))])
        .override_by_name("running", [style.steps(style.NEUTRAL, (1, style.SUCCESS))])
        .override_by_name("idle", [style.steps(style.INFO)])
        .override_by_name("unclear", [style.steps(style.WARNING)])
    )


def _alerts() -> stat.Panel:
    panel = numbers(
        102,
        "Active alerts",
        (4, 4),
        "Alerts that fire now, of these bots and of the monitoring itself. When one is critical, act within five "
        "minutes: it is named below, and its message and runbook say what to do. A dash means that Prometheus "
        "evaluates no rules, so nobody would be warned: look at its log.",
    )
    for ref, severity, alarm in (
        ("A", "critical", style.CRITICAL),
        ("B", "warning", style.WARNING),
        ("C", "info", style.INFO),
    ):
        # None firing counts as 0 only where there is a sign that rules are evaluated.
        expression = f"count({firing(severity)}) or 0 * count(bot:threshold)"
        panel.with_target(now(expression, severity, ref)).override_by_name(
            severity, [style.steps(style.SUCCESS if severity == "critical" else style.NEUTRAL, (1, alarm))]
        )
    return panel.text_mode(common.BigValueTextMode.VALUE_AND_NAME).color_scheme(style.by_threshold())


def _money(id_: int, title: str, by_bot: str, what: str) -> stat.Panel:
    return (
        numbers(
            id_,
            title,
            (5, 8),
            f"{what}. Added up for each currency, real money, dry runs and demos apart. Only bots that answer now "
            "count. When it falls faster than usual, see which bot and pair it is in the rows below.",
            style.MONEY,
            2,
        )
        .with_target(now(f"sum by (currency, mode) ({labelled(by_bot, 'currency, mode')})", "{{currency}} {{mode}}"))
        .text_mode(common.BigValueTextMode.VALUE_AND_NAME)
        .orientation(common.VizOrientation.HORIZONTAL)
        # Of its own accord Grafana makes the number so large that a long one is cut.
        .text(common_builders.VizTextDisplayOptions().title_size(14).value_size(40))
        .color_scheme(style.by_threshold())
        .thresholds(style.thresholds(style.ORANGE, (0, style.SUCCESS)))
        .override_by_regexp(*style.coin_decimals())
    )


def _drawdown() -> stat.Panel:
    return (
        numbers(
            105,
            "Drawdown, deepest",
            (4, 4),
            "How far the account is below its peak now, open positions included, of the bot that is worst off; and "
            "the largest share of its own limit (max_drawdown in monitoring.yml) that a bot has used up. Beyond 100 % "
            "HighDrawdown fires: reduce position sizes or close risky positions.",
            style.RATIO,
            1,
        )
        .with_target(now(f"max({DRAWDOWN})", "now", "A"))
        .with_target(now(f"max({OF_LIMIT})", "of its limit", "B"))
        .text_mode(common.BigValueTextMode.VALUE_AND_NAME)
        .color_scheme(style.by_threshold())
        .override_by_name("of its limit", [style.steps(style.SUCCESS, *LIMIT_STEPS), set_("decimals", 0)])
    )


def _trades() -> stat.Panel:
    panel = numbers(
        106,
        "Trades",
        (3, 4),
        "Closed trades of all time, of the bots that answer. A curve that stays flat for longer than usual means that "
        "no trade closes: look at the bots' market, pairs and open orders.",
    )
    trend = f"sum({drawn('trading_bot_trades_total')})"
    return number_with_trend(panel, trend, f"sum({TRADES})").color_scheme(style.fixed(style.INFO))


def _win_rate() -> stat.Panel:
    panel = numbers(
        107,
        "Win rate",
        (3, 4),
        "Share of the closed trades that won, of the bots with at least 20 of them. A falling rate isn't bad by "
        "itself: compare it with the P&L, and see which pairs lose.",
        style.RATIO,
        1,
    )
    return judged_number(panel, WIN_RATE, promql.ANSWERING).color_scheme(style.fixed(style.INFO))


def _sharpe() -> stat.Panel:
    panel = numbers(
        108,
        "Sharpe, lowest",
        (3, 4),
        "Mean daily return over its deviation, a year's, of the bot that has the lowest. Below 0 a bot loses, from 1 "
        "it is good, from 2 very good. There from 20 trades and 7 days on.",
        style.COUNT,
        2,
    )
    lowest = f"min({current('trading_bot_sharpe_ratio')})"
    return judged_number(panel, lowest, promql.ANSWERING).color_scheme(style.fixed(style.INFO))


def _positions() -> stat.Panel:
    panel = numbers(
        109,
        "Open positions",
        (3, 4),
        "Positions open now. When it stays at the bots' most for long, their money is tied up; when it stays at 0, "
        "they find nothing to buy.",
    )
    trend = f"sum({drawn('trading_bot_open_positions')})"
    return number_with_trend(panel, trend, f"sum({current('trading_bot_open_positions')})").color_scheme(
        style.fixed(style.INFO)
    )


def _uptime() -> stat.Panel:
    return (
        numbers(
            110,
            "Uptime, shortest",
            (4, 4),
            "How long the bot that started last has been running. A short one that nobody restarted means a crash: "
            "read that bot's log.",
            style.DURATION,
            0,
        )
        .with_target(now(f"min(time() - {current('trading_bot_start_timestamp_seconds')})"))
        .color_scheme(style.fixed(style.INFO))
    )
