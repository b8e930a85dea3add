"""HTTP for the services of Apprise that ends, and holds no more of an answer than is needed.

They call `requests`, which reads an answer whole, for as long as anything comes. Apprise's own time limit leaves such a
call to a thread of a pool that all share: with each the pool has one less, and the process can't end.
"""

from __future__ import annotations

import sys
from typing import Any

import requests

from exporter.sources.hard_end import HardEndAdapter

MOST_BYTES = 64 * 1024


def bind() -> None:
    """Leads the services that are loaded here."""
    for name, module in list(sys.modules.items()):
        if name.startswith("apprise.") and getattr(module, "requests", None) is requests:
            module.requests = _BOUNDED  # type: ignore[attr-defined]


class _Adapter(HardEndAdapter):
    def send(self, *arguments: Any, **options: Any) -> requests.Response:
        """The answer as far as it came until the end. What it says of success stands in its first line."""
        answer = super().send(*arguments, **{**options, "stream": True})
        content = b""
        try:
            for part in answer.iter_content(8192):
                content += part
                if len(content) >= MOST_BYTES:
                    break
        except requests.RequestException:
            pass
        finally:
            answer.close()
        answer._content, answer._content_consumed = content, True  # type: ignore[attr-defined]
        return answer


class _Session(requests.Session):
    def __init__(self) -> None:
        super().__init__()
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter())


class _Bounded:
    """In place of the module `requests`."""

    Session = _Session

    def request(self, method: str, url: str, **options: Any) -> requests.Response:
        with _Session() as session:
            return session.request(method, url, **options)

    def get(self, url: str, params: Any = None, **options: Any) -> requests.Response:
        return self.request("GET", url, params=params, **options)

    def post(self, url: str, data: Any = None, json: Any = None, **options: Any) -> requests.Response:
        return self.request("POST", url, data=data, json=json, **options)

    def put(self, url: str, data: Any = None, **options: Any) -> requests.Response:
        return self.request("PUT", url, data=data, **options)

    def delete(self, url: str, **options: Any) -> requests.Response:
        return self.request("DELETE", url, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(requests, name)


_BOUNDED = _Bounded()
