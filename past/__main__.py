"""`python -m past`: puts the demo bots' past month into the data of a Prometheus that runs.

It runs beside the stack at the lowest priority. All is made in a folder of its own, and moved when it is whole; killed
at any moment, it begins anew at the next `make up`, or goes on moving. Prometheus looks for blocks every minute.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import requests

from exporter.config.entries import Monitoring
from exporter.config.load import load
from exporter.sources.demo import DAY
from past import promtool, record, simulate
from past.wanted import FOLDER, MARK, of_demos

DAYS = 30
# Of the disk, for a moment: the bots' files, and what promtool claims before it writes a block.
BYTES_A_BOT, BYTES_BESIDE = 400_000_000, 600_000_000
# The folder of blocks that are whole.
READY = "ready"


def main(arguments: list[str] | None = None) -> int:
    """Make the past where it is wanted; 1 when that failed, which nothing depends on."""
    options = _parser().parse_args(arguments)
    mark, folder = options.data / MARK, options.data / FOLDER
    if not mark.exists():
        shutil.rmtree(folder, ignore_errors=True)
        return 0
    os.nice(19)
    try:
        return _make(options, mark, folder)
    except Exception as error:
        # Hundreds of megabytes, perhaps what filled the disk. What is ready is moved on the next time.
        wanted = mark.exists()
        if not wanted or not (folder / READY).exists():
            shutil.rmtree(folder, ignore_errors=True)
        if not wanted:  # `init` has taken the mark away
            print("The demo bot's past isn't wanted any more.")
            return 0
        print(f"The demo bot's past could not be made; all else goes on, and the next `make up` tries again: {error}")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m past", description=__doc__)
    parser.add_argument("--config", type=Path, default=Path("monitoring.yml"), help="default: monitoring.yml")
    parser.add_argument("--rules", type=Path, default=Path("prometheus/rules"), help="default: prometheus/rules")
    parser.add_argument("--data", type=Path, required=True, help="Prometheus's")
    parser.add_argument("--bin", type=Path, required=True, help="the folder of prometheus and promtool")
    parser.add_argument("--exporter", required=True, help="where it answers; it knows since when the bots trade")
    return parser


def _make(options: argparse.Namespace, mark: Path, folder: Path) -> int:
    config = load(options.config)
    if not of_demos(config):
        shutil.rmtree(folder, ignore_errors=True)
        mark.unlink()
        return 0
    ready = folder / READY
    if not ready.exists():
        shutil.rmtree(folder, ignore_errors=True)
        free, needed = shutil.disk_usage(options.data).free, BYTES_A_BOT * len(config.bots) + BYTES_BESIDE
        if free < needed:
            raise RuntimeError(
                f"it needs {needed / 1e6:.0f} MB of disk for a moment, and where {options.data} is "
                f"{free / 1e6:.0f} MB are free. Make room"
            )
        folder.mkdir()
        until = int(mark.stat().st_mtime)
        span = range(until - DAYS * DAY, until + 1, simulate.STEP)
        since = _since(options.exporter)
        if unknown := {bot.name for bot in config.bots} - since.keys():
            raise RuntimeError(f"{options.exporter} doesn't tell since when {', '.join(sorted(unknown))} trades")
        blocks = folder / "new"
        for file in openmetrics(config, since, span, options.rules, folder, options.bin):
            promtool.blocks(options.bin, file, blocks, simulate.BLOCK)
            file.unlink()
        blocks.rename(ready)
    for block in list(ready.iterdir()):
        if not mark.exists():
            raise RuntimeError("a real bot has come")
        block.rename(options.data / block.name)
    # Gone at once: with the mark, but no folder, it would be made twice.
    mark.rename(folder / mark.name)
    shutil.rmtree(folder)
    print("The demo bot's past is made; Prometheus shows it within a minute.")
    return 0


def openmetrics(
    config: Monitoring, since: Mapping[str, float], times: Sequence[int], rules: Path, folder: Path, binaries: Path
) -> list[Path]:
    """Write a file a block, of what was served and of what rules recorded; gives the files.

    Args:
        config: monitoring.yml, of demo bots.
        since: when each bot began.
        times: the moments, evenly spaced.
        rules: the folder of the rule files.
        folder: where the files go.
        binaries: where prometheus and promtool are.
    """
    wanted = record.rules(rules)
    simulate.write(config, since, times, folder, {name for rule in wanted for name in rule.reads})
    record.add(wanted, times, folder, binaries)
    return simulate.files(folder)


def _since(exporter: str) -> dict[str, float]:
    """Since when each bot trades."""
    text = requests.get(f"{exporter}/metrics", params={"collect[]": "bot"}, timeout=30).text
    found = re.findall(r'^trading_bot_start_timestamp_seconds{bot="((?:[^"\\]|\\.)*)"} (\S+)', text, re.MULTILINE)
    return {json.loads(f'"{name}"'): float(since) for name, since in found}


if __name__ == "__main__":
    sys.exit(main())
