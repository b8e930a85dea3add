"""The runbooks: Markdown files of one folder, shown as pages."""

from __future__ import annotations

from pathlib import Path
from posixpath import normpath
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element

import markdown
from markdown.treeprocessors import Treeprocessor

# The folder's place in the repository, from which its links go.
PLACE = "docs/runbooks"


class _Elsewhere(Treeprocessor):
    """A link to a file of another folder, which is no page here, becomes its text with the file's place."""

    def run(self, root: Element) -> None:
        for link in root.iter("a"):
            parts = urlsplit(link.get("href", ""))
            path = normpath(f"{PLACE}/{parts.path}")
            if parts.scheme or parts.netloc or not parts.path or parts.path.startswith("/"):
                continue
            if path.rpartition("/")[0] == PLACE:
                continue
            link.tag = "span"
            link.attrib.clear()
            place = Element("code")
            place.text = path + (f"#{parts.fragment}" if parts.fragment else "")
            link.append(place)
            last = link[-2] if len(link) > 1 else None
            if last is None:
                link.text = f"{link.text or ''} ("
            else:
                last.tail = f"{last.tail or ''} ("
            place.tail = ")"


class _LinksElsewhere(markdown.Extension):
    def extendMarkdown(self, md: markdown.Markdown) -> None:  # noqa: N802 - the library's name
        # After `inline`, of 20, which makes the links.
        md.treeprocessors.register(_Elsewhere(md), "elsewhere", 5)


EXTENSIONS: list[str | markdown.Extension] = ["tables", "fenced_code", "sane_lists", _LinksElsewhere()]


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
