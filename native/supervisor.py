"""Talks to supervisord: starts it, asks it, stops it."""

import os
import subprocess
import time
import xmlrpc.client
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any, cast

from supervisor.xmlrpc import SupervisorTransport  # type: ignore[import-untyped]

from native import private
from native.errors import StackError
from native.settings import Settings

CONF = "native/supervisord.conf"
STOP_SECONDS = 60


@dataclass(frozen=True)
class Process:
    """One process as supervisord sees it; `since` is the Unix time of its last start, 0 when it never ran."""

    name: str
    state: str
    since: int
    pid: int


class Supervisor:
    """The supervisord of this project, whether it runs or not."""

    def __init__(self, settings: Settings) -> None:
        """Nothing is opened until asked."""
        self._settings = settings

    @property
    def _far(self) -> bool:
        """Whether the socket is in the temporary folder, where others may put things too."""
        return self._settings.stack not in self._settings.socket.parents

    def _call(self, method: str, *arguments: object) -> Any:
        """A connection of its own for each call: supervisor's transport can't be used again after a failed one."""
        if self._far:
            private.check(self._settings.socket.parent)
        transport = SupervisorTransport(None, None, f"unix://{self._settings.socket}")
        try:
            server = xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport)
            return getattr(server.supervisor, method)(*arguments)
        finally:
            transport.close()

    def runs(self) -> bool:
        """Whether it answers."""
        try:
            return bool(self._call("getState"))
        except (OSError, HTTPException, xmlrpc.client.Error):
            return False

    def start(self) -> None:
        """Starts it with all processes but Grafana. Raises StackError when it doesn't answer."""
        if self._far:
            self._settings.socket.parent.mkdir(mode=0o700, exist_ok=True)
            private.check(self._settings.socket.parent)
        command = [self._settings.environment["PYTHON"], "-m", "supervisor.supervisord", "-c", CONF]
        done = subprocess.run(  # noqa: S603
            command,
            cwd=self._settings.root,
            env={**self._settings.inherited, **self._settings.process_environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise StackError(f"supervisord did not start: {(done.stderr or done.stdout).strip()}")
        deadline = time.monotonic() + 10
        while not self.runs():
            if time.monotonic() > deadline:
                raise StackError("supervisord started but doesn't answer; see .stack/log/supervisord.log")
            time.sleep(0.1)

    def start_process(self, name: str) -> None:
        """Starts one process if it doesn't run; its health is asked elsewhere."""
        try:
            self._call("startProcess", name, False)
        except xmlrpc.client.Fault as fault:
            if "ALREADY_STARTED" not in fault.faultString:
                raise StackError(f"{name} can't be started: {fault.faultString}") from fault

    def signal(self, name: str, signal: str) -> None:
        """Sends a signal, such as HUP, to one process. Raises StackError when it doesn't run."""
        try:
            self._call("signalProcess", name, signal)
        except xmlrpc.client.Fault as fault:
            raise StackError(f"{name} can't be signalled: {fault.faultString}") from fault

    def processes(self) -> dict[str, Process]:
        """All processes by name."""
        infos = cast(list[dict[str, Any]], self._call("getAllProcessInfo"))
        return {info["name"]: Process(info["name"], info["statename"], info["start"], info["pid"]) for info in infos}

    def stop(self) -> None:
        """Stops all processes and supervisord itself, and waits until they are gone. Raises StackError if they stay."""
        pid_file = self._settings.stack / "run" / "supervisord.pid"
        self._call("shutdown")
        deadline = time.monotonic() + STOP_SECONDS
        while self.runs() or _exists(pid_file):
            if time.monotonic() > deadline:
                raise StackError("the processes don't end; see .stack/log/supervisord.log")
            time.sleep(0.1)


def _exists(pid_file: Path) -> bool:
    """Whether the process of the pid file is there still; supervisord removes the file as its last act."""
    try:
        os.kill(int(pid_file.read_text(encoding="ascii")), 0)
    except (OSError, ValueError):
        return False
    return True
