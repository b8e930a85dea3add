"""Folders that nobody else may write to or has laid out as a trap."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import pytest

from native import private
from native.errors import StackError
from native.settings import load
from native.supervisor import Supervisor
from tests.native.project import ROOT


def test_folder_is_made_or_closed(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    private.make(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    folder.chmod(0o755)
    private.make(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_folder_of_this_user_alone_is_right(tmp_path: Path) -> None:
    private.make(tmp_path / "mine")
    private.check(tmp_path / "mine")


@pytest.mark.parametrize("trap", ["open", "link", "file", "owner"])
def test_a_trap_is_told(tmp_path: Path, trap: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "mine"
    if trap == "link":
        private.make(tmp_path / "other")
        folder.symlink_to(tmp_path / "other")
    elif trap == "file":
        folder.touch(0o700)
    else:
        private.make(folder)
    if trap == "open":
        folder.chmod(0o750)
    if trap == "owner":
        mine = os.getuid()
        monkeypatch.setattr(os, "getuid", lambda: mine + 1)
    with pytest.raises(StackError, match=r"not a folder of this user's alone"):
        private.check(folder)


def test_socket_in_the_temporary_folder_is_checked_before_each_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    root = tmp_path / ("long " * 20)
    root.mkdir()
    (root / "docker-compose.yml").write_bytes((ROOT / "docker-compose.yml").read_bytes())
    settings = load(root, {})
    supervisor = Supervisor(settings)
    assert not supervisor.runs()
    settings.socket.parent.mkdir(0o755)
    for call in (supervisor.runs, supervisor.processes, supervisor.start, supervisor.stop):
        with pytest.raises(StackError, match=r"not a folder of this user's alone"):
            call()
