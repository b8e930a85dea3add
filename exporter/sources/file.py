"""Source `file`: a JSON state document that a bot, in any language, replaces atomically."""

from __future__ import annotations

import errno
import math
import os
import time
from collections.abc import Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

from exporter.document import MAX_AHEAD, Documents
from exporter.opening import open_file
from exporter.schema import MAX_BYTES
from exporter.sources import DOCUMENT, Group, Part
from exporter.state import BotState, SourceError


class FileSource:
    """Reads a state document. It is parsed once for each version of the file, and one that is refused once a minute.

    Args:
        path: the document.
        stale_after: seconds after the document's timestamp for which its values are served.
        zone: the time zone of days, weeks and months.
        groups: those that the document is read for.
    """

    def __init__(self, path: Path, stale_after: float, zone: ZoneInfo, groups: Mapping[Group, Part] = DOCUMENT) -> None:
        self.groups = groups
        self._path = path
        self._documents = Documents(str(path), stale_after, zone)
        self._version: tuple[int, int, int] | None = None
        self._again_at = math.inf

    def read(self, part: Part, deadline: float) -> BotState:  # noqa: ARG002 - a document is read whole, at once
        """The document's state; the last good one's while the present one is invalid and that one not stale."""
        self._refresh()
        return self._documents.state(time.time())

    def _refresh(self) -> None:
        try:
            with open(self._path, "rb", opener=_of_the_folder) as file:
                stat = os.fstat(file.fileno())
                version = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
                if version == self._version and time.time() < self._again_at:
                    return
                text = file.read(MAX_BYTES + 1)
        except OSError as error:
            self._version = None
            self._documents.fail(
                "missing", f"{self._path}: {error.strerror}; does the bot write its state there, may it be read?"
            )
            return
        self._version, self._again_at = version, math.inf
        try:
            self._documents.take(text)
        except SourceError:  # it comes with the state
            # Where our clock was behind, its times are in the future no more once that is set.
            self._again_at = time.time() + MAX_AHEAD


def _of_the_folder(path: str, flags: int) -> int:
    """Open a file.

    Raises:
        OSError: besides what `open_file` raises, the path is a symbolic link to a file outside its folder: whoever may
            write a state there shall not have other files read on their behalf.
    """
    flags |= os.O_NOFOLLOW
    try:
        return open_file(path, flags)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
    # Not Path.resolve, which raises a RuntimeError for a link to itself.
    folder, target = Path(os.path.realpath(Path(path).parent)), Path(os.path.realpath(path))
    if not target.is_relative_to(folder):
        raise OSError(errno.EPERM, f"Is a symbolic link out of its folder, to {target}; give that path itself")
    return open_file(str(target), flags)
