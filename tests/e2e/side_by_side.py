"""Tests that mostly wait, run side by side: each in a thread of its own, all from the first one on.

Decorated with `side_by_side`, a test has one parameter: the name of the stage in conftest.py that it is played on.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import pytest

Test = Callable[[Any], None]
Running = dict[Test, "Future[None]"]


def side_by_side(test: Test) -> Callable[[Running], None]:
    """Turns a test into one that waits for what it does in its thread."""

    def wait(running: Running) -> None:
        running[test].result()

    wait.__doc__ = test.__doc__
    wait.__dict__["aside"] = test
    return wait


def selected(items: Sequence[pytest.Item]) -> list[Test]:
    """Those of a session's tests that run so."""
    found = [getattr(getattr(item, "function", None), "aside", None) for item in items]
    return [test for test in found if test]


@contextmanager
def run(tests: Sequence[Test], make: Callable[[str], AbstractContextManager[Any]]) -> Iterator[Running]:
    """Begins the tests; `make` gives the stage of a name, which is there until all of them are over."""
    running: Running = {}
    stages: dict[str, Any] = {}
    with ExitStack() as exits:
        for test in tests:
            (name,) = inspect.signature(test).parameters
            if name not in stages:
                stages[name] = exits.enter_context(make(name))
        # Left before the stages are: its tests need them.
        pool = exits.enter_context(ThreadPoolExecutor(max(len(tests), 1)))
        for test in tests:
            (name,) = inspect.signature(test).parameters
            running[test] = pool.submit(test, stages[name])
        yield running
