"""The responder's addresses: the webhook, the pages, the JSON list, health and metrics."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

from flask import Flask, Response, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from markupsafe import Markup
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from werkzeug.exceptions import HTTPException, ServiceUnavailable

from responder import links
from responder.access.login import Access, add_login
from responder.access.sessions import PasswordError
from responder.acknowledge.acknowledger import Acknowledger
from responder.acknowledge.page import add_acknowledge_page
from responder.database import StoreError
from responder.metrics import Metrics
from responder.paging import MAX_PAGE, PAGE_SIZE, paged
from responder.receiving import MAX_BODY_BYTES, notification
from responder.runbooks import Runbooks
from responder.store import Store
from responder.times import duration
from responder.webhook import Notification

# What turns or hides text, as the messages' common.tmpl leaves it out.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)
# No script at all, and nothing from elsewhere: what an alert says can't act on the page.
POLICY = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

log = logging.getLogger(__name__)


def create_app(
    store: Store,
    metrics: Metrics,
    access: Access,
    acknowledger: Acknowledger,
    timezone_file: Path | None,
    runbooks: Runbooks,
    also_told: Callable[[Notification], None] = lambda _: None,
) -> Flask:
    """The WSGI application; senders need the token, readers the password.

    What the inbox keeps, `also_told` gets too; when Alertmanager sends it again, once more.
    """
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.finalize = _seen
    app.jinja_env.filters["time"] = lambda seconds: _time(seconds, _zone(timezone_file))
    app.jinja_env.filters["duration"] = duration
    app.jinja_env.globals["safe_link"] = links.safe
    app.jinja_env.globals["silence_link"] = links.silence
    add_login(app, access, metrics)
    _add_api(app, store, access.token, metrics, also_told)
    _add_pages(app, store, runbooks)
    add_acknowledge_page(app, acknowledger)
    _add_health(app, store, metrics)

    @app.after_request
    def headers(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        if request.endpoint != "static":
            response.headers["Cache-Control"] = "no-store"
        return response

    @app.errorhandler(StoreError)
    @app.errorhandler(PasswordError)
    def unavailable(error: StoreError | PasswordError) -> ResponseReturnValue:
        log.error("%s", error)
        metrics.error("database" if isinstance(error, StoreError) else "password")
        # 503 makes Alertmanager send it again.
        # Where the password stands is no business of strangers.
        told = str(error) if isinstance(error, StoreError) else "The password can't be read; the log says more."
        return http_error(ServiceUnavailable(f"{told} Try again."))

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> ResponseReturnValue:
        if request.path.startswith("/api/"):
            return {"error": error.description}, error.code or 500
        return render_template("error.html", error=error), error.code or 500

    return app


def _add_api(app: Flask, store: Store, token: str, metrics: Metrics, also_told: Callable[[Notification], None]) -> None:
    @app.post("/api/v1/alerts")
    def receive() -> ResponseReturnValue:
        received = notification(token, metrics)
        store.add(received)
        also_told(received)
        metrics.received(received)
        return {"kept": len(received.alerts)}

    @app.get("/api/v1/messages")
    def messages() -> ResponseReturnValue:
        limit = min(max(request.args.get("limit", PAGE_SIZE, int), 1), 1000)
        offset = max(request.args.get("offset", 0, int), 0)
        found = store.messages(
            bot=request.args.get("bot", ""),
            severity=request.args.get("severity", ""),
            limit=limit,
            offset=min(offset, MAX_PAGE * PAGE_SIZE),
        )
        return jsonify(messages=[asdict(message) for message in found])


def _add_pages(app: Flask, store: Store, runbooks: Runbooks) -> None:
    @app.get("/")
    def inbox() -> str:
        bot, severity = request.args.get("bot", ""), request.args.get("severity", "")
        found, pages = paged(partial(store.messages, bot=bot, severity=severity))
        return render_template(
            "inbox.html",
            messages=found,
            **pages,
            bot=bot,
            severity=severity,
            bots=store.choices("bot"),
            severities=store.choices("severity"),
        )

    @app.get("/runbooks/")
    def runbook_list() -> str:
        return render_template("runbooks.html", names=runbooks.names(), missing="")

    @app.get("/runbooks/<name>")
    def runbook(name: str) -> ResponseReturnValue:
        # Links between the files end in `.md`, so that they work in a file browser too.
        html = runbooks.html(name.removesuffix(".md"))
        if html is None:
            return render_template("runbooks.html", names=runbooks.names(), missing=name), 404
        # The project's own files, not text from outside.
        return render_template("runbook.html", name=name, content=Markup(html))  # noqa: S704


def _add_health(app: Flask, store: Store, metrics: Metrics) -> None:
    @app.get("/-/healthy")
    def healthy() -> ResponseReturnValue:
        return "The responder is healthy.\n", {"Content-Type": "text/plain; charset=utf-8"}

    @app.get("/-/ready")
    def ready() -> ResponseReturnValue:
        store.check()
        return "The responder is ready.\n", {"Content-Type": "text/plain; charset=utf-8"}

    @app.get("/metrics")
    def exposition() -> ResponseReturnValue:
        return generate_latest(metrics.registry), {"Content-Type": CONTENT_TYPE_LATEST}


def _seen(value: object) -> object:
    """What a page shows of a value. Markup is the project's own."""
    return _UNSEEN.sub("", value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _zone(file: Path | None) -> ZoneInfo:
    """The zone that the file names now: `python -m init` may have written another since the start."""
    try:
        return ZoneInfo(file.read_text(encoding="ascii").strip() if file else "UTC")
    except (OSError, ValueError, KeyError) as error:
        log.warning("%s names no time zone, so times are in UTC: %s", file, error)
        return ZoneInfo("UTC")


def _time(seconds: float, zone: ZoneInfo) -> str:
    """A moment in the user's zone. A sender may state one that no calendar has."""
    try:
        return f"{datetime.fromtimestamp(seconds, zone):%d %b %Y %H:%M:%S %Z}"
    except (OverflowError, ValueError):
        return "an unknown time"
