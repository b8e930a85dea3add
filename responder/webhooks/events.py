"""What webhooks tell: events, and their way into the outbox, with an id that stays the same whenever they are sent."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import math
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from responder.outbox.outbox import Entry
from responder.webhook import RETRY_SECONDS, Alert
from responder.webhooks.subscribers import Kind, Subscriber

CHANNEL = "webhook"


@dataclass(frozen=True)
class Event:
    """One event. `key` tells it from others: within `once_seconds` an equal one is taken for the same."""

    kind: Kind
    type: str
    bot: str
    at: dt.datetime
    data: Mapping[str, Any]
    id: str
    key: str
    once_seconds: float = math.inf

    @property
    def body(self) -> str:
        """The JSON that is sent."""
        document = {"type": self.type, "timestamp": moment(self.at), "data": self.data}
        return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def entries(events: Iterable[Event], subscribers: Iterable[Subscriber]) -> Iterator[Entry]:
    """What goes into the outbox: each event for each who wants it."""
    told = list(subscribers)
    for event in events:
        for subscriber in told:
            if subscriber.wants(event.kind, event.bot):
                payload = json.dumps({"id": event.id, "body": event.body}, ensure_ascii=False)
                title = f"{event.type} {event.bot}".strip()
                yield Entry(CHANNEL, subscriber.name, title, payload, event.key, event.once_seconds)


def of_alert(alert: Alert) -> Event:
    """An alert that fires, or is over."""
    labels = alert.labels
    ended = alert.end
    data = {
        "alert": labels.get("alertname"),
        "condition": labels.get("condition"),
        "severity": labels.get("severity"),
        "bot": labels.get("bot"),
        "fingerprint": alert.fingerprint,
        "starts_at": moment(alert.starts_at),
        "ends_at": moment(ended) if ended else None,
        "labels": labels,
        "annotations": alert.annotations,
    }
    return Event(
        kind="alerts",
        # Of `make test-alert`: no program should act on it.
        type="test" if labels.get("condition") == "test_message" else f"alert.{alert.status}",
        bot=labels.get("bot", ""),
        at=ended or alert.starts_at,
        data=data,
        id=f"alert_{uuid.uuid4().hex}",
        key=_digest(alert.status, data),
        once_seconds=RETRY_SECONDS,
    )


def of_trade(bot: Mapping[str, Any], trade: Mapping[str, Any], closed_at: dt.datetime) -> Event:
    """A trade that closed, with what is said of its bot: name, mode and currency."""
    key = _digest(bot["bot"], str(trade["id"]), closed_at.timestamp())
    return Event("trades", "trade.closed", str(bot["bot"]), closed_at, {**bot, **trade}, f"trade_{key}", key)


def of_report(report: str, at: dt.datetime, data: Mapping[str, Any]) -> Event:
    """A bot's daily or weekly report."""
    key = _digest(report, data["bot"], at.timestamp())
    return Event("reports", f"report.{report}", str(data["bot"]), at, data, f"report_{key}", key)


def moment(at: dt.datetime) -> str:
    """A time as text, in UTC."""
    return at.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")


def _digest(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]
