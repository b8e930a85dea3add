"""The state documents of a bot, one after another: the last good one serves until it is stale."""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import time
from dataclasses import dataclass, replace
from threading import Lock
from zoneinfo import ZoneInfo

from exporter.figures.equity import EquityCurve
from exporter.figures.histogram import RESPONSE_TIME_BUCKETS, Buckets
from exporter.figures.history import History, Trade
from exporter.schema import ClosedTrade, StateDocument, meant, parsed, ratio, state_of, take_unknown_keys, times
from exporter.state import BotState, SourceError

log = logging.getLogger(__name__)

# A bot's clock may be ahead of ours by this much.
MAX_AHEAD = 60.0
# Large documents that are taken at the same time, for several bots, would need their memory together, and gain nothing.
_LARGE = 64 * 1024
_one_at_a_time = Lock()
_MOST_WARNINGS = 50


@dataclass(frozen=True)
class _Good:
    """A valid document: its state but for what depends on the time of asking."""

    timestamp: float
    state: BotState
    curve: EquityCurve | None


class OutdatedError(Exception):
    """A document is older than the present one."""


class Documents:
    """The documents of one bot, one after another. Not safe for several threads.

    An invalid document is refused whole, and the last good one serves until it is stale.

    Args:
        where: what names the document in faults: a path, an address.
        stale_after: seconds after a document's timestamp for which its values are served.
        zone: the time zone of days, weeks and months.
    """

    def __init__(self, where: str, stale_after: float, zone: ZoneInfo) -> None:
        self._where = where
        self._stale_after = stale_after
        self._zone = zone
        self._good: _Good | None = None
        self._fault: tuple[str, str] | None = None  # reason and sentence
        self._history: History | None = None
        self._response_times: Buckets | None = None
        self._counted_until = time.time()  # of response times, those before our start are not ours to count
        self._warned: set[str] = set()

    def take(self, text: bytes, in_order: bool = False) -> None:
        """Make a document the present one.

        Args:
            in_order: refuse one that is older than the present one, which may have been overtaken on its way, or stale.

        Raises:
            SourceError: it is invalid, with path and reason of every fault; the one before stays.
            OutdatedError: it is older.
        """
        try:
            with _one_at_a_time if len(text) > _LARGE else contextlib.nullcontext():
                self._take(text, in_order)
        except SourceError as error:
            self.fail(error.reason, str(error))
            raise
        self._fault = None

    def fail(self, reason: str, sentence: str) -> None:
        """Note why there is no valid document, until there is one."""
        self._fault = reason, sentence

    def _take(self, text: bytes, in_order: bool) -> None:
        try:
            document = parsed(text)
        except ValueError as error:
            raise self._invalid(str(error)) from None
        self._warn_of_unknown_keys(document)
        self._check_times(document)
        if in_order:
            self._check_order(document.timestamp)
            self._check_age(document.timestamp, time.time())
        system = document.system
        if system.response_times_at and len(system.response_times_at) != len(system.response_times):
            raise self._invalid("system.response_times_at must have a time for each of response_times")
        if document.trades is None:
            self._history = None
        else:
            self._follow(document.trades)
        self._observe(document)
        self._good = _Good(
            document.timestamp,
            state_of(document),
            EquityCurve(document.equity, self._zone) if document.equity else None,
        )

    def state(self, now: float) -> BotState:
        """The last valid document's state at a time in Unix seconds, with the fault of a later one.

        Raises:
            SourceError: there is no valid document, or it is stale.
        """
        # Made afresh: an exception raised again and again would keep the frames of every time.
        fault = None if self._fault is None else SourceError(*self._fault)
        good = self._good
        if good is None:
            raise fault or SourceError("missing", f"{self._where}: no document yet; does the bot write it?")
        try:
            self._check_age(good.timestamp, now)
        except SourceError as stale:
            raise fault or stale from None
        return replace(
            good.state,
            trades=None if self._history is None else self._history.summary(now, good.state.trading.initial_capital),
            equity=None if good.curve is None else good.curve.summary(now),
            response_times=None if self._response_times is None else self._response_times.value(),
            problems=() if fault is None else (fault,),
        )

    def _invalid(self, fault: str) -> SourceError:
        return SourceError("invalid", f"{self._where}: {fault}")

    def _warn_of_unknown_keys(self, document: StateDocument) -> None:
        unknown = set(take_unknown_keys(document)) - self._warned
        for key in sorted(unknown)[: _MOST_WARNINGS - len(self._warned)]:
            self._warned.add(key)
            known = meant(key)
            advice = f"did you mean {known}? " if known else ""
            log.warning(
                "%s: the key %.200r is not known and not used; %ssee docs/state-document.md", self._where, key, advice
            )

    def _check_times(self, document: StateDocument) -> None:
        now = time.time()
        for key, moment in times(document):
            if moment > now + MAX_AHEAD:
                raise self._invalid(
                    f"{key} is {moment - now:.0f} s in the future; are the clocks right, and its time zone?"
                )

    def _check_age(self, timestamp: float, now: float) -> None:
        if -MAX_AHEAD <= now - timestamp <= self._stale_after:
            return
        written = dt.datetime.fromtimestamp(int(timestamp), self._zone)
        why = f"older than stale_after ({self._stale_after:g} s); does the bot still write it, or is its clock slow?"
        if timestamp > now:  # our clock was set back since
            why = "in the future; are the clocks right?"
        raise SourceError("stale", f"{self._where}: its timestamp is {written}, {why}")

    def _check_order(self, timestamp: float) -> None:
        # A present one from far ahead was written before our clock was set back: nobody has to wait until then.
        if self._good is not None and timestamp < self._good.timestamp <= time.time() + MAX_AHEAD:
            # The same words each time, for the log tells a fault when it changes.
            raise OutdatedError(
                "its timestamp is before that of the document here; is the bot's clock right, does it run once?"
            )

    def _observe(self, document: StateDocument) -> None:
        """Count each response time once, however often documents repeat it, and however many stay unread."""
        system = document.system
        if not system.response_times:
            return
        when = system.response_times_at or (document.timestamp,) * len(system.response_times)
        self._response_times = self._response_times or Buckets(RESPONSE_TIME_BUCKETS)
        for moment, sample in zip(when, system.response_times, strict=True):
            if moment > self._counted_until:
                self._response_times.observe(sample)
        self._counted_until = max(self._counted_until, *when)

    def _follow(self, trades: tuple[ClosedTrade, ...]) -> None:
        places: dict[int | str, int] = {}
        for number, trade in enumerate(trades):
            first = places.setdefault(trade.id, number)
            if first != number and trades[first] != trade:
                raise self._invalid(
                    f"trades.{number}.id: {trade.id!r} is the id of trades.{first} already, which is another trade; "
                    "each needs an id of its own"
                )
        self._history = self._history or History(self._zone)
        self._history.replace(
            Trade(t.id, t.closed_at, t.profit, t.opened_at, ratio(t.profit_ratio, t), t.pair, t.size, t.fees)
            for t in trades
        )
