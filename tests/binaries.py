"""Finds the real Prometheus, Alertmanager and their tools for tests."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

FETCHED = Path(__file__).resolve().parent.parent / ".stack" / "bin"


def binary(name: str) -> str:
    """The path of prometheus, promtool, alertmanager or amtool; a test that needs one fails without it.

    Looked for in the variable NAME_BINARY, then in .stack/bin, where `make test` puts a version that is new enough
    (one from PATH, if it is), then in PATH.
    """
    given = os.environ.get(f"{name.upper()}_BINARY")
    for path in (given, str(FETCHED / name), name):
        found = shutil.which(path) if path else None
        if found:
            return found
    pytest.fail(
        f"{name} is not there. `make test` fetches it, or set {name.upper()}_BINARY to its path.", pytrace=False
    )
