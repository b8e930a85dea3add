"""The demo bot: one story for each seed, whoever reads it and however often, and a believable one."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from exporter.bots import Bots
from exporter.figures.history import Summary
from exporter.figures.results import Limits, complete
from exporter.schema import StateDocument
from exporter.sources.demo import CAPITAL, DAY, PAIRS, STAKE, STOP, DemoSource
from exporter.state import REGIMES, TRENDS, BotState, Model, System, Trading
from tests.exporter.helpers import set_clock, soon

UTC = ZoneInfo("UTC")
SINCE = 1_795_000_123.0
START = SINCE + 30 * DAY  # when it is first looked at


def demo(seed: int = 7, since: float = SINCE) -> DemoSource:
    return DemoSource(seed, since, UTC)


def summary(state: BotState) -> Summary:
    assert state.trades is not None
    return state.trades


def results(seed: int = 7, now: float = START) -> Trading:
    return complete(demo(seed).state_at(now), Limits())


def test_the_same_seed_tells_the_same_story() -> None:
    assert demo().state_at(START) == demo().state_at(START)
    assert summary(demo(8).state_at(START)) != summary(demo().state_at(START))


@pytest.mark.parametrize("step", [60.0, 3_600.0, 7_000.0, DAY, 5 * DAY])
def test_read_often_or_seldom_gives_the_same_totals(step: float) -> None:
    end = START + (0.25 if step == 60 else 5) * DAY
    often = demo()
    now = START
    while now < end:
        often.state_at(now)
        now += step
    one, other = often.state_at(end), demo().state_at(end)
    assert (summary(one).count, summary(one).wins) == (summary(other).count, summary(other).wins)
    assert summary(one).profit == pytest.approx(summary(other).profit, abs=1e-6)
    assert summary(one).durations.counts == summary(other).durations.counts
    assert dict(complete(one, Limits())) == pytest.approx(dict(complete(other, Limits())))
    assert one.positions == other.positions


def test_counters_only_grow() -> None:
    source = demo()
    before = summary(source.state_at(START))
    for hour in range(1, 100):
        now = summary(source.state_at(START + hour * 3600))
        assert (now.wins >= before.wins, now.losses >= before.losses, now.draws >= before.draws) == (True, True, True)
        assert (now.fees or 0) >= (before.fees or 0)
        before = now


def test_a_position_becomes_a_trade() -> None:
    """What is open is closed later, and nothing closes that was not open (or opened) before."""
    source = demo()
    open_before = {p.pair for p in source.state_at(START).positions or ()}
    closed = summary(source.state_at(START)).count
    later = source.state_at(START + 8 * 3600)
    assert summary(later).count - closed >= len(open_before)


def test_the_history_begins_30_days_back() -> None:
    got = summary(demo().state_at(START))
    assert got.first_closed is not None
    assert got.last_closed is not None
    assert SINCE < got.first_closed < SINCE + 0.5 * DAY
    assert START - 0.5 * DAY < got.last_closed <= START


@pytest.mark.parametrize("seed", range(8))
def test_believable(seed: int) -> None:
    got = results(seed)
    assert got.total_trades is not None
    assert 300 < got.total_trades < 3000
    assert got.win_rate is not None
    assert 0.4 < got.win_rate < 0.7
    assert got.max_drawdown is not None
    assert 0.005 < got.max_drawdown < 0.5
    assert got.profit_loss is not None
    assert abs(got.profit_loss) < CAPITAL
    for value in ("sharpe_ratio", "sortino_ratio", "var_95", "profit_factor", "trades_per_day", "equity", "drawdown"):
        assert getattr(got, value) is not None, value


def test_there_are_open_positions_at_most_times() -> None:
    source = demo()
    counts = []
    for hour in range(48):
        state = source.state_at(START + hour * 3600)
        assert state.positions is not None
        counts.append(len(state.positions))
        for position in state.positions:
            assert position.pair in PAIRS
            assert position.size == STAKE
            assert position.profit_ratio is not None
            assert -STOP <= position.profit_ratio < 0.2
            assert position.stop_distance_ratio is not None
            assert position.stop_distance_ratio >= 0
    assert max(counts) <= len(PAIRS)
    assert sum(count > 0 for count in counts) > 40


def test_it_trades_each_day_and_days_are_good_and_bad() -> None:
    good = []
    for source in map(demo, range(4)):
        days = [summary(source.state_at(SINCE + day * DAY)) for day in range(1, 31)]
        assert all(later.count > earlier.count for earlier, later in pairwise(days))
        good += [later.profit > earlier.profit for earlier, later in pairwise(days)]
    assert 0.3 < sum(good) / len(good) < 0.8


def test_it_says_that_it_is_a_demo_and_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    set_clock(monkeypatch, "exporter.sources.demo", lambda: START)
    state = demo().read("state", soon())
    assert (state.bot.mode, state.bot.status, state.bot.started_at) == ("demo", "running", SINCE)
    assert state.bot.last_activity is not None
    assert 0 <= START - state.bot.last_activity < 5
    assert state.trades is not None


def start(folder: Path, monkeypatch: pytest.MonkeyPatch, now: float) -> BotState:
    """A new process of the exporter reads its demo bot."""
    set_clock(monkeypatch, "exporter.bots", lambda: now)
    set_clock(monkeypatch, "exporter.sources.demo", lambda: now)
    (folder / "monitoring.yml").write_text("bots: [{name: demo, type: demo}]")
    return Bots(folder / "monitoring.yml", folder / "data").readers["demo"].sources[0].read("state", soon())


def test_across_restarts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = start(tmp_path, monkeypatch, START)
    assert first.bot.started_at == SINCE
    assert start(tmp_path, monkeypatch, START) == first
    later = start(tmp_path, monkeypatch, START + DAY)
    assert later.bot.started_at == SINCE
    assert summary(later).count > summary(first).count
    assert later == demo().state_at(START + DAY)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"demo": "x"}', '{"demo": null}', '"\xff"'])
def test_a_damaged_memory_begins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/demo.json").write_text(text, encoding="latin-1")
    assert start(tmp_path, monkeypatch, START).bot.started_at == SINCE
    assert start(tmp_path, monkeypatch, START + 5).bot.started_at == SINCE


def test_without_a_place_to_remember(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    assert start(tmp_path, monkeypatch, START).bot.started_at == SINCE
    assert "the demo bot's history begins anew at each start" in caplog.text


def parts(state: BotState) -> tuple[object, ...]:
    return state.model, state.markets, state.system


def test_model_markets_and_system_follow_from_the_seed_and_the_time() -> None:
    assert parts(demo().state_at(START)) == parts(demo().state_at(START))
    read_before = demo()
    read_before.state_at(START - DAY)
    assert parts(read_before.state_at(START)) == parts(demo().state_at(START))
    for one, other in zip(parts(demo(8).state_at(START)), parts(demo().state_at(START)), strict=True):
        assert one != other


@pytest.mark.parametrize("seed", range(3))
def test_each_value_is_one_that_a_document_may_state(seed: int) -> None:
    """At all hours of a week: ratios from 0 to 1, nothing negative, no time to come; and nothing is left out."""
    source = demo(seed)
    for step in range(60):
        now = START + step * 10_007
        state = source.state_at(now)
        document = StateDocument.model_validate(
            {
                "timestamp": now,
                "model": dict(state.model),
                "market": [dict(market) for market in state.markets],
                "system": dict(state.system),
            }
        )
        assert dict(document.model) == dict(state.model)
        assert document.market == state.markets
        assert [market.symbol for market in state.markets] == list(PAIRS)
        assert dict(state.system).keys() == System.model_fields.keys()
        assert dict(state.model).keys() == Model.model_fields.keys()
        assert None not in [*dict(state.model).values(), *dict(state.system).values()]
        assert now - DAY <= (state.model.last_retraining or 0) <= (state.model.last_prediction_time or 0) <= now
        assert state.model.data_freshness is not None
        assert 0 <= state.model.data_freshness < 60


def test_regimes_and_trends_change() -> None:
    source = demo()
    regimes, trends = set(), set()
    for day in range(90):
        markets = source.state_at(START + day * DAY).markets
        (regime,) = {market.regime for market in markets}
        regimes.add(regime)
        trends |= {market.trend for market in markets}
    assert regimes == set(REGIMES)
    assert trends == set(TRENDS)


def test_response_times_only_grow_by_one_every_ten_seconds() -> None:
    source = demo()

    def counts(now: float) -> tuple[int, ...]:
        times = source.state_at(now).response_times
        assert times is not None
        return times.counts

    before = counts(START)
    assert sum(before) == 0
    for step in range(1, 50):
        after = counts(START + step * 10)
        assert sum(after) == step
        assert all(new >= old for new, old in zip(after, before, strict=True))
        before = after
    assert counts(START + 490) == before
    # Nobody asked for a day: an hour of it is made up for. A clock that goes back takes nothing away.
    assert sum(counts(START + DAY)) == 49 + 360
    for now in (START + DAY - 3600, START + DAY - 1800, START + DAY):
        assert sum(counts(now)) == 49 + 360
    assert sum(counts(START + DAY + 10)) == 49 + 361
