"""Replays one scenario, several or all: `python -m tests.replay [SCENARIO …] [--all] [--rules FOLDER]`."""

from __future__ import annotations

import argparse
import os
import sys
import textwrap
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from tests.replay.expect import deviations, more
from tests.replay.load import FOLDER, RULES, ScenarioError, load, names
from tests.replay.run import Firing, Labels, RunError, fired
from tests.replay.scenario import Expected, Scenario
from tests.replay.series import collect
from tests.replay.spans import shown, times
from tests.replay.told import to_nobody, told

_ROW = "{:<11} {:<11} {:<22} {:<9} {:<14} {:<11} {}"
_WIDTH = 120


@dataclass
class Replay:
    """A scenario, what fired in it, and where that is not what was expected."""

    scenario: Scenario
    firings: list[Firing]
    deviations: list[str]
    seconds: float


def replay(path: Path, rules: Path, texts: bool) -> Replay:
    """Replay a scenario.

    Args:
        path: its file.
        rules: the folder of rule files.
        texts: whether to have the descriptions, too, which takes up to twice the time.

    Raises:
        ScenarioError: it can't be used.
        RunError: promtool failed.
    """
    began = time.monotonic()
    scenario = load(path, rules)
    firings = fired(collect(scenario, rules), scenario.lasts, scenario.step, rules, texts)
    return Replay(scenario, firings, deviations(scenario, firings), time.monotonic() - began)


def lines(done: Replay) -> Iterator[str]:
    """What is printed of a replay."""
    scenario, firings = done.scenario, done.firings
    yield f"{scenario.name}: {scenario.description}"
    yield f"{shown(scenario.lasts)} from {scenario.begins:%A %Y-%m-%d %H:%M} UTC, a step of {scenario.step} s"
    yield ""
    yield _ROW.format("begins", "ends", "alert", "severity", "bot", "told", "labels").rstrip()
    said: dict[Labels, str] = {}
    for firing in firings:
        yield _row(firing, firings)
        if firing.description and firing.description != said.get(firing.labels):
            yield from textwrap.wrap(firing.description, _WIDTH, initial_indent="    ", subsequent_indent="    ")
        said[firing.labels] = firing.description
    yield ""
    yield "Expected:"
    yield from map(_expected, scenario.fires)
    if not scenario.fires:
        yield "    nothing"
    yield ""
    yield from (f"DIFFERS: {sentence}" for sentence in done.deviations)
    yield "as expected" if not done.deviations else _counted(len(done.deviations), "difference")


def _row(firing: Firing, every: Sequence[Firing]) -> str:
    message = told(firing, every)
    text = "held back" if message is None else "at once" if message == firing.begins else shown(message)
    text = to_nobody(firing) or text
    ends = "" if firing.ends is None else shown(firing.ends)
    names = (firing.get("alertname"), firing.get("severity"), firing.get("bot"))
    return _ROW.format(shown(firing.begins), ends, *names, text, more(firing)).rstrip()


def _expected(expected: Expected) -> str:
    labels = " ".join(f"{name}={value}" for name, value in sorted(expected.labels.items()))
    begins = f"from {shown(expected.after)} on" if expected.after is not None else _span(expected.window)
    ends = ""
    if expected.ends is not None:
        ends = ", goes on" if expected.ends == "never" else f", ends {_span(expected.ends)}"
    words = [expected.alert, expected.severity, expected.bot or "", labels, f"{begins}{ends}"]
    notes = [times(expected.times)] if expected.times else []
    notes += [] if expected.told else ["held back"]
    notes += ["or not at all"] if expected.optional else []
    return "    " + " ".join(filter(None, words)) + (f" ({', '.join(notes)})" if notes else "")


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _span(window: tuple[float, float]) -> str:
    return f"{shown(window[0])} – {shown(window[1])}"


def _list(rules: Path) -> int:
    print("make replay SCENARIO=name replays one of these through the rules; docs/replay.md says how to add one.\n")
    every = list(_loaded(rules))
    for name, scenario in every:
        if isinstance(scenario, Scenario):
            print(f"  {name:<22} {shown(scenario.lasts):<6} {scenario.description}")
            continue
        print(f"  {name:<22} FAULTY")
        for fault in str(scenario).splitlines():
            print(f"      {fault}")
    return 2 if any(isinstance(scenario, ScenarioError) for _, scenario in every) else 0


def _loaded(rules: Path) -> Iterator[tuple[str, Scenario | ScenarioError]]:
    """Every scenario, or what is wrong with it."""
    for name in names():
        try:
            yield name, load(FOLDER / f"{name}.yml", rules)
        except ScenarioError as error:
            yield name, error


def _all(rules: Path) -> int:
    """Replay every scenario, one a processor, those with most to do first."""
    loaded = [scenario for _, scenario in _loaded(rules)]
    every = sorted((s for s in loaded if isinstance(s, Scenario)), key=lambda s: -s.lasts / s.step)
    faulty = [error for error in loaded if isinstance(error, ScenarioError)]
    print("".join(f"{error}\n" for error in faulty), end="", flush=True)
    faults = len(faulty)
    paths = [FOLDER / f"{scenario.name}.yml" for scenario in every]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for future in as_completed([pool.submit(replay, path, rules, texts=False) for path in paths]):
            try:
                done = future.result()
            except (ScenarioError, RunError) as error:
                faults += 1
                print(error, flush=True)
                continue
            faults += bool(done.deviations)
            if done.deviations:
                print("\n".join(("", *lines(done), "")), flush=True)
            else:
                print(f"{done.scenario.name:<22} as expected: {_summary(done)} ({done.seconds:.0f} s)", flush=True)
    print(f"{_counted(len(loaded), 'scenario')}, {faults} with differences or faults")
    return 1 if faults else 0


def _summary(done: Replay) -> str:
    names = dict.fromkeys(f.get("alertname") for f in done.firings if f.get("alertname") != "Watchdog")
    return ", ".join(names) or "nothing fires"


def main(arguments: Sequence[str] | None = None) -> int:
    """The program; 0 where all is as expected, 1 where it isn't, 2 where a scenario can't be replayed."""
    parser = argparse.ArgumentParser(prog="python -m tests.replay", description=__doc__)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help="a name, or the path of a file")
    parser.add_argument("--all", action="store_true", help="replay every scenario")
    parser.add_argument("--rules", type=Path, default=RULES, help="the folder of rule files")
    options = parser.parse_args(arguments)
    try:
        if options.all:
            return _all(options.rules)
        if not options.scenarios:
            return _list(options.rules)
        faults = 0
        for name in options.scenarios:
            path = Path(name) if name.endswith(".yml") else FOLDER / f"{name}.yml"
            done = replay(path, options.rules, texts=True)
            print("\n".join(lines(done)))
            faults += bool(done.deviations)
        return 1 if faults else 0
    except (ScenarioError, RunError) as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
