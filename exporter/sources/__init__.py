"""Sources: each reads one kind of bot and returns a `BotState`."""

from __future__ import annotations

from typing import Literal, Protocol

from exporter.state import BotState

Group = Literal["bot", "trading", "model", "market", "system"]
# The name of one reading of a source.
Part = str


class Source(Protocol):
    """Reads one bot. A part is never read twice at the same time, two parts may be."""

    def read(self, part: Part, deadline: float) -> BotState:
        """Read a part of the bot's state.

        Args:
            part: what is wanted; a source that knows more may return it as well.
            deadline: the `time.monotonic()` by which the answer is needed.

        Raises:
            SourceError: nothing could be read. A fault in a part of what is wanted goes in `BotState.problems`.
        """
        ...
