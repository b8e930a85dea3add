"""Histograms: observations counted in buckets, as a value that doesn't change and as one that grows."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

RESPONSE_TIME_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)  # seconds


@dataclass(frozen=True, slots=True)
class Histogram:
    """Observations counted by upper bound (less or equal, the last is infinity), not cumulated, and their sum."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    sum: float


class Buckets:
    """A histogram that grows.

    Args:
        bounds: the buckets' upper bounds, ascending; a value on a bound belongs to its bucket.
    """

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0
        self._value: Histogram | None = None

    def observe(self, value: float) -> None:
        """Count a finite value."""
        self.observe_all((value,))

    def observe_all(self, values: Sequence[float]) -> None:
        """Count several finite values."""
        bounds, counts = self._bounds, self._counts
        for value in values:
            counts[bisect_left(bounds, value)] += 1
        self._sum += math.fsum(values)
        self._value = None

    def value(self) -> Histogram:
        """The histogram now; the same object until another value is observed."""
        if self._value is None:
            self._value = Histogram(self._bounds, tuple(self._counts), self._sum)
        return self._value

    def mean(self) -> float | None:
        """Mean of the observed values, in their unit; None without one."""
        count = sum(self._counts)
        return self._sum / count if count else None
