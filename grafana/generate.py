"""Writes the dashboards' JSON: `python -m grafana.generate`. With --check it only says whether any would change."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from grafana import alerts, sla, stack, trading_bot

FOLDER = Path(__file__).parent / "dashboards"
DASHBOARDS = {board.UID: board.build for board in (trading_bot, sla, alerts, stack)}


def texts() -> dict[Path, str]:
    """Each dashboard's file and what belongs into it."""
    return {
        FOLDER / f"{uid}.json": json.dumps(build(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        for uid, build in DASHBOARDS.items()
    }


def main() -> int:
    """Write or check; returns the exit status, 1 where a check found a difference."""
    parser = argparse.ArgumentParser(prog="python -m grafana.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file is not as generated")
    check = parser.parse_args().check
    wanted = texts()
    stale = [file for file, text in wanted.items() if not file.exists() or file.read_text("utf-8") != text]
    left_over = [file for file in FOLDER.glob("*.json") if file not in wanted]
    if check:
        for file in stale:
            print(f"{file.name}: not as generated; run python -m grafana.generate")
        for file in left_over:
            print(f"{file.name}: nothing generates it; delete it or add it to grafana/generate.py")
        return 1 if stale or left_over else 0
    for file in stale:
        file.write_text(wanted[file], "utf-8")
        print(f"{file.name}: written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
