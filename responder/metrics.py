"""What the responder tells Prometheus about itself."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, ProcessCollector
from prometheus_client.core import GaugeMetricFamily

from responder.store import Store, StoreError
from responder.webhook import Notification

SEVERITIES = ("critical", "warning", "info")
REASONS = ("unauthorized", "too_large", "invalid", "database")


class Metrics:
    """Own registry; every known series is there from the start."""

    def __init__(self, store: Store) -> None:
        """Starts the counters at 0."""
        self.registry = CollectorRegistry()
        self._store = store
        self._messages = Counter(
            "trading_bot_responder_messages",
            "Messages received, one for each alert in a notification",
            ["status", "severity"],
            registry=self.registry,
        )
        self._errors = Counter(
            "trading_bot_responder_errors", "Requests that were not accepted", ["reason"], registry=self.registry
        )
        for status in ("firing", "resolved"):
            for severity in (*SEVERITIES, "other"):
                self._messages.labels(status, severity)
        for reason in REASONS:
            self._errors.labels(reason)
        self.registry.register(self)
        ProcessCollector(registry=self.registry)

    def received(self, notification: Notification) -> None:
        """Counts what was kept. A user's own severity is `other`: labels from outside don't become series."""
        for alert in notification.alerts:
            severity = alert.labels.get("severity", "")
            self._messages.labels(alert.status, severity if severity in SEVERITIES else "other").inc()

    def error(self, reason: str) -> None:
        """Counts a request that was not accepted."""
        self._errors.labels(reason).inc()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The time of the last message, from the database; no series before the first, or while it can't be read."""
        family = GaugeMetricFamily(
            "trading_bot_responder_last_received_timestamp_seconds", "When the last message was received"
        )
        try:
            last = self._store.last_told()
        except StoreError:
            last = None
        if last is not None:
            family.add_metric([], last)
        yield family
