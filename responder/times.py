"""Times in words."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """Seconds in words, its two greatest units: 3725 gives "1 h 2 min"."""
    rest, parts = round(seconds), []
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        amount, rest = divmod(rest, size)
        if amount:
            parts.append(f"{amount} {unit}")
    return " ".join(parts[:2]) or "0 s"
