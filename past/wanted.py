"""Whether the past is to be made: noted before Prometheus's first start, and only of a few bots, all simulated."""

from __future__ import annotations

from pathlib import Path

from exporter.config.entries import DemoBot, Monitoring
from exporter.config.load import ConfigError, load

# In Prometheus's data, which ignores it. Its time is where the past ends: before anything is collected.
MARK = "past.wanted"
# Bots at most. Each takes as much time, memory and disk as the first, and a first look needs no more.
MOST = 3


def note(monitoring: Path, data: Path) -> None:
    """Leave the mark where Prometheus has no data yet; any data is that of a real start, the past's own too."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(path.name != MARK for path in data.iterdir()):
        return
    try:
        wanted = of_demos(load(monitoring))
    except ConfigError:  # told elsewhere
        wanted = False
    if wanted:
        (data / MARK).touch()
    else:
        (data / MARK).unlink(missing_ok=True)


def of_demos(config: Monitoring) -> bool:
    """Whether all bots are simulated, and few enough."""
    return len(config.bots) <= MOST and all(isinstance(bot, DemoBot) for bot in config.bots)
