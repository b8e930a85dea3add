"""What several tests use: reading an exposition, waiting for a condition, setting a module's clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from prometheus_client.parser import text_string_to_metric_families

# 2026-11-21 10:00:44 UTC, a Saturday: when the recordings of a running bot were made.
RECORDED_AT = 1795255244.0


class Samples:
    """An exposition's samples by name and labels."""

    def __init__(self, exposition: bytes | str) -> None:
        text = exposition.decode() if isinstance(exposition, bytes) else exposition
        self._samples: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                key = (sample.name, tuple(sorted(sample.labels.items())))
                assert key not in self._samples, f"{key} is served twice"
                self._samples[key] = sample.value

    def get(self, name: str, /, **labels: str) -> float | None:
        """A sample's value; None where there is none."""
        return self._samples.get((name, tuple(sorted(labels.items()))))

    def of(self, name: str) -> dict[tuple[str, ...], float]:
        """All values of a metric by the values of its labels, in the labels' alphabetical order."""
        return {tuple(v for _, v in labels): value for (n, labels), value in self._samples.items() if n == name}

    @property
    def names(self) -> set[str]:
        """The names of all series."""
        return {name for name, _ in self._samples}

    def counters(self) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        """Everything that may only grow: counters and the buckets of histograms."""
        return {key: v for key, v in self._samples.items() if key[0].endswith(("_total", "_bucket", "_count"))}


def wait_until(condition: Callable[[], object], seconds: float = 15.0) -> None:
    """Wait until something is true; fail when it doesn't come."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "what was waited for did not come"
        time.sleep(0.01)


def soon(seconds: float = 5.0) -> float:
    """A deadline."""
    return time.monotonic() + seconds


def set_clock(monkeypatch: pytest.MonkeyPatch, module: str, now: Callable[[], float]) -> None:
    """Let a module see another time of day; durations go on as ever."""
    clock = SimpleNamespace(time=now, monotonic=time.monotonic)
    monkeypatch.setattr(f"{module}.time", clock)
