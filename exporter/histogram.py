"""Observations counted in buckets."""

from __future__ import annotations

import bisect
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Histogram:
    """Observations counted by upper bound (less or equal, the last is infinity), not cumulated, and their sum."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    sum: float


class Buckets:
    """A histogram that grows."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count an observation."""
        self._counts[bisect.bisect_left(self._bounds, value)] += 1
        self._sum += value

    def value(self) -> Histogram:
        """What was observed so far."""
        return Histogram(self._bounds, tuple(self._counts), self._sum)

    def mean(self) -> float | None:
        """Mean of the observations; None of none."""
        count = sum(self._counts)
        return self._sum / count if count else None
