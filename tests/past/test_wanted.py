"""When the past is made: at a first start of demo bots alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from past import __main__ as past
from past.__main__ import main
from past.wanted import MARK, MOST, note

DEMO = "bots:\n  - {name: demo, type: demo}\n"
REAL = DEMO + "  - {name: mine, type: file, path: mine.json}\n"


def demos(count: int) -> str:
    return yaml.safe_dump({"bots": [{"name": f"demo-{number}", "type": "demo"} for number in range(count)]})


@pytest.fixture
def monitoring(tmp_path: Path) -> Path:
    path = tmp_path / "monitoring.yml"
    path.write_text(DEMO)
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def run(monitoring: Path, data: Path) -> int:
    nowhere = ["--exporter", "http://127.0.0.1:1", "--bin", str(data)]
    return main(["--config", str(monitoring), "--data", str(data), *nowhere])


@pytest.mark.parametrize("bots", [1, MOST])
def test_before_a_first_start_it_is_wanted(monitoring: Path, data: Path, bots: int) -> None:
    monitoring.write_text(demos(bots))
    note(monitoring, data)
    assert [path.name for path in data.iterdir()] == [MARK]


def test_not_with_a_fault(monitoring: Path, data: Path) -> None:
    monitoring.write_text("nonsense")
    note(monitoring, data)
    assert list(data.iterdir()) == []


def test_a_fault_later_changes_nothing(monitoring: Path, data: Path) -> None:
    note(monitoring, data)
    (data / "past").mkdir()
    monitoring.write_text("nonsense")
    note(monitoring, data)
    assert {path.name for path in data.iterdir()} == {MARK, "past"}


@pytest.mark.parametrize("text", [REAL, demos(MOST + 1)])
def test_not_beside_a_real_bot_nor_of_many(monitoring: Path, data: Path, text: str) -> None:
    note(monitoring, data)
    monitoring.write_text(text)
    note(monitoring, data)
    assert list(data.iterdir()) == []


def test_what_is_not_moved_yet_is_dropped_when_a_real_bot_comes(monitoring: Path, data: Path) -> None:
    note(monitoring, data)
    (data / "first").mkdir()
    (data / "past/ready/second").mkdir(parents=True)
    note(monitoring, data)
    assert (data / "past/ready/second").exists()
    monitoring.write_text(REAL)
    note(monitoring, data)
    assert [path.name for path in data.iterdir()] == ["first"]
    monitoring.write_text(DEMO)
    note(monitoring, data)
    assert run(monitoring, data) == 0
    assert [path.name for path in data.iterdir()] == ["first"]


def test_it_stops_when_it_is_not_wanted_any_more(
    monitoring: Path, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    note(monitoring, data)

    def since(_: str) -> dict[str, float]:
        monitoring.write_text(REAL)
        note(monitoring, data)
        return {"demo": 0}

    monkeypatch.setattr(past, "_since", since)
    assert run(monitoring, data) == 0
    assert capsys.readouterr().out == "The demo bot's past isn't wanted any more.\n"
    assert list(data.iterdir()) == []


def test_not_where_prometheus_has_data(monitoring: Path, data: Path) -> None:
    (data / "wal").mkdir(parents=True)
    note(monitoring, data)
    assert [path.name for path in data.iterdir()] == ["wal"]


def test_not_with_a_real_bot_that_came_meanwhile(monitoring: Path, data: Path) -> None:
    note(monitoring, data)
    (data / "past").mkdir()
    monitoring.write_text(REAL)
    assert run(monitoring, data) == 0
    assert list(data.iterdir()) == []


def test_a_fault_is_told_in_a_line_and_the_next_start_tries_again(
    monitoring: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    note(monitoring, data)
    assert run(monitoring, data) == 1
    told = capsys.readouterr().out
    assert told.startswith("The demo bot's past could not be made; all else goes on")
    assert told.count("\n") == 1
    assert (data / MARK).exists()
    assert not (data / "past").exists()


def test_a_full_disk_is_told_before_anything_is_written(
    monitoring: Path, data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    note(monitoring, data)
    monkeypatch.setattr(past, "BYTES_A_BOT", 10**15)
    assert run(monitoring, data) == 1
    assert f"it needs 1000000600 MB of disk for a moment, and where {data} is " in capsys.readouterr().out
    assert [path.name for path in data.iterdir()] == [MARK]


def test_killed_while_it_moves_blocks_it_moves_the_rest(monitoring: Path, data: Path) -> None:
    note(monitoring, data)
    (data / "first").mkdir()
    (data / "past/ready/second").mkdir(parents=True)
    assert run(monitoring, data) == 0
    assert {path.name for path in data.iterdir()} == {"first", "second"}


def test_killed_at_its_end_it_clears_up(monitoring: Path, data: Path) -> None:
    (data / "past").mkdir(parents=True)
    assert run(monitoring, data) == 0
    assert list(data.iterdir()) == []
