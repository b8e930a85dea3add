"""Ratios and risk figures: known values, edge cases, and against naive formulas on random results."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from exporter.figures.statistics import (
    annual_growth,
    calmar_ratio,
    daily_returns,
    drawdown,
    expected_shortfall,
    sharpe_ratio,
    sortino_ratio,
    value_at_risk,
)

_returns = st.lists(st.floats(-0.2, 0.2).map(lambda r: round(r, 6)), min_size=2, max_size=60)
_results = st.lists(st.floats(-1000, 1000), min_size=1, max_size=80)


def test_daily_returns_are_of_the_capital_of_the_day() -> None:
    assert daily_returns([10, -11, 0], 100) == pytest.approx([0.1, -0.1, 0])
    assert daily_returns([], 100) == []
    assert daily_returns([5], 0) is None
    assert daily_returns([-100, 5], 100) is None
    assert daily_returns([5, -105], 100) == pytest.approx([0.05, -1])


@given(_returns)
def test_sharpe_against_its_formula(returns: list[float]) -> None:
    mean = math.fsum(returns) / len(returns)
    deviation = math.sqrt(math.fsum((r - mean) ** 2 for r in returns) / (len(returns) - 1))
    assume(deviation > 1e-9)
    assert sharpe_ratio(returns) == pytest.approx(mean / deviation * math.sqrt(365), rel=1e-9, abs=1e-9)


@given(_returns)
def test_sortino_against_its_formula(returns: list[float]) -> None:
    below = math.sqrt(math.fsum(min(r, 0) ** 2 for r in returns) / len(returns))
    expected = None if below == 0 else math.fsum(returns) / len(returns) / below * math.sqrt(365)
    assert sortino_ratio(returns) == (None if expected is None else pytest.approx(expected, rel=1e-9, abs=1e-9))


@pytest.mark.parametrize("returns", [[], [0.1], [0.1, 0.1, 0.1], [0.0] * 30])
def test_no_sharpe_without_deviation(returns: list[float]) -> None:
    assert sharpe_ratio(returns) is None


@pytest.mark.parametrize("returns", [[], [-0.1], [0.1, 0.0], [0.0] * 30])
def test_no_sortino_without_a_loss(returns: list[float]) -> None:
    assert sortino_ratio(returns) is None


def test_equal_but_for_rounding_is_no_deviation() -> None:
    returns = [101 / 100 - 1, 102.01 / 101 - 1, 0.01]
    assert len(set(returns)) > 1
    assert sharpe_ratio(returns) is None


def test_growth_and_calmar() -> None:
    returns = [0.01, -0.02, 0.03]
    growth = annual_growth(returns)
    assert growth == pytest.approx((1.01 * 0.98 * 1.03) ** (365 / 3) - 1)
    assert calmar_ratio(growth, 0.02) == pytest.approx(growth / 0.02)
    assert annual_growth([0.0] * 365) == 0
    assert calmar_ratio(0.0, 0.5) == 0
    # Small growth keeps its digits.
    assert annual_growth([1e-15] * 365) == pytest.approx(365e-15, rel=1e-9)


@pytest.mark.parametrize("returns", [[], [-1.0], [-1.5, 0.2], [1e9]])
def test_no_growth(returns: list[float]) -> None:
    assert annual_growth(returns) is None


@pytest.mark.parametrize(("growth", "fall"), [(None, 0.1), (0.1, 0.0), (0.1, None)])
def test_no_calmar(growth: float | None, fall: float | None) -> None:
    assert calmar_ratio(growth, fall) is None


def test_drawdown() -> None:
    assert (drawdown(75, 100), drawdown(100, 100), drawdown(120, 100)) == (0.25, 0, 0)
    assert (drawdown(-5, 100), drawdown(-5, 0), drawdown(-5, -5)) == (1, None, None)


def test_value_at_risk_interpolates() -> None:
    assert value_at_risk([-10, 0, 10], 0.95) == pytest.approx(9)
    assert value_at_risk(list(range(-50, 51)), 0.95) == pytest.approx(45)
    assert value_at_risk([3], 0.99) == -3
    assert value_at_risk([], 0.95) is None


def test_shortfall_is_of_the_worst_days() -> None:
    assert expected_shortfall([], 0.95) is None
    assert expected_shortfall([3], 0.99) == -3
    assert expected_shortfall([-20, -10, 5, 5], 0.5) == 15
    # Three bad days and many without a trade: the worst five of a hundred count, not all that are not above 0.
    assert expected_shortfall([-10.0] * 3 + [0.0] * 97, 0.95) == 6


@given(_results, st.sampled_from([0.5, 0.95, 0.99]))
def test_value_at_risk_and_shortfall_lie_where_they_must(results: list[float], confidence: float) -> None:
    results.sort()
    at_risk, shortfall = value_at_risk(results, confidence), expected_shortfall(results, confidence)
    assert at_risk is not None
    assert shortfall is not None
    tolerance = 1e-6
    assert -max(results) - tolerance <= at_risk <= -min(results) + tolerance
    assert at_risk - tolerance <= shortfall <= -min(results) + tolerance
    worse = sum(-r > at_risk + tolerance for r in results)
    assert worse <= len(results) * (1 - confidence) + 1


@given(_results)
def test_more_confidence_more_at_risk(results: list[float]) -> None:
    results.sort()
    less, more = value_at_risk(results, 0.95), value_at_risk(results, 0.99)
    assert less is not None
    assert more is not None
    assert more >= less - 1e-9
