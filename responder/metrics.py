"""What the responder tells Prometheus about itself."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, ProcessCollector
from prometheus_client.core import GaugeMetricFamily

from responder.acknowledge.ledger import Ledger
from responder.database import StoreError
from responder.outbox.outbox import Outbox
from responder.store import Store
from responder.webhook import Notification

SEVERITIES = ("critical", "warning", "info")
REASONS = ("unauthorized", "too_large", "invalid", "database", "password", "acknowledgements", "webhooks", "ends")
LOGINS = ("right", "wrong", "limited")
CHANNELS = ("sms", "phone", "webhook")
DELIVERIES = ("delivered", "failed", "given_up")
MAX_ACKNOWLEDGED = 100  # series; what is acknowledged now is mostly none, one or two
MAX_LABEL = 100


class Metrics:
    """Own registry; every known series is there from the start."""

    def __init__(self, store: Store, ledger: Ledger, outbox: Outbox) -> None:
        """Starts the counters at 0."""
        self.registry = CollectorRegistry()
        self._store = store
        self._ledger = ledger
        self._outbox = outbox
        self._messages = Counter(
            "trading_bot_responder_messages",
            "Messages received, one for each alert in a notification",
            ["status", "severity"],
            registry=self.registry,
        )
        self._errors = Counter(
            "trading_bot_responder_errors", "What was not done, by reason", ["reason"], registry=self.registry
        )
        self._logins = Counter(
            "trading_bot_responder_logins", "Attempts to log in, by result", ["result"], registry=self.registry
        )
        self._deliveries = Counter(
            "trading_bot_responder_deliveries",
            "Attempts to deliver by a channel that succeeded or failed, and what was given up",
            ["channel", "result"],
            registry=self.registry,
        )
        for status in ("firing", "resolved"):
            for severity in (*SEVERITIES, "other"):
                self._messages.labels(status, severity)
        for reason in REASONS:
            self._errors.labels(reason)
        for result in LOGINS:
            self._logins.labels(result)
        for channel in CHANNELS:
            for outcome in DELIVERIES:
                self._deliveries.labels(channel, outcome)
        self.registry.register(self)
        ProcessCollector(registry=self.registry)

    def received(self, notification: Notification) -> None:
        """Counts what was kept. A user's own severity is `other`: labels from outside don't become series."""
        for alert in notification.alerts:
            severity = alert.labels.get("severity", "")
            self._messages.labels(alert.status, severity if severity in SEVERITIES else "other").inc()

    def error(self, reason: str) -> None:
        """Counts a request that was not accepted, or a look at the acknowledgements that failed."""
        self._errors.labels(reason).inc()

    def login(self, result: str) -> None:
        """Counts an attempt to log in."""
        self._logins.labels(result).inc()

    def delivery(self, channel: str, result: str, count: int = 1) -> None:
        """Counts attempts to deliver, or what was given up."""
        self._deliveries.labels(channel, result).inc(count)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """What the database tells; no series while it can't be read."""
        last = GaugeMetricFamily(
            "trading_bot_responder_last_received_timestamp_seconds", "When the last message was received"
        )
        acknowledged = GaugeMetricFamily(
            "trading_bot_acknowledged_timestamp_seconds",
            "When an incident was acknowledged, and by whom, as long as that holds",
            labels=["condition", "bot", "severity", "by"],
        )
        waiting = GaugeMetricFamily(
            "trading_bot_responder_deliveries_waiting", "Messages that wait for their delivery", labels=["channel"]
        )
        try:
            told = self._store.last_told()
            if told is not None:
                last.add_metric([], told)
            series = {
                tuple(label[:MAX_LABEL] for label in (*current.incident.labels.values(), current.person)): current.at
                for current in self._ledger.current(limit=MAX_ACKNOWLEDGED)
            }
            for labels, at in series.items():
                acknowledged.add_metric(labels, at)
            counts = self._outbox.waiting()
            for channel in CHANNELS:
                waiting.add_metric([channel], counts.get(channel, 0))
        except StoreError:
            pass
        yield last
        yield acknowledged
        yield waiting
