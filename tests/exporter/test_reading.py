"""Reading bots for scrapes: shared readings, hung bots that cost the others nothing, and faults that are counted."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from exporter.config.entries import DemoBot
from exporter.reading import BotReader, read_all
from exporter.sources import BESIDE, DOCUMENT, Group, Part
from exporter.state import Bot, BotState, SourceError, System
from tests.exporter.helpers import soon, wait_until

RUNNING = BotState(bot=Bot(status="running"))


FREQTRADE: Mapping[Group, Part] = {"bot": "bot", "trading": "trading", "system": "api"}


class ScriptedSource:
    """A source that does what a test says."""

    def __init__(self, answer: Callable[[Part, float], BotState], groups: Mapping[Group, Part] = FREQTRADE) -> None:
        self.groups = groups
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
    return of_sources(pool, ScriptedSource(answer), name=name)


def of_sources(pool: ThreadPoolExecutor, *sources: ScriptedSource, name: str = "x") -> BotReader:
    return BotReader(DemoBot(name=name, type="demo"), sources, pool)


def reads(bot: BotReader, number: int = 0) -> list[Part]:
    source = bot.sources[number]
    assert isinstance(source, ScriptedSource)
    return source.reads


def read(bot: BotReader, group: Group = "bot", seconds: float = 5) -> BotState | None:
    (state,) = read_groups([bot], [group], seconds)["x"][group] or [None]
    return state


def read_groups(
    bots: Sequence[BotReader], groups: Sequence[Group], seconds: float = 5
) -> dict[str, Mapping[Group, list[BotState]]]:
    return {bot.name: states for bot, states in read_all(bots, groups, soon(seconds))}


def read_together(bot: BotReader, groups: list[Group], released: threading.Event) -> list[BotState | None]:
    """What scrapes get that come while a reading is under way, which ends when it is released."""
    states: list[BotState | None] = []
    scrapes = [threading.Thread(target=lambda g=g: states.append(read(bot, g))) for g in groups]
    for scrape in scrapes:
        scrape.start()
    wait_until(lambda: reads(bot))
    time.sleep(0.05)
    released.set()
    for scrape in scrapes:
        scrape.join()
    return states


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
    assert read_together(bot, ["bot"] * 8, released) == [RUNNING] * 8
    assert reads(bot) == ["bot"]
    # The next scrape reads anew: nothing is served from before.
    assert read(bot) is RUNNING
    assert reads(bot) == ["bot", "bot"]


def test_a_hung_bot_costs_the_others_nothing(pool: ThreadPoolExecutor, released: threading.Event) -> None:
    def hang(_part: Part, _deadline: float) -> BotState:
        released.wait(30)
        return RUNNING

    bots = [reader(pool, hang, "hung"), reader(pool, lambda *_: RUNNING, "well")]
    began = time.monotonic()
    states = read_groups(bots, ["bot", "trading"], 0.3)
    assert time.monotonic() - began < 5
    assert states == {"hung": {"bot": [], "trading": []}, "well": {"bot": [RUNNING], "trading": [RUNNING]}}
    assert bots[0].record.errors["timeout"] == 2
    assert bots[0].record.last_success is None
    assert bots[1].record.last_success is not None
    # A second scrape waits for the same reading and starts no other.
    assert read_groups(bots, ["bot"], 0.1)["hung"]["bot"] == []
    assert reads(bots[0]) == ["bot", "trading"]
    released.set()
    wait_until(lambda: read_groups(bots, ["bot"])["hung"]["bot"] == [RUNNING])


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
    ((_, states),) = read_all([reader(pool, until_the_end)], ["bot"], end)
    assert states == {"bot": [RUNNING]}
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


def test_groups_that_need_the_same_part_share_its_reading(pool: ThreadPoolExecutor, released: threading.Event) -> None:
    """In one scrape as in two at once: a document is parsed by one, and the other doesn't take it for missing."""

    def slow(_part: Part, _deadline: float) -> BotState:
        released.wait(10)
        return RUNNING

    bot = of_sources(pool, ScriptedSource(slow, DOCUMENT))
    states = read_together(bot, list(DOCUMENT), released)
    assert (states, reads(bot)) == ([RUNNING] * 5, ["state"])
    assert read_groups([bot], tuple(DOCUMENT))["x"] == {group: [RUNNING] for group in DOCUMENT}
    assert reads(bot) == ["state"] * 2


def test_several_sources_each_for_what_they_know(pool: ThreadPoolExecutor) -> None:
    """The bot's own word comes first; a source that fails leaves the others' word."""
    process = BotState(system=System(cpu_usage=0.5))
    beside = BotState(bot=Bot(name="beside"))
    probe = raising(SourceError("timeout", "no exchange"))
    bot = of_sources(
        pool,
        ScriptedSource(lambda *_: RUNNING),
        ScriptedSource(lambda *_: beside, BESIDE),
        ScriptedSource(lambda *_: process, {"system": "process"}),
        ScriptedSource(probe, {"system": "network"}),
    )
    assert bot.parts("system") == ("api", "state", "process", "network")
    assert (bot.parts("bot"), bot.parts("model")) == (("bot",), ("state",))
    got = read_groups([bot], ["bot", "trading", "model", "market", "system"])["x"]
    assert got["system"] == [RUNNING, beside, process]
    assert (got["bot"], got["trading"], got["model"], got["market"]) == ([RUNNING], [RUNNING], [beside], [beside])
    assert bot.record.faults == {"network": ("no exchange",)}
    assert [reads(bot, number) for number in range(4)] == [
        ["bot", "trading", "api"],
        ["state"],
        ["process"],
        ["network"],
    ]
    read_groups([bot], ["bot"])
    assert [len(reads(bot, number)) for number in range(4)] == [4, 1, 1, 1]


def test_only_the_bot_itself_counts_as_its_sign_of_life(pool: ThreadPoolExecutor) -> None:
    """Its process or its exchange can be seen while the bot doesn't answer."""
    dead = raising(*[SourceError("connection", "refused")] * 9)

    def answer(part: Part, deadline: float) -> BotState:
        return RUNNING if part == "api" else dead(part, deadline)  # what is known of its answers so far

    bot = of_sources(pool, ScriptedSource(answer), ScriptedSource(lambda *_: RUNNING, {"system": "process"}))
    assert read_groups([bot], ["bot", "trading", "system"])["x"] == {
        "bot": [],
        "trading": [],
        "system": [RUNNING, RUNNING],
    }
    assert bot.record.last_success is None
    groups: tuple[Group, ...] = ("bot", "trading")
    for group in groups:
        alive = reader(pool, lambda *_: RUNNING)
        read(alive, group)
        assert alive.record.last_success is not None


def test_a_group_that_nobody_knows_of(pool: ThreadPoolExecutor) -> None:
    bot = reader(pool, lambda *_: RUNNING)
    assert read_groups([bot], ["model", "bot"])["x"] == {"model": [], "bot": [RUNNING]}
    assert reads(bot) == ["bot"]


def test_results_that_cannot_be_made_are_a_fault_until_they_can(
    pool: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    bot = reader(pool, lambda *_: RUNNING)

    def broken() -> int:
        raise ValueError("oh")

    assert [bot.attempt(broken), bot.attempt(broken)] == [None, None]
    assert bot.record.faults == {"results": ("a fault of the exporter: ValueError('oh'); see its log",)}
    assert (bot.record.errors["internal"], caplog.text.count("Traceback")) == (2, 1)
    assert bot.attempt(lambda: 5) == 5
    assert bot.record.faults == {}


def test_a_fault_that_sounds_different_each_time_does_not_fill_the_log(
    pool: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    bot = reader(pool, raising(*[SourceError("http_status", f"HTTP 500 number {n}") for n in range(200)]))
    assert [read(bot) for _ in range(200)] == [None] * 200
    assert bot.record.errors["http_status"] == 200
    assert 20 <= len(caplog.messages) < 40
