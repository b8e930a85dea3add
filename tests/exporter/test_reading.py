"""Reading bots for scrapes: shared readings, hung bots that cost the others nothing, and faults that are counted."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from exporter.config import DemoBot
from exporter.reading import BotReader, read_all
from exporter.sources import Part
from exporter.state import Bot, BotState, SourceError
from tests.exporter.helpers import soon, wait_until

RUNNING = BotState(bot=Bot(status="running"))


class ScriptedSource:
    """A source that does what a test says."""

    def __init__(self, answer: Callable[[Part, float], BotState]) -> None:
        self.answer = answer
        self.reads: list[Part] = []

    def read(self, part: Part, deadline: float) -> BotState:
        self.reads.append(part)
        return self.answer(part, deadline)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(max_workers=32) as pool:
        yield pool


@pytest.fixture
def released() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def reader(pool: ThreadPoolExecutor, answer: Callable[[Part, float], BotState], name: str = "x") -> BotReader:
    return BotReader(DemoBot(name=name, type="demo"), ScriptedSource(answer), pool)


def read(bot: BotReader, part: Part = "bot", seconds: float = 5) -> BotState | None:
    return read_all([bot], [part], soon(seconds))[bot.name][part]


def raising(*errors: Exception) -> Callable[[Part, float], BotState]:
    """Raise these one after another, then answer."""
    left = list(errors)

    def answer(_part: Part, _deadline: float) -> BotState:
        if left:
            raise left.pop(0)
        return RUNNING

    return answer


def test_simultaneous_scrapes_share_one_reading(pool: ThreadPoolExecutor, released: threading.Event) -> None:
    def slow(_part: Part, _deadline: float) -> BotState:
        released.wait(10)
        return RUNNING

    bot = reader(pool, slow)
    states: list[BotState | None] = []
    scrapes = [threading.Thread(target=lambda: states.append(read(bot))) for _ in range(8)]
    for scrape in scrapes:
        scrape.start()
    wait_until(lambda: bot.source.reads)  # type: ignore[attr-defined]
    time.sleep(0.05)
    released.set()
    for scrape in scrapes:
        scrape.join()
    assert states == [RUNNING] * 8
    assert bot.source.reads == ["bot"]  # type: ignore[attr-defined]
    # The next scrape reads anew: nothing is served from before.
    assert read(bot) is RUNNING
    assert bot.source.reads == ["bot", "bot"]  # type: ignore[attr-defined]


def test_a_hung_bot_costs_the_others_nothing(pool: ThreadPoolExecutor, released: threading.Event) -> None:
    def hang(_part: Part, _deadline: float) -> BotState:
        released.wait(30)
        return RUNNING

    bots = [reader(pool, hang, "hung"), reader(pool, lambda *_: RUNNING, "well")]
    began = time.monotonic()
    states = read_all(bots, ["bot", "trading"], soon(0.3))
    assert time.monotonic() - began < 5
    assert states == {"hung": {"bot": None, "trading": None}, "well": {"bot": RUNNING, "trading": RUNNING}}
    assert bots[0].record.errors["timeout"] == 2
    assert bots[0].record.last_success is None
    assert bots[1].record.last_success is not None
    # A second scrape waits for the same reading and starts no other.
    assert read_all(bots, ["bot"], soon(0.1))["hung"]["bot"] is None
    assert bots[0].source.reads == ["bot", "trading"]  # type: ignore[attr-defined]
    released.set()
    wait_until(lambda: read(bots[0]) is RUNNING)


def test_a_hung_part_does_not_hold_up_liveness(pool: ThreadPoolExecutor, released: threading.Event) -> None:
    def answer(part: Part, _deadline: float) -> BotState:
        if part == "trading":
            released.wait(30)
        return RUNNING

    bot = reader(pool, answer)
    assert read(bot, "trading", 0.1) is None
    assert [read(bot) for _ in range(3)] == [RUNNING] * 3


def test_a_source_has_to_end_before_its_scrape(pool: ThreadPoolExecutor) -> None:
    """So that what was read until then is served, although a last call used up all the time."""
    deadlines: list[float] = []

    def until_the_end(_part: Part, deadline: float) -> BotState:
        deadlines.append(deadline)
        time.sleep(max(deadline - time.monotonic(), 0))
        return RUNNING

    end = soon(1.0)
    assert read_all([reader(pool, until_the_end)], ["bot"], end)["x"]["bot"] is RUNNING
    assert deadlines[0] < end


def test_faults_are_counted_by_reason_and_told_until_it_can_be_read(
    pool: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    refused = SourceError("auth", "refused")
    bot = reader(pool, raising(refused, SourceError("auth", "refused"), SourceError("timeout", "late")))
    assert [read(bot), read(bot), read(bot)] == [None, None, None]
    assert (bot.record.errors["auth"], bot.record.errors["timeout"], bot.record.errors["tls"]) == (2, 1, 0)
    assert bot.record.faults == {"bot": ("late",)}
    assert read(bot) is RUNNING
    assert bot.record.faults == {}
    assert caplog.messages == [
        "bot x: auth: refused",  # once, though met twice
        "bot x: timeout: late",
        "bot x: its part bot can be read again",
    ]


def test_faults_of_parts_are_logged_once_however_many(
    pool: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    """Two calls that fail at each scrape are two lines, not two a scrape."""
    problems = (SourceError("timeout", "/profit is late"), SourceError("timeout", "/status is late"))
    bot = reader(pool, lambda *_: BotState(problems=problems))
    for _ in range(5):
        assert read(bot, "trading") is not None
    assert bot.record.errors["timeout"] == 10
    assert bot.record.faults == {"trading": ("/profit is late", "/status is late")}
    assert caplog.messages == ["bot x: timeout: /profit is late", "bot x: timeout: /status is late"]
    assert bot.record.last_success is not None


def test_a_fault_of_the_exporter_is_one_too(pool: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture) -> None:
    bot = reader(pool, raising(ZeroDivisionError("oh")))
    assert read(bot) is None
    assert bot.record.errors["internal"] == 1
    assert bot.record.faults["bot"] == ("a fault of the exporter: ZeroDivisionError('oh'); see its log",)
    assert "ZeroDivisionError" in caplog.text


def test_a_fault_of_the_exporter_met_again_is_logged_once(
    pool: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    bot = reader(pool, raising(*[ZeroDivisionError("oh") for _ in range(5)]))
    assert [read(bot) for _ in range(5)] == [None] * 5
    assert bot.record.errors["internal"] == 5
    assert caplog.text.count("Traceback") == 1


def test_how_long_and_how_complete(pool: ThreadPoolExecutor) -> None:
    bot = reader(pool, lambda *_: BotState(history_complete=False))
    assert bot.record.history_complete is None
    read(bot)
    assert bot.record.history_complete is None
    read(bot, "trading")
    assert bot.record.history_complete is False
    assert set(bot.record.seconds) == {"bot", "trading"}
    assert all(0 <= seconds < 5 for seconds in bot.record.seconds.values())
