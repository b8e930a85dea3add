"""Which bots are this exporter's, where several share them."""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple


class Shard(NamedTuple):
    """One of `of` exporters that serve the same monitoring.yml; they are numbered from 0."""

    number: int = 0
    of: int = 1

    def holds(self, name: str) -> bool:
        """Whether a bot is this shard's: by the hash that Prometheus's relabelling action `hashmod` takes."""
        digest = hashlib.md5(name.encode(), usedforsecurity=False).digest()
        return int.from_bytes(digest[8:], "big") % self.of == self.number


ALL = Shard()


def shard(text: str) -> Shard:
    """A shard from a text such as 0/4.

    Raises:
        ValueError: the text is none.
    """
    match = re.fullmatch(r"([0-9]{1,4})/([0-9]{1,4})", text)
    if match is None or not int(match[1]) < int(match[2]):
        raise ValueError("must be NUMBER/COUNT with the number from 0 to COUNT - 1, such as 0/4")
    return Shard(int(match[1]), int(match[2]))
