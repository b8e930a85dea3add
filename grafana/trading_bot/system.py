"""Row "System": do bots, machine and exchange keep up?"""

from __future__ import annotations

from grafana_foundation_sdk.builders import gauge, table, timeseries

from grafana import promql, style
from grafana.board import Row
from grafana.panels import gauges, lines, now, over_time
from grafana.promql import current, drawn
from grafana.tables import Value, measure, rows
from grafana.trading_bot.curves import of_each_bot
from grafana.trading_bot.values import BOT, MODE

NOTHING = "not reported by this bot"
HOST_STEPS = ((0.5, style.INFO), (0.8, style.WARNING), (0.9, style.CRITICAL))


def row() -> Row:
    """The row, with ids from 500."""
    return Row(
        500,
        "System",
        [_host(), _host_over_time(), _processor(), _memory(), _latency(), _responses(), _errors(), _calls(), _bots()],
        collapsed=True,
    )


def _host() -> gauge.Panel:
    panel = gauges(
        501,
        "Machine",
        (8, 8),
        "Load of the machine that the exporter runs on: processor, memory, and each disk. From 80 % on, make room: "
        "old logs and data for a disk, fewer bots for the others. A full disk stops bots and the monitoring.",
        style.RATIO,
        0,
        style.NOT_KNOWN,
    )
    for ref, name, expression in (
        ("A", "CPU", "max(last_over_time(trading_bot_host_cpu_usage_ratio[2m]))"),
        ("B", "memory", "max(last_over_time(trading_bot_host_memory_usage_ratio[2m]))"),
        ("C", "disk {{path}}", "topk(4, max by (path) (last_over_time(trading_bot_host_disk_usage_ratio[2m])))"),
    ):
        panel.with_target(now(expression, name, ref))
    return panel.min(0).max(1).thresholds(style.thresholds(style.SUCCESS, *HOST_STEPS))


def _host_over_time() -> timeseries.Panel:
    panel = lines(
        502,
        "Machine over time",
        (16, 8),
        "The same over time, of the four fullest disks. A disk that grows by as much each day tells when it will be "
        "full; memory that only grows is a leak: restart that bot, and look for a newer version of it.",
        style.RATIO,
        0,
        style.NOT_KNOWN,
    ).decimals(1)
    fullest = "topk(4, max by (path) (last_over_time(trading_bot_host_disk_usage_ratio[5m] @ end())))"
    for ref, name, expression in (
        ("A", "CPU", "max(avg_over_time(trading_bot_host_cpu_usage_ratio[$__rate_interval]))"),
        ("B", "memory", "max(last_over_time(trading_bot_host_memory_usage_ratio[5m]))"),
        (
            "C",
            "disk {{path}}",
            f"max by (path) (last_over_time(trading_bot_host_disk_usage_ratio[5m])) and on (path) {fullest}",
        ),
    ):
        panel.with_target(over_time(expression, name, ref))
    return panel.min(0).max(1)


def _processor() -> timeseries.Panel:
    panel = lines(
        503,
        "CPU of bots",
        (12, 8),
        "Share of one core that each bot uses; of more than ten, the ten that used most. Dashed limits are cpu_usage "
        "of monitoring.yml. A bot near them answers late: give it fewer pairs, or a faster machine.",
        style.RATIO,
        1,
        NOTHING,
    )
    limits = [("cpu_usage", "critical"), ("cpu_usage", "warning")]
    return of_each_bot(panel, {"": "trading_bot_cpu_usage_ratio"}, limits).min(0)


def _memory() -> timeseries.Panel:
    panel = lines(
        504,
        "Memory of bots",
        (12, 8),
        "Share of the memory there is that each bot uses; of more than ten, the ten that used most. Dashed limits are "
        "memory_usage of monitoring.yml. A curve that only rises ends in a crash: restart the bot before.",
        style.RATIO,
        1,
        NOTHING,
    )
    limits = [("memory_usage", "critical"), ("memory_usage", "warning")]
    return of_each_bot(panel, {"": "trading_bot_memory_usage_ratio"}, limits).min(0)


def _latency() -> timeseries.Panel:
    panel = lines(
        505,
        "Latency to the exchange",
        (12, 9),
        "How long connecting to the exchange takes, and how long its API takes to answer (dashed); of more than five "
        "bots, the five that waited longest. Limits (network_latency of monitoring.yml) show when a curve comes near. "
        "High for all bots: check your network; for one: its exchange's status page.",
        style.SECONDS,
        2,
        NOTHING,
    )
    metrics = {"connecting": "trading_bot_network_latency_seconds", "API": "trading_bot_api_latency_seconds"}
    limits = [("network_latency", "critical"), ("network_latency", "warning")]
    return of_each_bot(panel, metrics, limits, count=5, near=True).min(0)


def _responses() -> timeseries.Panel:
    panel = lines(
        506,
        "Response time, 95th percentile",
        (12, 9),
        "19 of 20 responses were quicker; as the bot states it, else from its samples; of more than ten "
        "bots, the slowest now. Limits (api_response_time of monitoring.yml) show when a curve comes near. "
        "A slow bot misses prices: look at its CPU and at the exchange.",
        style.SECONDS,
        2,
        NOTHING,
    )
    metric = "response_time_seconds"
    slowest = f"topk(10, max by (bot) (last_over_time({drawn(metric)}[1d] @ end())))"
    limits = [("api_response_time", "critical"), ("api_response_time", "warning")]
    return of_each_bot(panel, {"": metric}, limits, chosen=slowest, near=True).min(0)


def _errors() -> timeseries.Panel:
    panel = lines(
        507,
        "Errors",
        (12, 9),
        "Share of each bot's operations that fail, and of its calls of the exchange's API (dashed); of more than five "
        "bots, the five that failed most. The limit, error_rate of monitoring.yml, shows when a curve comes near. "
        "Above it orders may be lost: read the bot's log, and check its API keys and limits.",
        style.RATIO,
        2,
        NOTHING,
    )
    metrics = {"bot": "trading_bot_error_rate", "API": "trading_bot_api_error_rate"}
    return of_each_bot(panel, metrics, [("error_rate", "critical")], count=5, near=True).min(0)


def _calls() -> timeseries.Panel:
    panel = lines(
        508,
        "API calls a minute",
        (12, 9),
        "Calls of the exchange's API by each bot; of more than ten, the ten that call most. Exchanges ban those who "
        "call too often: when a curve jumps, see whether the bot retries in a loop.",
        style.COUNT,
        1,
        NOTHING,
    )
    return of_each_bot(panel, {"": "trading_bot_api_calls_per_minute"}).min(0)


def _bots() -> table.Panel:
    def value(name: str, metric: str, unit: str, decimals: int) -> Value:
        return Value(name, current(metric), measure(unit, decimals))

    return rows(
        509,
        "System by bot",
        (24, 6),
        "What each bot uses now, and how quick and reliable what it depends on is. A dash is a value that the bot "
        "doesn't state; CPU and memory come with a pid file or process name in monitoring.yml.",
        [
            BOT,
            MODE,
            value("CPU", "trading_bot_cpu_usage_ratio", style.RATIO, 1),
            value("Memory", "trading_bot_memory_usage_ratio", style.RATIO, 1),
            value("Memory, bytes", "trading_bot_memory_bytes", "bytes", 0),
            value("Connecting", "trading_bot_network_latency_seconds", style.SECONDS, 0),
            value("Exchange's API", "trading_bot_api_latency_seconds", style.SECONDS, 0),
            value("Responds in", "trading_bot_response_time_avg_seconds", style.SECONDS, 0),
            Value(
                "95 % within",
                current("bot:response_time_seconds:p95"),
                measure(style.SECONDS, 0),
            ),
            value("API calls/min", "trading_bot_api_calls_per_minute", style.COUNT, 1),
            value("Requests/s", "trading_bot_requests_per_second", style.COUNT, 2),
            value("Errors", "trading_bot_error_rate", style.RATIO, 2),
            value("API errors", "trading_bot_api_error_rate", style.RATIO, 2),
        ],
        f"max by (bot, mode) ({promql.ANSWERING})",
        sort_by="Bot",
        absent="no bot answers",
    )
