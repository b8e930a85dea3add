"""The runbooks: Markdown files of one folder, shown as pages."""

from __future__ import annotations

from pathlib import Path

import markdown

EXTENSIONS = ["tables", "fenced_code", "sane_lists"]


class Runbooks:
    """The `*.md` files of a folder; only a name from its listing can be asked for."""

    def __init__(self, folder: Path) -> None:
        """The folder is read at each call, so a new file shows without a restart."""
        self._folder = folder

    def names(self) -> list[str]:
        """The names without `.md`, sorted."""
        try:
            return sorted(path.stem for path in self._folder.glob("*.md") if path.is_file())
        except OSError:
            return []

    def html(self, name: str) -> str | None:
        """A runbook as HTML; None where there is none of this name."""
        if name not in self.names():
            return None
        text = (self._folder / f"{name}.md").read_text(encoding="utf-8")
        return markdown.markdown(text, extensions=EXTENSIONS, output_format="html")
