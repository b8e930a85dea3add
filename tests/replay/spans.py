"""Times of a scenario: spans such as 1h30m, and windows of two of them."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator

_UNITS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}
_SPAN = re.compile("".join(rf"(?:(\d+){unit})?" for unit in _UNITS))


def seconds(value: object) -> int:
    """Seconds of a span.

    Raises:
        ValueError: it is none.
    """
    match = _SPAN.fullmatch(value) if isinstance(value, str) and value else None
    if match is None:
        raise ValueError("must be a time such as 30m, 1h30m or 2d6h")
    return sum(int(count or 0) * unit for count, unit in zip(match.groups(), _UNITS.values(), strict=True))


def shown(span: float) -> str:
    """A span as it stands in a scenario."""
    rest, parts = round(span), []
    for name, unit in list(_UNITS.items())[1:]:
        count, rest = divmod(rest, unit)
        if count:
            parts.append(f"{count}{name}")
    return "".join(parts) or "0s"


def times(count: int) -> str:
    """How often, in words."""
    return "once" if count == 1 else f"{count} times"


def _window(value: object) -> tuple[int, int]:
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError("must be two times, the earliest and the latest, such as [5m, 6m]")
    low, high = map(seconds, value)
    if low > high:
        raise ValueError("must have the earlier time first")
    return low, high


Span = Annotated[int, BeforeValidator(seconds)]
Within = Annotated[tuple[int, int], BeforeValidator(_window)]
