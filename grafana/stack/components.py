"""Row "Is it well?": each component of the stack, and the signs that one of them doesn't do its work."""

from __future__ import annotations

from grafana_foundation_sdk.builders import stat, statetimeline, table, timeseries

from grafana import style
from grafana.board import Row
from grafana.counts import stacked
from grafana.panels import lines, over_time, states
from grafana.stats import Number, side_by_side, width
from grafana.style import set_
from grafana.tables import Label, Value, lamp, measure, rows

JOBS = "exporter|prometheus|alertmanager|responder"
OF_JOBS = f'job=~"{JOBS}"'
UP = {"0": ("down", style.CRITICAL), "1": ("up", style.SUCCESS)}
# Whether the last reload of the configuration succeeded, by component.
RELOADED = " or ".join(
    f'label_replace(min({metric}), "job", "{job}", "", "")'
    for job, metric in (
        ("exporter", "trading_bot_config_last_reload_successful"),
        ("prometheus", "prometheus_config_last_reload_successful"),
        ("alertmanager", "alertmanager_config_last_reload_successful"),
    )
)
STARTED = f"max by (job) (process_start_time_seconds{{{OF_JOBS}}})"
MEMORY = f"sum by (job) (process_resident_memory_bytes{{{OF_JOBS}}})"
NOT_SEEN = "nothing seen"


def row() -> Row:
    """The row, with ids from 100."""
    return Row(100, "Is it well?", [_up(), _rules(), _collected(), _sent(), _watchdog(), _each(), _when(), _memory()])


def _up() -> stat.Panel:
    return side_by_side(
        101,
        "Components",
        (5, 4),
        "Exporter, Prometheus, Alertmanager and responder as Prometheus sees them. One that is down: make status, then "
        "make logs. When Prometheus itself is down, this whole page is empty.",
        [
            Number("down", f"count(up{{{OF_JOBS}}} == 0) or 0 * count(up)", steps=[(1, style.CRITICAL)]),
            Number("up", f"count(up{{{OF_JOBS}}} == 1)", steps=[(1, style.SUCCESS)]),
        ],
        NOT_SEEN,
    )


def _rules() -> stat.Panel:
    return side_by_side(
        102,
        "Rules",
        (5, 4),
        "Evaluations of rules that failed, and that were skipped since the one before took too long, in the last hour. "
        "What fails neither fires nor ends: follow the runbook of RuleEvaluationFailing. Skipped ones: the machine is "
        "too slow for so many bots, see docs/scale.md.",
        [
            Number(
                "failed",
                "sum(round(increase(prometheus_rule_evaluation_failures_total[1h])))",
                style.SUCCESS,
                [(1, style.CRITICAL)],
            ),
            Number(
                "skipped",
                "sum(round(increase(prometheus_rule_group_iterations_missed_total[1h])))",
                style.SUCCESS,
                [(1, style.WARNING)],
            ),
        ],
        NOT_SEEN,
    )


def _collected() -> stat.Panel:
    return side_by_side(
        103,
        "Collecting",
        (5, 4),
        "Targets that can't be scraped, and parts of bots that can't be read. A bot that is down is still a target "
        "that can be scraped: the exporter answers for it. See the rows Exporter and Prometheus.",
        [
            Number("scrapes failing", "count(up == 0) or 0 * count(up)", style.SUCCESS, [(1, style.CRITICAL)]),
            Number(
                "bots with errors",
                'count(sum by (bot) (increase(trading_bot_source_errors_total{bot=~"$bot"}[10m])) > 0)'
                " or 0 * count(up)",
                style.SUCCESS,
                [(1, style.WARNING)],
            ),
        ],
        NOT_SEEN,
    )


def _sent() -> stat.Panel:
    return side_by_side(
        104,
        "Telling",
        (5, 4),
        "Alerts that Prometheus couldn't give to Alertmanager, and channels of which attempts failed, in the last "
        "hour. The board Alerts says which channel, and what was given up.",
        [
            Number(
                "alerts lost",
                "sum(round(increase(prometheus_notifications_dropped_total[1h])))",
                style.SUCCESS,
                [(1, style.CRITICAL)],
            ),
            Number(
                "channels failing",
                "count(sum by (integration) (increase(alertmanager_notification_requests_failed_total[1h])) > 0"
                " or sum by (channel)"
                ' (increase(trading_bot_responder_deliveries_total{result="failed"}[1h])) > 0)'
                " or 0 * count(alertmanager_build_info)",
                style.SUCCESS,
                [(1, style.WARNING)],
            ),
        ],
        NOT_SEEN,
    )


def _watchdog() -> stat.Panel:
    return side_by_side(
        105,
        "Watchdog",
        (4, 4),
        "Whether the alert fires that says the chain works, from a bot's fresh data to Alertmanager; HEARTBEAT_URL in "
        ".env takes it to a service elsewhere. Missing: no bot can be read, or no rule is evaluated.",
        [
            Number(
                "alive",
                'sum(ALERTS{alertname="Watchdog",alertstate="firing"}) or 0 * count(up)',
                style.CRITICAL,
                [(1, style.SUCCESS)],
                [
                    set_(
                        "mappings",
                        [style.texts({"0": ("missing", style.CRITICAL), "1": ("yes", style.SUCCESS)})],
                    )
                ],
            )
        ],
        NOT_SEEN,
    )


def _each() -> table.Panel:
    versions = (
        'label_replace(trading_bot_exporter_info, "job", "exporter", "", "")'
        " or prometheus_build_info or alertmanager_build_info"
    )
    return rows(
        106,
        "Each component",
        (24, 6),
        "Each component's memory, processor time and configuration. Up for seconds again and again: it crashes or is "
        "killed for its memory, see make logs. Refused: a changed configuration has a fault, and the one before goes "
        "on.",
        [
            Label("Component", "job", [set_("custom.minWidth", 115)]),
            Label("At", "instance", [set_("custom.minWidth", 130)]),
            Value("State", f"min by (job, instance) (up{{{OF_JOBS}}})", [*lamp(UP), width(75)]),
            Label("Version", "version", [set_("custom.minWidth", 90)]),
            Value(
                "Up for", f"time() - max by (job) (process_start_time_seconds{{{OF_JOBS}}})", measure(style.SECONDS, 1)
            ),
            Value("Memory", MEMORY, measure(style.BYTES, 1)),
            Value(
                "CPU",
                f"sum by (job) (rate(process_cpu_seconds_total{{{OF_JOBS}}}[5m]))",
                measure(style.RATIO, 1, 75),
            ),
            Value(
                "Configuration",
                RELOADED,
                [*lamp({"0": ("refused", style.CRITICAL), "1": ("in use", style.SUCCESS)}), width(115)],
            ),
            Value("versions", f"max by (job, version) ({versions})"),
        ],
        f"max by (job, instance) (up{{{OF_JOBS}}})",
        sort_by="Component",
        absent=NOT_SEEN,
        hidden=("versions",),
    )


def _when() -> statetimeline.Panel:
    return (
        states(
            107,
            "Seen when",
            (12, 7),
            "When each component answered Prometheus. A gap in all at once: Prometheus itself was away, or the whole "
            "machine; nothing was watched then, unless something elsewhere hears the Watchdog.",
        )
        .with_target(over_time(f"min by (job) (min_over_time(up{{{OF_JOBS}}}[$__interval]))", "{{job}}"))
        .mappings([style.texts(UP)])
    )


def _memory() -> timeseries.Panel:
    return (
        lines(
            108,
            "Memory",
            (12, 7),
            "Resident memory of each component, stacked; Grafana's own isn't collected. Prometheus grows with its "
            "series and over the two hours between compactions, which is normal. In containers each has a limit, at "
            "which it is killed: see mem_limit in docker-compose.yml.",
            style.BYTES,
            1,
            NOT_SEEN,
        )
        .with_target(over_time(MEMORY, "{{job}}"))
        .fill_opacity(15)
        .stacking(stacked())
    )
