"""The series of one scrape in Prometheus's text format: declared by the groups, filled bot by bot.

prometheus-client makes an object a sample and checks each label's name each time, which takes two seconds for 1,000
bots; here a line is one format operation. The tests read every page back with that library's parser.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from io import StringIO
from itertools import accumulate
from typing import Literal, NamedTuple

from exporter.figures.histogram import Histogram


class Family(NamedTuple):
    """A metric as it is declared: full name with `_total` for a counter, help, labels beyond `bot`."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    kind: Literal["gauge", "counter", "histogram"] = "gauge"
    signed: bool = False  # a histogram with buckets below zero has no _sum and _count, which could not be counters
    of_bot: bool = True  # whether its first label is `bot`

    @property
    def series_names(self) -> tuple[str, ...]:
        """The names of its series."""
        if self.kind == "histogram":
            return tuple(self.name + suffix for suffix in ("_bucket",) + ("_count", "_sum") * (not self.signed))
        return (self.name,)


class _Begun(NamedTuple):
    """What is said of a family so far."""

    template: str  # of one series, for its labels' values and its value
    write: Callable[[str], int]
    text: StringIO  # a string a line would take twice the memory


class _Escaped(dict[str, str]):
    """Labels' values as they are written, each made once."""

    def __missing__(self, label: str) -> str:
        escaped = self[label] = label.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
        return escaped


class Families:
    """The families of one scrape."""

    def __init__(self) -> None:
        self._families: dict[str, _Begun] = {}
        self._escape = _Escaped().__getitem__

    def add(self, family: Family, value: float | None, *labels: str) -> None:
        """Add a gauge's or counter's sample; None adds nothing, for what is not known has no series.

        Args:
            value: a finite number, not a bool.
            labels: values for `bot`, unless the family is none of a bot's, and for the family's labels, in this order.
        """
        if value is None:
            return
        template, write, _ = self._families.get(family.name) or self._begin(family)
        write(template % (*map(self._escape, labels), value))

    def add_of_none(self, family: Family, value: float, *labels: str) -> None:
        """Add a sample that is no bot's to a family whose others are: it has no label `bot`."""
        write = (self._families.get(family.name) or self._begin(family)).write
        named = zip(family.labels, map(self._escape, labels), strict=True)
        text = ",".join(f'{name}="{label}"' for name, label in named)
        write(f"{family.name}{{{text}}} {value}\n")

    def add_histogram(self, family: Family, histogram: Histogram, bot: str) -> None:
        """Add a bot's histogram."""
        write = (self._families.get(family.name) or self._begin(family)).write
        head = f'{family.name}_bucket{{bot="{self._escape(bot)}",le="'
        totals = list(accumulate(histogram.counts))
        bounds = zip(_bounds(histogram.bounds), totals, strict=True)
        write("".join([f'{head}{bound}"}} {total}\n' for bound, total in bounds]))
        if not family.signed:
            name = f'{{bot="{self._escape(bot)}"}}'
            write(f"{family.name}_count{name} {totals[-1]}\n{family.name}_sum{name} {histogram.sum}\n")

    def text(self) -> bytes:
        """All families, which are then told: of a thousand bots they take as much memory as their text."""
        text = bytearray()
        while self._families:
            text += self._families.pop(next(iter(self._families))).text.getvalue().encode()
        return bytes(text)

    def _begin(self, family: Family) -> _Begun:
        names = ("bot", *family.labels) if family.of_bot else family.labels
        labels = ",".join(f'{name}="%s"' for name in names)
        template = f"{family.name}{{{labels}}} %s\n" if labels else f"{family.name} %s\n"
        text = StringIO()
        text.write(f"# HELP {family.name} {family.help}\n# TYPE {family.name} {family.kind}\n")
        begun = self._families[family.name] = _Begun(template, text.write, text)
        return begun


@lru_cache
def _bounds(bounds: tuple[float, ...]) -> tuple[str, ...]:
    return (*(str(float(bound)) for bound in bounds), "+Inf")
