"""What Alertmanager tells: the inhibit_rules and routes of alertmanager.yml, applied to what fired."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.replay.run import Firing

CONFIGURATION = Path(__file__).parents[2] / "alertmanager" / "alertmanager.yml"
_MATCHER = re.compile(r'\s*(\w+)\s*(=~|!~|!=|=)\s*"?(.*?)"?\s*')


def told(firing: Firing, every: Sequence[Firing]) -> float | None:
    """When the first message of an alert goes out; None where it is held back until its end."""
    at = firing.begins
    while firing.ends is None or at < firing.ends:
        ends = list(_held_until(firing, every, at))
        if not ends:
            return at
        if None in ends:
            return None
        at = max(end for end in ends if end is not None)
    return None


def to_nobody(firing: Firing) -> str:
    """For an alert that goes to no person, who has it instead; nothing for all others."""
    routes = _configuration()["route"]["routes"]
    receiver = next((route["receiver"] for route in routes if _matches(route["matchers"], firing)), "")
    return _NO_PERSON.get(receiver, "")


_NO_PERSON = {"nobody": "to nobody", "heartbeat": "heartbeat"}


def _held_until(firing: Firing, every: Sequence[Firing], at: float) -> Iterator[float | None]:
    """The ends of those that hold an alert back at a time."""
    for rule in _configuration().get("inhibit_rules", []):
        if not _matches(rule["target_matchers"], firing):
            continue
        for source in every:
            if source is firing or not source.begins <= at or (source.ends is not None and source.ends <= at):
                continue
            # An alert that is both source and target of a rule is not held back by one that is so as well.
            both = _matches(rule["target_matchers"], source) and _matches(rule["source_matchers"], firing)
            equal = all(source.get(label) == firing.get(label) for label in rule.get("equal", []))
            if _matches(rule["source_matchers"], source) and equal and not both:
                yield source.ends


@cache
def _configuration() -> Mapping[str, Any]:
    configuration: Mapping[str, Any] = yaml.safe_load(CONFIGURATION.read_text(encoding="utf-8"))
    return configuration


def _matches(matchers: Sequence[str], firing: Firing) -> bool:
    return all(_match(matcher, firing) for matcher in matchers)


def _match(matcher: str, firing: Firing) -> bool:
    found = _MATCHER.fullmatch(matcher)
    if found is None:
        raise ValueError(f"{CONFIGURATION.name}: {matcher} is no matcher that this program understands")
    label, sign, wanted = found.groups()
    is_so = re.fullmatch(wanted, firing.get(label)) is not None if "~" in sign else firing.get(label) == wanted
    return is_so != sign.startswith("!")
