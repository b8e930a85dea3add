"""What a scrape costs: by the number of bots, over HTTP, by the length of a history; and how many go in a second."""

from __future__ import annotations

import json
import os
import random
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import requests

from tests.bench.report import row
from tests.exporter.freqtrade_server import PASSWORD, USERNAME, FreqtradeServer
from tests.stack import Stack

MIB = 1 << 20
JSON_EXPORTER = "json_exporter's probe of such a document, 4.4 ms where it was measured"


# With these the document has 100 values.
STATED = """win_rate profit_loss realized_profit_loss fees daily_pnl weekly_pnl monthly_pnl equity drawdown max_drawdown
  sharpe_ratio sortino_ratio calmar_ratio profit_factor recovery_factor expectancy trades_per_hour trades_per_day
  position_size_avg position_duration_avg best_trade worst_trade current_exposure"""


class Exporter:
    """A running exporter, and what it uses."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._process = psutil.Process(stack.pid("exporter"))
        self._session = requests.Session()

    def scrape(self, **parameters: str) -> tuple[float, float, bytes]:
        """Seconds and processor seconds of a scrape, and its answer."""
        processor, began = self._processor(), time.perf_counter()
        url = f"{self._stack.url('exporter')}/metrics"
        headers = {"X-Prometheus-Scrape-Timeout-Seconds": "60", "Accept-Encoding": "identity"}
        answer = self._session.get(url, params=parameters, headers=headers, timeout=120)
        answer.raise_for_status()
        return time.perf_counter() - began, self._processor() - processor, answer.content

    def peak_memory(self) -> float:
        """The most memory that it ever had resident, in MiB."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024

    def _processor(self) -> float:
        times = self._process.cpu_times()
        return times.user + times.system


@contextmanager
def exporter(monitoring: Mapping[str, Any], folder: Path) -> Iterator[Exporter]:
    """The exporter as its own process."""
    folder.mkdir(exist_ok=True)
    stack = Stack(folder, monitoring, {"BENCH_PASSWORD": PASSWORD})
    try:
        stack.start("exporter")
        stack.wait_ready("exporter")
        yield Exporter(stack)
    finally:
        stack.stop()


def document(number: int, now: float) -> dict[str, Any]:
    """A state of about 100 values, with ten days of trades besides: 60 of them, the newest of this minute."""
    chance = random.Random(number)  # noqa: S311 - a story, not a secret
    day = now - now % 86400
    trades = [
        {"id": n, "opened_at": at - 1800, "closed_at": at, "profit": profit, "profit_ratio": profit / 100, "pair": pair}
        for n in range(60)
        for at in [day - (60 - n) * 14400]
        for profit in [round(chance.gauss(0.4, 3), 2)]
        for pair in [f"C{n % 5}/USDT"]
    ]
    position = {"size": 50.0, "profit": 1.0, "profit_ratio": 0.02, "stop_distance_ratio": 0.05}
    return {
        "timestamp": now,
        "bot": {
            "name": f"bot {number}",
            "exchange": "binance",
            "strategy": "Trend",
            "version": "1.2",
            "mode": "live",
            "currency": "USDT",
            "status": "running",
            "started_at": day,
            "last_activity": now,
            "data_updated_at": now,
        },
        "trading": {"initial_capital": 1000.0, "balance": 990.0, "pending_orders": 1, "max_exposure": 400.0},
        "model": {
            "accuracy": 0.8,
            "precision": 0.8,
            "recall": 0.7,
            "f1_score": 0.75,
            "prediction_confidence": 0.7,
            "predictions_per_hour": 60,
            "prediction_time": 0.02,
            "last_prediction_time": now,
            "loaded": True,
            "drift_score": 0.03,
            "data_quality_score": 0.95,
        },
        "market": [
            {
                "symbol": f"C{n}/USDT",
                "volatility": 0.02,
                "price_change_1h": 0.001,
                "price_change_24h": -0.01,
                "volume_24h": 1e8,
                "rsi": 55,
                "macd": 1.5,
                "trend": "up",
                "regime": "bull",
            }
            for n in range(3)
        ],
        "system": {
            "cpu_usage": 0.2,
            "memory_usage": 0.3,
            "memory_bytes": 3e8,
            "network_latency": 0.05,
            "api_latency": 0.1,
            "error_rate": 0.001,
            "response_times": [0.1, 0.2, 0.15],
        },
        "trades": trades,
        "positions": [{"pair": f"C{n}/USDT", **position} for n in range(3)],
    }


def start(runs: int) -> None:
    """The exporter's start, until it is ready."""
    seconds = []
    for _ in range(max(runs, 5)):
        with tempfile.TemporaryDirectory() as name:
            stack = Stack(Path(name), {"bots": [{"name": "demo", "type": "demo"}]}, {})
            began = time.monotonic()
            stack.start("exporter")
            stack.wait_ready("exporter")
            seconds.append(time.monotonic() - began)
            stack.stop()
    row("exporter: start until ready", seconds, "s", 2)
    print("  goal: 1 s")


def bots(runs: int) -> None:
    """A scrape of so many bots in all groups at once; those with a file have written it anew."""
    for kind in ("file", "demo"):
        for count in (1, 10, 100, 1000):
            _bots(kind, count, runs)
    print("  goal: 1,000 bots in 1.0 s and below 200 MiB")


def _bots(kind: str, count: int, runs: int) -> None:
    first: list[float] = []
    seconds: list[float] = []
    processor: list[float] = []
    memory: list[float] = []
    series = 0
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            entries = [{"name": f"bot-{n}", "type": kind} | _where(kind, n, folder) for n in range(count)]
            _write(folder, count if kind == "file" else 0)
            with exporter({"bots": entries}, folder / "stack") as running:
                first.append(running.scrape()[0])
                for _ in range(3):
                    _write(folder, count if kind == "file" else 0)
                    took, used, body = running.scrape()
                    seconds.append(took)
                    processor.append(used)
                    series = body.count(b"bot=")
                memory.append(running.peak_memory())
    what = f"{count:,} {kind} bot{'s' if count > 1 else ''}"
    row(f"{what}, all groups: {series:,} series", seconds, "s", 3)
    row(f"{what}: processor time", processor, "s", 3)
    row(f"{what}: first scrape of a process", first, "s", 3)
    row(f"{what}: peak memory", memory, "MiB", 0)


def _where(kind: str, number: int, folder: Path) -> dict[str, Any]:
    return {"path": str(folder / f"{number}.json")} if kind == "file" else {"seed": number}


def _write(folder: Path, count: int) -> None:
    now = time.time()
    for number in range(count):
        draft = folder / f"{number}.new"
        draft.write_text(json.dumps(document(number, now)))
        draft.replace(folder / f"{number}.json")


def url(runs: int) -> None:
    """A scrape of one bot that serves a document of 100 values, without lists of trades."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            told = document(0, time.time())
            stated = dict.fromkeys(STATED.split(), 0.5)
            body = json.dumps(told | {"trades": [], "trading": told["trading"] | stated}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing is logged."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    bot = {"name": "x", "type": "http", "url": f"http://127.0.0.1:{server.server_port}/state.json"}
    bot_group = {"collect[]": "bot"}
    of_bots = {"collect[]": ["bot", "trading", "model", "market", "system"]}
    with tempfile.TemporaryDirectory() as name, exporter({"bots": [bot]}, Path(name)) as running:
        running.scrape()
        # A single scrape is shorter than the clock of processor time is fine.
        processor = [sum(running.scrape(bot="x", **of_bots)[1] for _ in range(100)) * 10 for _ in range(max(runs, 5))]
        row("one http bot, all groups of bots at once: processor time of a scrape", processor, "ms", 2)
        processor = [sum(running.scrape(bot="x", **bot_group)[1] for _ in range(100)) * 10 for _ in range(max(runs, 5))]
        row("one http bot, group `bot`: processor time of a scrape", processor, "ms", 2)
        print(f"  goal: less than {JSON_EXPORTER}")
    server.shutdown()


def history(runs: int) -> None:
    """A scrape of the results of a freqtrade bot with few and with many past trades, after its first reading."""
    for count in (100, 100_000):
        with FreqtradeServer() as server, tempfile.TemporaryDirectory() as name:
            row_of = server.closed[0]
            server.closed = [
                row_of
                | {
                    "trade_id": n,
                    "close_timestamp": 1_700_000_000_000 + n * 600_000,
                    "open_timestamp": 1_700_000_000_000 + n * 600_000 - 300_000,
                }
                for n in range(1, count + 1)
            ]
            bot = {
                "name": "x",
                "type": "freqtrade",
                "url": server.url,
                "username": USERNAME,
                "password_env": "BENCH_PASSWORD",
            }
            with exporter({"bots": [bot]}, Path(name)) as running:
                while b'trading_bot_history_complete{bot="x"} 1' not in running.scrape()[2]:
                    pass
                parameters = {"bot": "x", "collect[]": "trading"}
                processor = [sum(running.scrape(**parameters)[1] for _ in range(20)) * 50 for _ in range(max(runs, 5))]
                row(f"freqtrade, {count:,} past trades: processor time of a scrape", processor, "ms", 2)
                row(f"freqtrade, {count:,} past trades: peak memory", [running.peak_memory()], "MiB", 0)


def requests_per_second(runs: int) -> None:
    """Scrapes of one demo bot's group `bot`, by four clients at once."""
    demo = {"bots": [{"name": "demo", "type": "demo"}]}
    with tempfile.TemporaryDirectory() as name, exporter(demo, Path(name)) as running:
        rates = []
        for _ in range(max(runs, 5)):
            began = time.monotonic()
            clients = [threading.Thread(target=_ask, args=(running, 250)) for _ in range(4)]
            for client in clients:
                client.start()
            for client in clients:
                client.join()
            rates.append(1000 / (time.monotonic() - began))
        row(f"requests for one bot's group `bot`, 4 clients on {os.cpu_count()} cores", rates, "/s", 0)


def _ask(running: Exporter, times: int) -> None:
    for _ in range(times):
        running.scrape(bot="demo", **{"collect[]": "bot"})
