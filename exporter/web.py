"""The exporter's HTTP interface: metrics, discovery, health, reload, pushes, trades, and a page for people."""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterator, Mapping
from ipaddress import ip_address

from flask import Flask, Response, jsonify, render_template, request
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BaseConverter

from exporter import __version__
from exporter.bots import Bots
from exporter.config.load import ConfigError
from exporter.metrics import GROUPS
from exporter.page import rows
from exporter.push import Pushes, RefusedError
from exporter.scrape import scrape
from exporter.trades import page as page_of_trades

# Seconds. Prometheus's own default, for a caller that doesn't say how long it waits.
_SCRAPE_TIMEOUT = 10.0
_TIMEOUT_HEADER = "X-Prometheus-Scrape-Timeout-Seconds"
# What is left of it for the answer's way back.
_MARGIN = 0.5
_PIECE = 256 * 1024
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; form-action 'none'"


class _BotName(BaseConverter):
    """A bot's name in a path: anything, slashes too."""

    regex = ".+?"
    part_isolating = False


def create_app(bots: Bots, allowed_hosts: Collection[str] = ()) -> Flask:
    """The web application over the configured bots.

    Args:
        allowed_hosts: names with a dot under which it is asked.
    """
    app = Flask(__name__)
    app.json.sort_keys = False  # type: ignore[attr-defined]

    app.before_request(lambda: _refusal(allowed_hosts))

    @app.get("/metrics")
    def metrics() -> Response:
        groups = request.args.getlist("collect[]") or list(GROUPS)
        unknown = [group for group in groups if group not in GROUPS]
        if unknown:
            return _plain(400, f"unknown group {unknown[0][:80]!r} in collect[]; known: {', '.join(GROUPS)}")
        names = request.args.getlist("bot") or list(bots.readers)
        stranger = next((name for name in names if name not in bots.readers), None)
        if stranger is not None:
            return _plain(404, f"no bot named {stranger[:80]!r} in the configuration; /sd lists those that are")
        body = scrape(
            bots,
            list(dict.fromkeys(names)),
            groups,
            _deadline(request.headers.get(_TIMEOUT_HEADER)),
        )
        return Response(
            _pieces(body), content_type=CONTENT_TYPE_PLAIN_0_0_4, headers={"Content-Length": str(len(body))}
        )

    @app.get("/sd")
    def discovery() -> Response:
        return jsonify([{"targets": [request.host], "labels": {"__param_bot": n, "instance": n}} for n in bots.readers])

    # It is ready as soon as it answers: it starts with a valid configuration or not at all.
    @app.get("/-/healthy")
    @app.get("/-/ready")
    def healthy() -> Response:
        return _plain(200, f"OK, {len(bots.readers)} bots")

    @app.post("/-/reload")
    def reload() -> Response:
        return _reload(bots)

    _add_api(app, bots)

    @app.get("/")
    def page() -> str:
        return render_template("index.html", rows=rows(bots), groups=GROUPS, bots=bots, version=__version__)

    @app.after_request
    def safe(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = _POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    app.register_error_handler(404, _not_there)
    app.register_error_handler(405, _not_there)
    return app


def _pieces(body: bytes) -> Iterator[bytes]:
    """A large answer bit by bit, as the client takes it: the server would put what it can't send yet in a file."""
    for start in range(0, len(body), _PIECE):
        yield body[start : start + _PIECE]


def _add_api(app: Flask, bots: Bots) -> None:
    pushes = Pushes(bots)
    app.url_map.converters["bot"] = _BotName
    app.url_map.merge_slashes = False

    @app.route("/api/v1/bots/<bot:name>/state", methods=["PUT"], provide_automatic_options=False)
    def push(name: str) -> Response:
        authorization, encoding = (request.headers.get(each, "") for each in ("Authorization", "Content-Encoding"))
        try:
            pushes.put(
                name, authorization, encoding, request.content_length or 0, lambda: request.get_data(cache=False)
            )
        except RefusedError as refused:
            return _plain(refused.status, str(refused), refused.headers)
        return Response(status=204)

    @app.get("/api/v1/bots/<bot:name>/trades")
    def trades(name: str) -> Response:
        try:
            return jsonify(page_of_trades(bots, name, request.args.get("after"), request.args.get("limit")))
        except RefusedError as refused:
            return _plain(refused.status, str(refused), refused.headers)


def _not_there(error: HTTPException) -> Response | HTTPException:
    if not request.path.startswith("/api/"):
        return error
    sentence = (
        "not here: a bot's state document goes to PUT /api/v1/bots/NAME/state, and GET /api/v1/bots/NAME/trades lists "
        "its trades, both without a slash at the end"
    )
    allowed = getattr(error, "valid_methods", None)
    return _plain(error.code or 404, sentence, {"Allow": ", ".join(sorted(allowed))} if allowed else None)


def _reload(bots: Bots) -> Response:
    try:
        bots.reload()
    except ConfigError as error:
        return _plain(500, f"refused, the configuration before stays in use:\n{error}")
    return _plain(200, "The configuration was read again.")


def _refusal(allowed_hosts: Collection[str]) -> Response | None:
    """The answer to what a browser asks on behalf of a page that is not ours."""
    if _of_another_site():
        return _plain(403, "refused: the request comes from a page of another site")
    host = request.headers.get("Host", "")
    if not _may_be_ours(host, allowed_hosts):
        return _plain(403, f"refused: {host[:80]!r} is no known name of this server; --allowed-host adds one")
    return None


def _of_another_site() -> bool:
    """Whether a browser sends the request on behalf of a page that is not ours; other programs send no such header."""
    origin = request.headers.get("Origin")
    foreign = origin is not None and origin.partition("://")[2] != request.host
    return foreign or request.headers.get("Sec-Fetch-Site") == "cross-site"


def _may_be_ours(host: str, allowed: Collection[str]) -> bool:
    """Whether a header Host is none that a page of another site can have: its name with our address (DNS rebinding).

    Such a name has a dot. An address doesn't lead elsewhere, and who can give out short names is in our network.
    """
    name = re.sub(r":[0-9]*$", "", host).strip("[]").lower()
    try:
        ip_address(name)
    except ValueError:
        return "." not in name or name in ("host.docker.internal", *allowed)
    return True


def _deadline(timeout: str | None) -> float:
    try:
        wanted = float(timeout or _SCRAPE_TIMEOUT)
    except ValueError:
        wanted = _SCRAPE_TIMEOUT
    # Not (wanted > 0) is true of NaN as well.
    wanted = _SCRAPE_TIMEOUT if not wanted > 0 else min(wanted, 120.0)
    return time.monotonic() + max(wanted - _MARGIN, wanted / 2)


def _plain(status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
    return Response(text + "\n", status=status, content_type="text/plain; charset=utf-8", headers=headers)
