"""Passwords and tokens that nobody has to think up: made once, kept ever after."""

from __future__ import annotations

import secrets
from pathlib import Path

from init.faults import Faults


def kept(path: Path) -> str:
    """The secret that stands in the file; empty where there is none. Raises Faults where it can't be read."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise Faults([f"{path} can't be read ({type(error).__name__}): correct its rights or delete it."]) from error


def made() -> str:
    """A new secret of 256 bits."""
    return secrets.token_urlsafe(32)
