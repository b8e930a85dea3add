"""Runs samples through the rules with promtool, the real engine, and reads out what fired when.

promtool evaluates the rules step by step, then tests what is asked. It is asked at each step which alerts have begun or
ended, and expected to answer nothing: what did change is told as a failure, one a question, in its JUnit report.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as Xml

import yaml

from tests.binaries import binary
from tests.replay.load import rule_files
from tests.replay.series import Samples
from tests.replay.spans import seconds

EXTERNAL_LABELS = {"grafana_url": "http://localhost:3000", "responder_url": "http://localhost:8080"}
# They come without an incident, and need nobody.
WITHOUT_INCIDENT = frozenset({"Watchdog", "DailySummary", "WeeklySummary", "MilestoneReached"})
_FIRING = 'ALERTS{alertstate="firing"}'
_LABELS = re.compile(r'\{((?:\w+="(?:[^"\\]|\\.)*"(?:, )?)*)\}')
_LABEL = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*")')

Labels = frozenset[tuple[str, str]]


class RunError(Exception):
    """promtool could not run."""


@dataclass
class Firing:
    """An alert from its beginning to its end."""

    labels: Labels
    begins: float
    ends: float | None = None
    description: str = ""

    def get(self, label: str) -> str:
        """The value of a label, or nothing."""
        return dict(self.labels).get(label, "")


def fired(samples: Samples, lasts: int, step: int, rules: Path, texts: bool = True) -> list[Firing]:
    """What fires, in order; with `texts`, which takes another run, also what each alert says when it begins."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        changes = _changes(folder, samples, lasts, step, rules)
        # promtool's clock begins at 0, so that the mark of "it was so at first sight", which is 1, looks like just now.
        firings = [f for f in _paired(changes) if f.begins or f.get("alertname") != "MilestoneReached"]
        if texts:
            _describe(folder, samples, firings, step, rules)
    return firings


def _changes(folder: Path, samples: Samples, lasts: int, step: int, rules: Path) -> list[tuple[float, str, Labels]]:
    before = f"{_FIRING} offset {step}s"
    question = (
        f'label_replace({_FIRING} unless {before}, "change", "begins", "", "")'
        f' or label_replace({before} unless {_FIRING}, "change", "ends", "", "")'
    )
    tests = [f"- {{eval_time: {at}s, expr: *question, exp_samples: []}}" for at in range(0, lasts + 1, step)]
    head = ["promql_expr_test:", f"- {{eval_time: 0s, expr: &question {json.dumps(question)}, exp_samples: []}}"]
    changes = []
    for failure in _failures(folder, samples, step, rules, head + tests[1:]):
        at = seconds(_time(failure))
        _, _, got = failure.partition("\n        got: ")
        for found in _LABELS.finditer(got):
            labels = _labels(found[1])
            changes.append((float(at), labels.pop("change"), _own(labels)))
    return sorted(changes, key=lambda change: (change[0], change[1] != "ends"))


def _describe(folder: Path, samples: Samples, firings: list[Firing], step: int, rules: Path) -> None:
    """Fill in what each alert says when it begins."""
    begun = {(firing.labels, firing.begins): firing for firing in firings}
    asked = sorted({(firing.begins, firing.get("alertname")) for firing in firings})
    tests = ["alert_rule_test:"]
    tests += [f"- {{eval_time: {at:.0f}s, alertname: {name}, exp_alerts: []}}" for at, name in asked]
    if not asked:
        return
    for failure in _failures(folder, samples, step, rules, tests):
        at = seconds(_time(failure))
        for labels, texts in re.findall(r"Labels:\{(.*)\}\n\s*Annotations:\{(.*)\}", failure):
            found = begun.get((_own(_labels(labels)), at))
            if found is not None:
                found.description = _labels(texts).get("description", "")


def _paired(changes: Iterable[tuple[float, str, Labels]]) -> Iterator[Firing]:
    firing: dict[Labels, Firing] = {}
    every = []
    for at, change, labels in changes:
        if change == "begins":
            firing[labels] = Firing(labels, at)
            every.append(firing[labels])
        elif labels in firing:
            firing.pop(labels).ends = at
    return iter(every)


def _failures(folder: Path, samples: Samples, step: int, rules: Path, tests: list[str]) -> list[str]:
    """The texts of the tests that fail."""
    files = rule_files(rules)
    groups = [group["name"] for file in files for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]]
    groups.sort(key=lambda name: name != "thresholds")  # the first step is as all others are
    test, report = folder / "test.yml", folder / "report.xml"
    with test.open("w") as out:
        out.write(f"rule_files: {json.dumps([str(file.resolve()) for file in files])}\n")
        out.write(f"evaluation_interval: {step}s\ngroup_eval_order: {json.dumps(groups)}\ntests:\n")
        out.write(f"- interval: {samples.slot}s\n  external_labels: {json.dumps(EXTERNAL_LABELS)}\n  input_series:\n")
        for series, values in samples.notated():
            out.write(f"  - series: {json.dumps(series)}\n    values: {values}\n")
        out.writelines(f"  {line}\n" for line in tests)
    report.unlink(missing_ok=True)
    command = [binary("promtool"), "test", "rules", f"--junit={report}", str(test)]
    # Memory for time, up to a limit.
    environment = {"GOGC": "400", "GOMEMLIMIT": "1536MiB", **os.environ}
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if not report.exists():
        raise RunError(f"promtool: {result.stderr.strip() or result.stdout.strip()}")
    failures = [failure.text or "" for failure in Xml.parse(report).iter("failure")]  # noqa: S314 - promtool's own
    strange = [text for text in failures if not re.match(r"\s*(expr|alertname): ", text)]
    if strange or (result.returncode and not failures):
        raise RunError(f"promtool: {(strange or [result.stderr])[0].strip()[:2000]}")
    return failures


def _time(failure: str) -> str:
    match = re.search(r", time: (\w+),", failure)
    if match is None:
        raise RunError(f"promtool says what this program doesn't understand: {failure.strip()[:500]}")
    return match[1]


def _labels(text: str) -> dict[str, str]:
    """Labels as Go prints them."""
    return {name: json.loads(value) for name, value in _LABEL.findall(text)}


def _own(labels: dict[str, str]) -> Labels:
    return frozenset((k, v) for k, v in labels.items() if k not in ("__name__", "alertstate"))
