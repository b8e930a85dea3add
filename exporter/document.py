"""The state document: JSON that a bot in any language writes, serves or sends. `json_schema()` publishes its schema."""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from threading import Lock
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as pydantic_dataclass

from exporter.equity import EquityCurve
from exporter.histogram import Buckets
from exporter.history import History, Trade
from exporter.state import (
    Bot,
    BotState,
    Finite,
    Market,
    Model,
    Position,
    Positive,
    SourceError,
    System,
    Text,
    Timestamp,
    Trading,
    Values,
)
from exporter.values import seconds, values_in

log = logging.getLogger(__name__)

MIB = 1 << 20
# A parsed document takes some ten times its size in memory, one of many small values far more.
MAX_BYTES = 4 * MIB
MAX_VALUES = 200_000
# A bot's clock may be ahead of ours by this much.
MAX_AHEAD = 60.0
RESPONSE_TIME_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
# Documents that are taken at the same time, for several bots, would need that memory together, and gain nothing.
_one_at_a_time = Lock()
_MOST_FAULTS = 10
_MOST_WARNINGS = 50
# Of the rows of lists there are many: with slots each takes a fifth of a model's memory.
_ROW = ConfigDict(strict=True, extra="ignore")


@pydantic_dataclass(frozen=True, slots=True, config=_ROW)
class EquityPoint:
    """The account's value at a time."""

    time: Timestamp
    value: Finite


@pydantic_dataclass(frozen=True, slots=True, config=_ROW)
class ClosedTrade:
    """A closed trade. `profit` is after fees."""

    id: Annotated[int, Field(ge=0)] | Text
    closed_at: Timestamp
    profit: Finite
    opened_at: Timestamp | None = None
    profit_ratio: Finite | None = None
    pair: Text | None = None
    size: Positive | None = None
    fees: Positive | None = None


def _listed(value: object) -> object:
    return [value] if isinstance(value, dict) else value


class _System(System):
    # Each one that was measured since the document before.
    response_times: Annotated[tuple[Positive, ...], Field(fail_fast=True, max_length=10_000)] = ()


class StateDocument(Values):
    """What a bot tells of itself: a `timestamp`, objects and lists, all but the first optional."""

    timestamp: Timestamp
    bot: Bot = Bot()
    trading: Trading = Trading()
    model: Model = Model()
    # A bot with a single market may leave the list's brackets out.
    market: Annotated[
        tuple[Market, ...],
        Field(strict=False, max_length=1000),
        BeforeValidator(_listed, json_schema_input_type=Market | Annotated[tuple[Market, ...], Field(max_length=1000)]),
    ] = ()
    system: _System = _System()
    # The first fault of a list is enough: millions of them would be told to nobody, and kept in memory.
    trades: Annotated[tuple[ClosedTrade, ...], Field(fail_fast=True, max_length=20_000)] | None = None
    positions: Annotated[tuple[Position, ...], Field(fail_fast=True, max_length=1000)] | None = None
    equity: Annotated[tuple[EquityPoint, ...], Field(fail_fast=True, max_length=20_000)] | None = None


_document = TypeAdapter(StateDocument)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of the state document."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | StateDocument.model_json_schema()


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
        self._warned: set[str] = set()

    def take(self, text: bytes, in_order: bool = False) -> None:
        """Make a document the present one.

        Args:
            in_order: refuse one that is older than the present one, which may have been overtaken on its way.

        Raises:
            SourceError: it is invalid, with path and reason of every fault; the one before stays.
            OutdatedError: it is older.
        """
        try:
            with _one_at_a_time:
                self._take(text, in_order)
        except SourceError as error:
            self.fail(error.reason, str(error))
            raise
        self._fault = None

    def fail(self, reason: str, sentence: str) -> None:
        """Note why there is no valid document, until there is one."""
        self._fault = reason, sentence

    def _take(self, text: bytes, in_order: bool) -> None:
        document = self._parsed(text)
        self._warn_of_unknown_keys(document)
        self._check_times(document)
        if in_order:
            self._check_order(document.timestamp)
        if document.trades is None:
            self._history = None
        else:
            self._follow(document.trades)
        samples = document.system.response_times
        if samples and (self._good is None or document.timestamp > self._good.timestamp):
            self._response_times = self._response_times or Buckets(RESPONSE_TIME_BUCKETS)
            for sample in samples:
                self._response_times.observe(sample)
        self._good = _Good(
            document.timestamp,
            _state_of(document),
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
        if not -MAX_AHEAD <= now - good.timestamp <= self._stale_after:
            written = dt.datetime.fromtimestamp(good.timestamp, self._zone)
            why = f"older than stale_after ({self._stale_after:g} s); does the bot still write it?"
            if good.timestamp > now:  # our clock was set back since
                why = "in the future; are the clocks right?"
            raise fault or SourceError("stale", f"{self._where}: its timestamp is {written}, {why}")
        return replace(
            good.state,
            trades=None if self._history is None else self._history.summary(now, good.state.trading.initial_capital),
            equity=None if good.curve is None else good.curve.summary(now),
            response_times=None if self._response_times is None else self._response_times.value(),
            problems=() if fault is None else (fault,),
        )

    def _parsed(self, text: bytes) -> StateDocument:
        too_much = None
        if len(text) > MAX_BYTES:
            too_much = f"larger than {MAX_BYTES // MIB} MiB"
        elif (values := values_in(text)) > MAX_VALUES:
            too_much = f"has some {values} values, more than {MAX_VALUES}"
        if too_much:
            raise self._invalid(f"{too_much}; state totals and leave lists out")
        try:
            return _document.validate_json(text)
        except ValidationError as error:
            raise self._invalid(_faults(error)) from None

    def _invalid(self, fault: str) -> SourceError:
        return SourceError("invalid", f"{self._where}: {fault}")

    def _warn_of_unknown_keys(self, document: StateDocument) -> None:
        unknown = set(_take_unknown_keys(document)) - self._warned
        for key in sorted(unknown)[: _MOST_WARNINGS - len(self._warned)]:
            self._warned.add(key)
            log.warning("%s: the key %.200r is not known and not used; see the document's schema", self._where, key)

    def _check_times(self, document: StateDocument) -> None:
        now = time.time()
        for key, moment in _times(document):
            if moment > now + MAX_AHEAD:
                raise self._invalid(f"{key} is {moment - now:.0f} s in the future; are the clocks right?")

    def _check_order(self, timestamp: float) -> None:
        # A present one from the future was written before the clock was set back: nobody has to wait until then.
        if self._good is not None and timestamp < self._good.timestamp <= time.time():
            raise OutdatedError(
                f"its timestamp is {self._good.timestamp - timestamp:.3f} s before that of the document here; "
                "is the bot's clock right, does it run once?"
            )

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
            Trade(t.id, t.closed_at, t.profit, t.opened_at, t.profit_ratio, t.pair, t.size, t.fees) for t in trades
        )


def _times(document: StateDocument) -> Iterator[tuple[str, float]]:
    """The latest of a document's times of each kind, with its path."""
    objects = {"": document, "bot.": document.bot, "trading.": document.trading, "model.": document.model}
    for path, keys in _TIMES.items():
        for key in keys:
            value = getattr(objects[path], key)
            if value is not None:
                yield path + key, value
    if document.trades:
        number, trade = max(enumerate(document.trades), key=lambda item: item[1].closed_at)
        yield f"trades.{number}.closed_at", trade.closed_at
    if document.equity:
        number, point = max(enumerate(document.equity), key=lambda item: item[1].time)
        yield f"equity.{number}.time", point.time


_TIMES = {
    "": ("timestamp",),
    "bot.": ("started_at", "last_activity", "data_updated_at"),
    "trading.": ("last_trade_time",),
    "model.": ("last_prediction_time", "last_retraining"),
}


def _take_unknown_keys(document: StateDocument) -> Iterator[str]:
    """Paths of a document's keys that nothing reads, such as `trading.profitloss`: mostly slips of the pen.

    They are taken out, so that nobody keeps their values in memory.
    """
    parts: dict[str, Values] = {"": document, "bot.": document.bot, "trading.": document.trading}
    parts |= {"model.": document.model, "system.": document.system}
    parts |= {f"market.{n}.": market for n, market in enumerate(document.market)}
    parts |= {f"positions.{n}.": position for n, position in enumerate(document.positions or ())}
    for path, part in parts.items():
        if part.model_extra:
            yield from (path + key for key in part.model_extra)
            part.model_extra.clear()


def _state_of(document: StateDocument) -> BotState:
    """A document's state, with its uptime turned into a time of start.

    A bot that states no last activity was active when it wrote: an age counts from there, not from our reading.
    """
    bot = document.bot
    more: dict[str, float | None] = {}
    if bot.last_activity is None:
        more["last_activity"] = document.timestamp
    if bot.started_at is None and bot.uptime is not None:
        more["started_at"] = seconds(document.timestamp - bot.uptime)
    return BotState(
        bot=bot.model_copy(update=more) if more else bot,
        trading=document.trading,
        model=document.model,
        markets=document.market,
        system=document.system,
        positions=document.positions,
    )


def _faults(error: ValidationError) -> str:
    """The faults as `path: reason`, the first ten of them, and how many there are."""
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    lines = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'document'}: {e['msg']}" for e in errors[:_MOST_FAULTS])
    return f"{len(errors)} faults: {lines}" if len(errors) > 1 else lines
