"""Who is told by webhooks, and of what: the file that `python -m init` makes of monitoring.yml and .env."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

Kind = Literal["trades", "alerts", "reports"]


class SubscribersError(Exception):
    """The file can't be used; the text says why, and shows neither address nor secret."""


class Subscriber(BaseModel):
    """One webhook; without bots it is told of all."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)
    name: str
    kinds: list[Kind]
    url: str = Field(repr=False)
    secret: str = Field(repr=False)
    bots: list[str] | None = None

    def wants(self, kind: Kind, bot: str) -> bool:
        """Whether it is told of this; what is about no bot has an empty one."""
        return kind in self.kinds and (self.bots is None or bot in self.bots)


_SUBSCRIBERS = TypeAdapter(list[Subscriber])


class Subscribers:
    """The file is read at each use: a change needs no restart."""

    def __init__(self, file: Path | None) -> None:
        """Without a file there are none."""
        self._file = file

    def all(self) -> list[Subscriber]:
        """All of them. Raises SubscribersError."""
        if self._file is None:
            return []
        try:
            return _SUBSCRIBERS.validate_json(self._file.read_bytes())
        except OSError as error:
            raise SubscribersError(
                f"{self._file} can't be read: {error.strerror}; `python -m init` makes it."
            ) from None
        except ValidationError:
            raise SubscribersError(f"{self._file} isn't a list of webhooks: `python -m init` makes it anew.") from None

    def named(self, name: str) -> Subscriber | None:
        """The one of this name. Raises SubscribersError."""
        return next((each for each in self.all() if each.name == name), None)
