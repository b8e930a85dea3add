"""Acknowledging: a silence in Alertmanager that lasts as long as the incident, and the end of it told.

What ends under a silence is forgotten by Alertmanager untold, and the next incident is swallowed for as long as the
last message counts (`repeat_interval`). So the silence is lifted as soon as the incident is over, and Alertmanager is
told the end once more. Where it has forgotten the beginning by then, the end is told as an alert of its own. The
silence is short and made longer again and again: should the responder die, messages come again.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time
from collections.abc import Callable
from typing import Protocol

from responder.acknowledge.ledger import Acknowledgement, Ledger, Why
from responder.alertmanager import Alert, Alertmanager, AlertmanagerError, Incident
from responder.database import StoreError
from responder.prometheus import Prometheus

SILENCE_SECONDS = 900.0
RENEW_SECONDS = 600.0  # what is left of a silence when it is made longer
# Alertmanager has no alerts for up to a minute after its start, until Prometheus sends them again.
GONE_SECONDS = 130.0
WATCH_SECONDS = 3.0
SEEN_SECONDS = 30.0  # how often it is written down that an incident goes on
# In which Alertmanager tells what is new: more than its longest group_wait, less than its shortest repeat_interval.
TOLD_WITHIN_SECONDS = 90.0
# What began later than this after the last look is another incident: the responder was away while the first one ended.
AWAY_SECONDS = 90.0

log = logging.getLogger(__name__)


class Acknowledger:
    """Sets, keeps and lifts. Any thread may call it; one call is worked on at a time."""

    def __init__(
        self,
        ledger: Ledger,
        alertmanager: Alertmanager,
        prometheus: Prometheus,
        last_told: Callable[[Alert], float | None],
        clock: Callable[[], float] = time.monotonic,
        told_within: float = TOLD_WITHIN_SECONDS,
    ) -> None:
        """Nothing is asked yet. `last_told` is when people last heard that this alert fires; None where they didn't."""
        self._last_told = last_told
        self._told_within = told_within
        self._ledger = ledger
        self._alertmanager = alertmanager
        self._prometheus = prometheus
        self._clock = clock
        self._lock = threading.Lock()
        self._gone_since: dict[int, float] = {}
        self._known: dict[int, set[tuple[str, dt.datetime]]] = {}
        self._doubtful: set[Incident] = set()

    def alerts(self, incident: Incident) -> list[Alert]:
        """What fires of it now, the oldest first, escalations last. Raises AlertmanagerError."""
        alerts = self._alertmanager.alerts(incident)
        return sorted(alerts, key=lambda alert: ("escalation" in alert.labels, alert.starts_at))

    def is_over(self, incident: Incident) -> bool:
        """Whether an empty list of `alerts` says so: Alertmanager's is empty just after its start, too."""
        return self._prometheus.fires(incident, ()) is False

    def current(self, incident: Incident) -> Acknowledgement | None:
        """The acknowledgement that holds. Raises StoreError."""
        return next(iter(self._ledger.current(incident)), None)

    def last_ended(self, incident: Incident) -> Acknowledgement | None:
        """The last one that holds no longer. Raises StoreError."""
        return self._ledger.last_ended(incident)

    def acknowledge(self, incident: Incident, person: str) -> Acknowledgement | None:
        """The acknowledgement, new or of who was first; None where nothing fires.

        Raises AlertmanagerError or StoreError: then nothing is acknowledged.
        """
        with self._lock:
            if current := self.current(incident):
                return current
            alerts = self._alertmanager.alerts(incident)
            if not alerts:
                return None
            made = self._ledger.begin(incident, person, alerts)
            if made is None:
                return self.current(incident)
            try:
                self._silence(made)
            except AlertmanagerError:
                self._ledger.forget(made)
                # It may have been set, and only the answer was lost.
                self._doubtful.add(incident)
                raise
            return self.current(incident)

    def take_back(self, incident: Incident, person: str) -> None:
        """Messages and escalation go on. Raises AlertmanagerError or StoreError: then it holds still."""
        with self._lock:
            if current := self.current(incident):
                self._alertmanager.remove_silences(incident)
                self._end(current, "taken back", person)

    def watch(self) -> None:
        """Looks once at each that holds. Raises AlertmanagerError or StoreError; what failed is tried at the next."""
        failure: AlertmanagerError | None = None
        with self._lock:
            incidents = {current.incident for current in self._ledger.current()} | self._doubtful
        for incident in incidents:
            with self._lock:
                try:
                    # Somebody may have taken it back meanwhile.
                    if current := self.current(incident):
                        self._watch(current)
                    else:
                        self._alertmanager.remove_silences(incident)
                    self._doubtful.discard(incident)
                except AlertmanagerError as error:
                    failure = error
        if failure:
            raise failure

    def _watch(self, current: Acknowledgement) -> None:
        alerts = self._alertmanager.alerts(current.incident)
        if self._another(current, alerts) if alerts else self._over(current):
            self._lift(current)
            return
        if alerts:
            self._remember(current, alerts)
        silence = self._alertmanager.silence(current.silence_id) if current.silence_id else None
        if silence and silence.removed:
            self._alertmanager.remove_silences(current.incident)
            self._end(current, "removed", None)
        elif silence is None or not silence.holds:
            # Alertmanager was killed and forgot it, or the responder was away for long.
            self._silence(current)
        elif silence.ends_at - dt.datetime.now(dt.UTC) < dt.timedelta(seconds=RENEW_SECONDS):
            renewed = self._alertmanager.set_silence(
                current.incident, current.id, current.person, SILENCE_SECONDS, silence
            )
            self._ledger.silenced(current, renewed)

    def _silence(self, current: Acknowledgement) -> None:
        made = self._alertmanager.set_silence(current.incident, current.id, current.person, SILENCE_SECONDS)
        self._ledger.silenced(current, made)

    def _remember(self, current: Acknowledgement, alerts: list[Alert]) -> None:
        self._gone_since.pop(current.id, None)
        seen = {(alert.fingerprint, alert.starts_at) for alert in alerts}
        if self._known.get(current.id) != seen or time.time() - current.seen_at > SEEN_SECONDS:
            self._ledger.seen(current, alerts)
            self._known[current.id] = seen

    def _another(self, current: Acknowledgement, alerts: list[Alert]) -> bool:
        """Alertmanager has something of it: of another incident?"""
        return min(alert.starts_at.timestamp() for alert in alerts) > current.seen_at + AWAY_SECONDS

    def _over(self, current: Acknowledgement) -> bool:
        """Alertmanager has nothing of it any more: because it is over, or because it has just started?"""
        names = {alert.labels.get("alertname", "") for alert in self._ledger.alerts(current)}
        fires = self._prometheus.fires(current.incident, names)
        if fires:
            self._gone_since.pop(current.id, None)
            return False
        since = self._gone_since.setdefault(current.id, self._clock())
        return fires is False or (fires is None and self._clock() - since > GONE_SECONDS)

    def _lift(self, current: Acknowledgement) -> None:
        known, forgotten = self._ended(current)
        if known is None:
            return
        # Should this be cut off, it is over at the next look too, and done again.
        self._alertmanager.remove_silences(current.incident)
        if known:
            self._alertmanager.end(known)
        if forgotten:
            ended = dt.datetime.fromtimestamp(current.seen_at, dt.UTC)
            ends = {alert.fingerprint: ended for alert in forgotten}
            self._alertmanager.tell_over(current.incident, forgotten, ends, self._told_within)
        self._end(current, "over", None)

    def _ended(self, current: Acknowledgement) -> tuple[list[Alert] | None, list[Alert]]:
        """What has ended: of which Alertmanager knows that it was told, and of which it doesn't any more.

        None while it isn't sure: it forgets some minutes from now, and looks at an alert only now and then.
        """
        if self._alertmanager.alerts(current.incident):
            return [], []
        known, forgotten = [], []
        now = time.time()
        alerts = self._ledger.alerts(current)
        for alert, memory in zip(alerts, self._alertmanager.memories(alerts), strict=True):
            told = self._last_told(alert)
            if told is None or now - told < memory.sure:
                known.append(alert)
            elif now - told > memory.none:
                forgotten.append(alert)
            else:
                return None, []
        return known, forgotten

    def _end(self, current: Acknowledgement, why: Why, person: str | None) -> None:
        self._ledger.end(current, why, person)
        self._gone_since.pop(current.id, None)
        self._known.pop(current.id, None)


class Watched(Protocol):
    """What needs a look every few seconds."""

    def watch(self) -> None:
        """Looks once. Raises AlertmanagerError or StoreError."""


class Watcher(threading.Thread):
    """Calls `watch` every few seconds, whatever happens in it."""

    def __init__(
        self,
        watched: Watched,
        failed: Callable[[], None],
        seconds: float = WATCH_SECONDS,
        name: str = "Acknowledgements",
    ) -> None:
        """`failed` is called after each look that failed; `name` is what the log calls it."""
        super().__init__(name=name.lower(), daemon=True)
        self._watched = watched
        self._failed = failed
        self._seconds = seconds
        self._ended = threading.Event()
        self._told = ""

    def run(self) -> None:
        """Looks until it is stopped."""
        while not self._ended.wait(self._seconds):
            try:
                self._watched.watch()
            except (AlertmanagerError, StoreError) as error:
                self._tell(str(error))
            except Exception as error:  # without it silences would stay, and nobody would know
                log.exception("A look failed: %s", self.name)
                self._tell(repr(error))
            else:
                if self._told:
                    log.info("Looked at again: %s", self.name)
                self._told = ""

    def stop(self) -> None:
        """Waits for the look that is under way."""
        self._ended.set()
        self.join()

    def _tell(self, error: str) -> None:
        self._failed()
        if error != self._told:
            log.warning("Can't look at %s, tried again every %g s: %s", self.name, self._seconds, error)
        self._told = error
