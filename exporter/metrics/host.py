"""Group `host`: load of the machine that the exporter runs on; no series has the label `bot`. Scraped every 30 s."""

from __future__ import annotations

from exporter.host import HostState
from exporter.metrics.families import Families, Family

CPU = Family(
    "trading_bot_host_cpu_usage_ratio",
    "Share of all cores' time that was not idle since the reading before, 0 to 1.",
    of_bot=False,
)
MEMORY = Family(
    "trading_bot_host_memory_usage_ratio",
    "Share of the memory that programs can't have, 0 to 1.",
    of_bot=False,
)
DISK = Family(
    "trading_bot_host_disk_usage_ratio",
    "Share of the file system at a path that is used, as df counts, 0 to 1.",
    ("path",),
    of_bot=False,
)
NETWORK = Family(
    "trading_bot_host_network_bytes_total",
    "Bytes through the host's network cards, by direction: receive or transmit.",
    ("direction",),
    "counter",
    of_bot=False,
)
FAMILIES = (CPU, MEMORY, DISK, NETWORK)


def collect(families: Families, state: HostState) -> None:
    """Add the host's series; what could not be read has none."""
    families.add(CPU, state.cpu_usage)
    families.add(MEMORY, state.memory_usage)
    for path, ratio in state.disk_usage.items():
        families.add(DISK, ratio, path)
    for direction, count in state.network_bytes.items():
        families.add(NETWORK, count, direction)
