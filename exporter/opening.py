"""Opens files that others may have written: a pipe or a device is refused, and holds up nobody."""

from __future__ import annotations

import errno
import os
from stat import S_ISDIR, S_ISREG


def open_file(path: str, flags: int) -> int:
    """An opener for `open` that doesn't wait.

    Raises:
        OSError: besides the usual, the path is a pipe, a device or a socket.
    """
    descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)
    mode = os.fstat(descriptor).st_mode
    if S_ISREG(mode) or S_ISDIR(mode):  # a folder is refused by `open` itself
        return descriptor
    os.close(descriptor)
    raise OSError(errno.EINVAL, "Is a pipe or a device, not a file")
