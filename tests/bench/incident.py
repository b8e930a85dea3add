"""How long `make up` takes, and from a bot's death to each message."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from tests.bench.report import row
from tests.channels import SlackServer, SmtpServer, TelegramServer
from tests.stack import ROOT, SERVICES, Stack, free_port, wait_for

WRITER = ROOT / "tests" / "e2e" / "writer.py"
DOWN_SECONDS = 60


def up(runs: int) -> None:
    """`make up` without containers, from a fresh clone with the tools fetched, until all is healthy."""
    seconds = []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as name:
            clone = Path(name) / "clone"
            subprocess.run(["git", "clone", "-q", ROOT, clone], check=True)
            (clone / ".env").write_text("".join(f"{s.upper()}_PORT={free_port()}\n" for s in (*SERVICES, "grafana")))
            (clone / ".venv").symlink_to(ROOT / ".venv")
            # Links stay links: the wrappers of some binaries have their place in them.
            shutil.copytree(ROOT / ".stack", clone / ".stack", symlinks=True, ignore=_all_but_tools)
            began = time.monotonic()
            subprocess.run(
                ["make", "up", "MODE=native"], cwd=clone, check=True, stdout=subprocess.DEVNULL, env=dict(os.environ)
            )
            seconds.append(time.monotonic() - began)
            subprocess.run(["make", "down", "MODE=native"], cwd=clone, check=True, stdout=subprocess.DEVNULL)
    row("make up MODE=native, tools fetched, until all is healthy", seconds)


def _all_but_tools(folder: str, names: list[str]) -> list[str]:
    return [n for n in names if n in ("data", "out", "run", "log", "lock")] if Path(folder).name == ".stack" else []


def death(runs: int) -> None:
    """From a bot's last sign of life to each message, with the intervals and waits as shipped."""
    print(
        f"From a bot's death to each message, and from its return to that of its end. bot_down_time {DOWN_SECONDS} s;"
    )
    print("as shipped: scraped every 10 s, rules every 10 s, group_wait 5 s, group_interval 5 min.")
    told: dict[str, list[float]] = {}
    ended: dict[str, list[float]] = {}
    with ExitStack() as exits:
        folder = Path(exits.enter_context(tempfile.TemporaryDirectory()))
        telegram = exits.enter_context(TelegramServer())
        slack = exits.enter_context(SlackServer())
        smtp = exits.enter_context(SmtpServer())
        bots = [
            {"name": f"bot{n}", "type": "file", "path": str(folder / f"bot{n}.json"), "stale_after": 10}
            for n in range(runs)
        ]
        writers = [subprocess.Popen([sys.executable, WRITER, str(bot["path"])]) for bot in bots]
        exits.callback(lambda: [w.kill() for w in writers])
        (folder / "stack").mkdir()
        monitoring = {"bots": bots, "thresholds": {"critical": {"bot_down_time": DOWN_SECONDS}}}
        settings = telegram.settings | slack.settings | smtp.settings
        stack = exits.enter_context(Stack(folder / "stack", monitoring, settings, short=False))
        wait_for("all bots are seen", lambda: stack.value("count(trading_bot_up == 1)") == runs, 120)
        channels: dict[str, Callable[[], list[str]]] = {
            "Telegram": lambda: [m["text"] for m in telegram.messages],
            "Slack": lambda: [str(m) for m in slack.messages],
            "email": lambda: [m.text for m in smtp.messages],
        }

        def first(word: str, results: dict[str, list[float]], since: dict[str, float], limit: float) -> None:
            waiting = {(channel, bot) for channel in channels for bot in since}

            def all_told() -> bool:
                for channel, bot in list(waiting):
                    if any(word in text and bot in text for text in channels[channel]()):
                        waiting.discard((channel, bot))
                        results.setdefault(channel, []).append(time.time() - since[bot])
                return not waiting

            wait_for("all messages", all_told, limit, every=0.1)

        deaths = {}
        for number, writer in enumerate(writers):
            # Spread over a scrape interval: the time of death is not in step with anything.
            time.sleep(3.3)
            writer.kill()
            writer.wait()
            deaths[f"bot{number}"] = time.time()
        first("FIRING", told, deaths, DOWN_SECONDS + 120)
        returns = {}
        for number, bot in enumerate(bots):
            writers[number] = subprocess.Popen([sys.executable, WRITER, str(bot["path"])])
            returns[f"bot{number}"] = time.time()
        first("RESOLVED", ended, returns, 700)
    for channel, values in told.items():
        row(f"  death → {channel}", values)
    for channel, values in ended.items():
        row(f"  return → {channel} (told at the next group_interval, 5 min)", values)
