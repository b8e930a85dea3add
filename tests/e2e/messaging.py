"""Alertmanagers with the rendered configuration and clocks that run faster, two Prometheus, and channels that may fail.

What fires is written on a page that both Prometheus scrape, and they tell each office: one or two Alertmanagers with
channels of their own. Five minutes of alertmanager.yml last three seconds here.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple, Self

import requests
import yaml

from init.run import run
from tests.e2e.channels import Channels
from tests.e2e.page import Page
from tests.responder.monitoring import Service
from tests.rules.delays import seconds
from tests.stack import free_port, wait_for

# How much faster the clocks of the routes run. Less so before the first message: a test must be able to come before it.
SCALES = {"group_wait": 20.0, "group_interval": 100.0, "repeat_interval": 100.0}
COOLDOWN = 300 / SCALES["group_interval"]
CONDITIONS = {
    "BotDown": "bot_down",
    "DailyLoss": "daily_loss",
    "HighMemoryUsage": "high_memory_usage",
    "SourceFailing": "source_failing",
}
EVERYBODY = Channels.NAMES
# Each severity goes by all channels.
MONITORING = {"channels": {key: [name for name in EVERYBODY if name != "inbox"] for key in ("critical", "warning")}}
# Prometheus forgets an alert at Alertmanager that it hasn't repeated for four of these: a busy machine must not.
RESEND = "3s"


def faster(route: dict[str, Any], slower: float = 1) -> None:
    """Shortens the durations of a route and of those below it; nothing else of it is changed."""
    for key, scale in SCALES.items():
        if key in route:
            route[key] = f"{round(seconds(route[key]) / scale * slower * 1000)}ms"
    for child in route.get("routes", ()):
        faster(child, slower)


class Daemon(Service):
    """A process that may be killed and started again."""

    @property
    def running(self) -> bool:
        """Whether it was started and not ended since."""
        return self._process is not None


class Kind(NamedTuple):
    """How many Alertmanagers an office has, their options, and how much slower its clocks run than those of others."""

    options: Sequence[str] = ()
    peers: int = 1
    slower: float = 1


# What a peer waits for the one before it, 15 s as shipped, and how soon it sees that one is gone. Long enough for a
# mail on a busy machine, and below a `group_interval`: that's why the clocks of pairs run slower.
_OPTIONS = ("peer-timeout=4s", "probe-interval=200ms", "probe-timeout=100ms", "reconnect-interval=1s")
_PAIR = [f"--cluster.{option}" for option in _OPTIONS]
# Offices by the name of their stage in conftest.py.
STAGES = {
    "world": {
        "steady": Kind(),
        # As shipped: what was told is written down once in 30 s; but of a faster clock.
        "killed": Kind(["--data.maintenance-interval=500ms"]),
        "pair": Kind(_PAIR, peers=2, slower=2),
    },
    "long": {
        "steady": Kind(["--data.maintenance-interval=500ms"]),
        "restarted": Kind(["--data.maintenance-interval=500ms"]),
        # As shipped.
        "unsaved": Kind(["--data.maintenance-interval=30s"]),
        "pair": Kind([*_PAIR, "--data.maintenance-interval=500ms"], peers=2, slower=5),
    },
}


class Office:
    """One or two Alertmanagers, the channels they tell, and what fires for them. Bots are called NAME-…"""

    def __init__(self, folder: Path, name: str, page: Page, kind: Kind) -> None:
        self.name = name
        self.channels = Channels()
        self.folder = folder
        self.cooldown = COOLDOWN * kind.slower
        self._page = page
        self._slower = kind.slower
        gossip = [f"127.0.0.1:{free_port()}" for _ in range(kind.peers)]
        self.alertmanagers: list[Daemon] = []
        for number, address in enumerate(gossip):
            own = folder / f"{name}-{number}"
            own.mkdir(parents=True)
            cluster = ["--cluster.listen-address="]
            if kind.peers > 1:
                others = [f"--cluster.peer={other}" for other in gossip if other != address]
                cluster = [f"--cluster.listen-address={address}", f"--cluster.peer-name=peer-{number}", *others]
            files = [f"--config.file={self._config(own)}", f"--storage.path={own / 'data'}"]
            self.alertmanagers.append(Daemon(own, "alertmanager", *files, *cluster, *kind.options))

    def _config(self, folder: Path) -> Path:
        monitoring = folder / "monitoring.yml"
        monitoring.write_text(yaml.safe_dump(MONITORING))
        run(self.channels.settings, folder / "out", monitoring=monitoring)
        path = folder / "out" / "alertmanager" / "alertmanager.yml"
        document = yaml.safe_load(path.read_text())
        faster(document["route"], self._slower)
        path.write_text(yaml.safe_dump(document, allow_unicode=True))
        return path

    @property
    def nflog(self) -> Path:
        """What the first Alertmanager keeps of what it has told."""
        return self.alertmanagers[0].folder / "data" / "nflog"

    def bot(self, short: str) -> str:
        """The whole name of a bot."""
        return f"{self.name}-{short}"

    def fire(self, alert: str, bot: str, severity: str = "") -> None:
        """From now on this alert of a bot fires."""
        self._page.set("fires", 1, **self._labels(alert, bot, severity))

    def end(self, alert: str, bot: str, severity: str = "") -> None:
        """It does no longer."""
        self._page.set("fires", 0, **self._labels(alert, bot, severity))

    def _labels(self, alert: str, bot: str, severity: str) -> dict[str, str]:
        severity = severity or ("warning" if alert == "SourceFailing" else "critical")
        return {"alert": alert, "condition": CONDITIONS[alert], "bot": self.bot(bot), "severity": severity}

    def active(self, bot: str) -> list[dict[str, Any]]:
        """What the Alertmanagers that run have of a bot now."""
        found: list[dict[str, Any]] = []
        for alertmanager in self.alertmanagers:
            if alertmanager.running:
                filters = {"filter": f'bot="{self.bot(bot)}"'}
                found += requests.get(f"{alertmanager.url}/api/v2/alerts", params=filters, timeout=10).json()
        return found

    @property
    def met(self) -> bool:
        """Whether each of two Alertmanagers sees the other and is ready to send."""
        answers = [requests.get(f"{each.url}/api/v2/status", timeout=10).json() for each in self.alertmanagers]
        clusters = [answer["cluster"] for answer in answers]
        return all(each["status"] == "ready" and len(each["peers"]) == len(clusters) for each in clusters)

    def severities(self, bot: str, status: str) -> list[str]:
        """Of which severities the inbox was told, oldest first."""
        return [a["labels"]["severity"] for a in self.channels.alerts("inbox", self.bot(bot)) if a["status"] == status]

    def told(self, channel: str, bot: str) -> list[str]:
        """What a channel told of a bot."""
        return self.channels.told(channel, self.bot(bot))

    def wait_told(self, bot: str, *statuses: str, channels: Sequence[str] = EVERYBODY) -> None:
        """Waits until just this was told by each of these channels."""
        end = time.monotonic() + 60
        while any(list(statuses) != self.told(channel, bot) for channel in channels):
            found = {channel: self.told(channel, bot) for channel in channels}
            assert time.monotonic() < end, f"of {self.bot(bot)} was told {found}, not {statuses}"
            time.sleep(0.1)

    def outlast(self, flushes: int = 2) -> None:
        """Waits for so many cooldowns of five minutes: those of a bot that is down all the time, and told each time."""
        before = len(self.told("inbox", "metronome"))
        # One more: the first may be about to end.
        wait_for(
            f"{flushes} cooldowns",
            lambda: len(self.told("inbox", "metronome")) > before + flushes,
            30 + 4 * self.cooldown * flushes,
        )

    def __enter__(self) -> Self:
        self.channels.__enter__()
        for alertmanager in self.alertmanagers:
            alertmanager.start()
        self.fire("BotDown", "metronome")
        return self

    def __exit__(self, *_: object) -> None:
        for alertmanager in self.alertmanagers:
            alertmanager.end()
        self.channels.__exit__()


class World:
    """Offices, the page of what fires, and two Prometheus that tell all of them. A context manager."""

    def __init__(self, folder: Path, kinds: Mapping[str, Kind]) -> None:
        self.page = Page()
        self._offices = {name: Office(folder, name, self.page, kind) for name, kind in kinds.items()}
        self._prometheus = [_prometheus(folder / name, self.page, self._offices.values()) for name in ("a", "b")]
        self._exits = ExitStack()

    def __getattr__(self, name: str) -> Office:
        return self._offices[name]

    def __enter__(self) -> Self:
        self._exits.enter_context(self.page)
        for office in self._offices.values():
            self._exits.enter_context(office)
        for prometheus in self._prometheus:
            prometheus.start()
            self._exits.callback(prometheus.end)
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()


def _prometheus(folder: Path, page: Page, offices: Iterable[Office]) -> Daemon:
    """One of the two: it tells each office of its bots."""
    folder.mkdir()
    text = {"summary": "What is wrong.", "description": "{{ $labels.bot }}: what is wrong, in words."}
    # The window: on a busy machine a scrape may be missed, and that ends nothing.
    fires = "max without (alert, job, instance) (last_over_time(fires{{alert={name!r}}}[1m])) == 1"
    rules = [{"alert": name, "expr": fires.format(name=name), "annotations": text} for name in CONDITIONS]
    (folder / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": rules}]}))
    told = [
        {
            "static_configs": [{"targets": [alertmanager.url.removeprefix("http://")]}],
            "alert_relabel_configs": [{"source_labels": ["bot"], "regex": f"{office.name}-.*", "action": "keep"}],
        }
        for office in offices
        for alertmanager in office.alertmanagers
    ]
    config = {
        "global": {
            "scrape_interval": "250ms",
            "scrape_timeout": "250ms",
            "evaluation_interval": "250ms",
            "external_labels": {"replica": folder.name},
        },
        "rule_files": ["rules.yml"],
        "alerting": {
            "alert_relabel_configs": [{"regex": "replica", "action": "labeldrop"}],
            "alertmanagers": told,
        },
        "scrape_configs": [{"job_name": "page", "static_configs": [{"targets": [f"127.0.0.1:{page.port}"]}]}],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    files = [f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"]
    return Daemon(folder, "prometheus", *files, f"--rules.alert.resend-delay={RESEND}")
