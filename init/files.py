"""Writes files so that a reader finds the old one or the new one, never a half of it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from init.faults import Faults


@dataclass(frozen=True)
class File:
    """The content of a file and who may read it."""

    content: str | bytes
    mode: int = 0o600


def write_all(files: Mapping[Path, File]) -> None:
    """Writes the files in their order; one that is right already isn't touched. Raises Faults when it can't."""
    path = Path()
    try:
        contents = {}
        for path, file in files.items():
            contents[path] = file.content.encode() if isinstance(file.content, str) else file.content
    except UnicodeEncodeError:
        raise Faults([f"{path} can't be written: what it is made of has bytes that are no UTF-8."]) from None
    try:
        for path, content in contents.items():
            _write(path, content, files[path].mode)
    except OSError as error:
        raise Faults([f"{error.filename or path} can't be written: {error.strerror}."]) from error


def remove_others(folder: Path, keep: Iterable[Path]) -> None:
    """Removes the files of a folder that aren't to be kept, such as the secret of a channel that was given up."""
    kept = set(keep)
    try:
        for path in folder.iterdir():
            if path not in kept and not path.is_dir():
                path.unlink()
    except OSError as error:
        raise Faults([f"{error.filename or folder} can't be removed: {error.strerror}."]) from error


def _write(path: Path, content: bytes, mode: int) -> None:
    folder = path.parent
    for missing in reversed([each for each in (folder, *folder.parents) if not each.exists()]):
        missing.mkdir(mode=0o700)
    # The folder of a file that others may read must let them through.
    folder_mode = 0o755 if mode & 0o004 else 0o700
    if folder.stat().st_mode & 0o777 != folder_mode:
        folder.chmod(folder_mode)
    if path.is_file() and path.stat().st_mode & 0o777 == mode and path.read_bytes() == content:
        return
    descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=".new-")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
