"""A limit on how often something may happen."""

from __future__ import annotations

import time
from threading import Lock


class Bucket:
    """Lets so many through at once, and so many a second on average."""

    def __init__(self, most: int, a_second: float) -> None:
        self._most = most
        self._a_second = a_second
        self._left = float(most)
        self._seen = time.monotonic()
        self._lock = Lock()

    def take(self) -> float | None:
        """Let one through; else the seconds until the next one may."""
        with self._lock:
            now = time.monotonic()
            self._left = min(self._left + (now - self._seen) * self._a_second, self._most)
            self._seen = now
            if self._left < 1:
                return (1 - self._left) / self._a_second
            self._left -= 1
            return None
