"""Everything that is wrong with the settings, told at once."""

from __future__ import annotations

from collections.abc import Sequence


class Faults(Exception):  # noqa: N818 - several faults, not one error
    """What must be corrected before anything is written; one sentence each, never with a secret in it."""

    def __init__(self, messages: Sequence[str]) -> None:
        """Takes the sentences."""
        super().__init__("\n".join(messages))
        self.messages = tuple(messages)
