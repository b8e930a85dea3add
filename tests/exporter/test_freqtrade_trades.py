"""Following freqtrade's list of closed trades: complete or absent, never mixed, whatever happens between two pages."""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Callable
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.figures.history import History
from exporter.sources.freqtrade_trades import RESERVE, TradeReader, trade_of
from exporter.state import SourceError
from tests.exporter.freqtrade_server import recorded_trades
from tests.exporter.helpers import soon

UTC = ZoneInfo("UTC")
LONG = RESERVE + 60


class Trader:
    """A bot's closed trades as /trades lists them, with a hook before each page."""

    def __init__(self, trades: int = 0, cap: int = 500) -> None:
        self.rows: list[dict[str, Any]] = []
        self.cap = cap
        self.pages = 0
        self.before_page: Callable[[int], None] = lambda _: None
        self._ids = count(1)
        self._times = count(1_795_000_000_000, 60_000)
        for _ in range(trades):
            self.close()

    def close(self, trade_id: int | None = None, profit: float = 1.0) -> None:
        """A trade closes now."""
        self.rows.append(
            {
                "trade_id": next(self._ids) if trade_id is None else trade_id,
                "pair": "BTC/USDT",
                "close_timestamp": next(self._times),
                "profit_abs": profit,
            }
        )

    def fetch(self, limit: int, offset: int, _: float) -> dict[str, Any]:
        self.pages += 1
        self.before_page(self.pages)
        newest = sorted(self.rows, key=lambda row: row["close_timestamp"], reverse=True)
        return {
            "trades": newest[offset : offset + min(limit, self.cap)],
            "total_trades": len(newest),
        }

    def ids(self) -> set[int]:
        return {row["trade_id"] for row in self.rows}


def ids_of(history: History | None) -> set[int | str]:
    assert history is not None
    return set(history._ids._ids)  # of whole numbers, themselves


def reader_of(trader: Trader) -> TradeReader:
    return TradeReader(trader.fetch, UTC)


@pytest.mark.parametrize("cap", [1, 7, 50, 500])
@pytest.mark.parametrize("size", [0, 1, 50, 501])
def test_any_page_size(cap: int, size: int) -> None:
    trader = Trader(size, cap)
    reader = reader_of(trader)
    assert ids_of(reader.read(soon(LONG))) == trader.ids()
    assert reader.complete


def test_afterwards_one_short_page(monkeypatch: pytest.MonkeyPatch) -> None:
    trader = Trader(1200)
    reader = reader_of(trader)
    reader.read(soon(LONG))
    asked: list[tuple[int, int]] = []
    fetch = trader.fetch

    def counting(limit: int, offset: int, deadline: float) -> dict[str, Any]:
        asked.append((limit, offset))
        return fetch(limit, offset, deadline)

    monkeypatch.setattr(reader, "_fetch", counting)
    for new in (0, 1, 49):
        for _ in range(new):
            trader.close()
        assert ids_of(reader.read(soon(LONG))) == trader.ids()
    assert asked == [(50, 0)] * 3
    for _ in range(120):
        trader.close()
    assert ids_of(reader.read(soon(LONG))) == trader.ids()
    assert asked[3:] == [(50, 0), (50, 49), (50, 98)]


@pytest.mark.parametrize("cap", [1, 7, 50])
def test_trades_that_close_between_pages(cap: int) -> None:
    """Each page pushes the older ones on by one or three: none is missed, none counted twice, none read anew."""
    for burst in (1, 3):
        trader = Trader(120, cap)
        reader = reader_of(trader)

        def close_some(page: int, trader: Trader = trader, burst: int = burst) -> None:
            for _ in range(burst if page % 2 == 0 else 0):
                trader.close()

        trader.before_page = close_some
        if cap > burst:
            assert ids_of(reader.read(soon(LONG))) == trader.ids()
        trader.before_page = lambda _: None
        heal(reader, trader)


def test_a_trade_that_closes_while_the_new_ones_are_paged() -> None:
    trader = Trader(100, cap=2)
    reader = reader_of(trader)
    reader.read(soon(LONG))
    for _ in range(6):
        trader.close()
    trader.pages = 0
    trader.before_page = lambda page: trader.close() if page == 2 else None
    assert ids_of(reader.read(soon(LONG))) == trader.ids()
    assert trader.pages < 10, "all was read anew"


def test_a_trade_with_a_lower_id_closes_later() -> None:
    trader = Trader(100)
    reader = reader_of(trader)
    trader.rows = [row for row in trader.rows if row["trade_id"] != 7]
    assert 7 not in ids_of(reader.read(soon(LONG)))
    trader.close(trade_id=7)
    assert ids_of(reader.read(soon(LONG))) == trader.ids()
    assert 7 in trader.ids()


def heal(reader: TradeReader, trader: Trader, scrapes: int = 2) -> None:
    """The reader gives nothing until it gives what is."""
    for _ in range(scrapes):
        history = reader.read(soon(LONG))
        if history is not None:
            assert ids_of(history) == trader.ids()
            return
        assert not reader.complete
    pytest.fail("it did not heal")


def read_once(trades: int = 100) -> tuple[Trader, TradeReader]:
    trader = Trader(trades)
    reader = reader_of(trader)
    reader.read(soon(LONG))
    return trader, reader


@pytest.mark.parametrize("index", [0, 50, 99])
@pytest.mark.parametrize("closed_since", [0, 1, 60])
def test_a_deleted_trade(index: int, closed_since: int) -> None:
    trader, reader = read_once()
    del trader.rows[index]
    for _ in range(closed_since):
        trader.close()
    heal(reader, trader)


@pytest.mark.parametrize("index", [700, 1400, 1699])
def test_a_trade_deleted_while_the_first_reading_goes_on(index: int) -> None:
    """Those below it move up by one, past the next page: one missed and one too many would make the right number."""
    trader = Trader(1700)
    reader = reader_of(trader)
    assert [reader.read(soon(RESERVE - 1)) for _ in range(2)] == [None, None]
    del trader.rows[index]
    heal(reader, trader, 3)


def test_a_backup_put_back_while_the_first_reading_goes_on() -> None:
    """It lacks one trade that was read and one that wasn't: one missed for one too many, and the number is right."""
    trader = Trader(20, cap=4)
    backup = list(trader.rows)
    reader = reader_of(trader)

    def happen(page: int) -> None:
        if page in (1, 2):
            trader.close()
        if page == 3:
            trader.rows = backup

    trader.before_page = happen
    heal(reader, trader)


def test_an_empty_database() -> None:
    trader, reader = read_once()
    trader.rows = []
    heal(reader, trader)
    trader.close()
    heal(reader, trader, 1)


@pytest.mark.parametrize("size", [1, 99, 100, 101, 700])
def test_another_database(size: int) -> None:
    """The same ids, other trades: never mixed with those of before."""
    trader, reader = read_once()
    other = Trader(size)
    for row in other.rows:
        row["close_timestamp"] += 7
        row["profit_abs"] = -5.0
    trader.rows = other.rows
    heal(reader, trader)
    history = reader.read(soon(LONG))
    assert history is not None
    assert history.summary(1.8e9, None).wins == 0


def test_another_database_while_the_first_is_still_paged() -> None:
    trader = Trader(3000)
    reader = reader_of(trader)
    assert reader.read(soon(RESERVE - 1)) is None
    trader.rows = [row | {"profit_abs": -5.0} for row in Trader(2800).rows]
    for _ in range(3):
        if history := reader.read(soon(LONG)):
            break
    assert history
    assert history.summary(1.8e9, None).losses == 2800


def test_a_profit_corrected_later_is_read_anew() -> None:
    trader, reader = read_once()
    trader.rows[-1]["profit_abs"] = 0.5
    heal(reader, trader)
    history = reader.read(soon(LONG))
    assert history is not None
    assert history.summary(1.8e9, None).profit == 99.5


def test_longer_than_a_scrape() -> None:
    """A scrape whose time is short reads one page and leaves the rest to the next ones."""
    trader = Trader(1700)
    reader = reader_of(trader)
    seen = []
    for _ in range(4):
        seen.append(reader.read(soon(RESERVE - 1)) is not None)
        trader.close()
    assert seen == [False, False, False, True]
    assert ids_of(reader.read(soon(LONG))) == trader.ids()


def test_a_page_that_fails_keeps_those_before() -> None:
    trader = Trader(1700)
    reader = reader_of(trader)

    def fail(page: int) -> None:
        if page == 3:
            raise SourceError("http_status", "HTTP 500")

    trader.before_page = fail
    with pytest.raises(SourceError):
        reader.read(soon(LONG))
    assert reader.read(soon(LONG)) is not None
    assert trader.pages == 6  # two, the one that failed, two, and the front


def test_a_failure_amid_new_trades_heals() -> None:
    trader, reader = read_once()
    for _ in range(130):
        trader.close()
    failing = trader.pages + 2

    def fail(page: int) -> None:
        if page == failing:
            raise SourceError("timeout", "no answer")

    trader.before_page = fail
    with pytest.raises(SourceError):
        reader.read(soon(LONG))
    heal(reader, trader)


Event = tuple[str, int]
EVENTS = st.lists(st.tuples(st.sampled_from(["close", "late id"]), st.integers(1, 9)), max_size=12)


@given(st.integers(0, 60), st.sampled_from([4, 7, 50]), st.lists(EVENTS, max_size=4))
def test_what_is_returned_is_what_there_is(size: int, cap: int, scrapes: list[list[Event]]) -> None:
    """Trades close at random pages: a history that is returned is the bot's, to the last trade."""
    trader = Trader(size, cap)
    reader = reader_of(trader)
    lower = count(-1, -1)
    for events in [*scrapes, []]:
        at = {trader.pages + page: kind for kind, page in events}

        def happen(page: int, at: dict[int, str] = at) -> None:
            if page in at:
                trader.close(next(lower) if at[page] == "late id" else None)

        trader.before_page = happen
        history = reader.read(soon(LONG))
        if history is not None:
            assert ids_of(history) == trader.ids()
    trader.before_page = lambda _: None
    heal(reader, trader)


@given(
    st.sampled_from(["delete", "empty", "restore", "other"]),
    st.integers(1, 30),
    st.integers(0, 100),
    st.sets(st.integers(1, 30), max_size=8),
)
def test_it_heals_whenever_the_history_changes(kind: str, page: int, which: int, closings: set[int]) -> None:
    """Once, before any page, what was is no longer true; trades go on closing."""
    trader = Trader(20, cap=4)
    backup = copy.deepcopy(trader.rows)
    reader = reader_of(trader)

    def happen(now: int) -> None:
        if now in closings:
            trader.close()
        if now != page:
            return
        if kind == "delete":
            del trader.rows[which % len(trader.rows)]
        elif kind == "empty":
            trader.rows.clear()
        elif kind == "restore":
            trader.rows[:] = copy.deepcopy(backup)
        else:
            trader.rows[:] = [row | {"profit_abs": -3.0} for row in backup]

    trader.before_page = happen
    while trader.pages < 30:
        reader.read(soon(LONG))
    heal(reader, trader, 3)


def test_a_recorded_trade() -> None:
    row = recorded_trades()[0]
    trade = trade_of(row)
    assert (trade.id, trade.pair, trade.size) == (1, "BTC/USDT", 59.8604405)
    assert (trade.opened_at, trade.closed_at) == (1795253316.888, 1795253711.031)
    assert (trade.profit, trade.profit_ratio) == (-0.143077, -0.0023877884081736074)
    assert trade.fees == pytest.approx(row["fee_open_cost"] + row["fee_close_cost"])


def test_fees_that_are_not_known_are_absent() -> None:
    assert trade_of(recorded_trades()[0] | {"fee_close": None}).fees is None


@pytest.mark.parametrize("key", ["trade_id", "close_timestamp", "profit_abs", "pair"])
@pytest.mark.parametrize("value", ["missing", None, float("nan"), 1e300, -1, []])
def test_rows_that_are_no_closed_trade(key: str, value: object) -> None:
    trader = Trader(2)
    if value == "missing":
        del trader.rows[0][key]
    else:
        trader.rows[0][key] = value
    try:
        history = TradeReader(lambda *_: {"trades": trader.rows, "total_trades": 2}, UTC).read(soon(LONG))
    except SourceError as error:
        assert error.reason == "invalid"
        assert "not the list of trades that freqtrade's API gives" in str(error)
    else:
        assert history is not None
        history.summary(1.8e9, 100.0)


@pytest.mark.parametrize("total", ["x", None, {}])
def test_a_total_that_is_none(total: object) -> None:
    reader = TradeReader(lambda *_: {"trades": [], "total_trades": total}, UTC)
    with pytest.raises(SourceError, match="not the list of trades"):
        reader.read(soon(LONG))


def fault(reader: TradeReader) -> str:
    with pytest.raises(SourceError) as caught:
        reader.read(soon(LONG))
    assert caught.value.reason == "invalid"
    return str(caught.value)


def test_more_trades_on_a_page_than_asked_for() -> None:
    trader = Trader(600, cap=600)
    generous = TradeReader(lambda limit, offset, deadline: trader.fetch(limit + 1, offset, deadline), UTC)
    assert "501 trades where 500 were asked for" in fault(generous)


def test_too_many_trades_to_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exporter.sources.freqtrade_trades.MOST_TRADES", 1000)
    trader = Trader(1001)
    reader = reader_of(trader)
    for _ in range(2):
        assert fault(reader) == "/trades: more than 1000 closed trades, too many to follow; give the bot a new database"
    assert trader.pages == 2
    trader.rows.pop()
    assert ids_of(reader.read(soon(LONG))) == trader.ids()
    trader.close()
    assert "more than 1000" in fault(reader)


@pytest.mark.parametrize("total", [10, 999, 10**12])
def test_a_list_that_never_ends(monkeypatch: pytest.MonkeyPatch, total: int) -> None:
    """Always new trades, whatever the offset: what is kept of them stays bounded."""
    monkeypatch.setattr("exporter.sources.freqtrade_trades.MOST_TRADES", 1000)
    ids = count(1)

    def fetch(limit: int, _offset: int, _deadline: float) -> dict[str, Any]:
        trades = [
            {"trade_id": n, "pair": "A", "close_timestamp": 1_795_000_000_000 + n, "profit_abs": 1}
            for n in (next(ids) for _ in range(limit))
        ]
        return {"trades": trades, "total_trades": total}

    reader = TradeReader(fetch, UTC)
    for _ in range(20):
        with contextlib.suppress(SourceError):
            assert reader.read(soon(LONG)) is None
        assert len(reader._history) <= 1500


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan, "x", None, [], 10**400])
@pytest.mark.parametrize("key", ["total_trades", "trade_id"])
def test_numbers_of_a_page_that_are_none(key: str, number: object) -> None:
    page = Trader(1).fetch(500, 0, 0)
    (page if key == "total_trades" else page["trades"][0])[key] = number
    if key == "trade_id" and number == 10**400:
        return  # an odd name, but one
    assert "/trades: " in fault(TradeReader(lambda *_: page, UTC))
