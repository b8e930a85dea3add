"""When something is due that comes every day or every week at an hour of the configured zone.

All are pure functions of the moment asked about, so neither a restart nor a missed scrape shifts anything. On the day
when clocks change, an hour that doesn't exist is the next moment that does; one that comes twice is the first.
"""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Recurring(NamedTuple):
    """Every day, or every week on a day, at an hour."""

    at: time
    weekday: int | None = None  # from Monday on, which is 0; None is every day

    def latest(self, now: float, zone: ZoneInfo) -> float:
        """The latest moment that has come."""
        # A clock that is set back may go back to yesterday: then what was due today has been.
        day = datetime.fromtimestamp(now, zone).date() + timedelta(days=1)
        while True:
            if self.weekday in (None, day.weekday()) and (due := moment(datetime.combine(day, self.at), zone)) <= now:
                return due
            day -= timedelta(days=1)


def moment(wall: datetime, zone: ZoneInfo) -> float:
    """The first moment, to the second, at which clocks show a time or have gone past it."""
    first = wall.replace(tzinfo=zone, fold=0).timestamp()
    if datetime.fromtimestamp(first, zone).replace(tzinfo=None) == wall:
        return first
    # Clocks skip it. Read with the time before the change it comes after that, and the other way round.
    before, after = int(wall.replace(tzinfo=zone, fold=1).timestamp()), int(first)
    while after - before > 1:
        middle = (before + after) // 2
        passed = datetime.fromtimestamp(middle, zone).replace(tzinfo=None) >= wall
        before, after = (before, middle) if passed else (middle, after)
    return float(after)


def hour(text: object) -> time:
    """An hour such as 08:00.

    Raises:
        ValueError: it is none.
    """
    match = re.fullmatch(r"(\d{1,2}):(\d{2})", text, re.ASCII) if isinstance(text, str) else None
    if match is None or int(match[1]) > 23 or int(match[2]) > 59:
        raise ValueError("must be an hour from 00:00 to 23:59")
    return time(int(match[1]), int(match[2]))


def weekly(text: object) -> Recurring:
    """A day and an hour such as monday 08:00.

    Raises:
        ValueError: it is none.
    """
    day, _, at = text.strip().lower().partition(" ") if isinstance(text, str) else ("", "", "")
    if day not in DAYS:
        raise ValueError("must be a day and an hour such as monday 08:00")
    try:
        return Recurring(hour(at.strip()), DAYS.index(day))
    except ValueError:
        raise ValueError("must be a day and an hour such as monday 08:00") from None
