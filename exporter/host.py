"""The host's own load: CPU, memory, disks and network, natively or from a container that sees the host's `/`.

In a container the host's root file system is mounted read-only, at /host say, which is then `root`: psutil reads
/host/proc, disks are measured at /host + path, and the network's counters are those of the host's first process.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Literal

import psutil

from exporter.aside import Aside

log = logging.getLogger(__name__)

Direction = Literal["receive", "transmit"]

# Scrapes that come within this many seconds get the same values: a share of a few milliseconds is noise.
SAME_WITHIN = 1.0
# A disk that takes longer, as a network disk whose server is away, has no value.
DISK_SECONDS = 2.0
# Interfaces by the names that systems give to network cards; a VLAN, such as eth0.5, is its card's traffic again.
_CARD = re.compile(r"(en|eth|wl|ww|usb|venet)[^.:@]*")


@dataclass(frozen=True)
class HostState:
    """What one reading of the host gave; ratios are fractions, and what could not be read is absent.

    Args:
        cpu_usage: share of all cores' time, since the reading before, that was not idle.
        memory_usage: share of the memory that is not available to programs.
        disk_usage: by the host's path, share of its file system that is used, as `df` counts.
        network_bytes: bytes through the host's network cards; it only grows while the exporter runs.
        problems: a sentence for each thing that could not be read.
    """

    cpu_usage: float | None
    memory_usage: float | None
    disk_usage: Mapping[str, float]
    network_bytes: Mapping[Direction, int]
    problems: tuple[str, ...]


def use_proc(root: Path) -> None:
    """Let psutil read the host's processes and counters where its root file system is seen."""
    if root != Path("/"):
        psutil.PROCFS_PATH = str(root / "proc")


def on_host(root: Path, path: Path) -> Path:
    """Follow the links of a path below `root` as the host would: an absolute one leads from `root`, not from `/`.

    Without that, /host/var/run/bot.pid would be looked for in the container's own /run.
    """
    real = Path(os.path.realpath(path))
    # A link may lead to the next; the kernel itself gives up after 40.
    for _ in range(40):
        if real.is_relative_to(root):
            break
        real = Path(os.path.realpath(root / real.relative_to("/")))
    return real


class Host:
    """Reads the host. May be read by several threads at once.

    Args:
        root: where the host's root file system is seen: `/`, or where it is mounted in a container.
        disks: paths on the host, each on a file system to measure.
    """

    def __init__(self, root: Path, disks: Sequence[str]) -> None:
        self._root = Path(os.path.realpath(root))
        self._disks = tuple(dict.fromkeys(disks))
        self._lock = Lock()
        self._aside = Aside()
        self._state = HostState(None, None, {}, {}, ())
        self._read_at = float("-inf")
        self._traffic = _Traffic()
        use_proc(self._root)
        # The first sample is taken now, so that the first reading is no blank.
        self._cpu_at, self._cpu = time.monotonic(), self._cpu_times([])

    def read(self) -> HostState:
        """The host's state; readings within a second of each other get the same. It takes 2 s at most."""
        with self._lock:
            now = time.monotonic()
            if now - self._read_at >= SAME_WITHIN:
                before = self._state.problems
                self._state = self._measure(now)
                # From its end on: scrapes that waited meanwhile take it, too.
                self._read_at = time.monotonic()
                for problem in self._state.problems:
                    # Each reading meets the same faults again: one is logged when it is new.
                    if problem not in before:
                        log.warning("host: %s", problem)
            return self._state

    def _measure(self, now: float) -> HostState:
        problems: list[str] = []
        cpu, memory = self._cpu_usage(now, problems), self._memory_usage(problems)
        network, disks = self._network(problems), self._disk_usage(now, problems)
        return HostState(cpu, memory, disks, network, tuple(problems))

    def _cpu_usage(self, now: float, problems: list[str]) -> float | None:
        if now - self._cpu_at < SAME_WITHIN:
            return None
        before = self._cpu
        self._cpu_at, self._cpu = now, self._cpu_times(problems)
        if before is None or self._cpu is None:
            return None
        total, idle = (after - earlier for after, earlier in zip(self._cpu, before, strict=True))
        # The kernel's count of idle time may step back a little.
        return min(max(1 - idle / total, 0.0), 1.0) if total > 0 else None

    def _cpu_times(self, problems: list[str]) -> tuple[float, float] | None:
        """Seconds of all cores since the start, and how many of them were idle or waited for disks."""
        with self._told(problems):
            times = psutil.cpu_times()
            # A guest's time is in the user's already.
            guests = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
            return sum(times) - guests, times.idle + getattr(times, "iowait", 0.0)
        return None

    def _memory_usage(self, problems: list[str]) -> float | None:
        with self._told(problems):
            memory = psutil.virtual_memory()
            return min(max(1 - memory.available / memory.total, 0.0), 1.0)
        return None

    def _disk_usage(self, now: float, problems: list[str]) -> dict[str, float]:
        looks = {path: self._aside.start(path, partial(self._disk, path)) for path in self._disks}
        usage = {}
        for path, look in looks.items():
            try:
                used, available = look.result(timeout=max(now + DISK_SECONDS - time.monotonic(), 0))
            except TimeoutError:
                problems.append(f"disk {path}: no answer within {DISK_SECONDS:g} s; is it a network disk that is away?")
            except (OSError, ValueError) as error:
                why = error.strerror if isinstance(error, OSError) else error
                problems.append(f"disk {path}: {why}; correct `disks` of `host` in monitoring.yml{self._hint()}")
            else:
                if used + available:
                    usage[path] = used / (used + available)
                else:
                    problems.append(f"disk {path}: a file system without a size; give a path on a disk")
        return usage

    def _disk(self, path: str) -> tuple[int, int]:
        """Bytes used and bytes that users may still fill: what is reserved for root counts as neither, as in `df`."""
        usage = psutil.disk_usage(str(on_host(self._root, self._root / path.lstrip("/"))))
        return usage.used, usage.free

    def _network(self, problems: list[str]) -> dict[Direction, int]:
        with self._told(problems):
            every = self._interfaces()
            cards = self._cards(every)
            if not cards:
                problems.append("network: no interface of the host is a network card (see docs/host.md)")
                return {}
            return self._traffic.add({name: every[name] for name in cards})
        return {}

    def _interfaces(self) -> dict[str, tuple[int, int]]:
        """Bytes received and sent by each of the host's interfaces."""
        if self._root == Path("/"):
            counters = psutil.net_io_counters(pernic=True, nowrap=False)
            return {name: (count.bytes_recv, count.bytes_sent) for name, count in counters.items()}
        # /proc/net is the reader's own network, which is the container's; that of the first process is the host's.
        lines = (self._root / "proc/1/net/dev").read_text().splitlines()[2:]
        named = {name.strip(): values.split() for name, _, values in (line.rpartition(":") for line in lines)}
        return {name: (int(values[0]), int(values[8])) for name, values in named.items()}

    def _cards(self, names: Mapping[str, object]) -> list[str]:
        """The interfaces that a device is behind, so that what goes through bridges and tunnels counts once.

        A card that is a part of another one, as cloud machines have, counts with that one. Where no interface has a
        device, as in a virtual private server that is a container, those with a card's name count.
        """
        folder = self._root / "sys/class/net"
        cards = [
            name
            for name in names
            if (folder / name / "device").exists() and not (folder / name / "master/device").exists()
        ]
        return cards or [name for name in names if _CARD.fullmatch(name)]

    @contextmanager
    def _told(self, problems: list[str]) -> Iterator[None]:
        """Turn a file of /proc that can't be read into a problem."""
        try:
            yield
        except OSError as error:
            problems.append(f"{error.filename or 'psutil'}: {error.strerror or error}{self._hint()}")

    def _hint(self) -> str:
        if self._root == Path("/"):
            return ""
        return f"; is the host's / mounted at {self._root}, as docs/host.md says?"


class _Traffic:
    """Sums up interfaces so that the sum only grows, also where one of them is taken away or starts anew."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, int]] = {}
        self._receive = self._transmit = 0

    def add(self, counters: dict[str, tuple[int, int]]) -> dict[Direction, int]:
        for name, (receive, transmit) in counters.items():
            before = self._seen.get(name, (0, 0))
            if receive < before[0] or transmit < before[1]:
                before = (0, 0)
            self._receive += receive - before[0]
            self._transmit += transmit - before[1]
        self._seen |= counters  # one that is away for a while goes on where it was
        return {"receive": self._receive, "transmit": self._transmit}
