"""Trades for webhooks, from the lists of the real exporter: each once, from now on, whatever happens in between."""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from responder.database import Database
from responder.outbox.outbox import Outbox
from responder.webhooks import events
from responder.webhooks.subscribers import Subscribers
from responder.webhooks.trades import ExporterError, Trades
from tests.responder.exporting import Exporting, trade
from tests.responder.receiver import Receiver
from tests.serving import serving

# Documents must not be stale, nor their trades in the future.
NOW = time.time() - 3 * 86400
DAY = 86400.0


@pytest.fixture
def exporter(tmp_path: Path) -> Iterator[Exporting]:
    with Exporting(tmp_path / "exporter") as running:
        yield running


class World:
    """What looks for trades of one webhook, and what it found."""

    def __init__(self, folder: Path, *exporters: str) -> None:
        self.file = folder / "webhooks.json"
        self.subscribe(ledger=["trades"])
        self.now = NOW
        self._database = Database(folder / "responder.sqlite")
        self.outbox = Outbox(self._database, 365 * DAY)
        self._exporters = exporters

    def subscribe(self, bots: list[str] | None = None, **kinds: list[str]) -> None:
        webhooks = [
            {"name": name, "kinds": each, "url": "http://x", "secret": "x", "bots": bots}
            for name, each in kinds.items()
        ]
        self.file.write_text(json.dumps(webhooks))

    def look(self) -> None:
        """As a responder that has just been started."""
        Trades(self._database, self.outbox, Subscribers(self.file), self._exporters, lambda: self.now).look()

    @property
    def told(self) -> list[tuple[str, dict[str, Any]]]:
        """To whom which event, oldest first."""
        rows = reversed(self.outbox.latest(limit=1000))
        return [(row.target, json.loads(json.loads(row.payload)["body"])) for row in rows]

    @property
    def ids(self) -> list[int | str]:
        """Of the trades that were told."""
        return [event["data"]["id"] for _, event in self.told]


@pytest.fixture
def world(tmp_path: Path, exporter: Exporting) -> World:
    return World(tmp_path, exporter.url)


def test_what_closes_from_now_on_is_told_once(world: World, exporter: Exporting) -> None:
    history = [trade(n, NOW - 1000 + n) for n in range(1, 100)]
    exporter.tell(*history)
    world.look()
    world.look()
    assert world.told == []
    one = trade(100, NOW + 5, pair="BTC/USDT", size=100, fees=0.2, opened_at=NOW - 60)
    exporter.tell(*history, one)
    for _ in range(3):
        world.look()
    ((target, event),) = world.told
    assert target == "ledger" and event["type"] == "trade.closed"
    assert event["timestamp"] == event["data"]["closed_at"]
    data = event["data"]
    assert [data[key] for key in ("bot", "mode", "currency", "id")] == ["my/bot", "live", "USDT", 100]
    assert [data[key] for key in ("pair", "profit", "profit_ratio", "size", "fees")] == [
        "BTC/USDT",
        1.5,
        0.015,
        100,
        0.2,
    ]
    exporter.tell(*history, one, trade(101, NOW + 6), trade("x-1", NOW + 6))
    world.look()
    assert world.ids == [100, 101, "x-1"]


def test_a_bot_without_trades_yet_is_new_only_once(world: World, exporter: Exporting) -> None:
    exporter.tell()
    world.look()
    exporter.tell(trade(1, NOW + 1))
    world.look()
    assert world.ids == [1]


def test_before_the_first_reading_nothing_that_closes_is_taken_for_the_history(
    world: World, exporter: Exporting
) -> None:
    world.look()  # 503
    exporter.write({"timestamp": time.time(), "bot": {"mode": "live"}})
    world.look()  # 404: no single trades
    history = [trade(n, NOW - 1000 + n) for n in range(50)]
    exporter.tell(*history, trade(50, NOW + 50))
    world.look()
    assert world.ids == [50]
    exporter.tell(*history, trade(50, NOW + 50), trade(51, NOW + 60))
    world.look()
    assert world.ids == [50, 51]


class _Broken(BaseHTTPRequestHandler):
    """An exporter whose first bot's list is no list."""

    asked: ClassVar[list[str]] = []
    closed: ClassVar[list[dict[str, Any]]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        bots = [{"labels": {"__param_bot": bot}} for bot in ("broken", "early", "..")]
        page = {"mode": None, "currency": None, "trades": self.closed, "next": None}
        answers: dict[str, Any] = {"/sd": bots, "early": {**page, "bot": "early"}, "%2E%2E": {**page, "bot": ".."}}
        answer = answers.get(self.path if self.path == "/sd" else self.path.split("/")[4], "oops")
        if "early" in self.path and self.closed:
            # So early that no calendar has it in UTC.
            answer["trades"] = [{"id": 1, "closed_at": "0001-01-01T00:00:00+10:00"}]
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_arguments: Any) -> None:
        """Stays silent."""


def test_a_bot_whose_list_is_broken_does_not_keep_the_others_from_being_told(tmp_path: Path) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Broken)
    with serving(server):
        world = World(tmp_path, f"http://127.0.0.1:{server.server_port}")
        with pytest.raises(ExporterError, match="bots/broken/trades isn't a list of trades"):
            world.look()
        _Broken.closed.append({"id": 7, "closed_at": events.moment(dt.datetime.fromtimestamp(NOW + 1, dt.UTC))})
        with pytest.raises(ExporterError):
            world.look()
    assert [(event["data"]["bot"], event["data"]["id"]) for _, event in world.told] == [("..", 7)]
    assert "/api/v1/bots/%2E%2E/trades?limit=200" in _Broken.asked


def test_an_import_of_old_trades_is_history(world: World, exporter: Exporting) -> None:
    exporter.tell()
    world.look()
    exporter.tell(*[trade(n, NOW - 1000 + n) for n in range(200)], trade(500, NOW - 200))
    world.look()
    # What closed just before may not have been read then.
    assert world.ids == [500]


def test_a_trade_that_is_listed_late_is_told(world: World, exporter: Exporting) -> None:
    known = [trade(n, NOW + 60 * n) for n in range(40)]
    exporter.tell()
    world.look()
    exporter.tell(*known)
    world.look()
    assert world.ids == list(range(40))
    exporter.tell(*known, trade(100, NOW + 60 * 25 + 1))
    world.look()
    assert world.ids[40:] == [100]


def test_restated_trades_are_not_told_again(world: World, exporter: Exporting) -> None:
    trades = [trade(n, NOW + n) for n in range(30)]
    exporter.tell()
    world.look()
    exporter.tell(*trades)
    world.look()
    restated = [{**each, "profit": -1.0, "closed_at": each["closed_at"] + 0.25, "pair": "A/B"} for each in trades]
    exporter.tell(*restated)
    world.look()
    # As after a restart of a bot that tells all trades again, one after another.
    for count in (0, 1, 15, 30):
        exporter.tell(*trades[:count])
        world.look()
    assert world.ids == list(range(30))


def test_a_new_database_counts_from_one_again(world: World, exporter: Exporting) -> None:
    exporter.tell()
    world.look()
    exporter.tell(*[trade(n, NOW + n) for n in range(1, 31)])
    world.look()
    exporter.tell(trade(1, NOW + 7200), trade(2, NOW + 7300))
    world.look()
    world.look()
    assert world.ids == [*range(1, 31), 1, 2]
    keys = {json.loads(row.payload)["id"] for row in world.outbox.latest(limit=100)}
    assert len(keys) == 32


def test_what_closed_while_the_exporter_was_away_is_told(
    world: World, exporter: Exporting, caplog: pytest.LogCaptureFixture
) -> None:
    trades = [trade(n, NOW + 10 * n) for n in range(600)]
    exporter.tell(*trades[:50])
    world.look()
    exporter.__exit__()
    with pytest.raises(ExporterError, match=f"The exporter doesn't answer at {exporter.url}/sd"):
        world.look()
    with exporter:
        world.look()
        exporter.tell(*trades[:170])
        world.look()
        assert world.ids == list(range(50, 170))
        # More than it lists: what there is, and that there was more.
        exporter.tell(*trades)
        world.look()
        assert world.ids == [*range(50, 170), *range(400, 600)]
        assert "my/bot closed more trades than its exporter lists: those before 400 are not told" in caplog.text
    exporter.__enter__()


def test_who_comes_later_hears_from_then_on(tmp_path: Path) -> None:
    with Exporting(tmp_path / "exporter", "a", "b") as exporter:
        world = World(tmp_path, exporter.url)
        for bot in "ab":
            exporter.tell(trade(1, NOW), bot=bot)
        world.look()
        world.subscribe(ledger=["trades"], other=["trades", "alerts"], alerts=["alerts"])
        for bot in "ab":
            exporter.tell(trade(1, NOW), trade(2, NOW + 1), bot=bot)
        world.look()
        world.subscribe(other=["trades"], bots=["b"])
        for bot in "ab":
            exporter.tell(trade(1, NOW), trade(2, NOW + 1), trade(3, NOW + 2), bot=bot)
        world.look()
        world.subscribe(ledger=["trades"], other=["trades"])
        world.look()
        exporter.tell(*[trade(n, NOW - 1 + n) for n in range(1, 5)], bot="a")
        world.look()
        assert [(target, event["data"]["bot"], event["data"]["id"]) for target, event in world.told] == [
            *[("ledger", "a", 2), ("ledger", "b", 2)],
            ("other", "b", 3),
            *[("ledger", "a", 4), ("other", "a", 4)],
        ]


def test_two_exporters_share_the_bots(tmp_path: Path) -> None:
    with Exporting(tmp_path / "1", "a") as one, Exporting(tmp_path / "2", "b") as two:
        world = World(tmp_path, one.url + "/", two.url)
        one.tell()
        two.tell()
        world.look()
        one.__exit__()
        two.tell(trade(1, NOW + 1))
        with pytest.raises(ExporterError):
            world.look()
        assert world.ids == [1]
        one.__enter__()
        one.tell(trade(1, NOW + 1))
        world.look()
        assert world.ids == [1, 1]


def test_what_is_no_exporter_is_said(tmp_path: Path) -> None:
    with Receiver() as other:
        world = World(tmp_path, other.url.partition("/in")[0])
        with pytest.raises(ExporterError, match="isn't the exporter"):
            world.look()


def test_known_trades_are_forgotten_after_a_day_but_for_the_last(world: World, exporter: Exporting) -> None:
    exporter.tell()
    world.look()
    exporter.tell(*[trade(n, NOW + 60 * n) for n in range(150)])
    world.look()
    exporter.tell(*[trade(n, NOW + 60 * n) for n in range(150)], trade(1000, NOW + 2 * DAY))
    world.look()
    world.look()
    assert len(world.ids) == 151
    with world._database.reading() as connection:
        assert connection.execute("SELECT count(*) FROM trades_known").fetchone()[0] == 40
