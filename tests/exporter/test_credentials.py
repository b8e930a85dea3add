"""Passwords and tokens: from a variable or a file, of the kind that the bot needs, and never shown."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from exporter.config.credentials import secret_of
from exporter.config.load import ConfigError, load
from tests.exporter.freqtrade_server import PASSWORD

TOKEN = "0123456789abcdef"
ENTRIES = {
    "freqtrade": "type: freqtrade, url: 'http://127.0.0.1:1', username: u",
    "http": "type: http, url: 'http://127.0.0.1:1'",
    "http with a user": "type: http, url: 'http://127.0.0.1:1', username: u",
    "push": "type: push",
    "file": "type: file, path: x.json",
    "demo": "type: demo",
}
NEEDS = "needs {0}_env (a variable's name, set in .env) or {0}_file (a path), one of them"
PASSWORD_NEEDED, TOKEN_NEEDED = NEEDS.format("password"), NEEDS.format("token")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("A_PASSWORD", PASSWORD)
    monkeypatch.setenv("A_TOKEN", TOKEN)
    (tmp_path / "password").write_text(PASSWORD + "\n", encoding="utf-8")
    (tmp_path / "token").write_text(TOKEN + "\r\n")
    return tmp_path


def secret(folder: Path, entry: str, keys: str) -> str | None:
    """A bot's secret, as the bots get it; its fault as a ConfigError."""
    text = ", ".join(part for part in ("name: x", ENTRIES[entry], keys) if part)
    (folder / "monitoring.yml").write_text(f"bots:\n- {{{text}}}\n", encoding="utf-8")
    return secret_of(load(folder / "monitoring.yml").bots[0], folder)


def fault(folder: Path, entry: str, keys: str) -> str:
    with pytest.raises(ConfigError) as caught:
        secret(folder, entry, keys)
    (sentence,) = caught.value.faults
    assert sentence.startswith(f"{folder}/monitoring.yml:2: bots[0]: ")
    assert PASSWORD not in sentence
    return sentence.partition("bots[0]: ")[2]


@pytest.mark.parametrize(
    ("entry", "keys", "expected"),
    [
        ("freqtrade", "password_env: A_PASSWORD", PASSWORD),
        ("freqtrade", "password_file: password", PASSWORD),
        ("http", "", None),
        ("http", "token_env: A_TOKEN", TOKEN),
        ("http", "token_file: token", TOKEN),
        ("http with a user", "password_env: A_PASSWORD", PASSWORD),
        ("http with a user", "password_file: password", PASSWORD),
        ("push", "token_env: A_TOKEN", TOKEN),
        ("push", "token_file: token", TOKEN),
        ("file", "", None),
        ("demo", "", None),
    ],
)
def test_what_a_bot_has(folder: Path, entry: str, keys: str, expected: str | None) -> None:
    assert secret(folder, entry, keys) == expected


def test_a_path_from_the_root(folder: Path) -> None:
    assert secret(folder, "freqtrade", f"password_file: '{folder}/password'") == PASSWORD


PASSWORD_KEYS = ("password_env: A_PASSWORD", "password_file: password")
TOKEN_KEYS = ("token_env: A_TOKEN", "token_file: token")


@pytest.mark.parametrize(
    ("entry", "keys", "sentence"),
    [
        ("freqtrade", "", PASSWORD_NEEDED),
        ("freqtrade", "password_env: A_PASSWORD, password_file: password", PASSWORD_NEEDED),
        *(("freqtrade", each, "has a password; leave token_env and token_file out") for each in TOKEN_KEYS),
        ("freqtrade", "password_env: A_PASSWORD, token_env: A", "has a password; leave token_env and token_file out"),
        *(("http", each, "has a password, but no username") for each in PASSWORD_KEYS),
        ("http", "token_env: A_TOKEN, token_file: token", TOKEN_NEEDED),
        *(
            ("http with a user", each, "has a token and a user name or password; give one of them")
            for each in TOKEN_KEYS
        ),
        ("http", "token_env: A_TOKEN, password_env: A", "has a token and a user name or password; give one of them"),
        ("http with a user", "", PASSWORD_NEEDED),
        ("http with a user", "password_env: A_PASSWORD, password_file: password", PASSWORD_NEEDED),
        ("push", "", TOKEN_NEEDED),
        ("push", "token_env: A_TOKEN, token_file: token", TOKEN_NEEDED),
        *(("push", each, "sends a token; leave password_env and password_file out") for each in PASSWORD_KEYS),
    ],
)
def test_what_a_bot_must_not_lack_or_have(folder: Path, entry: str, keys: str, sentence: str) -> None:
    assert fault(folder, entry, keys) == sentence


@pytest.mark.parametrize("entry", ["file", "demo"])
@pytest.mark.parametrize("key", ["password_env", "password_file", "token_env", "token_file"])
def test_who_needs_none_knows_no_such_key(folder: Path, entry: str, key: str) -> None:
    with pytest.raises(ConfigError, match=rf"2: bots\[0\]\.{key} is A: unknown key"):
        secret(folder, entry, f"{key}: A")


KINDS = [("freqtrade", "password"), ("http with a user", "password"), ("http", "token"), ("push", "token")]


@pytest.mark.parametrize(("entry", "kind"), KINDS)
def test_what_is_not_there_or_cannot_be_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch, entry: str, kind: str
) -> None:
    monkeypatch.setenv("EMPTY", "")
    monkeypatch.setenv("LONG", "x" * 4097)
    (folder / "empty").write_text("\n")
    (folder / "binary").write_bytes(b"\xff\xfe" * 20)
    (folder / "long").write_text("x" * 10_000)
    os.mkfifo(folder / "pipe")
    # Who waits for it gets something.
    writer = os.open(folder / "pipe", os.O_RDWR)
    os.write(writer, b"x" * 10_000)
    for given, sentence in {
        f"{kind}_env: NO_SUCH": f"{kind}_env names NO_SUCH, which is not set; set it in .env",
        f"{kind}_env: EMPTY": f"{kind}_env names EMPTY, which is not set; set it in .env",
        f"{kind}_file: none": f"{kind}_file {folder}/none can't be read: No such file or directory",
        f"{kind}_file: .": f"{kind}_file {folder} can't be read: Is a directory",
        f"{kind}_file: pipe": f"{kind}_file {folder}/pipe can't be read: Is a pipe or a device, not a file",
        f"{kind}_file: empty": f"{kind}_file {folder}/empty is empty",
        f"{kind}_env: LONG": f"its {kind} is longer than 4096 characters",
        f"{kind}_file: long": f"its {kind} is longer than 4096 characters",
    }.items():
        assert fault(folder, entry, given) == sentence
    assert fault(folder, entry, f"{kind}_file: binary").startswith(f"{kind}_file {folder}/binary can't be read: ")
    os.close(writer)


@pytest.mark.parametrize("token", ["0123456789abcde ", "0123456789\tabcdef", "0123456789abcdeé", "0123456789\nabcdef"])
@pytest.mark.parametrize("entry", ["http", "push"])
def test_a_token_that_no_header_can_carry(folder: Path, entry: str, token: str) -> None:
    (folder / "token").write_text(token)
    assert fault(folder, entry, "token_file: token") == (
        "its token has characters that are not ASCII or can't be printed; make one: openssl rand -hex 32"
    )


def test_a_token_that_can_be_guessed(folder: Path) -> None:
    """Whoever may push tells the bot's state; what a bot that is read wants of us is its own affair."""
    (folder / "token").write_text("short")
    sentence = "its token is shorter than 16 characters; make one: openssl rand -hex 32"
    assert fault(folder, "push", "token_file: token") == sentence
    assert secret(folder, "http", "token_file: token") == "short"


def test_a_fault_of_the_password_is_told_beside_the_bot_s_others(folder: Path) -> None:
    (folder / "monitoring.yml").write_text(
        "bots:\n- {name: x, type: freqtrade, url: 'ftp://x', password_env: NO_SUCH}\n"
        "- {name: y, type: push, token_env: [A], stale_after: 5}\n"
    )
    with pytest.raises(ConfigError) as caught:
        load(folder / "monitoring.yml")
    assert [sentence.partition("monitoring.yml:")[2] for sentence in caught.value.faults] == [
        "2: bots[0].url is ftp://x: must be an address such as http://127.0.0.1:8080, without a password in it",
        "2: bots[0].username: is missing",
        "3: bots[1].token_env is [A]: must be a valid string",
        "3: bots[1].stale_after is 5: must be greater than or equal to 10",
        "2: bots[0]: password_env names NO_SUCH, which is not set; set it in .env",
    ]
