"""The real exporter, in this process, whose bots close trades as a test tells."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, Self

import requests
from werkzeug.serving import make_server

from exporter.bots import Bots
from exporter.web import create_app
from tests.serving import Serving
from tests.stack import free_port


class Exporting(Serving):
    """A context manager. Each of its bots writes a state document."""

    def __init__(self, folder: Path, *names: str) -> None:
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self._names = names or ("my/bot",)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._config = folder / "monitoring.yml"
        bots = [{"name": name, "type": "file", "path": f"{number}.json"} for number, name in enumerate(self._names)]
        self._config.write_text(json.dumps({"bots": bots}))

    def tell(self, *trades: dict[str, Any], bot: str = "") -> None:
        """From now on these are all closed trades of a bot, and they are read."""
        trading = {"initial_capital": 1000.0}
        about = {"mode": "live", "currency": "USDT"}
        document = {"timestamp": time.time(), "bot": about, "trading": trading, "trades": trades}
        self.write(document, bot)

    def write(self, document: dict[str, Any], bot: str = "") -> None:
        """A bot's document, which is read."""
        file = self._folder / f"{self._names.index(bot) if bot else 0}.json"
        draft = file.with_suffix(".new")
        draft.write_text(json.dumps(document))
        draft.replace(file)
        requests.get(f"{self.url}/metrics", timeout=10).raise_for_status()

    def __enter__(self) -> Self:
        # A new one each time: what it knew before is gone.
        app = create_app(Bots(self._config, self._folder / "data"))
        self._server = make_server("127.0.0.1", self.port, app, threaded=True)
        return super().__enter__()


def trade(number: int | str, closed_at: float, **changes: Any) -> dict[str, Any]:
    """A closed trade of a state document."""
    return {"id": number, "closed_at": closed_at, "profit": 1.5, **changes}
