"""The daily and weekly reports for webhooks: figures from the series that Prometheus recorded while it told them.

A report is kept until its figures are known. They are asked for at the moment of the report, so an answer that comes
late is the same.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import math
import sqlite3
import time
from collections.abc import Callable
from typing import Any

from responder.database import Database
from responder.outbox.outbox import Entry, Outbox
from responder.prometheus import Prometheus, PrometheusError
from responder.webhook import Alert
from responder.webhooks import events
from responder.webhooks.subscribers import Subscribers

# By condition: the report and its days.
REPORTS = {"daily_summary": ("daily", 1), "weekly_summary": ("weekly", 7)}
GIVE_UP_SECONDS = 86400.0
SCHEMA = """
CREATE TABLE IF NOT EXISTS reports_waiting (
  condition TEXT NOT NULL,
  at REAL NOT NULL,
  bots TEXT NOT NULL,
  noted REAL NOT NULL,
  PRIMARY KEY (condition, at)
);
"""
# The rule tells of each bot that has this series.
_BOTS = "bot:maintenance"
_PROFIT = 'bot_report:profit:change{{report="{report}"}}'
_TRADES = 'bot_report:trades:change{{report="{report}"}}'
_DRAWDOWN = "bot:drawdown:ratio"
_SHARPE = "max by (bot) (last_over_time(trading_bot_sharpe_ratio[1h]))"
_ABOUT = "max by (bot, mode, currency) (last_over_time(trading_bot_info[1h]))"
_STATE = (
    "max by (bot, state) (last_over_time(trading_bot_state[1m]) == 1) "
    "and on (bot) max by (bot) (last_over_time(trading_bot_up[1m])) == 1"
)

log = logging.getLogger(__name__)

Series = list[tuple[dict[str, str], float]]


class Reports:
    """Those that were told, until they are in the outbox."""

    def __init__(
        self,
        database: Database,
        outbox: Outbox,
        subscribers: Subscribers,
        prometheus: Prometheus,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Makes the table where there is none. Raises StoreError where that can't be done."""
        self._database = database
        self._outbox = outbox
        self._subscribers = subscribers
        self._prometheus = prometheus
        self._clock = clock
        with database.reading() as connection:
            connection.executescript(SCHEMA)

    def note(self, alerts: list[Alert]) -> None:
        """Keeps the reports among what was told. Raises StoreError."""
        bots: dict[tuple[str, float], list[str]] = {}
        for alert in alerts:
            condition = alert.labels.get("condition", "")
            if condition in REPORTS and alert.status == "firing":
                bots.setdefault((condition, alert.starts_at.timestamp()), []).append(alert.labels.get("bot", ""))
        if bots:
            rows = [(*key, json.dumps(names), self._clock()) for key, names in bots.items()]
            with self._database.writing() as connection:
                connection.executemany("INSERT OR IGNORE INTO reports_waiting VALUES (?, ?, ?, ?)", rows)

    def look(self) -> None:
        """Asks for the figures of what waits. Raises the first error at the end, such as PrometheusError."""
        with self._database.reading() as connection:
            rows = connection.execute("SELECT * FROM reports_waiting ORDER BY at").fetchall()
        failure: Exception | None = None
        for row in rows:
            try:
                self._look(row)
            except Exception as error:  # whatever it is, it must not hold up the other reports
                failure = failure or error
        if failure:
            raise failure

    def _look(self, row: sqlite3.Row) -> None:
        told = [each for each in self._subscribers.all() if "reports" in each.kinds]
        entries: list[Entry] = []
        try:
            made = self._made(row["condition"], row["at"], json.loads(row["bots"])) if told else []
            entries = list(events.entries(made, told))
        except Exception as error:
            if self._clock() - row["noted"] < GIVE_UP_SECONDS:
                raise
            why = str(error) if isinstance(error, PrometheusError) else repr(error)
            log.error("The %s report for webhooks is given up, after a day: %s", REPORTS[row["condition"]][0], why)
        with self._database.writing() as connection:
            self._outbox.put(connection, entries)
            connection.execute(
                "DELETE FROM reports_waiting WHERE condition = ? AND at = ?", (row["condition"], row["at"])
            )
        self._outbox.wake()

    def _made(self, condition: str, at: float, told: list[str]) -> list[events.Event]:
        report, days = REPORTS[condition]

        def ask(query: str) -> Series:
            return self._prometheus.values(query.format(report=report), at)

        # A message has 100 alerts at the most.
        bots = sorted({*told, *(labels["bot"] for labels, _ in ask(_BOTS) if "bot" in labels)} - {""})
        profit, drawdown, sharpe = (_by_bot(ask(query)) for query in (_PROFIT, _DRAWDOWN, _SHARPE))
        trades = _trades(ask(_TRADES))
        about = {labels.get("bot"): labels for labels, _ in ask(_ABOUT)}
        states = {labels.get("bot"): labels.get("state") for labels, _ in ask(_STATE)}
        end = dt.datetime.fromtimestamp(at, dt.UTC)
        period = {"from": events.moment(end - dt.timedelta(days=days)), "until": events.moment(end)}
        return [
            events.of_report(
                report,
                end,
                {
                    "bot": bot,
                    "mode": about.get(bot, {}).get("mode") or None,
                    "currency": about.get(bot, {}).get("currency") or None,
                    **period,
                    # None: it is out of reach.
                    "state": states.get(bot),
                    "profit": profit.get(bot),
                    **trades.get(bot, _NO_TRADES),
                    "drawdown_ratio": drawdown.get(bot),
                    "sharpe_ratio": sharpe.get(bot),
                },
            )
            for bot in bots
        ]


_NO_TRADES: dict[str, Any] = dict.fromkeys(("trades", "won", "lost", "drawn", "win_rate"))


def _by_bot(series: Series) -> dict[str, float]:
    return {labels["bot"]: value for labels, value in series if "bot" in labels}


def _trades(series: Series) -> dict[str, dict[str, Any]]:
    """The trades closed in the period, by bot; none of a bot whose counters went back: it has a new database."""
    counts: dict[str, dict[str, float]] = {}
    for labels, value in series:
        counts.setdefault(labels.get("bot", ""), {})[labels.get("result", "")] = value
    return {
        bot: {
            "trades": round(closed),
            "won": _whole(results.get("win")),
            "lost": _whole(results.get("loss")),
            "drawn": _whole(results.get("draw")),
            "win_rate": results["win"] / closed if "win" in results and closed > 0 else None,
        }
        for bot, results in counts.items()
        if (closed := math.fsum(results.values())) >= 0 <= min(results.values())
    }


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)
