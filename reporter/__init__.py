"""Tells the monitoring how a trading bot does. Copy this folder beside your bot; Python 3.9 or later is all it needs.

    with Reporter("state.json") as bot:
        bot.trading(profit_loss=12.34)

Leaving the block writes once: a loop has `with reporter as bot:` each time round. What was told is kept until it's told
anew; None, or a value that can't be, forgets it. But for the constructor nothing is raised: a fault is logged, once.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import os
import re
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar, cast

log = logging.getLogger("reporter")
# What there is to tell, after what it may be: one of _NUMBERS, a text, or what a pattern says.
KEYS = {
    "bot": """text: name exchange strategy version; live|dry_run|demo: mode; [A-Za-z0-9]{1,12}: currency;
        running|paused|stopped|reloading|error|unknown: status; time: started_at last_activity data_updated_at;
        positive: uptime""",
    "trading": """count: total_trades winning_trades losing_trades active_positions pending_orders max_consecutive_wins
        max_consecutive_losses; ratio: win_rate drawdown max_drawdown; positive: fees initial_capital profit_factor
        trades_per_hour trades_per_day position_size_avg position_duration_avg current_exposure max_exposure
        risk_utilization; number: profit_loss total_pnl realized_profit_loss daily_pnl weekly_pnl monthly_pnl equity
        balance sharpe_ratio sortino_ratio calmar_ratio recovery_factor expectancy best_trade worst_trade var_95 var_99
        expected_shortfall_95 expected_shortfall_99; time: last_trade_time""",
    "model": """ratio: accuracy precision recall f1_score auc prediction_confidence data_quality_score missing_data_rate
        outlier_rate; positive: prediction_uncertainty predictions_per_hour prediction_time retraining_frequency
        drift_score data_freshness; time: last_prediction_time last_retraining; True|False: loaded drift_detected""",
    "market": """text: symbol; positive: volatility volume_24h; number: liquidity_score price_change_1h price_change_24h
        volume_change_24h macd bollinger_position support_resistance_strength; percent: rsi; up|down|sideways: trend;
        bull|bear|sideways|volatile|calm: regime""",
    "system": """ratio: cpu_usage memory_usage error_rate api_error_rate; positive: memory_bytes network_latency
        api_latency api_calls_per_minute requests_per_second response_time_avg response_time_p95; samples:
        response_times""",
    "trade": "text: id pair; time: closed_at opened_at; number: profit profit_ratio; positive: size fees",
    "position": "text: pair; long|short: side; positive: size; number: profit profit_ratio stop_distance_ratio",
    "equity": "time: time; number: value",
}
_GROUPS = {kind: [group.split(":") for group in groups.split(";")] for kind, groups in KEYS.items()}
_MAY_BE = {k: {key: what.strip() for what, keys in groups for key in keys.split()} for k, groups in _GROUPS.items()}
_NUMBERS = {
    "ratio": (0, 1, "0 to 1; 0.85 is 85 %"),
    "percent": (0, 100, "0 to 100"),
    "count": (0, 2**53, "a whole number, not negative"),
    "positive": (0, 1e15, "a number, not negative"),
    "number": (-1e15, 1e15, "a number"),
    "time": (946_684_800, 1e11, "Unix seconds or a datetime with a time zone, from 2000 until now"),
}
# A document has its limits. What makes it too large is left out whole, as a part of it would tell something else.
MOST = {"trades": 8_000, "equity": 5_000, "market": 1_000, "positions": 1_000}
MOST_BYTES, MOST_VALUES, MOST_SAMPLES = 2 << 20, 100_000, 10_000
_TOLD = 120.0  # seconds that a response time is told: the exporter, which counts it once, doesn't read all documents
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

    `where` is a path, or the bot's address at the exporter, http://127.0.0.1:8000/api/v1/bots/my-bot/state, which needs
    its `token`; sending holds the bot up for at most `timeout` seconds. Raises ValueError for an address without a
    token or a token without an address, OSError where the file's folder can't be made.
    """

    def __init__(self, where: str | os.PathLike[str], token: str | None = None, timeout: float = 2.0) -> None:
        self._where, self._token, self._timeout = os.fspath(where), (token or "").strip(), timeout
        self._lock = threading.RLock()
        self._objects: dict[str, dict[str, Any]] = {"bot": {}, "trading": {}, "model": {}, "system": {}}
        self._markets: dict[str, dict[str, Any]] = {}
        self._trades: dict[Any, dict[str, Any]] = {}
        self._positions: list[dict[str, Any]] | None = None
        self._equity: list[tuple[float, float]] = []  # time, value
        self._samples: list[tuple[float, float]] = []  # when, seconds
        self._warned: set[str] = set()
        self._fault: str | None = None
        self._sending: threading.Thread | None = None
        self._sends = self._where.lower().startswith(("http://", "https://"))
        if self._sends != (token is not None and bool(self._token)):
            raise ValueError(
                f"{self._where}: an address, http://… or https://…, needs the bot's token; a file has none"
            )
        # Straight to the exporter: a proxy for the exchange has nothing to do with it, and shall not see the token.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        if not self._sends:
            self._file = Path(self._where)
            self._file.parent.mkdir(parents=True, exist_ok=True)
            if self._file.is_file():
                self._load()

    @_never_raises
    def bot(self, **values: Any) -> None:
        """Who the bot is and how it is: exchange, mode, currency, status ("running" unless you say otherwise) …"""
        self._objects["bot"].update(self._checked("bot", values))

    @_never_raises
    def trading(self, **values: Any) -> None:
        """Results that you know; what you leave out is computed from trades, positions and equity."""
        self._objects["trading"].update(self._checked("trading", values))

    @_never_raises
    def model(self, **values: Any) -> None:
        """How the model that predicts does."""
        self._objects["model"].update(self._checked("model", values))

    @_never_raises
    def system(self, **values: Any) -> None:
        """Processor, memory, latencies, errors; `response_times` are those measured since you told the last ones."""
        checked, now = self._checked("system", values), time.time()
        self._samples += [(now, each) for each in checked.pop("response_times", None) or []]
        self._objects["system"].update(checked)

    @_never_raises
    def market(self, symbol: str, **values: Any) -> None:
        """One market that the bot watches."""
        row = self._row("market", {"symbol": symbol or None}, 1)
        self._markets.setdefault(row["symbol"], row).update(self._checked("market", values))

    @_never_raises
    def trade(self, id: int | str, closed_at: Any, profit: Any, **values: Any) -> None:  # noqa: A002
        """A closed trade; `profit` is after fees. All are needed; told twice, one counts once."""
        row = self._row("trade", {"id": id, "closed_at": closed_at, "profit": profit, **values}, 3)
        if len(self._trades) <= MOST["trades"]:  # beyond, none of them is told
            self._trades[row["id"]] = row

    @_never_raises
    def positions(self, positions: Iterable[Mapping[str, Any]]) -> None:
        """All positions that are open now, each with its `pair`; [] for none."""
        self._positions = None  # those before are not those of now
        self._positions = [self._row("position", {"pair": None, **each}, 1) for each in positions]

    @_never_raises
    def equity(self, value: Any, at: datetime | float | None = None) -> None:
        """The account's value, open positions included, deposits and withdrawals left out."""
        row = self._row("equity", {"time": time.time() if at is None else at, "value": value}, 2)
        self._equity.append((row["time"], row["value"]))
        if len(self._equity) > MOST["equity"]:
            self._equity = _thinned(self._equity)

    def __enter__(self) -> Reporter:  # noqa: PYI034 - Self is younger than Python 3.9
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.write(None if kind is None else "error" if issubclass(kind, Exception) else "stopped")

    @_never_raises
    def write(self, status: str | None = None) -> None:
        """Write or send everything now; `status` is the bot's for this once."""
        fault = (self._send if self._sends else self._replace)(self._text(status))
        if fault != self._fault:
            log.log(logging.WARNING if fault else logging.INFO, "%s", fault or f"{self._where}: works again")
        self._fault = fault

    def _text(self, status: str | None) -> bytes:
        now = time.time()
        told: dict[str, Any] = {"timestamp": now, **{kind: self._row(kind, row) for kind, row in self._objects.items()}}
        told["bot"] = {"status": "running", "last_activity": now, **told["bot"], **self._row("bot", {"status": status})}
        self._samples = [(when, each) for when, each in self._samples if now - _TOLD <= when <= now][-MOST_SAMPLES:]
        if self._samples:
            told["system"]["response_times"] = [each for _, each in self._samples]
            told["system"]["response_times_at"] = [when for when, _ in self._samples]
        told["market"] = [self._row("market", row) for row in self._markets.values()]
        told["equity"] = [{"time": when, "value": value} for when, value in self._equity]
        told.update(trades=list(self._trades.values()), positions=self._positions)
        # An empty list of positions is a fact; that nobody told a trade is none.
        told = {key: v for key, v in told.items() if v or (key == "positions" and v is not None)}
        while True:
            text = json.dumps(told, allow_nan=False).encode()
            large = len(text) > MOST_BYTES or sum(map(text.count, (b",", b"[", b"{"))) > MOST_VALUES
            over = [key for key, most in MOST.items() if len(told.get(key, ())) > (0 if large else most)]
            if not over:
                return text
            self._warn(f"{over[0]}: more than a document holds, left out whole; state the totals with trading(…)")
            del told[over[0]]

    def _row(self, kind: str, values: Mapping[str, Any], needed: int = 0) -> dict[str, Any]:
        row = {key: value for key, value in self._checked(kind, values).items() if value is not None}
        if missing := [key for key in list(values)[:needed] if key not in row]:
            raise ValueError(f"left out whole, as it has no {missing[0]}")
        return row

    def _checked(self, kind: str, values: Mapping[str, Any]) -> dict[str, Any]:
        row = {}
        for key, value in values.items():
            if key not in _MAY_BE[kind]:
                self._warn(f"{kind}.{key} is not known and left out")
                continue
            try:
                row[key] = None if value is None else _plain(_MAY_BE[kind][key], value)
            except Exception as error:
                row[key] = None
                self._warn(f"{kind}.{key}", f" is {value!r:.40}: {error}; left out")
        return row

    def _warn(self, about: str, fault: str = "") -> None:
        if about not in self._warned and len(self._warned) < 1000:
            self._warned.add(about)
            log.warning("%s%s", about, fault)

    def _replace(self, text: bytes) -> str | None:
        draft = Path(f"{self._where}.new")
        try:
            draft.unlink(missing_ok=True)
            # Anew: where others may write, too, a link in its place would lead to another file.
            with draft.open("xb") as file:
                file.write(text)
            # The exporter may be another user. Who wants it otherwise changes the file's mode once.
            draft.chmod(self._file.stat().st_mode & 0o777 if self._file.exists() else 0o644)
            draft.replace(self._file)
            return None
        except OSError as error:
            with contextlib.suppress(OSError):
                draft.unlink()
            return f"{self._where}: {error.strerror}; may the bot write there?"

    def _send(self, text: bytes) -> str | None:
        """Send aside: neither a name that nobody resolves nor a server that drips holds the bot up for longer."""
        late = f"{self._where}: no answer within {self._timeout:g} s; does the exporter run there?"
        if self._sending is not None and self._sending.is_alive():
            return late
        faults: list[str | None] = []
        self._sending = threading.Thread(target=lambda: faults.append(self._put(text)), daemon=True)
        self._sending.start()
        self._sending.join(self._timeout)
        return faults[0] if faults else late

    def _put(self, text: bytes) -> str | None:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        request = urllib.request.Request(self._where, text, headers, method="PUT")  # noqa: S310 - http, see above
        try:
            with self._opener.open(request, timeout=self._timeout):
                return None
        except urllib.error.HTTPError as error:
            with error:
                said = error.read(500).decode(errors="replace").strip()
                return f"{self._where}: HTTP {error.code}: {''.join(c if c.isprintable() else ' ' for c in said)}"
        except OSError as error:
            return f"{self._where}: {getattr(error, 'reason', error)}; does the exporter run there?"

    def _load(self) -> None:
        """Take over the trades and the equity that the file tells of; what can't be read is kept beside it."""
        try:
            document = json.loads(self._file.read_bytes())
            for trade in document.get("trades") or []:
                self.trade(**trade)
            for point in document.get("equity") or []:
                self.equity(point["value"], at=point["time"])
        except Exception as error:
            damaged = Path(f"{self._where}.damaged")
            with contextlib.suppress(OSError):
                if self._file.is_file() and not damaged.exists():
                    self._file.replace(damaged)
            log.warning("%s: what it told is not taken over, see %s: %s", self._where, damaged, error)


def _plain(what: str, value: Any) -> Any:
    """A value as the document has it: numbers of any library or in a text, times as Unix seconds, texts cut short."""
    if hasattr(value, "tolist"):  # numpy's and pandas's
        value = value.tolist()
    if what == "samples":
        return [_plain("positive", each) for each in (value if isinstance(value, (list, tuple)) else [value])]
    if what == "text":
        return str(value)[:200].encode("utf-8", "replace").decode() or None
    if what in _NUMBERS:
        return _number(what, value)
    if isinstance(value, bool) == (what == "True|False") and re.fullmatch(what, str(value)):
        return value if isinstance(value, bool) else str(value)
    raise ValueError(f"must be {what.replace('|', ', ') if '|' in what else '1 to 12 letters or digits, such as USDT'}")


def _number(what: str, value: Any) -> float:
    low, high, words = _NUMBERS[what]
    with contextlib.suppress(ArithmeticError, TypeError, ValueError):
        if what == "time":
            high = time.time() + 30  # the exporter allows for a minute, as clocks differ
            if isinstance(value, str):
                value = datetime.fromisoformat(value.replace("Z", "+00:00"))  # noqa: FURB162 - Python 3.9 knows no Z
            if isinstance(value, datetime):
                value = value.timestamp() if value.tzinfo else None
        number = value if isinstance(value, int) else float(value)
        whole = number == int(number)
        if low <= number <= high and not isinstance(value, bool) and (whole or what != "count"):
            return int(number) if whole else number
    raise ValueError(f"must be {words}")


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """All but the latest thousand cut down, so that peaks, falls and what each day came to stay as they are.

    Kept are the first, each day's highest and lowest, and the last of each quarter of an hour, one of which ends the
    day in any time zone; of days more than 30 days ago only the last.
    """
    kept, now = {points[0]}, points[-1][0]
    days: dict[float, list[tuple[float, float]]] = {}
    ends: dict[float, tuple[float, float]] = {}
    for point in points[:-1000]:
        days.setdefault(point[0] // 86400, []).append(point)
        ends[point[0] // (900 if now - point[0] < 30 * 86400 else 86400)] = point
    kept.update(ends.values(), *((max(d, key=lambda p: p[1]), min(d, key=lambda p: p[1])) for d in days.values()))
    return [points[0], *sorted(kept - {points[0]})[1001 - MOST["equity"] :], *points[-1000:]]
