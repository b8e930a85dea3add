"""The file source: a bad document is refused with a sentence, and the last good one serves until it is stale."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import threading
import time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from exporter.results import Limits, complete
from exporter.sources.file import FileSource
from exporter.state import BotState, SourceError, StateDocument
from tests.exporter.helpers import set_clock, soon

NOW = 1795255243.0
STALE_AFTER = 180


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    set_clock(monkeypatch, "exporter.sources.file", clock)
    return clock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.json"


@pytest.fixture
def source(path: Path) -> FileSource:
    return FileSource(path, STALE_AFTER, ZoneInfo("UTC"))


def write(path: Path, document: dict[str, Any] | str | bytes) -> None:
    """Replace the file atomically, as bots are told to."""
    text = json.dumps({"timestamp": NOW} | document) if isinstance(document, dict) else document
    draft = path.with_suffix(".new")
    draft.write_bytes(text if isinstance(text, bytes) else text.encode())
    draft.replace(path)


def read(source: FileSource) -> BotState:
    return source.read("trading", soon())


def fault(source: FileSource) -> SourceError:
    with pytest.raises(SourceError) as caught:
        read(source)
    return caught.value


GOOD = {"bot": {"status": "running"}, "trading": {"profit_loss": 5.0}}


def test_a_document(path: Path, source: FileSource) -> None:
    trades = [{"id": n, "closed_at": NOW - n, "profit": 2, "pair": "A/B", "fees": 0.5} for n in range(1, 4)]
    write(
        path,
        {
            "bot": {"name": "x", "mode": "live", "status": "paused", "uptime": 100, "last_activity": NOW - 1},
            "trading": {"initial_capital": 100},
            "trades": trades,
            "positions": [{"pair": "C/D", "side": "short", "size": 10, "profit": -3}],
        },
    )
    state = read(source)
    assert (state.bot.name, state.bot.status, state.bot.started_at) == ("x", "paused", NOW - 100)
    results = complete(state, Limits())
    assert (results.total_trades, results.profit_loss, results.equity, results.fees) == (3, 3, 103, 1.5)
    assert results.last_trade_time == NOW - 1
    assert source.read("bot", soon()) == state


def test_a_bot_that_states_no_activity_was_active_when_it_wrote(path: Path, source: FileSource) -> None:
    """Else its death would be told only after stale_after and bot_down_time one after the other."""
    write(path, {"timestamp": NOW - 30, "bot": {"status": "running"}})
    assert read(source).bot.last_activity == NOW - 30


def test_an_empty_list_of_trades_is_a_history(path: Path, source: FileSource) -> None:
    """Counters start at 0: no trade yet is not the same as not told."""
    write(path, {"trades": []})
    assert complete(read(source), Limits()).total_trades == 0
    write(path, {})
    assert complete(read(source), Limits()).total_trades is None


def stamped(rest: str) -> bytes:
    """The text of a document with a right timestamp and something else."""
    return b'{"timestamp": 1795255243, ' + rest.encode() + b"}"


# The text, and how the sentence begins.
INVALID: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "document: Invalid JSON"),
    "truncated": (stamped('"trading": {"profit_loss": 1')[:-1], "document: Invalid JSON"),
    "no JSON": (b"profit: 5\n", "document: Invalid JSON"),
    "not UTF-8": (b'{"timestamp": 1795255243, "bot": {"name": "\xff"}}', "document: Invalid JSON"),
    "deep": (b'{"a":' * 100_000, "document: Invalid JSON: recursion limit exceeded"),
    "large": (stamped('"a": "' + "x" * 50_000_000 + '"'), "larger than 4 MiB"),
    "a list": (b"[]", "document: Input should be an object"),
    "no timestamp": (b'{"bot": {}}', "timestamp: Field required"),
    "ms": (b'{"timestamp": 1795255243000}', "timestamp: Value error, looks like milliseconds; must be Unix seconds"),
    "zoneless": (b'{"timestamp": "2026-11-21T10:00:43"}', "timestamp: Value error, has no time zone"),
    "future": (b'{"timestamp": 1795255343}', "timestamp is 100 s in the future; are the clocks right?"),
    "NaN": (stamped('"trading": {"profit_loss": NaN}'), "trading.profit_loss: Input should be a finite"),
    "Infinity": (stamped('"trading": {"equity": -Infinity}'), "trading.equity: Input should be a finite"),
    "type": (stamped('"trading": {"win_rate": "0.5"}'), "trading.win_rate: Input should be a valid number"),
    "negative": (stamped('"trading": {"total_trades": -1}'), "trading.total_trades: Input should be greater"),
    "huge": (stamped('"trading": {"fees": 0, "total_trades": 1' + "0" * 400 + "}"), "trading.total_trades: "),
    "future activity": (stamped('"bot": {"last_activity": 1795259999}'), "bot.last_activity is 4756 s in the future"),
    "future trade": (
        stamped('"trades": [{"id": 1, "closed_at": 1795259999, "profit": 1}]'),
        "trades.0.closed_at is 4756 s in the future",
    ),
    "long number": (stamped('"x": 1' + "0" * 6000), "document: Invalid JSON: number out of range"),
}


@pytest.mark.parametrize("name", INVALID)
def test_refused_with_a_sentence_while_the_last_good_one_serves(
    path: Path, source: FileSource, clock: Clock, name: str
) -> None:
    text, words = INVALID[name]
    write(path, text)
    error = fault(source)
    assert error.reason == "invalid"
    assert str(error).startswith(f"{path}: {words}")
    assert len(str(error)) < 1000
    write(path, GOOD)
    assert read(source).problems == ()
    write(path, text)
    for _ in range(2):
        state = read(source)
        assert state.trading.profit_loss == 5
        assert [(p.reason, str(p)) for p in state.problems] == [("invalid", str(error))]
    clock.now += STALE_AFTER + 1
    if name != "future":
        assert str(fault(source)) == str(error)
    write(path, GOOD | {"timestamp": clock.now})
    assert read(source).problems == ()


def test_every_fault_of_a_document_in_one_sentence(path: Path, source: FileSource) -> None:
    write(path, {"trading": {"win_rate": 2, "fees": -1}, "bot": {"status": "asleep"}})
    assert str(fault(source)).count("; ") == 2
    assert str(fault(source)).startswith(f"{path}: 3 faults: ")
    rows = [{"id": n, "closed_at": NOW, "profit": None} for n in range(100)]
    write(path, {"trades": rows})
    assert str(fault(source)) == f"{path}: trades.0.profit: Input should be a valid number"


def test_no_file_then_one_then_none(path: Path, source: FileSource, clock: Clock) -> None:
    error = fault(source)
    assert error.reason == "missing"
    assert str(error) == f"{path}: No such file or directory; does the bot write its state there, may it be read?"
    write(path, GOOD)
    assert read(source).problems == ()
    path.unlink()
    state = read(source)
    assert (state.trading.profit_loss, [p.reason for p in state.problems]) == (5, ["missing"])
    clock.now += STALE_AFTER + 1
    assert fault(source).reason == "missing"
    clock.now = NOW
    write(path, GOOD)
    assert read(source).problems == ()


def test_a_folder_is_no_file(path: Path, source: FileSource) -> None:
    path.mkdir()
    assert "Is a directory" in str(fault(source))


@pytest.mark.parametrize("special", ["pipe", "device"])
def test_a_pipe_or_device_is_no_file_and_holds_up_nobody(path: Path, source: FileSource, special: str) -> None:
    if special == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    began = time.monotonic()
    error = fault(source)
    assert time.monotonic() - began < 2
    assert (error.reason, str(error)) == (
        "missing",
        f"{path}: Is a pipe or a device, not a file; does the bot write its state there, may it be read?",
    )
    write(path, GOOD)
    assert read(source).problems == ()


@pytest.mark.parametrize("value", ["0", "{}", '""', '{"a":0}', "[[]]"])
@pytest.mark.parametrize("key", ["positions", "trades", "x"])
def test_a_document_of_many_small_values(path: Path, source: FileSource, key: str, value: str) -> None:
    write(path, stamped(f'"{key}": [' + ",".join([value] * 400_000) + "]"))
    began = time.monotonic()
    assert re.search(r"has some \d+ values, more than 200000; state totals and leave lists out$", str(fault(source)))
    assert time.monotonic() - began < 2


def test_stale_and_fresh_again(path: Path, source: FileSource, clock: Clock) -> None:
    write(path, GOOD)
    clock.now += STALE_AFTER
    assert read(source).trading.profit_loss == 5
    clock.now += 1
    error = fault(source)
    assert error.reason == "stale"
    assert str(error) == (
        f"{path}: its timestamp is 2026-11-21 10:00:43+00:00, older than stale_after (180 s); "
        "does the bot still write it?"
    )
    clock.now += 1000
    assert str(fault(source)) == str(error), "the same fault in other words would be logged at each scrape"
    write(path, GOOD | {"timestamp": clock.now})
    assert read(source).problems == ()


def test_a_clock_a_little_ahead_is_fine(path: Path, source: FileSource) -> None:
    write(path, {"timestamp": NOW + 59})
    assert read(source).problems == ()


def test_parsed_once_for_each_version(path: Path, source: FileSource, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[bytes] = []
    parse = source._parse

    def counting(text: bytes) -> StateDocument:
        parsed.append(text)
        return parse(text)

    monkeypatch.setattr(source, "_parse", counting)
    write(path, GOOD)
    read(source)
    read(source)
    source.read("bot", soon())
    assert len(parsed) == 1
    write(path, GOOD)
    read(source)
    assert len(parsed) == 2


def test_duplicate_trades_count_once(path: Path, source: FileSource) -> None:
    row = {"id": "a", "closed_at": NOW - 5, "profit": 2}
    write(path, {"trades": [row, row, row | {"id": "b"}]})
    assert complete(read(source), Limits()).winning_trades == 2


def test_an_unknown_key_is_warned_of_once(path: Path, source: FileSource, caplog: pytest.LogCaptureFixture) -> None:
    for n in range(3):
        write(path, {"trading": {"proft": n}, "ex\ntra": 1})
        read(source)
    assert caplog.messages == [
        f"{path}: the key 'ex\\ntra' is not known and not used; see the document's schema",
        f"{path}: the key 'trading.proft' is not known and not used; see the document's schema",
    ]
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


def test_unknown_keys_do_not_fill_the_log(path: Path, source: FileSource, caplog: pytest.LogCaptureFixture) -> None:
    for n in range(4):
        write(path, {f"{n}-{k}": "x" * 100 for k in range(30)})
        read(source)
    assert len(caplog.messages) == 50


def test_both_parts_at_once_see_the_first_document(path: Path) -> None:
    """While one part parses the document, the other one must not take it for missing."""
    rows = [{"id": n, "closed_at": NOW - n, "profit": 1} for n in range(20_000)]
    write(path, {"trades": rows})
    source = FileSource(path, STALE_AFTER, ZoneInfo("UTC"))
    counts: list[int | None] = []

    def one(part: Any) -> None:
        counts.append(complete(source.read(part, soon()), Limits()).total_trades)

    threads = [threading.Thread(target=one, args=(part,)) for part in ("bot", "trading")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [20_000, 20_000]


def test_replaced_while_it_is_read(path: Path) -> None:
    """A writer that replaces atomically never shows a half document, however fast it writes."""
    source = FileSource(path, STALE_AFTER, ZoneInfo("UTC"))
    ended = threading.Event()

    def keep_writing() -> None:
        n = 0
        while not ended.is_set():
            n += 1
            write(path, {"trading": {"total_trades": n, "profit_loss": n}, "x": "y" * n})

    write(path, {"trading": {"total_trades": 0, "profit_loss": 0}})
    writer = threading.Thread(target=keep_writing)
    writer.start()
    try:
        seen: set[int | None] = set()
        end = soon(20)
        while len(seen) < 50:
            state = read(source)
            assert state.problems == ()
            assert state.trading.total_trades == state.trading.profit_loss
            seen.add(state.trading.total_trades)
            assert time.monotonic() < end
    finally:
        ended.set()
        writer.join()


def test_written_in_place_half_a_document_is_refused_and_then_whole(path: Path, source: FileSource) -> None:
    write(path, GOOD)
    read(source)
    text = json.dumps({"timestamp": NOW, "trading": {"profit_loss": 6.0}})
    path.write_text(text[:30])
    assert [p.reason for p in read(source).problems] == ["invalid"]
    path.write_text(text)
    assert read(source).trading.profit_loss == 6


def test_a_fault_met_again_and_again_keeps_nothing(path: Path, source: FileSource) -> None:
    """Raising the same exception object anew would chain the frames of every reading to it."""
    write(path, "{")
    lengths = []
    for _ in range(5):
        frame, length = fault(source).__traceback__, 0
        while frame is not None:
            frame, length = frame.tb_next, length + 1
        lengths.append(length)
    assert len(set(lengths)) == 1


@pytest.mark.skipif(os.geteuid() == 0 or sys.platform == "win32", reason="root may read every file")
def test_a_file_that_may_not_be_read(path: Path, source: FileSource) -> None:
    write(path, GOOD)
    path.chmod(0)
    assert "Permission denied" in str(fault(source))
