"""The messages, in SQLite.

A message is what was told about an alert: that it began, or that it ended. Alertmanager repeats a message after its
cooldown, and sends it again when an answer was lost; neither can be told from the other, nor is either news. So a
message has one row, found again by alert, beginning and status, with a count and the time it was last told.
"""

from __future__ import annotations

import json
import sqlite3
import time
from dataclasses import dataclass

from responder.acknowledge import ledger
from responder.alertmanager import Alert
from responder.database import Database
from responder.webhook import Notification

PRUNE_SECONDS = 3600
# Told once, and not as something that goes on: nobody tells its end, and nothing is to be acknowledged.
NEWS = {"daily_summary": "Report", "weekly_summary": "Report", "milestone_reached": "Milestone", "test_message": "Test"}
_SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  fingerprint TEXT NOT NULL,
  starts_at REAL NOT NULL,
  status TEXT NOT NULL,
  ends_at REAL,
  first_told REAL NOT NULL,
  last_told REAL NOT NULL,
  times_told INTEGER NOT NULL DEFAULT 1,
  bot TEXT NOT NULL,
  severity TEXT NOT NULL,
  labels TEXT NOT NULL,
  annotations TEXT NOT NULL,
  group_labels TEXT NOT NULL,
  external_url TEXT NOT NULL,
  UNIQUE (fingerprint, starts_at, status)
);
CREATE INDEX IF NOT EXISTS messages_last_told ON messages (last_told);
CREATE TABLE IF NOT EXISTS written (only INTEGER PRIMARY KEY CHECK (only = 1), at REAL NOT NULL);
"""
_UPSERT = """
INSERT INTO messages (fingerprint, starts_at, status, ends_at, first_told, last_told, bot, severity, labels,
                      annotations, group_labels, external_url)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (fingerprint, starts_at, status) DO UPDATE SET
  last_told = excluded.last_told, times_told = times_told + 1, ends_at = excluded.ends_at,
  annotations = excluded.annotations, external_url = excluded.external_url
"""
# Alertmanager's API cuts a beginning to milliseconds, and an end that the responder told on has it so.
_SAME = "{0}.fingerprint = messages.fingerprint AND abs({0}.starts_at - messages.starts_at) < 0.002"
# `over`: a firing message whose end was told as well.
_SELECT = f"""
SELECT messages.*, acknowledged.person AS acknowledged_by, acknowledged.at AS acknowledged_at,
  status = 'firing' AND EXISTS (
    SELECT 1 FROM messages AS ends WHERE {_SAME.format("ends")} AND ends.status = 'resolved'
  ) AS over
FROM messages LEFT JOIN acknowledgements AS acknowledged ON acknowledged.id = (
  SELECT max(acknowledgement) FROM acknowledged_alerts AS covered
  JOIN acknowledgements ON acknowledgements.id = acknowledgement
  WHERE {_SAME.format("covered")} AND (ended_why IS NULL OR ended_why = 'over')
)
WHERE (:bot = '' OR messages.bot = :bot) AND (:severity = '' OR messages.severity = :severity)
ORDER BY messages.id DESC LIMIT :limit OFFSET :offset
"""  # noqa: S608 - of our own words alone
_LAST_TOLD_OF = f"""
WITH alert AS (SELECT :of AS fingerprint, :at AS starts_at)
SELECT CASE WHEN NOT max(status = 'resolved') THEN max(last_told) END
FROM messages, alert WHERE {_SAME.format("alert")}
"""  # noqa: S608 - of our own words alone


@dataclass(frozen=True)
class Message:
    """One row; times are Unix seconds."""

    id: int
    status: str
    over: bool
    starts_at: float
    ends_at: float | None
    first_told: float
    last_told: float
    times_told: int
    bot: str
    severity: str
    labels: dict[str, str]
    annotations: dict[str, str]
    group_labels: dict[str, str]
    external_url: str
    acknowledged_by: str | None
    acknowledged_at: float | None

    @property
    def news(self) -> str:
        """What it is if it is no incident, such as a report; else nothing."""
        return NEWS.get(self.labels.get("condition", ""), "")


class Store:
    """Any thread may call it."""

    def __init__(self, database: Database, retention_seconds: float) -> None:
        """Makes the tables where there are none. Raises StoreError where that can't be done."""
        self._database = database
        self._retention = retention_seconds
        self._pruned = 0.0
        with database.reading() as connection:
            connection.executescript(_SCHEMA + ledger.SCHEMA)

    def add(self, notification: Notification) -> None:
        """Keeps all of a notification or nothing of it; it is on the disk when this returns."""
        now = time.time()
        shared = (json.dumps(notification.group_labels, ensure_ascii=False), notification.external_url)
        rows = [
            (
                alert.fingerprint,
                alert.starts_at.timestamp(),
                alert.status,
                alert.end.timestamp() if alert.end else None,
                now,
                now,
                alert.labels.get("bot", ""),
                alert.labels.get("severity", ""),
                json.dumps(alert.labels, ensure_ascii=False),
                json.dumps(alert.annotations, ensure_ascii=False),
                *shared,
            )
            for alert in notification.alerts
        ]
        with self._database.writing() as connection:
            connection.executemany(_UPSERT, rows)
            if now - self._pruned > PRUNE_SECONDS:
                connection.execute("DELETE FROM messages WHERE last_told < ?", (now - self._retention,))
                self._pruned = now

    def messages(self, *, bot: str = "", severity: str = "", limit: int, offset: int = 0) -> list[Message]:
        """The messages, newest first; an empty filter lets all through."""
        values = {"bot": bot, "severity": severity, "limit": limit, "offset": offset}
        with self._database.reading() as connection:
            rows = connection.execute(_SELECT, values).fetchall()
        return [_message(row) for row in rows]

    def last_told_of(self, alert: Alert) -> float | None:
        """When it was last told that it fires, in Unix seconds; None where nobody heard it, or its end was told."""
        values = {"of": alert.fingerprint, "at": alert.starts_at.timestamp()}
        with self._database.reading() as connection:
            told: float | None = connection.execute(_LAST_TOLD_OF, values).fetchone()[0]
        return told

    def choices(self, column: str) -> list[str]:
        """The values that a filter can have; `column` is bot or severity."""
        query = {
            "bot": "SELECT DISTINCT bot FROM messages WHERE bot != '' ORDER BY bot LIMIT 1000",
            "severity": "SELECT DISTINCT severity FROM messages WHERE severity != '' ORDER BY severity LIMIT 100",
        }[column]
        with self._database.reading() as connection:
            return [row[0] for row in connection.execute(query)]

    def last_told(self) -> float | None:
        """When the last message came, in Unix seconds; None before the first."""
        with self._database.reading() as connection:
            value: float | None = connection.execute("SELECT max(last_told) FROM messages").fetchone()[0]
        return value

    def check(self) -> None:
        """Writes to the database; raises StoreError where that can't be done."""
        with self._database.writing() as connection:
            connection.execute("INSERT OR REPLACE INTO written VALUES (1, ?)", (time.time(),))


def _message(row: sqlite3.Row) -> Message:
    values = {name: row[name] for name in Message.__dataclass_fields__}
    for name in ("labels", "annotations", "group_labels"):
        values[name] = json.loads(values[name])
    return Message(**{**values, "over": bool(values["over"])})
