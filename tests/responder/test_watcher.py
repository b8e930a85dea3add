"""What looks after the acknowledgements must not die."""

from __future__ import annotations

from pathlib import Path

import pytest

from responder.acknowledge.acknowledger import Watcher
from responder.alertmanager import AlertmanagerError
from tests.responder.application import Responder
from tests.stack import wait_for


def test_the_watcher_goes_on_whatever_happens(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    responder = Responder(tmp_path)
    looks: list[str] = []

    def look() -> None:
        looks.append("look")
        if len(looks) < 3:
            raise AlertmanagerError("no answer") if len(looks) == 1 else RuntimeError("unforeseen")

    monkeypatch.setattr(responder.acknowledger, "watch", look)
    failures: list[str] = []
    watcher = Watcher(responder.acknowledger, lambda: failures.append("failed"), 0.01)
    watcher.start()
    wait_for("it goes on", lambda: len(looks) > 3)
    watcher.stop()
    assert len(failures) == 2 and "no answer" in caplog.text and "unforeseen" in caplog.text
