"""The reporter: what it writes is a valid document, it works under old Pythons, and it never takes its bot down."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import reporter
from exporter import schema, state
from exporter.document import Documents
from exporter.figures.equity import EquityCurve, EquitySummary
from exporter.schema import EquityPoint
from exporter.sources.file import FileSource
from exporter.state import BotState
from reporter import Reporter
from tests.exporter.helpers import soon
from tests.exporter.test_main import Process
from tests.stack import ROOT

TOKEN = "0123456789abcdef-token"
GUIDE = (ROOT / "docs" / "state-document.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.json"


def read(path: Path) -> BotState:
    """What the exporter makes of the file; it must be faultless."""
    got = FileSource(path, 180, ZoneInfo("UTC")).read("state", soon())
    assert got.problems == ()
    return got


def written(path: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(path.read_text())
    return value


def test_its_keys_are_those_of_the_schema() -> None:
    models = {"bot": state.Bot, "trading": state.Trading, "model": state.Model, "market": state.Market}
    known = {name: set(model.model_fields) for name, model in models.items()}
    known["trading"].add("total_pnl")
    known["system"] = {*state.System.model_fields, "response_times"}
    known["position"] = set(state.Position.model_fields)
    known["trade"] = {field.name for field in fields(schema.ClosedTrade)}
    known["equity"] = {field.name for field in fields(schema.EquityPoint)}
    assert {name: sorted(keys) for name, keys in reporter._MAY_BE.items()} == {
        name: sorted(keys) for name, keys in known.items()
    }


@pytest.mark.parametrize("kind", reporter.KEYS)
def test_what_a_value_may_be_is_what_the_exporter_takes(kind: str) -> None:
    """Of values at and beyond all limits, the exporter takes those that the reporter takes as they are."""
    now = time.time()
    values = [-1e15, -1, -0.5, 0, 0.5, 1, 1.5, 100, 101, now - 60, 1e15, 2e15, 1e18, True]
    values += ["", "live", "running", "up", "bull", "long", "US Dollar", "USDT", "x" * 201]
    base = {"trade": {"id": "1", "closed_at": now, "profit": 1}, "position": {"pair": "A"}, "market": {"symbol": "A"}}
    base["equity"] = {"time": now, "value": 1}
    place = {"trade": "trades", "position": "positions"}.get(kind, kind)
    for key, what in reporter._MAY_BE[kind].items():
        for value in values:
            try:
                ours = reporter._plain(what, value)
            except ValueError:
                ours = None
            sent = [value] if what == "samples" else value
            row = {**base.get(kind, {}), key: sent}
            body = {"timestamp": now, place: [row] if kind in base else row}
            try:
                schema.parsed(json.dumps(body).encode())
            except ValueError:
                assert ours is None or ours != sent, (key, value)
            else:
                assert ours == sent or what == "text", (key, value)


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(
        ["live", "RUNNING", "running", "USDT", "up", "long", "x" * 300, "2026-11-20T10:00:00Z", "9999-01-01"]
    ),
    st.floats(-1, 2),
    st.sampled_from([1e15, 10**400, time.time(), time.time() + 3600, Decimal("NaN"), [1], {}, object()]),
    st.lists(st.floats(), max_size=3),
)


def rows(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from([*reporter._MAY_BE[kind], "nonsense"]), JUNK, max_size=8)


@given(st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_is_told_the_document_is_accepted(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("told") / "state.json"
    documents = Documents("here", 180, ZoneInfo("UTC"))
    bot = Reporter(path)
    for kind in ("bot", "trading", "model", "system"):
        getattr(bot, kind)(**data.draw(rows(kind)))
    for row in data.draw(st.lists(rows("market"), max_size=3)):
        bot.market(**{"symbol": "A", **row})
    for row in data.draw(st.lists(rows("trade"), max_size=3)):
        bot.trade(**{"id": 1, "closed_at": time.time(), "profit": 1, **row})
    bot.positions([{"pair": "A", **row} for row in data.draw(st.lists(rows("position"), max_size=3))])
    bot.equity(data.draw(JUNK), at=data.draw(JUNK))
    bot.write(status=data.draw(JUNK))
    documents.take(path.read_bytes())


def test_too_much_is_left_out_whole(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    bot = Reporter(path)
    wide = {"volatility": 0.123456789, "trend": "up", "rsi": 55.5}
    for n in range(1000):
        bot.market(f"{n:04}" + "🤖" * 196, **wide)
    bot.positions([{"pair": "A"}] * 1001)
    bot.system(response_times=[0.123456789] * 12_000)
    bot.write()
    got = read(path)
    assert (got.markets, got.positions) == ((), None)
    assert "market: more than a document holds, left out whole" in caplog.text
    assert "positions: more than a document holds, left out whole" in caplog.text
    assert len(written(path)["system"]["response_times"]) == reporter.MOST_SAMPLES


def test_everything_that_can_be_told(path: Path) -> None:
    moment = datetime(2026, 11, 20, 10, tzinfo=UTC)
    source = FileSource(path, 180, ZoneInfo("UTC"))
    with Reporter(path) as bot:
        bot.bot(name="Full", exchange="binance", mode="live", currency="USDT", started_at=moment, status="paused")
        bot.trading(profit_loss=Decimal("12.5"), total_trades=np.float64(3), win_rate=np.float32(0.5), fees="0.25")
        bot.trading(last_trade_time="2026-11-20T10:00:00Z")
        bot.model(accuracy=0.6, loaded=True, drift_detected=np.bool_(False), last_retraining=moment)
        bot.market("BTC/USDT", volatility=0.02, trend="up", regime="calm")
        bot.market("ETH/USDT", rsi=50)
        bot.system(cpu_usage=0.1, response_times=[0.1, 0.2])
        bot.trade(id="a", closed_at=moment, profit=3.2, opened_at=moment - timedelta(hours=1), pair="BTC/USDT")
        bot.trade("a", moment, 3.2)
        bot.trade(2, moment.timestamp(), -1)
        bot.positions([{"pair": "ETH/USDT", "size": 50, "profit": -1.5}])
        bot.equity(1000)
        bot.equity(1010, at=moment)
    got = source.read("state", soon())
    assert got.problems == ()
    assert (got.bot.status, got.bot.started_at, got.bot.exchange) == ("paused", moment.timestamp(), "binance")
    assert (got.trading.profit_loss, got.trading.total_trades, got.trading.win_rate) == (12.5, 3, 0.5)
    assert (got.trading.fees, got.trading.last_trade_time) == (0.25, moment.timestamp())
    assert (got.model.accuracy, got.model.loaded, got.model.drift_detected) == (0.6, True, False)
    assert [(m.symbol, m.trend, m.rsi) for m in got.markets] == [("BTC/USDT", "up", None), ("ETH/USDT", None, 50)]
    assert got.trades is not None
    assert (got.trades.wins, got.trades.losses) == (1, 1)
    assert got.positions is not None
    assert got.positions[0].profit == -1.5
    assert got.response_times is not None
    assert sum(got.response_times.counts) == 2
    assert got.bot.last_activity == pytest.approx(time.time(), abs=30)
    assert list(path.parent.iterdir()) == [path]


def test_a_loop(path: Path) -> None:
    loop = Reporter(str(path))
    with loop as bot:
        bot.trading(profit_loss=1, win_rate=0.5)
        bot.system(cpu_usage=0.5, response_times=[0.1])
        bot.positions([{"pair": "A"}])
    first = written(path)
    with loop as bot:
        bot.trading(win_rate=None)
        bot.positions([])
    second = written(path)
    assert first["bot"]["status"] == second["bot"]["status"] == "running"
    assert (first["trading"], second["trading"]) == ({"profit_loss": 1, "win_rate": 0.5}, {"profit_loss": 1})
    (when,) = first["system"].pop("response_times_at")
    assert when == pytest.approx(first["timestamp"], abs=30)
    assert first["system"] == {"cpu_usage": 0.5, "response_times": [0.1]}
    assert second["system"]["response_times_at"] == [when], "they are told for a while, and counted once"
    assert (len(first["positions"]), second["positions"]) == (1, [])
    assert second["timestamp"] > first["timestamp"]
    assert second["bot"]["last_activity"] == second["timestamp"]
    read(path)


@pytest.mark.parametrize(("error", "status"), [(ValueError, "error"), (KeyboardInterrupt, "stopped")])
def test_an_exception_is_told_and_goes_on(path: Path, error: type[BaseException], status: str) -> None:
    loop = Reporter(path)
    with pytest.raises(error), loop as bot:
        bot.trading(profit_loss=1)
        raise error
    assert read(path).bot.status == status
    with loop:
        pass
    assert read(path).bot.status == "running"


def test_trades_and_equity_outlive_the_bot(path: Path) -> None:
    with Reporter(path) as bot:
        bot.trade(1, time.time(), 5)
        bot.equity(100)
        bot.trading(profit_loss=5)
    with Reporter(path) as bot:
        bot.trade(2, time.time(), 6)
        bot.equity(106)
    document = written(path)
    assert [trade["id"] for trade in document["trades"]] == ["1", "2"]
    assert [point["value"] for point in document["equity"]] == [100, 106]
    assert "trading" not in document
    read(path)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"trades": 5}', '{"trades": [5], "equity": [{}]}', "\x00", "[" * 9999]
)
def test_a_damaged_file_is_kept_beside_the_new_one(path: Path, text: str, caplog: pytest.LogCaptureFixture) -> None:
    path.write_text(text)
    with Reporter(path) as bot:
        bot.trading(profit_loss=1)
    assert read(path).trading.profit_loss == 1
    assert f"what it told is not taken over, see {path}.damaged: " in caplog.text
    damaged = Path(f"{path}.damaged")
    assert damaged.read_text() == text
    path.write_text("again")
    Reporter(path).write()
    assert damaged.read_text() == text, "the first one is the one with the history"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (Decimal("NaN"), "Decimal('NaN')"),
        (np.float64("nan"), "nan"),
        (10**20, "100000000000000000000"),
        (10**400, "1" + "0" * 39),
        ("a lot", "'a lot'"),
        (object(), "<object object at"),
        (np.array([1, 2]), "array([1, 2])"),
        (True, "True"),
    ],
)
def test_a_value_that_can_not_be_told_is_left_out(
    path: Path, caplog: pytest.LogCaptureFixture, value: object, words: str
) -> None:
    loop = Reporter(path)
    with loop as bot:
        bot.trading(profit_loss=1, equity=10)
    for _ in range(3):
        with loop as bot:
            bot.trading(profit_loss=value)
    assert written(path)["trading"] == {"equity": 10}, "the value before is not that of now"
    (record,) = caplog.records
    assert record.message.startswith("trading.profit_loss is ")
    assert words in record.message
    assert record.message.endswith(": must be a number; left out")


def test_slips_of_the_pen_are_logged_and_never_raised(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    naive = datetime(2026, 11, 20, 10)  # noqa: DTZ001
    with Reporter(path) as bot:
        bot.trading(profitloss=1, last_trade_time=naive)
        bot.bot(started_at=1_795_255_243_000, name="x" * 1000 + "\ud800", exchange="\ud800")
        bot.trade(5)  # type: ignore[call-arg]
        bot.trade(5, naive, 1)
        bot.trade(5, time.time(), float("nan"))
        bot.market()  # type: ignore[call-arg]
        bot.market(None, rsi=5)  # type: ignore[arg-type]
        bot.trading(win_rate=85, total_trades=-3, winning_trades=3.7)
        bot.bot(status="RUNNING", currency="US Dollar")
        bot.model(loaded=1, last_retraining=time.time() + 3600)
        bot.market("A", rsi=140)
        bot.positions([{"pair": "A", "side": "buy"}])
        bot.positions(5)  # type: ignore[arg-type]
        bot.positions([{"size": 5}])
        bot.positions([5])  # type: ignore[list-item]
        bot.equity(None)
        bot.equity("x")
        bot.system(response_times=[float("nan")])
        bot.trading(5)  # type: ignore[call-arg]
    got = written(path)
    assert got.keys() == {"timestamp", "bot", "market"}
    assert len(got["bot"]["name"]) == 200
    assert got["bot"]["exchange"] == "?"
    read(path)
    for words in (
        "trading.profitloss is not known and left out",
        "trading.last_trade_time is datetime.datetime(2026, 11, 20, 10, 0): must be Unix seconds or a datetime with a",
        "bot.started_at is 1795255243000: must be Unix seconds or a datetime with a time zone, from 2000 until now;",
        "trading.win_rate is 85: must be 0 to 1; 0.85 is 85 %; left out",
        "trading.total_trades is -3: must be a whole number, not negative; left out",
        "trading.winning_trades is 3.7: must be a whole number, not negative; left out",
        "bot.status is 'RUNNING': must be running, paused, stopped, reloading, error, unknown; left out",
        "bot.currency is 'US Dollar': must be 1 to 12 letters or digits, such as USDT; left out",
        "position.side is 'buy': must be long, short; left out",
        "market.rsi is 140: must be 0 to 100; left out",
        "model.loaded is 1: must be True, False; left out",
        "model.last_retraining is ",
        "trade: left out whole, as it has no closed_at",
        "trade: left out whole, as it has no profit",
        "position: left out whole, as it has no pair",
    ):
        assert words.replace("position:", "positions:") in caplog.text, words


def test_a_file_that_can_not_be_written_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "folder" / "state.json"
    loop = Reporter(path)
    path.mkdir()
    for _ in range(3):
        with loop as bot:
            bot.trading(profit_loss=1)
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == [
        f"{path}: Is a directory; may the bot write there?"
    ]
    assert list(path.parent.iterdir()) == [path]
    path.rmdir()
    caplog.set_level("INFO")
    with loop:
        pass
    assert caplog.records[-1].message == f"{path}: works again"
    assert read(path).trading.profit_loss == 1


def test_the_constructor_tells_what_can_not_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        Reporter(tmp_path / "file" / "state.json")
    for where, token in [
        ("http://127.0.0.1:8000/api/v1/bots/x/state", None),
        ("HTTP://127.0.0.1:8000/api/v1/bots/x/state", None),
        ("127.0.0.1:8000/api/v1/bots/x/state", TOKEN),
        ("https://127.0.0.1:8000/api/v1/bots/x/state", ""),
    ]:
        with pytest.raises(
            ValueError, match="an address, http://… or https://…, needs the bot's token; a file has none"
        ):
            Reporter(where, token=token)


def test_who_may_read_the_file(path: Path) -> None:
    mask = os.umask(0o077)
    try:
        loop = Reporter(path)
        loop.write()
        assert path.stat().st_mode & 0o777 == 0o644
        path.chmod(0o600)
        loop.write()
        assert path.stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(mask)


def test_a_long_life_fits_in_a_document(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    loop = Reporter(path)
    now = time.time()
    for n in range(12_000):
        loop.equity(1000 - (n == 3000) * 500 + (n == 4000) * 500, at=now - (12_000 - n) * 600)
    for n in range(reporter.MOST["trades"]):
        loop.trade(f"0b5d6c1c-5c1b-4d7e-9a53-{n:012d}", now - n, 1.23456789, opened_at=now - n - 900, pair="BTC/USDT")
    loop.write()
    got = read(path)
    assert got.trades is not None
    assert got.trades.count == reporter.MOST["trades"]
    values = [point["value"] for point in written(path)["equity"]]
    assert len(values) <= reporter.MOST["equity"]
    assert (min(values), max(values)) == (500, 1500), "peaks and falls stay"
    assert got.equity is not None
    loop.trade("one more", now, 1)
    loop.write()
    assert read(path).trades is None
    assert "trades: more than a document holds, left out whole; state the totals with trading(…)" in caplog.text


def test_several_threads(path: Path) -> None:
    loop = Reporter(path)

    def work(number: int) -> None:
        for n in range(50):
            with loop as bot:
                bot.trade(number * 1000 + n, time.time(), 1)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    trades = read(path).trades
    assert trades is not None
    assert trades.count == 200


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    """An exporter to which a bot sends, and that reads another one's file."""
    (tmp_path / "monitoring.yml").write_text("".join(block for block in _configurations()))
    process = Process(tmp_path, MY_BOT_TOKEN=TOKEN)
    yield process
    process.popen.kill()
    process.popen.wait()


def _configurations() -> Iterator[str]:
    """The guide's own entries, each with a name of its own."""
    yield "bots:\n"
    for name, block in zip(("by-file", "by-http", "my-bot"), blocks("yaml"), strict=True):
        yield block.removeprefix("bots:\n").replace("my-bot\n", f"{name}\n")


def push_address(process: Process) -> str:
    return f"{process.url}/api/v1/bots/my-bot/state"


def test_it_sends(process: Process, caplog: pytest.LogCaptureFixture) -> None:
    with Reporter(push_address(process), token=TOKEN + "\n") as bot:
        bot.trading(profit_loss=12.5)
    assert process.metrics().get("trading_bot_profit_loss", bot="my-bot") == 12.5
    assert caplog.records == []
    invalid = Reporter(push_address(process), token=TOKEN)
    invalid._text = lambda _: b'{"timestamp": 5}'  # type: ignore[method-assign]
    for _ in range(3):
        invalid.write()
    (record,) = caplog.records
    assert "HTTP 422: the pushed document: timestamp is 5: " in record.message
    with Reporter(push_address(process), token="wrong"):
        pass
    assert "HTTP 401: wrong or missing token" in caplog.records[-1].message
    assert TOKEN not in caplog.text


def test_nobody_listens(process: Process, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", process.url)
    loop = Reporter("http://127.0.0.1:1/api/v1/bots/my-bot/state", token=TOKEN)
    for _ in range(3):
        with loop as bot:
            bot.system(response_times=[0.1])
    assert len(caplog.records) == 1
    assert "Connection refused; does the exporter run there?" in caplog.text
    assert len(loop._samples) == 3, "they are told when somebody listens"


def test_a_redirect_does_not_carry_the_token_away(process: Process, caplog: pytest.LogCaptureFixture) -> None:
    class Redirecting(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self.send_response(307)
            self.send_header("Location", push_address(process))
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Redirecting) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        Reporter(f"http://127.0.0.1:{server.server_address[1]}/", token=TOKEN).write()
        thread.join()
    assert "HTTP 307" in caplog.text
    assert process.metrics().get("trading_bot_up", bot="my-bot") == 0


# What follows runs the guide's own lines.


def test_the_guide_s_three_lines(process: Process, tmp_path: Path) -> None:
    code = blocks("python")[0]
    assert len([line for line in code.splitlines() if line]) == 3
    (tmp_path / "bot").mkdir()
    run_python(sys.executable, here(code, tmp_path), tmp_path / "bot")
    assert process.metrics().get("trading_bot_profit_loss", bot="by-file") == 12.34


def test_the_guide_s_loop(tmp_path: Path) -> None:
    code = here(blocks("python")[1], tmp_path) + "\n\nonce_round()\nonce_round()\n"
    thread = blocks("python")[3]
    run_python(sys.executable, code + thread, tmp_path)
    got = read(tmp_path / "states" / "my-bot.json")
    assert got.model.accuracy == 0.61
    assert got.markets[0].trend == "up"


def test_the_guide_s_sender(process: Process, tmp_path: Path) -> None:
    code = blocks("python")[2].replace("http://127.0.0.1:8000", process.url)
    run_python(sys.executable, code + "\nwith reporter as bot:\n    bot.trading(profit_loss=4)\n", tmp_path)
    assert process.metrics().get("trading_bot_profit_loss", bot="my-bot") == 4


def test_the_guide_s_curl(process: Process, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    (lines,) = blocks("sh")
    lines = lines.rstrip().replace("http://127.0.0.1:8000", process.url)
    run = subprocess.run(
        ["sh", "-c", lines + " -sS -w '%{http_code}'"],
        cwd=tmp_path,
        env={**os.environ, "MY_BOT_TOKEN": TOKEN},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (run.stdout, run.stderr) == ("204", "")
    assert process.metrics().get("trading_bot_profit_loss", bot="my-bot") == 12.34


def here(code: str, folder: Path) -> str:
    """The guide's code with its project in a folder of ours."""
    assert "/home/me/trading-bot-monitoring/" in code
    return code.replace("/home/me/trading-bot-monitoring", str(folder))


def run_python(python: str, code: str, folder: Path, **environment: str) -> None:
    """Run a bot's code with the reporter beside it."""
    shutil.copytree(ROOT / "reporter", folder / "reporter", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "bot.py").write_text(code, encoding="utf-8")
    environment = {**os.environ, "MY_BOT_TOKEN": TOKEN, **environment}
    environment.pop("PYTHONPATH", None)
    run = subprocess.run(
        [python, "-W", "error", "bot.py"], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def old_python() -> Iterator[tuple[str, dict[str, str]]]:
    """The Pythons at hand that are older than ours, the oldest first."""
    for minor in range(9, sys.version_info.minor):
        environment = {"PYENV_VERSION": f"3.{minor}"}  # for pyenv's shims, which refuse without it
        command = shutil.which(f"python3.{minor}")
        if (
            command
            and not subprocess.run([command, "-c", ""], env={**os.environ, **environment}, check=False).returncode
        ):
            yield command, environment


def test_under_the_oldest_python_at_hand(process: Process, tmp_path: Path) -> None:
    python, environment = next(old_python(), (None, {}))
    if python is None:
        pytest.skip("no Python from 3.9 on that is older than the one of the tests is installed")
    code = here(blocks("python")[1], tmp_path) + "\n\nonce_round()\nonce_round()\n"
    (tmp_path / "a").mkdir()
    run_python(python, code, tmp_path / "a", **environment)
    assert read(tmp_path / "states" / "my-bot.json").model.accuracy == 0.61
    (tmp_path / "b").mkdir()
    sender = blocks("python")[2].replace("http://127.0.0.1:8000", process.url)
    run_python(
        python, sender + "\nwith reporter as bot:\n    bot.trading(profit_loss=4)\n", tmp_path / "b", **environment
    )
    assert process.metrics().get("trading_bot_profit_loss", bot="my-bot") == 4


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kolkata", "America/New_York"])
def test_a_curve_that_is_cut_down_tells_the_same_days(zone: str) -> None:
    chance = random.Random(7)  # noqa: S311 - a story, not a secret
    now = 1_795_255_243.0
    points = [(now - 12 * 86400 + 173.0 * n, 1000 + chance.uniform(-50, 50)) for n in range(6000)]

    def summary(told: list[tuple[float, float]]) -> EquitySummary | None:
        return EquityCurve([EquityPoint(time=when, value=value) for when, value in told], ZoneInfo(zone)).summary(now)

    thinned = reporter._thinned(points)
    assert len(thinned) < 5000
    assert summary(thinned) == summary(points)


def test_a_link_in_the_drafts_place_leads_nowhere(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("mine")
    (tmp_path / "s.json.new").symlink_to(precious)
    with reporter.Reporter(tmp_path / "s.json") as bot:
        bot.trading(profit_loss=1)
    assert precious.read_text() == "mine"
    assert json.loads((tmp_path / "s.json").read_text())["trading"] == {"profit_loss": 1}


def test_a_pipe_in_the_files_place_holds_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "s.json")
    os.mkfifo(tmp_path / "s.json.new")
    with reporter.Reporter(tmp_path / "s.json") as bot:
        bot.trading(profit_loss=1)
    assert json.loads((tmp_path / "s.json").read_text())["trading"] == {"profit_loss": 1}


def test_a_server_that_answers_nothing_holds_the_bot_up_once(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        bot = reporter.Reporter(f"http://127.0.0.1:{server.getsockname()[1]}/x", token="t" * 20, timeout=0.2)
        for _ in range(3):
            bot.write()
    assert caplog.text.count("no answer within 0.2 s; does the exporter run there?") == 1
