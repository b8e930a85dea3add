"""The page of what left by SMS, phone and webhook: what waits, what was delivered, what was given up and why."""

from __future__ import annotations

from functools import partial
from typing import get_args

from flask import Flask, render_template, request

from responder.outbox.outbox import Outbox, State
from responder.paging import paged

STATES: tuple[State, ...] = get_args(State)


def add_deliveries_page(app: Flask, outbox: Outbox) -> None:
    """Adds /deliveries?state=…&page=…"""

    @app.get("/deliveries")
    def deliveries() -> str:
        state = next((each for each in STATES if each == request.args.get("state")), None)
        found, pages = paged(partial(outbox.latest, state=state))
        return render_template("deliveries.html", deliveries=found, state=state, states=STATES, **pages)
