"""Ends that Alertmanager keeps to itself: of what was told, and then ended while something held it back.

An end is told when it comes, or not at all: not if at that time the alert is held back by a bot that is down, by a
maintenance, a silence or quiet hours. Alertmanager then believes it to last, and swallows the next incident for as long
as the last message counts (`repeat_interval`). So the responder remembers what was told, and posts what Prometheus's
rules say is over as ended, again and again until the inbox hears it. Whether it is told is left to Alertmanager: it
tells an end only to those whom it told the beginning, only once, and drops it while the alert is still held back.
What Alertmanager has forgotten meanwhile it tells as an alert of its own, which is held back just so.
"""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from responder.acknowledge.acknowledger import TOLD_WITHIN_SECONDS
from responder.acknowledge.ledger import Ledger
from responder.alertmanager import Alert, Alertmanager, Incident
from responder.database import Database
from responder.prometheus import Prometheus, Rule
from responder.store import NEWS
from responder.webhook import Notification

# Above the 30 s after which Alertmanager forgets an empty group, for in one that it still has an end waits for the next
# `group_interval`; and below what most alerts wait before they fire again.
WATCH_SECONDS = 45.0
# Prometheus must have found it over for so long: just after a start it has nothing to judge by.
SURE_SECONDS = 130.0
# Alertmanager's memory of what it told (--data.retention).
FORGOTTEN_SECONDS = 5 * 86400.0
# In quiet hours, 18 h at most, the inbox alone hears an end, from a receiver of its own. People's is looked at an hour
# later.
QUIET_RECEIVER, QUIET_SECONDS = "inbox", 20 * 3600.0
# For each look, 6 MB of memory at most: first those that were not told for longest, for what fires is told again.
MAX_TOLD = 500
_SCHEMA = """
CREATE TABLE IF NOT EXISTS told_alerts (
  fingerprint TEXT PRIMARY KEY,
  alert TEXT NOT NULL,
  told_at REAL NOT NULL,
  ended_at REAL
);
"""


@dataclass(frozen=True)
class _Told:
    """An alert that was told as firing, when last; `ended_at`: when it ended, as the inbox alone has heard."""

    alert: Alert
    told_at: float
    ended_at: dt.datetime | None

    @property
    def key(self) -> tuple[str, dt.datetime]:
        return self.alert.fingerprint, self.alert.starts_at


class Ends:
    """`take` may be called by any thread, `watch` by one."""

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        alertmanager: Alertmanager,
        prometheus: Prometheus,
        told_within: float = TOLD_WITHIN_SECONDS,
    ) -> None:
        """Makes the table where there is none. Raises StoreError where that can't be done."""
        self._told_within = told_within
        self._database = database
        self._ledger = ledger
        self._alertmanager = alertmanager
        self._prometheus = prometheus
        # The evaluation that found it over first: until it is sure, and then.
        self._gone: dict[tuple[str, dt.datetime], dt.datetime] = {}
        self._over: dict[tuple[str, dt.datetime], dt.datetime] = {}
        # What Alertmanager has as an alert of its own until it can tell it.
        self._late: set[Incident] = set()
        with database.reading() as connection:
            connection.executescript(_SCHEMA)

    def take(self, notification: Notification) -> None:
        """Remembers what was told. Raises StoreError; it may be called again."""
        now = time.time()
        with self._database.writing() as connection:
            for alert in notification.alerts:
                if alert.labels.get("condition", "") in NEWS:
                    continue
                if alert.status == "firing":
                    document = {
                        "fingerprint": alert.fingerprint,
                        "labels": alert.labels,
                        "annotations": alert.annotations,
                        "startsAt": alert.starts_at.isoformat(),
                        "generatorURL": alert.generator_url,
                    }
                    row = (alert.fingerprint, json.dumps(document, ensure_ascii=False), now)
                    connection.execute("INSERT OR REPLACE INTO told_alerts VALUES (?, ?, ?, NULL)", row)
                elif notification.receiver == QUIET_RECEIVER and alert.end:
                    connection.execute(
                        "UPDATE told_alerts SET ended_at = ? WHERE fingerprint = ? AND ended_at IS NULL",
                        (alert.end.timestamp(), alert.fingerprint),
                    )
                else:
                    connection.execute("DELETE FROM told_alerts WHERE fingerprint = ?", (alert.fingerprint,))

    def watch(self) -> None:
        """Looks once. Raises AlertmanagerError or StoreError; what failed is tried at the next look."""
        told = self._told()
        late, self._late = self._late, set()
        due = self._due(told) if told else []
        if due:
            self._tell(due)
        # What fires again, or is in doubt. What the inbox has heard is not: others may be about to be told.
        for incident in late.intersection(_incident(each.alert) for each in told if not each.ended_at) - self._late:
            self._alertmanager.hush_over(incident)

    def _due(self, told: Sequence[_Told]) -> list[_Told]:
        """What is over for sure, and may be told."""
        gone = self._without(told, self._alertmanager.alerts())
        for key in {each.key for each in told} - {each.key for each in gone}:
            self._forget(key)
        if not gone:
            return []
        rules = self._prometheus.rules({each.alert.labels.get("alertname", "") for each in gone})
        over = {each.key: at for each in gone if (at := self._ended(each, rules))}
        if not over:
            return []
        # Asked anew, for it may have begun again just now. What is acknowledged has its own end.
        fires = self._alertmanager.alerts()
        acknowledged = {each.incident for each in self._ledger.current()}
        return [
            each
            for each in self._without(gone, fires)
            if each.key in over
            and _incident(each.alert) not in acknowledged
            and not _crowded(each, fires)
            and not _goes_on(each.alert, fires)
        ]

    def _tell(self, due: Sequence[_Told]) -> None:
        known: list[Alert] = []
        forgotten: dict[Incident, list[Alert]] = {}
        now = time.time()
        for each, memory in zip(due, self._alertmanager.memories([each.alert for each in due]), strict=True):
            # Of what the inbox has heard to be over, Alertmanager alone knows who else has heard the beginning.
            if each.ended_at is None and now - each.told_at > memory.none:
                forgotten.setdefault(_incident(each.alert), []).append(each.alert)
            else:
                known.append(each.alert)
        ended_at = {each.alert.fingerprint: each.ended_at or self._over[each.key] for each in due}
        self._alertmanager.end(known, ended_at)
        for incident, alerts in forgotten.items():
            self._late.add(incident)
            self._alertmanager.tell_over(incident, alerts, ended_at, self._told_within)

    def _told(self) -> list[_Told]:
        now = time.time()
        old = (now - FORGOTTEN_SECONDS, now - QUIET_SECONDS)
        with self._database.writing() as connection:
            connection.execute("DELETE FROM told_alerts WHERE told_at < ? OR ended_at < ?", old)
            query = "SELECT alert, told_at, ended_at FROM told_alerts ORDER BY told_at LIMIT ?"
            rows = connection.execute(query, (MAX_TOLD,)).fetchall()
        told = [
            _Told(Alert.model_validate_json(row["alert"]), row["told_at"], _moment(row["ended_at"])) for row in rows
        ]
        for key in {*self._gone, *self._over} - {each.key for each in told}:
            self._forget(key)
        return told

    def _forget(self, key: tuple[str, dt.datetime]) -> None:
        self._gone.pop(key, None)
        self._over.pop(key, None)

    @staticmethod
    def _without(told: Sequence[_Told], fires: Collection[Alert]) -> list[_Told]:
        """Those that Alertmanager doesn't have as firing, held back or not."""
        there = {alert.fingerprint for alert in fires}
        return [each for each in told if each.alert.fingerprint not in there]

    def _ended(self, told: _Told, rules: Sequence[Rule] | None) -> dt.datetime | None:
        """When it ended; None where it fires, and where Prometheus doesn't tell, or not for long enough."""
        key = told.key
        named = [rule for rule in rules or [] if rule.name == told.alert.labels.get("alertname")]
        if not named or not all(rule.is_evaluated for rule in named):
            self._gone.pop(key, None)
            return None
        states = {active.state for rule in named for active in rule.alerts if _may_be(told.alert.labels, active.labels)}
        if "firing" in states:
            self._forget(key)
            return None
        if key in self._over:
            return self._over[key]
        if states:
            # Pending: of the next incident, or of this one after a start of Prometheus.
            self._gone.pop(key, None)
            return None
        evaluated = min(rule.last_evaluation for rule in named)
        first = self._gone.setdefault(key, evaluated)
        if evaluated - first < dt.timedelta(seconds=SURE_SECONDS):
            return None
        self._over[key] = max(self._gone.pop(key), told.alert.starts_at)
        return self._over[key]


def _may_be(told: Mapping[str, str], rule: Mapping[str, str]) -> bool:
    """Whether a rule's alert may be the one that was told: Prometheus adds labels on the way, and may change some."""
    return all(told[name] == value for name, value in rule.items() if name in told)


def _crowded(told: _Told, fires: Collection[Alert]) -> bool:
    """Whether people may have heard the end, and would hear it again: with others in its message, it counts anew."""
    labels = told.alert.labels
    return told.ended_at is not None and any(
        all(alert.labels.get(name, "") == labels.get(name, "") for name in ("alertname", "bot")) for alert in fires
    )


def _goes_on(escalation: Alert, fires: Collection[Alert]) -> bool:
    """Whether it escalates what still fires: held back, it only counts anew, and "over" would be read as all of it."""
    return "escalation" in escalation.labels and any(
        "escalation" not in alert.labels and _incident(alert) == _incident(escalation) for alert in fires
    )


def _incident(alert: Alert) -> Incident:
    return Incident(*(alert.labels.get(name, "") for name in ("condition", "bot", "severity")))


def _moment(seconds: float | None) -> dt.datetime | None:
    return None if seconds is None else dt.datetime.fromtimestamp(seconds, dt.UTC)
