"""The bots' passwords and tokens, which stand in variables or files that monitoring.yml names."""

from __future__ import annotations

import os
from pathlib import Path

from exporter.config.entries import BotEntry, FreqtradeBot, HttpBot, PushBot
from exporter.opening import open_file

# A token is made by a machine; one that somebody typed can be guessed.
_SHORTEST_TOKEN = 16
_MOST_CHARACTERS = 4096


def secret_of(bot: BotEntry, folder: Path) -> str | None:
    """A bot's password or token; None for a bot that needs none.

    Args:
        folder: that of monitoring.yml, from which relative paths count.

    Raises:
        ValueError: what is wrong and what to do. It never shows a secret.
    """
    if isinstance(bot, FreqtradeBot):
        _refuse(bot, "token", "has a password; leave token_env and token_file out")
        return _password(bot, folder)
    if isinstance(bot, PushBot):
        _refuse(bot, "password", "sends a token; leave password_env and password_file out")
        token = _read(bot, "token", folder)
        if len(token) < _SHORTEST_TOKEN:
            raise ValueError(f"its token is shorter than {_SHORTEST_TOKEN} characters; make one: openssl rand -hex 32")
        return token
    if isinstance(bot, HttpBot):
        if _given(bot, "token"):
            if bot.username is not None or _given(bot, "password"):
                raise ValueError("has a token and a user name or password; give one of them")
            return _read(bot, "token", folder)
        if bot.username is not None:
            return _password(bot, folder)
        _refuse(bot, "password", "has a password, but no username")
    return None


def _given(bot: BotEntry, kind: str) -> list[str]:
    keys = (f"{kind}_env", f"{kind}_file")
    return [key for key in keys if getattr(bot, key) is not None]


def _refuse(bot: BotEntry, kind: str, fault: str) -> None:
    if _given(bot, kind):
        raise ValueError(fault)


def _password(bot: BotEntry, folder: Path) -> str:
    return _read(bot, "password", folder)


def _read(bot: BotEntry, kind: str, folder: Path) -> str:
    keys = _given(bot, kind)
    if len(keys) != 1:
        raise ValueError(f"needs {kind}_env (a variable's name, set in .env) or {kind}_file (a path), one of them")
    (key,) = keys
    source = str(getattr(bot, key))
    if key.endswith("_env"):
        value = os.environ.get(source, "")
        if not value:
            raise ValueError(f"{key} names {source}, which is not set; set it in .env")
    else:
        path = folder / source
        try:
            with open(path, encoding="utf-8", opener=open_file) as file:
                value = file.read(_MOST_CHARACTERS + 1).rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"{key} {path} can't be read: {getattr(error, 'strerror', None) or error}") from None
        if not value:
            raise ValueError(f"{key} {path} is empty")
    if len(value) > _MOST_CHARACTERS:
        raise ValueError(f"its {kind} is longer than {_MOST_CHARACTERS} characters")
    if kind == "token" and not (value.isascii() and value.isprintable() and " " not in value):
        raise ValueError(
            "its token has characters that are not ASCII or can't be printed; make one: openssl rand -hex 32"
        )
    return value
