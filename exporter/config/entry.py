"""What every entry of monitoring.yml is: unchangeable, strict about types, and without unknown keys."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Entry(BaseModel):
    """A mapping with known keys."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")
