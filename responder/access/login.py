"""Who may see the pages: everybody with the password. Log-in and log-out, and what guards the other addresses."""

from __future__ import annotations

import hmac
import logging
import math
import re
import secrets
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import quote

from flask import Flask, abort, g, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from itsdangerous import BadSignature, URLSafeSerializer

from responder.access.attempts import Attempts
from responder.access.sessions import PasswordError, Sessions, csrf_is_right, csrf_token
from responder.database import StoreError
from responder.metrics import Metrics

# They tell nothing of a bot's money.
OPEN = {"static", "healthy", "ready", "exposition", "runbook_list", "runbook", "login", "log_in"}
# Not for people: senders have a token.
TOKEN_ONLY = {"receive", "notify", "notify_test"}
# Also for programs, with the webhook's token.
FOR_PROGRAMS = {"messages"}
BROWSER_COOKIE = "responder_browser"
BROWSER_LIFETIME = timedelta(days=365)
STALE_FORM = "This form was open for too long, or the browser keeps no cookies. Please try again."
MAX_NEXT = 8000

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Access:
    """What the log-in is made of. `secure`: whether people come by https alone."""

    sessions: Sessions
    attempts: Attempts
    token: str
    key: bytes
    secure: bool

    @property
    def known_browsers(self) -> URLSafeSerializer:
        """Signs the cookie of a browser that has logged in."""
        return URLSafeSerializer(self.key, salt="known browser")


def local_path(path: str) -> str:
    """The path if it leads to a page of ours, else that of the inbox: nobody is sent elsewhere after the log-in."""
    return path if len(path) <= MAX_NEXT and re.fullmatch(r"/(?:[!-.0-\[\]-~][!-\[\]-~]*)?", path) else "/"


def is_program(token: str) -> bool:
    """Whether the request has the token that senders need."""
    return hmac.compare_digest(request.headers.get("Authorization", "").encode(), f"Bearer {token}".encode())


def add_login(app: Flask, access: Access, metrics: Metrics) -> None:
    """Adds the guard and its pages; every address is guarded unless it is named as open."""
    access.sessions.configure(app, access.secure)
    app.jinja_env.globals["csrf_token"] = csrf_token
    app.jinja_env.globals["logged_in"] = lambda: g.get("logged_in", False)
    _add_guard(app, access)
    _add_forms(app, access, metrics)


def _add_guard(app: Flask, access: Access) -> None:
    @app.before_request
    def guard() -> ResponseReturnValue | None:
        if request.endpoint is None or request.endpoint in TOKEN_ONLY:
            return None  # no page, or its own affair
        if request.endpoint in FOR_PROGRAMS and is_program(access.token):
            return None
        try:
            g.logged_in = access.sessions.holds()
        except (PasswordError, StoreError):
            # Runbooks and health can be read all the same.
            if request.endpoint not in OPEN:
                raise
        if request.endpoint not in OPEN and not g.logged_in:
            return _stranger()
        if request.method == "POST" and not _from_our_page():
            if request.endpoint == "log_in":
                return _form(STALE_FORM), 400
            abort(400, STALE_FORM)
        return None


def _add_forms(app: Flask, access: Access, metrics: Metrics) -> None:
    @app.get("/login")
    def login() -> ResponseReturnValue:
        if g.get("logged_in"):
            return redirect(local_path(request.args.get("next", "")), 303)
        return _form()

    @app.post("/login")
    def log_in() -> ResponseReturnValue:
        address, browser = request.remote_addr or "", _browser(access)
        wait = math.ceil(access.attempts.begin(address, browser))
        if wait:
            metrics.login("limited")
            form = _form(f"Too many attempts. The next one is possible in {wait} s.")
            return form, 429, {"Retry-After": str(wait)}
        if not access.sessions.is_right(request.form.get("password", "")):
            metrics.login("wrong")
            log.warning("A wrong password was tried from %s", address)
            return _form("That is not the password."), 401
        access.attempts.succeeded(address, browser)
        metrics.login("right")
        access.sessions.begin()
        response = make_response(redirect(local_path(request.form.get("next", "")), 303))
        response.set_cookie(
            BROWSER_COOKIE,
            access.known_browsers.dumps(browser or secrets.token_urlsafe(16)),
            max_age=BROWSER_LIFETIME,
            path=url_for("login"),
            secure=access.secure,
            httponly=True,
            samesite="Lax",
        )
        return response

    @app.post("/logout")
    def logout() -> ResponseReturnValue:
        access.sessions.end()
        return redirect(url_for("login"), 303)


def _stranger() -> ResponseReturnValue:
    if request.path.startswith("/api/"):
        return {"error": "Log in, or send the header Authorization: `Bearer TOKEN`, with that of --token-file."}, 401
    query = request.query_string.decode("latin-1")
    return redirect(url_for("login", next=quote(request.path) + ("?" + query if query else "")), 303)


def _form(fault: str = "") -> str:
    following = request.form.get("next") or request.args.get("next", "")
    return render_template("login.html", next=local_path(following), fault=fault)


def _from_our_page() -> bool:
    # Browsers say where a form came from, whatever it holds.
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        return False
    return csrf_is_right(request.form.get("csrf_token", ""))


def _browser(access: Access) -> str:
    try:
        return str(access.known_browsers.loads(request.cookies.get(BROWSER_COOKIE, "")))
    except BadSignature:
        return ""
