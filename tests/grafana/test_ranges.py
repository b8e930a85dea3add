"""What charts over weeks read: nothing of each bot that is read or recorded more often than once a minute."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from grafana import promql
from tests.grafana.dashboards import FILES, VALUES, load, panels, substituted
from tests.grafana.evaluate import GROUPS, RULES
from tests.rules.promql import names, parse, walk
from tests.rules.series import OF_EACH, configuration, emitted, groups, jobs, known

LEAST = 60
# Windows of instant queries up to this long are the look-back of a value of now.
SHORT = 3600
UNITS = {"s": 1, "m": 60, "h": 3600}
# What is read more often, and why it may be.
ALLOWED = {
    "bot:threshold": "one limit of each bot, every 30 s, and nearly always the same value, which takes two bits",
    "alert:firing_since:timestamp_seconds": "there only while something fires",
    "trading_bot_acknowledged_timestamp_seconds": "there only while something acknowledged fires",
}


def _seconds(text: str) -> int:
    return int(text[:-1]) * UNITS[text[-1]]


def _recorded() -> dict[str, int]:
    """How often each recorded series has a value."""
    usual = configuration()["global"]["evaluation_interval"]
    return {
        rule["record"]: _seconds(group.interval or usual)
        for group in groups()
        for rule in group.rules
        if "record" in rule
    }


def _jobs_of(selector: Any, name: str) -> list[dict[str, Any]]:
    """The jobs whose series a selector can give."""
    matchers = [matcher for matcher in selector.matchers.matchers if matcher.name == "job"]
    wanted = set(jobs()) if name in OF_EACH else set(emitted()[name]["job"] or ())
    for matcher in matchers:
        wanted = {job for job in wanted if re.fullmatch(matcher.value, job)}
    return [jobs()[job] for job in wanted]


def _too_often(selector: Any) -> Iterator[str]:
    """Of which series of each bot a selector reads more than one value a minute."""
    for pattern in names(selector):
        for name in (name for name in known() if re.fullmatch(pattern, name)):
            if name in _recorded():
                often = "bot" in known()[name] and _recorded()[name] < LEAST
            elif name in emitted():
                often = any(
                    _seconds(job["scrape_interval"]) < LEAST and ("http_sd_configs" in job or "bot" in known()[name])
                    for job in _jobs_of(selector, name)
                )
            else:
                often = True
            if often and name not in ALLOWED:
                yield name


def _over_ranges(expression: str, instant: bool) -> Iterator[Any]:
    """The selectors that are read over the time shown, or over hours."""
    for node in walk(parse(substituted(expression))):
        if isinstance(node, promql_parser.VectorSelector) and not instant:
            yield node
        ranged = isinstance(node, promql_parser.MatrixSelector | promql_parser.SubqueryExpr)
        if ranged and node.range.total_seconds() > SHORT:
            yield from (each for each in walk(node) if isinstance(each, promql_parser.VectorSelector))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_no_chart_reads_more_than_a_value_a_minute_of_each_bot(file: Path) -> None:
    assert _seconds(VALUES["__range"]) > SHORT
    wrong = {
        (panel["title"], name)
        for panel in panels(load(file))
        for target in panel["targets"]
        for selector in _over_ranges(target["expr"], target.get("instant", False))
        for name in _too_often(selector)
    }
    assert not wrong


def test_what_is_read_too_often_is_told() -> None:
    for expression, instant, told in (
        ('sum(trading_bot_info{bot=~"$bot"})', False, {"trading_bot_info"}),
        ('sum(trading_bot_info{bot=~"$bot"})', True, set()),
        ('max_over_time(trading_bot_state{bot=~"$bot"}[$__range])', True, {"trading_bot_state"}),
        ("max by (job) (scrape_duration_seconds)", False, {"scrape_duration_seconds"}),
        ('min by (job) (up{job=~"exporter|prometheus"})', False, set()),
        ('bot:last_alive:timestamp_seconds{bot=~"$bot"}', False, {"bot:last_alive:timestamp_seconds"}),
        ('bot:status:code{bot=~"$bot"}', False, set()),
    ):
        assert {name for each in _over_ranges(expression, instant) for name in _too_often(each)} == told, expression


def test_the_status_over_time_is_that_of_now() -> None:
    """The rule and the tables' query are one expression."""
    (rule,) = (rule for rule in RULES if rule["record"] == "bot:status:code")
    of_all = promql.status().replace(promql.BOT, "")
    of_now = re.sub(r",}", "}", re.sub(r"{}", "", of_all.replace("{,", "{")))
    # A host's limits are no bot's.
    of_bots = of_now.replace("bot:threshold", 'bot:threshold{bot!=""}')
    assert parse(of_bots).prettify() == parse(rule["expr"]).prettify()


def test_each_recorded_series_is_drawn_or_made_into_one_that_is() -> None:
    rules = "\n".join(rule["expr"] for rule in RULES)
    drawn = rules + "\n".join(yaml.safe_dump(load(file), width=10**6) for file in FILES)
    assert not [rule["record"] for rule in RULES if rule["record"] not in drawn]


def test_no_alert_asks_for_what_is_drawn() -> None:
    """Its file is left out where rules are replayed."""
    records = {rule["record"] for rule in RULES}
    others = [rule for group in groups() if group.name not in {each["name"] for each in GROUPS} for rule in group.rules]
    assert len(others) > 100
    assert not [rule for rule in others if any(record in rule["expr"] for record in records)]
