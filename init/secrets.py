"""Passwords and tokens that nobody has to think up: made once, kept ever after."""

from __future__ import annotations

import secrets
from pathlib import Path

from init.faults import Faults


def kept_or_made(path: Path) -> str:
    """The secret that stands in the file, or a new one of 256 bits where there is none."""
    try:
        value = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        value = ""
    except (OSError, UnicodeDecodeError) as error:
        raise Faults([f"{path} can't be read ({type(error).__name__}): correct its rights or delete it."]) from error
    return value or secrets.token_urlsafe(32)
