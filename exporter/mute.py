"""Mutes a bot's alerts for a time, without an edit of monitoring.yml: `python -m exporter.mute BOT 2h`, or `BOT off`.

What is muted stands in a file of the exporter's data folder, so it outlives a restart, and the exporter serves it as
maintenance: the bot's alerts are held back, its escalation waits, and its SLA doesn't count the time.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from exporter.config.settings import duration
from exporter.config.yaml_lines import YamlError, load_with_lines

_FILE = "muted.json"
# A bot that is to be silent for longer has thresholds of its own.
_LEAST, _MOST = 60, 7 * 86400


class _MuteError(Exception):
    """What is wrong, in a sentence."""


def read(data: Path) -> dict[str, float]:
    """The bots that are or were muted, and until when; none where the file can't be read."""
    try:
        found = json.loads((data / _FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    known = found.items() if isinstance(found, dict) else ()
    return {name: float(until) for name, until in known if isinstance(until, int | float)}


def muted(data: Path, now: float) -> set[str]:
    """The bots that are muted."""
    return {name for name, until in read(data).items() if now < until}


def main(arguments: Sequence[str] | None = None) -> int:
    """Mute a bot, or end it; returns the process's exit code."""
    parser = argparse.ArgumentParser(prog="python -m exporter.mute", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("bot", help="its name in monitoring.yml, or all")
    parser.add_argument("time", help="how long, such as 30m, 2h or 1d, or in seconds; off ends it")
    parser.add_argument("--config", type=Path, default=Path("monitoring.yml"), help="default: monitoring.yml")
    parser.add_argument("--data-dir", type=Path, default=Path("data"), help="the exporter's; default: data")
    options = parser.parse_args(arguments)
    try:
        print(_apply(options.bot, options.time, options.config, options.data_dir, time.time()))
    except _MuteError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _apply(bot: str, how_long: str, config: Path, data: Path, now: float) -> str:
    names, zone = _known(config)
    if bot not in names and bot != "all":
        raise _MuteError(f"There is no bot {bot!r}: give BOT=all, or one of {', '.join(names)}.")
    chosen = [bot] if bot in names else names
    kept = {name: until for name, until in read(data).items() if until > now and name not in chosen}
    until = None if how_long == "off" else now + _seconds(how_long)
    if until is not None:
        kept |= dict.fromkeys(chosen, until)
    draft = data / f"{_FILE}.new"
    try:
        data.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps(kept), encoding="utf-8")
        draft.replace(data / _FILE)
    except OSError as error:
        raise _MuteError(f"{draft} can't be written: {error.strerror}.") from None
    who = ", ".join(chosen)
    if until is None:
        return f"No longer muted: {who}. What monitoring.yml has as maintenance stays."
    end = datetime.fromtimestamp(until, zone)
    return f"Muted until {end:%Y-%m-%d %H:%M %Z}, in effect within 40 s: {who}. To end it: make unmute BOT={bot!r}"


def _seconds(how_long: str) -> float:
    seconds = int(how_long) if re.fullmatch("[0-9]{1,9}", how_long) else duration(how_long)
    if not isinstance(seconds, int) or not _LEAST <= seconds <= _MOST:
        raise _MuteError(
            f"How long is {how_long!r}: give FOR=2h, or another time from 1m to 7d; a bare number is seconds."
        )
    return seconds


def _known(config: Path) -> tuple[list[str], ZoneInfo]:
    """The names and the zone in monitoring.yml; what else is in it, passwords for one, doesn't matter here."""
    try:
        document, _ = load_with_lines(config.read_text(encoding="utf-8"))
        names = [str(bot["name"]) for bot in document["bots"]]
        return names, ZoneInfo(document.get("timezone", "UTC"))
    except (OSError, UnicodeDecodeError, YamlError, TypeError, KeyError, AttributeError, ValueError):
        raise _MuteError(f"{config} can't be used; make check tells why.") from None


if __name__ == "__main__":
    sys.exit(main())
