"""The responder's pages without a server, and how a person comes in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from responder.access.attempts import Attempts
from responder.access.login import Access
from responder.access.sessions import Sessions
from responder.acknowledge.acknowledger import Acknowledger
from responder.acknowledge.ends import Ends
from responder.acknowledge.ledger import Ledger
from responder.alertmanager import Alertmanager
from responder.database import Database
from responder.metrics import Metrics
from responder.outbox.courier import Courier
from responder.outbox.outbox import Outbox
from responder.outbox.page import add_deliveries_page
from responder.people.contacts import CHANNELS
from responder.people.notify import add_notify, deliver
from responder.prometheus import Prometheus
from responder.runbooks import Runbooks
from responder.store import Store
from responder.web import create_app

TOKEN = "the-token"
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}
PASSWORD = "the pässword"
KEY = b"k" * 32
NOWHERE = "http://127.0.0.1:1"
RESPONDER_URL = "http://localhost:8080"


@dataclass
class Responder:
    """One responder; `now` is the time of the attempts to log in, and of how long an incident is gone."""

    folder: Path
    alertmanager: str = NOWHERE
    prometheus: str = NOWHERE
    runbooks: Path = Path("/nowhere")
    secure: bool = False
    now: float = 0

    def __post_init__(self) -> None:
        database = Database(self.folder / "responder.sqlite", lock_seconds=0.1)
        store, self.ledger = Store(database, 3600), Ledger(database, 3600)
        self.password_file = self.folder / "password"
        self.password_file.write_text(PASSWORD)
        zone = self.folder / "timezone"
        zone.write_text("Asia/Kolkata")
        access = Access(Sessions(database, self.password_file, KEY), Attempts(self.clock), TOKEN, KEY, self.secure)
        alertmanager, prometheus = Alertmanager(self.alertmanager), Prometheus(self.prometheus)
        self.acknowledger = Acknowledger(
            self.ledger, alertmanager, prometheus, store.last_told_of, self.clock, told_within=2.0
        )
        self.ends = Ends(database, self.ledger, alertmanager, prometheus, told_within=2.0)
        self.outbox = Outbox(database, 3600)
        self.contacts_file = self.folder / "contacts.json"
        metrics = Metrics(store, self.ledger, self.outbox)
        self.app: Flask = create_app(
            store, metrics, access, self.acknowledger, zone, Runbooks(self.runbooks), self.ends.take
        )
        add_notify(self.app, self.outbox, metrics, TOKEN, self.contacts_file, RESPONDER_URL)
        add_deliveries_page(self.app, self.outbox)
        send = partial(deliver, self.app, self.outbox, self.contacts_file, RESPONDER_URL)
        # What waits goes together, and at once.
        self.couriers = [
            Courier(self.outbox, channel, send, 3600, metrics.delivery, gather_seconds=0) for channel in CHANNELS
        ]

    def clock(self) -> float:
        return self.now

    def stranger(self) -> FlaskClient:
        """A browser that has never been here."""
        return self.app.test_client()

    def person(self) -> FlaskClient:
        """A browser that is logged in."""
        client = self.stranger()
        assert log_in(client).status_code == 303
        return client


def csrf(client: FlaskClient, path: str = "/") -> str:
    """The token of the forms on a page."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', client.get(path, follow_redirects=True).text)
    assert found
    return found[1]


def log_in(client: FlaskClient, password: str = PASSWORD, **more: Any) -> TestResponse:
    """Fills in the form."""
    form = {"csrf_token": csrf(client, "/login"), "password": password, **more.pop("form", {})}
    return client.post("/login", data=form, **more)
