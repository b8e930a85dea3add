"""The command `python -m responder`: reads its settings, opens the database, serves until SIGTERM."""

from __future__ import annotations

import argparse
import logging
import os
import re
import signal
import sys
from functools import partial
from pathlib import Path
from types import FrameType

import waitress
from flask import Flask

from responder import links
from responder.access.attempts import Attempts
from responder.access.login import Access
from responder.access.sessions import PasswordError, Sessions, kept_key
from responder.acknowledge.acknowledger import Acknowledger, Watcher
from responder.acknowledge.ends import WATCH_SECONDS, Ends
from responder.acknowledge.ledger import Ledger
from responder.alertmanager import Alertmanager
from responder.database import Database, StoreError
from responder.metrics import Metrics
from responder.outbox.courier import Courier, stop
from responder.outbox.outbox import Outbox
from responder.outbox.page import add_deliveries_page
from responder.people.contacts import CHANNELS
from responder.people.notify import GATHER_SECONDS, GIVE_UP_SECONDS, add_notify, deliver
from responder.prometheus import Prometheus
from responder.receiving import MAX_BODY_BYTES
from responder.runbooks import Runbooks
from responder.store import Store
from responder.web import create_app
from responder.webhook import Notification
from responder.webhooks import webhooks

RUNBOOKS = Path(__file__).resolve().parent.parent / "docs" / "runbooks"
_UNITS = {"h": 3600, "d": 86400, "w": 7 * 86400, "y": 365 * 86400}


def main() -> int:
    """Serves; returns the exit code."""
    arguments = _arguments()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    # Of an answer with a broken header it tells the address, with whatever secret or number stands there.
    logging.getLogger("urllib3").setLevel(logging.CRITICAL)
    try:
        host, port = _listen(arguments.listen)
        app, watchers, couriers = _application(arguments)
        server = waitress.create_server(
            app,
            host=host,
            port=port,
            threads=4,
            ident="",
            max_request_body_size=MAX_BODY_BYTES + 65536,
            # Whoever opens connections and says nothing must not keep Alertmanager out; nor fill the memory.
            connection_limit=1000,
            channel_timeout=20,
            cleanup_interval=5,
            max_request_header_size=8192,
            asyncore_use_poll=True,  # select() can't see a descriptor above 1023
        )
    except (ValueError, StoreError, PasswordError) as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"--listen {arguments.listen}: can't listen there: {error.strerror}.", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, _stop)
    logging.info("Listening on %s:%s", host, server.effective_port)
    for thread in (*watchers, *couriers):
        thread.start()
    # SystemExit ends it after the requests that are under way.
    server.run()
    server.close()
    for watcher in watchers:
        watcher.stop()
    stop(couriers)
    logging.info("Stopped")
    return 0


def _application(arguments: argparse.Namespace) -> tuple[Flask, list[Watcher | webhooks.Looker], list[Courier]]:
    """The pages, what looks after acknowledgements, trades and reports, and what delivers.

    Raises ValueError, StoreError or PasswordError.
    """
    token = _token(arguments.token_file)
    retention = _seconds(os.environ.get("RETENTION", "").strip() or "365d")
    database = Database(arguments.data_dir / "responder.sqlite")
    store, ledger = Store(database, retention), Ledger(database, retention)
    outbox = Outbox(database, retention)
    metrics = Metrics(store, ledger, outbox)
    try:
        key = kept_key(arguments.data_dir)
    except OSError as error:
        raise ValueError(f"--data-dir {arguments.data_dir}: the key can't be made: {error.strerror}.") from error
    # A cookie for https alone, once people come by https.
    responder_url = os.environ.get("RESPONDER_URL", "").strip()
    secure = responder_url.lower().startswith("https://")
    access = Access(Sessions(database, arguments.password_file, key), Attempts(), token, key, secure)
    alertmanager = Alertmanager(_url("alertmanager", arguments), arguments.alertmanager_password_file)
    prometheus = Prometheus(_url("prometheus", arguments))
    acknowledger = Acknowledger(ledger, alertmanager, prometheus, store.last_told_of)
    exporters = [_safe("exporter", url) for url in arguments.exporter]
    told, looker, post = webhooks.made(database, outbox, arguments.webhooks_file, exporters, prometheus, metrics)
    ends = Ends(database, ledger, alertmanager, prometheus)

    def take(notification: Notification) -> None:
        ends.take(notification)
        told.take(notification)

    runbooks = Runbooks(arguments.runbooks, os.environ)
    app = create_app(store, metrics, access, acknowledger, arguments.timezone_file, runbooks, take)
    add_notify(app, outbox, metrics, token, arguments.contacts_file, responder_url)
    add_deliveries_page(app, outbox)
    send = partial(deliver, app, outbox, arguments.contacts_file, responder_url)
    couriers = [
        Courier(outbox, channel, send, GIVE_UP_SECONDS, metrics.delivery, gather_seconds=GATHER_SECONDS)
        for channel in CHANNELS
    ]
    watcher = Watcher(acknowledger, lambda: metrics.error("acknowledgements"))
    ender = Watcher(ends, lambda: metrics.error("ends"), WATCH_SECONDS, "Ends")
    return app, [watcher, ender, looker], [*couriers, post]


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m responder", description="The inbox of Alertmanager's messages.")
    parser.add_argument("--listen", default="127.0.0.1:8080", metavar="HOST:PORT")
    parser.add_argument("--token-file", required=True, type=Path, metavar="F", help="holds the token that senders need")
    parser.add_argument("--password-file", required=True, type=Path, metavar="F", help="holds the pages' password")
    parser.add_argument("--alertmanager", default="http://127.0.0.1:9093", metavar="URL", help="default: %(default)s")
    parser.add_argument(
        "--alertmanager-password-file", type=Path, metavar="F", help="of its user admin; default: it asks for none"
    )
    parser.add_argument("--prometheus", default="http://127.0.0.1:9090", metavar="URL", help="default: %(default)s")
    parser.add_argument("--contacts-file", type=Path, metavar="F", help="whom SMS and phone reach; default: nobody")
    parser.add_argument("--webhooks-file", type=Path, metavar="F", help="whom webhooks tell; default: nobody")
    parser.add_argument(
        "--exporter", action="append", default=[], metavar="URL", help="its trades are told; may be repeated"
    )
    parser.add_argument("--timezone-file", type=Path, metavar="F", help="names the zone of shown times; default: UTC")
    parser.add_argument("--data-dir", required=True, type=Path, metavar="DIR", help="where the database is or is made")
    parser.add_argument(
        "--runbooks", default=RUNBOOKS, type=Path, metavar="DIR", help="the Markdown files of /runbooks/"
    )
    return parser.parse_args()


def _listen(value: str) -> tuple[str, int]:
    host, _, port = value.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"--listen is {value!r}: allowed is HOST:PORT, such as 127.0.0.1:8080.")
    return host.strip("[]"), int(port)


def _url(name: str, arguments: argparse.Namespace) -> str:
    return _safe(name, getattr(arguments, name))


def _safe(name: str, url: str) -> str:
    if not links.safe(url):
        raise ValueError(f"--{name} is {url!r}: allowed is an address such as http://127.0.0.1:9093.")
    return url


def _token(path: Path) -> str:
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"--token-file {path} can't be read; `python -m init` makes it.") from error
    if not token:
        raise ValueError(f"--token-file {path} is empty: delete it, and `python -m init` makes a new one.")
    return token


def _seconds(value: str) -> int:
    match = re.fullmatch(r"([1-9][0-9]{0,4})([hdwy])", value)
    if not match:
        raise ValueError(f"RETENTION is {value!r}: allowed is a number with h, d, w or y, such as 30d.")
    return int(match.group(1)) * _UNITS[match.group(2)]


if __name__ == "__main__":
    sys.exit(main())
