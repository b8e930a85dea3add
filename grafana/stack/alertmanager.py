"""Rows "Alertmanager" and "Responder": do they pass on what they get?"""

from __future__ import annotations

from grafana_foundation_sdk.builders import stat, timeseries

from grafana import style
from grafana.board import Row
from grafana.counts import counts, in_range, in_step
from grafana.panels import lines, over_time
from grafana.stats import Number, side_by_side
from grafana.style import set_

NONE = "Alertmanager isn't seen"
NO_RESPONDER = "the responder isn't seen"


def row() -> Row:
    """The row, with ids from 400."""
    return Row(400, "Alertmanager", [_holds(), _cluster(), _requests(), _latency(), _alerts()])


def responder_row() -> Row:
    """The row, with ids from 500."""
    return Row(500, "Responder", [_inbox(), _waiting(), _received(), _refused(), _deliveries()])


def _holds() -> stat.Panel:
    return side_by_side(
        401,
        "Alerts and silences",
        (16, 4),
        "Alerts that Alertmanager holds, escalations and the Watchdog among them: active ones, and those held back by"
        " a silence, a maintenance or a worse one; and silences in force. Many held back for days: somebody silenced "
        "more than was meant.",
        [
            Number("active", 'sum(alertmanager_alerts{state="active"})', steps=[(1, style.WARNING)]),
            Number("held back", 'sum(alertmanager_alerts{state="suppressed"})', steps=[(1, style.INFO)]),
            Number("silences", 'sum(alertmanager_silences{state="active"})', steps=[(1, style.INFO)]),
        ],
        NONE,
    )


def _cluster() -> stat.Panel:
    return side_by_side(
        402,
        "Cluster",
        (8, 4),
        "Alertmanagers that know of each other. As shipped there is one, alone. Of several that don't find each other, "
        "each sends every message: see docs/scale.md.",
        [
            Number(
                "members",
                "max(alertmanager_cluster_members) or 0 * max(alertmanager_cluster_enabled == 0)",
                properties=[set_("mappings", [style.texts({"0": ("alone", style.NEUTRAL)})])],
            ),
        ],
        NONE,
    )


def _requests() -> timeseries.Panel:
    calls = in_step("alertmanager_notification_requests_total")
    failed = in_step("alertmanager_notification_requests_failed_total")
    return (
        counts(
            403,
            "Calls of services",
            (12, 8),
            "Calls of Telegram, the mail server and so on, in each step; those that failed are red. They are tried "
            "again, so one message may be several. Red alone for long: the board Alerts, and make test-alert.",
            "no call yet",
        )
        .with_target(over_time(f"sum by (integration) ({calls} - {failed}) > 0", "{{integration}}"))
        .with_target(over_time(f"sum by (integration) ({failed}) > 0", "{{integration}} failed", "B"))
        .override_by_regexp("/failed$/", [style.colour(style.CRITICAL)])
    )


def _latency() -> timeseries.Panel:
    buckets = "sum by (integration, le) (rate(alertmanager_notification_latency_seconds_bucket[$__rate_interval]))"
    return (
        lines(
            404,
            "Time of a message, p95",
            (12, 8),
            "How long handing a message to each service takes, of the slowest twentieth; 1 s is the finest it "
            "measures. Services have 10 s: near that their messages are lost and tried again.",
            style.SECONDS,
            2,
            "no message in this time",
        )
        # Of a service that isn't called it is not a number, and equals nothing.
        .with_target(over_time(f"histogram_quantile(0.95, {buckets}) >= 0", "{{integration}}"))
        .min(0)
    )


def _alerts() -> timeseries.Panel:
    return (
        lines(
            405,
            "Alerts held",
            (24, 6),
            "Alerts that are told (active) and held back (suppressed) over time. One that Prometheus no longer "
            "reports ends here after five minutes at the latest.",
            style.GROUPED,
            1,
            "nothing recorded in this time yet",
        )
        .with_target(over_time('sum by (state) (alertmanager_alerts{state!="unprocessed"})', "{{state}}"))
        .min(0)
        .override_by_name("active", [style.colour(style.WARNING)])
        .override_by_name("suppressed", [style.colour(style.INFO)])
    )


def _of(counter: str) -> str:
    return f"sum({in_range(counter)})"


def _inbox() -> stat.Panel:
    return side_by_side(
        501,
        "Inbox",
        (16, 4),
        "Messages that came in the time shown, of alerts that fire and of their ends, and attempts to log in with a "
        "wrong password. Many of those: somebody guesses, and the port is reachable from outside.",
        [
            Number("firing", _of('trading_bot_responder_messages_total{status="firing"}')),
            Number("ended", _of('trading_bot_responder_messages_total{status="resolved"}')),
            Number(
                "wrong log-ins",
                _of('trading_bot_responder_logins_total{result!="right"}'),
                steps=[(5, style.WARNING)],
            ),
        ],
        NO_RESPONDER,
    )


def _waiting() -> stat.Panel:
    return side_by_side(
        502,
        "Waiting deliveries",
        (8, 4),
        "SMS, calls and calls of your webhooks that wait for their next attempt. The page Deliveries of the inbox has"
        " the service's own words.",
        [Number("waiting", "sum(trading_bot_responder_deliveries_waiting)", steps=[(1, style.WARNING)])],
        NO_RESPONDER,
    )


def _received() -> timeseries.Panel:
    received = in_step("trading_bot_responder_messages_total")
    return (
        counts(
            503,
            "Messages received",
            (12, 8),
            "Messages that came to the inbox in each step, by severity; it is told of everything, also in quiet "
            "hours. None while something fires: Alertmanager doesn't reach the responder.",
            "no message in this time",
        )
        .with_target(over_time(f"sum by (severity) ({received}) > 0", "{{severity}}"))
        .override_by_name("critical", [style.colour(style.CRITICAL)])
        .override_by_name("warning", [style.colour(style.WARNING)])
        .override_by_name("info", [style.colour(style.INFO)])
        .override_by_name("other", [style.colour(style.NEUTRAL)])
    )


def _refused() -> timeseries.Panel:
    errors = in_step("trading_bot_responder_errors_total")
    return counts(
        504,
        "Errors",
        (12, 8),
        "What the responder did not do, by reason. unauthorized: a call without the token or password; database: its "
        "disk is full or broken; acknowledgements: Alertmanager doesn't answer, so escalation goes on though somebody"
        " looks.",
        "no error known",
    ).with_target(over_time(f"sum by (reason) ({errors}) > 0", "{{reason}}"))


def _deliveries() -> timeseries.Panel:
    deliveries = in_step("trading_bot_responder_deliveries_total")
    return (
        counts(
            505,
            "Deliveries",
            (24, 6),
            "Attempts to deliver an SMS, a call or a call of your webhook in each step, and what was given up. Failed"
            " ones (orange) are tried again; given up (red) reached nobody by that channel.",
            "no delivery in this time",
        )
        .with_target(over_time(f"sum by (channel, result) ({deliveries}) > 0", "{{channel}} {{result}}"))
        .override_by_regexp("/ delivered$/", [style.colour(style.SUCCESS)])
        .override_by_regexp("/ failed$/", [style.colour(style.ORANGE)])
        .override_by_regexp("/ given_up$/", [style.colour(style.CRITICAL)])
    )
