"""SMS and phone: what Alertmanager asks for goes into the outbox, from there by the service to the contacts.

An incident may be a storm: many bots down at once are a notification each. What waits for a contact goes as one SMS,
and as one call.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from flask import Flask, abort
from flask.typing import ResponseReturnValue

from responder.metrics import Metrics
from responder.outbox.courier import DeliveryError
from responder.outbox.outbox import Delivery, Entry, Outbox
from responder.people import contacts, service, words
from responder.people.contacts import Channel, ContactsError
from responder.receiving import check_token, notification
from responder.webhook import RETRY_SECONDS, Alert, Notification

GIVE_UP_SECONDS = 3600.0
# Alertmanager flushes the groups of a storm within a second.
GATHER_SECONDS = 5.0
# Calls for one message where the service doesn't answer in time: it may have called each time.
UNANSWERED_CALLS = 3
TITLES = {"sms": "SMS", "phone": "phone"}


def add_notify(app: Flask, outbox: Outbox, metrics: Metrics, token: str, file: Path | None, responder_url: str) -> None:
    """Adds /api/v1/notify/…; `file` is that of the contacts, `responder_url` is where links begin."""

    @app.post("/api/v1/notify/<channel>/<role>")
    def notify(channel: str, role: str) -> ResponseReturnValue:
        received = notification(token, metrics)
        kept = outbox.add(_entries(_channel(channel), role, received, file, responder_url))
        return {"kept": kept}

    @app.post("/api/v1/notify/test/<channel>")
    def notify_test(channel: str) -> ResponseReturnValue:
        check_token(token, metrics)
        known = _channel(channel)
        try:
            everybody = contacts.read(file)
        except ContactsError as error:
            return {"error": f"{error}."}, 503
        found = everybody.to_test(known)
        url = everybody.url(known)
        if not url or not found:
            missing = f"{channel} number in contacts of monitoring.yml" if url else f"{channel.upper()}_URL in .env"
            return {"error": f"{TITLES[channel]} isn't set up: there is no {missing}."}, 409
        tell = partial(_told, url, words.test(known))
        with ThreadPoolExecutor(4) as pool:
            return {"contacts": list(pool.map(tell, found.items()))}


def deliver(app: Flask, outbox: Outbox, file: Path | None, responder_url: str, rows: Sequence[Delivery]) -> None:
    """Sends rows of one target as one message; a role's are handed on to its contacts. Raises DeliveryError."""
    channel, target = _known(rows[0].channel), rows[0].target
    try:
        everybody = contacts.read(file)
    except ContactsError as error:
        raise DeliveryError(str(error)) from None
    role, _, name = target.partition("/")
    numbers = everybody.numbers(role, channel)
    if not name and numbers:
        outbox.add(Entry(channel, each, row.title, row.payload, f"of {row.id}") for row in rows for each in numbers)
        return
    if target not in numbers:
        raise DeliveryError(f"contacts of monitoring.yml has no {channel} number for {target}")
    if not (url := everybody.url(channel)):
        raise DeliveryError(f"{channel.upper()}_URL is not set in .env")
    with app.app_context():
        text = _text(channel, rows, responder_url)
    began = time.monotonic()
    try:
        service.send(url, numbers[target], text)
    except DeliveryError as error:
        if channel == "phone" and time.monotonic() - began >= service.READ_SECONDS:
            raise DeliveryError(str(error), attempts=UNANSWERED_CALLS) from None
        raise


def _text(channel: Channel, rows: Sequence[Delivery], responder_url: str) -> str:
    messages = [json.loads(row.payload) for row in rows]
    told = words.latest(words.Told(*each) for message in messages for each in message["told"])
    if len(messages) == 1 or len(told) == 1:
        text: str = messages[-1]["text"]
        return text
    return words.gathered(channel, told, responder_url)


def _entries(
    channel: Channel, role: str, received: Notification, file: Path | None, responder_url: str
) -> Iterable[Entry]:
    """One for each contact; where none is found now, one for the role: it is tried again, and not lost.

    Nobody is called to hear that it is over.
    """
    # An end that is told late comes from Alertmanager as an alert that fires.
    if channel == "phone" and all(alert.status == "resolved" for alert in received.alerts):
        return []
    try:
        targets = list(contacts.read(file).numbers(role, channel)) or [role]
    except ContactsError:
        targets = [role]
    told = words.told(channel, received, responder_url)
    payload = json.dumps({"text": words.of(channel, received, responder_url), "told": told}, ensure_ascii=False)
    first = next((alert for alert in received.alerts if alert.status == "firing"), received.alerts[0])
    title = f"{words.title('sms', first)}, {first.status}"
    return [Entry(channel, target, title, payload, _key(received.alerts), RETRY_SECONDS) for target in targets]


def _key(alerts: Iterable[Alert]) -> str:
    """The same for the same alerts in the same state, whatever their values are by now."""
    told = sorted((alert.fingerprint, alert.status, alert.starts_at.isoformat()) for alert in alerts)
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _told(url: str, text: str, contact: tuple[str, str]) -> dict[str, object]:
    target, number = contact
    error = ""
    try:
        service.send(url, number, text)
    except DeliveryError as failure:
        error = str(failure)
    return {"contact": target, "delivered": not error, "error": error}


def _channel(name: str) -> Channel:
    if name not in contacts.CHANNELS:
        abort(404, f"There is no channel {name[:20]!r}: it is one of {', '.join(contacts.CHANNELS)}.")
    return _known(name)


def _known(name: str) -> Channel:
    return "sms" if name == "sms" else "phone"
