"""Group `system`: what a bot uses, and how quick and reliable what it depends on is. Scraped every 30 s."""

from __future__ import annotations

from collections.abc import Sequence

from exporter.metrics.families import Families, Family
from exporter.state import BotState

RESPONSE_TIME = Family(
    "trading_bot_response_time_seconds",
    "Response times, as the bot states them or, of a freqtrade bot, of its own API.",
    (),
    "histogram",
)

# State key → gauge.
GAUGES: dict[str, Family] = {
    "cpu_usage": Family("trading_bot_cpu_usage_ratio", "Processor time of the bot as a share of one core, at most 1."),
    "memory_usage": Family("trading_bot_memory_usage_ratio", "Memory of the bot as a share of what there is, 0 to 1."),
    "memory_bytes": Family("trading_bot_memory_bytes", "Resident memory of the bot."),
    "network_latency": Family(
        "trading_bot_network_latency_seconds", "Time to connect to the exchange, the slowest of its addresses."
    ),
    "api_latency": Family("trading_bot_api_latency_seconds", "How long the exchange's API takes to answer the bot."),
    "api_calls_per_minute": Family(
        "trading_bot_api_calls_per_minute", "Calls of the exchange's API by the bot, a minute."
    ),
    "requests_per_second": Family("trading_bot_requests_per_second", "Requests that the bot makes, a second."),
    "error_rate": Family("trading_bot_error_rate", "Share of the bot's operations that fail, 0 to 1."),
    "api_error_rate": Family("trading_bot_api_error_rate", "Share of the exchange's API calls that fail, 0 to 1."),
    "response_time_avg": Family("trading_bot_response_time_avg_seconds", "Mean response time, as the bot states it."),
    "response_time_p95": Family(
        "trading_bot_response_time_p95_seconds", "95th percentile of the response times, as the bot states it."
    ),
}
FAMILIES = (RESPONSE_TIME, *GAUGES.values())


def collect(families: Families, name: str, states: Sequence[BotState]) -> None:
    """Add a bot's series.

    Args:
        states: what is known of it; of a value that several know, the first one's counts.
    """
    for key, family in GAUGES.items():
        families.add(family, next((v for s in states if (v := getattr(s.system, key)) is not None), None), name)
    times = next((s.response_times for s in states if s.response_times is not None), None)
    if times is not None:
        families.add_histogram(RESPONSE_TIME, times, name)
