"""monitoring.yml: every fault at once, each with file, line, key, value and what is allowed; and no password shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.config import thresholds
from exporter.config.entries import DemoBot, FileBot, FreqtradeBot
from exporter.config.load import ConfigError, load
from tests.stack import ROOT

DEMO = "bots: [{name: demo, type: demo}]\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "monitoring.yml"


def faults(file: Path, text: str) -> list[str]:
    """A configuration's faults, without the file's name, which each begins with."""
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert str(caught.value) == "\n".join(caught.value.faults)
    assert all(fault.startswith(f"{file}:") for fault in caught.value.faults)
    return [fault.removeprefix(f"{file}:") for fault in caught.value.faults]


def only_fault(file: Path, text: str) -> str:
    (fault,) = faults(file, text)
    return fault


def test_as_shipped() -> None:
    config = load(ROOT / "monitoring.yml")
    assert [bot.type for bot in config.bots] == ["demo"]
    assert (config.preset, config.timezone) == ("beginner", "UTC")


def test_everything(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONE_PASSWORD", "secret")
    (file.parent / "password").write_text("secret\n")
    file.write_text(
        """
preset: experienced
timezone: Europe/Berlin
min_trades: 5
min_days: 3
bots:
  - {name: 'a {b} \\ 🤖', type: demo, seed: 11}
  - {name: b, type: file, path: b.json, stale_after: 30, thresholds: {critical: {max_drawdown: 0.05}}}
  - {name: c, type: freqtrade, url: "http://127.0.0.1:8080/", username: u, password_env: ONE_PASSWORD}
  - {name: d, type: freqtrade, url: "https://[::1]:8443/bot", username: u, password_file: password}
thresholds:
  critical: {max_drawdown: 0.2, drawdown_escalation: 0.2, error_rate: off, cpu_usage: 'off'}
  warning: {win_rate: 0.5}
""",
        encoding="utf-8",
    )
    config = load(file)
    demo, by_file, freqtrade, other = config.bots
    assert demo == DemoBot(name="a {b} \\ 🤖", type="demo", seed=11)
    assert isinstance(by_file, FileBot)
    assert (by_file.path, by_file.stale_after) == ("b.json", 30)
    assert isinstance(freqtrade, FreqtradeBot)
    assert isinstance(other, FreqtradeBot)
    assert (config.zone.key, config.limits.min_trades, config.limits.min_days) == ("Europe/Berlin", 5, 3)
    assert config.thresholds_of(demo)["critical"]["max_drawdown"] == 0.2
    assert config.thresholds_of(by_file)["critical"]["max_drawdown"] == 0.05
    assert config.thresholds_of(by_file)["critical"]["error_rate"] == "off"
    assert config.thresholds_of(by_file)["critical"]["cpu_usage"] == "off"
    assert config.thresholds_of(by_file)["warning"]["win_rate"] == 0.5
    assert config.thresholds_of(by_file)["info"]["sharpe_ratio"] == 2


EVERYTHING_WRONG = """\
preset: expert
timezone: Mars/Olympus
min_trades: 0
colour: blue
bots:
  - name: ""
    type: demo
    seed: "x"
  - name: a
    type: binance
  - name: a
    type: file
    file: x.json
  - name: "b\\nc"
    type: freqtrade
    url: ftp://x
    username: u
    password_env: NO_SUCH_VARIABLE
  - 5
  - name: e
    type: file
    path: 7
    stale_after: .nan
    thresholds: {warning: {disk_usage: 0.9}, critical: {disk_usage: 0.85}}
thresholds:
  critical:
    max_drawdown: 5
    max_drowdown: 0.1
    cpu_usage: [1]
  fatal: {}
  warning: 7
"""


def test_every_fault_at_once(file: Path) -> None:
    found = {fault.split(": ", 2)[1]: fault for fault in faults(file, EVERYTHING_WRONG)}
    expected = [
        "1: preset is expert: must be 'beginner', 'experienced' or 'production'",
        "2: timezone is Mars/Olympus: must be a time zone's name such as UTC or Europe/Berlin",
        "3: min_trades is 0: must be greater than or equal to 1",
        "4: colour is blue: unknown key; see docs/configuration.md for those that are known",
        "6: bots[0].name is '': must have at least 1 character",
        "8: bots[0].seed is x: must be a valid integer",
        "9: bots[1] is {name: a, type: binance}: type must be one of demo, file, freqtrade, http, push",
        "11: bots[2].path: is missing",
        "13: bots[2].file is x.json: unknown key; see docs/configuration.md for those that are known",
        "11: bots[2].name is a: is the name of bots[1] already; each bot needs its own",
        "14: bots[3].name is '\"b\\nc\"': must not have line breaks, other control characters or U+FFFD",
        "16: bots[3].url is ftp://x: must be an address such as http://127.0.0.1:8080, without a password in it",
        "14: bots[3]: password_env names NO_SUCH_VARIABLE, which is not set; set it in .env",
        "19: bots[4] is 5: must be a mapping of keys to values",
        "22: bots[5].path is 7: must be a valid string",
        "23: bots[5].stale_after is .nan: must be less than or equal to 86400",
        "24: bots[5].thresholds.warning.disk_usage is 0.9: must be below the critical one, which is 0.85",
        "27: thresholds.critical.max_drawdown is 5: must be 0.01 to 0.5 (ratio), on or off",
        "29: thresholds.critical.cpu_usage is [1]: must be 0.8 to 0.98 (ratio), on or off",
        "30: thresholds.fatal is {}: unknown severity; allowed: critical, warning, info",
        "31: thresholds.warning is 7: must be a mapping of thresholds to values",
    ]
    assert sorted(f for f in found.values() if "max_drowdown" not in f) == sorted(expected)
    (slip,) = (f for f in found.values() if "max_drowdown" in f)
    assert slip.startswith(
        "28: thresholds.critical.max_drowdown is 0.1: unknown critical threshold; allowed: bot_down_time,"
    )


@pytest.mark.parametrize("section", ["thresholds:\n", "thresholds:\n  critical:\n    # max_drawdown: 0.1\n"])
def test_a_section_that_is_commented_out_has_its_defaults(file: Path, section: str) -> None:
    file.write_text(DEMO + section)
    config = load(file)
    assert config.thresholds_of(config.bots[0]) == thresholds.defaults("beginner")


ESCALATES_BEFORE = (
    "thresholds.critical.drawdown_escalation is 0.2: must be at least max_drawdown, which is 0.3, or off: "
    "it escalates a drawdown that is worse"
)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "1: the file is null: must be a mapping of keys to values"),
        ("# nothing\n", "1: the file is null: must be a mapping of keys to values"),
        ("- a\n", "1: the file is [a]: must be a mapping of keys to values"),
        ("timezone: UTC\n", "1: bots: is missing"),
        ("bots:\n", "1: bots is null: must be a valid list"),
        ("bots: []\n", "1: bots is []: must name at least one bot"),
        (DEMO + "bots: []\n", "2: the key bots stands twice; remove one"),
        (DEMO + "x: [", "2: not YAML: expected the node content, but found '<stream end>'"),
        (DEMO + "thresholds: 5\n", "2: thresholds is 5: must be a mapping of severities"),
        (
            DEMO + "thresholds: {warning: {network_latency: 4}, critical: {network_latency: on}}",
            "2: thresholds.warning.network_latency is 4: must be below the critical one, which is 2",
        ),
        (
            DEMO + "thresholds: {critical: {max_drawdown: 0.3, drawdown_escalation: 0.2}}",
            f"2: {ESCALATES_BEFORE}",
        ),
        (
            DEMO + "escalation: {repeated: 2.5}",
            "2: escalation.repeated is 2.5: must be a whole number from 2 to 10 (times in 1 h), on or off",
        ),
        ("bots:\n- name: 2026-01-01\n  type: demo\n", "2: bots[0].name is 2026-01-01: must be a valid string"),
        (
            f"bots:\n- name: {'x' * 65}\n  type: demo\n",
            f"2: bots[0].name is {'x' * 65}: must have at most 64 characters",
        ),
        ("bots:\n- {name: x, type: demo, seed: true}\n", "2: bots[0].seed is true: must be a valid integer"),
        ("bots:\n- {name: x}\n", "2: bots[0] is {name: x}: type must be one of demo, file, freqtrade, http, push"),
        (
            "timezone: ../../etc/passwd\n" + DEMO,
            "1: timezone is ../../etc/passwd: must be a time zone's name such as UTC or Europe/Berlin",
        ),
    ],
)
def test_single_faults(file: Path, text: str, fault: str) -> None:
    assert only_fault(file, text) == fault


def test_a_warning_stricter_than_its_critical_is_fine_once_one_is_off(file: Path) -> None:
    file.write_text(DEMO + "thresholds: {warning: {network_latency: 4}, critical: {network_latency: off}}")
    assert load(file).thresholds_of(load(file).bots[0])["critical"]["network_latency"] == "off"


def test_a_bot_s_threshold_is_held_against_the_file_s(file: Path) -> None:
    bot = "bots: [{name: x, type: demo, thresholds: {warning: {network_latency: 3}}}]\n"
    assert only_fault(file, bot + "preset: experienced\n").startswith(
        "1: bots[0].thresholds.warning.network_latency is 3: must be below"
    )
    file.write_text(bot + "thresholds: {critical: {network_latency: 5}}")
    load(file)


def test_a_long_value_is_cut(file: Path) -> None:
    assert len(only_fault(file, f"timezone: {'x' * 5000}\n{DEMO}")) < 250


@pytest.mark.parametrize(
    "url",
    [
        *(
            "127.0.0.1:8080",
            "http://",
            "http:///x",
            "http:/x",
            "ftp://x",
            "",
            "http://x y/",
            "http://x:99999",
            "http://x:0",
        ),
        *("http://x?a=b", "http://x#a", "http://u@x", "http://u:p@x", "http://u:p/w@x", "http://[::1", "http://x\\ny"),
    ],
)
def test_addresses_that_are_none(file: Path, url: str) -> None:
    text = f'bots: [{{name: x, type: freqtrade, username: u, password_env: HOME, url: "{url}"}}]'
    assert "must be an address such as http://127.0.0.1:8080, without a password in it" in only_fault(file, text)


@pytest.mark.parametrize(
    "bots",
    [
        "- {name: x, type: freqtrade, username: u, url: 'http://127.0.0.1:1', password: hunter2}",
        "- {name: x, type: freqtrade, username: u, url: 'http://u:hunter2@127.0.0.1:1', password_env: HOME}",
        "- {name: x, type: freqtrade, username: u, url: 'http://u:hunt/hunter2@127.0.0.1:1', password_env: HOME}",
        "- {name: x, type: binance, password: hunter2}",
        "- {name: x, password: hunter2}",
        "- {name: x, type: demo, API_TOKEN: hunter2}",
        "- {name: x, type: demo, api: {key: 1, client_secret: [hunter2]}}",
        "  {x: {password: hunter2}}",
    ],
)
def test_a_password_at_the_wrong_place_is_not_shown(file: Path, bots: str) -> None:
    text = "\n".join(faults(file, f"bots:\n{bots}\n"))
    assert "hunter2" not in text
    assert "(not shown)" in text


def test_no_file(file: Path) -> None:
    for path, reason in ((file, "No such file or directory"), (file.parent, "Is a directory")):
        with pytest.raises(ConfigError) as caught:
            load(path)
        assert caught.value.faults == [f"{path}: {reason}; give the configuration with --config"]
    file.write_bytes(b"a: \xff")
    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        load(file)
