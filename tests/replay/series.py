"""From a scenario to the samples that Prometheus would collect: the real exporter, scraped at the scenario's time."""

from __future__ import annotations

import math
import re
import tempfile
from array import array
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from exporter.scrape import scrape
from tests.replay.load import RULES, rule_files
from tests.replay.scenario import Scenario
from tests.replay.spans import seconds
from tests.replay.story import Clock, ToldBots

PROMETHEUS = Path(__file__).parents[2] / "prometheus"
_BLANK, _STALE = math.nan, math.inf
# What the other programs tell of themselves while all is well.
_OTHERS = {
    "prometheus": (
        "prometheus_config_last_reload_successful 1",
        'prometheus_rule_evaluation_failures_total{rule_group="bot"} 0',
    ),
    "alertmanager": (
        "alertmanager_config_last_reload_successful 1",
        'alertmanager_notifications_failed_total{integration="telegram",reason="other"} 0',
        'alertmanager_notification_requests_failed_total{integration="telegram"} 0',
        'alertmanager_notification_requests_total{integration="telegram"} 0',
    ),
    "responder": (),
}


class Target(NamedTuple):
    """What is scraped at once, every so many seconds."""

    job: str
    instance: str
    interval: int
    bots: tuple[str, ...]


class Samples:
    """Series in promtool's notation, with a place for a sample every `slot` seconds."""

    def __init__(self, slot: int, slots: int) -> None:
        self.slot = slot
        self.slots = slots
        self._values: dict[str, array[float]] = {}

    def add(self, series: str, number: int, value: float) -> None:
        """Add a sample."""
        values = self._values.get(series)
        if values is None:
            values = self._values[series] = array("d", (_BLANK,)) * self.slots
        values[number] = value

    def notated(self) -> Iterator[tuple[str, str]]:
        """Each series with its values."""
        for series, values in self._values.items():
            yield series, " ".join(_runs(values))


def _runs(values: array[float]) -> Iterator[str]:
    text = [_text(value) for value in values]
    begin = 0
    for end in range(1, len(text) + 1):
        if end < len(text) and text[end] == text[begin]:
            continue
        count = end - begin
        if text[begin] == "_":
            yield f"_x{count}"
        elif text[begin] == "stale":
            yield from ["stale"] * count
        else:
            yield text[begin] if count == 1 else f"{text[begin]}x{count - 1}"
        begin = end


def _text(value: float) -> str:
    if value != value:
        return "_"
    if value == _STALE:
        return "stale"
    return repr(int(value)) if value.is_integer() else repr(value)


def collect(scenario: Scenario, rules: Path = RULES) -> Samples:
    """The samples of a scenario, of the series that rules read."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "monitoring.yml").write_text(yaml.safe_dump(scenario.monitoring))
        return _Collection(scenario, folder, rules).samples()


class _Collection:
    def __init__(self, scenario: Scenario, folder: Path, rules: Path) -> None:
        self._scenario = scenario
        self._folder = folder
        text = "\n".join(file.read_text(encoding="utf-8") for file in rule_files(rules))
        self._read = frozenset(re.findall(r"\b(?:trading_bot|prometheus|alertmanager)_\w+", text)) | {"up"}
        self._clock = Clock(scenario.begins)
        self._names: dict[tuple[str, str], str | None] = {}
        self._held: dict[str, Any] = {}

    def samples(self) -> Samples:
        targets = list(_targets(self._scenario))
        slot = math.gcd(self._scenario.step, *(target.interval for target in targets))
        samples = Samples(slot, self._scenario.lasts // slot + 1)
        present: dict[Target, Mapping[str, float]] = {}
        bots: ToldBots | None = None
        with self._clock.everywhere():
            bots = ToldBots(self._scenario, self._clock, self._folder, self._held)
            for number in range(samples.slots):
                at = number * slot
                self._clock.at = at
                if self._scenario.exporter_is_dead(at):
                    bots = None
                elif bots is None:
                    bots = ToldBots(self._scenario, self._clock, self._folder, self._held)
                for target in targets:
                    if at % target.interval == 0:
                        found = self._scraped(bots, target)
                        gone = present.get(target, {}).keys() - found.keys()
                        for series in gone:
                            samples.add(series, number, _STALE)
                        for series, value in found.items():
                            samples.add(series, number, value)
                        present[target] = found
        return samples

    def _scraped(self, bots: ToldBots | None, target: Target) -> dict[str, float]:
        up = f'up{{instance="{target.instance}",job="{target.job}"}}'
        if target.job in _OTHERS:
            lines = list(_OTHERS[target.job])
        elif bots is None:
            return {up: 0.0}
        else:
            lines = scrape(bots, target.bots, [target.job], self._clock.now() + 8).decode().splitlines()
        found = {up: 1.0}
        for line in lines:
            if line[0] == "#":
                continue
            name, _, value = line.rpartition(" ")
            series = self._series(name, target)
            if series is not None:
                shift = self._clock.begins if "_timestamp_seconds" in name else 0.0
                found[series] = float(value) - shift
        return found

    def _series(self, name: str, target: Target) -> str | None:
        """A series with its target's labels; None where no rule reads it."""
        key = name, target.instance
        if key not in self._names:
            metric, _, labels = name.partition("{")
            if metric in self._read:
                own = f'instance="{target.instance}",job="{target.job}"'
                self._names[key] = f"{metric}{{{own},{labels}" if labels else f"{metric}{{{own}}}"
            else:
                self._names[key] = None
        return self._names[key]


def _targets(scenario: Scenario) -> Iterator[Target]:
    """What prometheus.yml has scraped, at most once a step."""
    configuration = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text(encoding="utf-8"))
    names = tuple(scenario.bots)
    for job in configuration["scrape_configs"]:
        interval = seconds(job.get("scrape_interval", configuration["global"]["scrape_interval"]))
        interval = math.ceil(interval / scenario.step) * scenario.step if interval > scenario.step else scenario.step
        if "http_sd_configs" in job:
            for name in names:
                yield Target(job["job_name"], name, interval, (name,))
        else:
            for static in job["static_configs"]:
                for address in static["targets"]:
                    yield Target(job["job_name"], address, interval, names)
