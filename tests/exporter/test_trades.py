"""The list of recent closed trades: of every source that has trades, page by page; and what is said without."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from exporter.bots import Bots
from exporter.figures.recent import MOST, Recent, unpacked
from exporter.figures.trades import Trade
from exporter.web import create_app
from tests.exporter.documents import full, write
from tests.exporter.freqtrade_server import FreqtradeServer, recorded_trades

MakeBots = Callable[[str], Bots]
CLOSED_AT = 1_795_255_244.25
FILE = "bots: [{name: a/b, type: file, path: state.json}]"


def trade(number: int, **changes: Any) -> dict[str, Any]:
    return {"id": number, "closed_at": CLOSED_AT - 10_000 + number, "profit": 1.5, **changes}


def listed(client: FlaskClient, bot: str = "a/b", **query: Any) -> dict[str, Any]:
    answer = client.get(f"/api/v1/bots/{bot}/trades", query_string=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json
    return found


def ids(page: dict[str, Any]) -> list[int | str]:
    return [each["id"] for each in page["trades"]]


def refused(client: FlaskClient, bot: str = "a/b", **query: Any) -> tuple[int, str]:
    answer = client.get(f"/api/v1/bots/{bot}/trades", query_string=query)
    return answer.status_code, answer.text


@pytest.fixture
def of_document(make_bots: MakeBots, tmp_path: Path) -> Callable[[list[dict[str, Any]] | None], FlaskClient]:
    """A client of a bot with these trades, which are read."""
    client = create_app(make_bots(FILE)).test_client()

    def read(trades: list[dict[str, Any]] | None) -> FlaskClient:
        write(tmp_path / "state.json", full(trades=trades))
        client.get("/metrics?collect[]=trading")
        return client

    return read


Reads = Callable[[list[dict[str, Any]] | None], FlaskClient]


def test_of_a_document(of_document: Reads) -> None:
    whole = trade(1, id="x-1", opened_at=CLOSED_AT - 10_060, closed_at=CLOSED_AT, pair="BTC/USDT", size=50, fees=0.1)
    page = listed(of_document([whole, trade(2)]))
    assert (page["bot"], page["mode"], page["currency"], page["next"]) == ("a/b", "live", "USDT", None)
    assert page["trades"] == [
        {
            **dict.fromkeys(("pair", "opened_at", "profit_ratio", "size", "fees")),
            "id": 2,
            "closed_at": "2026-11-21T07:14:06.250000Z",
            "profit": 1.5,
        },
        {
            "id": "x-1",
            "pair": "BTC/USDT",
            "opened_at": "2026-11-21T07:13:04.250000Z",
            "closed_at": "2026-11-21T10:00:44.250000Z",
            "profit": 1.5,
            "profit_ratio": 0.03,
            "size": 50.0,
            "fees": 0.1,
        },
    ]


def test_of_freqtrade(make_bots: MakeBots, server: FreqtradeServer) -> None:
    bot = f"bots: [{{name: f, type: freqtrade, url: '{server.url}', username: lab, password_env: BOT_PASSWORD}}]"
    client = create_app(make_bots(bot)).test_client()
    assert refused(client, "f")[0] == 503
    client.get("/metrics", headers={"X-Prometheus-Scrape-Timeout-Seconds": "60"})
    page = listed(client, "f")
    rows = sorted(recorded_trades(), key=lambda row: row["close_timestamp"])
    assert ids(page) == [row["trade_id"] for row in rows]
    assert [each["profit"] for each in page["trades"]] == [row["profit_abs"] for row in rows]
    assert (page["mode"], page["currency"]) == ("dry_run", "USDT")
    # What is known stays known while the bot is away.
    server.__exit__()
    client.get("/metrics")
    assert listed(client, "f") == page


def test_of_a_demo(make_bots: MakeBots) -> None:
    client = create_app(make_bots("bots: [{name: demo, type: demo}]")).test_client()
    client.get("/metrics")
    page = listed(client, "demo", limit=MOST)
    assert len(page["trades"]) == MOST and page["mode"] == "demo"
    assert all(one["closed_at"] <= other["closed_at"] for one, other in pairwise(page["trades"]))


def test_pages_go_from_the_oldest_to_the_newest(of_document: Reads) -> None:
    client = of_document([trade(number) for number in range(MOST + 50)])
    page, seen = listed(client, limit=70), []
    while True:
        seen += ids(page)
        if page["next"] is None:
            break
        page = listed(client, limit=70, after=page["next"])
    assert seen == list(range(50, MOST + 50))
    assert ids(listed(client))[0] == 50 and len(ids(listed(client))) == 100
    # The last page's last trade is where the next one is looked for.
    assert ids(listed(client, after=seen[-1])) == []
    client = of_document([trade(number) for number in range(MOST + 52)])
    assert ids(listed(client, after=seen[-1])) == [MOST + 50, MOST + 51]


def test_a_restated_trade_and_a_new_history(of_document: Reads) -> None:
    client = of_document([trade(1), trade(2)])
    client = of_document([trade(1, profit=-9.0), trade(2)])
    assert [each["profit"] for each in listed(client)["trades"]] == [-9.0, 1.5]
    assert ids(listed(of_document([trade(7)]))) == [7]
    assert ids(listed(of_document([]))) == []


def test_what_is_said_where_there_is_no_list(of_document: Reads, make_bots: MakeBots) -> None:
    client = of_document([trade(1)])
    assert refused(client, "nobody") == (404, "no bot named 'nobody' in the configuration; /sd lists those that are\n")
    status, text = refused(client, after="99")
    assert (status, text) == (410, f"no trade '99' among the last {MOST}, which are kept; leave after out\n")
    for limit in ("0", str(MOST + 1), "-1", "x", "", "9" * 5000, "²"):
        assert refused(client, limit=limit)[0] == 400
    assert client.post("/api/v1/bots/a/b/trades").headers["Allow"] == "GET, HEAD, OPTIONS"
    assert client.get("/api/v1/bots/a/b/trades", headers={"Origin": "http://evil.example"}).status_code == 403
    assert refused(of_document(None)) == (
        404,
        "the bot tells of no single trades; see `trades` in docs/state-document.md\n",
    )
    off = create_app(make_bots(FILE + "\ngroups: {trading: off}")).test_client()
    assert refused(off) == (404, "the group trading is off in monitoring.yml, so no trades are read\n")
    new = create_app(make_bots(FILE)).test_client().get("/api/v1/bots/a/b/trades")
    assert (new.status_code, new.headers["Retry-After"]) == (503, "60")
    assert "not read yet" in new.text


_number = st.none() | st.floats(-1e15, 1e15)
_trades = st.builds(
    Trade,
    st.integers(0, 10**6) | st.text(max_size=4),
    st.integers(0, 500).map(float),
    st.floats(-1e15, 1e15),
    _number,
    _number,
    st.none() | st.text(max_size=3),
    _number,
    _number,
)


@given(st.lists(_trades, max_size=15, unique_by=lambda each: str(each.id)), st.lists(st.integers(1, 9), min_size=1))
def test_whatever_comes_when_the_last_are_kept(few: list[Trade], sizes: list[int]) -> None:
    trades = [each._replace(id=f"{each.id}/{n}") for n in range(20) for each in few]
    recent = Recent()
    for start, end in pairwise([0, *accumulate(sizes), len(trades)]):
        recent.add(sorted(trades[start:end], key=lambda each: (each.closed_at, each.id)))
    assert unpacked(recent.packed) == sorted(trades, key=lambda each: (each.closed_at, each.id))[-MOST:]


def test_few_bytes_are_kept() -> None:
    recent, now = Recent(), time.time()
    recent.add([Trade(n, now + n * 61.7, n * 0.37, now + n, n / 1e6, f"C{n % 9}/USDT", 900.0, 1.8) for n in range(500)])
    assert len(recent.packed) < 12_000
