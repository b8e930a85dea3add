"""The keys of monitoring.yml: each with what it may be, and the sentence for what it may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.config.entries import FileBot, FreqtradeBot, HttpBot, ProcessEntry, PushBot
from exporter.config.load import ConfigError, load

TOKEN = "0123456789abcdef"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SECRET", TOKEN)
    return tmp_path / "monitoring.yml"


def test_everything(file: Path) -> None:
    file.write_text("""
host: {disks: [/, /data, "/srv/my disk"]}
bots:
  - name: ft
    type: freqtrade
    url: https://127.0.0.1:8080/behind/a/proxy
    username: u
    password_env: SECRET
    ca_file: ca.pem
    state_file: states/ft.json
    stale_after: 600
    process: {name: freqtrade}
    probes: [api.binance.com:443, "[::1]:443"]
  - {name: served, type: http, url: "http://x/state?key=a", stale_after: 10, username: u, password_env: SECRET}
  - {name: with-token, type: http, url: "http://x/state", token_env: SECRET, ca_file: ca.pem}
  - {name: open, type: http, url: "http://x"}
  - {name: pushed, type: push, token_env: SECRET, stale_after: 86400}
  - {name: written, type: file, path: a.json, process: {pid_file: bot.pid}, probes: []}
  - {name: demo, type: demo, process: {name: python}}
""")
    config = load(file)
    assert config.host.disks == ("/", "/data", "/srv/my disk")
    freqtrade, served, with_token, open_, pushed, written, _demo = config.bots
    assert isinstance(freqtrade, FreqtradeBot)
    assert (freqtrade.state_file, freqtrade.ca_file, freqtrade.stale_after) == ("states/ft.json", "ca.pem", 600)
    assert freqtrade.process == ProcessEntry(name="freqtrade")
    assert freqtrade.probes == ("api.binance.com:443", "[::1]:443")
    assert isinstance(served, HttpBot)
    assert (served.url, served.username, served.stale_after) == ("http://x/state?key=a", "u", 10)
    assert isinstance(with_token, HttpBot)
    assert isinstance(open_, HttpBot)
    assert (with_token.username, open_.stale_after, open_.ca_file) == (None, 180, None)
    assert isinstance(pushed, PushBot)
    assert pushed.stale_after == 86400
    assert isinstance(written, FileBot)
    assert (written.process, written.probes) == (ProcessEntry(pid_file="bot.pid"), ())


def test_what_is_not_given(file: Path) -> None:
    file.write_text("bots: [{name: demo, type: demo}]\nhost: {}\n")
    config = load(file)
    assert config.host.disks == ("/",)
    assert (config.bots[0].process, config.bots[0].probes) == (None, ())


DEMO = "type: demo"
FREQTRADE = "type: freqtrade, url: 'http://x', username: u, password_env: SECRET"
HTTP = "type: http, url: 'http://x'"
PUSH = "type: push, token_env: SECRET"
AN_ADDRESS = "must be an address such as http://127.0.0.1:8080, without a password in it"
STALE_LOW, STALE_HIGH = "must be greater than or equal to 10", "must be less than or equal to 86400"
UNKNOWN = "unknown key; see docs/configuration.md for those that are known"
ONE_OF_THEM = "needs pid_file (a path) or name (of the program or script), one of them"
NOT_EMPTY = "must have at least 1 character"
A_PROBE = "must be an address such as api.binance.com:443, [::1]:443 or https://api.binance.com"

# A bot's keys, the key or entry that is wrong with its value as it is shown, and what is allowed.
FAULTS = [
    (f"{DEMO}, process: {{}}", ".process is {}", ONE_OF_THEM),
    (f"{DEMO}, process: {{name: a, pid_file: b}}", ".process is {name: a, pid_file: b}", ONE_OF_THEM),
    (f"{DEMO}, process: {{pid_file: ''}}", ".process.pid_file is ''", NOT_EMPTY),
    (f"{DEMO}, process: {{name: 5}}", ".process.name is 5", "must be a valid string"),
    (f"{DEMO}, process: {{pid: 5, name: a}}", ".process.pid is 5", UNKNOWN),
    (f"{DEMO}, process: python", ".process is python", "must be a mapping of keys to values"),
    (f"{DEMO}, probes: 'x:1'", ".probes is x:1", "must be a list"),
    (f"{DEMO}, probes: {{a: 1}}", ".probes is {a: 1}", "must be a list"),
    (f"{DEMO}, probes: [5]", ".probes[0] is 5", "must be a valid string"),
    (
        f"{DEMO}, probes: [{', '.join(['x:1'] * 11)}]",
        f".probes is {['x:1'] * 11}",
        "must have at most 10 entries",
    ),
    *(
        (f"{DEMO}, probes: ['x:1', '{probe}']", f".probes[1] is {probe or repr(probe)}", A_PROBE)
        for probe in ("", "x", "x:0", "x:70000", "ftp://x", "x y:1")
    ),
    (f"{DEMO}, probes: ['http://u:secret@x']", ".probes[0] is http://(not shown)@x", A_PROBE),
    (f"{DEMO}, url: x", ".url is x", UNKNOWN),
    (f"{FREQTRADE}, state_file: ''", ".state_file is ''", NOT_EMPTY),
    (f"{FREQTRADE}, ca_file: 5", ".ca_file is 5", "must be a valid string"),
    (f"{FREQTRADE}, stale_after: 9.9", ".stale_after is 9.9", STALE_LOW),
    (f"{FREQTRADE}, path: x", ".path is x", UNKNOWN),
    (f"{HTTP}, stale_after: 86401", ".stale_after is 86401", STALE_HIGH),
    (f"{HTTP}, stale_after: '60'", ".stale_after is '60'", "must be a valid number"),
    (f"{HTTP}, ca_file: ''", ".ca_file is ''", NOT_EMPTY),
    (f"{HTTP}, state_file: x", ".state_file is x", UNKNOWN),
    ("type: http", ".url", "is missing"),
    *(
        (f"type: http, url: '{url}'", f".url is {url}", AN_ADDRESS)
        for url in ("x", "ftp://x", "http://x#a", "http://x y", "http://x:0")
    ),
    ("type: http, url: 'http://u:secret@x'", ".url is http://(not shown)@x", AN_ADDRESS),
    (f"{PUSH}, stale_after: 1", ".stale_after is 1", STALE_LOW),
    (f"{PUSH}, url: 'http://x'", ".url is http://x", UNKNOWN),
    (f"{PUSH}, username: x", ".username is x", UNKNOWN),
]


@pytest.mark.parametrize(("keys", "where", "allowed"), FAULTS)
def test_faults_of_a_bot(file: Path, keys: str, where: str, allowed: str) -> None:
    file.write_text(f"timezone: UTC\nbots:\n- {{name: x, {keys}}}\n")
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert caught.value.faults == [f"{file}:3: bots[0]{where}: {allowed}"]


@pytest.mark.parametrize(
    ("host", "where", "allowed"),
    [
        ("5", " is 5", "must be a mapping of keys to values"),
        ("{disks: /}", ".disks is /", "must be a list"),
        ("{disks: [data]}", ".disks[0] is data", "must be a path from the root, such as / or /data"),
        ("{disks: [/, /../etc]}", ".disks[1] is /../etc", "must be a path from the root, such as / or /data"),
        ("{disks: [5]}", ".disks[0] is 5", "must be a valid string"),
        (
            f"{{disks: [{', '.join('/' * 21)}]}}",
            f".disks is [{', '.join('/' * 21)}]",
            "must have at most 20 entries",
        ),
        ("{network: x}", ".network is x", UNKNOWN),
    ],
)
def test_faults_of_the_host(file: Path, host: str, where: str, allowed: str) -> None:
    file.write_text(f"bots: [{{name: x, type: demo}}]\nhost: {host}\n")
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert caught.value.faults == [f"{file}:2: host{where}: {allowed}"]
