"""A real Chromium, by its DevTools protocol over a pipe."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Self

import pytest

from tests.stack import wait_for


class Browser:
    """One page of a fresh profile, as wide as a phone unless told otherwise. A context manager."""

    def __init__(self, folder: Path, width: int = 390) -> None:
        path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
        if path is None:
            pytest.skip("no Chromium")
        self._command = [path, "--headless", "--no-sandbox", "--remote-debugging-pipe", f"--user-data-dir={folder}"]
        self._width = width
        self._number = 0
        self._session = ""

    def __enter__(self) -> Self:
        read_by_it, self._to = os.pipe()
        self._from, written_by_it = os.pipe()

        def pipes() -> None:
            # It reads from descriptor 3 and writes to 4; first out of the way of each other.
            high = [os.dup(read_by_it), os.dup(written_by_it)]
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        self._process = subprocess.Popen(
            self._command,
            preexec_fn=pipes,
            close_fds=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read_by_it)
        os.close(written_by_it)
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        metrics = {"width": self._width, "height": 800, "deviceScaleFactor": 1, "mobile": self._width < 800}
        self.call("Emulation.setDeviceMetricsOverride", **metrics)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(20)
        os.close(self._to)
        os.close(self._from)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the protocol, and its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                assert "result" in answer, answer
                result: dict[str, Any] = answer["result"]
                return result

    def open(self, url: str) -> None:
        """Goes there."""
        self.call("Page.navigate", url=url)

    def run(self, script: str) -> Any:
        """The value of an expression; the page's policy doesn't bind it."""
        return self.call("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value")

    def wait_text(self, text: str) -> None:
        """Waits until the page says so."""
        wait_for(f"{text!r} on the page", lambda: text in (self.run("document.body && document.body.innerText") or ""))

    def fill_in(self, **values: str) -> None:
        """Fills the fields of these names in and presses the button of their form."""
        for name, value in values.items():
            self.run(f"document.querySelector('[name={name}]').value = {json.dumps(value)}")
        self.run(f"document.querySelector('[name={name}]').form.querySelector('button').click()")

    def is_too_wide(self) -> bool:
        """Whether a reader must scroll sideways."""
        return bool(self.run("document.documentElement.scrollWidth > window.innerWidth"))

    def _read(self) -> dict[str, Any]:
        content = b""
        while not content.endswith(b"\0"):
            byte = os.read(self._from, 1)
            assert byte, "Chromium has ended"
            content += byte
        answer: dict[str, Any] = json.loads(content[:-1])
        return answer
