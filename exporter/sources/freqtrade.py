"""Source `freqtrade`: the REST API of a running freqtrade bot.

Which value comes from which call stands in docs/freqtrade.md. Calls are made one after another, each with a short
time-out of its own: when an exchange hangs, /status and /profit hang with it while /health stays quick.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from exporter.figures.histogram import RESPONSE_TIME_BUCKETS, Buckets
from exporter.figures.history import Summary
from exporter.sources import Group, Part
from exporter.sources.client import MIB, get, new_session, parsed
from exporter.sources.freqtrade_trades import TradeReader
from exporter.state import Bot, BotState, Position, SourceError, Status, Trading
from exporter.values import currency, finite, label, seconds

T = TypeVar("T")

# Seconds. Liveness is asked every 10 s, so it may not wait long; candles are a matter of memory only.
_ALIVE, _CANDLES, _SLOW = 3.0, 1.5, 5.0

# The lists; what else there is, one object or a candle, is far below the 1 MiB that any call may give.
_MOST_BYTES = {"status": 4 * MIB, "trades": 4 * MIB}

_STATUS: dict[str, Status] = {
    "running": "running",
    "paused": "paused",
    "stopped": "stopped",
    "reload_config": "reloading",
}


class FreqtradeSource:
    """Reads a freqtrade bot.

    Args:
        url: the API server's address, such as http://127.0.0.1:8080.
        username, password: of freqtrade's `api_server`.
        zone: the time zone of days, weeks and months.
        ca_file: certificates to trust instead of the well-known ones.
    """

    groups: Mapping[Group, Part] = {"bot": "bot", "trading": "trading", "system": "api"}

    def __init__(self, url: str, username: str, password: str, zone: ZoneInfo, ca_file: Path | None = None) -> None:
        self._api = url.rstrip("/") + "/api/v1/"
        # Basic on every call: no login whose tokens could run out, and a restarted bot needs no new one.
        self._session = new_session(username, password, ca_file=ca_file)
        self._trades = TradeReader(self._fetch_trades, zone)
        self._response_times = Buckets(RESPONSE_TIME_BUCKETS)
        self._lock = Lock()  # parts are read at the same time, and all observe response times

    def read(self, part: Part, deadline: float) -> BotState:
        """Read whether the bot is alive (`bot`), its results (`trading`), or how its API answers (`api`)."""
        if part == "api":  # from the calls of the others
            with self._lock:
                return BotState(response_times=self._response_times.value())
        return self._read_bot(deadline) if part == "bot" else self._read_trading(deadline)

    def _get(self, call: str, deadline: float, at_most: float, **params: Any) -> Any:
        url = self._api + call
        began = time.monotonic()
        try:
            body = get(self._session, url, deadline, at_most, params, _MOST_BYTES.get(call, MIB))
        except SourceError as error:
            # Whoever waits in vain has waited, if there was time to; a refused connection is quick, and no answer.
            if error.reason in ("auth", "http_status", "timeout") and began < deadline:
                self._observe(time.monotonic() - began)
            raise
        self._observe(time.monotonic() - began)
        return parsed(url, body)

    def _observe(self, response_time: float) -> None:
        with self._lock:
            self._response_times.observe(response_time)

    def _read_bot(self, deadline: float) -> BotState:
        health = _object(self._get("health", deadline, _ALIVE), "health")
        config = _object(self._get("show_config", deadline, _ALIVE), "show_config")
        problems: list[SourceError] = []
        bot = bot_of(health, config)
        if bot.status == "running":
            updated = _attempt(lambda: self._data_updated_at(config, deadline), problems)
            bot = bot.model_copy(update={"data_updated_at": updated})
        return BotState(bot=bot, problems=tuple(problems))

    def _data_updated_at(self, config: Mapping[str, Any], deadline: float) -> float | None:
        pairs = _object(self._get("whitelist", deadline, _CANDLES), "whitelist").get("whitelist")
        if not pairs or not config.get("timeframe"):
            return None
        candles = self._get("pair_candles", deadline, _CANDLES, pair=pairs[0], timeframe=config["timeframe"], limit=1)
        return candles_current_until(_object(candles, "pair_candles"), time.time())

    def _read_trading(self, deadline: float) -> BotState:
        config = _object(self._get("show_config", deadline, _ALIVE), "show_config")
        problems: list[SourceError] = []

        def ask(call: str) -> dict[str, Any]:
            return _attempt(lambda: _object(self._get(call, deadline, _SLOW), call), problems) or {}

        balance = ask("balance")
        # While the trader is stopped /count answers 502, but /status still lists the open trades.
        count = ask("count") if config.get("state") != "stopped" else {}
        summary = _attempt(lambda: self._summary(balance, deadline), problems)
        profit = ask("profit")
        status: Any = _attempt(lambda: self._get("status", deadline, _SLOW), problems)
        positions = _attempt(lambda: positions_of(status), problems) if status is not None else None
        orders = _attempt(lambda: _pending_orders(status), problems) if positions is not None else None
        return BotState(
            trading=trading_of(config, balance, count, profit, orders),
            trades=summary,
            history_complete=summary is not None,
            positions=positions,
            problems=tuple(problems),
        )

    def _summary(self, balance: Mapping[str, Any], deadline: float) -> Summary | None:
        history = self._trades.read(deadline)
        if history is None:
            return None
        return history.summary(time.time(), finite(balance.get("starting_capital")))

    def _fetch_trades(self, limit: int, offset: int, deadline: float) -> Mapping[str, Any]:
        page = self._get("trades", deadline, _SLOW, limit=limit, offset=offset, order_by_id="false")
        return _object(page, "trades")


def _attempt(ask: Callable[[], T], problems: list[SourceError]) -> T | None:
    """One part's value; a part that can't be read is noted and doesn't take the others with it."""
    try:
        return ask()
    except SourceError as error:
        # Afresh: the one that was raised would keep the answer in memory, by its frames.
        problems.append(SourceError(error.reason, str(error)))
    except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError) as error:
        problems.append(SourceError("invalid", f"an answer of freqtrade has not the shape of its API 2: {error!r}"))
    return None


def _object(answer: Any, call: str) -> dict[str, Any]:
    if not isinstance(answer, dict):
        raise SourceError("invalid", f"/{call}: a JSON object was expected, not {type(answer).__name__}")
    return answer


def bot_of(health: Mapping[str, Any], config: Mapping[str, Any]) -> Bot:
    """Identity and liveness from /health and /show_config."""
    dry_run = config.get("dry_run")
    return Bot.model_construct(
        name=label(config.get("bot_name")),
        exchange=label(config.get("exchange")),
        strategy=label(config.get("strategy")),
        version=label(config.get("version")),
        mode="dry_run" if dry_run is True else "live" if dry_run is False else None,
        currency=currency(config.get("stake_currency")),
        status=_STATUS.get(str(config.get("state")), "unknown"),
        # bot_start_ts is kept in the bot's database and survives restarts; bot_startup_ts is this run's.
        started_at=seconds(health.get("bot_startup_ts")),
        last_activity=seconds(health.get("last_process_ts")),
    )


def candles_current_until(candles: Mapping[str, Any], now: float) -> float | None:
    """The latest moment for which the newest complete candle was the newest there could be, at most now.

    A candle that opened at T is complete at T + timeframe and the newest one until T + 2 × timeframe. So the age of
    this moment is 0 for a bot with current data, whatever its timeframe.
    """
    rows, columns, timeframe = candles.get("data"), candles.get("columns"), finite(candles.get("timeframe_ms"))
    if not rows or not columns or not timeframe:
        return None
    opened = finite(rows[-1][columns.index("__date_ts")])
    return None if opened is None else min(now, (opened + 2 * timeframe) / 1000)


def positions_of(status: list[dict[str, Any]]) -> tuple[Position, ...]:
    """Open trades of /status. Their profits are null while the exchange can't be reached."""
    return tuple(
        Position.model_construct(
            pair=label(str(trade["pair"])) or "unknown",
            side="short" if trade.get("is_short") else "long",
            size=finite(trade.get("stake_amount")),
            profit=finite(trade.get("profit_abs")),
            # An entry that isn't filled yet is stated with zeros that nobody measured.
            profit_ratio=finite(trade.get("profit_ratio")) if trade.get("amount") else None,
            stop_distance_ratio=_stop_distance(trade) if trade.get("amount") else None,
        )
        for trade in status
    )


def _stop_distance(trade: Mapping[str, Any]) -> float | None:
    # freqtrade states stop minus price: below 0 for a long position whose stop is not reached.
    distance = finite(trade.get("stoploss_current_dist_ratio"))
    return None if distance is None else distance if trade.get("is_short") else -distance


def trading_of(
    config: Mapping[str, Any],
    balance: Mapping[str, Any],
    count: Mapping[str, Any],
    profit: Mapping[str, Any],
    orders: int | None,
) -> Trading:
    """What freqtrade states by our definitions; the rest is computed from its trades and positions."""
    current = finite(count.get("current"))
    capital = finite(balance.get("starting_capital"))
    total, realized = finite(profit.get("profit_all_coin")), finite(profit.get("profit_closed_coin"))
    return Trading.model_construct(
        profit_loss=total,
        realized_profit_loss=realized,
        initial_capital=capital,
        # While the exchange is away /balance goes on with old prices; only /profit shows that, by null.
        balance=None if total is None else finite(balance.get("total_bot")),
        active_positions=None if current is None or current < 0 else int(current),
        pending_orders=orders,
        current_exposure=finite(count.get("total_stake")),
        max_exposure=_max_exposure(config, capital, realized),
    )


def _pending_orders(status: list[dict[str, Any]]) -> int:
    return sum(bool(order.get("is_open")) for trade in status for order in trade.get("orders") or ())


def _max_exposure(config: Mapping[str, Any], capital: float | None, realized: float | None) -> float | None:
    """Stake a trade × trades at once, at most the bot's capital; all of its capital where the stake is unlimited."""
    own = None if capital is None or realized is None else capital + realized
    try:
        staked = float(config["stake_amount"]) * float(config["max_open_trades"])
    except (KeyError, OverflowError, TypeError, ValueError):
        return own
    if not 0 < staked < math.inf:  # max_open_trades is -1 for any number of them
        return own
    return staked if own is None else min(staked, own)
