"""How long Alertmanager remembers what it told: by its routes, as it has them.

It forgets a message after twice the `repeat_interval`, and then tells no end of it. A silence keeps it from repeating
the message, so after that time under an acknowledgement the end has to be told in another way.
"""

from __future__ import annotations

import math
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
    Alertmanager looks at it next; after `none` it knows of no message. Both are endless where no end is told anyway."""

    sure: float
    none: float


def memory(config: Mapping[str, Any], labels: Mapping[str, str]) -> Memory:
    """How long the end of an alert with these labels can be told.

    Args:
        config: Alertmanager's configuration, with all defaults in it.
        labels: the alert's.

    Raises:
        LookupError, TypeError, ValueError: it has another form than Alertmanager's.
    """
    tells = {receiver["name"] for receiver in config["receivers"] if _tells_ends(receiver)}
    routes = list(_routes(config["route"], labels, {"group_interval": "5m", "repeat_interval": "4h"}))
    paces = [
        (_seconds(route["group_interval"]), _seconds(route["repeat_interval"]))
        for route in routes
        if route["receiver"] in tells
    ]
    return Memory(
        sure=min((2 * repeat - group for group, repeat in paces), default=math.inf),
        none=max((2 * repeat for _, repeat in paces), default=math.inf) + _LATE,
    )


def _routes(
    route: Mapping[str, Any], labels: Mapping[str, str], above: Mapping[str, Any]
) -> Iterator[Mapping[str, Any]]:
    """The routes that such an alert takes, with what they have from those above them."""
    whole = {**above, **route}
    taken = False
    for child in route.get("routes") or []:
        if all(_matches(matcher, labels) for matcher in child.get("matchers") or []):
            taken = True
            yield from _routes(child, labels, whole)
            if not child.get("continue"):
                break
    if not taken:
        yield whole


def _tells_ends(receiver: Mapping[str, Any]) -> bool:
    services = [each for name, listed in receiver.items() if name.endswith("_configs") for each in listed or []]
    return any(each["send_resolved"] for each in services)


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
