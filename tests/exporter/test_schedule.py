"""When something is due: as a clock on the wall would say it, whatever the zone does with its clocks."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.config.schedule import DAYS, Recurring, hour, moment, weekly

# Of every kind: no changes, changes of an hour, of half an hour, at midnight, at a minute past it, a day left out.
ZONES = [
    *("UTC", "Europe/Berlin", "America/New_York", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu"),
    *("Pacific/Apia", "Pacific/Kiritimati", "Africa/Cairo", "America/Havana", "Asia/Tehran", "America/Sao_Paulo"),
    *("Africa/Casablanca", "Antarctica/Troll", "Asia/Beirut", "Europe/Dublin"),
]
zones = st.sampled_from(ZONES).map(ZoneInfo)
times = st.builds(time, st.integers(0, 23), st.integers(0, 59)) | st.sampled_from([time(0), time(2, 30), time(23, 59)])
weekdays = st.none() | st.integers(0, 6)
moments = st.integers(
    int(datetime(1987, 1, 1, tzinfo=UTC).timestamp()), int(datetime(2060, 1, 1, tzinfo=UTC).timestamp())
)


def changes(zone: ZoneInfo, year: int) -> list[int]:
    """The hours of a year in which clocks change."""
    begin = int(datetime(year, 1, 1, tzinfo=UTC).timestamp())
    offsets = [(t, datetime.fromtimestamp(t, zone).utcoffset()) for t in range(begin, begin + 366 * 86400, 3600)]
    return [t for (_, one), (t, other) in pairwise(offsets) if one != other]


# Three in four of the moments lie within a day and a half of a change.
@st.composite
def near_changes(draw: st.DrawFn) -> tuple[ZoneInfo, int]:
    zone = draw(zones)
    found = changes(zone, draw(st.sampled_from([1988, 2006, 2011, 2016, 2026, 2037])))
    shift = draw(st.integers(-36 * 3600, 36 * 3600))
    return zone, draw(st.sampled_from(found)) + shift if found else draw(moments)


def wall(at: float, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(at, zone).replace(tzinfo=None)


@given(near_changes(), st.integers(-1440, 1440))
@example((ZoneInfo("Pacific/Apia"), 1325239200), 60)  # the 30th of December 2011, which there was none of
def test_a_moment_is_the_first_at_which_clocks_show_it_or_have_gone_past_it(
    near: tuple[ZoneInfo, int], minutes: int
) -> None:
    zone, around = near
    asked = wall(around // 60 * 60, zone).replace(second=0) + timedelta(minutes=minutes)
    got = moment(asked, zone)
    # A day and a half back no clock is past it, and from there every minute is looked at.
    begin = int(asked.replace(tzinfo=UTC).timestamp()) - 36 * 3600
    assert got == next(t for t in range(begin, begin + 72 * 3600, 60) if wall(t, zone) >= asked)


@given(zones | st.just(ZoneInfo("UTC")), moments, times, weekdays)
def test_the_latest_is_past_and_none_came_since(zone: ZoneInfo, now: int, at: time, weekday: int | None) -> None:
    recurring = Recurring(at, weekday)
    latest = recurring.latest(now, zone)
    assert latest <= now
    day = wall(latest, zone).date()
    possible = [datetime.combine(day + timedelta(days=n), at) for n in range(-2, 10)]
    due = [moment(each, zone) for each in possible if weekday in (None, each.weekday())]
    assert latest in due
    assert not [each for each in due if latest < each <= now]
    assert min(each for each in due if each > latest) > now


@given(near_changes(), times, weekdays)
def test_it_stays_until_the_next_one_comes(near: tuple[ZoneInfo, int], at: time, weekday: int | None) -> None:
    """Asked at any moment in between it is the same, and it never goes back: one report a day or week."""
    zone, now = near
    recurring = Recurring(at, weekday)
    latest = recurring.latest(now, zone)
    assert recurring.latest(latest, zone) == latest
    assert recurring.latest((latest + now) / 2, zone) == latest
    before = recurring.latest(latest - 1, zone)
    assert before < latest
    # At least every eight days and a bit: the day that Samoa left out is that of its weekly report, too.
    assert latest - before <= (2 if weekday is None else 8) * 86400 + 3 * 3600
    seen = [recurring.latest(now + n * 1800, zone) for n in range(120)]
    assert seen == sorted(seen)


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize(
    ("zone", "hours", "now", "due"),
    [
        ("Europe/Berlin", time(8), "2026-11-21T12:00+01:00", "2026-11-21T08:00+01:00"),
        ("Europe/Berlin", time(8), "2026-11-21T07:59:59+01:00", "2026-11-20T08:00+01:00"),
        ("Europe/Berlin", time(8), "2026-11-21T08:00+01:00", "2026-11-21T08:00+01:00"),
        ("Europe/Berlin", time(8), "2026-03-29T12:00+02:00", "2026-03-29T08:00+02:00"),
        # There is no half past two: clocks go from two to three.
        ("Europe/Berlin", time(2, 30), "2026-03-29T12:00+02:00", "2026-03-29T03:00+02:00"),
        ("Europe/Berlin", time(2, 30), "2026-03-29T01:59+01:00", "2026-03-28T02:30+01:00"),
        # It comes twice: the first, and not again at the second.
        ("Europe/Berlin", time(2, 30), "2026-10-25T02:30+02:00", "2026-10-25T02:30+02:00"),
        ("Europe/Berlin", time(2, 30), "2026-10-25T02:45+01:00", "2026-10-25T02:30+02:00"),
        # A minute after midnight clocks went back to yesterday.
        ("America/St_Johns", time(0), "2010-11-06T23:30-03:30", "2010-11-07T00:00-02:30"),
        # No Friday at all.
        ("Pacific/Apia", time(8), "2011-12-31T01:00+14:00", "2011-12-31T00:00+14:00"),
    ],
)
def test_examples(zone: str, hours: time, now: str, due: str) -> None:
    assert Recurring(hours).latest(at(now), ZoneInfo(zone)) == at(due)


@pytest.mark.parametrize("now", ["2026-11-23T08:00+01:00", "2026-11-29T23:59+01:00", "2026-11-30T07:59:59+01:00"])
def test_a_week(now: str) -> None:
    assert Recurring(time(8), 0).latest(at(now), ZoneInfo("Europe/Berlin")) == at("2026-11-23T08:00+01:00")


@pytest.mark.parametrize(("text", "expected"), [("08:00", time(8)), ("8:05", time(8, 5)), ("23:59", time(23, 59))])
def test_hours(text: str, expected: time) -> None:
    assert hour(text) == expected


@pytest.mark.parametrize("text", ["", "8", "24:00", "08:60", "08:00:00", " 08:00", "8am", "-8:00", 480, None])
def test_what_is_no_hour(text: object) -> None:
    with pytest.raises(ValueError, match="must be an hour from 00:00 to 23:59"):
        hour(text)


def test_days_of_the_week() -> None:
    assert [weekly(f"{day} 08:00") for day in DAYS] == [Recurring(time(8), n) for n in range(7)]
    assert weekly("  Sunday   18:30 ") == Recurring(time(18, 30), 6)


@pytest.mark.parametrize("text", ["", "monday", "08:00", "mon 08:00", "monday 25:00", "monday 08:00 UTC", 5, None])
def test_what_is_no_day_of_the_week(text: object) -> None:
    with pytest.raises(ValueError, match="must be a day and an hour such as monday 08:00"):
        weekly(text)
