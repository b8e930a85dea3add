"""The file source: whatever stands at the path, and whenever it is replaced. What a document may be: test_document."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from exporter.document import Documents
from exporter.figures.results import Limits, complete
from exporter.sources import BESIDE, DOCUMENT
from exporter.sources.file import FileSource
from exporter.state import BotState, SourceError
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
    for module in ("exporter.sources.file", "exporter.document"):
        set_clock(monkeypatch, module, clock)
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
    return source.read("state", soon())


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
    assert read(source) == state


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
        path = Path("/dev/zero")
        source = FileSource(path, STALE_AFTER, ZoneInfo("UTC"))
    began = time.monotonic()
    error = fault(source)
    assert time.monotonic() - began < 2
    assert (error.reason, str(error)) == (
        "missing",
        f"{path}: Is a pipe or a device, not a file; does the bot write its state there, may it be read?",
    )
    if special == "pipe":
        write(path, GOOD)
        assert read(source).problems == ()


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


@pytest.mark.skipif(os.geteuid() == 0 or sys.platform == "win32", reason="root may read every file")
def test_a_file_that_may_not_be_read(path: Path, source: FileSource) -> None:
    write(path, GOOD)
    path.chmod(0)
    assert "Permission denied" in str(fault(source))


def test_what_it_is_read_for(path: Path, source: FileSource) -> None:
    """All there is or, beside a bot that has an API, what that can't tell."""
    assert source.groups == DOCUMENT
    assert set(FileSource(path, STALE_AFTER, ZoneInfo("UTC"), BESIDE).groups) == {"model", "market", "system"}


def test_a_bad_document_is_a_problem_until_it_is_stale(path: Path, source: FileSource, clock: Clock) -> None:
    write(path, GOOD)
    assert read(source).problems == ()
    write(path, "{")
    for _ in range(2):
        state = read(source)
        assert (state.trading.profit_loss, [p.reason for p in state.problems]) == (5, ["invalid"])
    clock.now += STALE_AFTER + 1
    assert fault(source).reason == "invalid"
    write(path, GOOD | {"timestamp": clock.now})
    assert read(source).problems == ()
    clock.now += STALE_AFTER + 1
    assert fault(source).reason == "stale"


def test_50_mb_are_not_read(path: Path, source: FileSource) -> None:
    write(path, b'{"timestamp": 1795255243, "a": "' + b"x" * 50_000_000 + b'"}')
    assert str(fault(source)) == f"{path}: larger than 2 MiB; state totals and leave lists out"


def test_parsed_once_for_each_version(path: Path, source: FileSource, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[bytes] = []
    take = Documents.take

    def counting(documents: Documents, text: bytes) -> None:
        taken.append(text)
        take(documents, text)

    monkeypatch.setattr(Documents, "take", counting)
    for versions in (1, 2):
        write(path, GOOD)
        for _ in range(3):
            read(source)
        assert len(taken) == versions


def test_from_the_future_until_our_clock_is_set(path: Path, source: FileSource, clock: Clock) -> None:
    """A machine without a battery starts in the past. The bot may not write for a while."""
    clock.now -= 3600
    write(path, GOOD)
    assert "in the future" in str(fault(source))
    clock.now += 3600
    assert read(source).problems == ()


def test_a_refused_document_is_not_parsed_at_each_reading(
    path: Path, source: FileSource, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[bytes] = []
    take = Documents.take
    monkeypatch.setattr(Documents, "take", lambda documents, text: (taken.append(text), take(documents, text)))
    write(path, "{")
    for _ in range(5):
        fault(source)
    assert len(taken) == 1
    clock.now += 60
    fault(source)
    assert len(taken) == 2


def test_a_symbolic_link_leads_no_further_than_its_folder(path: Path, source: FileSource, tmp_path: Path) -> None:
    """Whoever may write a state there shall not have other files read on their behalf."""
    outside = tmp_path.parent / "outside.json"
    write(outside, GOOD)
    (tmp_path / "folder").mkdir()
    write(tmp_path / "folder/inside.json", GOOD)
    for target in (outside, Path("../outside.json"), Path("folder/../../outside.json"), Path("/etc/passwd")):
        path.symlink_to(target)
        resolved = path.resolve()
        assert str(fault(source)) == (
            f"{path}: Is a symbolic link out of its folder, to {resolved}; give that path itself; "
            "does the bot write its state there, may it be read?"
        )
        path.unlink()
    for target in (tmp_path / "folder/inside.json", Path("folder/inside.json")):
        path.symlink_to(target)
        assert read(source).problems == ()
        path.unlink()
    path.symlink_to("folder/missing.json")
    assert [p.reason for p in read(source).problems] == ["missing"]
    # By way of another link.
    path.unlink()
    (tmp_path / "step").symlink_to(outside)
    path.symlink_to("step")
    assert "out of its folder" in read(source).problems[0].args[0]
    path.unlink()
    path.symlink_to(path)
    assert "Too many levels of symbolic links" in read(source).problems[0].args[0]


def test_the_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    write(tmp_path / "real/state.json", GOOD)
    (tmp_path / "link").symlink_to("real")
    source = FileSource(tmp_path / "link/state.json", STALE_AFTER, ZoneInfo("UTC"))
    assert read(source).problems == ()
    (tmp_path / "real/current.json").symlink_to("state.json")
    source = FileSource(tmp_path / "link/current.json", STALE_AFTER, ZoneInfo("UTC"))
    assert read(source).problems == ()
