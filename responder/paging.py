"""Long lists on pages of their own: ?page=1 has the newest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from flask import request

T = TypeVar("T")

PAGE_SIZE = 50
MAX_PAGE = 100_000


def paged(find: Callable[..., Sequence[T]]) -> tuple[Sequence[T], dict[str, Any]]:
    """What `find` has, by `limit` and `offset`, for the asked page; and what its template is told of the pages."""
    page = min(max(request.args.get("page", 1, int), 1), MAX_PAGE)
    found = find(limit=PAGE_SIZE + 1, offset=(page - 1) * PAGE_SIZE)
    return found[:PAGE_SIZE], {"page": page, "more": len(found) > PAGE_SIZE}
