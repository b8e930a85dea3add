"""The contract between sources and metrics: what is known of a bot at one moment.

A source returns one immutable `BotState`. Money is in the bot's account currency, times are Unix seconds, durations are
seconds, ratios are fractions (0.1 is 10 %). A value that is not known is None, never 0.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, GetPydanticSchema, WithJsonSchema
from pydantic_core import CoreSchema, core_schema

from exporter.figures.equity import EquitySummary
from exporter.figures.histogram import Histogram
from exporter.figures.history import Summary
from exporter.values import CURRENCY, FIRST_SECOND, LAST_SECOND, MOST

Status = Literal["running", "paused", "stopped", "reloading", "error", "unknown"]
Mode = Literal["live", "dry_run", "demo"]
Trend = Literal["up", "down", "sideways"]
Regime = Literal["bull", "bear", "sideways", "volatile", "calm"]
STATUSES: tuple[str, ...] = get_args(Status)
TRENDS: tuple[str, ...] = get_args(Trend)
REGIMES: tuple[str, ...] = get_args(Regime)


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


def _whole(value: object) -> object:
    """To JSON 3.0 is 3."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


# Above 2⁵³ a float, which every series is, no longer tells whole numbers apart.
Count = Annotated[int, Field(ge=0, le=2**53), BeforeValidator(_whole)]
Text = Annotated[str, Field(max_length=200)]
# It stands in messages to people, where it may be nothing but the name of a currency.
Currency = Annotated[str, Field(pattern=CURRENCY)]


# Whatever it is, it becomes None, and no object is made of it: it may be large.
_Unused = Annotated[
    None,
    GetPydanticSchema(
        lambda _type, _handler: core_schema.with_default_schema(
            core_schema.none_schema(), default=None, on_error="default"
        )
    ),
    WithJsonSchema({}),
]


def null_is(default: Any) -> GetPydanticSchema:
    """Null counts as left out, for serializers write it."""

    def schema(source: Any, handler: Callable[[Any], CoreSchema]) -> CoreSchema:
        nullable = core_schema.nullable_schema(handler(source))
        return core_schema.no_info_after_validator_function(lambda v: default if v is None else v, nullable)

    return GetPydanticSchema(schema)


class Values(BaseModel):
    """Values of one kind."""

    # A key that is not known is not used (`Documents` warns of it), so that a bot may write more than is read.
    model_config = ConfigDict(frozen=True, strict=True, extra="allow", populate_by_name=True)
    __pydantic_extra__: dict[str, _Unused]


class Bot(Values):
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


class Trading(Values):
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


class Model(Values):
    """The model that predicts for the bot."""

    accuracy: Ratio | None = None
    precision: Ratio | None = None
    recall: Ratio | None = None
    f1_score: Ratio | None = None
    auc: Ratio | None = None
    prediction_confidence: Ratio | None = None
    prediction_uncertainty: Positive | None = None
    predictions_per_hour: Positive | None = None
    prediction_time: Positive | None = None
    last_prediction_time: Timestamp | None = None
    last_retraining: Timestamp | None = None
    retraining_frequency: Positive | None = None
    loaded: bool | None = None
    drift_detected: bool | None = None
    drift_score: Positive | None = None
    data_quality_score: Ratio | None = None
    missing_data_rate: Ratio | None = None
    outlier_rate: Ratio | None = None
    data_freshness: Positive | None = None


class Market(Values):
    """One market that the bot watches."""

    symbol: Annotated[str, Field(min_length=1, max_length=200)]
    volatility: Positive | None = None
    liquidity_score: Finite | None = None
    price_change_1h: Finite | None = None
    price_change_24h: Finite | None = None
    volume_24h: Positive | None = None
    volume_change_24h: Finite | None = None
    rsi: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] | None = None
    macd: Finite | None = None
    bollinger_position: Finite | None = None
    support_resistance_strength: Finite | None = None
    trend: Trend | None = None
    regime: Regime | None = None


class System(Values):
    """What the bot uses, and how quick and reliable what it depends on is."""

    cpu_usage: Ratio | None = None
    memory_usage: Ratio | None = None
    memory_bytes: Positive | None = None
    network_latency: Positive | None = None
    api_latency: Positive | None = None
    api_calls_per_minute: Positive | None = None
    requests_per_second: Positive | None = None
    error_rate: Ratio | None = None
    api_error_rate: Ratio | None = None
    response_time_avg: Positive | None = None
    response_time_p95: Positive | None = None


class Position(Values):
    """An open position. `size` is the money put in; `stop_distance_ratio` how far the price is above its stop."""

    pair: Text
    side: Annotated[Literal["long", "short"], null_is("long")] = "long"
    size: Positive | None = None
    profit: Finite | None = None
    profit_ratio: Finite | None = None
    stop_distance_ratio: Finite | None = None


# Why a reading failed; the values of the label `reason` of trading_bot_source_errors_total.
REASONS = {
    "auth": "user name or password refused",
    "connection": "no connection",
    "dns": "a host name that can't be resolved",
    "http_status": "an answer that is not a success",
    "internal": "a fault of the exporter itself",
    "invalid": "an answer or document that is not what it should be",
    "missing": "no such file or process",
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


_NO_BOT, _NO_TRADING, _NO_MODEL, _NO_SYSTEM = Bot(), Trading(), Model(), System()


@dataclass(frozen=True)
class BotState:
    """What one reading of a bot gave.

    `trades` is None where the source has no closed trades to tell of, or not all of them yet; `history_complete` is
    False in the latter case. `problems` are the faults of parts that could not be read while others could.
    """

    bot: Bot = _NO_BOT
    trading: Trading = _NO_TRADING
    model: Model = _NO_MODEL
    markets: tuple[Market, ...] = ()
    system: System = _NO_SYSTEM
    trades: Summary | None = None
    history_complete: bool = True
    positions: tuple[Position, ...] | None = None
    equity: EquitySummary | None = None
    response_times: Histogram | None = None  # since the exporter's start
    problems: tuple[SourceError, ...] = ()
