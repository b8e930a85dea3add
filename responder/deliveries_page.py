"""The page of what left by SMS, phone and webhook: what waits, what was delivered, what was given up and why."""

from __future__ import annotations

from typing import get_args

from flask import Flask, render_template, request

from responder.outbox import Outbox, State

PAGE_SIZE = 50
MAX_PAGE = 100_000
STATES: tuple[State, ...] = get_args(State)


def add_deliveries_page(app: Flask, outbox: Outbox) -> None:
    """Adds /deliveries?state=…&page=…"""

    @app.get("/deliveries")
    def deliveries() -> str:
        state = next((each for each in STATES if each == request.args.get("state")), None)
        page = min(max(request.args.get("page", 1, int), 1), MAX_PAGE)
        found = outbox.latest(state=state, limit=PAGE_SIZE + 1, offset=(page - 1) * PAGE_SIZE)
        return render_template(
            "deliveries.html",
            deliveries=found[:PAGE_SIZE],
            more=len(found) > PAGE_SIZE,
            page=page,
            state=state,
            states=STATES,
        )
