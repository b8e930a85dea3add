"""Reads a scenario, and tells all that is wrong with it: each fault with its line, its key and what is allowed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import yaml
from pydantic import ValidationError

from exporter.config import sections
from exporter.config.load import ConfigError
from exporter.config.load import load as load_monitoring
from exporter.config.yaml_lines import Lines, YamlError, load_with_lines
from tests.replay.scenario import Scenario

FOLDER = Path(__file__).parent / "scenarios"
RULES = Path(__file__).parents[2] / "prometheus" / "rules"
_LEVELS = ("critical", "warning", "info")
_SLA_STEP = 60

_Fault = tuple[tuple[str | int, ...], str]


class ScenarioError(Exception):
    """A scenario that can't be used; each line is a sentence with file, line, key and what is allowed."""


def rule_files(rules: Path) -> list[Path]:
    """The rule files that alerts need: what charts draw would only take time."""
    return sorted(file for file in rules.glob("*.yml") if file.name != "dashboards.yml")


def load(path: Path, rules: Path = RULES) -> Scenario:
    """Read a scenario.

    Args:
        path: its file.
        rules: the folder of rule files, whose alerts it may expect.

    Raises:
        ScenarioError: with every fault.
    """
    try:
        document, lines = load_with_lines(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ScenarioError(f"{path.name}: {error.strerror}; there are: {', '.join(names())}") from None
    except UnicodeDecodeError:
        raise ScenarioError(f"{path.name}: is not UTF-8 text") from None
    except YamlError as error:
        raise ScenarioError(f"{path.name}:{error}") from None
    if not isinstance(document, dict):
        raise ScenarioError(f"{path.name}: must be a mapping of keys to values; see docs/replay.md")
    try:
        scenario = Scenario.model_validate(document | {"name": path.stem})
    except ValidationError as error:
        raise ScenarioError("\n".join(dict.fromkeys(_faults(path.name, lines, error)))) from None
    found = [*_monitoring_faults(scenario), *_expected_faults(scenario, rules)]
    if found:
        raise ScenarioError("\n".join(f"{path.name}:{_line(lines, key)}: {sentence}" for key, sentence in found))
    return scenario


def names() -> list[str]:
    """The scenarios that there are."""
    return sorted(path.stem for path in FOLDER.glob("*.yml"))


def _faults(file: str, lines: Lines, error: ValidationError) -> Iterator[str]:
    for fault in error.errors(include_url=False):
        key = fault["loc"]
        while key and key not in lines and fault["type"] != "missing":
            key = key[:-1]  # what pydantic adds, such as the kinds that a value may be of
        message = fault["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
        if fault["type"] == "missing":
            message = "is missing"
        elif fault["type"] == "extra_forbidden":
            message = "unknown key; see docs/replay.md for those that are known"
        yield f"{file}:{_line(lines, key)}: {'.'.join(map(str, key)) or 'the scenario'}: {message}"


def _line(lines: Lines, key: tuple[str | int, ...]) -> int:
    return lines.get(key) or lines.get(key[:-1], 1)


def _monitoring_faults(scenario: Scenario) -> Iterator[_Fault]:
    """What the exporter finds wrong with the scenario's monitoring.yml, and bots that no scenario can move."""
    bots = scenario.monitoring.get("bots")
    others = [
        (("monitoring", "bots", number, "type"), f"monitoring.bots[{number}].type is {bot['type']}: {_DEMO_ONLY}")
        for number, bot in enumerate(bots if isinstance(bots, list) else [])
        if isinstance(bot, dict) and bot.get("type", "demo") != "demo"
    ]
    yield from others
    if others:
        return  # what else such a bot lacks doesn't matter
    text = yaml.safe_dump(scenario.monitoring, sort_keys=False)
    _, written = load_with_lines(text)
    keys = {line: key for key, line in written.items()}  # the innermost of a line comes last
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "monitoring.yml"
        file.write_text(text)
        try:
            monitoring = load_monitoring(file)
        except ConfigError as error:
            for fault in error.faults:
                line, _, sentence = fault.removeprefix(f"{file}:").partition(": ")
                where = "monitoring" if sentence.startswith("the file") else "monitoring."
                yield ("monitoring", *keys.get(int(line), ())), where + sentence.removeprefix("the file")
            return
    promises = {sections.series("sla", key) for key in sections.SECTIONS["sla"]}
    if scenario.step != _SLA_STEP and promises & monitoring.targets.keys():
        # promtool evaluates every group at each step.
        why = "has an SLA (preset production, or sla): its rules count each step as a minute"
        yield ("step",), f"step is {scenario.step}s: must be {_SLA_STEP}s where monitoring {why}"


_DEMO_ONLY = "must be demo; only demo bots can be replayed, for what happens to them can be told"


def _expected_faults(scenario: Scenario, rules: Path) -> Iterator[_Fault]:
    known = _alerts(rules)
    for number, expected in enumerate(scenario.fires):
        key = ("fires", number)
        severities = known.get(expected.alert)
        if severities is None:
            yield (
                (*key, "alert"),
                f"fires.{number}.alert is {expected.alert}: must be one of {', '.join(sorted(known))}",
            )
        elif expected.severity not in severities:
            allowed = " or ".join((", ".join(severities[:-1]), severities[-1])).removeprefix(" or ")
            yield (*key, "severity"), f"fires.{number}.severity is {expected.severity}: must be {allowed}"
        if expected.bot is not None and expected.bot not in scenario.bots:
            yield (*key, "bot"), f"fires.{number}.bot is {expected.bot}: there are {', '.join(scenario.bots)}"


def _alerts(rules: Path) -> dict[str, list[str]]:
    """Each alert with the severities that it can have: those that it names, else any that a threshold has."""
    known: dict[str, list[str]] = {}
    for file in rules.glob("*.yml"):
        for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]:
            for rule in group["rules"]:
                if "alert" in rule:
                    own = rule.get("labels", {}).get("severity")
                    severities = known.setdefault(rule["alert"], [])
                    plain = own is not None and "{{" not in own
                    severities += [each for each in ([own] if plain else _LEVELS) if each not in severities]
    return known
