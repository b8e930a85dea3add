"""What a value from a bot may be: numbers and times that can be reckoned with, labels, and JSON that fits in memory."""

from __future__ import annotations

import re

# Beyond it a number is nobody's money, and its square or a sum of many of it may be more than a float holds.
MOST = 1e15
# No trading bot is older than 2000-01-01: such a time is a slip, and would make thousands of days without a trade.
FIRST_SECOND = 946_684_800
# Seconds later than this are the year 5138: such a number is in milliseconds.
LAST_SECOND = 100_000_000_000
CURRENCY = "^[A-Za-z0-9]{1,12}$"


def finite(value: object) -> float | None:
    """A number that can be served, else None: an API's null, NaN, infinity and text all mean 'not known'."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if -MOST <= value <= MOST else None


def seconds(value: object, unit: int = 1) -> float | None:
    """A time from an API, given in 1/unit seconds, as Unix seconds; None where it is no time that can be."""
    time = finite(value)
    return time / unit if time is not None and FIRST_SECOND <= time / unit <= LAST_SECOND else None


def label(value: object) -> str | None:
    """A text from an API that can be a label's value: at most 200 characters, all of them encodable."""
    if not isinstance(value, str) or not value:
        return None
    return value[:200].encode("utf-8", "replace").decode()


def currency(value: object) -> str | None:
    """The name of a currency from an API, which stands in messages to people; None where it is none."""
    return value if isinstance(value, str) and re.fullmatch(CURRENCY[1:-1], value) else None


def values_in(json: bytes) -> int:
    """About how many values a JSON text has, told without parsing it.

    A parsed value takes up to a hundred times the memory of its text, so what is too much has to be known before.
    """
    return json.count(b",") + json.count(b"[") + json.count(b"{")
