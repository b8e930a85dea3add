"""The alerts as series, for tables and timelines.

An alert is known by its name, bot and severity, and by what it is about where there are several: a disk, a channel, an
item of the SLA. Its value has a unit of its own, which a column of a table can't have: so values are made texts.
"""

from __future__ import annotations

from typing import NamedTuple

from grafana.promql import BOT, firing, firing_since, of_bot

ABOUT = ("path", "channel", "sla", "milestone", "component")
KEYS = "alertname, bot, severity, condition, about"


def known_by(alerts: str, keys: str = KEYS) -> str:
    """The alerts by what they are known by."""
    about = ", ".join(f'"{label}"' for label in ABOUT)
    # An alert is about one thing, so the others are empty, and so are the gaps between them.
    return f'max by ({keys}) (label_join({alerts}, "about", "", {about}))'


FIRING = known_by(firing())
SINCE = f"({known_by(firing_since())} and on ({KEYS}) {FIRING})"
# By whom, as a label, and when. Of an incident that two acknowledged, the later one.
ACKNOWLEDGED = (
    "topk by (condition, bot, severity) (1,"
    ' max by (condition, bot, severity, by) (trading_bot_acknowledged_timestamp_seconds{bot=~"$bot|"}))'
)
UNANSWERED = (
    f"(({known_by(firing('critical'))} or {known_by(firing('warning'))})"
    f" unless on (condition, bot, severity) {ACKNOWLEDGED})"
)


def with_bot(alerts: str) -> str:
    """The alerts; those of the machine and the stack, which have no bot, with the name of the choice of all bots."""
    return f'label_replace({alerts}, "bot", "All", "bot", "")'


class Measured(NamedTuple):
    """What an alert measures: its value (with the label `bot`, where it is a bot's), times what, and the unit.

    `to` is what it is rounded to.
    """

    alert: str
    value: str
    threshold: str
    factor: float = 1
    unit: str = ""
    to: float = 0.01


def _last(metric: str, window: str = "5m", matchers: str = "") -> str:
    return f"max by (bot) (last_over_time({metric}{{{BOT}{matchers}}}[{window}]))"


def _host(metric: str, by: str = "") -> str:
    return f"max{by} (last_over_time(trading_bot_host_{metric}[5m]))"


PERCENT = (100, " %")
MEASURED = (
    Measured("BotDown", f"time() - {of_bot('bot:last_alive:timestamp_seconds')}", "bot_down_time", 1, " s", 1),
    Measured("HighDrawdown", of_bot("bot:drawdown:ratio"), "max_drawdown", *PERCENT),
    Measured("DailyLoss", f"-{of_bot('bot:period_profit_loss:day')}", "daily_loss"),
    Measured("HighErrorRate", _last("trading_bot_error_rate"), "error_rate", *PERCENT),
    Measured("HighMemoryUsage", _last("trading_bot_memory_usage_ratio"), "memory_usage", *PERCENT),
    Measured("HighCpuUsage", _last("trading_bot_cpu_usage_ratio"), "cpu_usage", *PERCENT),
    Measured("HighMemoryUsage", _host("memory_usage_ratio"), "", *PERCENT),
    Measured("HighCpuUsage", _host("cpu_usage_ratio"), "", *PERCENT),
    Measured("HighDiskUsage", _host("disk_usage_ratio", " by (path)"), "disk_usage", *PERCENT),
    Measured("SlowApiResponse", of_bot("bot:response_time_seconds:p95"), "api_response_time", 1, " s"),
    Measured("HighNetworkLatency", _last("trading_bot_network_latency_seconds"), "network_latency", 1, " s"),
    Measured("StaleData", f"max by (bot) ({of_bot('bot:data_age:seconds')})", "data_freshness", 1, " s", 1),
    Measured("LowModelAccuracy", _last("trading_bot_model_accuracy"), "model_accuracy", *PERCENT),
    Measured("ModelDrift", _last("trading_bot_model_drift_score"), "model_drift"),
    Measured(
        "LowPredictionConfidence",
        _last("trading_bot_model_prediction_confidence"),
        "prediction_confidence",
        *PERCENT,
    ),
    Measured("LowDataQuality", _last("trading_bot_model_data_quality_score"), "data_quality_score", *PERCENT),
    Measured("LowWinRate", _last("trading_bot_win_rate"), "win_rate", *PERCENT),
    Measured("LowTradingActivity", _last("trading_bot_trades_per_hour"), "trades_per_hour", 1, " an hour"),
    Measured("HighRiskUtilization", of_bot("bot:risk_utilization:ratio"), "risk_utilization", *PERCENT),
    Measured("HighVolatility", _last("trading_bot_market_volatility_ratio"), "volatility", *PERCENT),
    Measured("ErrorBudgetBurn", f"max by (bot, sla) ({of_bot('bot_sla:burn_rate:ratio_1h')})", "", 1, "×"),
    Measured("EscalationDrawdown", of_bot("bot:drawdown:ratio"), "drawdown_escalation", *PERCENT),
)


def values() -> str:
    """What the firing alerts measure now, as the label `measured` of each."""
    parts = (
        (one.unit, f'label_replace({_times(one.value, one)}, "alertname", "{one.alert}", "", "")') for one in MEASURED
    )
    keys = "alertname, bot, about"
    return f"{FIRING} * on ({keys}) group_left (measured) {_as_texts(list(parts), keys, 'measured')}"


def limits() -> str:
    """The limits of the firing alerts, as the label `limit` of each."""
    parts = []
    for one in MEASURED:
        if one.threshold:
            limit = _times(f'bot:threshold{{threshold="{one.threshold}"}}', one)
            parts.append((one.unit, f'label_replace({limit}, "alertname", "{one.alert}", "", "")'))
    keys = "alertname, bot, severity"
    return f"{FIRING} * on ({keys}) group_left (limit) {_as_texts(parts, keys, 'limit')}"


def _times(value: str, measured: Measured) -> str:
    return f"round(({value}) * {measured.factor:g}, {measured.to:g})"


def _as_texts(parts: list[tuple[str, str]], keys: str, label: str) -> str:
    """The values (unit, query) as texts in a label: count_values makes them so."""
    texts = []
    for unit in dict.fromkeys(unit for unit, _ in parts):
        of_unit = " or ".join(query for its_unit, query in parts if its_unit == unit)
        named = f'label_join(({of_unit}), "about", "", "path", "sla")'
        counted = f'count_values by ({keys}) ("{label}", {named})'
        texts.append(f'label_replace({counted}, "{label}", "$1{unit}", "{label}", "(.*)")')
    return f"({' or '.join(texts)})"
