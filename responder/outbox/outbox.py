"""The outbox: what is to leave by SMS, phone or webhook, in SQLite until it is delivered or given up.

Rows are kept before the sender is answered, and a row is `delivered` only after its channel said so: what is killed in
between is sent again, and nothing is lost. Of some channels all that waits for a target goes as one. Of the others a
target's messages go in order; one that failed `PATIENCE` times, half a minute, lets the others pass.
"""

from __future__ import annotations

import math
import sqlite3
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from responder.database import Database

State = Literal["waiting", "delivered", "given up"]
BACKOFF_SECONDS = (1.0, 300.0)  # the first and the longest
PATIENCE = 5
# Given up only after so many attempts, some four minutes: after a night's sleep the first find no network yet.
LEAST_ATTEMPTS = 8
PRUNE_SECONDS = 3600
MAX_TEXT = 500
_SCHEMA = """
CREATE TABLE IF NOT EXISTS outbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  channel TEXT NOT NULL,
  target TEXT NOT NULL,
  title TEXT NOT NULL,
  payload TEXT NOT NULL,
  key TEXT NOT NULL,
  created REAL NOT NULL,
  changed REAL NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  next_attempt REAL NOT NULL,
  state TEXT NOT NULL DEFAULT 'waiting',
  error TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS outbox_waiting ON outbox (channel, target, id) WHERE state = 'waiting';
CREATE INDEX IF NOT EXISTS outbox_key ON outbox (channel, target, key) WHERE key != '';
CREATE INDEX IF NOT EXISTS outbox_changed ON outbox (changed);
"""
# `key != ''` lets it use the index. The clock may have been set back: what was kept "later" is no twin.
_PUT = """
INSERT INTO outbox (channel, target, title, payload, key, created, changed, next_attempt)
SELECT :channel, :target, :title, :payload, :key, :now, :now, :now WHERE :key = '' OR NOT EXISTS (
  SELECT 1 FROM outbox WHERE channel = :channel AND target = :target AND key = :key AND key != ''
    AND created > :since AND created <= :now
)
"""
# The clock may have been set back: what is due later than the longest back-off is due now.
_NEXT = """
SELECT * FROM outbox WHERE channel = :channel AND target = :target AND state = 'waiting'
  AND (next_attempt <= :now OR next_attempt > :now + :longest)
  AND id <= coalesce((
    SELECT id FROM outbox WHERE channel = :channel AND target = :target AND state = 'waiting' AND attempts < :patience
    ORDER BY id LIMIT 1
  ), id)
ORDER BY id = :last, id LIMIT 1
"""
# The oldest says when: what came while it was gathered, retried or sent goes with it, or with the next.
_TOGETHER = """
SELECT * FROM outbox WHERE channel = :channel AND target = :target AND state = 'waiting' AND EXISTS (
  SELECT 1 FROM (
    SELECT created, next_attempt FROM outbox WHERE channel = :channel AND target = :target AND state = 'waiting'
    ORDER BY id LIMIT 1
  ) WHERE (next_attempt <= :now OR next_attempt > :now + :longest) AND created NOT BETWEEN :now - :gather AND :now
) ORDER BY id
"""


@dataclass(frozen=True)
class Entry:
    """Something to deliver.

    `target` is a name, never an address with a secret; `title` says on the page what it is; `payload` is the channel's
    own affair, and dropped once it is done. An entry with a `key` is taken once: not again within `once_seconds`, or
    for as long as the outbox remembers (RETENTION).
    """

    channel: str
    target: str
    title: str
    payload: str
    key: str = ""
    once_seconds: float = math.inf


@dataclass(frozen=True)
class Delivery:
    """One row; times are Unix seconds. `error`: of the last attempt that failed, in the channel's own words."""

    id: int
    channel: str
    target: str
    title: str
    payload: str
    created: float
    changed: float
    attempts: int
    next_attempt: float
    state: State
    error: str


class Outbox:
    """The rows. Any thread may call it; each method raises StoreError where the database can't be used."""

    def __init__(self, database: Database, retention_seconds: float) -> None:
        """Makes the table where there is none; what was done longer ago than the retention is forgotten."""
        self._database = database
        self._retention = retention_seconds
        self._pruned = 0.0
        self._news = threading.Condition()
        self._version = 0
        with database.reading() as connection:
            connection.executescript(_SCHEMA)

    def add(self, entries: Iterable[Entry]) -> int:
        """Keeps all of them or none; they are on the disk when this returns. Returns how many were new."""
        with self._database.writing() as connection:
            added = self.put(connection, entries)
        self.wake()
        return added

    def put(self, connection: sqlite3.Connection, entries: Iterable[Entry]) -> int:
        """The same within a transaction of the caller's, who calls `wake` after its end. Returns how many were new."""
        now = time.time()
        if now - self._pruned > PRUNE_SECONDS:
            connection.execute("DELETE FROM outbox WHERE state != 'waiting' AND changed < ?", (now - self._retention,))
            self._pruned = now
        rows = [
            {
                "channel": entry.channel,
                "target": entry.target,
                "title": clean(entry.title),
                "payload": entry.payload,
                "key": entry.key,
                "now": now,
                "since": now - entry.once_seconds,
            }
            for entry in entries
        ]
        return sum(connection.execute(_PUT, row).rowcount for row in rows)

    def wake(self) -> None:
        """Tells the couriers that there is something new."""
        with self._news:
            self._version += 1
            self._news.notify_all()

    def wait(self, version: int, seconds: float) -> int:
        """Waits until there is something newer than `version`, at most so long; returns the version now."""
        with self._news:
            self._news.wait_for(lambda: self._version != version, seconds)
            return self._version

    def targets(self, channel: str) -> list[str]:
        """Those that something waits for."""
        with self._database.reading() as connection:
            query = "SELECT DISTINCT target FROM outbox WHERE channel = ? AND state = 'waiting'"
            return [row[0] for row in connection.execute(query, (channel,))]

    def next(self, channel: str, target: str, failed: int = 0) -> Sequence[Delivery]:
        """What is to be tried now, one or none; the one that has just failed, if there is no other."""
        values = {
            "channel": channel,
            "target": target,
            "now": time.time(),
            "longest": BACKOFF_SECONDS[1],
            "patience": PATIENCE,
            "last": failed,
        }
        return self._found(_NEXT, values)

    def together(self, channel: str, target: str, gather_seconds: float) -> Sequence[Delivery]:
        """All that waits, oldest first, where the oldest is to be tried now and came so many seconds ago; else none."""
        values = {
            "channel": channel,
            "target": target,
            "now": time.time(),
            "longest": BACKOFF_SECONDS[1],
            "gather": gather_seconds,
        }
        return self._found(_TOGETHER, values)

    def delivered(self, deliveries: Sequence[Delivery]) -> None:
        """They are done, and not sent again: all of them or none."""
        now = time.time()
        with self._database.writing() as connection:
            connection.executemany(
                "UPDATE outbox SET state = 'delivered', payload = '', attempts = attempts + 1, changed = ? "
                "WHERE id = ?",
                ((now, delivery.id) for delivery in deliveries),
            )

    def failed(
        self, deliveries: Sequence[Delivery], error: str, give_up_seconds: float, most_attempts: int | None = None
    ) -> int:
        """An attempt at these failed. Gives up what has waited so long for their target; returns how many that were.

        After `most_attempts` the first of them is given up, however short it has waited.
        """
        now, first = time.time(), deliveries[0]
        values = {
            "id": first.id,
            "channel": first.channel,
            "target": first.target,
            "error": clean(error),
            "now": now,
            "old": now - give_up_seconds if first.attempts + 1 >= LEAST_ATTEMPTS else -math.inf,
            "hopeless": most_attempts is not None and first.attempts + 1 >= most_attempts,
        }
        with self._database.writing() as connection:
            connection.executemany(
                "UPDATE outbox SET attempts = attempts + 1, changed = ?, next_attempt = ?, error = ? WHERE id = ?",
                ((now, now + backoff(row.attempts + 1), values["error"], row.id) for row in deliveries),
            )
            # Also those not yet tried: the target has failed for as long as they have waited.
            return connection.execute(
                "UPDATE outbox SET state = 'given up', payload = '', changed = :now, error = :error "
                "WHERE channel = :channel AND target = :target AND state = 'waiting' "
                "AND (created <= :old OR (:hopeless AND id = :id))",
                values,
            ).rowcount

    def waiting(self) -> Mapping[str, int]:
        """How many wait, by channel; a channel without any is left out."""
        with self._database.reading() as connection:
            query = "SELECT channel, count(*) FROM outbox WHERE state = 'waiting' GROUP BY channel"
            return {row[0]: row[1] for row in connection.execute(query)}

    def latest(self, *, state: State | None = None, limit: int, offset: int = 0) -> Sequence[Delivery]:
        """The rows, newest first; without a state all of them."""
        query = "SELECT * FROM outbox WHERE ? IN ('', state) ORDER BY id DESC LIMIT ? OFFSET ?"
        with self._database.reading() as connection:
            return [_delivery(row) for row in connection.execute(query, (state or "", limit, offset))]

    def _found(self, query: str, values: Mapping[str, object]) -> Sequence[Delivery]:
        with self._database.reading() as connection:
            return [_delivery(row) for row in connection.execute(query, values)]


def backoff(failures: int) -> float:
    """The seconds to wait after so many failures in a row, at least one."""
    first, longest = BACKOFF_SECONDS
    return min(first * 2.0 ** min(failures - 1, 30), longest)


def clean(text: str) -> str:
    """In one line, without control characters, not too long."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:MAX_TEXT]


def _delivery(row: sqlite3.Row) -> Delivery:
    return Delivery(**{name: row[name] for name in Delivery.__dataclass_fields__})
