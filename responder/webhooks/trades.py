"""Finds the trades that closed, in the exporter's lists, and puts each into the outbox once.

What had closed when a webhook came to a bot is never told. Afterwards a trade is new where its id is not
known; or where it is, but the trade is another one: a new database counts from 1 again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode

import requests
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from responder.database import Database
from responder.outbox.outbox import Entry, Outbox
from responder.webhooks import events
from responder.webhooks.subscribers import Subscriber, Subscribers

TIMEOUT_SECONDS = 5
PAGE = MOST_LISTED = 200
# A trade may be listed after one that closed later. So the last ones are asked for again, and older ones than
# this are taken for another telling of what was told.
OVERLAP, LATE_SECONDS = 20, 86400.0
# What closed so shortly before a webhook came may not have been read yet.
LAG_SECONDS = 300.0
# A bot may state the time of closing anew.
SAME_SECONDS = 60.0
SCHEMA = """
CREATE TABLE IF NOT EXISTS trade_lists (
  webhook TEXT NOT NULL,
  bot TEXT NOT NULL,
  since REAL NOT NULL,
  latest REAL NOT NULL,
  PRIMARY KEY (webhook, bot)
);
CREATE TABLE IF NOT EXISTS trades_known (
  webhook TEXT NOT NULL,
  bot TEXT NOT NULL,
  trade TEXT NOT NULL,
  closed_at REAL NOT NULL,
  PRIMARY KEY (webhook, bot, trade)
);
"""
_OF = "webhook = :webhook AND bot = :bot"
_PRUNE = f"""
DELETE FROM trades_known WHERE {_OF} AND closed_at < :before AND trade NOT IN (
  SELECT trade FROM trades_known WHERE {_OF} ORDER BY closed_at DESC LIMIT :kept
)
"""  # noqa: S608 - of our own words alone

log = logging.getLogger(__name__)


class ExporterError(Exception):
    """The exporter doesn't answer, or not as it should; the text says which."""


class _Trade(BaseModel):
    model_config = ConfigDict(extra="allow")
    id: int | str
    closed_at: AwareDatetime

    @property
    def closed(self) -> float:
        return self.closed_at.timestamp()


class _Page(BaseModel):
    bot: str
    mode: str | None
    currency: str | None
    trades: list[_Trade]
    next: str | None


@dataclass(frozen=True)
class _Known:
    """What is known of a bot's trades: of each its closing, when that began, and when the latest closed."""

    closings: dict[str, float]
    since: float
    latest: float

    def is_new(self, trade: _Trade) -> bool:
        before = self.closings.get(str(trade.id))
        if before is not None and (abs(trade.closed - before) < SAME_SECONDS or trade.closed <= self.latest):
            return False
        return trade.closed >= max(self.since - LAG_SECONDS, self.latest - LATE_SECONDS)


class Trades:
    """Asks one or several exporters, which share the bots."""

    def __init__(
        self,
        database: Database,
        outbox: Outbox,
        subscribers: Subscribers,
        exporters: Sequence[str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Makes the tables where there are none. Raises StoreError where that can't be done."""
        self._database = database
        self._outbox = outbox
        self._subscribers = subscribers
        self._exporters = [url.rstrip("/") for url in exporters]
        self._clock = clock
        self._session = requests.Session()
        self._session.trust_env = False
        with database.reading() as connection:
            connection.executescript(SCHEMA)

    def look(self) -> None:
        """Looks at each list once. Raises the first error at the end, such as ExporterError; the next look goes on."""
        told = [each for each in self._subscribers.all() if "trades" in each.kinds]
        self._forget_others(told)
        failure: Exception | None = None
        for url in self._exporters if told else ():
            try:
                bots = self._bots(url)
            except ExporterError as error:
                failure = failure or error
                continue
            for bot in bots:
                try:
                    for subscriber in told:
                        if subscriber.wants("trades", bot):
                            self._look(url, subscriber, bot)
                except Exception as error:  # whatever it is, the trades of the others are told
                    failure = failure or error
        if failure:
            raise failure

    def _look(self, url: str, subscriber: Subscriber, bot: str) -> None:
        of = {"webhook": subscriber.name, "bot": bot}
        known = self._known(of)
        pages = self._pages(url, bot, None if known is None else self._cursor(of))
        listed = [trade for page in pages or () for trade in page.trades]
        if known is None:
            # Also without a list: its first trade may be what brings one.
            now = self._clock()
            self._keep(of, listed, now, max((trade.closed for trade in listed), default=now))
            return
        new = [trade for trade in listed if known.is_new(trade)]
        if not new or not pages:
            return
        if len(listed) >= MOST_LISTED and min(trade.closed for trade in listed) > known.latest:
            log.warning(
                "%s closed more trades than its exporter lists: those before %s are not told", bot, listed[0].id
            )
        about = {"bot": bot, "mode": pages[-1].mode, "currency": pages[-1].currency}
        told = [events.of_trade(about, trade.model_dump(mode="json"), trade.closed_at) for trade in new]
        latest = max(known.latest, *(trade.closed for trade in new))
        self._keep(of, new, known.since, latest, events.entries(told, [subscriber]))
        self._outbox.wake()

    def _keep(
        self,
        of: dict[str, str],
        trades: Sequence[_Trade],
        since: float,
        latest: float,
        entries: Iterable[Entry] = (),
    ) -> None:
        """In one transaction: what is known is in the outbox, and the other way round."""
        values = {**of, "since": since, "latest": latest, "before": latest - LATE_SECONDS, "kept": 2 * OVERLAP}
        with self._database.writing() as connection:
            connection.execute(
                "INSERT INTO trade_lists VALUES (:webhook, :bot, :since, :latest) "
                "ON CONFLICT DO UPDATE SET latest = excluded.latest",
                values,
            )
            connection.executemany(
                "INSERT OR REPLACE INTO trades_known VALUES (:webhook, :bot, :trade, :closed_at)",
                [{**of, "trade": str(trade.id), "closed_at": trade.closed} for trade in trades],
            )
            connection.execute(_PRUNE, values)
            self._outbox.put(connection, entries)

    def _known(self, of: dict[str, str]) -> _Known | None:
        """None of a bot that was never looked at."""
        with self._database.reading() as connection:
            row = connection.execute(f"SELECT since, latest FROM trade_lists WHERE {_OF}", of).fetchone()  # noqa: S608
            if row is None:
                return None
            rows = connection.execute(f"SELECT trade, closed_at FROM trades_known WHERE {_OF}", of)  # noqa: S608
            return _Known(dict(map(tuple, rows)), row["since"], row["latest"])

    def _cursor(self, of: dict[str, str]) -> str | None:
        """The trade from which on the list is read; None where so few are known that it is read whole."""
        query = f"SELECT trade FROM trades_known WHERE {_OF} ORDER BY closed_at DESC LIMIT 1 OFFSET {OVERLAP}"  # noqa: S608
        with self._database.reading() as connection:
            row = connection.execute(query, of).fetchone()
        return row[0] if row else None

    def _forget_others(self, told: Sequence[Subscriber]) -> None:
        """Of a webhook or bot that isn't wanted any more: should it come again, it begins with what closes then."""
        with self._database.reading() as connection:
            rows = connection.execute("SELECT webhook, bot FROM trade_lists").fetchall()
        wants = {each.name: each for each in told}
        gone = [tuple(row) for row in rows if row[0] not in wants or not wants[row[0]].wants("trades", row[1])]
        if gone:
            with self._database.writing() as connection:
                for table in ("trade_lists", "trades_known"):
                    connection.executemany(f"DELETE FROM {table} WHERE webhook = ? AND bot = ?", gone)  # noqa: S608

    def _bots(self, url: str) -> list[str]:
        try:
            return [str(each["labels"]["__param_bot"]) for each in self._get(f"{url}/sd", {}).json()]
        except (ValueError, TypeError, KeyError):
            raise ExporterError(f"What answers at {url}/sd isn't the exporter.") from None

    def _pages(self, url: str, bot: str, after: str | None) -> list[_Page] | None:
        """The list behind a trade, or all of it where that isn't in it any more; None where there is no list now."""
        address = f"{url}/api/v1/bots/{quote(bot, safe='').replace('.', '%2E')}/trades"
        pages: list[_Page] = []
        while len(pages) < 10:
            answer = self._get(address, {"limit": str(PAGE)} | ({} if after is None else {"after": after}))
            if answer.status_code == 410 and after is not None:
                pages, after = [], None
                continue
            # The bot tells of no single trades, or was not read yet.
            if answer.status_code in (404, 503):
                return None
            try:
                answer.raise_for_status()
                pages.append(_Page.model_validate_json(answer.content))
            except (requests.HTTPError, ValidationError):
                raise ExporterError(
                    f"What answers at {address} isn't a list of trades: HTTP {answer.status_code}."
                ) from None
            after = pages[-1].next
            if after is None:
                break
        return pages

    def _get(self, address: str, query: dict[str, str]) -> requests.Response:
        request = self._session.prepare_request(requests.Request("GET", address))
        # As it is: requests would take a bot named `..` for the folder above.
        request.url = f"{address}?{urlencode(query)}" if query else address
        try:
            return self._session.send(request, timeout=TIMEOUT_SECONDS, allow_redirects=False)
        except requests.RequestException as error:
            raise ExporterError(f"The exporter doesn't answer at {address} ({type(error).__name__}).") from error
