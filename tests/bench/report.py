"""A line of the bench's result."""

from __future__ import annotations

import statistics
from collections.abc import Sequence


def row(what: str, values: Sequence[float], unit: str = "s", digits: int = 1) -> None:
    """The median, and the range."""
    shown = [f"{value:,.{digits}f}" for value in (statistics.median(values), min(values), max(values))]
    print(f"{what:<72} {shown[0]:>9} {unit:<4} ({shown[1]}–{shown[2]}, n={len(values)})", flush=True)
