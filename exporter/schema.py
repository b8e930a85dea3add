"""What a state document may say: JSON that a bot in any language writes, serves or sends."""

from __future__ import annotations

import codecs
import difflib
import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, PlainValidator, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as pydantic_dataclass

from exporter.state import (
    Bot,
    BotState,
    Finite,
    Market,
    Model,
    Position,
    Positive,
    System,
    Text,
    Timestamp,
    Trading,
    Values,
    null_is,
)
from exporter.values import finite, seconds, values_in

MIB = 1 << 20
# A parsed document takes some ten times its size in memory, one of many small values far more.
MAX_BYTES = 2 * MIB
MAX_VALUES = 100_000
_MOST_FAULTS = 10
# Of the rows of lists there are many: with slots each takes a fifth of a model's memory.
_ROW = ConfigDict(strict=True, extra="ignore")


@pydantic_dataclass(frozen=True, slots=True, config=_ROW)
class EquityPoint:
    """The account's value at a time."""

    time: Timestamp
    value: Finite


def _identity(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and len(value) <= 200:
        return value
    raise ValueError("must be a whole number, not negative, or a text of at most 200 characters")


_Identity = Annotated[int | str, PlainValidator(_identity, json_schema_input_type=Annotated[int, Field(ge=0)] | Text)]


@pydantic_dataclass(frozen=True, slots=True, config=_ROW)
class ClosedTrade:
    """A closed trade. `profit` is after fees."""

    id: _Identity
    closed_at: Timestamp
    profit: Finite
    opened_at: Timestamp | None = None
    profit_ratio: Finite | None = None
    pair: Text | None = None
    size: Positive | None = None
    fees: Positive | None = None


def _listed(value: object) -> object:
    return [value] if isinstance(value, dict) else () if value is None else value


class _System(System):
    # Each one that was measured since the document before or, where their times stand beside them, lately.
    response_times: Annotated[tuple[Positive, ...], Field(fail_fast=True, max_length=10_000), null_is(())] = ()
    response_times_at: Annotated[tuple[Timestamp, ...], Field(fail_fast=True, max_length=10_000), null_is(())] = ()


class StateDocument(Values):
    """What a bot tells of itself: a `timestamp`, objects and lists, all but the first optional."""

    timestamp: Timestamp
    bot: Annotated[Bot, null_is(Bot())] = Bot()
    trading: Annotated[Trading, null_is(Trading())] = Trading()
    model: Annotated[Model, null_is(Model())] = Model()
    # A bot with a single market may leave the list's brackets out.
    market: Annotated[
        tuple[Market, ...],
        Field(strict=False, max_length=1000),
        BeforeValidator(
            _listed, json_schema_input_type=Market | Annotated[tuple[Market, ...], Field(max_length=1000)] | None
        ),
    ] = ()
    system: Annotated[_System, null_is(_System())] = _System()
    # The first fault of a list is enough: millions of them would be told to nobody, and kept in memory.
    trades: Annotated[tuple[ClosedTrade, ...], Field(fail_fast=True, max_length=10_000)] | None = None
    positions: Annotated[tuple[Position, ...], Field(fail_fast=True, max_length=1000)] | None = None
    equity: Annotated[tuple[EquityPoint, ...], Field(fail_fast=True, max_length=10_000)] | None = None


_document = TypeAdapter(StateDocument)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of the state document."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | StateDocument.model_json_schema()


def parsed(text: bytes) -> StateDocument:
    """A document from its text.

    Raises:
        ValueError: it is none, with path and reason of every fault.
    """
    too_much = None
    if len(text) > MAX_BYTES:
        too_much = f"larger than {MAX_BYTES // MIB} MiB"
    elif (values := values_in(text)) > MAX_VALUES:
        too_much = f"has some {values} values, more than {MAX_VALUES}"
    if too_much:
        raise ValueError(f"{too_much}; state totals and leave lists out")
    if text.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in text[:2]:
        raise ValueError("must be UTF-8 without a byte order mark")
    try:
        return _document.validate_json(text)
    except ValidationError as error:
        raise ValueError(_faults(error)) from None


def times(document: StateDocument) -> Iterator[tuple[str, float]]:
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
    if document.system.response_times_at:
        yield "system.response_times_at", max(document.system.response_times_at)


_TIMES = {
    "": ("timestamp",),
    "bot.": ("started_at", "last_activity", "data_updated_at"),
    "trading.": ("last_trade_time",),
    "model.": ("last_prediction_time", "last_retraining"),
}


def take_unknown_keys(document: StateDocument) -> Iterator[str]:
    """Paths of a document's keys that nothing reads, such as `trading.profitloss`: mostly slips of the pen.

    They are taken out, so that nobody keeps their values in memory.
    """
    parts: dict[str, Values] = {"": document, "bot.": document.bot, "trading.": document.trading}
    parts |= {"model.": document.model, "system.": document.system}
    parts |= {f"market.{n}.": market for n, market in enumerate(document.market)}
    parts |= {f"positions.{n}.": position for n, position in enumerate(document.positions or ())}
    for path, part in parts.items():
        if part.model_extra:
            yield from (path + key[:200] for key in part.model_extra)
            part.model_extra.clear()


def state_of(document: StateDocument) -> BotState:
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
        positions=None
        if document.positions is None
        else tuple(p.model_copy(update={"profit_ratio": ratio(p.profit_ratio, p)}) for p in document.positions),
    )


def ratio(stated: float | None, of: ClosedTrade | Position) -> float | None:
    """The profit of a trade or position as a fraction of what was put in, where it isn't stated."""
    if stated is not None or of.profit is None or not of.size:
        return stated
    return finite(of.profit / of.size)


def meant(path: str) -> str | None:
    """The known key that an unknown key's path may be a slip of."""
    part, _, key = path.rpartition(".")
    keys = _PARTS[part.partition(".")[0]].model_fields if part.partition(".")[0] in _PARTS else {}
    return next(iter(difflib.get_close_matches(key[:200], keys, 1)), None)


_PARTS: Mapping[str, type[Values]] = {
    "": StateDocument,
    "bot": Bot,
    "trading": Trading,
    "model": Model,
    "market": Market,
    "system": _System,
    "positions": Position,
}


def _faults(error: ValidationError) -> str:
    """The faults in words, the first ten of them, and how many there are."""
    errors = error.errors(include_url=False)
    lines = "; ".join(map(_fault, errors[:_MOST_FAULTS]))
    return f"{len(errors)} faults: {lines}" if len(errors) > 1 else lines


def _fault(error: Mapping[str, Any]) -> str:
    """A fault as: path, value, what is allowed."""
    kind, context, value = error["type"], error.get("ctx", {}), error["input"]
    path = ".".join(map(str, error["loc"])) or "the document"
    if kind == "missing":
        return f"{path} is missing"
    if kind == "json_invalid":
        advice = ""
        if context["error"].startswith("EOF"):
            advice = "; half-written? write a new file and rename it over the old one"
        elif "unicode" in context["error"]:
            advice = "; must be UTF-8"
        return f"not JSON: {context['error']}{advice}"
    return f"{path} is {_shown(value)}: {_allowed(kind, context) or error['msg']}"


def _shown(value: object) -> str:
    if isinstance(value, dict | list | tuple):
        return "an object" if isinstance(value, dict) else "a list"
    text = json.dumps(value[:40] if isinstance(value, str) else value, ensure_ascii=False)
    return text if len(text) <= 40 else text[:39] + "…"


def _allowed(kind: str, context: Mapping[str, Any]) -> str | None:
    most = context.get("le")
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        return f"must be {context['expected']}".replace("'", "")
    if kind in ("less_than_equal", "greater_than_equal"):
        if most is None:
            return "must not be negative" if context["ge"] == 0 else f"must be at least {context['ge']:g}"
        return "must be 0 to 1; 0.85 is 85 %" if most == 1 else f"must be at most {most:g}"
    if kind.endswith("too_long"):
        return f"must have at most {context['max_length']} {'characters' if kind == 'string_too_long' else 'items'}"
    return _MUST_BE.get(kind)


# By pydantic's types of errors.
_MUST_BE = {
    "bool_type": "must be true or false",
    "dataclass_type": "must be an object",
    "finite_number": "must be a finite number",
    "float_type": "must be a number",
    "int_type": "must be a whole number",
    "model_type": "must be an object",
    "string_pattern_mismatch": "must be 1 to 12 letters or digits, such as USDT",
    "string_too_short": "must not be empty",
    "string_type": "must be a text",
    "tuple_type": "must be a list",
}
