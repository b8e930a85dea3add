"""Row "Messages": did they get out, by which channel, and what waits?

Alertmanager sends most of them by itself; SMS, calls and the user's webhooks it hands to the responder.
"""

from __future__ import annotations

from typing import TypeVar

from grafana_foundation_sdk.builders import stat, table, timeseries

from grafana import style
from grafana.board import Row
from grafana.counts import counts, in_range, in_step
from grafana.panels import over_time
from grafana.stats import Number, side_by_side, the_worst, width
from grafana.style import set_
from grafana.tables import Label, Value, coloured_text, measure, rows

# Those of the same name: Alertmanager's webhook leads to the inbox among others.
NAMES = {"webhook": "inbox, webhook", "own": "your webhooks", "sms": "SMS", "phone": "phone call"}
SILENT = "no message yet"


def _of_channels(alertmanager: str, responder: str) -> str:
    """Alertmanager's counts (by `integration`) and the responder's (by `channel`), all by `channel`."""
    own = f'label_replace({responder}, "channel", "own", "channel", "webhook")'
    return (
        f'sum by (channel) (label_replace({alertmanager}, "channel", "$1", "integration", "(.*)"))'
        f" or sum by (channel) ({own})"
    )


REQUESTS = "alertmanager_notification_requests_total"
FAILED_REQUESTS = "alertmanager_notification_requests_failed_total"
LOST = "alertmanager_notifications_failed_total"
DELIVERIES = "trading_bot_responder_deliveries_total"
DELIVERED, FAILED, GIVEN_UP = (f'{DELIVERIES}{{result="{result}"}}' for result in ("delivered", "failed", "given_up"))
TRIED = f'{DELIVERIES}{{result=~"delivered|failed"}}'


def row() -> Row:
    """The row, with ids from 300."""
    return Row(
        300,
        "Messages",
        [_delivered(), _worst_channel(), _waiting(), _suppressed(), _last(), _by_channel(), _over_time()],
    )


def _delivered() -> stat.Panel:
    sent = _of_channels(f"({in_range(REQUESTS)} - {in_range(FAILED_REQUESTS)})", in_range(DELIVERED))
    failed = _of_channels(in_range(FAILED_REQUESTS), in_range(FAILED))
    lost = _of_channels(in_range(LOST), in_range(GIVEN_UP))
    return side_by_side(
        301,
        "Messages in the time shown",
        (8, 4),
        "Attempts that succeeded and that failed, of all channels, and messages that were given up: those reached "
        "nobody by that channel. Failed ones are tried again. The table tells the channel; make test-alert tries "
        "each.",
        [
            Number("delivered", f"sum({sent})", steps=[(1, style.SUCCESS)]),
            Number("failed", f"sum({failed})", steps=[(1, style.WARNING)]),
            Number("given up", f"sum({lost})", steps=[(1, style.CRITICAL)]),
        ],
        "Alertmanager isn't seen",
    )


def _worst_channel() -> stat.Panel:
    failed = _of_channels(in_range(FAILED_REQUESTS), in_range(FAILED))
    tried = _of_channels(in_range(REQUESTS), in_range(TRIED))
    failing = f"({failed}) / (({tried}) > 0)"
    return _names(
        the_worst(
            302,
            "Failing most",
            (5, 4),
            "The channel of which the largest share of attempts failed in the time shown. A few are normal: they are "
            "tried again. From 90 % on for five minutes NotificationsFailing tells you by the other channels.",
            f"topk(1, {failing})",
            "{{channel}}",
            SILENT,
            style.RATIO,
            0,
            (style.SUCCESS, [(0.05, style.WARNING), (0.9, style.CRITICAL)]),
        )
    )


def _waiting() -> stat.Panel:
    return side_by_side(
        303,
        "Waiting",
        (3, 4),
        "SMS, calls and calls of your webhooks that wait for their next attempt; an SMS or call is given up after an "
        "hour, a webhook after a day. The inbox has the errors in the service's own words (Deliveries).",
        [Number("deliveries", "sum(trading_bot_responder_deliveries_waiting)", steps=[(1, style.WARNING)])],
        "responder isn't seen",
    )


def _suppressed() -> stat.Panel:
    def of(reason: str) -> str:
        suppressed = in_range(f'alertmanager_notifications_suppressed_total{{reason="{reason}"}}')
        return f"sum({suppressed}) or 0 * count(alertmanager_build_info)"

    return side_by_side(
        304,
        "Not sent, on purpose",
        (5, 4),
        "How often Alertmanager held back a message in the time shown: by a silence or acknowledgement, because a "
        "worse alert explains it, or in quiet hours. It looks again every few seconds to minutes, so these are looks,"
        " not messages. A silence that nobody remembers hides the next incident, too.",
        [
            Number("silenced", of("silence"), steps=[(1, style.INFO)]),
            Number("inhibited", of("inhibition"), steps=[(1, style.INFO)]),
            Number("quiet hours", of("mute_time_interval"), steps=[(1, style.INFO)]),
        ],
        "Alertmanager isn't seen",
    )


def _last() -> stat.Panel:
    return side_by_side(
        305,
        "Inbox, last",
        (3, 4),
        "How long ago the last message came to the inbox, which is always told. While something fires and this is more "
        "than a day, the way from Alertmanager to the responder is broken.",
        [Number("ago", "time() - max(trading_bot_responder_last_received_timestamp_seconds)")],
        SILENT,
        style.SECONDS,
        0,
    )


def _by_channel() -> table.Panel:
    attempts = _of_channels(
        f"{in_range(REQUESTS)} > 0",
        f"{in_range(TRIED)} > 0",
    )
    buckets = "rate(alertmanager_notification_latency_seconds_bucket[$__range:$__interval])"
    by_channel = f'label_replace({buckets}, "channel", "$1", "integration", "(.*)")'
    slow = f"histogram_quantile(0.95, sum by (channel, le) ({by_channel}))"
    used = f"on (channel) ({attempts})"
    return rows(
        306,
        "By channel",
        (12, 9),
        "Each channel that was used in the time shown. An attempt that fails is repeated; given up are messages that "
        "never got out by this channel. Time is that of the slowest twentieth, of what Alertmanager sends itself. "
        "SMS, phone and your webhooks are the responder's, the inbox is a webhook of Alertmanager's.",
        [
            Label(
                "Channel",
                "channel",
                [set_("mappings", [style.texts({key: (name, style.NEUTRAL) for key, name in NAMES.items()})])],
            ),
            Value("Attempts", attempts, measure(style.COUNT, 0, 95)),
            Value(
                "Failed",
                f"({_of_channels(in_range(FAILED_REQUESTS), in_range(FAILED))}) and {used}",
                [*measure(style.COUNT, 0, 85), *coloured_text(), style.steps(style.NEUTRAL, (1, style.WARNING))],
            ),
            Value(
                "Given up",
                f"({_of_channels(in_range(LOST), in_range(GIVEN_UP))}) and {used}",
                [*measure(style.COUNT, 0, 95), *coloured_text(), style.steps(style.NEUTRAL, (1, style.CRITICAL))],
            ),
            Value(
                "Waiting",
                'sum by (channel) (label_replace(trading_bot_responder_deliveries_waiting, "channel", "own", "channel",'
                f' "webhook")) and {used}',
                measure(style.COUNT, 0, 85),
            ),
            Value("Time, p95", f"{slow} and {used}", [*measure(style.SECONDS, 2), width(100)]),
        ],
        attempts,
        sort_by="Channel",
        absent=SILENT,
    )


def _over_time() -> timeseries.Panel:
    succeeded = _of_channels(f"({in_step(REQUESTS)} - {in_step(FAILED_REQUESTS)})", in_step(DELIVERED))
    failed = _of_channels(in_step(FAILED_REQUESTS), in_step(FAILED))
    panel = (
        counts(
            307,
            "Messages over time",
            (12, 9),
            "Attempts in each step of the chart, by channel; those that failed are red. A red bar beside one of its "
            "channel's colour is a repeat that succeeded. Red alone, step after step, is a channel that is dead.",
            SILENT,
        )
        .with_target(over_time(f"({succeeded}) > 0", "{{channel}}"))
        .with_target(over_time(f"({failed}) > 0", "{{channel}} failed", "B"))
    )
    return _names(panel).override_by_regexp("/failed$/", [style.colour(style.CRITICAL)])


P = TypeVar("P", stat.Panel, timeseries.Panel)


def _names(panel: P) -> P:
    """The channels' names for people instead of those in the series."""
    for key, name in NAMES.items():
        panel.override_by_name(key, [set_("displayName", name)])
        panel.override_by_name(f"{key} failed", [set_("displayName", f"{name} failed")])
    return panel
