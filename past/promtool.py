"""Makes blocks of OpenMetrics."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path


def blocks(binaries: Path, file: Path, data: Path, hours: int) -> None:
    """Have promtool make blocks of a file, of so many hours at most.

    Raises:
        RuntimeError: it refused the file, with its words; or was killed.
    """
    command = [
        str(binaries / "promtool"),
        "tsdb",
        "create-blocks-from",
        "openmetrics",
        f"--max-block-duration={hours}h",
    ]
    done = subprocess.run([*command, "-q", str(file), str(data)], capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode == -signal.SIGKILL:
        raise RuntimeError("promtool was killed; out of memory?")
    if done.returncode:
        raise RuntimeError(f"promtool ended with {done.returncode}: " + " ".join((done.stdout + done.stderr).split()))
