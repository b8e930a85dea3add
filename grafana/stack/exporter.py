"""Row "Exporter": can it read the bots, and how fast?"""

from __future__ import annotations

from grafana_foundation_sdk.builders import table, timeseries

from grafana import style
from grafana.board import Row
from grafana.counts import counts
from grafana.panels import lines, over_time
from grafana.promql import of_bot
from grafana.stats import width
from grafana.tables import Value, coloured_text, lamp, measure, rows
from grafana.trading_bot.values import BOT

NONE = "nothing recorded in this time yet"
# Only minutes in which there was one have a sample.
ERRORS = of_bot("bot_reason:source_errors:increase1m")
DROPPED = of_bot("bot:series_dropped:increase1m")
SECONDS = of_bot("trading_bot_source_read_seconds")
# The groups that are read from bots: their targets are the bots, by name.
OF_GROUPS = 'job=~"bot|trading|model|market|system"'
READABLE = {"0": ("no", style.CRITICAL), "1": ("yes", style.SUCCESS)}


def row() -> Row:
    """The row, with ids from 200."""
    return Row(200, "Exporter", [_slow(), _errors(), _scrapes(), _series(), _bots()])


def _slow() -> timeseries.Panel:
    seconds = of_bot("bot:source_read_seconds:max1m")
    slowest = f"topk(10, max_over_time({seconds}[$__range] @ end()))"
    return lines(
        201,
        "Reading a bot",
        (12, 8),
        "How long the last reading of each bot took, its slowest part; of more than ten bots, the ten slowest. A "
        "scrape has 8 s for the bot itself, 30 s for its results: near that, look at the bot's machine and the "
        "network.",
        style.SECONDS,
        2,
        NONE,
    ).with_target(over_time(f"{seconds} and on (bot) ({slowest})", "{{bot}}"))


def _errors() -> timeseries.Panel:
    return counts(
        202,
        "Readings that failed",
        (12, 8),
        "Readings of bots, or of parts of them, that failed, by reason: connection and dns are the network, timeout a"
        " slow bot, auth a wrong password, invalid a document with a fault, stale one that nobody writes any more. "
        "The exporter's log has the details. A few in a day are normal.",
        "no failure known",
    ).with_target(over_time(f"sum by (reason) (sum_over_time({ERRORS}[$__interval]))", "{{reason}}"))


def _scrapes() -> timeseries.Panel:
    return lines(
        203,
        "Scrapes by group",
        (12, 8),
        "How long a scrape took of each group of metrics, the slowest bot's; the exporter reads the bot within it. The "
        "limit is 8 s for the group bot, 30 s for trading, 10 s for the rest.",
        style.SECONDS,
        2,
        NONE,
    ).with_target(over_time(f"job:scrape_duration_seconds:max{{{OF_GROUPS}}}", "{{job}}"))


def _series() -> timeseries.Panel:
    return (
        lines(
            204,
            "Series by group",
            (12, 8),
            "How many series the exporter gives of all bots, by group. About 250 a bot is usual. Growth without "
            "new bots is new pairs; beyond 50 pairs a bot the rest is left out, see the column Left out.",
            style.GROUPED,
            1,
            NONE,
        )
        .with_target(over_time(f"job:scrape_samples_scraped:sum{{{OF_GROUPS}}}", "{{job}}"))
        .fill_opacity(15)
    )


def _in_range(recorded: str) -> str:
    """How many of each bot in the time shown; 0 where the exporter says at all how it reads it."""
    return f"sum by (bot) (sum_over_time({recorded}[$__range])) or 0 * max by (bot) ({SECONDS})"


def _bots() -> table.Panel:
    scraped = f'scrape_samples_scraped{{{OF_GROUPS},instance=~"$bot"}}'
    series = f'label_replace({scraped}, "bot", "$1", "instance", "(.*)")'
    last = f"max by (bot) ({of_bot('trading_bot_source_last_success_timestamp_seconds')})"
    return rows(
        205,
        "Bots, as the exporter reads them",
        (24, 7),
        "Whether each bot can be read, how long that takes, and what failed in the time shown; bots that can't be read "
        "first. History: whether all closed trades are read; a long one takes a few scrapes. Left out are pairs, "
        "positions and symbols beyond 50 a bot, counted at each scrape.",
        [
            BOT,
            Value("Readable", f"max by (bot) ({of_bot('trading_bot_up')})", [*lamp(READABLE), width(90)]),
            Value("Last read", f"time() - {last}", measure(style.SECONDS, 0, 110)),
            Value("Reading takes", f"max by (bot) ({SECONDS})", measure(style.SECONDS, 1, 130)),
            Value(
                "Failed",
                _in_range(ERRORS),
                [*measure(style.COUNT, 0, 90), *coloured_text(), style.steps(style.NEUTRAL, (1, style.WARNING))],
            ),
            Value(
                "History",
                f"max by (bot) ({of_bot('trading_bot_history_complete')})",
                [*lamp({"0": ("being read", style.INFO), "1": ("complete", style.SUCCESS)}), width(110)],
            ),
            Value("Series", f"sum by (bot) ({series})", measure(style.COUNT, 0, 90)),
            Value("Left out", _in_range(DROPPED), measure(style.COUNT, 0, 90)),
        ],
        f"max by (bot) ({of_bot('bot:maintenance')})",
        sort_by="Readable",
        absent="no bot known: see the exporter's page, port 8000",
    )
