"""Ratios and risk figures, held against empyrical and numpy on random results."""

from __future__ import annotations

import datetime as dt

import empyrical
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from exporter.figures.daily import Daily
from exporter.figures.statistics import (
    DAYS_A_YEAR,
    annual_growth,
    calmar_ratio,
    daily_returns,
    sharpe_ratio,
    sortino_ratio,
)
from tests.exporter.numbers import equal

TODAY = dt.date(2026, 11, 21)
# Many days without a trade, few with large results.
_return = st.just(0.0) | st.floats(-0.2, 0.2) | st.floats(-0.9, 3)
_returns = st.lists(_return, min_size=2, max_size=120)
_result = st.just(0.0) | st.floats(-1e6, 1e6) | st.floats(-50, 50).map(lambda x: round(x, 2))
_results = st.lists(_result, min_size=1, max_size=250)


@settings(max_examples=300)
@given(_returns)
def test_sharpe(returns: list[float]) -> None:
    deviation, largest = np.std(returns, ddof=1), np.max(np.abs(returns))
    assume(deviation == 0 or deviation > 1e-6 * largest)
    expected = empyrical.sharpe_ratio(np.array(returns), annualization=DAYS_A_YEAR)
    if np.isfinite(expected):
        assert sharpe_ratio(returns) == equal(expected, 20 * largest / deviation)
    else:
        assert sharpe_ratio(returns) is None


@settings(max_examples=300)
@given(_returns)
def test_sortino(returns: list[float]) -> None:
    # Squares of less are below what a float holds.
    assume(min(returns) >= 0 or min(returns) < -1e-100)
    downside = empyrical.downside_risk(np.array(returns), annualization=1)
    expected = empyrical.sortino_ratio(np.array(returns), annualization=DAYS_A_YEAR)
    if np.isfinite(expected):
        assert sortino_ratio(returns) == equal(expected, 20 * np.max(np.abs(returns)) / downside)
    else:
        assert sortino_ratio(returns) is None


@settings(max_examples=300)
@given(_returns)
def test_growth_and_calmar(returns: list[float]) -> None:
    fall = empyrical.max_drawdown(np.array(returns))
    expected = empyrical.annual_return(np.array(returns), annualization=DAYS_A_YEAR)
    got = annual_growth(returns)
    # It multiplies where we add logarithms, so of a small growth it has fewer digits.
    assert got == equal(expected, 100 * (1 + expected))
    # Roundings of its product can make it a drawdown where there is none.
    assume(fall == 0 or fall < -1e-6)
    expected = empyrical.calmar_ratio(np.array(returns), annualization=DAYS_A_YEAR)
    ratio = calmar_ratio(got, -fall)
    assert ratio == equal(None if np.isnan(expected) else expected, 1000 * (1 + (got or 0)) / -(fall or -1))


@settings(max_examples=300)
@given(_results)
def test_value_at_risk_and_expected_shortfall(results: list[float]) -> None:
    risk = Daily(TODAY, tuple(results)).risk
    largest = max(map(abs, results))
    array = np.array(results)
    # A loss is negative there, positive here.
    assert risk.var_95 == equal(-empyrical.value_at_risk(array, 0.05), 10 * largest)
    assert risk.var_99 == equal(-empyrical.value_at_risk(array, 0.01), 10 * largest)
    assert risk.var_95 == equal(-np.quantile(array, 0.05), 10 * largest)
    assert risk.expected_shortfall_95 == equal(-empyrical.conditional_value_at_risk(array, 0.05), 10 * largest)
    assert risk.expected_shortfall_99 == equal(-empyrical.conditional_value_at_risk(array, 0.01), 10 * largest)


@settings(max_examples=300)
@given(_results, st.floats(1, 1e7))
def test_returns_of_results_on_a_capital(results: list[float], capital: float) -> None:
    account = capital + np.cumsum([0.0, *results])
    returns = daily_returns(results, capital)
    if account[:-1].min() <= 0:
        assert returns is None
        return
    # Of next to nothing that is left, its rounding is a large part.
    assume(account[:-1].min() > 1e-3 * np.abs(account).max())
    assert returns is not None
    expected = empyrical.simple_returns(account)
    assert returns == pytest.approx(expected, rel=1e-9, abs=1e-11)
    growth = Daily(TODAY, tuple(results)).growth(capital)
    assert growth.annual_growth == annual_growth(returns)
    assert (growth.sharpe_ratio, growth.sortino_ratio) == (sharpe_ratio(returns), sortino_ratio(returns))
