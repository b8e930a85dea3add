"""The stages of the tests about messages, each there while its tests run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.ladder import Ladder
from tests.e2e.messaging import STAGES, World
from tests.e2e.side_by_side import Running, run, selected


@pytest.fixture(scope="package")
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """All selected tests that run side by side, begun."""

    def make(name: str) -> World | Ladder:
        folder = tmp_path_factory.mktemp(name)
        return Ladder(folder) if name == "ladder" else World(folder, STAGES[name])

    with run(selected(request.session.items), make) as running:
        yield running
