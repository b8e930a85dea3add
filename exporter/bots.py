"""The configured bots: made from monitoring.yml, kept over a reload where their entry is the same."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from zoneinfo import ZoneInfo

from exporter.config import BotConfig, ConfigError, DemoBot, FileBot, Monitoring, load, password_of
from exporter.reading import BotReader
from exporter.sources import Source
from exporter.sources.demo import DAY, DemoSource
from exporter.sources.file import FileSource
from exporter.sources.freqtrade import FreqtradeSource

log = logging.getLogger(__name__)

# Two parts of a bot may be read at once; more threads than this would only wait for two cores.
_MOST_THREADS = 256


class Bots:
    """All configured bots.

    Args:
        path: monitoring.yml.
        data: a folder for what must outlive a restart.

    Raises:
        ConfigError: the file can't be used.
    """

    def __init__(self, path: Path, data: Path) -> None:
        self._path = path
        self._data = data
        self._lock = Lock()
        self._pool = ThreadPoolExecutor(max_workers=_MOST_THREADS, thread_name_prefix="read")
        self._readers: dict[str, BotReader] = {}
        self.config = load(path)
        self.reload_successful, self.reload_time = True, time.time()
        self._apply(self.config)

    @property
    def readers(self) -> Mapping[str, BotReader]:
        """The bots by name, in the order of the file."""
        return self._readers

    def reload(self) -> None:
        """Read the file again and take over what changed; a bad file is refused and all stays as it was.

        Raises:
            ConfigError: the file can't be used.
        """
        with self._lock:
            try:
                config = load(self._path)
            except ConfigError as error:
                self.reload_successful = False
                log.error("%s is refused, the configuration before stays in use:\n%s", self._path, error)
                raise
            self._apply(config)
            self.reload_successful, self.reload_time = True, time.time()
            log.info("%s was read again: %d bots", self._path, len(config.bots))

    def _apply(self, config: Monitoring) -> None:
        same_zone = config.timezone == self.config.timezone
        readers = {}
        for bot in config.bots:
            reader = self._readers.get(bot.name)
            secret = _secret(bot, self._path.parent)
            if reader is not None and same_zone and _reads_alike(reader.config, bot) and reader.secret == secret:
                reader.config = bot
            else:
                record = reader.record if reader else None
                reader = BotReader(bot, self._source(bot, config.zone, secret), self._pool, secret, record)
            readers[bot.name] = reader
        self.config, self._readers = config, readers

    def _source(self, bot: BotConfig, zone: ZoneInfo, secret: str | None) -> Source:
        if isinstance(bot, DemoBot):
            return DemoSource(bot.seed, self._demo_since(bot.name), zone)
        if isinstance(bot, FileBot):
            return FileSource(self._path.parent / bot.path, bot.stale_after, zone)
        return FreqtradeSource(bot.url, bot.username, secret or "", zone)

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


def _reads_alike(one: BotConfig, other: BotConfig) -> bool:
    """Whether two entries are read the same way: all but their thresholds is equal."""
    return one.model_copy(update={"thresholds": {}}) == other.model_copy(update={"thresholds": {}})


def _secret(bot: BotConfig, folder: Path) -> str | None:
    return None if isinstance(bot, DemoBot | FileBot) else password_of(bot, folder)
