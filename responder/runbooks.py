"""The runbooks: Markdown files of one folder, shown as pages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from posixpath import normpath
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element

import markdown
from markdown.treeprocessors import Treeprocessor

from responder import links

# The folder's place in the repository, from which its links go.
PLACE = "docs/runbooks"

# The addresses as the files have them, and the variable that says where the service really is.
ADDRESSES = {
    "http://localhost:3000": "GRAFANA_URL",
    "http://localhost:8000": "EXPORTER_URL",
    "http://localhost:8080": "RESPONDER_URL",
    "http://localhost:9090": "PROMETHEUS_URL",
    "http://localhost:9093": "ALERTMANAGER_URL",
}
_ADDRESS = re.compile(rf"(?:{'|'.join(map(re.escape, ADDRESSES))})(?![0-9])")


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

    def __init__(self, folder: Path, environ: Mapping[str, str] | None = None) -> None:
        """The folder is read at each call, so a new file shows without a restart.

        `environ` has the addresses of the services, where they aren't those of the files.
        """
        self._folder = folder
        self._environ = environ or {}

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
        text = _ADDRESS.sub(lambda match: self._address(match[0]), text)
        return markdown.markdown(text, extensions=EXTENSIONS, output_format="html")

    def _address(self, default: str) -> str:
        """Where a service is; as it stands in the file, if it is set to what is no address."""
        address = self._environ.get(ADDRESSES[default], "").strip().rstrip("/")
        return address if links.safe(address) and re.fullmatch(r"[^\s<>\"`]+", address) else default
