"""Webhooks by kind: what is told of alerts, reports and trades, and the thread that looks for the latter two."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from responder.database import Database, StoreError
from responder.metrics import Metrics
from responder.outbox.courier import Courier
from responder.outbox.outbox import Outbox
from responder.prometheus import Prometheus, PrometheusError
from responder.webhook import Notification
from responder.webhooks import events
from responder.webhooks.reports import REPORTS, Reports
from responder.webhooks.signed_post import SignedPost
from responder.webhooks.subscribers import Subscribers, SubscribersError
from responder.webhooks.trades import ExporterError, Trades

TRADES_SECONDS, REPORTS_SECONDS = 20.0, 5.0
CHANNEL = events.CHANNEL
GIVE_UP_SECONDS = 86400.0

log = logging.getLogger(__name__)


def made(
    database: Database,
    outbox: Outbox,
    file: Path | None,
    exporters: Sequence[str],
    prometheus: Prometheus,
    metrics: Metrics,
) -> tuple[Webhooks, Looker, Courier]:
    """What takes alerts, what looks for the rest, and what sends. `file` is that of `Subscribers`.

    Raises StoreError where the tables can't be made.
    """

    def failed() -> None:
        metrics.error("webhooks")

    subscribers = Subscribers(file)
    reports = Reports(database, outbox, subscribers, prometheus)
    looker = Looker(Trades(database, outbox, subscribers, exporters), reports, failed)
    courier = Courier(outbox, CHANNEL, SignedPost(subscribers).deliver, GIVE_UP_SECONDS, metrics.delivery)
    return Webhooks(outbox, subscribers, reports, failed), looker, courier


class Webhooks:
    """What comes in, for those who are told by webhooks."""

    def __init__(self, outbox: Outbox, subscribers: Subscribers, reports: Reports, failed: Callable[[], None]) -> None:
        """`failed` is called when something could not be told."""
        self._outbox = outbox
        self._subscribers = subscribers
        self._reports = reports
        self._failed = failed

    def take(self, notification: Notification) -> None:
        """Puts the alerts of Alertmanager's message into the outbox. Raises StoreError; it may be called again."""
        try:
            told = self._subscribers.all()
        except SubscribersError as error:
            self._failed()
            # Alertmanager sends it again. The inbox has it by then, and keeps it once.
            raise StoreError(f"Webhooks can't be told of an alert: {error}") from None
        if not told:
            return
        self._reports.note(notification.alerts)
        alerts = [alert for alert in notification.alerts if alert.labels.get("condition") not in REPORTS]
        if entries := list(events.entries(map(events.of_alert, alerts), told)):
            self._outbox.add(entries)


@dataclass
class _Task:
    """Something to be looked at every few seconds; `told` is what it last complained of."""

    name: str
    look: Callable[[], None]
    seconds: float
    due: float = 0
    told: str = ""


class Looker(threading.Thread):
    """Looks for trades and reports, whatever happens in it."""

    def __init__(self, trades: Trades, reports: Reports, failed: Callable[[], None], pause: float = 1) -> None:
        """`failed` is called after each look that failed."""
        super().__init__(name="webhooks", daemon=True)
        self._tasks = [_Task("Trades", trades.look, TRADES_SECONDS), _Task("Reports", reports.look, REPORTS_SECONDS)]
        self._failed = failed
        self._pause = pause
        self._ended = threading.Event()

    def run(self) -> None:
        """Looks until it is stopped."""
        while not self._ended.wait(self._pause):
            for task in self._tasks:
                if task.due <= time.monotonic():
                    self._try(task)
                    task.due = time.monotonic() + task.seconds

    def stop(self) -> None:
        """Ends after the look that is under way, or a little later without it: what was not kept is found again."""
        self._ended.set()
        if self.is_alive():
            self.join(1)

    def _try(self, task: _Task) -> None:
        try:
            task.look()
        except (ExporterError, PrometheusError, StoreError, SubscribersError) as error:
            self._tell(task, str(error))
        except Exception as error:  # without it nothing would be told any more, and nobody would know
            if repr(error) != task.told:
                log.exception("%s for webhooks: a fault of the responder's own", task.name)
            self._tell(task, repr(error), logged=True)
        else:
            if task.told:
                log.info("%s for webhooks are found again", task.name)
            task.told = ""

    def _tell(self, task: _Task, error: str, logged: bool = False) -> None:
        self._failed()
        if error != task.told and not logged:
            log.warning("%s for webhooks can't be found, tried again every %g s: %s", task.name, task.seconds, error)
        task.told = error
