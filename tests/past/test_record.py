"""Which rules the past is recorded by, and in which order."""

from __future__ import annotations

from pathlib import Path

import pytest

from past import record

RULES = Path(__file__).resolve().parents[2] / "prometheus/rules"


def test_every_series_has_rules_and_none_comes_before_what_it_reads() -> None:
    rules = record.rules(RULES)
    names = {rule.record for rule in rules}
    assert names >= set(record.RECORDED)
    assert (RULES / record.FILE).exists()
    done: set[str] = set()
    for layer in record._layers(rules):
        for rule in layer:
            assert rule.reads & names - {rule.record} <= done, rule.record
        done |= {rule.record for rule in layer}
    assert done == names


def test_what_is_read() -> None:
    rule = record.Rule("a:b", 'max by (bot) (last_over_time(bot:x:y[1h:5m])) - on (bot) trading_bot_z{a="b"} > 3', {})
    assert rule.reads >= {"bot:x:y", "trading_bot_z"}
    assert not any(name.startswith(("h:", "5m")) for name in rule.reads)


def test_rules_that_read_each_other_are_refused() -> None:
    with pytest.raises(RuntimeError, match=r"these rules read each other: a:a, b:b"):
        list(record._layers([record.Rule("a:a", "b:b", {}), record.Rule("b:b", "a:a", {})]))
