"""The state document: what is accepted, and the sentence for everything that isn't."""

from __future__ import annotations

import contextlib
import json
import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from exporter.state import REASONS, STATUSES, SourceError, json_schema, parse_document, unknown_keys
from exporter.values import currency, finite, label, seconds, values_in

NOW = 1795255243


def parse(**keys: Any) -> Any:
    return parse_document(json.dumps({"timestamp": NOW} | keys))


def faults(text: str | bytes) -> dict[str, str]:
    with pytest.raises(ValidationError) as caught:
        parse_document(text)
    return {".".join(map(str, e["loc"])): e["msg"] for e in caught.value.errors()}


def test_the_least_document() -> None:
    document = parse()
    assert document.timestamp == NOW
    assert (document.trades, document.positions, document.equity) == (None, None, None)
    assert all(value is None for _, value in document.trading)


@pytest.mark.parametrize(
    "text", ["2026-11-21T10:00:43Z", "2026-11-21T11:00:43+01:00", "2026-11-21 10:00:43.000+00:00", "20261121T100043Z"]
)
def test_times_as_text(text: str) -> None:
    assert parse(timestamp=text).timestamp == NOW


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("2026-11-21T10:00:43", "has no time zone"),
        ("2026-11-21", "has no time zone"),
        ("yesterday", "must be Unix seconds or ISO 8601 with a time zone"),
        ("", "must be Unix seconds"),
        (NOW * 1000, "looks like milliseconds"),
        (10**400, "looks like milliseconds"),
        (0, "must be Unix seconds"),
        (946_684_799, "is before the year 2000"),
        ("0002-01-01T00:00:00Z", "is before the year 2000"),
        ("9999-12-31T00:00:00Z", "must be Unix seconds"),
        (-5, "must be Unix seconds"),
        (None, "must be Unix seconds"),
        (True, "must be Unix seconds"),
        ([NOW], "must be Unix seconds"),
        (math.nan, "must be Unix seconds"),
        (math.inf, "looks like milliseconds"),
    ],
)
def test_times_that_are_none(value: object, words: str) -> None:
    assert words in faults(json.dumps({"timestamp": value}))["timestamp"]


def test_every_fault_with_its_path() -> None:
    found = faults(
        json.dumps(
            {
                "bot": {"status": "asleep", "mode": "paper", "name": "x" * 10_000, "uptime": -1},
                "trading": {"total_trades": -1, "winning_trades": 1.5, "win_rate": 50, "profit_loss": "12"},
                "trades": [{"id": 1, "closed_at": NOW, "profit": None}, *[{"id": -1}] * 1000],
                "positions": [{"pair": "A", "side": "up"}],
                "equity": [{"time": NOW}],
            }
        )
    )
    assert set(found) == {
        *("timestamp", "bot.status", "bot.mode", "bot.name", "bot.uptime"),
        *("trading.total_trades", "trading.winning_trades", "trading.win_rate", "trading.profit_loss"),
        *("trades.0.profit", "positions.0.side", "equity.0.value"),  # of a list the first
    }
    assert found["trading.win_rate"] == "Input should be less than or equal to 1"


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999"])
@pytest.mark.parametrize("key", ["profit_loss", "win_rate", "max_exposure", "best_trade"])
def test_numbers_that_are_none(key: str, value: str) -> None:
    assert f"trading.{key}" in faults(f'{{"timestamp": {NOW}, "trading": {{"{key}": {value}}}}}')


def test_counts_that_a_float_cannot_tell_apart() -> None:
    assert parse(trading={"total_trades": 2**53}).trading.total_trades == 2**53
    assert "trading.total_trades" in faults(json.dumps({"timestamp": NOW, "trading": {"total_trades": 10**400}}))


@pytest.mark.parametrize(
    "text", ["", "{", "null", "[]", "5", '{"timestamp": 1795255243', b"\xff\xfe", '{"timestamp": 1795255243}x']
)
def test_what_is_no_document(text: str | bytes) -> None:
    assert faults(text)


@pytest.mark.parametrize("opening", ["[", '{"a":', '{"timestamp": 1795255243, "x": ['])
def test_deep_nesting(opening: str) -> None:
    assert "recursion" in str(faults(opening * 100_000)) or "EOF" in str(faults(opening * 100_000))


def test_total_pnl_is_profit_loss() -> None:
    assert parse(trading={"total_pnl": -5}).trading.profit_loss == -5


def test_identities_may_be_numbers_or_text() -> None:
    rows = [{"id": 1, "closed_at": NOW, "profit": 1}, {"id": "1", "closed_at": NOW, "profit": 2.5}]
    trades = parse(trades=rows).closed_trades()
    assert [t.id for t in trades] == [1, "1"]
    assert [t.profit for t in trades] == [1, 2.5]


def test_unknown_keys() -> None:
    document = {"timestamp": 1, "extra": {}, "bot": {"nmae": "x"}, "trading": {"total_pnl": 1, "proft": 2}, "model": []}
    assert list(unknown_keys(document)) == ["extra", "bot.nmae", "trading.proft", "model"]
    assert list(unknown_keys({"bot": 5})) == []


def test_the_latest_time_of_a_document() -> None:
    assert parse().latest_time() == ("timestamp", NOW)
    assert parse(bot={"last_activity": NOW + 5}).latest_time() == ("bot.last_activity", NOW + 5)
    rows = [{"id": 1, "closed_at": NOW + 1, "profit": 1}, {"id": 2, "closed_at": NOW + 9, "profit": 1}]
    assert parse(trades=rows, equity=[{"time": NOW + 3, "value": 1}]).latest_time() == ("trades.1.closed_at", NOW + 9)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=5), lambda s: st.lists(s, max_size=3)))
def test_any_json_is_a_document_or_refused(value: object) -> None:
    for key in ("timestamp", "bot", "trading", "trades", "positions", "equity"):
        with contextlib.suppress(ValidationError):
            parse(**{key: value})


def test_the_schema() -> None:
    schema = json_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["required"] == ["timestamp"]
    assert set(schema["properties"]) == {"timestamp", "bot", "trading", "trades", "positions", "equity"}
    assert schema["$defs"]["Bot"]["properties"]["status"]["anyOf"][0]["enum"] == list(STATUSES)
    json.dumps(schema)


def test_reasons_can_be_label_values() -> None:
    assert all(re.fullmatch("[a-z_]+", reason) for reason in REASONS)


@pytest.mark.parametrize("value", [None, "5", True, [], {}, math.nan, math.inf, -math.inf, 10**400])
def test_what_is_no_number(value: object) -> None:
    assert finite(value) is None
    assert seconds(value) is None


def test_numbers_and_times() -> None:
    assert (finite(5), finite(-0.5), finite(0)) == (5.0, -0.5, 0.0)
    assert (seconds(NOW), seconds(NOW * 1000, 1000)) == (NOW, NOW)
    assert (seconds(NOW * 1000), seconds(0), seconds(-1)) == (None, None, None)


@given(st.text(alphabet=st.characters(codec=None), max_size=300))
def test_a_label_can_be_encoded(text: str) -> None:
    value = label(text)
    if text:
        assert value is not None
        assert 0 < len(value) <= 200
        value.encode()


@pytest.mark.parametrize("value", [None, "", 5, ["a"]])
def test_what_is_no_label(value: object) -> None:
    assert label(value) is None


@given(st.text(alphabet=st.characters(codec=None), max_size=400))
def test_a_fault_s_text_is_one_printable_line(text: str) -> None:
    shown = str(SourceError("invalid", text))
    assert shown.isprintable()
    assert len(shown) <= 300
    assert str(SourceError("invalid", shown)) == shown
    if text.isprintable() and len(text) <= 300:
        assert shown == text


def test_a_fault_s_text_is_escaped_and_cut() -> None:
    assert str(SourceError("invalid", "a\x1b[31m\n\u202eb 🤖")) == "a\\x1b[31m\\n\\u202eb 🤖"
    assert str(SourceError("invalid", "x" * 10_000)) == "x" * 299 + "…"


@pytest.mark.parametrize("value", [1.01e15, -1.01e15, 1.7e308, -1.7e308])
def test_no_money_is_that_much(value: float) -> None:
    assert finite(value) is None
    documents: dict[str, dict[str, Any]] = {
        "trading.profit_loss": {"trading": {"profit_loss": value}},
        "trading.initial_capital": {"trading": {"initial_capital": value}},
        "trades.0.profit": {"trades": [{"id": 1, "closed_at": NOW, "profit": value}]},
        "positions.0.profit": {"positions": [{"pair": "A", "profit": value}]},
        "equity.0.value": {"equity": [{"time": NOW, "value": value}]},
    }
    for path, document in documents.items():
        assert set(faults(json.dumps({"timestamp": NOW} | document))) == {path}


def test_no_trade_is_that_old() -> None:
    assert (seconds(946_684_799), seconds(946_684_800)) == (None, 946_684_800)
    assert seconds(0.001) is None


@pytest.mark.parametrize(("key", "most"), [("trades", 20_000), ("positions", 1000), ("equity", 20_000)])
def test_how_long_a_list_may_be(key: str, most: int) -> None:
    row = {"id": 1, "closed_at": NOW, "profit": 1, "pair": "A", "time": NOW, "value": 1}
    assert len(getattr(parse(**{key: [row] * most}), key)) == most
    assert f"at most {most} items" in faults(json.dumps({"timestamp": NOW, key: [row] * (most + 1)}))[key]


@pytest.mark.parametrize("value", ["USDT", "eur", "1INCH", "A" * 12])
def test_currencies(value: str) -> None:
    assert parse(bot={"currency": value}).bot.currency == value
    assert currency(value) == value


@pytest.mark.parametrize(
    "value", ["", "A" * 13, "USD T", "USDT\n", "€", "<i>", "USDT. Log in: https://x/", "{{x}}", 5, None]
)
def test_what_is_no_currency(value: object) -> None:
    assert currency(value) is None
    if value is not None:
        assert "bot.currency" in faults(json.dumps({"timestamp": NOW, "bot": {"currency": value}}))


def test_values_are_counted_without_parsing() -> None:
    assert values_in(b'{"a": [1, 2, {"b": 3}], "c": []}') == 7
