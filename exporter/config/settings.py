"""What one setting of monitoring.yml may be: a number in its range, `on` for its default, or `off`.

A duration is a number of seconds or a text such as 90s, 5m, 2h or 1d, wherever one stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

# Each switches on what the one before does, and more.
Preset = Literal["beginner", "experienced", "production"]
PRESETS: tuple[Preset, ...] = get_args(Preset)

Value = float | Literal["off"]
# Key, value, and what is allowed.
Fault = tuple[tuple[str, ...], object, str]

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def duration(value: object) -> object:
    """A text such as 2h in seconds; anything else as it is."""
    if isinstance(value, str) and (match := re.fullmatch(r"([0-9]{1,9})([smhd])", value)):
        return int(match[1]) * _SECONDS[match[2]]
    return value


def _shown(seconds: float) -> str:
    """Seconds as a text, in the greatest unit that fits."""
    name, size = max(((n, s) for n, s in _SECONDS.items() if seconds % s == 0), key=lambda unit: unit[1])
    return f"{seconds / size:g}{name}"


def switched(given: object) -> Literal["on", "off"] | None:
    """What `on` or `off` says; None for all else. YAML reads them as true and false, unless they stand in quotes."""
    if given is True or given == "on":
        return "on"
    return "off" if given is False or given == "off" else None


@dataclass(frozen=True)
class Range:
    """A setting that is a number, or off."""

    low: float
    high: float
    default: float
    unit: str
    since: Preset | None = "beginner"  # the first preset that switches it on; None leaves it to the user
    whole: bool = False  # a count

    @property
    def allowed(self) -> str:
        """What it may be, for messages."""
        whole = self.low if self.low >= 1 else self.high
        unit = f"seconds, or such as {_shown(whole)}" if self.unit == "seconds" else self.unit
        kind = "a whole number from " if self.whole else ""
        return f"must be {kind}{self.low:g} to {self.high:g} ({unit}), on or off"

    def read(self, given: object) -> Value | None:
        """The value that is meant; None where it is not allowed."""
        number = duration(given) if self.unit == "seconds" else given
        if isinstance(number, int | float) and not isinstance(number, bool):
            return number if self.low <= number <= self.high and (not self.whole or number == int(number)) else None
        said = switched(given)
        return self.default if said == "on" else said

    def of(self, preset: Preset) -> Value:
        """The value where the user gives none."""
        on = self.since is not None and PRESETS.index(self.since) <= PRESETS.index(preset)
        return self.default if on else "off"


class Switch(Range):
    """A setting that is on, which is 1, or off."""

    def __init__(self, since: Preset = "beginner") -> None:
        super().__init__(1, 1, 1, "", since)

    @property
    def allowed(self) -> str:
        """What it may be, for messages."""
        return "must be on or off"

    def read(self, given: object) -> Value | None:
        """The value that is meant; None where it is not allowed."""
        return None if switched(given) is None else super().read(given)


def faults(table: Mapping[str, Range], given: Mapping[Any, object], kind: str) -> Iterator[Fault]:
    """What is wrong with settings of one kind, as they stand in the file."""
    for name, value in given.items():
        if name not in table:
            yield (str(name),), value, f"unknown {kind}; allowed: {', '.join(table)}"
        elif table[name].read(value) is None:
            yield (name,), value, table[name].allowed + _quotes(table[name], value)


def _quotes(setting: Range, given: object) -> str:
    """What to say of a number that stands in quotes, and so is a text."""
    is_number = isinstance(given, str) and re.fullmatch(r"-?[0-9]{1,15}(\.[0-9]{1,15})?", given)
    if not is_number or isinstance(setting, Switch):
        return ""
    return "; without the quotes, which make a text of the number"


def own(table: Mapping[str, Range], given: Mapping[str, object]) -> dict[str, Value]:
    """The values of settings without a fault."""
    return {name: value for name, each in given.items() if (value := table[name].read(each)) is not None}
