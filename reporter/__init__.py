"""Tells the monitoring how a trading bot does. Copy this folder beside your bot; Python 3.9 or later is all it needs.

    from reporter import Reporter

    with Reporter("state.json") as bot:
        bot.trading(profit_loss=12.34)

Leaving the block writes once, so a bot's loop has `with reporter as bot:` each time round. What was told is kept until
it is told anew; None forgets it. A fault is logged, once, and never raised: monitoring must not stop a bot.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import os
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar, cast

log = logging.getLogger("reporter")

KEYS = {
    "bot": "name exchange strategy version mode currency status started_at uptime last_activity data_updated_at",
    "trading": """total_trades winning_trades losing_trades win_rate profit_loss total_pnl realized_profit_loss fees
        daily_pnl weekly_pnl monthly_pnl equity balance initial_capital drawdown max_drawdown sharpe_ratio sortino_ratio
        calmar_ratio profit_factor recovery_factor expectancy trades_per_hour trades_per_day last_trade_time
        active_positions pending_orders position_size_avg position_duration_avg best_trade worst_trade current_exposure
        max_exposure risk_utilization var_95 var_99 expected_shortfall_95 expected_shortfall_99 max_consecutive_losses
        max_consecutive_wins""",
    "model": """accuracy precision recall f1_score auc prediction_confidence prediction_uncertainty predictions_per_hour
        prediction_time last_prediction_time last_retraining retraining_frequency loaded drift_detected drift_score
        data_quality_score missing_data_rate outlier_rate data_freshness""",
    "market": """symbol volatility liquidity_score price_change_1h price_change_24h volume_24h volume_change_24h rsi
        macd bollinger_position support_resistance_strength trend regime""",
    "system": """cpu_usage memory_usage memory_bytes network_latency api_latency api_calls_per_minute error_rate
        requests_per_second api_error_rate response_time_avg response_time_p95 response_times""",
    "trade": "id closed_at profit opened_at profit_ratio pair size fees",
    "position": "pair side size profit profit_ratio stop_distance_ratio",
    "equity": "time value",
}
TIMES = """started_at last_activity data_updated_at last_trade_time last_prediction_time last_retraining opened_at
    closed_at time"""
TEXTS = "name exchange strategy version mode currency status symbol trend regime id pair side"
# With more trades, a bot states totals in `trading`: a document has its limits.
MOST_TRADES, MOST_POINTS, MOST_SAMPLES = 8_000, 5_000, 10_000

_Method = TypeVar("_Method", bound=Callable[..., Any])


def _never_raises(method: _Method) -> _Method:
    @functools.wraps(method)
    def safe(self: Reporter, *arguments: Any, **values: Any) -> Any:
        try:
            with self._lock:
                return method(self, *arguments, **values)
        except Exception as error:
            self._warn(f"{method.__name__}: {error}")

    return cast(_Method, safe)


class Reporter:
    """Writes a bot's state to a file, or sends it to the exporter.

    Args:
        where: a path, or the bot's address at the exporter: http://127.0.0.1:8000/api/v1/bots/my-bot/state
        token: the bot's, for an address.
        timeout: seconds that sending may hold up the bot.

    Raises:
        ValueError: an address without a token.
        OSError: the file's folder can't be made.
    """

    def __init__(self, where: str | os.PathLike[str], token: str | None = None, timeout: float = 2.0) -> None:
        self._where, self._token, self._timeout = os.fspath(where), (token or "").strip(), timeout
        self._lock = threading.RLock()
        self._objects: dict[str, dict[str, Any]] = {"bot": {}, "trading": {}, "model": {}, "system": {}}
        self._markets: dict[str, dict[str, Any]] = {}
        self._trades: dict[Any, dict[str, Any]] = {}
        self._positions: list[dict[str, Any]] | None = None
        self._equity: list[dict[str, Any]] = []
        self._samples: list[float] = []
        self._warned: set[str] = set()
        self._fault: str | None = None
        self._sends = self._where.startswith(("http://", "https://"))
        if self._sends and not self._token:
            raise ValueError(f"{self._where}: needs the bot's token, the one that monitoring.yml names")
        # Straight to the exporter: a proxy for the exchange has nothing to do with it, and shall not see the token.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        if not self._sends:
            self._file = Path(self._where)
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._load()

    @_never_raises
    def bot(self, **values: Any) -> None:
        """Who the bot is and how it is: exchange, mode, currency, status ("running" unless you say otherwise) …"""
        self._update("bot", values)

    @_never_raises
    def trading(self, **values: Any) -> None:
        """Results that you know; what you leave out is computed from trades, positions and equity."""
        self._update("trading", values)

    @_never_raises
    def model(self, **values: Any) -> None:
        """How the model that predicts does."""
        self._update("model", values)

    @_never_raises
    def system(self, **values: Any) -> None:
        """Processor, memory, latencies, errors; `response_times` are those measured since you told the last ones."""
        checked = self._checked("system", values)
        samples = checked.pop("response_times", None)
        if samples is not None:
            self._samples = (self._samples + (samples if isinstance(samples, list) else [samples]))[-MOST_SAMPLES:]
        self._objects["system"].update(checked)

    @_never_raises
    def market(self, symbol: str, **values: Any) -> None:
        """One market that the bot watches."""
        row = self._checked("market", {**values, "symbol": symbol or None})
        if row["symbol"] is None:
            raise ValueError("left out whole, as it has no symbol")
        self._markets.setdefault(row["symbol"], {}).update(row)

    @_never_raises
    def trade(self, id: int | str, closed_at: Any, profit: Any, **values: Any) -> None:  # noqa: A002
        """A closed trade; `profit` is after fees. Told twice, it counts once.

        All of them are needed. Those in the file are known after a restart; to an address, tell them all again.
        """
        row = self._row("trade", {"id": id, "closed_at": closed_at, "profit": profit, **values}, 3)
        self._trades[row["id"]] = row

    @_never_raises
    def positions(self, positions: Iterable[Mapping[str, Any]]) -> None:
        """All positions that are open now, each with its `pair`; [] for none."""
        self._positions = [self._row("position", {"pair": None, **each}, 1) for each in positions]

    @_never_raises
    def equity(self, value: Any, at: datetime | float | None = None) -> None:
        """The account's value, open positions included, deposits and withdrawals left out."""
        self._equity.append(self._row("equity", {"time": time.time() if at is None else at, "value": value}, 2))
        if len(self._equity) > MOST_POINTS:
            self._equity = _thinned(self._equity)

    def __enter__(self) -> Reporter:  # noqa: PYI034 - Self is younger than Python 3.9
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.write(None if kind is None else "error" if issubclass(kind, Exception) else "stopped")

    @_never_raises
    def write(self, status: str | None = None) -> None:
        """Write or send everything now; `status` is the bot's for this once."""
        text = json.dumps(self._document(status), allow_nan=False).encode()
        fault = self._send(text) if self._sends else self._replace(text)
        if fault is None:
            self._samples = []
        if fault != self._fault:
            log.log(logging.WARNING if fault else logging.INFO, "%s", fault or f"{self._where}: works again")
        self._fault = fault

    def _document(self, status: str | None) -> dict[str, Any]:
        now = time.time()
        told = {key: {k: v for k, v in values.items() if v is not None} for key, values in self._objects.items()}
        told["bot"] = {"status": "running", "last_activity": now, **told["bot"]}
        if status is not None:
            told["bot"]["status"] = status
        if self._samples:
            told["system"]["response_times"] = self._samples
        markets = [{k: v for k, v in market.items() if v is not None} for market in self._markets.values()]
        document = {"timestamp": now, **told, "market": markets, "positions": self._positions, "equity": self._equity}
        if len(self._trades) > MOST_TRADES:
            self._warn(f"more than {MOST_TRADES} trades are not told one by one; state the totals with trading(…)")
        else:
            document["trades"] = list(self._trades.values())
        # An empty list of positions is a fact; that nobody told a trade is none.
        return {key: v for key, v in document.items() if v or (key == "positions" and v is not None)}

    def _update(self, kind: str, values: Mapping[str, Any]) -> None:
        self._objects[kind].update(self._checked(kind, values))

    def _row(self, kind: str, values: Mapping[str, Any], needed: int) -> dict[str, Any]:
        row = {key: value for key, value in self._checked(kind, values).items() if value is not None}
        if missing := [key for key in list(values)[:needed] if key not in row]:
            raise ValueError(f"left out whole, as it has no {missing[0]}")
        return row

    def _checked(self, kind: str, values: Mapping[str, Any]) -> dict[str, Any]:
        row = {}
        for key, value in values.items():
            if key not in KEYS[kind].split():
                self._warn(f"{kind}: {key} is not known and left out")
                continue
            try:
                row[key] = None if value is None else _plain(key, value)
            except (ArithmeticError, TypeError, ValueError) as error:
                row[key] = None
                self._warn(f"{kind}: {key} is left out: {error}")
        return row

    def _warn(self, sentence: str) -> None:
        if sentence not in self._warned and len(self._warned) < 1000:
            self._warned.add(sentence)
            log.warning("%s", sentence)

    def _replace(self, text: bytes) -> str | None:
        draft = Path(f"{self._where}.new")
        try:
            draft.write_bytes(text)
            # The exporter may be another user. Who wants it otherwise changes the file's mode once.
            draft.chmod(self._file.stat().st_mode & 0o777 if self._file.exists() else 0o644)
            draft.replace(self._file)
        except OSError as error:
            with contextlib.suppress(OSError):
                draft.unlink()
            return f"{self._where}: {error.strerror}; may the bot write there?"
        return None

    def _send(self, text: bytes) -> str | None:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        request = urllib.request.Request(self._where, text, headers, method="PUT")  # noqa: S310 - http, see above
        try:
            with self._opener.open(request, timeout=self._timeout):
                return None
        except urllib.error.HTTPError as error:
            with error:
                return f"{self._where}: HTTP {error.code}: {error.read(500).decode(errors='replace').strip()}"
        except OSError as error:
            return f"{self._where}: {getattr(error, 'reason', error)}; does the exporter run there?"

    def _load(self) -> None:
        """Take over the trades and the equity that the file tells of."""
        try:
            document = json.loads(self._file.read_bytes())
            for trade in document.get("trades", []):
                self.trade(**trade)
            self._equity = [self._row("equity", point, 2) for point in document.get("equity", [])]
        except FileNotFoundError:
            pass
        except Exception as error:
            log.warning("%s: what it told is not taken over: %s", self._where, error)


def _plain(key: str, value: Any) -> Any:
    """A value as the document has it: numbers of any library or in a text, times as Unix seconds, texts cut short."""
    if hasattr(value, "tolist"):  # numpy's and pandas's
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        if key != "response_times":
            raise ValueError("it is a list")
        return [_plain("", each) for each in value]
    if key in TEXTS.split() and not (key == "id" and isinstance(value, int)):
        return str(value)[:200].encode("utf-8", "replace").decode()
    if isinstance(value, bool):
        return value
    number = _seconds(value) if key in TIMES.split() else value if isinstance(value, int) else float(value)
    if not -1e15 <= number <= 1e15:  # NaN too
        raise ValueError(f"{number:g} is not a number that can be")
    return int(number) if number == int(number) else number  # a count is never 3.0


def _seconds(value: Any) -> float:
    if isinstance(value, str):
        value = datetime.fromisoformat(value.replace("Z", "+00:00"))  # noqa: FURB162 - Python 3.9 knows no Z
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone; use datetime.now(timezone.utc)")
        value = value.timestamp()
    number = float(value)
    if number > 1e11:
        raise ValueError(f"{number:.0f} looks like milliseconds; give seconds")
    return number


def _thinned(points: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """All but the latest thousand cut down to each day's highest, lowest and last: peaks and falls stay."""
    days: dict[int, list[dict[str, Any]]] = {}
    for point in points[:-1000]:
        days.setdefault(int(point["time"] // 86400), []).append(point)
    kept = []
    for day in days.values():
        high, low = max(day, key=lambda p: p["value"]), min(day, key=lambda p: p["value"])
        kept += [point for point in day if point is high or point is low or point is day[-1]]
    return kept + points[-1000:]
