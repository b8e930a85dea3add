"""Source `process`: CPU and memory of a bot's process and its descendants, found by a pid file or by name."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from threading import Lock
from typing import ClassVar

import psutil

from exporter.host import SAME_WITHIN, on_host, use_proc
from exporter.opening import open_file
from exporter.sources import Group, Part
from exporter.state import BotState, SourceError, System

# A pid file may be written a little before its process starts, by a script that starts it.
_SLACK = 5.0
_PYTHON = re.compile(r"(python|pypy)[\d.]*[a-z]?", re.IGNORECASE)


@dataclass(frozen=True)
class _Sample:
    process: psutil.Process
    cpu: float
    time: float


class ProcessSource:
    """Reads a bot's process together with all its descendants.

    Args:
        root: where the host's root file system is seen (see `exporter.host`).
        pid_file: a file with the process's number, at the path where the exporter sees it; read anew each time.
        name: where there is no pid file, the name of the process, of its program, or of what Python runs in it.
    """

    groups: ClassVar[Mapping[Group, Part]] = {"system": "process"}

    def __init__(self, root: Path, pid_file: Path | None, name: str | None) -> None:
        self._root = Path(os.path.realpath(root))
        self._pid_file = pid_file
        self._name = name or ""
        self._sample: _Sample | None = None
        self._state = BotState()
        self._read_at = float("-inf")
        use_proc(self._root)

    def read(self, part: Part, deadline: float) -> BotState:  # noqa: ARG002 - a few files of /proc
        """CPU and memory; readings within a second of each other get the same.

        cpu_usage is the CPU time of the process and its descendants since the reading before, over the time that
        passed: a share of one core, at most 1. It is absent at the first reading of a process. memory_bytes is their
        resident memory, where what several of them share counts for each; memory_usage is its share of the host's
        memory, at most 1.

        Raises:
            SourceError: `missing` where there is no such process, `invalid` where the name is that of several.
        """
        if time.monotonic() - self._read_at >= SAME_WITHIN:
            try:
                self._state = BotState(system=self._measure(self._process()))
            except psutil.NoSuchProcess as error:
                raise SourceError("missing", f"process {error.pid} has just ended; is the bot running?") from error
            except psutil.AccessDenied as error:
                raise SourceError(
                    "missing", f"process {error.pid} may not be looked at; is /proc mounted with hidepid?"
                ) from error
            except OSError as error:
                where = os.fsdecode(error.filename or self._root / "proc")
                raise SourceError(
                    "missing", f"{where}: {error.strerror}; is the host's / mounted at {self._root}?"
                ) from error
            self._read_at = time.monotonic()
        return self._state

    def _measure(self, process: psutil.Process) -> System:
        now = time.monotonic()
        cpu, memory = _load(process)
        for descendant in _latest(self._root).get().descendants(process.pid):
            with suppress(psutil.Error):  # it has ended meanwhile
                more_cpu, more_memory = _load(descendant)
                cpu, memory = cpu + more_cpu, memory + more_memory
        before, self._sample = self._sample, _Sample(process, cpu, now)
        usage = None
        if before is not None and before.process == process:
            usage = min(max((cpu - before.cpu) / (now - before.time), 0.0), 1.0)
        share = min(memory / psutil.virtual_memory().total, 1.0)
        return System(cpu_usage=usage, memory_usage=share, memory_bytes=memory)

    def _process(self) -> psutil.Process:
        known = self._sample.process if self._sample else None
        if self._pid_file is not None:
            return _of_file(on_host(self._root, self._pid_file), known)
        # All processes are looked at only when it is gone, for that is costly.
        return known if known is not None and _is_alive(known) else self._of_name()

    def _of_name(self) -> psutil.Process:
        found = _latest(self._root).get().topmost(self._name)
        if not found:
            raise SourceError(
                "missing", f"no process is named {self._name!r}; is the bot running, is it spelt as `ps -ef` shows it?"
            )
        if len(found) > 1:
            pids = ", ".join(str(process.pid) for process in found[:10])
            raise SourceError(
                "invalid", f"{self._name!r} names {len(found)} processes (pids {pids}); give a pid_file instead"
            )
        return found[0]


def _of_file(path: Path, known: psutil.Process | None) -> psutil.Process:
    """The process that a pid file names, if it may be the one that the file was written for."""
    try:
        with open(path, "rb", buffering=0, opener=open_file) as file:
            written = os.fstat(file.fileno()).st_mtime
            text = file.read(100).strip()
    except OSError as error:
        raise SourceError(
            "missing", f"{path}: {error.strerror}; does the bot write its pid there, may it be read?"
        ) from error
    # The largest pid that Linux can give has 7 digits. What is there instead is not told: it may be a link to a secret.
    if not text.isdigit() or len(text) > 10:
        raise SourceError("missing", f"{path}: not a pid; the bot must write its number there alone")
    pid = int(text)
    if pid < 2:
        raise SourceError("missing", f"{path}: pid {pid} is no bot's on the host; for one in a container give its name")
    gone = f"{path}: there is no process {pid}; is the bot running, does it write its pid there?"
    try:
        process = psutil.Process(pid)
    except psutil.NoSuchProcess as error:
        raise SourceError("missing", gone) from error
    if not _is_alive(process):
        raise SourceError("missing", gone)
    # One that was right before stays so, also when the clock is set.
    if process != known and process.create_time() > written + _SLACK:
        raise SourceError(
            "missing", f"{path}: process {pid} began after the file was written, so it is another; is the bot running?"
        )
    return process


def _is_alive(process: psutil.Process) -> bool:
    """Whether it is still the same process, and not one that has ended and waits for its parent to notice."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _load(process: psutil.Process) -> tuple[float, int]:
    """CPU seconds, with those of the children that have ended, and bytes of resident memory.

    A child that ends hands its seconds over to its parent, so that a tree's sum loses none.
    """
    with process.oneshot():
        times = process.cpu_times()
        cpu = times.user + times.system + times.children_user + times.children_system
        return cpu, process.memory_info().rss


class _Processes:
    """The host's processes at one moment."""

    def __init__(self) -> None:
        self.seen_at = time.monotonic()
        self._parents: dict[int, int] = {}
        self._all: dict[int, psutil.Process] = {}
        self._children: dict[int, list[int]] = {}
        for pid in psutil.pids():
            with suppress(psutil.Error):  # it has ended meanwhile
                process = psutil.Process(pid)
                parent = self._parents[pid] = process.ppid()
                self._all[pid] = process
                self._children.setdefault(parent, []).append(pid)

    def descendants(self, pid: int) -> Iterator[psutil.Process]:
        """A process's children, their children and so on."""
        # Numbers that are given anew meanwhile can make a circle; and a chain may be longer than Python's stack.
        seen, ahead = {pid}, [pid]
        while ahead:
            for child in self._children.get(ahead.pop(), ()):
                if child not in seen:
                    seen.add(child)
                    ahead.append(child)
                    yield self._all[child]

    def topmost(self, name: str) -> list[psutil.Process]:
        """The processes of a name, but for those that descend from one of them."""
        named = [pid for pid in self._named.get(name, ()) if _is_alive(self._all[pid])]
        return [self._all[pid] for pid in named if not any(above in named for above in self._ancestors(pid))]

    def _ancestors(self, pid: int) -> Iterator[int]:
        seen, parent = {pid}, self._parents.get(pid)
        while parent and parent not in seen:
            seen.add(parent)
            yield parent
            parent = self._parents.get(parent)

    @cached_property
    def _named(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for pid in self._all:
            with suppress(OSError):  # it has ended meanwhile
                for name in {_head(pid, "comm").rstrip("\n")} | names_in(_head(pid, "cmdline").split("\0")[:50]):
                    found.setdefault(name, []).append(pid)
        return found


def _head(pid: int, name: str) -> str:
    """The first 4 KiB of a file of /proc: a command line is as long as its process likes, and psutil reads it whole."""
    with Path(psutil.PROCFS_PATH, str(pid), name).open("rb", buffering=0) as file:
        return os.fsdecode(file.read(4096))


class _Latest:
    """Looks at all processes at most once a second, for all bots together."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._latest: _Processes | None = None

    def get(self) -> _Processes:
        with self._lock:
            if self._latest is None or time.monotonic() - self._latest.seen_at >= SAME_WITHIN:
                self._latest = _Processes()
            return self._latest


@cache
def _latest(root: Path) -> _Latest:  # noqa: ARG001 - one for each root
    return _Latest()


def names_in(command: list[str]) -> set[str]:
    """The names by which a command line can be found: its program's, and that of the script or module Python runs.

    `/usr/bin/python3 -u /home/me/bot.py --live` is `python3` and `bot.py`; `python -m freqtrade trade` is `python` and
    `freqtrade`.
    """
    if not command:
        return set()
    program = Path(command[0]).name
    run = _run_by_python(command[1:]) if _PYTHON.fullmatch(program) else None
    return {name for name in (program, run) if name}


def _run_by_python(arguments: list[str]) -> str | None:
    """The script's name or the module among Python's own options, which are read as it reads them."""
    rest = iter(arguments)
    for argument in rest:
        if argument == "-" or not argument.startswith("-"):
            return Path(argument).name
        if argument.startswith("--"):
            if argument == "--check-hash-based-pycs":
                next(rest, None)
            continue
        for n, letter in enumerate(argument[1:], 2):
            if letter in "cm":
                return None if letter == "c" else argument[n:] or next(rest, None)
            if letter in "WX":
                if not argument[n:]:
                    next(rest, None)
                break
    return None
