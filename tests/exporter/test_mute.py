"""Muting by hand: for a time, one bot or all, over a restart; and what is wrong said in a sentence."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.bots import Bots
from exporter.mute import main, muted, read
from exporter.scrape import scrape
from tests.exporter.helpers import Samples, set_clock, soon
from tests.stack import ROOT

NOW = 1795255243.0
TEXT = "timezone: Europe/Berlin\nbots: [{name: a b, type: demo}, {name: c, type: push, token_env: NOT_SET_HERE}]\n"


@pytest.fixture
def mute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run the command at a moment. The passwords that monitoring.yml names needn't be known to it."""
    (tmp_path / "monitoring.yml").write_text(TEXT)

    def run(bot: str, how_long: str, now: float = NOW) -> int:
        set_clock(monkeypatch, "exporter.mute", lambda: now)
        paths = ["--config", str(tmp_path / "monitoring.yml"), "--data-dir", str(tmp_path / "data")]
        return main([*paths, "--", bot, how_long])

    return run


def test_for_a_time(mute: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert mute("a b", "2h") == 0
    assert capsys.readouterr().out == (
        "Muted until 2026-11-21 13:00 CET, in effect within 40 s: a b. To end it: make unmute BOT='a b'\n"
    )
    data = tmp_path / "data"
    assert (muted(data, NOW), muted(data, NOW + 7199), muted(data, NOW + 7200)) == ({"a b"}, {"a b"}, set())
    mute("c", "1d", NOW + 60)
    assert read(data) == {"a b": NOW + 7200, "c": NOW + 60 + 86400}
    # Again: the new time counts. What has ended is forgotten.
    mute("c", "1m", NOW + 8000)
    assert read(data) == {"c": NOW + 8060}


def test_a_bare_number_is_seconds(mute: Callable[..., int], tmp_path: Path) -> None:
    assert mute("c", "300") == 0
    assert read(tmp_path / "data") == {"c": NOW + 300}


def test_all_and_the_end(mute: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert mute("all", "30m") == 0
    assert muted(tmp_path / "data", NOW) == {"a b", "c"}
    assert mute("c", "off") == 0
    assert capsys.readouterr().out.splitlines()[1] == (
        "No longer muted: c. What monitoring.yml has as maintenance stays."
    )
    assert muted(tmp_path / "data", NOW) == {"a b"}
    assert mute("all", "off") == 0
    assert read(tmp_path / "data") == {}


@pytest.mark.parametrize(
    ("bot", "how_long", "said"),
    [
        ("d", "2h", "There is no bot 'd': give BOT=all, or one of a b, c."),
        ("", "2h", "There is no bot '': give BOT=all, or one of a b, c."),
        *(
            ("c", each, f"How long is '{each}': give FOR=2h, or another time from 1m to 7d; a bare number is seconds.")
            for each in ("", "2", "59", "604801", "59s", "8d", "two hours", "2h30m", "-2h")
        ),
    ],
)
def test_what_is_wrong(
    mute: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str], bot: str, how_long: str, said: str
) -> None:
    assert mute(bot, how_long) == 1
    assert capsys.readouterr() == ("", said + "\n")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("text", ["bots: [", "", "bots: 5", "bots: [5]", "timezone: [1]\nbots: [{name: x}]", "- a"])
def test_a_file_that_can_not_be_used(
    mute: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    (tmp_path / "monitoring.yml").write_text(text)
    assert mute("all", "2h") == 1
    assert capsys.readouterr().err == f"{tmp_path}/monitoring.yml can't be used; make check tells why.\n"


def test_a_folder_that_can_not_be_written(
    mute: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").write_text("")
    assert mute("c", "2h") == 1
    assert capsys.readouterr().err == f"{tmp_path}/data/muted.json.new can't be written: File exists.\n"


@pytest.mark.parametrize("text", ["", "{", "[]", "5", '{"a": "x", "b": null}', "\x00", '{"a": {}}'])
def test_a_file_of_mutes_that_is_none_mutes_nobody(tmp_path: Path, text: str) -> None:
    (tmp_path / "muted.json").write_text(text)
    assert muted(tmp_path, NOW) == set()


def test_the_exporter_serves_it_as_maintenance(
    make_bots: Callable[[str], Bots], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bots = make_bots("bots: [{name: a, type: demo}, {name: b, type: demo}]")

    def served() -> dict[tuple[str, ...], float]:
        return Samples(scrape(bots, ["a", "b"], ["config"], soon())).of("trading_bot_maintenance")

    assert served() == {("a",): 0, ("b",): 0}
    paths = ["--config", str(tmp_path / "monitoring.yml"), "--data-dir", str(tmp_path / "data")]
    main([*paths, "b", "2h"])
    assert served() == {("a",): 0, ("b",): 1}
    main([*paths, "b", "off"])
    assert served() == {("a",): 0, ("b",): 0}
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("command", [["mute"], ["mute", "BOT=x"], ["mute", "FOR=2h"], ["unmute"]])
def test_make_without_what_it_needs(command: list[str]) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ("BOT", "FOR")}
    run = subprocess.run(
        ["make", "-s", *command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 2
    assert "Which bot, and how long? Such as: make mute BOT=my-bot FOR=2h" in run.stderr
