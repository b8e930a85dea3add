"""What a setting may be: numbers in their range, durations, on and off; and nothing numeric as text."""

from __future__ import annotations

import pytest

from exporter.config.settings import PRESETS, Range, Switch, duration

SECONDS = Range(60, 3600, 300, "seconds")
RATIO = Range(0.1, 0.5, 0.2, "ratio", "experienced")


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("5m", 300), ("2h", 7200), ("1d", 86400), ("0s", 0), ("007m", 420)]
)
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize(
    "value", ["5", "1.5h", "5 m", "5M", "-5m", "m", "", "5m ", "5m\n", "1h30m", "\u0665m", None, 5, 1.5]
)
def test_what_is_no_text_of_a_duration_stays_as_it_is(value: object) -> None:
    assert duration(value) is value


@pytest.mark.parametrize(
    ("given", "value"),
    [(60, 60), (3600, 3600), (61.5, 61.5), ("1m", 60), ("1h", 3600), ("on", 300), (True, 300), ("off", "off")],
)
def test_a_number_in_its_range(given: object, value: object) -> None:
    assert SECONDS.read(given) == value


@pytest.mark.parametrize(
    "given", [59, 3601, "59s", "2h", "300", None, [], {}, float("nan"), float("inf"), "ON", "yes", "", 10**400]
)
def test_what_is_refused(given: object) -> None:
    assert SECONDS.read(given) is None


def test_a_duration_is_for_seconds_alone() -> None:
    assert RATIO.read("1s") is None
    assert RATIO.allowed == "must be 0.1 to 0.5 (ratio), on or off"
    assert SECONDS.allowed == "must be 60 to 3600 (seconds, or such as 1m), on or off"


def test_a_count_is_whole() -> None:
    count = Range(2, 10, 3, "times in 1 h", whole=True)
    assert [count.read(given) for given in (2, 3.0, 10, "on", "off")] == [2, 3, 10, 3, "off"]
    assert [count.read(given) for given in (2.5, 1, 11, float("nan"), float("inf"), "3")] == [None] * 6
    assert count.allowed == "must be a whole number from 2 to 10 (times in 1 h), on or off"


def test_a_switch() -> None:
    assert [Switch().read(given) for given in ("on", True, "off", False)] == [1, 1, "off", "off"]
    assert [Switch().read(given) for given in (1, 0, 1.0, "1", None, "yes", [])] == [None] * 7
    assert Switch().allowed == "must be on or off"


def test_each_preset_switches_on_what_the_one_before_does() -> None:
    for since, expected in [
        ("beginner", [1, 1, 1]),
        ("experienced", ["off", 1, 1]),
        ("production", ["off", "off", 1]),
        (None, ["off", "off", "off"]),
    ]:
        assert [Range(0, 2, 1, "", since).of(preset) for preset in PRESETS] == expected  # type: ignore[arg-type]
