"""Reads and writes the YAML files that are rendered; they are edited as data, never as text."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from init.faults import Faults


class _Dumper(yaml.SafeDumper):
    """Writes shared parts out in full: the result is read by people, too."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the base class's signature
        return True


def load(path: Path) -> dict[str, Any]:
    """The document in a file. Raises Faults where it can't be read."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise Faults([f"{path} can't be read: {error}"]) from error
    if not isinstance(document, dict):
        raise Faults([f"{path} is not a configuration: its top level must be keys with values."])
    return document


def dump(document: Mapping[str, Any], source: str) -> str:
    """The document as text, with a first line that says where it comes from."""
    text = yaml.dump(dict(document), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10**6)
    return f"# Made by `python -m init` from {source} and .env: change those, not this.\n{text}"


def replace_address(text: str, addresses: Mapping[str, str]) -> str:
    """The text with host:port replaced, where it is one of these or a URL with one of these."""
    if text in addresses:
        return addresses[text]
    if text.startswith(("http://", "https://")):
        parts = urlsplit(text)
        return parts._replace(netloc=addresses.get(parts.netloc, parts.netloc)).geturl()
    return text
