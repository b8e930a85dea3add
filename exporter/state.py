"""The contract between sources and metrics: what is known of a bot at one moment.

A source returns one immutable `BotState`. The JSON document that bots write themselves (`file` source) is
`StateDocument`; `json_schema()` publishes its schema. Money is in the bot's account currency, times are Unix
seconds, durations are seconds, ratios are fractions (0.1 is 10 %). A value that is not known is None, never 0.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, WithJsonSchema
from pydantic.dataclasses import dataclass as pydantic_dataclass

from exporter.equity import EquitySummary
from exporter.history import Summary, Trade
from exporter.values import CURRENCY, FIRST_SECOND, LAST_SECOND, MOST

Status = Literal["running", "paused", "stopped", "reloading", "error", "unknown"]
Mode = Literal["live", "dry_run", "demo"]
STATUSES: tuple[str, ...] = get_args(Status)


def _timestamp(value: object) -> object:
    """Unix seconds from a number, or from an ISO 8601 text with a zone."""
    allowed = "Unix seconds or ISO 8601 with a time zone, such as 1795255243 or 2026-11-21T10:00:43Z"
    if isinstance(value, str):
        try:
            moment = dt.datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(f"must be {allowed}") from None
        if moment.tzinfo is None:
            raise ValueError(f"has no time zone; must be {allowed}")
        value = moment.timestamp()
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"must be {allowed}")
    if value > LAST_SECOND:
        raise ValueError(f"looks like milliseconds; must be {allowed}")
    if not value >= FIRST_SECOND:  # NaN too
        raise ValueError(f"is before the year 2000; must be {allowed}")
    return float(value)


Timestamp = Annotated[
    float,
    BeforeValidator(_timestamp),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": FIRST_SECOND, "maximum": LAST_SECOND},
                {"type": "string", "format": "date-time"},
            ]
        }
    ),
]
Finite = Annotated[float, Field(ge=-MOST, le=MOST, allow_inf_nan=False)]
Positive = Annotated[float, Field(ge=0, le=MOST, allow_inf_nan=False)]
Ratio = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
# Above 2⁵³ a float, which every series is, no longer tells whole numbers apart.
Count = Annotated[int, Field(ge=0, le=2**53)]
Text = Annotated[str, Field(max_length=200)]
# It stands in messages to people, where it may be nothing but the name of a currency.
Currency = Annotated[str, Field(pattern=CURRENCY)]


class _Object(BaseModel):
    # A key that is not known is ignored (see unknown_keys), so that a bot may write more than is read.
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", populate_by_name=True)


# Of the rows of lists there are many: with slots each takes a fifth of a model's memory.
_ROW = ConfigDict(strict=True, extra="ignore")


class Bot(_Object):
    """Who the bot is and whether it works."""

    name: Text | None = None
    exchange: Text | None = None
    strategy: Text | None = None
    version: Text | None = None
    mode: Mode | None = None
    currency: Currency | None = None
    status: Status | None = None
    started_at: Timestamp | None = None
    uptime: Positive | None = None
    last_activity: Timestamp | None = None
    data_updated_at: Timestamp | None = None


class Trading(_Object):
    """Results as the bot states them; what it leaves out is computed from its trades, positions and equity."""

    total_trades: Count | None = None
    winning_trades: Count | None = None
    losing_trades: Count | None = None
    win_rate: Ratio | None = None
    profit_loss: Finite | None = Field(None, validation_alias=AliasChoices("profit_loss", "total_pnl"))
    realized_profit_loss: Finite | None = None
    fees: Positive | None = None
    daily_pnl: Finite | None = None
    weekly_pnl: Finite | None = None
    monthly_pnl: Finite | None = None
    equity: Finite | None = None
    balance: Finite | None = None
    initial_capital: Positive | None = None
    drawdown: Ratio | None = None
    max_drawdown: Ratio | None = None
    sharpe_ratio: Finite | None = None
    sortino_ratio: Finite | None = None
    calmar_ratio: Finite | None = None
    profit_factor: Positive | None = None
    recovery_factor: Finite | None = None
    expectancy: Finite | None = None
    trades_per_hour: Positive | None = None
    trades_per_day: Positive | None = None
    last_trade_time: Timestamp | None = None
    active_positions: Count | None = None
    pending_orders: Count | None = None
    position_size_avg: Positive | None = None
    position_duration_avg: Positive | None = None
    best_trade: Finite | None = None
    worst_trade: Finite | None = None
    current_exposure: Positive | None = None
    max_exposure: Positive | None = None
    risk_utilization: Positive | None = None
    var_95: Finite | None = None
    var_99: Finite | None = None
    expected_shortfall_95: Finite | None = None
    expected_shortfall_99: Finite | None = None
    max_consecutive_losses: Count | None = None
    max_consecutive_wins: Count | None = None


class Position(_Object):
    """An open position. `size` is the money put in; `stop_distance_ratio` how far the price is above its stop."""

    pair: Text
    side: Literal["long", "short"] = "long"
    size: Positive | None = None
    profit: Finite | None = None
    profit_ratio: Finite | None = None
    stop_distance_ratio: Finite | None = None


@pydantic_dataclass(frozen=True, slots=True, config=_ROW)
class EquityPoint:
    """The account's value at a time."""

    time: Timestamp
    value: Finite


@pydantic_dataclass(frozen=True, slots=True, config=_ROW)
class _DocumentTrade:
    """A closed trade in a document. `profit` is after fees."""

    id: Annotated[int, Field(ge=0)] | Text
    closed_at: Timestamp
    profit: Finite
    opened_at: Timestamp | None = None
    profit_ratio: Finite | None = None
    pair: Text | None = None
    size: Positive | None = None
    fees: Positive | None = None


class StateDocument(_Object):
    """The document that a bot in any language writes: a `timestamp`, objects and lists, all but the first optional."""

    timestamp: Timestamp
    bot: Bot = Bot()
    trading: Trading = Trading()
    # The first fault of a list is enough: millions of them would be told to nobody, and kept in memory.
    trades: Annotated[tuple[_DocumentTrade, ...], Field(fail_fast=True, max_length=20_000)] | None = None
    positions: Annotated[tuple[Position, ...], Field(fail_fast=True, max_length=1000)] | None = None
    equity: Annotated[tuple[EquityPoint, ...], Field(fail_fast=True, max_length=20_000)] | None = None

    def latest_time(self) -> tuple[str, float]:
        """The latest of the document's times, with its path."""
        times = {"timestamp": self.timestamp, "trading.last_trade_time": self.trading.last_trade_time}
        times |= {f"bot.{k}": getattr(self.bot, k) for k in ("started_at", "last_activity", "data_updated_at")}
        times |= {f"trades.{n}.closed_at": trade.closed_at for n, trade in enumerate(self.trades or ())}
        times |= {f"equity.{n}.time": point.time for n, point in enumerate(self.equity or ())}
        return max(((path, time) for path, time in times.items() if time is not None), key=lambda item: item[1])

    def closed_trades(self) -> list[Trade]:
        """The document's closed trades as the history takes them."""
        return [
            Trade(t.id, t.closed_at, t.profit, t.opened_at, t.profit_ratio, t.pair, t.size, t.fees)
            for t in self.trades or ()
        ]


_document = TypeAdapter(StateDocument)


def parse_document(text: bytes | str) -> StateDocument:
    """Validate a state document.

    Raises:
        pydantic.ValidationError: with the path and the reason of every fault.
    """
    return _document.validate_json(text)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of the state document."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | StateDocument.model_json_schema()


def unknown_keys(document: Mapping[str, Any]) -> Iterator[str]:
    """Paths of a document's keys that nothing reads, such as `trading.profitloss`: mostly slips of the pen."""
    for key, value in document.items():
        field = StateDocument.model_fields.get(key)
        if field is None:
            yield key
        elif key in ("bot", "trading") and isinstance(value, dict):
            known = set((Bot if key == "bot" else Trading).model_fields) | {"total_pnl"}
            yield from (f"{key}.{k}" for k in value if k not in known)


# Why a reading failed; the values of the label `reason` of trading_bot_source_errors_total.
REASONS = {
    "auth": "user name or password refused",
    "connection": "no connection",
    "http_status": "an answer that is not a success",
    "internal": "a fault of the exporter itself",
    "invalid": "an answer or document that is not what it should be",
    "missing": "no such file",
    "stale": "a document older than stale_after",
    "timeout": "no answer in time",
    "tls": "no trusted encrypted connection",
}


class SourceError(Exception):
    """A bot, or a part of it, could not be read.

    Args:
        reason: one of `REASONS`.
        message: what is wrong, where, and what to do next, for a person. As a bot may have a say in it, what can't be
            printed is escaped, and it is cut at 300 characters.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(_printable(message, 300))
        self.reason = reason


def _printable(text: str, most: int) -> str:
    """A text without what would steer a terminal or break a line of the log, cut at so many characters."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[: most + 1])
    return shown if len(shown) <= most else shown[: most - 1] + "…"


_NO_BOT, _NO_TRADING = Bot(), Trading()


@dataclass(frozen=True)
class BotState:
    """What one reading of a bot gave.

    `trades` is None where the source has no closed trades to tell of, or not all of them yet; `history_complete` is
    False in the latter case. `problems` are the faults of parts that could not be read while others could.
    """

    bot: Bot = _NO_BOT
    trading: Trading = _NO_TRADING
    trades: Summary | None = None
    history_complete: bool = True
    positions: tuple[Position, ...] | None = None
    equity: EquitySummary | None = None
    problems: tuple[SourceError, ...] = ()
