"""Calls that may hang for ever, each in a thread of its own that is given up when its time is up.

A name's resolution, or a look at a network disk whose server is away, can't be ended from outside.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock, Thread
from typing import Any, TypeVar

T = TypeVar("T")


class Aside:
    """Runs calls aside. At most one is under way for a key, however often it is asked for: hung ones don't pile up."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._running: dict[str, Future[Any]] = {}

    def start(self, key: str, call: Callable[[], T]) -> Future[T]:
        """Begin a call, or join the one that is under way for this key; how long to wait for it is the caller's say."""
        with self._lock:
            running: Future[T] | None = self._running.get(key)
            if running is None or running.done():
                running = Future()
                # A daemon: one that hangs doesn't hold up the program's end.
                Thread(target=_run, args=(running, call), name=f"aside {key}", daemon=True).start()
                self._running[key] = running
            return running


def _run(future: Future[T], call: Callable[[], T]) -> None:
    try:
        result = call()
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(result)
