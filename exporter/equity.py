"""placeholder until the branch numbers is merged"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from zoneinfo import ZoneInfo


class Point(Protocol):
    time: float
    value: float


@dataclass(frozen=True)
class EquitySummary:
    value: float
    drawdown: float
    max_drawdown: float


class EquityCurve:
    def __init__(self, points: Sequence[Point], zone: ZoneInfo) -> None:
        self.p = sorted(points, key=lambda p: p.time)

    def summary(self, now: float) -> EquitySummary:
        return EquitySummary(self.p[-1].value, 0.0, 0.0)
