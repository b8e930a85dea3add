"""The command `python -m init --out DIR`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from init import run
from init.faults import Faults
from past import wanted


def main() -> int:
    """Runs once; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m init", description="Makes what the stack needs before it starts.")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="where the files are written")
    parser.add_argument("--config", type=Path, default=Path("monitoring.yml"), help="default: monitoring.yml")
    parser.add_argument(
        "--prometheus-data", type=Path, metavar="DIR", help="to note whether a demo bot's past is to be made"
    )
    arguments = parser.parse_args()
    try:
        lines = run.run(os.environ, arguments.out, monitoring=arguments.config)
    except Faults as faults:
        for fault in faults.messages:
            print(fault, file=sys.stderr)
        print("Nothing was changed. Correct this and start again.", file=sys.stderr)
        return 1
    if arguments.prometheus_data:
        wanted.note(arguments.config, arguments.prometheus_data)
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
