"""The past of demo bots, for a first look: what the exporter would have served, as OpenMetrics for promtool.

`python -m exporter.past`, run before Prometheus's first start; prometheus/past.sh makes blocks of what it writes. Where
Prometheus has data already, or a bot isn't simulated, it makes nothing.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ProcessPoolExecutor
from itertools import accumulate
from pathlib import Path

from exporter.bots import Bots
from exporter.config.entries import DemoBot
from exporter.figures.histogram import Histogram
from exporter.figures.results import complete, whole
from exporter.metrics import METRICS, bot, config, market, model, system, trading
from exporter.metrics.families import Families, Family
from exporter.sources.demo import DAY, DemoSource

DAYS = 30
# Seconds. As long as Prometheus looks back: any longer, and there would be gaps.
STEP = 300
# What promtool can make one block of, in hours: a file is a block, so that neither takes much memory.
BLOCK = 54
# Of 50 MB each.
PROCESSES = 2
# Rules that record what the exporter serves, as it is. The others are evaluated from the first start on.
RECORDED = {
    "trading_bot_drawdown_ratio": "bot:drawdown:ratio",
    "trading_bot_maintenance": "bot:maintenance",
    "trading_bot_response_time_p95_seconds": "bot:response_time_seconds:p95",
    "trading_bot_risk_utilization_ratio": "bot:risk_utilization:ratio",
    "trading_bot_target": "monitoring:target",
    "trading_bot_threshold": "bot:threshold",
}


def main(arguments: list[str] | None = None) -> int:
    """Write the files; always 0, for a first look is not worth a start that fails."""
    options = _parser().parse_args(arguments)
    for old in options.out.glob("*.om"):
        old.unlink()
    try:
        make(options.config, options.data_dir, options.prometheus_data, options.out)
    except Exception as error:
        print(f"The demo bot's past could not be made; all else goes on: {error}", flush=True)
        for unfinished in options.out.glob("*.om"):
            unfinished.unlink()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m exporter.past", description=__doc__)
    parser.add_argument("--config", type=Path, default=Path("monitoring.yml"), help="default: monitoring.yml")
    parser.add_argument("--data-dir", type=Path, default=Path("data"), help="the exporter's; default: data")
    parser.add_argument("--prometheus-data", type=Path, required=True, help="Prometheus's data, to see if it has any")
    parser.add_argument("--out", type=Path, required=True, help="a folder for the files")
    return parser


def make(path: Path, data: Path, prometheus: Path, out: Path) -> None:
    """Write a file a block; none where no past is wanted.

    Args:
        path: monitoring.yml.
        data: the exporter's folder, which remembers when a demo bot began.
        prometheus: Prometheus's data.
        out: where the files go.
    """
    if prometheus.exists() and any(prometheus.iterdir()):
        return
    # That they began 30 days ago is remembered from here on.
    if not all(isinstance(reader.config, DemoBot) for reader in Bots(path, data).readers.values()):
        return
    print(f"For a first look: simulating the demo bot's past {DAYS} days ...", flush=True)
    out.mkdir(parents=True, exist_ok=True)
    until = int(time.time()) // STEP * STEP
    spans = list(_spans(until - DAYS * DAY, until))
    with ProcessPoolExecutor(min(os.cpu_count() or 1, PROCESSES)) as pool:
        list(pool.map(_write, *zip(*((path, data, out, *span) for span in spans), strict=True)))


def _spans(since: int, until: int) -> Iterator[tuple[int, int]]:
    """From when until when each block goes: those that Prometheus itself would have."""
    block = BLOCK * 3600
    for start in range(since // block * block, until, block):
        yield max(start, since), min(start + block, until)


def _write(path: Path, data: Path, out: Path, since: int, until: int) -> None:
    bots = Bots(path, data)
    samples = _Samples(bots.config.groups_off)
    # What monitoring.yml says is the same all the time.
    config.collect_file(samples, bots.config, since)
    for name, reader in bots.readers.items():
        config.collect(samples, name, bots.config.thresholds_of(reader.config), maintained=False)
    settings = [line.removesuffix("0\n") for line in samples.lines if not line.startswith("bot:maintenance")]
    samples.lines.clear()
    with (out / f"{since}.om").open("w", encoding="utf-8") as file:
        for now in range(since, until, STEP):
            samples.now = now
            _serve(bots, samples)
            file.writelines(samples.lines)
            file.writelines(f"{line}{now}\n" for line in settings)
            samples.lines.clear()
        file.write("# EOF\n")


def _serve(bots: Bots, samples: _Samples) -> None:
    """Add what would have been served at a time."""
    settings = bots.config
    maintained = settings.maintained(samples.now)
    for name, reader in bots.readers.items():
        (source,) = (each for each in reader.sources if isinstance(each, DemoSource))
        state = source.state_at(samples.now)
        bot.collect(samples, name, state)
        trading.collect(samples, name, complete(state, settings.limits), whole(state), state.positions)
        model.collect(samples, name, state.model)
        market.collect(samples, name, state.markets)
        system.collect(samples, name, [state])
        samples.add(config.MAINTENANCE, int(name in maintained), name)


class _Samples(Families):
    """Lines of OpenMetrics, with the labels that a series has in Prometheus: those of its target, too."""

    def __init__(self, off: AbstractSet[str]) -> None:
        super().__init__()
        self.now = 0
        self.lines: list[str] = []
        self._off = off
        self._heads: dict[tuple[str, tuple[str, ...]], tuple[str, ...]] = {}

    def add(self, family: Family, value: float | None, *labels: str) -> None:
        """Add a sample, and what a rule would have recorded of it."""
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
        heads = self._heads.get((metric, labels))
        if heads is None:
            heads = self._heads[metric, labels] = tuple(self._begun(metric, dict(zip(names, labels, strict=True))))
        for head in heads:
            self.lines.append(f"{head} {value} {self.now}\n")

    def _begun(self, metric: str, labels: Mapping[str, str]) -> Iterator[str]:
        group = METRICS[metric]
        # Of the configuration only what rules record of it: nobody asks for more.
        if group not in {*self._off, "config"}:
            yield _head(metric, {"job": group, "instance": labels["bot"], **labels})
        if metric in RECORDED:
            yield _head(RECORDED[metric], labels)


def _head(metric: str, labels: Mapping[str, str]) -> str:
    # JSON escapes what OpenMetrics does, in the same way.
    text = ",".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in labels.items())
    return f"{metric}{{{text}}}"


def _bound(bound: float) -> str:
    return "+Inf" if math.isinf(bound) else str(float(bound))


if __name__ == "__main__":
    sys.exit(main())
