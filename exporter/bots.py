"""The configured bots: made from monitoring.yml, kept over a reload where their entry is the same."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from zoneinfo import ZoneInfo

from exporter.config.credentials import secret_of
from exporter.config.entries import BotEntry, DemoBot, FileBot, FreqtradeBot, HttpBot, Monitoring, PushBot
from exporter.config.load import ConfigError, load
from exporter.host import Host
from exporter.mute import muted
from exporter.reading import BotReader
from exporter.shard import ALL, Shard
from exporter.sources import BESIDE, Source
from exporter.sources.demo import DAY, DemoSource
from exporter.sources.file import FileSource
from exporter.sources.freqtrade import FreqtradeSource
from exporter.sources.http import HttpSource
from exporter.sources.network import ProbeSource, address
from exporter.sources.process import ProcessSource
from exporter.sources.push import PushSource

log = logging.getLogger(__name__)

# Several parts of a bot may be read at once; a thread that waits for a bot costs next to nothing.
_MOST_THREADS = 512


class Bots:
    """The configured bots, or this exporter's share of them.

    Args:
        path: monitoring.yml.
        data: a folder for what must outlive a restart.
        shard: which of the bots are this exporter's.
        host_root: where the machine's root folder is seen.

    Raises:
        ConfigError: the file can't be used.
    """

    def __init__(self, path: Path, data: Path, shard: Shard = ALL, host_root: Path = Path("/")) -> None:
        self._path = path
        self._data = data
        self._shard = shard
        self._host_root = host_root
        self._lock = Lock()
        self._pool = ThreadPoolExecutor(max_workers=_MOST_THREADS, thread_name_prefix="read")
        self._readers: dict[str, BotReader] = {}
        self.config = load(path)
        self.reload_successful, self.reload_time = True, time.time()
        self.host = Host(host_root, self.config.host.disks)
        self._apply(self.config)

    @property
    def readers(self) -> Mapping[str, BotReader]:
        """The bots by name, in the order of the file."""
        return self._readers

    def maintained(self, now: float) -> set[str]:
        """The bots in maintenance: by the calendar, or muted by hand."""
        return self.config.maintained(now) | muted(self._data, now)

    def reload(self) -> None:
        """Read the file again and take over what changed; a bad file is refused and all stays as it was.

        Raises:
            ConfigError: the file can't be used, or is being read already.
        """
        if not self._lock.acquire(blocking=False):
            raise ConfigError([f"{self._path} is being read again already; try again when that has ended"])
        try:
            try:
                config = load(self._path)
            except ConfigError as error:
                self.reload_successful = False
                log.error("%s is refused, the configuration before stays in use:\n%s", self._path, error)
                raise
            self._apply(config)
            self.reload_successful, self.reload_time = True, time.time()
            log.info("%s was read again: %d bots", self._path, len(self._readers))
        finally:
            self._lock.release()

    def _apply(self, config: Monitoring) -> None:
        same_zone = config.timezone == self.config.timezone
        if config.host != self.config.host:
            self.host = Host(self._host_root, config.host.disks)
        readers = {}
        for bot in config.bots:
            if not self._shard.holds(bot.name):
                continue
            reader = self._readers.get(bot.name)
            secret = secret_of(bot, self._path.parent)
            if reader is not None and same_zone and _reads_alike(reader.config, bot) and reader.secret == secret:
                reader.config = bot
            else:
                record = reader.record if reader else None
                sources = tuple(self._sources(bot, config.zone, secret))
                reader = BotReader(bot, sources, self._pool, secret, record)
            readers[bot.name] = reader
        self.config, self._readers = config, readers

    def _sources(self, bot: BotEntry, zone: ZoneInfo, secret: str | None) -> Iterator[Source]:
        """What reads a bot: itself, and what else is known of it."""
        folder = self._path.parent
        if isinstance(bot, DemoBot):
            yield DemoSource(bot.seed, self._demo_since(bot.name), zone)
        elif isinstance(bot, FileBot):
            yield FileSource(folder / bot.path, bot.stale_after, zone)
        elif isinstance(bot, HttpBot):
            ca_file = None if bot.ca_file is None else folder / bot.ca_file
            yield HttpSource(bot.url, bot.stale_after, zone, bot.username, secret, ca_file)
        elif isinstance(bot, PushBot):
            yield PushSource(bot.name, self._data / "push", secret or "", bot.stale_after, zone)
        elif isinstance(bot, FreqtradeBot):
            ca_file = None if bot.ca_file is None else folder / bot.ca_file
            yield FreqtradeSource(bot.url, bot.username, secret or "", zone, ca_file)
            if bot.state_file is not None:
                yield FileSource(folder / bot.state_file, bot.stale_after, zone, BESIDE)
        if bot.process is not None:
            yield ProcessSource(self._host_root, self._pid_file(bot.process.pid_file), bot.process.name)
        if bot.probes:
            yield ProbeSource([address(each) for each in bot.probes])

    def _pid_file(self, path: str | None) -> Path | None:
        """An absolute path is the host's, which a container sees elsewhere."""
        if path is None:
            return None
        return self._host_root / path.lstrip("/") if path.startswith("/") else self._path.parent / path

    def _demo_since(self, name: str) -> float:
        """When a demo bot's history begins: 30 days before it was first seen, remembered so that its counters go on."""
        file = self._data / "demo.json"
        try:
            known = json.loads(file.read_text())
        except (OSError, ValueError):
            known = {}
        if not isinstance(known, dict) or not isinstance(known.get(name), int | float):
            known = (known if isinstance(known, dict) else {}) | {name: time.time() - 30 * DAY}
            try:
                self._data.mkdir(parents=True, exist_ok=True)
                draft = file.with_suffix(".new")
                draft.write_text(json.dumps(known))
                draft.replace(file)
            except OSError as error:
                log.warning("%s: %s; the demo bot's history begins anew at each start", file, error.strerror)
        return float(known[name])


def _reads_alike(one: BotEntry, other: BotEntry) -> bool:
    """Whether two entries are read the same way: all but their thresholds is equal."""
    return one.model_copy(update={"thresholds": {}}) == other.model_copy(update={"thresholds": {}})
