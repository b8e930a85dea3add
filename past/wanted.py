"""Whether the past is to be made: noted before Prometheus's first start, and only of a few bots, all simulated."""

from __future__ import annotations

import shutil
from pathlib import Path

from exporter.config.entries import DemoBot, Monitoring
from exporter.config.load import ConfigError, load

# In Prometheus's data, which ignores it. Its time is where the past ends: before anything is collected.
MARK = "past.wanted"
# Beside it: where the past is made.
FOLDER = "past"
# Bots at most. Each takes half a minute of a core, and 350 MB of disk meanwhile; a first look needs no more.
MOST = 3


def note(monitoring: Path, data: Path) -> None:
    """Leave the mark where Prometheus has no data yet; any data is that of a real start, the past's own too.

    With a real bot the mark is taken away, which also stops what makes the past just now; so is what that leaves.
    """
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    mark = data / MARK
    try:
        wanted = of_demos(load(monitoring))
    except ConfigError:  # told elsewhere, and nothing starts
        return
    if not wanted:
        mark.unlink(missing_ok=True)
    elif all(path.name == MARK for path in data.iterdir()):
        mark.touch()
    if not mark.exists():
        shutil.rmtree(data / FOLDER, ignore_errors=True)


def of_demos(config: Monitoring) -> bool:
    """Whether all bots are simulated, and few enough."""
    return len(config.bots) <= MOST and all(isinstance(bot, DemoBot) for bot in config.bots)
