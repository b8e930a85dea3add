"""The state document: what is accepted, the sentence for what isn't, and which document serves when."""

from __future__ import annotations

import contextlib
import json
import logging
import math
import re
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from exporter.document import Documents
from exporter.figures.histogram import RESPONSE_TIME_BUCKETS, Histogram
from exporter.figures.results import Limits, complete
from exporter.schema import StateDocument, json_schema
from exporter.state import STATUSES, BotState, SourceError
from tests.exporter.documents import MARKET, MODEL, SYSTEM
from tests.exporter.helpers import set_clock

NOW = 1795255243.0
STALE_AFTER = 180
OBJECTS = ("bot", "trading", "model", "market", "system", "trades", "positions", "equity")


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    set_clock(monkeypatch, "exporter.document", clock)
    return clock


@pytest.fixture
def documents(clock: Clock) -> Documents:  # noqa: ARG001 - it is NOW
    return Documents("here", STALE_AFTER, ZoneInfo("UTC"))


def parse(**keys: Any) -> StateDocument:
    return StateDocument.model_validate_json(json.dumps({"timestamp": NOW} | keys))


def faults(text: str | bytes) -> dict[str, str]:
    with pytest.raises(ValidationError) as caught:
        StateDocument.model_validate_json(text)
    return {".".join(map(str, e["loc"])): e["msg"] for e in caught.value.errors()}


def text_of(**keys: Any) -> bytes:
    return json.dumps({"timestamp": NOW} | keys).encode()


def taken(documents: Documents, **keys: Any) -> BotState:
    documents.take(text_of(**keys))
    return documents.state(NOW)


def refused(documents: Documents, text: bytes) -> SourceError:
    with pytest.raises(SourceError) as caught:
        documents.take(text)
    return caught.value


def stamped(rest: str) -> bytes:
    """The text of a document with a right timestamp and something else."""
    return b'{"timestamp": 1795255243, ' + rest.encode() + b"}"


def test_the_least_document() -> None:
    document = parse()
    assert document.timestamp == NOW
    assert (document.trades, document.positions, document.equity) == (None, None, None)
    for part in (document.bot, document.trading, document.model):
        assert all(value is None for _, value in part)
    assert (document.market, document.system.response_times) == ((), ())


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
                "model": {"accuracy": 71, "loaded": 1},
                "market": [{"symbol": "A", "trend": "sidewards"}, {"rsi": 101}],
                "system": {"cpu_usage": 1.5, "response_times": [0.1, -1, "x"]},
            }
        )
    )
    assert set(found) == {
        *("timestamp", "bot.status", "bot.mode", "bot.name", "bot.uptime"),
        *("trading.total_trades", "trading.winning_trades", "trading.win_rate", "trading.profit_loss"),
        *("trades.0.profit", "positions.0.side", "equity.0.value"),  # of a list the first
        *("model.accuracy", "model.loaded", "market.0.trend", "market.1.symbol", "market.1.rsi"),
        *("system.cpu_usage", "system.response_times.1"),
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


def test_the_schema() -> None:
    schema = json_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["required"] == ["timestamp"]
    assert set(schema["properties"]) == {"timestamp", *OBJECTS}
    assert schema["$defs"]["Bot"]["properties"]["status"]["anyOf"][0]["enum"] == list(STATUSES)
    json.dumps(schema)


@pytest.mark.parametrize("value", [1.01e15, -1.01e15, 1.7e308, -1.7e308])
def test_no_money_is_that_much(value: float) -> None:
    documents: dict[str, dict[str, Any]] = {
        "trading.profit_loss": {"trading": {"profit_loss": value}},
        "trading.initial_capital": {"trading": {"initial_capital": value}},
        "trades.0.profit": {"trades": [{"id": 1, "closed_at": NOW, "profit": value}]},
        "positions.0.profit": {"positions": [{"pair": "A", "profit": value}]},
        "equity.0.value": {"equity": [{"time": NOW, "value": value}]},
        "market.0.macd": {"market": [{"symbol": "A", "macd": value}]},
    }
    for path, document in documents.items():
        assert set(faults(json.dumps({"timestamp": NOW} | document))) == {path}


@pytest.mark.parametrize(
    ("key", "most"), [("trades", 10_000), ("positions", 1000), ("equity", 10_000), ("market", 1000)]
)
def test_how_long_a_list_may_be(key: str, most: int) -> None:
    row = {"id": 1, "closed_at": NOW, "profit": 1, "pair": "A", "time": NOW, "value": 1, "symbol": "A"}
    assert len(getattr(parse(**{key: [row] * most}), key)) == most
    assert f"at most {most} items" in faults(json.dumps({"timestamp": NOW, key: [row] * (most + 1)}))[key]


@pytest.mark.parametrize("value", ["USDT", "eur", "1INCH", "A" * 12])
def test_currencies(value: str) -> None:
    assert parse(bot={"currency": value}).bot.currency == value


@pytest.mark.parametrize("value", ["", "A" * 13, "USD T", "USDT\n", "€", "<i>", "USDT. Log in: https://x/", "{{x}}", 5])
def test_what_is_no_currency(value: object) -> None:
    assert "bot.currency" in faults(json.dumps({"timestamp": NOW, "bot": {"currency": value}}))


def test_model_market_and_system() -> None:
    document = parse(model=MODEL, market=[MARKET | {"symbol": "A"}], system=SYSTEM | {"response_times": [0.5]})
    assert {key: value for key, value in document.model if value is not None} == MODEL
    assert {key: value for key, value in document.market[0] if value is not None} == MARKET | {"symbol": "A"}
    assert {key: value for key, value in document.system if value is not None} == SYSTEM | {
        "response_times": (0.5,),
        "response_times_at": (),
    }


@pytest.mark.parametrize("key", OBJECTS)
def test_null_is_left_out(key: str) -> None:
    """Serializers write it for what is not there."""
    assert parse(**{key: None}) == parse()
    assert parse(positions=[{"pair": "A", "side": None}], system={"response_times": None}).system == parse().system


def test_a_count_may_be_written_as_a_float() -> None:
    count = parse(trading={"total_trades": 3.0}).trading.total_trades
    assert (count, type(count)) == (3, int)


def test_a_single_market_may_leave_the_brackets_out() -> None:
    assert parse(market={"symbol": "A", "rsi": 50}).market == parse(market=[{"symbol": "A", "rsi": 50}]).market


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=5), lambda s: st.lists(s, max_size=3)))
def test_any_json_is_a_document_or_refused(value: object) -> None:
    for key in ("timestamp", *OBJECTS):
        with contextlib.suppress(ValidationError):
            parse(**{key: value})


# What follows is of documents one after another.

# The text, and how the sentence begins.
INVALID: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "not JSON: "),
    "truncated": (
        stamped('"trading": {"profit_loss": 1')[:-1],
        "not JSON: EOF while parsing an object at line 1 column 54; half-written? write a new file and rename it over",
    ),
    "no JSON": (b"profit: 5\n", "not JSON: "),
    "not UTF-8": (
        b'{"timestamp": 1795255243, "bot": {"name": "\xff"}}',
        "not JSON: invalid unicode code point at line 1 column 44; must be UTF-8",
    ),
    "deep": (b'{"a":' * 100_000, "not JSON: recursion limit exceeded"),
    "UTF-8 with a mark": (b"\xef\xbb\xbf" + text_of(), "must be UTF-8 without a byte order mark"),
    "UTF-16": (text_of().decode().encode("utf-16"), "must be UTF-8 without a byte order mark"),
    "UTF-16 without a mark": (text_of().decode().encode("utf-16-le"), "must be UTF-8 without a byte order mark"),
    "percent": (stamped('"trading": {"win_rate": 85}'), "trading.win_rate is 85: must be 0 to 1; 0.85 is 85 %"),
    "rsi": (stamped('"market": {"symbol": "A", "rsi": 140}'), "market.0.rsi is 140: must be at most 100"),
    "nameless": (stamped('"market": {"symbol": ""}'), 'market.0.symbol is "": must not be empty'),
    "a word": (stamped('"bot": {"mode": "paper"}'), 'bot.mode is "paper": must be live, dry_run or demo'),
    "a currency": (
        stamped('"bot": {"currency": "US Dollar"}'),
        'bot.currency is "US Dollar": must be 1 to 12 letters or digits, such as USDT',
    ),
    "a fraction": (stamped('"trading": {"total_trades": 3.7}'), "trading.total_trades is 3.7: must be a whole number"),
    "no id": (
        text_of(trades=[{"id": True, "closed_at": NOW, "profit": 1}]),
        "trades.0.id is true: must be a whole number, not negative, or a text of at most 200 characters",
    ),
    "a long list": (text_of(positions=[{"pair": "A"}] * 1001), "positions is a list: must have at most 1000 items"),
    "too small": (stamped('"trading": {"equity": -1e20}'), "trading.equity is -1e+20: must be at least -1e+15"),
    "times of some": (
        text_of(system={"response_times": [1, 2], "response_times_at": [NOW]}),
        "system.response_times_at must have a time for each of response_times",
    ),
    "a time to come": (
        text_of(system={"response_times": [1], "response_times_at": [NOW + 100]}),
        "system.response_times_at is 100 s in the future",
    ),
    "large": (stamped('"a": "' + "x" * 4_200_000 + '"'), "larger than 2 MiB; state totals and leave lists out"),
    "a list": (b"[]", "the document is a list: must be an object"),
    "no timestamp": (b'{"bot": {}}', "timestamp is missing"),
    "ms": (b'{"timestamp": 1795255243000}', "timestamp is 1795255243000: looks like milliseconds; must be Unix"),
    "zoneless": (b'{"timestamp": "2026-11-21T10:00:43"}', 'timestamp is "2026-11-21T10:00:43": has no time zone'),
    "future": (b'{"timestamp": 1795255343}', "timestamp is 100 s in the future; are the clocks right, and its"),
    "NaN": (stamped('"trading": {"profit_loss": NaN}'), "trading.profit_loss is NaN: must be a finite number"),
    "Infinity": (stamped('"trading": {"equity": -Infinity}'), "trading.equity is -Infinity: must be a finite number"),
    "type": (stamped('"trading": {"win_rate": "0.5"}'), 'trading.win_rate is "0.5": must be a number'),
    "negative": (stamped('"trading": {"total_trades": -1}'), "trading.total_trades is -1: must not be negative"),
    "huge": (
        stamped('"trading": {"fees": 0, "total_trades": 1' + "0" * 400 + "}"),
        f"trading.total_trades is 1{'0' * 38}…: must be at most",
    ),
    "future activity": (stamped('"bot": {"last_activity": 1795259999}'), "bot.last_activity is 4756 s in the future"),
    "future prediction": (
        stamped('"model": {"last_prediction_time": 1795259999}'),
        "model.last_prediction_time is 4756 s in the future",
    ),
    "future trade": (
        stamped('"trades": [{"id": 1, "closed_at": 1795259999, "profit": 1}]'),
        "trades.0.closed_at is 4756 s in the future",
    ),
    "future equity": (stamped('"equity": [{"time": 1795259999, "value": 1}]'), "equity.0.time is 4756 s in the future"),
    "long number": (stamped('"x": 1' + "0" * 6000), "not JSON: number out of range"),
    "conflicting trades": (
        text_of(trades=[{"id": "a", "closed_at": NOW, "profit": p} for p in (1, 1, 2)]),
        "trades.2.id: 'a' is the id of trades.0 already, which is another trade; each needs an id of its own",
    ),
}
GOOD = {"bot": {"status": "running"}, "trading": {"profit_loss": 5.0}}


@pytest.mark.parametrize("name", INVALID)
def test_refused_with_a_sentence_while_the_last_good_one_serves(documents: Documents, clock: Clock, name: str) -> None:
    text, words = INVALID[name]
    error = refused(documents, text)
    assert error.reason == "invalid"
    assert str(error).startswith(f"here: {words}")
    with pytest.raises(SourceError, match=re.escape(str(error))):
        documents.state(NOW)
    assert taken(documents, **GOOD).problems == ()
    assert str(refused(documents, text)) == str(error)
    for _ in range(2):
        state = documents.state(NOW + STALE_AFTER)
        assert state.trading.profit_loss == 5
        assert [(p.reason, str(p)) for p in state.problems] == [("invalid", str(error))]
    with pytest.raises(SourceError, match=re.escape(str(error))):
        documents.state(NOW + STALE_AFTER + 1)
    clock.now += STALE_AFTER + 1
    documents.take(text_of(**GOOD | {"timestamp": clock.now}))
    assert documents.state(clock.now).problems == ()


def test_every_fault_of_a_document_in_one_sentence(documents: Documents) -> None:
    error = refused(documents, text_of(trading={"win_rate": 2, "fees": -1}, bot={"status": "asleep"}))
    assert str(error).startswith("here: 3 faults: ")
    assert re.findall(r"([a-z]+\.\w+) is ", str(error)) == ["bot.status", "trading.win_rate", "trading.fees"]
    rows = [{"id": n, "closed_at": NOW, "profit": None} for n in range(100)]
    assert str(refused(documents, text_of(trades=rows))) == "here: trades.0.profit is null: must be a number"


@pytest.mark.parametrize("value", ["0", "{}", '""', '{"a":0}', "[[]]"])
@pytest.mark.parametrize("key", ["positions", "trades", "market", "x"])
def test_many_small_values_are_refused_before_they_are_parsed(documents: Documents, key: str, value: str) -> None:
    error = refused(documents, stamped(f'"{key}": [' + ",".join([value] * 150_000) + "]"))
    assert re.search(r"has some \d+ values, more than 100000; state totals and leave lists out$", str(error))


def test_no_document_yet(documents: Documents) -> None:
    with pytest.raises(SourceError) as caught:
        documents.state(NOW)
    assert (caught.value.reason, str(caught.value)) == ("missing", "here: no document yet; does the bot write it?")


def test_stale_and_fresh_again(documents: Documents) -> None:
    assert taken(documents, **GOOD, timestamp=NOW + 0.25).trading.profit_loss == 5
    assert documents.state(NOW + STALE_AFTER).trading.profit_loss == 5
    sentences = set()
    # The same fault in other words would be logged at each scrape.
    for later in (1, 1000):
        with pytest.raises(SourceError) as caught:
            documents.state(NOW + STALE_AFTER + later)
        assert caught.value.reason == "stale"
        sentences.add(str(caught.value))
    assert sentences == {
        (
            "here: its timestamp is 2026-11-21 10:00:43+00:00, older than stale_after (180 s); "
            "does the bot still write it, or is its clock slow?"
        )
    }


def test_a_clock_a_little_ahead_is_fine(documents: Documents) -> None:
    assert taken(documents, timestamp=NOW + 59).problems == ()


def test_a_fault_met_again_and_again_keeps_nothing(documents: Documents) -> None:
    """Raising the same exception object anew would chain the frames of every reading to it."""
    refused(documents, b"{")
    lengths = set()
    for _ in range(5):
        with pytest.raises(SourceError) as caught:
            documents.state(NOW)
        frame, length = caught.value.__traceback__, 0
        while frame is not None:
            frame, length = frame.tb_next, length + 1
        lengths.add(length)
    assert len(lengths) == 1


def test_duplicate_trades_count_once(documents: Documents) -> None:
    row = {"id": "a", "closed_at": NOW - 5, "profit": 2}
    state = taken(documents, trades=[row, row, row | {"id": "b"}])
    assert complete(state, Limits()).winning_trades == 2


def test_identities_may_be_numbers_or_text(documents: Documents) -> None:
    rows = [{"id": 1, "closed_at": NOW, "profit": 1}, {"id": "1", "closed_at": NOW, "profit": 2.5}]
    results = complete(taken(documents, trades=rows), Limits())
    assert (results.winning_trades, results.realized_profit_loss) == (2, 3.5)


def test_an_empty_list_of_trades_is_a_history(documents: Documents) -> None:
    """Counters start at 0: no trade yet is not the same as not told."""
    assert complete(taken(documents, trades=[]), Limits()).total_trades == 0
    assert complete(taken(documents), Limits()).total_trades is None


def test_a_bot_that_states_no_activity_was_active_when_it_wrote(documents: Documents) -> None:
    """Else its death would be told only after stale_after and bot_down_time one after the other."""
    documents.take(text_of(timestamp=NOW - 30, bot={"uptime": 70}))
    bot = documents.state(NOW).bot
    assert (bot.last_activity, bot.started_at) == (NOW - 30, NOW - 100)


def test_response_times_are_observed_once_a_document(documents: Documents) -> None:
    def buckets() -> Histogram | None:
        return documents.state(NOW).response_times

    assert taken(documents).response_times is None
    documents.take(text_of(timestamp=NOW + 1, system={"response_times": [0.05, 0.06, 100]}))
    counted = Histogram(RESPONSE_TIME_BUCKETS, (0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1), 100.11)
    assert buckets() == counted
    # The same again, an older one, one without.
    for timestamp, times in ((NOW + 1, [0.05, 0.06, 100]), (NOW, [5]), (NOW + 2, [])):
        documents.take(text_of(timestamp=timestamp, system={"response_times": times}))
        assert buckets() == counted
    documents.take(text_of(timestamp=NOW + 3, system={"response_times": [0.05]}))
    assert buckets() == Histogram(RESPONSE_TIME_BUCKETS, (0, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 1), pytest.approx(100.16))


def test_response_times_with_their_times_count_once_however_often_they_are_told(documents: Documents) -> None:
    def count(**times: float) -> int:
        at = list(times.values())
        documents.take(text_of(timestamp=max(at), system={"response_times": [0.1] * len(at), "response_times_at": at}))
        buckets = documents.state(NOW).response_times
        assert buckets is not None
        return sum(buckets.counts)

    assert count(before_our_start=NOW - 1, at_our_start=NOW) == 0
    assert count(a=NOW - 1, b=NOW + 1, c=NOW + 1) == 2
    assert count(b=NOW + 1, c=NOW + 1, d=NOW + 2) == 3
    assert count(d=NOW + 2) == 3


def test_an_unknown_key_is_warned_of_once(documents: Documents, caplog: pytest.LogCaptureFixture) -> None:
    for n in range(3):
        taken(
            documents,
            trading={"proft": n, "total_pnl": 1},
            **{"ex\ntra": 1},
            market=[{"symbol": "A"}, {"symbol": "B", "rsl": 1}],
            positions=[{"pair": "A", "sise": 1}],
            system={"cpu": 1},
        )
    assert caplog.messages == [
        f"here: the key {key!r} is not known and not used; {advice}see docs/state-document.md"
        for key, advice in (
            ("ex\ntra", ""),
            ("market.1.rsl", "did you mean rsi? "),
            ("positions.0.sise", "did you mean size? "),
            ("system.cpu", ""),
            ("trading.proft", "did you mean profit_loss? "),
        )
    ]
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


def test_unknown_keys_do_not_fill_the_log(documents: Documents, caplog: pytest.LogCaptureFixture) -> None:
    for n in range(4):
        taken(documents, **{f"{n}-{k}": "x" * 100 for k in range(30)})
    assert len(caplog.messages) == 50
