"""The page for people: each bot with what it does, one fault a bot, and nothing that a bot's name could break."""

from __future__ import annotations

import html
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.bots import Bots
from exporter.metrics import GROUPS, METRICS
from exporter.page import rows
from exporter.web import create_app
from tests.exporter import freqtrade_server as play
from tests.exporter.documents import full, write
from tests.exporter.freqtrade_server import PASSWORD, FreqtradeServer
from tests.exporter.helpers import Samples

MakeBots = Callable[[str], Bots]
FREQTRADE = "- {{name: {name}, type: freqtrade, url: '{url}', username: lab, password_env: BOT_PASSWORD}}\n"


def test_a_row_for_each_bot(make_bots: MakeBots, server: FreqtradeServer, tmp_path: Path) -> None:
    write(tmp_path / "state.json", full())
    text = "timezone: Europe/Berlin\nbots:\n- {name: demo, type: demo}\n- {name: file, type: file, path: state.json}\n"
    demo, by_file, freqtrade = rows(make_bots(text + FREQTRADE.format(name="ft", url=server.url)))
    assert (demo.name, demo.demo, demo.status, demo.fault) == ("demo", True, "running", "")
    assert demo.profit.endswith(" USDT")
    assert (by_file.profit, by_file.trades, by_file.open_positions) == ("+4.00 USDT", "60", "2")
    assert (by_file.demo, freqtrade.demo) == (False, False)
    assert (freqtrade.profit, freqtrade.trades, freqtrade.open_positions) == ("-9.37 USDT", "66", "4")
    assert freqtrade.last_activity == "2026-11-21 11:00:43 CET"


def test_a_dead_bot_tells_one_fault_that_of_its_liveness(make_bots: MakeBots, server: FreqtradeServer) -> None:
    server.misbehave |= {"health": play.status(502), "show_config": play.status(500)}
    (row,) = rows(make_bots("bots:\n" + FREQTRADE.format(name="ft", url=server.url)))
    assert (row.status, row.profit, row.trades, row.open_positions) == ("can't be read", "–", "–", "–")
    assert row.fault == f"{server.url}/api/v1/health: HTTP 502 Bad Gateway"


def test_a_fault_of_its_results_alone(make_bots: MakeBots, server: FreqtradeServer) -> None:
    server.misbehave |= {"profit": play.status(502), "status": play.status(502)}
    (row,) = rows(make_bots("bots:\n" + FREQTRADE.format(name="ft", url=server.url)))
    assert (row.status, row.fault) == ("running", f"{server.url}/api/v1/profit: HTTP 502 Bad Gateway")
    assert row.trades == "66"


def test_whatever_a_bot_says_of_its_times(make_bots: MakeBots, server: FreqtradeServer) -> None:
    for value in (1795255243000, 1e300, -5, None, "x"):
        server.answers["health"]["json"]["last_process_ts"] = value
        (row,) = rows(make_bots("bots:\n" + FREQTRADE.format(name="ft", url=server.url)))
        assert (row.status, row.last_activity) == ("running", "–")


def test_it_escapes_and_links(make_bots: MakeBots, tmp_path: Path) -> None:
    name = "<script>alert(1)</script> & 'x' 🤖"
    (tmp_path / "<b>.json").write_text("<img src=x>")
    text = f"bots:\n- {{name: \"{name}\", type: file, path: '<b>.json'}}\n"
    client = create_app(make_bots(text)).test_client()
    answer = client.get("/")
    page = answer.get_data(as_text=True)
    assert answer.status_code == 200
    assert answer.content_type == "text/html; charset=utf-8"
    assert "<script" not in page
    assert "<b>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &#39;x&#39; 🤖" in page
    links = [html.unescape(link) for link in re.findall(r'href="(/metrics\?[^"]*)"', page)]
    assert len(links) == len(GROUPS)
    for link, group in zip(links, GROUPS, strict=True):
        names = Samples(client.get(link).data).names
        assert {METRICS.get(n, "exporter") for n in names} <= {group}
        assert names or group in ("trading", "model", "market", "system")  # of which nothing is known
    assert "not JSON: " in page
    assert answer.headers["Content-Security-Policy"] == (
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; form-action 'none'"
    )


def test_a_bot_s_currency_is_a_currency_or_not_shown(
    make_bots: MakeBots, server: FreqtradeServer, tmp_path: Path
) -> None:
    document = full()
    document["bot"]["currency"] = "<i>"
    write(tmp_path / "state.json", document)
    server.answers["show_config"]["json"]["stake_currency"] = "<i>"
    text = "bots:\n- {name: x, type: file, path: state.json}\n" + FREQTRADE.format(name="ft", url=server.url)
    by_file, freqtrade = rows(make_bots(text))
    assert (by_file.status, by_file.profit) == ("can't be read", "–")
    assert 'bot.currency is "<i>": must be 1 to 12 letters or digits' in by_file.fault
    assert (freqtrade.profit, freqtrade.fault) == ("-9.37 ", "")


def test_a_hung_bot_does_not_keep_the_page(
    make_bots: MakeBots, server: FreqtradeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.misbehave |= dict.fromkeys(("health", "show_config"), play.hang)
    monkeypatch.setattr("exporter.page._TIMEOUT", 0.5)
    began = time.monotonic()
    text = "bots:\n- {name: demo, type: demo}\n" + FREQTRADE.format(name="ft", url=server.url)
    demo, hung = rows(make_bots(text))
    assert time.monotonic() - began < 15
    assert (demo.status, hung.status) == ("running", "can't be read")
    assert "no answer within" in hung.fault or "time was up" in hung.fault
    assert PASSWORD not in hung.fault
