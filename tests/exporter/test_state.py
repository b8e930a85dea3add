"""Values that bots give, whatever they give, and the texts of faults."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.state import REASONS, SourceError
from exporter.values import currency, finite, label, seconds, values_in

NOW = 1795255243


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


def test_no_trade_is_that_old() -> None:
    assert (seconds(946_684_799), seconds(946_684_800)) == (None, 946_684_800)
    assert seconds(0.001) is None


@pytest.mark.parametrize("value", ["", "A" * 13, "USD T", "USDT\n", "€", "<i>", "{{x}}", 5, None])
def test_what_is_no_currency(value: object) -> None:
    assert currency(value) is None


def test_currencies() -> None:
    assert [currency(value) for value in ("USDT", "eur", "1INCH", "A" * 12)] == ["USDT", "eur", "1INCH", "A" * 12]


@pytest.mark.parametrize("value", [1.01e15, -1.01e15, 1.7e308, -1.7e308])
def test_no_money_is_that_much(value: float) -> None:
    assert finite(value) is None


def test_values_are_counted_without_parsing() -> None:
    assert values_in(b'{"a": [1, 2, {"b": 3}], "c": []}') == 7
