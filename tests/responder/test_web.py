"""The responder's addresses: webhook, page, runbooks, JSON, health, metrics."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from flask.testing import FlaskClient
from markupsafe import Markup
from prometheus_client.parser import text_string_to_metric_families
from werkzeug.test import TestResponse

from responder.runbooks import Runbooks
from responder.web import MAX_BODY_BYTES
from tests.responder.application import AUTHORIZED, TOKEN, Responder
from tests.responder.samples import RESOLVED, alert, body
from tests.stack import ROOT


@pytest.fixture
def runbooks(tmp_path: Path) -> Path:
    folder = tmp_path / "docs" / "runbooks"
    folder.mkdir(parents=True)
    (folder / "BotDown.md").write_text("# Bot down\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```sh\nmake status\n```\n")
    (tmp_path / "docs" / "secret.md").write_text("secret")
    return folder


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "responder.sqlite"


@pytest.fixture
def client(database: Path, runbooks: Path) -> FlaskClient:
    return Responder(database.parent, runbooks=runbooks).person()


def post(client: FlaskClient, content: Any = None, **more: Any) -> TestResponse:
    return client.post("/api/v1/alerts", json=body() if content is None else content, **{"headers": AUTHORIZED, **more})


def samples(client: FlaskClient) -> dict[str, float]:
    text = client.get("/metrics").text
    return {
        f"{sample.name}{sorted(sample.labels.values())}": sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_message_is_kept_and_shown(client: FlaskClient) -> None:
    answer = post(client)
    assert (answer.status_code, answer.json) == (200, {"kept": 1})
    page = client.get("/").text
    for words in (
        "Firing",
        "BotDown · demo",
        "A bot gives no sign of life.",
        "demo is unreachable.",
        "P&amp;L 1.00 USDT",
        "restart the bot; only if it won&#39;t start: close its positions on the exchange",
        "Since 21 Nov 2026 15:30:00 IST",
        'href="http://localhost:8080/runbooks/BotDown"',
        'href="http://localhost:3000/d/trading-bot?var-bot=demo&amp;x=1"',
    ):
        assert words in page
    silence = 'http://localhost:9093/#/silences/new?filter={bot="demo",condition="bot_down",severity="critical"}'
    assert silence in unquote(page)
    assert 'class="critical"' in page


def test_the_end_is_shown(client: FlaskClient) -> None:
    post(client)
    post(client, body(alert(**RESOLVED)))
    page = client.get("/").text
    assert "From 21 Nov 2026 15:30:00 IST to 21 Nov 2026 15:35:00 IST, 5 min" in page
    assert "It was: demo is unreachable." in page
    assert "Fired, now over" in page
    assert "What to do" not in page and "Silence" not in page


@pytest.mark.parametrize(
    ("condition", "badge"),
    [
        ("daily_summary", "Report"),
        ("weekly_summary", "Report"),
        ("milestone_reached", "Milestone"),
        ("test_message", "Test"),
    ],
)
def test_news_is_no_incident(client: FlaskClient, condition: str, badge: str) -> None:
    news = alert(labels={"condition": condition, "severity": "info"})
    post(client, body(news, groupLabels={"condition": condition, "severity": "info"}))
    page = client.get("/").text
    assert f'<span class="badge">{badge}</span>' in page and "Of 21 Nov 2026 15:30:00 IST" in page
    assert 'class="info"' in page and 'href="http://localhost:8080/runbooks/BotDown"' in page
    for words in ("Firing", "Since", "Acknowledge", "Silence"):
        assert words not in page.partition("<article")[2], words


def test_repeats_are_counted(client: FlaskClient) -> None:
    for _ in range(3):
        post(client)
    assert "told 3 times" in client.get("/").text


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}, {"Authorization": "ü"}]
)
def test_without_the_token_nothing_is_kept(client: FlaskClient, headers: dict[str, str]) -> None:
    answer = post(client, headers=headers)
    assert answer.status_code == 401
    assert TOKEN not in answer.text
    assert client.get("/api/v1/messages").json == {"messages": []}
    assert samples(client)["trading_bot_responder_errors_total['unauthorized']"] == 1


@pytest.mark.parametrize(
    "content, told",
    [
        ("text", "body"),
        ({}, "version"),
        (body(version="3"), "version"),
        (body(alerts=[]), "alerts"),
        (body(alert(status="odd")), "alerts.0.status"),
        (body(alert(startsAt="yesterday")), "alerts.0.startsAt"),
        (body(alert(startsAt="2026-11-21T10:00:00")), "alerts.0.startsAt"),
        (body(alert(fingerprint="")), "alerts.0.fingerprint"),
        (body(alert(labels={"bot": 7})), "alerts.0.labels.bot"),
    ],
)
def test_what_is_no_message_is_refused_with_the_reason(client: FlaskClient, content: Any, told: str) -> None:
    answer = post(client, content)
    assert answer.status_code == 400
    assert answer.json is not None and answer.json["faults"][0].startswith(f"{told}: ")
    assert samples(client)["trading_bot_responder_errors_total['invalid']"] == 1


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b'{"version": "\\ud800"}', b"[" * 100_000, b"null"])
def test_what_is_no_json_is_refused(client: FlaskClient, data: bytes) -> None:
    assert client.post("/api/v1/alerts", data=data, headers=AUTHORIZED).status_code == 400


def test_a_body_that_is_too_large_is_refused(client: FlaskClient) -> None:
    answer = post(client, body(alert(labels={"pair": "x" * MAX_BODY_BYTES})))
    assert answer.status_code == 413
    assert samples(client)["trading_bot_responder_errors_total['too_large']"] == 1


def test_a_locked_database_makes_the_sender_try_again(client: FlaskClient, database: Path) -> None:
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    assert post(client).status_code == 503
    assert client.get("/-/ready").status_code == 503
    assert client.get("/-/healthy").status_code == 200
    connection.close()
    assert client.get("/-/ready").status_code == 200
    assert post(client).status_code == 200
    assert samples(client)["trading_bot_responder_errors_total['database']"] == 2


HOSTILE = "\"><script>alert('1')</script>\n&amp;{{ 7654*7654 }}🤖\u202e"


def test_hostile_values_are_only_text(client: FlaskClient) -> None:
    names = ("summary", "description", "bot_status", "recommended_actions")
    links = {"dashboard_url": "javascript:alert(1)", "runbook_url": f"http://x/{HOSTILE}"}
    labels = dict.fromkeys(("alertname", "bot", "severity", "condition"), HOSTILE)
    group = {"groupLabels": labels, "externalURL": "javascript:alert(1)"}
    assert (
        post(client, body(alert(labels=labels, annotations=dict.fromkeys(names, HOSTILE) | links), **group)).status_code
        == 200
    )
    for page in (client.get("/").text, client.get("/", query_string={"bot": HOSTILE, "severity": HOSTILE}).text):
        assert "<script" not in page
        assert 'href="javascript' not in page
        assert str(Markup.escape(HOSTILE.removesuffix("\u202e"))) in page and "\u202e" not in page
        assert str(7654 * 7654) not in page
    missing = client.get("/", query_string={"bot": HOSTILE, "severity": "critical"})
    assert "No message fits this choice" in missing.text


def test_long_values_are_cut_and_odd_times_are_shown(client: FlaskClient) -> None:
    long = "x" * 10_000
    odd = {"startsAt": "0001-01-01T00:00:00Z", "endsAt": "9999-12-31T23:59:59Z", "status": "resolved"}
    post(client, body(alert(labels={"bot": long}, annotations={"description": long}, **odd)))
    page = client.get("/")
    assert page.status_code == 200
    assert "x" * 1001 not in page.text.replace(f'value="{long}"', "")


def test_filter_and_pages(client: FlaskClient) -> None:
    assert "No message yet" in client.get("/").text
    alerts = [alert(fingerprint=str(n), labels={"bot": f"bot{n % 2}", "pair": str(n)}) for n in range(120)]
    post(client, body(*alerts))
    first, second, third = (client.get(f"/?page={n}").text for n in (1, 2, 3))
    assert [page.count("<article") for page in (first, second, third)] == [50, 50, 20]
    assert "Older" in first and "Newer" not in first
    assert "Older" not in third and "Newer" in third
    assert client.get("/?bot=bot1&page=2").text.count("<article") == 10
    assert 'href="/?bot=bot1&amp;page=2"' in client.get("/?bot=bot1").text
    for odd in ("page=0", "page=-5", "page=x", "page=99999999999999999999"):
        assert client.get(f"/?{odd}").status_code == 200


def test_the_list_as_json(client: FlaskClient) -> None:
    post(client, body(*[alert(fingerprint=str(n), labels={"bot": f"bot{n}"}) for n in range(3)]))
    answer = client.get("/api/v1/messages?limit=2&offset=1").json
    assert answer is not None
    assert [message["bot"] for message in answer["messages"]] == ["bot1", "bot0"]
    assert answer["messages"][0]["labels"]["alertname"] == "BotDown"
    assert len((client.get("/api/v1/messages?bot=bot2").json or {})["messages"]) == 1


def test_nothing_from_elsewhere_and_no_script(client: FlaskClient) -> None:
    for path in ("/", "/runbooks/BotDown", "/nowhere", "/api/v1/messages"):
        answer = client.get(path)
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "<script" not in answer.text and "style=" not in answer.text
    with client.get("/static/style.css") as style:
        assert style.status_code == 200


def test_runbooks(client: FlaskClient) -> None:
    page = client.get("/runbooks/BotDown").text
    assert "<h1>Bot down</h1>" in page and "<table>" in page and "make status" in page
    assert client.get("/runbooks/BotDown.md").text == page.replace("<title>BotDown ", "<title>BotDown.md ")
    assert 'href="/runbooks/BotDown"' in client.get("/runbooks/").text


def test_a_link_out_of_the_folder_says_where_the_file_is(client: FlaskClient, runbooks: Path) -> None:
    links = (
        "[SLA](../sla.md), [*planned* work](../configuration.md#maintenance), [next](BotDown.md#x), [up](#a), [s](/s)"
    )
    (runbooks / "Links.md").write_text(
        f"{links}, [rules](../../prometheus/rules/bot.yml), <http://localhost:9090/graph>"
    )
    page = client.get("/runbooks/Links").text
    for words in (
        "SLA (<code>docs/sla.md</code>)",
        "<em>planned</em> work (<code>docs/configuration.md#maintenance</code>)",
        "rules (<code>prometheus/rules/bot.yml</code>)",
        '<a href="BotDown.md#x">next</a>',
        '<a href="#a">up</a>',
        '<a href="/s">s</a>',
        '<a href="http://localhost:9090/graph">',
    ):
        assert words in page
    assert "../" not in page


def test_a_runbook_leads_to_where_the_services_are(tmp_path: Path) -> None:
    text = "<http://localhost:9090/alerts>, <http://localhost:8000/>, <http://localhost:80801/>\n\n    curl http://localhost:8080/-/healthy"
    (tmp_path / "Moved.md").write_text(text)
    environ = {
        "PROMETHEUS_URL": "https://prometheus.example.org/",
        "EXPORTER_URL": "javascript:x",
        "RESPONDER_URL": "http://[::1]:1",
    }
    html = Runbooks(tmp_path, environ).html("Moved") or ""
    assert 'href="https://prometheus.example.org/alerts"' in html and 'href="http://localhost:8000/"' in html
    assert "http://localhost:80801/" in html and "curl http://[::1]:1/-/healthy" in html
    assert 'href="http://localhost:9090/alerts"' in (Runbooks(tmp_path).html("Moved") or "")


def test_no_runbook_leads_to_a_page_that_is_not_there() -> None:
    names = Runbooks(ROOT / "docs" / "runbooks")
    for name in names.names():
        for link in re.findall(r'href="([^"]*)"', names.html(name) or ""):
            assert link.startswith(("http", "#")) or link.partition(".md")[0] in names.names(), (name, link)


@pytest.mark.parametrize(
    "name", ["Nothing", "..%2Fsecret", "../secret", "%2e%2e/secret", "BotDown.md.md", "a\x00b", "<b>"]
)
def test_a_runbook_that_is_not_there(client: FlaskClient, name: str) -> None:
    answer = client.get(f"/runbooks/{name}")
    assert answer.status_code == 404
    assert "secret</p>" not in answer.text and "<b>" not in answer.text


def test_an_unknown_runbook_lists_what_there_is(client: FlaskClient) -> None:
    answer = client.get("/runbooks/Nothing")
    assert "no runbook named Nothing" in answer.text and 'href="/runbooks/BotDown"' in answer.text


def test_metrics(client: FlaskClient) -> None:
    before = samples(client)
    assert before["trading_bot_responder_messages_total['critical', 'firing']"] == 0
    assert "trading_bot_responder_last_received_timestamp_seconds[]" not in before
    post(client, body(alert(), alert(fingerprint="b", labels={"severity": "made up"})))
    after = samples(client)
    assert after["trading_bot_responder_messages_total['critical', 'firing']"] == 1
    assert after["trading_bot_responder_messages_total['firing', 'other']"] == 1
    assert after["trading_bot_responder_last_received_timestamp_seconds[]"] > 1.7e9
    assert set(after) - set(before) == {"trading_bot_responder_last_received_timestamp_seconds[]"}
