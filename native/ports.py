"""Is a port free, and if not, who holds it: asked before anything starts."""

import errno
import socket
from collections.abc import Mapping
from pathlib import Path

from native.errors import StackError
from native.settings import SERVICES, Settings

LISTEN = "0A"  # the state's number in /proc/net/tcp


def check(settings: Settings, held: Mapping[str, int]) -> None:
    """Raises StackError with a sentence for each port that a service of this stack can't have.

    `held` are the ports that the running stack has itself.
    """
    sentences = []
    for service in SERVICES:
        port = settings.ports[service.name]
        if port in held.values():
            continue
        fault = _fault(port)
        if fault is not None:
            sentences.append(
                f"{service.title} needs port {port}, which {fault}. "
                f"Stop that, or set {service.port_variable} in .env to a free port."
            )
    if sentences:
        raise StackError("\n".join(sentences))


def _fault(port: int) -> str | None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen()
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return f"is in use{holder(port)}"
            return f"this user may not open ({error.strerror})"
    return None


def holder(port: int) -> str:
    """` by NAME (pid N)` for the process that listens on the port, as far as this user may see it; else nothing."""
    sockets = _listening(port)
    for fd in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if str(fd.readlink()) in sockets:
                process = fd.parent.parent
                return f" by {(process / 'comm').read_text(encoding='utf-8').strip()} (pid {process.name})"
        except OSError:
            continue
    return ""


def _listening(port: int) -> set[str]:
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            words = line.split()
            if words[3] == LISTEN and int(words[1].rpartition(":")[2], 16) == port:
                found.add(f"socket:[{words[9]}]")
    return found
