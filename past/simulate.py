"""What the exporter would have served of demo bots, as OpenMetrics; a file a block, for promtool takes it whole."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import accumulate, groupby
from pathlib import Path

from exporter.config.entries import DemoBot, Monitoring
from exporter.figures.histogram import Histogram
from exporter.figures.results import complete, whole
from exporter.metrics import METRICS, bot, config, market, model, system, trading
from exporter.metrics.families import Families, Family
from exporter.sources.demo import DemoSource

# Seconds. As long as Prometheus looks back: any longer, and there would be gaps.
STEP = 300
# What promtool and Prometheus make one block of, in hours.
BLOCK = 54


def write(
    settings: Monitoring, since: Mapping[str, float], times: Sequence[int], folder: Path, read: AbstractSet[str]
) -> None:
    """Write two files for each block: one without its end; and one, whole, of those metrics that rules read.

    Args:
        settings: monitoring.yml.
        since: when each bot began.
        times: the moments at which it was asked.
        folder: where the files go.
        read: the metrics that rules read.
    """
    sources = {
        entry.name: DemoSource(entry.seed, since[entry.name], settings.zone)
        for entry in settings.bots
        if isinstance(entry, DemoBot)
    }
    samples = _Samples(settings.groups_off, read)
    # What monitoring.yml says is the same all the time.
    config.collect_file(samples, settings, times[0])
    for entry in settings.bots:
        config.collect(samples, entry.name, settings.thresholds_of(entry), maintained=False)
    constant = [line.removesuffix("0\n") for line in samples.read if "_maintenance" not in line]
    samples.read.clear()
    for block, moments in by_block(times):
        with (
            (folder / f"{block}.om").open("w", encoding="utf-8") as served,
            (folder / f"{block}.read").open("w", encoding="utf-8") as read_again,
        ):
            for now in moments:
                samples.now = now
                _serve(settings, sources, samples)
                served.writelines(samples.served)
                read_again.writelines(samples.read)
                read_again.writelines(f"{line}{now}\n" for line in constant)
                samples.served.clear()
                samples.read.clear()
            read_again.write("# EOF\n")


def by_block(times: Sequence[int]) -> Iterator[tuple[int, list[int]]]:
    """The blocks' numbers, each with those of the moments that are in it."""
    return ((block, list(moments)) for block, moments in groupby(times, lambda time: time // (BLOCK * 3600)))


def files(folder: Path) -> list[Path]:
    """The blocks' files."""
    return sorted(folder.glob("*.om"))


def to_read(folder: Path) -> list[Path]:
    """The blocks' files of what rules read."""
    return sorted(folder.glob("*.read"))


def _serve(settings: Monitoring, sources: Mapping[str, DemoSource], samples: _Samples) -> None:
    """Add what would have been served at a time."""
    maintained = settings.maintained(samples.now)
    for name, source in sources.items():
        state = source.state_at(samples.now)
        bot.collect(samples, name, state)
        trading.collect(samples, name, complete(state, settings.limits), whole(state), state.positions)
        model.collect(samples, name, state.model)
        market.collect(samples, name, state.markets)
        system.collect(samples, name, [state])
        samples.add(config.MAINTENANCE, int(name in maintained), name)


class _Samples(Families):
    """Lines of OpenMetrics, with the labels that a series has in Prometheus: those of its target, too."""

    def __init__(self, off: AbstractSet[str], read: AbstractSet[str]) -> None:
        super().__init__()
        self.now = 0
        # What the targets gave; and what of it rules read.
        self.served: list[str] = []
        self.read: list[str] = []
        self._off = off
        self._names_read = read
        self._heads: dict[tuple[str, tuple[str, ...]], tuple[str, Sequence[list[str]]]] = {}

    def add(self, family: Family, value: float | None, *labels: str) -> None:
        """Add a sample."""
        if value is not None:
            names = ("bot", *family.labels) if family.of_bot else family.labels
            self._add(family.name, names, labels, value)

    def add_of_none(self, family: Family, value: float, *labels: str) -> None:
        """Add a sample that is no bot's."""
        self._add(family.name, family.labels, labels, value)

    def add_histogram(self, family: Family, histogram: Histogram, bot: str) -> None:
        """Add a histogram's buckets, and its count and sum where it has them."""
        counts = list(accumulate(histogram.counts))
        for bound, count in zip((*histogram.bounds, math.inf), counts, strict=True):
            self._add(f"{family.name}_bucket", ("bot", "le"), (bot, _bound(bound)), count)
        if not family.signed:
            self._add(f"{family.name}_count", ("bot",), (bot,), counts[-1])
            self._add(f"{family.name}_sum", ("bot",), (bot,), histogram.sum)

    def _add(self, metric: str, names: Sequence[str], labels: tuple[str, ...], value: float) -> None:
        begun = self._heads.get((metric, labels))
        if begun is None:
            begun = self._heads[metric, labels] = self._begun(metric, dict(zip(names, labels, strict=True)))
        start, lists = begun
        if lists:
            for lines in lists:
                lines.append(f"{start} {value} {self.now}\n")

    def _begun(self, metric: str, labels: Mapping[str, str]) -> tuple[str, Sequence[list[str]]]:
        """How a series' lines begin, and where they go."""
        group = METRICS[metric]
        on = group not in self._off
        # Of the configuration nobody asks for more than what rules record of it.
        lists = [self.served] if on and group != "config" else []
        lists += [self.read] if on and metric in self._names_read else []
        return head(metric, {"job": group, "instance": labels.get("bot", ""), **labels}), lists


def head(metric: str, labels: Mapping[str, str]) -> str:
    """The start of a series' lines, of its name and labels."""
    # JSON escapes what OpenMetrics does, in the same way.
    text = ",".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in labels.items())
    return f"{metric}{{{text}}}"


def _bound(bound: float) -> str:
    return "+Inf" if math.isinf(bound) else str(float(bound))
