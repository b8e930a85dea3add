"""Who is logged in: a signed cookie, that ends with its time, its logout or its password.

Flask signs the cookie; what is in it can be read by its owner, and changed by nobody.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import time
from datetime import timedelta
from pathlib import Path

from flask import Flask, session

from responder.database import Database

LIFETIME = timedelta(days=30)
_SCHEMA = "CREATE TABLE IF NOT EXISTS ended_sessions (id TEXT PRIMARY KEY, until REAL NOT NULL)"


class PasswordError(Exception):
    """The file with the password can't be read; the text says which."""


class Sessions:
    """Those of one application."""

    def __init__(self, database: Database, password_file: Path, key: bytes) -> None:
        """Raises PasswordError without a password, StoreError without a database."""
        self._database = database
        self._password_file = password_file
        self._key = key
        self._password()
        with database.reading() as connection:
            connection.execute(_SCHEMA)

    def configure(self, app: Flask, secure: bool) -> None:
        """The cookie's settings; a secure one never travels over plain http."""
        app.config.update(
            SECRET_KEY=self._key,
            SESSION_COOKIE_NAME="responder_session",
            SESSION_COOKIE_HTTPONLY=True,
            # A link in a message opens the page; a form of another site comes without the cookie.
            SESSION_COOKIE_SAMESITE="Lax",
            SESSION_COOKIE_SECURE=secure,
            SESSION_REFRESH_EACH_REQUEST=False,
            PERMANENT_SESSION_LIFETIME=LIFETIME,
        )

    def is_right(self, password: str) -> bool:
        """Whether it is the password, in a time that doesn't tell how much of it is right."""
        return hmac.compare_digest(_digest(password.strip().encode("utf-8", "replace")), _digest(self._password()))

    def begin(self) -> None:
        """Logs in, with nothing in the cookie that somebody else may have put there before."""
        session.clear()
        session.permanent = True
        session["id"] = secrets.token_urlsafe(16)
        session["since"] = time.time()
        session["password"] = self._proof()

    def end(self) -> None:
        """Logs out: a copy of the cookie is worth nothing either."""
        now = time.time()
        with self._database.writing() as connection:
            connection.execute("DELETE FROM ended_sessions WHERE until < ?", (now,))
            connection.execute(
                "INSERT OR IGNORE INTO ended_sessions VALUES (?, ?)",
                (session.get("id", ""), now + LIFETIME.total_seconds()),
            )
        session.clear()

    def holds(self) -> bool:
        """Whether this request comes from somebody who is logged in."""
        if "id" not in session or not time.time() - LIFETIME.total_seconds() < session["since"] <= time.time() + 60:
            return False
        if not hmac.compare_digest(session["password"], self._proof()):
            return False
        with self._database.reading() as connection:
            row = connection.execute("SELECT 1 FROM ended_sessions WHERE id = ?", (session["id"],)).fetchone()
        return row is None

    def _proof(self) -> str:
        """What a session began with: another one after a change of the password, and no help in guessing it."""
        return hmac.new(self._key, self._password(), hashlib.sha256).hexdigest()

    def _password(self) -> bytes:
        """Read at each call: `python -m init` may have written another since the start."""
        try:
            password = self._password_file.read_bytes().strip()
        except OSError as error:
            raise PasswordError(
                f"--password-file {self._password_file} can't be read; `python -m init` makes it."
            ) from error
        if not password:
            raise PasswordError(f"--password-file {self._password_file} is empty; `python -m init` writes it.")
        return password


def csrf_token() -> str:
    """The value that each form sends along: another site can't know it."""
    if "csrf" not in session:
        session["csrf"] = secrets.token_urlsafe(32)
    token: str = session["csrf"]
    return token


def csrf_is_right(token: str) -> bool:
    """Whether a form came from our own page in this browser."""
    return "csrf" in session and hmac.compare_digest(session["csrf"].encode(), token.encode("utf-8", "replace"))


def kept_key(folder: Path) -> bytes:
    """The key that signs cookies, made at the first start, readable by nobody else. Raises OSError."""
    path = folder / "session.key"
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(32))
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        pass
    key = path.read_bytes()
    if len(key) < 32:  # cut off at its making
        path.unlink()
        return kept_key(folder)
    return key


def _digest(value: bytes) -> bytes:
    return hashlib.sha256(value).digest()
