"""Metric families of one scrape: declared by the groups, filled bot by bot, and handed to prometheus-client."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from exporter.histogram import Histogram


class Family(NamedTuple):
    """A metric as it is declared: full name with `_total` for a counter, help, labels beyond `bot`."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    kind: Literal["gauge", "counter", "histogram"] = "gauge"
    signed: bool = False  # a histogram with buckets below zero has no _sum and _count, which could not be counters

    @property
    def series_names(self) -> tuple[str, ...]:
        """The names of its series."""
        if self.kind == "histogram":
            return tuple(self.name + suffix for suffix in ("_bucket",) + ("_count", "_sum") * (not self.signed))
        return (self.name,)


class Families(Collector):
    """The families of one scrape."""

    def __init__(self) -> None:
        self._simple: dict[str, GaugeMetricFamily | CounterMetricFamily] = {}
        self._histograms: dict[str, HistogramMetricFamily] = {}

    def add(self, family: Family, value: float | None, *labels: str) -> None:
        """Add a gauge's or counter's sample; None adds nothing, for what is not known has no series.

        Args:
            labels: values for `bot` and the family's labels, in this order (no `bot` where the caller leaves it out).
        """
        if value is None:
            return
        metric = self._simple.get(family.name)
        if metric is None:
            names = ("bot", *family.labels) if len(labels) > len(family.labels) else family.labels
            kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
            metric = self._simple[family.name] = kind(family.name, family.help, labels=names)
        metric.add_metric(labels, value)

    def add_histogram(self, family: Family, histogram: Histogram, *labels: str) -> None:
        """Add a histogram's series."""
        metric = self._histograms.get(family.name)
        if metric is None:
            metric = HistogramMetricFamily(family.name, family.help, labels=("bot", *family.labels))
            self._histograms[family.name] = metric
        metric.add_metric(labels, _cumulated(histogram), histogram.sum)

    def collect(self) -> Iterator[Metric]:
        """The families, for prometheus-client."""
        yield from self._simple.values()
        yield from self._histograms.values()


def _cumulated(histogram: Histogram) -> Sequence[tuple[str, float]]:
    buckets, total = [], 0
    for bound, count in zip([*map(str, map(float, histogram.bounds)), "+Inf"], histogram.counts, strict=True):
        total += count
        buckets.append((bound, float(total)))
    return buckets
