"""How the exporter survives bad input: what comes in, the sentence that the user gets, and that the others go on.

A row is a case. In each a demo bot and a file bot that do well are watched beside the bot in question, over the real
HTTP application: in the same scrape the two are served as ever, the fault is counted with its reason, and its sentence
stands in the log and on the exporter's page. In a sentence {where} is the document's path or address. More on each
source stands in its own tests.
"""

from __future__ import annotations

import html
import json
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from exporter.bots import Bots
from exporter.web import create_app
from tests.exporter import freqtrade_server as play
from tests.exporter.documents import full, write
from tests.exporter.freqtrade_server import PASSWORD, FreqtradeServer
from tests.exporter.helpers import RECORDED_AT, Samples, set_clock, soon

NOW = RECORDED_AT
HOUR = 3600.0
CLOCKS = ("bots", "document", "reading", *(f"sources.{name}" for name in ("demo", "file", "http", "freqtrade")))


class Scene:
    """The exporter of a demo bot, a file bot that does well, and the bot in question, at a time of our choice."""

    def __init__(self, folder: Path, log: pytest.LogCaptureFixture) -> None:
        self.folder, self.log = folder, log
        self.now = NOW
        self.patience = 10.0  # seconds that a scrape may take
        self.path = folder / "bad.json"

    def watch(self, entry: str, name: str = "bad") -> None:
        write(self.folder / "well.json", full(self.now))
        bots = "{name: demo, type: demo}, {name: well, type: file, path: well.json}"
        self.config = f"bots: [{bots}, {{name: {name}, {entry}}}]\n"
        (self.folder / "monitoring.yml").write_text(self.config, encoding="utf-8")
        self.client = create_app(Bots(self.folder / "monitoring.yml", self.folder / "data")).test_client()

    def scrape(self) -> Samples:
        answer = self.client.get("/metrics", headers={"X-Prometheus-Scrape-Timeout-Seconds": str(self.patience)})
        assert answer.status_code == 200
        return Samples(answer.data)

    def page(self) -> str:
        return html.unescape(self.client.get("/").text)

    def told(self, reason: str, sentence: str, up: int = 0) -> Samples:
        """A scrape, which has to be as this module's first lines say; `up`: whether values are served none the less."""
        got = self.scrape()
        assert got.of("trading_bot_up") == {("demo",): 1, ("well",): 1, ("bad",): up}
        others = {bot for (bot,) in got.of("trading_bot_profit_loss")}
        assert others - {"bad"} == {"demo", "well"}
        errors = {labels for labels, count in got.of("trading_bot_source_errors_total").items() if count}
        assert errors == {("bad", reason)}
        assert any(message.startswith(f"bot bad: {reason}: {sentence}") for message in self.log.messages)
        assert sentence in self.page()
        assert "Traceback" not in self.log.text
        return got

    def well(self) -> Samples:
        """A scrape in which all do well."""
        got = self.scrape()
        assert got.of("trading_bot_up") == {("demo",): 1, ("well",): 1, ("bad",): 1}
        return got


@pytest.fixture
def scene(tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Scene:
    scene = Scene(tmp_path, caplog)
    for module in CLOCKS:
        set_clock(monkeypatch, f"exporter.{module}", lambda: scene.now)
    monkeypatch.setattr("exporter.page._TIMEOUT", 0.5)
    return scene


# --- Documents -------------------------------------------------------------------------------------------------------


def document(**keys: Any) -> bytes:
    return json.dumps({"timestamp": NOW} | keys).encode()


def trade(**keys: Any) -> dict[str, Any]:
    return {"id": 1, "closed_at": NOW - 60, "profit": 5.0} | keys


SECONDS = "must be Unix seconds or ISO 8601 with a time zone, such as 1795255243 or 2026-11-21T10:00:43Z"

DOCUMENTS: dict[str, tuple[bytes, str]] = {
    "truncated": (document(bot={"status": "running"})[:-9], "not JSON: EOF while parsing"),
    "empty": (b"", "not JSON: EOF while parsing"),
    "50 MB": (document(x="y" * 50_000_000), "larger than 2 MiB; state totals and leave lists out"),
    "1 MB of small values": (
        document(x=[0] * 300_000),
        "has some 300002 values, more than 100000; state totals and leave lists out",
    ),
    "deep nesting": (b'{"x":' * 100_000, "not JSON: recursion limit exceeded"),
    "another type": (document(trading={"win_rate": "55 %"}), 'trading.win_rate is "55 %": must be a number'),
    "a list for an object": (document(bot=[]), "bot is a list: must be an object"),
    "NaN": (document(trading={"profit_loss": float("nan")}), "trading.profit_loss is NaN: must be a finite number"),
    "Infinity": (
        document(model={"drift_score": float("inf")}),
        "model.drift_score is Infinity: must be a finite number",
    ),
    "a negative count": (
        document(trading={"total_trades": -1}),
        "trading.total_trades is -1: must not be negative",
    ),
    "percent for a ratio": (
        document(system={"cpu_usage": 55}),
        "system.cpu_usage is 55: must be 0 to 1; 0.85 is 85 %",
    ),
    "a time to come": (
        document(timestamp=NOW + HOUR),
        "timestamp is 3600 s in the future; are the clocks right, and its time zone?",
    ),
    "a trade to come": (
        document(trades=[trade(closed_at=NOW + HOUR)]),
        "trades.0.closed_at is 3600 s in the future; are the clocks right, and its time zone?",
    ),
    "milliseconds": (document(timestamp=NOW * 1000), f"timestamp is {NOW * 1000}: looks like milliseconds; {SECONDS}"),
    "no time zone": (
        document(timestamp="2026-11-21T10:00:43"),
        f'timestamp is "2026-11-21T10:00:43": has no time zone; {SECONDS}',
    ),
    "two trades of one id": (
        document(trades=[trade(), trade(profit=6.0)]),
        "trades.1.id: 1 is the id of trades.0 already, which is another trade; each needs an id of its own",
    ),
    "a name of 10,000 characters": (
        document(bot={"name": "x" * 10_000}),
        'bot.name is "' + "x" * 38 + "…: must have at most 200 characters",
    ),
    "several faults": (
        document(bot={"status": "asleep"}, trading={"fees": -1}),
        '2 faults: bot.status is "asleep": must be running, paused, stopped, reloading, error or unknown; ',
    ),
}


@pytest.mark.parametrize("case", DOCUMENTS)
def test_a_bad_document_is_refused_and_the_last_good_one_serves(scene: Scene, case: str) -> None:
    text, sentence = DOCUMENTS[case]
    scene.watch("type: file, path: bad.json")
    scene.path.write_bytes(text)
    scene.told("invalid", f"{scene.path}: {sentence}")
    write(scene.path, full(NOW))
    assert "trading_bot_profit_loss" in scene.well().names
    scene.path.write_bytes(text)
    assert scene.told("invalid", f"{scene.path}: {sentence}", up=1).get("trading_bot_profit_loss", bot="bad") == 4
    # Until that is stale as well.
    scene.now += 181
    write(scene.folder / "well.json", full(scene.now))
    scene.told("invalid", f"{scene.path}: {sentence}".replace(f"{HOUR:g} s", f"{HOUR - 181:g} s"))


FINE: dict[str, tuple[bytes, Callable[[Samples], object]]] = {
    "the same trade twice counts once": (
        document(trades=[trade(), trade(), trade(id="1")]),
        lambda got: got.get("trading_bot_trades_total", bot="bad", result="win") == 2,
    ),
    "a name with quotes, newline and emoji": (
        document(bot={"name": 'a "b"\n🤖'}),
        lambda got: got.of("trading_bot_info")[("bad", "", "", "", 'a "b"\n🤖', "", "")] == 1,
    ),
    "a pair that would forge a series": (
        document(trades=[trade(pair='"} 1\ntrading_bot_up{bot="well')]),
        lambda got: got.get("trading_bot_pair_profit_loss", bot="bad", pair='"} 1\ntrading_bot_up{bot="well') == 5,
    ),
    "nothing but its time": (document(), lambda got: got.get("trading_bot_state", bot="bad", state="unknown") == 1),
}


@pytest.mark.parametrize("case", FINE)
def test_what_may_look_bad_and_is_fine(scene: Scene, case: str) -> None:
    text, expected = FINE[case]
    scene.watch("type: file, path: bad.json")
    scene.path.write_bytes(text)
    assert expected(scene.well())
    assert scene.log.messages == []


def test_an_unknown_key_is_a_warning_told_once(scene: Scene) -> None:
    scene.watch("type: file, path: bad.json")
    for profit in (1.0, 2.0, 3.0):
        write(scene.path, {"timestamp": NOW, "trading": {"profit_loss": profit, "proft": 5}})
        assert scene.well().get("trading_bot_profit_loss", bot="bad") == profit
    assert scene.log.messages == [
        (
            f"{scene.path}: the key 'trading.proft' is not known and not used; did you mean profit_loss? "
            "see docs/state-document.md"
        )
    ]


# --- The file --------------------------------------------------------------------------------------------------------


def test_a_file_that_is_written_in_place_while_it_is_read(scene: Scene) -> None:
    """Half a document is refused, the whole one before serves; in no scrape is there a mixture."""
    scene.watch("type: file, path: bad.json")
    write(scene.path, full(NOW, trading={"total_trades": 1, "profit_loss": 1.0}))
    scene.well()
    whole = json.dumps(full(NOW, trading={"total_trades": 2, "profit_loss": 2.0}))
    scene.path.write_text(whole[:400])
    got = scene.told("invalid", f"{scene.path}: not JSON: EOF while parsing", up=1)
    assert got.get("trading_bot_profit_loss", bot="bad") == 1
    scene.path.write_text(whole)
    assert scene.well().get("trading_bot_profit_loss", bot="bad") == 2

    ended = threading.Event()

    def keep_writing() -> None:
        n = 2
        while not ended.is_set():
            n += 1
            text = json.dumps(full(NOW, trading={"total_trades": n, "profit_loss": float(n)}))
            with scene.path.open("w") as file:
                for start in range(0, len(text), 500):
                    file.write(text[start : start + 500])
                    file.flush()

    writer = threading.Thread(target=keep_writing)
    writer.start()
    try:
        seen, end = set(), soon(20)
        while len(seen) < 5 and soon(0) < end:
            got = scene.well()
            seen.add(got.get("trading_bot_profit_loss", bot="bad"))
    finally:
        ended.set()
        writer.join()
    assert len(seen) == 5
    assert all(value is not None and value == int(value) for value in seen)


def linked(target: str) -> Callable[[Scene], None]:
    return lambda scene: scene.path.symlink_to(target)


QUESTION = "does the bot write its state there, may it be read?"

FILES: dict[str, tuple[Callable[[Scene], object], str]] = {
    "no file": (lambda _: None, f"No such file or directory; {QUESTION}"),
    "a folder": (lambda scene: scene.path.mkdir(), f"Is a directory; {QUESTION}"),
    "a link out of its folder": (
        linked("/etc/hostname"),
        f"Is a symbolic link out of its folder, to /etc/hostname; give that path itself; {QUESTION}",
    ),
    "a link to itself": (linked("bad.json"), f"Too many levels of symbolic links; {QUESTION}"),
}


@pytest.mark.parametrize("case", FILES)
def test_what_is_no_file_of_the_bot(scene: Scene, case: str) -> None:
    make, sentence = FILES[case]
    scene.watch("type: file, path: bad.json")
    make(scene)
    scene.told("missing", f"{scene.path}: {sentence}")


def test_a_link_within_its_folder_is_fine(scene: Scene) -> None:
    scene.watch("type: file, path: bad.json")
    write(scene.folder / "version-2.json", full(NOW))
    scene.path.symlink_to("version-2.json")
    scene.well()


def test_a_bot_that_stops_writing(scene: Scene) -> None:
    scene.watch("type: file, path: bad.json, stale_after: 60")
    write(scene.path, full(NOW))
    scene.well()
    scene.now += 61
    scene.told(
        "stale",
        f"{scene.path}: its timestamp is 2026-11-21 10:00:44+00:00, older than stale_after (60 s); "
        "does the bot still write it, or is its clock slow?",
    )


# --- Names -----------------------------------------------------------------------------------------------------------

UNREADABLE = "must not have line breaks, other control characters or U+FFFD"
UNCHOOSABLE = "which dashboards can't ask for; a ' can be"
NAMES: dict[str, tuple[str, str, str | None]] = {
    # As it stands in monitoring.yml; the name, or the sentence.
    "quotes": ("\"a 'b' {c='d'}\"", "a 'b' {c='d'}", None),
    "a quote": ("'a\"b'", "", f"""bots[2].name is a"b: must not have a " in it, {UNCHOOSABLE}"""),
    "all": ("All", "", "bots[2].name is All: stands for all bots in the dashboards; give the bot another name"),
    "emoji": ("🤖 bot", "🤖 bot", None),
    "newline": ('"a\\nb"', "", f"""bots[2].name is '"a\\nb"': {UNREADABLE}"""),
    "next line": ('"a\\u0085b"', "", f"""bots[2].name is '"a\\u0085b"': {UNREADABLE}"""),
    "line separator": ('"a\\u2028b"', "", f"""bots[2].name is '"a\\u2028b"': {UNREADABLE}"""),
    "what could not be decoded": ('"a\\uFFFDb"', "", f"bots[2].name is a\ufffdb: {UNREADABLE}"),
    "10,000 characters": ("x" * 10_000, "", f"bots[2].name is {'x' * 77}...: must have at most 64 characters"),
    "taken": ("well", "", "bots[2].name is well: is the name of bots[1] already; each bot needs its own"),
}


@pytest.mark.parametrize("case", NAMES)
def test_a_bot_s_name(scene: Scene, case: str) -> None:
    """One that can't be is refused by the reload, and the bots from before go on."""
    written, name, fault = NAMES[case]
    scene.watch("type: demo")
    file = scene.folder / "monitoring.yml"
    file.write_text(scene.config.replace("name: bad", f"name: {written}"), encoding="utf-8")
    answer = scene.client.post("/-/reload")
    if fault is None:
        assert answer.status_code == 200
        assert scene.scrape().of("trading_bot_up") == {("demo",): 1, ("well",): 1, (name,): 1}
        assert name in scene.page()
    else:
        assert answer.status_code == 500
        assert answer.text == f"refused, the configuration before stays in use:\n{file}:1: {fault}\n"
        assert f"{file}:1: {fault}" in scene.log.text
        assert scene.well().get("trading_bot_config_last_reload_successful") == 0


# --- HTTP ------------------------------------------------------------------------------------------------------------

REFUSED = "credentials refused; check those that monitoring.yml names"
ASKED = "it asks for credentials; give token_env, or username and password_env"

ANSWERS: dict[str, tuple[play.Misbehaviour, str, str]] = {
    "301": (
        play.status(301, Location="https://new.example/"),
        "http_status",
        "HTTP 301, sent on to 'https://new.example/'; redirects are not followed, give the final url",
    ),
    "401": (play.status(401), "auth", f"HTTP 401: {ASKED}"),
    "403": (play.status(403), "auth", f"HTTP 403: {ASKED}"),
    "404": (play.status(404), "http_status", "HTTP 404 Not Found; is the path right?"),
    "429": (play.status(429), "http_status", "HTTP 429 Too Many Requests"),
    "500": (play.status(500), "http_status", "HTTP 500 Internal Server Error"),
    "204": (play.status(204, b""), "http_status", "HTTP 204 No Content"),
    "40 MB": (play.flood, "invalid", "the answer is larger than 2 MiB"),
    "a body that never ends": (play.drip, "timeout", "no answer within 5 s, or the scrape's time"),
    "headers that never end": (play.drip_headers, "timeout", "no answer within 5 s, or the scrape's time"),
    "no answer": (play.hang, "timeout", "no answer within 5 s, or the scrape's time"),
    "a body that is cut off": (play.cut_off, "invalid", "not a proper HTTP answer: "),
    "no HTTP": (play.not_http, "connection", ""),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_a_bad_answer(scene: Scene, server: FreqtradeServer, case: str) -> None:
    misbehaviour, reason, sentence = ANSWERS[case]
    scene.watch(f"type: http, url: '{server.url}/state?key=secret'")
    server.misbehave["/state"] = well = play.status(200, json.dumps(full(NOW)).encode())
    scene.well()
    server.misbehave["/state"] = misbehaviour
    scene.patience = 1.0 if reason == "timeout" else 10.0
    got = scene.told(reason, f"{server.url}/state: {sentence}")
    assert "trading_bot_state" not in {name for name in got.names if got.of(name).keys() & {("bad",)}}
    assert "secret" not in scene.page() + scene.log.text
    scene.patience = 10.0
    server.misbehave["/state"] = well
    scene.well()


OF_FREQTRADE: dict[str, tuple[play.Misbehaviour, str, str]] = {
    "401": (play.status(401), "auth", f"HTTP 401: {REFUSED}"),
    "502, as while it reloads": (play.status(502), "http_status", "HTTP 502 Bad Gateway"),
    "no JSON": (play.status(200, b"<html>"), "invalid", "the answer is not JSON: expected value at line 1 column 1"),
    "deep nesting": (play.status(200, b"[" * 50_000), "invalid", "the answer is not JSON: "),
    "a list": (play.status(200, b"[]"), "invalid", "/health: a JSON object was expected, not list"),
    "40 MB": (play.flood, "invalid", "the answer is larger than 1 MiB"),
    "a body that never ends": (play.drip, "timeout", "no answer within 3 s, or the scrape's time"),
}


@pytest.mark.parametrize("case", OF_FREQTRADE)
def test_a_bad_answer_of_freqtrade(scene: Scene, server: FreqtradeServer, case: str) -> None:
    misbehaviour, reason, sentence = OF_FREQTRADE[case]
    scene.watch(FREQTRADE.format(url=server.url))
    scene.well()
    server.misbehave |= dict.fromkeys(("health", "show_config"), misbehaviour)
    scene.patience = 1.0 if reason == "timeout" else 10.0
    scene.told(reason, sentence if case == "a list" else f"{server.url}/api/v1/health: {sentence}")
    scene.patience = 10.0
    server.misbehave.clear()
    scene.well()


FREQTRADE = "type: freqtrade, url: '{url}', username: lab, password_env: BOT_PASSWORD"


@pytest.mark.parametrize(
    "entry", [FREQTRADE, "type: http, url: '{url}/state', username: u, password_env: BOT_PASSWORD"]
)
def test_credentials_follow_no_redirect(scene: Scene, server: FreqtradeServer, entry: str) -> None:
    with FreqtradeServer() as other:
        server.misbehave |= dict.fromkeys(("health", "show_config", "/state"), play.status(302, Location=other.url))
        scene.watch(entry.format(url=server.url))
        got = scene.scrape()
        assert got.get("trading_bot_up", bot="bad") == 0
        assert f"HTTP 302, sent on to '{other.url}'; redirects are not followed" in scene.page()
        assert (other.asked, other.credentials) == ([], [])
        assert server.credentials[0] is not None
    assert PASSWORD not in scene.page() + scene.log.text


def test_nobody_listens(scene: Scene) -> None:
    url = "http://127.0.0.1:1/state"
    scene.watch(f"type: http, url: '{url}'")
    scene.told("connection", f"{url}: Connection refused; is the bot running, is the address right?")


def test_a_host_that_is_not_known(scene: Scene) -> None:
    url = "http://no-such-host.invalid/state"
    scene.watch(f"type: http, url: '{url}'")
    scene.told("dns", f"{url}: ")
    assert "; is the host's name right?" in scene.page()


# --- TLS -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Makes a self-signed certificate for a name, in a file with its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("the openssl command, which makes the certificates, is not there")

    def make(name: str) -> Path:
        folder = tmp_path_factory.mktemp("tls")
        command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        command += ["-days", "30", "-subj", "/CN=bot", "-addext", f"subjectAltName={name}"]
        subprocess.run(
            [*command, "-keyout", folder / "key", "-out", folder / "certificate"], capture_output=True, check=True
        )
        together = folder / "both.pem"
        together.write_bytes((folder / "certificate").read_bytes() + (folder / "key").read_bytes())
        return together

    return make


@pytest.fixture
def encrypted(
    certificate: Callable[[str], Path], request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[FreqtradeServer]:
    """A server with a certificate for a name, which stands in the file `its own` as well."""
    both = certificate(request.param)
    shutil.copy(both, tmp_path / "its own")
    with FreqtradeServer(certificate=both) as running:
        running.misbehave["/state"] = play.status(200, json.dumps(full(NOW)).encode())
        yield running


VERIFY = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: "
TLS = [
    # The certificate's name, what is trusted, the sentence.
    ("IP:127.0.0.1", None, VERIFY + "self-signed certificate"),
    ("DNS:other.example", "its own", VERIFY + "IP address mismatch, certificate is not valid for '127.0.0.1'"),
    ("IP:127.0.0.1", "its own", None),
    (
        "IP:127.0.0.1",
        "no file",
        "ca_file can't be read: Could not find a suitable TLS CA certificate bundle, invalid path: {folder}/no file",
    ),
    ("IP:127.0.0.1", "nonsense", "[X509: NO_CERTIFICATE_OR_CRL_FOUND] no certificate or crl found"),
]


@pytest.mark.parametrize(("encrypted", "trusted", "sentence"), TLS, indirect=["encrypted"])
def test_tls(scene: Scene, encrypted: FreqtradeServer, trusted: str | None, sentence: str | None) -> None:
    url = f"{encrypted.url}/state"
    (scene.folder / "nonsense").write_text("nonsense")
    scene.watch(f"type: http, url: '{url}'" + (f", ca_file: '{trusted}'" if trusted else ""))
    if sentence is None:
        scene.well()
    else:
        scene.told("tls", f"{url}: {sentence.format(folder=scene.folder)}")
        if "[" in sentence:
            assert "; check the certificate and the https:// address" in scene.page()


def test_no_tls_where_tls_is_asked(scene: Scene, server: FreqtradeServer) -> None:
    url = server.url.replace("http:", "https:") + "/state"
    scene.watch(f"type: http, url: '{url}'")
    scene.told("tls", f"{url}: ")
    assert "check the certificate and the https:// address" in scene.page()


# --- freqtrade as it goes -------------------------------------------------------------------------------------------


def test_a_freqtrade_that_has_no_trades_yet_trades_reloads_stops_and_is_gone(
    scene: Scene, server: FreqtradeServer
) -> None:
    scene.watch(FREQTRADE.format(url=server.url))
    closed, server.closed = server.closed, []
    server.play("no_closed_trades")
    got = scene.well()
    assert got.get("trading_bot_trades_total", bot="bad", result="win") == 0
    assert got.get("trading_bot_win_rate", bot="bad") is None
    server.closed = closed
    server.play("running")
    got = scene.well()
    assert got.get("trading_bot_trades_total", bot="bad", result="win") == 22
    server.answers["show_config"]["json"]["state"] = "reload_config"
    assert scene.well().get("trading_bot_state", bot="bad", state="reloading") == 1
    server.play("stopped")
    got = scene.well()
    assert got.get("trading_bot_state", bot="bad", state="stopped") == 1
    assert set(got.of("trading_bot_source_errors_total").values()) == {0}
    assert scene.log.messages == []
    server.__exit__()
    sentence = f"{server.url}/api/v1/health: Connection refused; is the bot running, is the address right?"
    got = scene.told("connection", sentence)
    # What it made stays with Prometheus; of now nothing is known.
    assert ("bad", "win") not in got.of("trading_bot_trades_total")


# --- A clock that jumps ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("jumps", [(-HOUR, HOUR), (HOUR, -HOUR), (-HOUR, -HOUR), (HOUR, HOUR)])
def test_the_machine_s_clock_is_set(scene: Scene, server: FreqtradeServer, jumps: tuple[float, ...]) -> None:
    """No exception, no age below 0, no counter that goes back; and once the bots wrote anew, all is as it was."""
    scene.watch(FREQTRADE.format(url=server.url))
    before = scene.well()
    for jump in (0.0, *jumps, 0.0):
        scene.now += jump
        for step in (0.0, 30.0, 60.0):
            scene.now += step
            got = scene.scrape()
            assert got.get("trading_bot_up", bot="demo") == got.get("trading_bot_up", bot="bad") == 1
            if step:
                # Since it wrote last, the bot's document is older than stale_after, or from a time to come.
                assert got.get("trading_bot_up", bot="well") == 1
            ages = {
                n: v for n in got.names if n.endswith("_seconds") and "timestamp" not in n for v in got.of(n).items()
            }
            assert all(value >= 0 for _, value in ages.values()), ages
            was = before.counters()
            assert {key for key, value in got.counters().items() if value < was.get(key, 0)} == set()
            before = got
            write(scene.folder / "well.json", full(scene.now))
    assert got.get("trading_bot_source_errors_total", bot="well", reason="internal") == 0
    assert "Traceback" not in scene.log.text
    assert scene.well().get("trading_bot_profit_loss", bot="well") == 4


def test_a_document_from_before_the_clock_was_set_back_is_not_served(scene: Scene) -> None:
    """It could be an hour old before it would be stale: its bot may be dead."""
    scene.watch("type: file, path: bad.json")
    write(scene.path, full(NOW))
    scene.well()
    scene.now -= HOUR
    write(scene.folder / "well.json", full(scene.now))
    sentence = "its timestamp is 2026-11-21 10:00:44+00:00, in the future; are the clocks right?"
    scene.told("stale", f"{scene.path}: {sentence}")
    scene.now += HOUR
    write(scene.folder / "well.json", full(scene.now))
    scene.well()
