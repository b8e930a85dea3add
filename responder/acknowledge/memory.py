"""How long Alertmanager remembers what it told: by its routes, as it has them.

It forgets a message after twice the `repeat_interval`, and then tells no end of it. A silence keeps it from repeating
the message, so after that time under an acknowledgement the end has to be told in another way.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_MATCHER = re.compile(r'\s*([A-Za-z_][A-Za-z0-9_]*)\s*(=~|!~|!=|=)\s*(?:"((?:[^"\\]|\\.)*)"|([^"]*?))\s*')
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}
# What Alertmanager forgets is removed every `--data.maintenance-interval` (30 s as we start it).
_LATE = 60.0


@dataclass(frozen=True)
class Memory:
    """Of the routes of one alert, in seconds: `sure` is how long after a message its end is told for sure, whenever
    Alertmanager looks at it next; after `none` it knows of no message."""

    sure: float
    none: float


def memory(route: Mapping[str, Any], labels: Mapping[str, str]) -> Memory:
    """How long the end of an alert with these labels can be told.

    Args:
        route: the key `route` of Alertmanager's configuration.
        labels: the alert's.

    Raises:
        ValueError: it has another form than Alertmanager's.
    """
    paces = list(_paces(route, labels, 300.0, 14400.0))
    return Memory(
        sure=min(2 * repeat - group for group, repeat in paces), none=max(2 * repeat for _, repeat in paces) + _LATE
    )


def _paces(
    route: Mapping[str, Any], labels: Mapping[str, str], group: float, repeat: float
) -> Iterator[tuple[float, float]]:
    """`group_interval` and `repeat_interval` of each route that such an alert takes."""
    group = _seconds(route["group_interval"]) if "group_interval" in route else group
    repeat = _seconds(route["repeat_interval"]) if "repeat_interval" in route else repeat
    taken = False
    for child in route.get("routes") or []:
        if all(_matches(matcher, labels) for matcher in child.get("matchers") or []):
            taken = True
            yield from _paces(child, labels, group, repeat)
            if not child.get("continue"):
                break
    if not taken:
        yield group, repeat


def _matches(matcher: str, labels: Mapping[str, str]) -> bool:
    parts = _MATCHER.fullmatch(matcher)
    if not parts:
        raise ValueError(f"{matcher!r} is no matcher.")
    name, operator, quoted, plain = parts.groups()
    wanted = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain
    value = labels.get(name, "")
    found = bool(re.fullmatch(wanted, value)) if "~" in operator else value == wanted
    return found != operator.startswith("!")


def _seconds(duration: str) -> float:
    parts = re.findall(r"(\d+)(ms|[smhdwy])", duration)
    if "".join(map("".join, parts)) != duration or not parts:
        raise ValueError(f"{duration!r} is no duration.")
    return sum(int(number) * _UNITS[unit] for number, unit in parts)
