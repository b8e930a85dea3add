"""The calendar: once or again and again, for some bots or all, across midnight and the change of clocks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.bots import Bots
from exporter.config.load import ConfigError, load
from exporter.config.maintenance import Window
from exporter.config.schedule import DAYS, Recurring, hour
from exporter.scrape import scrape
from tests.exporter.helpers import Samples, set_clock, soon
from tests.exporter.test_schedule import near_changes

MakeBots = Callable[[str], Bots]

BOTS = "timezone: Europe/Berlin\nbots: [{name: a, type: demo}, {name: b, type: demo}]\n"


@pytest.fixture
def at(make_bots: MakeBots, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], str]:
    """The bots that are in maintenance by a calendar at a moment."""

    def ask(calendar: str, moment: str) -> str:
        now = datetime.fromisoformat(moment).timestamp()
        set_clock(monkeypatch, "exporter.scrape", lambda: now)
        bots = make_bots(BOTS + "maintenance:\n" + calendar)
        got = Samples(scrape(bots, ["a", "b"], ["config"], soon())).of("trading_bot_maintenance")
        assert set(got) == {("a",), ("b",)}
        assert set(got.values()) <= {0, 1}
        return "".join(name for (name,), value in got.items() if value)

    return ask


ONCE = "- {from: 2026-12-24 22:00, until: 2026-12-25 02:00}"
UTC_ONCE = "- {bots: [b], from: 2026-12-24T22:00:00Z, until: '2026-12-25T02:00+00:00'}"
NIGHTLY = "- {bots: [a], every: daily, at: 23:30, for: 1h}"
SUNDAYS = "- {bots: all, every: Sunday, at: '02:30', for: 7200}"


@pytest.mark.parametrize(
    ("calendar", "moment", "bots"),
    [
        ("", "2026-12-24T23:00+01:00", ""),
        (ONCE, "2026-12-24T21:59:59+01:00", ""),
        (ONCE, "2026-12-24T22:00+01:00", "ab"),
        (ONCE, "2026-12-25T01:59:59+01:00", "ab"),
        (ONCE, "2026-12-25T02:00+01:00", ""),
        (ONCE, "2027-12-24T23:00+01:00", ""),
        (UTC_ONCE, "2026-12-24T22:30+01:00", ""),
        (UTC_ONCE, "2026-12-24T23:30+01:00", "b"),
        (UTC_ONCE, "2026-12-25T02:59+01:00", "b"),
        # Across midnight.
        (NIGHTLY, "2026-12-24T23:29+01:00", ""),
        (NIGHTLY, "2026-12-24T23:30+01:00", "a"),
        (NIGHTLY, "2026-12-25T00:29+01:00", "a"),
        (NIGHTLY, "2026-12-25T00:30+01:00", ""),
        # On the Sunday without a half past two it is from three on, two hours as ever.
        (SUNDAYS, "2026-03-29T01:59+01:00", ""),
        (SUNDAYS, "2026-03-29T03:00+02:00", "ab"),
        (SUNDAYS, "2026-03-29T04:59+02:00", "ab"),
        (SUNDAYS, "2026-03-29T05:00+02:00", ""),
        # And on the one with two of them from the first on.
        (SUNDAYS, "2026-10-25T02:30+02:00", "ab"),
        (SUNDAYS, "2026-10-25T02:29+01:00", "ab"),
        (SUNDAYS, "2026-10-25T03:29+01:00", "ab"),
        (SUNDAYS, "2026-10-25T03:30+01:00", ""),
        (SUNDAYS, "2026-10-26T03:00+01:00", ""),
        # Overlaps are fine.
        (f"{ONCE}\n{NIGHTLY}\n{UTC_ONCE}", "2026-12-24T23:45+01:00", "ab"),
        (f"{NIGHTLY}\n{UTC_ONCE}", "2026-12-24T23:45+01:00", "ab"),
        (f"{NIGHTLY}\n{UTC_ONCE}", "2026-12-25T00:45+01:00", "b"),
        ("- {every: saturday, at: 20:00, for: 6d}", "2026-12-25T19:59+01:00", "ab"),
        ("- {every: saturday, at: 20:00, for: 6d}", "2026-12-25T20:00+01:00", ""),
    ],
)
def test_who_is_in_maintenance(at: Callable[[str, str], str], calendar: str, moment: str, bots: str) -> None:
    assert at(calendar, moment) == bots


@given(
    near_changes(),
    st.sampled_from(["daily", *DAYS]),
    st.times().map(lambda t: f"{t:%H:%M}"),
    st.integers(60, 23 * 3600),
)
def test_a_window_lasts_its_time_from_each_start(near: tuple, every: str, start: str, lasts: int) -> None:  # type: ignore[type-arg]
    zone, now = near
    window = Window.model_validate({"every": every, "at": start, "for": lasts})
    weekday = None if every == "daily" else DAYS.index(every)
    recurring = Recurring(hour(start), weekday)
    starts = [recurring.latest(now, zone)]
    starts.append(recurring.latest(starts[0] - 1, zone))
    assert window.holds(now, zone) == any(begin <= now < begin + lasts for begin in starts)
    assert window.holds(starts[0], zone)


ONE_OF_THEM = "needs from and until, or every, at and for"
BOTH = "from and until must both say their zone, or neither"
A_MOMENT = "must be a day and an hour such as 2026-12-24 22:00"
A_TIME = "must be a time from 1m to 6d such as 2h, or a number of seconds"
NAMES = "must be all, or a list of bots' names"


@pytest.mark.parametrize(
    ("calendar", "fault"),
    [
        ("5", "3: maintenance is 5: must be a list"),
        ("\n- 5", "4: maintenance[0] is 5: must be a mapping of keys to values"),
        ("\n- {}", f"4: maintenance[0] is {{}}: {ONE_OF_THEM}"),
        ("\n- {bots: [a]}", f"4: maintenance[0] is {{bots: [a]}}: {ONE_OF_THEM}"),
        ("\n- {every: daily, at: 02:00}", f"4: maintenance[0] is {{at: '02:00', every: daily}}: {ONE_OF_THEM}"),
        ("\n- from: 2026-12-24", f"4: maintenance[0].from is 2026-12-24: {A_MOMENT}"),
        ("\n- from: 22:00", f"4: maintenance[0].from is '22:00': {A_MOMENT}"),
        ("\n- from: 1766610000", f"4: maintenance[0].from is 1766610000: {A_MOMENT}"),
        ("\n- from: 1626-12-24 22:00", f"4: maintenance[0].from is 1626-12-24 22:00: {A_MOMENT}"),
        ("\n- from:", f"4: maintenance[0].from is null: {A_MOMENT}"),
        (
            "\n- {from: 2026-12-24 22:00, until: 2026-12-24 22:00}",
            "4: maintenance[0] is {from: '2026-12-24 22:00', until: '2026-12-24 22:00'}: until must be after from",
        ),
        (
            "\n- {from: 2026-12-24 22:00, until: 2026-12-24T23:00Z}",
            f"4: maintenance[0] is {{from: '2026-12-24 22:00', until: '2026-12-24T23:00Z'}}: {BOTH}",
        ),
        ("\n- every: weekday", "4: maintenance[0].every is weekday: must be daily or a day such as sunday"),
        ("\n- at: 2", "4: maintenance[0].at is 2: must be an hour from 00:00 to 23:59"),
        *(
            (f"\n- for: {value}", f"4: maintenance[0].for is {shown}: {A_TIME}")
            for value, shown in [("59s", "59s"), ("7d", "7d"), ("'7200'", "'7200'"), ("2 h", "2 h"), ("true", "true")]
        ),
        (
            "\n- {every: daily, at: 02:00, for: 1d}",
            "4: maintenance[0] is {at: '02:00', every: daily, for: 1d}: for must be at most 23h where it is every day",
        ),
        (
            "\n- until: 2026-12-24 22:00\n  why: x",
            "5: maintenance[0].why is x: unknown key; see docs/configuration.md ",
        ),
        *((f"\n- bots: {value}", f"4: maintenance[0].bots is {value}: {NAMES}") for value in ("a", "[]", "[5]", "{}")),
        (f"\n{ONCE[:-1]}, bots: [a, c]}}", "4: maintenance[0].bots[1] is c: no such bot; there are: a, b"),
    ],
)
def test_faults(tmp_path: Path, calendar: str, fault: str) -> None:
    file = tmp_path / "monitoring.yml"
    file.write_text(f"{BOTS}maintenance: {calendar}\n")
    with pytest.raises(ConfigError) as caught:
        load(file)
    (found,) = caught.value.faults
    assert found.removeprefix(f"{file}:").startswith(fault)


def test_every_fault_at_once(tmp_path: Path) -> None:
    file = tmp_path / "monitoring.yml"
    file.write_text(f"{BOTS}maintenance:\n- {{bots: [c], every: never, at: 25:00, for: 5}}\n{NIGHTLY[:-1]}, x: 1}}\n")
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert [fault.split(": ")[1].split(" is ")[0] for fault in caught.value.faults] == [
        *(f"maintenance[0].{key}" for key in ("every", "at", "for")),
        "maintenance[1].x",
        "maintenance[0].bots[0]",
    ]
