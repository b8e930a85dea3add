"""Links for pages, made of what came from outside."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlsplit

MAX_LENGTH = 4000


def safe(url: str) -> str:
    """The address if a browser may be sent there, else nothing: only http and https, no `javascript:`."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return url if parts.scheme in ("http", "https") and parts.netloc and len(url) <= MAX_LENGTH else ""


def silence(external_url: str, group_labels: Mapping[str, str]) -> str:
    """Alertmanager's form for a new silence: of condition, bot and severity, or without a condition of all labels."""
    names = ("bot", "condition", "severity") if group_labels.get("condition") else tuple(sorted(group_labels))
    pairs = [f"{name}={quoted(group_labels[name])}" for name in names if name in group_labels]
    matchers = "{" + ",".join(pairs) + "}"
    return safe(f"{external_url}/#/silences/new?filter={quote(matchers, safe='')}")


def quoted(value: str) -> str:
    """A value as matchers and PromQL have it, in quotes."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
