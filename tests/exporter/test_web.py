"""The HTTP server: parameters, time-outs, discovery, health, reload, and that nobody can point it elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from exporter.bots import Bots
from exporter.metrics import GROUPS, METRICS
from exporter.web import _deadline, create_app
from tests.exporter import freqtrade_server as play
from tests.exporter.freqtrade_server import PASSWORD, FreqtradeServer
from tests.exporter.helpers import Samples

MakeBots = Callable[[str], Bots]
TWO = "bots: [{name: demo, type: demo}, {name: \"other 'bot' 🤖\", type: demo, seed: 9}]"
OTHER = "other 'bot' 🤖"


@pytest.fixture
def client(make_bots: MakeBots) -> FlaskClient:
    return create_app(make_bots(TWO)).test_client()


def metrics(client: FlaskClient, query: str = "", **headers: str) -> Samples:
    answer = client.get("/metrics" + query, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.content_type.startswith("text/plain; version=")
    return Samples(answer.data)


def test_all_bots_and_groups(client: FlaskClient) -> None:
    got = metrics(client)
    assert got.of("trading_bot_up") == {("demo",): 1, (OTHER,): 1}
    assert {METRICS[n] for n in got.names if n in METRICS} == set(GROUPS)
    assert got.get("trading_bot_exporter_info", version="0.1.0") == 1
    assert "process_resident_memory_bytes" in got.names


@pytest.mark.parametrize("group", GROUPS)
def test_one_group_of_one_bot(client: FlaskClient, group: str) -> None:
    got = metrics(client, f"?bot=demo&collect[]={group}")
    assert {METRICS.get(n, "exporter") for n in got.names} == {group}
    assert OTHER not in str(got._samples)


def test_several_groups_and_bots(client: FlaskClient) -> None:
    got = metrics(client, f"?bot=demo&bot={OTHER}&bot=demo&collect[]=bot&collect[]=config&collect[]=bot")
    assert {METRICS[n] for n in got.names} == {"bot", "config"}
    assert len(got.of("trading_bot_up")) == 2


@pytest.mark.parametrize("group", ["nonsense", "", "BOT", "bot,trading", "x" * 10_000])
def test_an_unknown_group(client: FlaskClient, group: str) -> None:
    answer = client.get("/metrics", query_string={"collect[]": ["bot", group]})
    assert answer.status_code == 400
    assert answer.text == f"unknown group {group[:80]!r} in collect[]; known: {', '.join(GROUPS)}\n"


@pytest.mark.parametrize("name", ["nobody", "", "demo ", "<script>", "http://127.0.0.1/", "x" * 10_000, "a\nb"])
def test_an_unknown_bot(client: FlaskClient, name: str) -> None:
    answer = client.get("/metrics", query_string={"bot": ["demo", name]})
    assert answer.status_code == 404
    assert answer.text == f"no bot named {name[:80]!r} in the configuration; /sd lists those that are\n"
    assert answer.content_type == "text/plain; charset=utf-8"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_no_parameter_points_it_elsewhere(make_bots: MakeBots, server: FreqtradeServer) -> None:
    with FreqtradeServer() as other:
        bot = f"bots: [{{name: x, type: freqtrade, url: '{server.url}', username: lab, password_env: BOT_PASSWORD}}]"
        client = create_app(make_bots(bot)).test_client()
        for key in ("target", "url", "host", "address", "__address__", "path", "bot_url", "module", "type"):
            for place in ("/metrics", "/sd", "/", "/-/healthy"):
                client.get(
                    place, query_string={key: other.url + "/"}, headers={"X-Forwarded-Host": f"127.0.0.1:{other.port}"}
                )
        client.get("/metrics", headers={"Host": f"127.0.0.1:{other.port}"})
        client.get("/metrics", query_string={"bot": other.url})
        assert other.asked == []
        assert server.calls("health")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 9.5),
        ("", 9.5),
        ("5", 4.5),
        ("0.4", 0.2),
        ("1e3", 119.5),
        ("inf", 119.5),
        ("nan", 9.5),
        ("-3", 9.5),
        ("0", 9.5),
        ("-inf", 9.5),
        ("garbage", 9.5),
        ("5, 6", 9.5),
        ("１０", 9.5),  # noqa: RUF001 - digits of another script are digits to Python
    ],
)  # fmt: skip
def test_how_long_a_scrape_may_take(header: str | None, seconds: float) -> None:
    assert _deadline(header) - time.monotonic() == pytest.approx(seconds, abs=0.2)


@pytest.mark.parametrize("header", ["0.5", "garbage", "-1", "NaN", "1e999", ""])
def test_the_header_of_prometheus(make_bots: MakeBots, server: FreqtradeServer, header: str) -> None:
    bot = f"{{name: x, type: freqtrade, url: '{server.url}', username: lab, password_env: BOT_PASSWORD}}"
    client = create_app(make_bots(f"bots: [{{name: demo, type: demo}}, {bot}]")).test_client()
    headers = {"X-Prometheus-Scrape-Timeout-Seconds": header}
    if header == "0.5":
        server.misbehave["health"] = play.hang
    began = time.monotonic()
    got = metrics(client, "?collect[]=bot", **headers)
    assert got.of("trading_bot_up") == {("demo",): 1, ("x",): 0 if header == "0.5" else 1}
    assert time.monotonic() - began < 8


def test_discovery(client: FlaskClient) -> None:
    answer = client.get("/sd", headers={"Host": "exporter:8000"})
    assert answer.content_type == "application/json"
    assert answer.json == [
        {"targets": ["exporter:8000"], "labels": {"__param_bot": name, "instance": name}} for name in ("demo", OTHER)
    ]


@pytest.mark.parametrize("path", ["/-/healthy", "/-/ready"])
def test_health(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.text) == (200, "OK, 2 bots\n")


def test_health_does_not_wait_for_bots(make_bots: MakeBots, server: FreqtradeServer) -> None:
    server.misbehave |= dict.fromkeys(("health", "show_config"), play.hang)
    bot = f"bots: [{{name: x, type: freqtrade, url: '{server.url}', username: lab, password_env: BOT_PASSWORD}}]"
    client = create_app(make_bots(bot)).test_client()
    assert client.get("/-/healthy").status_code == client.get("/sd").status_code == 200
    assert server.asked == []


def test_reload(client: FlaskClient, tmp_path: Path) -> None:
    (tmp_path / "monitoring.yml").write_text("bots: [{name: new, type: demo}]")
    answer = client.post("/-/reload")
    assert (answer.status_code, answer.text) == (200, "The configuration was read again.\n")
    assert set(metrics(client).of("trading_bot_up")) == {("new",)}


def test_a_bad_file_is_refused_and_told(client: FlaskClient, tmp_path: Path) -> None:
    (tmp_path / "monitoring.yml").write_text(
        "bots: [{name: new, type: demo}]\nthresholds: {critical: {max_drawdown: 5}}"
    )
    answer = client.post("/-/reload")
    assert answer.status_code == 500
    assert answer.text == (
        "refused, the configuration before stays in use:\n"
        f"{tmp_path}/monitoring.yml:2: thresholds.critical.max_drawdown is 5: must be 0.01 to 0.5 (ratio), on or off\n"
    )
    got = metrics(client)
    assert set(got.of("trading_bot_up")) == {("demo",), (OTHER,)}
    assert got.get("trading_bot_config_last_reload_successful") == 0
    assert "monitoring.yml has faults and was refused" in client.get("/").text
    (tmp_path / "monitoring.yml").write_text(TWO)
    client.post("/-/reload")
    assert metrics(client).get("trading_bot_config_last_reload_successful") == 1


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (403, {"Origin": "https://evil.example"}),
        (403, {"Origin": "null"}),
        (403, {"Origin": ""}),
        (403, {"Origin": "http://localhost:9999"}),
        (403, {"Origin": "http://localhost.evil.example"}),
        (403, {"Sec-Fetch-Site": "cross-site"}),
        (403, {"Origin": "http://localhost", "Sec-Fetch-Site": "cross-site"}),
        (200, {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}),
        (200, {"Sec-Fetch-Site": "none"}),
        (200, {}),
    ],
)
def test_no_page_of_another_site_reloads(
    client: FlaskClient, tmp_path: Path, status: int, headers: dict[str, str]
) -> None:
    (tmp_path / "monitoring.yml").write_text("bots: [{name: new, type: demo}]")
    answer = client.post("/-/reload", headers=headers)
    assert answer.status_code == status
    assert set(metrics(client).of("trading_bot_up")) == ({("new",)} if status == 200 else {("demo",), (OTHER,)})
    if status == 403:
        assert answer.text == "refused: the request comes from a page of another site\n"


@pytest.mark.parametrize("path", ["/", "/metrics", "/sd", "/-/healthy", "/nothing"])
def test_no_page_of_another_site_asks_for_anything(client: FlaskClient, path: str) -> None:
    answer = client.get(path, headers={"Sec-Fetch-Site": "cross-site"})
    assert (answer.status_code, answer.text) == (403, "refused: the request comes from a page of another site\n")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("exporter:8000", 200),
        ("localhost", 200),
        ("127.0.0.1:8000", 200),
        ("192.168.1.5", 200),
        ("[::1]:8000", 200),
        ("[fd00::5]", 200),
        ("host.docker.internal:8000", 200),
        ("Bots.Example.org:8000", 200),
        ("", 200),
        ("evil.example:8000", 403),
        ("evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("x.bots.example.org", 403),
        ("localhost.", 403),
        ("127.1", 403),
    ],
)
def test_no_page_makes_its_own_name_lead_here(make_bots: MakeBots, host: str, status: int) -> None:
    """What DNS rebinding does, and nobody else."""
    client = create_app(make_bots(TWO), ["bots.example.org"]).test_client()
    for path in ("/", "/sd", "/-/healthy"):
        answer = client.get(path, headers={"Host": host})
        assert answer.status_code == status
    if status == 403:
        assert answer.text == f"refused: {host!r} is no known name of this server; --allowed-host adds one\n"


@pytest.mark.parametrize(
    ("method", "path"), [("get", "/-/reload"), ("post", "/metrics"), ("get", "/nothing"), ("put", "/")]
)
def test_what_is_not_there(client: FlaskClient, method: str, path: str) -> None:
    assert getattr(client, method)(path).status_code in (404, 405)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("put", "/api/v1/bots/a", 404),
        ("put", "/api/v1/bots/a/state/", 404),
        ("put", "/api/v1/bots", 404),
        ("get", "/api/", 404),
        ("post", "/api/v1/bots/a/state", 405),
    ],
)
def test_below_api_the_right_address_is_told(client: FlaskClient, method: str, path: str, status: int) -> None:
    answer = getattr(client, method)(path)
    assert (answer.status_code, answer.headers.get("Allow")) == (status, "PUT" if status == 405 else None)
    assert answer.text == (
        "not here: a bot's state document goes to PUT /api/v1/bots/NAME/state, and GET /api/v1/bots/NAME/trades lists "
        "its trades, both without a slash at the end\n"
    )


def test_the_password_shows_nowhere(
    make_bots: MakeBots, server: FreqtradeServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    bot = f"bots: [{{name: x, type: freqtrade, url: '{server.url}', username: lab, password_env: BOT_PASSWORD}}]"
    client = create_app(make_bots(bot)).test_client()
    shown = ""
    for how in (None, play.status(401), play.status(500), play.not_http, play.status(302, Location="http://x/")):
        server.misbehave = {} if how is None else dict.fromkeys(("health", "profit", "trades"), how)
        shown += client.get("/metrics").text + client.get("/").text + client.get("/sd").text
    server.password = "another"
    shown += client.get("/metrics").text + client.get("/").text + client.post("/-/reload").text
    assert server.credentials[-1] is not None
    for secret in (PASSWORD, server.credentials[-1], server.credentials[-1].split()[1]):
        assert secret not in shown + caplog.text
