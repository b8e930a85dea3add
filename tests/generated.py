"""Pages of docs/ that a module of the tests writes."""

from __future__ import annotations

import sys
from pathlib import Path


def main(page: Path, text: str, module: str) -> int:
    """Write the page, or, with `--check`, see that it is as `module` would write it; returns the exit code."""
    if "--check" not in sys.argv[1:]:
        page.write_text(text, "utf-8")
    elif not page.exists() or page.read_text("utf-8") != text:
        print(f"docs/{page.name}: not as derived from rules and routes; run python -m {module}")
        return 1
    return 0
