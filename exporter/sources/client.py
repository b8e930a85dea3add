"""The HTTP client of sources: one answer, within a total time and size, from the configured host only."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from threading import Lock
from typing import Any

import requests
from pydantic_core import from_json
from requests.auth import HTTPBasicAuth
from urllib3.exceptions import HTTPError

from exporter.sources.hard_end import HardEndAdapter, hard_end
from exporter.state import SourceError
from exporter.values import values_in

MIB = 1 << 20
# An open trade has about 90, a page of closed ones 34,000. A value can take a hundred times its text in memory.
MOST_VALUES = 60_000
# Answers that are parsed at the same time would need their memory together.
_one_at_a_time = Lock()


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002
        # requests reads the body of a redirect whole before it follows it, or lets it be.
        return None


def new_session(
    username: str | None = None,
    password: str | None = None,
    token: str | None = None,
    ca_file: Path | None = None,
) -> requests.Session:
    """A session that keeps its connections and sends HTTP Basic credentials or a bearer token where given.

    The environment's proxies and .netrc are not used: a bot's address is used as configured, and its password goes
    to it alone.

    Args:
        username, password: for HTTP Basic.
        token: for `Authorization: Bearer`.
        ca_file: certificates to trust instead of the well-known ones.
    """
    session = _Session()
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # else they pile up
    session.mount("http://", HardEndAdapter())
    session.mount("https://", HardEndAdapter())
    session.headers["Accept"] = "application/json"
    # A few packed bytes can unpack to gigabytes.
    session.headers["Accept-Encoding"] = "identity"
    session.headers["User-Agent"] = "trading-bot-exporter"
    if username is not None:
        # As bytes, for a name or password outside Latin-1.
        session.auth = HTTPBasicAuth(username.encode(), (password or "").encode())
    if token is not None:
        session.headers["Authorization"] = f"Bearer {token}"
    if ca_file is not None:
        session.verify = str(ca_file)
    return session


def get(
    session: requests.Session,
    url: str,
    deadline: float,
    at_most: float,
    params: Mapping[str, Any] | None = None,
    most_bytes: int = MIB,
) -> bytes:
    """GET a URL.

    Args:
        deadline: the `time.monotonic()` at which the whole scrape ends.
        at_most: seconds that this call may take, however far off the deadline is.
        most_bytes: a larger answer is refused.

    Raises:
        SourceError: with the reason and a sentence that names the URL.
    """
    where = url.partition("?")[0]  # a query may hold a key: it is not told
    end = min(deadline, time.monotonic() + at_most)
    left = end - time.monotonic()
    if left <= 0:
        raise SourceError("timeout", f"{where}: no time left for this call")
    late = f"{where}: no answer within {at_most:g} s, or the scrape's time"
    try:
        with (
            hard_end(end),
            session.get(url, params=params, timeout=left, stream=True, allow_redirects=False) as response,
        ):
            if response.status_code != 200:
                raise _not_a_success(where, response)
            body = _body(where, response, most_bytes)
    except (requests.RequestException, HTTPError, OSError, ValueError) as error:
        # A connection that was shut down fails in many ways, of which none is the reason. That of a name which nobody
        # resolves mostly takes its time.
        if time.monotonic() >= end and not isinstance(_innermost(error), socket.gaierror):
            raise SourceError("timeout", late) from error
        raise _failure(where, error, late) from error
    if time.monotonic() >= end:  # a body without a length just ends when its connection is shut down
        raise SourceError("timeout", late)
    return body


def parsed(url: str, body: bytes) -> Any:
    """The JSON of a body that a URL gave.

    Raises:
        SourceError: it is none, or has more values than fit in memory.
    """
    if (values := values_in(body)) > MOST_VALUES:
        raise SourceError("invalid", f"{url}: the answer has some {values} values, more than {MOST_VALUES}")
    try:
        with _one_at_a_time:
            return from_json(body)  # not of a str, which takes four bytes a character for the sake of one emoji
    except ValueError as error:
        raise SourceError("invalid", f"{url}: the answer is not JSON: {error}") from error


def _failure(url: str, error: Exception, late: str) -> SourceError:
    if isinstance(error, requests.Timeout | TimeoutError):
        # The same words each time, for the log tells a fault when it changes.
        return SourceError("timeout", late)
    if isinstance(error, requests.exceptions.SSLError):
        return SourceError("tls", f"{url}: {_cause(error)}; check the certificate and the https:// address")
    if isinstance(error, requests.ConnectionError):
        if isinstance(_innermost(error), socket.gaierror):
            return SourceError("dns", f"{url}: {_cause(error)}; is the host's name right?")
        return SourceError("connection", f"{url}: {_cause(error)}; is the bot running, is the address right?")
    if "TLS CA certificate" in str(error):  # requests has no error of its own for it
        return SourceError("tls", f"{url}: ca_file can't be read: {error}")
    return SourceError("invalid", f"{url}: not a proper HTTP answer: {_cause(error)}")


def _body(url: str, response: requests.Response, most_bytes: int) -> bytes:
    encoding = response.headers.get("Content-Encoding", "identity")
    if encoding != "identity":
        raise SourceError("invalid", f"{url}: not a proper HTTP answer: packed ({encoding}), which was not asked for")
    body = bytearray()
    while piece := response.raw.read1(65536, decode_content=False):
        body += piece
        if len(body) > most_bytes:
            raise SourceError("invalid", f"{url}: the answer is larger than {most_bytes / MIB:g} MiB")
    return bytes(body)


def _not_a_success(url: str, response: requests.Response) -> SourceError:
    status = response.status_code
    if status in (401, 403) and "Authorization" not in response.request.headers:
        return SourceError(
            "auth", f"{url}: HTTP {status}: it asks for credentials; give token_env, or username and password_env"
        )
    if status in (401, 403):
        return SourceError("auth", f"{url}: HTTP {status}: credentials refused; check those that monitoring.yml names")
    if 300 <= status < 400:
        where = response.headers.get("Location", "nowhere").partition("?")[0][:200]
        return SourceError(
            "http_status", f"{url}: HTTP {status}, sent on to {where!r}; redirects are not followed, give the final url"
        )
    sentence = f"{url}: HTTP {status} {response.reason or ''}".rstrip()
    if status == 404:
        doubled = "/api/v1/api/v1/" in url
        sentence += "; give freqtrade's url without /api/v1" if doubled else "; is the path right?"
    return SourceError("http_status", sentence)


def _innermost(error: BaseException) -> BaseException:
    while True:
        inner = error.__cause__ or error.__context__ or getattr(error, "reason", None)
        if not isinstance(inner, BaseException) or inner is error:
            return error
        error = inner


def _cause(error: BaseException) -> str:
    """The innermost reason, such as 'Connection refused', instead of requests' nested text."""
    error = _innermost(error)
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
