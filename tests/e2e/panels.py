"""Asks a running stack what the dashboards' panels ask, and waits until each has something to show."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from tests.grafana.dashboards import FILES, VALUES, load, panels, substituted
from tests.native.project import Project
from tests.stack import wait_for

# Dashboard → its panels that have nothing to show yet where all is well; they say so in words.
MAY_BE_EMPTY = {
    # Nothing fires.
    "trading-bot": {"Firing alerts"},
    "trading-bot-alerts": {
        *("Firing now", "Escalations", "How often"),
        # So no message was sent.
        *("Failing most", "Inbox, last", "By channel", "Messages over time"),
    },
    # Nothing is judged on less than an hour.
    "trading-bot-sla": {"Error budget left"},
    "trading-bot-stack": {
        *("Calls of services", "Time of a message, p95", "Messages received", "Deliveries"),
        # Nothing fails.
        *("Readings that failed", "Rules that failed or were skipped", "Errors"),
    },
}


def wait_for_data(project: Project, timeout: float) -> None:
    """Wait until each panel has a series; those that may be empty must be panels, and valid queries."""
    known = {(file.stem, panel["title"]) for file in FILES for panel in panels(load(file))}
    assert {(uid, title) for uid, titles in MAY_BE_EMPTY.items() for title in titles} <= known
    empty: list[str] = []

    def all_have_data() -> bool:
        empty[:] = _empty(project)
        return not empty

    try:
        wait_for("data in every panel", all_have_data, timeout, every=2)
    except AssertionError as error:
        raise AssertionError(f"{error}: {'; '.join(empty)}") from None


def _empty(project: Project) -> Iterator[str]:
    end = time.time()
    for file in FILES:
        for panel in panels(load(file)):
            series = [one for target in panel["targets"] for one in _ask(project, target, end)]
            if not series and panel["title"] not in MAY_BE_EMPTY[file.stem]:
                yield f"{file.stem}, {panel['title']}"


def _ask(project: Project, target: dict[str, Any], end: float) -> list[Any]:
    """As Grafana does, for the last 24 hours."""
    asked: dict[str, Any] = {"query": substituted(target["expr"]), "time": end}
    path = "query"
    if not target.get("instant"):
        step = int(VALUES["__interval"].removesuffix("s"))
        asked |= {"start": end - int(VALUES["__range_s"]), "end": end, "step": step}
        path = "query_range"
    address = f"/api/v1/{path}?{urlencode(asked)}"
    answer: Any = wait_for(f"an answer to {asked['query']}", lambda: project.get("prometheus", address), 30)
    found: list[Any] = answer["data"]["result"]
    return found
