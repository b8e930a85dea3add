"""What the tests of the figures share: zones, and what counts as equal."""

from __future__ import annotations

import pytest

# With daylight saving at other hours, by half an hour, at midnight, a minute after it (so that an hour of the day
# before comes again), and a day that was left out.
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "America/St_Johns")
ZONES += ("Pacific/Apia", "Africa/Casablanca", "Asia/Beirut")


def equal(expected: float | None, scale: float = 0.0) -> object:
    """Equal to 1e-9 of the value.

    Args:
        scale: the size of the terms it is summed up from. Where they cancel no digits are left to compare: the value
            is equal to a few roundings of its terms.
    """
    return None if expected is None else pytest.approx(expected, rel=1e-9, abs=1e-13 * scale)
