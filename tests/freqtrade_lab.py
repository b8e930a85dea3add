"""A real freqtrade in dry-run on a local exchange, where the script that runs one is at hand."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import requests

from tests.stack import ROOT, free_port, wait_for

SCRIPT = Path(os.environ.get("FREQTRADE_LAB", ROOT.parent / "shared" / "freqtrade" / "lab.sh"))
# Installing freqtrade the first time takes minutes.
_INSTALL_SECONDS = 900


def missing() -> str:
    """Why there is no lab here; empty where there is one."""
    return "" if SCRIPT.exists() else f"no real freqtrade: {SCRIPT} is not there (FREQTRADE_LAB names another place)"


class Lab:
    """One freqtrade bot with its own folder, and the exchange that it trades on."""

    username, password = "lab", "lab-password"

    def __init__(self, folder: Path) -> None:
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._environment = {
            **os.environ,
            "LAB": str(folder),
            "BOT_NAME": "real",
            "BOT_PORT": str(self._port),
            "EXCHANGE_PORT": str(free_port()),
            "BOT_USERNAME": self.username,
            "BOT_PASSWORD": self.password,
        }
        self._folder = folder

    def _run(self, *arguments: str) -> None:
        # Not captured: what the script starts would hold the pipes open.
        with (self._folder / "lab.log").open("ab") as log:
            subprocess.run(
                ["bash", SCRIPT, *arguments],
                env=self._environment,
                check=True,
                timeout=_INSTALL_SECONDS,
                stdout=log,
                stderr=log,
            )

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            self.start()
        except BaseException:
            self._run("stop")
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._run("stop")

    def start(self) -> None:
        """Start exchange and bot where they don't run."""
        self._run("start")

    def kill(self) -> None:
        """End the bot as a crash does."""
        os.kill(int((self._folder / "bot.pid").read_text()), signal.SIGKILL)
        wait_for("the bot is gone", lambda: not self._answers(), 30)

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/api/v1/ping", timeout=2).ok
        except requests.RequestException:
            return False

    def get(self, call: str, **params: Any) -> Any:
        """An answer of the bot's API."""
        answer = requests.get(
            f"{self.url}/api/v1/{call}", params=params, auth=(self.username, self.password), timeout=30
        )
        answer.raise_for_status()
        return answer.json()

    def post(self, call: str, **body: Any) -> Any:
        """Have the bot do something."""
        answer = requests.post(f"{self.url}/api/v1/{call}", json=body, auth=(self.username, self.password), timeout=60)
        answer.raise_for_status()
        return answer.json()

    def trade(self, closed: int) -> None:
        """Give the bot a history of closed trades: some it makes now, the rest are copies of them in the past."""
        wait_for("the bot runs", lambda: self.get("show_config")["state"] == "running", 60)
        for coin in ("BTC", "ETH", "SOL", "XRP", "ADA", "DOGE", "AVAX", "LINK"):
            with suppress(requests.HTTPError):  # it may just have opened one there by itself
                self.post("forceenter", pair=f"{coin}/USDT", side="long")

        def filled() -> list[dict[str, Any]]:
            return [t for t in self.get("status") if t["amount"] > 0 and not t["has_open_orders"]]

        # Wins and losses both: prices move by more than the fees within a minute or so.
        wait_for("a position that wins", lambda: any((t["profit_abs"] or 0) > 0.02 for t in filled()), 300, every=1)
        for trade in sorted(filled(), key=lambda t: t["profit_abs"] or 0, reverse=True):
            with suppress(requests.HTTPError):
                self.post("forceexit", tradeid=str(trade["trade_id"]), ordertype="market")

        def won_and_lost() -> bool:
            profit = self.get("profit")
            return bool(profit["winning_trades"] and profit["losing_trades"])

        wait_for("a trade won and one lost", won_and_lost, 300, every=1)
        self._run("stop", "bot")
        self._run("history", str(closed))
        self.start()
        wait_for("the bot runs again", lambda: self.get("show_config")["state"] == "running", 60)
