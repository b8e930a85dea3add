"""Folders that are this user's alone: what is in .stack holds passwords and controls the processes."""

import os
import stat
from pathlib import Path

from native.errors import StackError


def make(folder: Path) -> None:
    """Makes the folder, or closes one that is there to others. Raises StackError when this user may not."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        if stat.S_IMODE(folder.stat().st_mode) != 0o700:
            folder.chmod(0o700)
    except OSError as error:
        raise StackError(
            f"{folder} can't be written: {error.strerror}. Run this as the owner of that folder."
        ) from error


def check(folder: Path) -> None:
    """Raises StackError unless the folder, which must not be a link, is this user's and closed to others."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) != 0o700:
        raise StackError(f"{folder} is not a folder of this user's alone; it may be a trap. Remove it.")
