"""Takes out of a text what must not be shown, in whatever form it comes back."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from urllib.parse import unquote


def without(text: str, secrets: Iterable[str], instead: str) -> str:
    """The text without the secrets: in small or capital letters, percent-encoded or not, within JSON too.

    A short one, such as `api`, only as a word.
    """
    forms = {form for secret in secrets for form in (secret, unquote(secret)) if form}
    patterns = map(_pattern, sorted(forms, key=len, reverse=True))
    return re.sub("|".join(patterns), instead, text, flags=re.IGNORECASE) if forms else text


def of_login(user: str, password: str) -> Iterator[str]:
    """What a log-in is in the header Authorization."""
    for login in {f"{user}:{password}", f"{unquote(user)}:{unquote(password)}"}:
        encoded = base64.b64encode(login.encode("utf-8", "surrogateescape")).decode()
        yield encoded
        yield encoded.rstrip("=")


def _pattern(secret: str) -> str:
    pattern = "".join(map(_character, secret))
    return rf"\b{pattern}\b" if re.fullmatch(r"\w{1,5}", secret) else pattern


def _character(character: str) -> str:
    cases = {character, character.lower(), character.upper()}
    encoded = {"".join(f"%{byte:02x}" for byte in case.encode("utf-8", "surrogateescape")) for case in cases}
    # Some write `\/` in JSON.
    plain = r"\\?/" if character == "/" else re.escape(character)
    return f"(?:{'|'.join([plain, *sorted(encoded)])})"
