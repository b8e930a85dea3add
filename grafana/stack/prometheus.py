"""Row "Prometheus": does it collect, evaluate and keep?"""

from __future__ import annotations

from grafana_foundation_sdk.builders import stat, statetimeline, timeseries

from grafana import style
from grafana.board import Row
from grafana.counts import counts, in_step, stacked
from grafana.panels import lines, over_time, states
from grafana.stack.components import NOT_SEEN
from grafana.stats import Number, side_by_side
from grafana.style import set_

DISK = {
    "blocks": "prometheus_tsdb_storage_blocks_bytes",
    "log": "prometheus_tsdb_wal_storage_size_bytes",
    "chunks": "prometheus_tsdb_head_chunks_storage_size_bytes",
}
# A group's name is file;name: the name is enough, as a label of its own, for two files may have it for a while.
GROUP = '"group", "$1", "rule_group", ".*;(.*)"'


def row() -> Row:
    """The row, with ids from 300."""
    return Row(
        300, "Prometheus", [_size(), _health(), _groups(), _failures(), _samples(), _storage(), _queries(), _notified()]
    )


def _size() -> stat.Panel:
    disk = " + ".join(DISK.values())
    back = "time() - min(prometheus_tsdb_lowest_timestamp_seconds)"
    return side_by_side(
        301,
        "What it keeps",
        (8, 8),
        "Series in memory, what they and their history take on the disk, and for how long history goes back. The disk "
        "grows until RETENTION (.env) is reached. Series cost memory: about 4 KB each.",
        [
            Number("series", "sum(prometheus_tsdb_head_series)", properties=[set_("unit", style.GROUPED)]),
            Number("on disk", f"sum({disk})", properties=[set_("unit", style.BYTES)]),
            Number("goes back", back, properties=[set_("unit", style.SECONDS)]),
        ],
        NOT_SEEN,
    )


def _health() -> statetimeline.Panel:
    return (
        states(
            302,
            "Scrapes by job",
            (16, 8),
            "Whether all targets of a job could be scraped (green) or one couldn't (red). Of the groups of bots the "
            "exporter answers, also for a bot that is down: all of them red together is the exporter.",
        )
        .with_target(over_time("job:up:min", "{{job}}"))
        .mappings([style.texts({"0": ("fails", style.CRITICAL), "1": ("ok", style.SUCCESS)})])
    )


def _groups() -> timeseries.Panel:
    took, interval = "prometheus_rule_group_last_duration_seconds", "prometheus_rule_group_interval_seconds"

    def share(duration: str, of: str) -> str:
        return f"max by (group) (label_replace({duration} / {of}, {GROUP}))"

    # An interval is seldom another: for the choice the last is near enough.
    ever = "[$__range:$__interval] @ end()"
    longest = f"topk(8, {share(f'max_over_time({took}{ever})', f'last_over_time({interval}{ever})')})"
    return (
        lines(
            303,
            "Rules: time taken, share of the interval",
            (12, 8),
            "How much of its interval the evaluation of each group of rules takes; the eight that take most. At 100 % "
            "one is skipped, and alerts come late. Steady above 50 %: fewer bots here, or a faster machine, see "
            "docs/scale.md.",
            style.RATIO,
            2,
            NOT_SEEN,
        )
        .with_target(over_time(f"{share(took, interval)} and on (group) ({longest})", "{{group}}"))
        .min(0)
        .axis_soft_max(0.1)
    )


def _failures() -> timeseries.Panel:
    def of(counter: str) -> str:
        return f"sum by (group) (label_replace({in_step(counter)}, {GROUP})) > 0"

    return (
        counts(
            304,
            "Rules that failed or were skipped",
            (12, 8),
            "Evaluations that failed (red), and those skipped because the one before wasn't done, by group. Any "
            "failure means alerts that can neither fire nor end: Prometheus's page Rules has the error.",
            "no failure known",
        )
        .with_target(over_time(of("prometheus_rule_evaluation_failures_total"), "{{group}} failed"))
        .with_target(over_time(of("prometheus_rule_group_iterations_missed_total"), "{{group}} skipped", "B"))
        .override_by_regexp("/failed$/", [style.colour(style.CRITICAL)])
        .override_by_regexp("/skipped$/", [style.colour(style.WARNING)])
    )


def _samples() -> timeseries.Panel:
    return (
        lines(
            305,
            "Samples a second",
            (8, 8),
            "What is written: scraped values and what rules record. A fall to nothing while this page still shows "
            "points is the exporter. Refused ones are too old, out of order or doubled: two exporters name the same "
            "bot.",
            style.GROUPED,
            1,
            NOT_SEEN,
        )
        .with_target(over_time("sum(rate(prometheus_tsdb_head_samples_appended_total[$__rate_interval]))", "written"))
        .with_target(
            over_time(
                "sum(rate(prometheus_target_scrapes_sample_duplicate_timestamp_total[$__rate_interval]))"
                " + sum(rate(prometheus_target_scrapes_sample_out_of_order_total[$__rate_interval]))"
                " + sum(rate(prometheus_target_scrapes_sample_out_of_bounds_total[$__rate_interval]))",
                "refused",
                "B",
            )
        )
        .override_by_name("refused", [style.colour(style.CRITICAL)])
        .min(0)
    )


def _storage() -> timeseries.Panel:
    panel = (
        lines(
            306,
            "Size on disk",
            (8, 8),
            "Blocks of history, the log of the last hours (WAL) and chunks of what is in memory. It grows for as long"
            " as RETENTION says, then stays. The host's free space is on the overview.",
            style.BYTES,
            1,
            NOT_SEEN,
        )
        .fill_opacity(15)
        .stacking(stacked())
    )
    for ref, (name, metric) in zip("ABC", DISK.items(), strict=True):
        panel.with_target(over_time(f"sum({metric})", name, ref))
    return panel


def _queries() -> timeseries.Panel:
    return (
        lines(
            307,
            "Queries, slowest tenth",
            (8, 8),
            "How long evaluating a query takes at least, of the slowest tenth: of rules and of dashboards. Above a "
            "second dashboards feel slow: show less time, or fewer bots.",
            style.SECONDS,
            2,
            NOT_SEEN,
        )
        .with_target(
            over_time('max(prometheus_engine_query_duration_seconds{slice="inner_eval",quantile="0.9"})', "p90")
        )
        .min(0)
    )


def _notified() -> timeseries.Panel:
    counters = {
        "sent": "prometheus_notifications_sent_total",
        "failed": "prometheus_notifications_errors_total",
        "lost": "prometheus_notifications_dropped_total",
    }
    panel = counts(
        308,
        "Alerts handed to Alertmanager",
        (24, 7),
        "Prometheus hands over each firing alert again every minute or so. Failed or lost ones (red): Alertmanager is"
        " down, or its password is another; nobody is told as long as it lasts.",
        "none handed over",
    ).override_by_name("sent", [style.colour(style.INFO)])
    for ref, (name, counter) in zip("ABC", counters.items(), strict=True):
        panel.with_target(over_time(f"sum({in_step(counter)}) > 0", name, ref))
        if name != "sent":
            panel.override_by_name(name, [style.colour(style.CRITICAL)])
    return panel
