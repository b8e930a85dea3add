"""Compares what fired with what a scenario expects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tests.replay.run import WITHOUT_INCIDENT, Firing
from tests.replay.scenario import Expected, Scenario
from tests.replay.spans import shown, times
from tests.replay.told import to_nobody, told

CALM = frozenset({"none", "info"})


def deviations(scenario: Scenario, firings: Sequence[Firing]) -> list[str]:
    """Sentences for all that is not as the scenario expects."""
    return [*_unexpected(scenario, firings), *_missing(scenario, firings)]


def _unexpected(scenario: Scenario, firings: Sequence[Firing]) -> Iterator[str]:
    for firing in firings:
        if firing.get("alertname") in WITHOUT_INCIDENT and firing.get("severity") in CALM:
            continue
        of_it = [expected for expected in scenario.fires if _is(expected, firing)]
        if not of_it:
            yield f"{named(firing)} fires at {shown(firing.begins)}, which the scenario doesn't expect."
            continue
        faults = [list(_faults(expected, firing, firings)) for expected in of_it]
        if all(faults):
            yield from min(faults, key=len)


def _missing(scenario: Scenario, firings: Sequence[Firing]) -> Iterator[str]:
    for expected in scenario.fires:
        of_it = [firing for firing in firings if _is(expected, firing)]
        if not of_it and not expected.optional:
            yield f"{_meant(expected)} doesn't fire; expected {_when(expected)}."
        elif of_it and expected.times not in (None, len(of_it)):
            at = ", ".join(shown(firing.begins) for firing in of_it[:10])
            yield f"{_meant(expected)} fires {times(len(of_it))} (at {at}); expected {times(expected.times or 1)}."


def _is(expected: Expected, firing: Firing) -> bool:
    wanted = {"alertname": expected.alert, "severity": expected.severity, **expected.labels}
    if expected.bot is not None:
        wanted["bot"] = expected.bot
    return all(firing.get(label) == value for label, value in wanted.items())


def _faults(expected: Expected, firing: Firing, firings: Sequence[Firing]) -> Iterator[str]:
    low, high = expected.window
    if not low <= firing.begins <= high:
        yield f"{named(firing)} fires at {shown(firing.begins)}; expected {_when(expected)}."
    end = "doesn't end" if firing.ends is None else f"ends at {shown(firing.ends)}"
    if expected.ends == "never" and firing.ends is not None:
        yield f"{named(firing)} {end}; expected to go on."
    elif isinstance(expected.ends, tuple):
        low, high = expected.ends
        if firing.ends is None or not low <= firing.ends <= high:
            yield f"{named(firing)} {end}; expected between {shown(low)} and {shown(high)}."
    is_told = told(firing, firings) is not None
    if not to_nobody(firing) and is_told != expected.told:
        message = "is told" if is_told else "is held back"
        yield f"{named(firing)} of {shown(firing.begins)} {message}; expected that it {_TOLD[expected.told]}."


_TOLD = {True: "is told", False: "is held back"}


def _when(expected: Expected) -> str:
    if expected.between is None:
        return f"after {shown(expected.after or 0)}"
    return f"between {shown(expected.between[0])} and {shown(expected.between[1])}"


def named(firing: Firing) -> str:
    """An alert in a sentence."""
    return _name(firing.get("alertname"), firing.get("severity"), firing.get("bot"), more(firing))


def more(firing: Firing) -> str:
    """The labels that tell alerts of one name apart."""
    usual = {"alertname", "severity", "bot", "condition"}
    return " ".join(f"{name}={value}" for name, value in sorted(firing.labels) if name not in usual)


def _meant(expected: Expected) -> str:
    labels = " ".join(f"{name}={value}" for name, value in sorted(expected.labels.items()))
    return _name(expected.alert, expected.severity, expected.bot or "", labels)


def _name(alert: str, severity: str, bot: str, labels: str) -> str:
    return f"{alert} ({', '.join(filter(None, (severity, bot, labels)))})"
