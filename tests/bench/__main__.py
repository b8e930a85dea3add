"""Command line: `python -m tests.bench [WHAT …] [--runs N]`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from tests.bench.dashboards import dashboards
from tests.bench.incident import death, up
from tests.bench.rules import rules
from tests.bench.scrape import bots, history, requests_per_second, start, url

MEASURES: dict[str, Callable[[int], None]] = {
    "start": start,
    "bots": bots,
    "url": url,
    "history": history,
    "requests": requests_per_second,
    "rules": rules,
    "dashboards": dashboards,
    "up": up,
    "death": death,
}


def main() -> int:
    """Measure all, or what is named."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("what", nargs="*", choices=[*MEASURES, []], help=f"default: {' '.join(MEASURES)}")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    for name in options.what or MEASURES:
        MEASURES[name](options.runs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
