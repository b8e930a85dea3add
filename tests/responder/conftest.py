"""The real Alertmanager and Prometheus, one of each for a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.responder.monitoring import Alerting, Ruling


@pytest.fixture(scope="module")
def alerting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alerting]:
    with Alerting(tmp_path_factory.mktemp("alertmanager")) as alerting:
        yield alerting


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory, alerting: Alerting) -> Iterator[Ruling]:
    with Ruling(tmp_path_factory.mktemp("prometheus"), alerting) as prometheus:
        yield prometheus
