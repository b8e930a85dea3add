"""The last step of rendering: a channel that can hang without limit gets routes of its own beside the others.

Alertmanager tells the channels of a receiver together, and looks at an alert again when all of them are done. Its mail
and its Telegram have no time-out: a server that accepts a connection and stays silent would silence every channel of
that alert. Below a route come routes of its parts:

    - matchers: [alertname="LowWinRate"]
      receiver: email-telegram/others
      routes:
        - {receiver: email-telegram/email, continue: true}
        - {receiver: email-telegram/telegram, continue: true}
        - {receiver: email-telegram/others}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from init.channels import Config
from init.receivers import KEYS

# What Alertmanager can't cut off. The others' requests end with the time-out of their own, or with the group_interval.
HANGING = ("email", "telegram")
_OTHERS = "others"
# Told is nobody: it keeps an alert from the parts of a route, of which a route before them was enough.
_ENOUGH = "nobody/others"
_MATCHING = ("matchers", "match", "match_re")
# A route's own, which those below it don't inherit.
_INTERVALS = ("mute_time_intervals", "active_time_intervals")


def split(document: Config) -> dict[str, Any]:
    """The configuration with the same alerts to the same people, no channel of whom waits for one that hangs."""
    parts = {receiver["name"]: _parts(receiver) for receiver in document["receivers"]}
    names = {name: [part["name"] for part in those] for name, those in parts.items() if those[1:]}
    route = _route(document["route"], names)
    receivers = [part for receiver in document["receivers"] for part in _parts(receiver)]
    if any(name == _ENOUGH for name in _named(route)):
        receivers.append({"name": _ENOUGH})
    return {**document, "route": route, "receivers": receivers}


def _parts(receiver: Config) -> list[dict[str, Any]]:
    """A receiver for each channel that can hang, and one for the others; the receiver as it is where that is one."""
    shared = {key: value for key, value in receiver.items() if not key.endswith("_configs")}
    there = {key: value for key, value in receiver.items() if key.endswith("_configs") and value}
    found = {channel: {KEYS[channel]: there.pop(KEYS[channel])} for channel in HANGING if KEYS[channel] in there}
    if there:
        found[_OTHERS] = there
    if len(found) < 2:
        return [dict(receiver)]
    return [{**shared, "name": f"{receiver['name']}/{part}", **configs} for part, configs in found.items()]


def _route(route: Config, names: Mapping[str, list[str]], above: str = "") -> dict[str, Any]:
    """A route and those below it. `names` are those of a receiver's parts, `above` the receiver that it inherits."""
    receiver = route.get("receiver", above)
    below = [_route(child, names, receiver) for child in route.get("routes", [])]
    if receiver not in names:
        return {**route, "routes": below} if below else dict(route)
    intervals = {key: route[key] for key in _INTERVALS if key in route}
    *first, last = names[receiver]
    parts = [{"receiver": name, "continue": True, **intervals} for name in first]
    routes = [*below, *_enough(below), *parts, {"receiver": last, **intervals}]
    # Named only because the first route must name one: the parts hear whatever gets so far.
    return {**route, "receiver": last, "routes": routes}


def _enough(routes: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Ends the way of what took a route that lets it go on, and no other: such a route replaces the one above it."""
    for number, route in enumerate(routes):
        matching = {key: route[key] for key in _MATCHING if key in route}
        later = (other for other in routes[number + 1 :] if not other.get("continue"))
        if route.get("continue") and not any(matching == {k: o[k] for k in _MATCHING if k in o} for o in later):
            yield {**matching, "receiver": _ENOUGH}


def _named(route: Config) -> Iterator[str]:
    yield route.get("receiver", "")
    for child in route.get("routes", []):
        yield from _named(child)
