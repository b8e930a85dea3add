"""Sends one event to one webhook, signed as the Standard Webhooks specification says (standardwebhooks.com).

http.client, not requests: a receiver that sends its answer a byte at a time would hold up all others, as a time-out
there begins anew with each byte. Here the connection is shut down when the time is up. It follows no redirect, which
would take the event to somebody else, and knows no proxies.
"""

from __future__ import annotations

import base64
import email.utils
import hashlib
import hmac
import http.client
import json
import queue
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

import certifi

from exporter.sources.hard_end import hard_end, watch
from responder.outbox.courier import DeliveryError
from responder.outbox.hiding import of_login, without
from responder.outbox.outbox import Delivery
from responder.webhooks.subscribers import Subscriber, Subscribers, SubscribersError

TIMEOUT_SECONDS = 10.0
# What the receiver says is wrong with our request is so the next time too, unless somebody is just repairing it, or
# replacing it by a new version: only when it has said so for so many attempts, and so long, the event is given up.
FEW_ATTEMPTS, FEW_SECONDS = 5, 3600.0
LONGEST_WAIT = 1800.0
_FORGET_SECONDS = 2 * 86400.0
_MOST_BYTES, _MOST_SHOWN = 4096, 200


class SignedPost:
    """Delivers what the outbox has for webhooks."""

    def __init__(
        self,
        subscribers: Subscribers,
        timeout_seconds: float = TIMEOUT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is sent yet."""
        self._subscribers = subscribers
        self._timeout = timeout_seconds
        self._clock = clock
        self._context = ssl.create_default_context(cafile=certifi.where())
        # When an event, by the id of its row, was first refused.
        self._refused: dict[int, float] = {}

    def deliver(self, deliveries: Sequence[Delivery]) -> None:
        """Sends an event, the only one of these. Raises DeliveryError where the receiver doesn't confirm it."""
        (delivery,) = deliveries
        try:
            subscriber = self._subscribers.named(delivery.target)
        except SubscribersError as error:
            raise DeliveryError(str(error)) from None
        if subscriber is None:
            raise DeliveryError("It is no longer among the webhooks of monitoring.yml", attempts=1)
        event = json.loads(delivery.payload)
        body = event["body"].encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "trading-bot-monitoring",
            "Connection": "close",
            **signed(subscriber.secret, event["id"], int(time.time()), body),
        }
        status, answer, retry_after = self._post(subscriber, body, headers)
        if not 200 <= status < 300:
            hopeless = 400 <= status < 500 and status not in (408, 429) and self._refused_long(delivery.id)
            raise _refusal(status, _shown(answer, subscriber), retry_after, FEW_ATTEMPTS if hopeless else None)
        self._refused.pop(delivery.id, None)

    def _refused_long(self, row: int) -> bool:
        now = self._clock()
        # Those that were given up in another way are forgotten.
        self._refused = {each: since for each, since in self._refused.items() if now - since < _FORGET_SECONDS}
        return now - self._refused.setdefault(row, now) >= FEW_SECONDS

    def _post(self, subscriber: Subscriber, body: bytes, headers: dict[str, str]) -> tuple[int, str, str]:
        """Status, the beginning of the answer, and its Retry-After."""
        parts = urlsplit(subscriber.url)
        if parts.username is not None:
            login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            headers["Authorization"] = f"Basic {base64.b64encode(login.encode()).decode()}"
        end = time.monotonic() + self._timeout
        connection = self._connection(parts)
        try:
            connection.sock = _connected(connection.host, connection.port, end)
            connection.sock.settimeout(self._timeout)
            if parts.scheme == "https":
                connection.sock = self._context.wrap_socket(
                    connection.sock, server_hostname=connection.host, do_handshake_on_connect=False
                )
            with hard_end(end):
                watch(connection.sock)
                if isinstance(connection.sock, ssl.SSLSocket):
                    connection.sock.do_handshake()
                path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
                connection.request("POST", path, body, headers)
                answer = connection.getresponse()
                status, retry_after = answer.status, answer.headers.get("Retry-After", "")
                # What is said of a success interests nobody.
                text = "" if 200 <= status < 300 else answer.read(_MOST_BYTES).decode("utf-8", "replace")
            if time.monotonic() >= end:  # headers that were cut off there look like whole ones
                raise TimeoutError
        except (OSError, http.client.HTTPException, ValueError) as error:
            late = time.monotonic() >= end
            # Without its text, in which the address may stand.
            raise DeliveryError(f"No answer within {self._timeout:g} s" if late else _why(error)) from None
        finally:
            connection.close()
        return status, text, retry_after

    def _connection(self, parts: SplitResult) -> http.client.HTTPConnection:
        host = parts.hostname or ""
        if parts.scheme == "https":
            return http.client.HTTPSConnection(host, parts.port or 443, timeout=self._timeout, context=self._context)
        return http.client.HTTPConnection(host, parts.port or 80, timeout=self._timeout)


def signed(secret: str, event_id: str, timestamp: int, body: bytes) -> Mapping[str, str]:
    """The headers of a signed request; `timestamp` is that of the attempt. Raises DeliveryError for a wrong secret."""
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        raise DeliveryError("Its secret isn't whsec_ and base64") from None
    digest = hmac.digest(key, f"{event_id}.{timestamp}.".encode() + body, hashlib.sha256)
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def _connected(host: str, port: int, end: float) -> socket.socket:
    """A connection to the first of the host's addresses that takes one; each has its share of the time."""
    addresses = _addresses(host, port, end)
    failure: OSError = TimeoutError()
    for number, (family, kind, protocol, _, address) in enumerate(addresses):
        left = end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(left / (len(addresses) - number))
            connection.connect(address)
        except OSError as error:
            connection.close()
            failure = error
        else:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connection
    raise failure


def _addresses(host: str, port: int, end: float) -> Sequence[Any]:
    """What getaddrinfo says, which nothing can interrupt: past the end it is left to itself."""
    answers: queue.SimpleQueue[Sequence[Any] | OSError | ValueError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, ValueError) as error:
            answers.put(error)

    threading.Thread(target=ask, name="resolve", daemon=True).start()
    try:
        answer = answers.get(timeout=max(end - time.monotonic(), 0.001))
    except queue.Empty:
        raise TimeoutError from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _refusal(status: int, answer: str, retry_after: str, attempts: int | None) -> DeliveryError:
    try:
        phrase = f" {HTTPStatus(status).phrase}"
    except ValueError:
        phrase = ""
    text = f"HTTP {status}{phrase}"
    if 300 <= status < 400:
        return DeliveryError(f"{text}: redirects are not followed; set the final address in .env")
    text += f": {answer}" if answer else ""
    return DeliveryError(text, wait=_seconds(retry_after), attempts=attempts)


def _seconds(retry_after: str) -> float:
    """How long the receiver wants to be left alone, by its Retry-After: seconds, or a date."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), LONGEST_WAIT)
    try:
        until = email.utils.parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return 0
    return min(max(until - time.time(), 0), LONGEST_WAIT)


def _why(error: Exception) -> str:
    if isinstance(error, socket.gaierror):
        return "Its host's name can't be resolved"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"Its certificate isn't trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"No encrypted connection: {error.reason or 'it failed'}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"No proper HTTP answer ({type(error).__name__})"


def _shown(answer: str, subscriber: Subscriber) -> str:
    """The beginning of an answer, without whatever of it stands in the address or the secret."""
    parts = urlsplit(subscriber.url)
    private = {*re.split(r"[/?&=:@;,]+", subscriber.url), subscriber.secret, subscriber.secret.removeprefix("whsec_")}
    private = {part for part in private if len(part) > 3 and part not in ("http", "https")}
    if parts.username is not None:
        private |= {*of_login(parts.username, parts.password or "")}
    return " ".join(without(answer, private, "(not shown)").split())[:_MOST_SHOWN]
