"""Sources: each reads one kind of bot and returns a `BotState`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

from exporter.state import BotState

# The groups of metrics that are read from a bot.
Group = Literal["bot", "trading", "model", "market", "system"]
# What a source reads at once; the value of the label `part` of trading_bot_source_read_seconds.
Part = Literal["bot", "trading", "api", "state", "process", "network"]

# A document is read whole and at once, whatever is wanted of it.
DOCUMENT: Mapping[Group, Part] = dict.fromkeys(("bot", "trading", "model", "market", "system"), "state")
BESIDE: Mapping[Group, Part] = dict.fromkeys(("model", "market", "system"), "state")


class Source(Protocol):
    """Reads one bot. A part is never read twice at the same time, two parts may be."""

    @property
    def groups(self) -> Mapping[Group, Part]:
        """The groups that it knows of, each with the part to read for it."""
        ...

    def read(self, part: Part, deadline: float) -> BotState:
        """Read a part of the bot's state.

        Args:
            part: what is wanted; a source that knows more may return it as well.
            deadline: the `time.monotonic()` by which the answer is needed.

        Raises:
            SourceError: nothing could be read. A fault in a part of what is wanted goes in `BotState.problems`.
        """
        ...
