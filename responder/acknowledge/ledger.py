"""Who acknowledged what and when, until when and why it ended: in SQLite, so that it survives every restart."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from responder.alertmanager import Alert, Incident
from responder.database import Database

# Why an acknowledgement ended: its incident is over; a person took it back; its silence was removed in Alertmanager.
Why = Literal["over", "taken back", "removed"]
MAX_ALERTS = 200  # remembered of one incident
SCHEMA = """
CREATE TABLE IF NOT EXISTS acknowledgements (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  condition TEXT NOT NULL,
  bot TEXT NOT NULL,
  severity TEXT NOT NULL,
  person TEXT NOT NULL,
  at REAL NOT NULL,
  silence_id TEXT NOT NULL DEFAULT '',
  seen_at REAL NOT NULL,
  ended_at REAL,
  ended_why TEXT,
  ended_by TEXT
);
-- One at a time for an incident, whoever else acknowledges in the same moment.
CREATE UNIQUE INDEX IF NOT EXISTS acknowledgements_current ON acknowledgements (condition, bot, severity)
  WHERE ended_at IS NULL;
CREATE TABLE IF NOT EXISTS acknowledged_alerts (
  acknowledgement INTEGER NOT NULL REFERENCES acknowledgements (id),
  fingerprint TEXT NOT NULL,
  starts_at REAL NOT NULL,
  alert TEXT NOT NULL,
  PRIMARY KEY (acknowledgement, fingerprint, starts_at)
);
CREATE INDEX IF NOT EXISTS acknowledged_alerts_fingerprint ON acknowledged_alerts (fingerprint);
"""
_KEY = "condition = :condition AND bot = :bot AND severity = :severity"


@dataclass(frozen=True)
class Acknowledgement:
    """One row; times are Unix seconds.

    Without a silence's id, the silence was not yet set. `seen_at`: when it was last seen to fire.
    """

    id: int
    incident: Incident
    person: str
    at: float
    silence_id: str
    seen_at: float
    ended_at: float | None
    ended_why: Why | None
    ended_by: str | None


class Ledger:
    """The acknowledgements. Each method raises StoreError where the database can't be used."""

    def __init__(self, database: Database, retention_seconds: float) -> None:
        """Makes the tables where there are none; what ended longer ago than the retention is forgotten."""
        self._database = database
        self._retention = retention_seconds
        with database.reading() as connection:
            connection.executescript(SCHEMA)

    def begin(self, incident: Incident, person: str, alerts: Sequence[Alert]) -> Acknowledgement | None:
        """A new acknowledgement; None where there is one."""
        now = time.time()
        with self._database.writing() as connection:
            old = (now - self._retention,)
            connection.execute(
                "DELETE FROM acknowledged_alerts WHERE acknowledgement IN "
                "(SELECT id FROM acknowledgements WHERE ended_at < ?)",
                old,
            )
            connection.execute("DELETE FROM acknowledgements WHERE ended_at < ?", old)
            row = connection.execute(
                "INSERT OR IGNORE INTO acknowledgements (condition, bot, severity, person, at, seen_at) "
                "VALUES (:condition, :bot, :severity, :person, :at, :at) RETURNING *",
                {**incident.labels, "person": person, "at": now},
            ).fetchone()
            if row is None:
                return None
            _remember(connection, row["id"], alerts)
            return _acknowledgement(row)

    def forget(self, acknowledgement: Acknowledgement) -> None:
        """As if it had not been: its silence could not be set."""
        with self._database.writing() as connection:
            connection.execute("DELETE FROM acknowledged_alerts WHERE acknowledgement = ?", (acknowledgement.id,))
            connection.execute("DELETE FROM acknowledgements WHERE id = ?", (acknowledgement.id,))

    def silenced(self, acknowledgement: Acknowledgement, silence_id: str) -> None:
        """Keeps the id of the silence that was set."""
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE acknowledgements SET silence_id = ? WHERE id = ?", (silence_id, acknowledgement.id)
            )

    def seen(self, acknowledgement: Acknowledgement, alerts: Sequence[Alert]) -> None:
        """Remembers that these alerts fire of the incident now, to tell their end."""
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE acknowledgements SET seen_at = ? WHERE id = ?", (time.time(), acknowledgement.id)
            )
            _remember(connection, acknowledgement.id, alerts)

    def end(self, acknowledgement: Acknowledgement, why: Why, person: str | None = None) -> None:
        """It holds no longer."""
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE acknowledgements SET ended_at = ?, ended_why = ?, ended_by = ? "
                "WHERE id = ? AND ended_at IS NULL",
                (time.time(), why, person, acknowledgement.id),
            )

    def current(self, incident: Incident | None = None, limit: int = 1000) -> list[Acknowledgement]:
        """Those that hold, newest first: all, or the one of an incident."""
        query = "SELECT * FROM acknowledgements WHERE ended_at IS NULL ORDER BY id DESC LIMIT :limit"
        if incident:
            query = query.replace(" ORDER", f" AND {_KEY} ORDER")
        return self._rows(query, {**(incident.labels if incident else {}), "limit": limit})

    def last_ended(self, incident: Incident) -> Acknowledgement | None:
        """The last one of an incident, of those that hold no longer."""
        query = f"SELECT * FROM acknowledgements WHERE ended_at IS NOT NULL AND {_KEY} ORDER BY id DESC LIMIT 1"  # noqa: S608
        return next(iter(self._rows(query, incident.labels)), None)

    def alerts(self, acknowledgement: Acknowledgement) -> list[Alert]:
        """What fired of the incident while it was acknowledged; of an alert that fired again, the last time."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT alert FROM acknowledged_alerts WHERE acknowledgement = ? ORDER BY starts_at",
                (acknowledgement.id,),
            ).fetchall()
        alerts = [Alert.model_validate_json(row["alert"]) for row in rows]
        return list({alert.fingerprint: alert for alert in alerts}.values())

    def _rows(self, query: str, values: dict[str, object] | dict[str, str]) -> list[Acknowledgement]:
        with self._database.reading() as connection:
            return [_acknowledgement(row) for row in connection.execute(query, values)]


def _remember(connection: sqlite3.Connection, acknowledgement: int, alerts: Sequence[Alert]) -> None:
    rows = [
        (acknowledgement, alert.fingerprint, alert.starts_at.timestamp(), json.dumps(alert.model_dump(mode="json")))
        for alert in alerts[:MAX_ALERTS]
    ]
    connection.executemany("INSERT OR REPLACE INTO acknowledged_alerts VALUES (?, ?, ?, ?)", rows)


def _acknowledgement(row: sqlite3.Row) -> Acknowledgement:
    return Acknowledgement(
        row["id"],
        Incident(row["condition"], row["bot"], row["severity"]),
        row["person"],
        row["at"],
        row["silence_id"],
        row["seen_at"],
        row["ended_at"],
        row["ended_why"],
        row["ended_by"],
    )
