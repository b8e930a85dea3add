"""How Prometheus and Alertmanager are found, and what is refused."""

from __future__ import annotations

import functools
import hashlib
import io
import tarfile
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from native import binaries
from native.errors import StackError
from native.releases import Release, checksum
from tests.native.project import free_ports
from tests.serving import serving


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A download server's address, and the folder that it serves."""
    folder = tmp_path / "served"
    folder.mkdir()
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(QuietHandler, directory=folder))
    with serving(httpd):
        yield f"http://127.0.0.1:{httpd.server_port}", folder


def release(server: tuple[str, Path], checksums: str = "{}  tool.tar.gz\n") -> Release:
    """A release on the server, whose archive holds one script; {} in `checksums` stands for the right one."""
    url, folder = server
    with tarfile.open(folder / "tool.tar.gz", "w:gz") as tar:
        script = b"#!/bin/sh\necho tool, version 1.2.3\n"
        member = tarfile.TarInfo("tool-1.2.3.linux/tool")
        member.size, member.mode = len(script), 0o755
        tar.addfile(member, io.BytesIO(script))
    digest = hashlib.sha256((folder / "tool.tar.gz").read_bytes()).hexdigest()
    (folder / "sha256sums.txt").write_text(checksums.format(digest))
    return Release("tool", "1.2.3", f"{url}/tool.tar.gz", f"{url}/sha256sums.txt")


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("prometheus, version 3.5.3 (branch: HEAD, revision: 1)\n  go version: go1.24", (3, 5, 3)),
        ("prometheus, version 3.5.3+ds1 (branch: debian/sid)", (3, 5, 3)),
        ("amtool, version 0.33.1 (branch: , revision: )", (0, 33, 1)),
        ("grafana version 12.4.5", (12, 4, 5)),
        ("Version 9.4.0-pre (commit: 1, branch: x)", (9, 4, 0)),
        ("prometheus, version 3.10.0-rc.0", (3, 10, 0)),
        ("usage: prometheus [<flags>]", None),
    ],
)
def test_version_is_read_from_what_each_program_prints(text: str, version: tuple[int, ...] | None) -> None:
    assert binaries.parse_version(text) == version


def test_release_is_unpacked_once(server: tuple[str, Path], tmp_path: Path) -> None:
    tool = release(server)
    folder = tool.fetch(tmp_path / "tools")
    assert binaries.version_of(folder / "tool") == (1, 2, 3)
    for served in server[1].iterdir():
        served.unlink()
    assert tool.fetch(tmp_path / "tools") == folder, "the second time nothing is downloaded"


def test_release_with_another_checksum_is_refused_and_nothing_is_left(server: tuple[str, Path], tmp_path: Path) -> None:
    tool = release(server, checksums=f"{'0' * 64}  tool.tar.gz\n")
    with pytest.raises(StackError, match=r"tool\.tar\.gz was refused: its SHA-256 is \w{64}, the release says 0{64}"):
        tool.fetch(tmp_path / "tools")
    assert list((tmp_path / "tools").iterdir()) == []


def test_release_without_a_checksum_for_the_archive_is_refused(server: tuple[str, Path], tmp_path: Path) -> None:
    tool = release(server, checksums="{}  another.tar.gz\n")
    with pytest.raises(StackError, match="no checksum for tool"):
        tool.fetch(tmp_path / "tools")


def test_checksum_of_a_listing_with_one_file_and_no_name() -> None:
    assert checksum("ABCDEF\n", "grafana.tar.gz") == "abcdef"


def test_missing_release_and_dead_server_are_told_in_a_sentence(server: tuple[str, Path], tmp_path: Path) -> None:
    tool = Release("tool", "9", f"{server[0]}/tool-9.tar.gz", f"{server[0]}/nothing.txt")
    with pytest.raises(StackError, match=r"tool-9\.tar\.gz can't be downloaded \(HTTP 404\)"):
        tool.fetch(tmp_path / "tools")
    nobody = f"http://127.0.0.1:{free_ports(1)[0]}"
    with pytest.raises(StackError, match=r"can't be downloaded \(no connection\)"):
        Release("tool", "9", f"{nobody}/a.tar.gz", f"{nobody}/b").fetch(tmp_path / "tools")


def script(path: Path, version: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho {path.name}, version {version}\n")
    path.chmod(0o755)


def test_path_is_taken_where_it_is_new_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, version in {
        "prometheus": "3.9.1",
        "promtool": "3.9.1",
        "alertmanager": "0.34.0",
        "amtool": "0.34.0",
    }.items():
        script(tmp_path / "path" / name, version)
    monkeypatch.setenv("PATH", f"{tmp_path / 'path'}:/usr/bin:/bin")
    said: list[str] = []
    binaries.fetch_all(tmp_path / ".stack", said.append)
    assert (tmp_path / ".stack/bin/prometheus").resolve() == tmp_path / "path/prometheus"
    assert said == [f"Prometheus: {tmp_path}/path/prometheus", f"Alertmanager: {tmp_path}/path/alertmanager"]
    said.clear()
    binaries.fetch_all(tmp_path / ".stack", said.append)
    assert said == [], "the second time there is nothing to do"


def test_nothing_to_be_had_says_why_and_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(tmp_path / "path/prometheus", "2.42.0")
    script(tmp_path / "path/promtool", "2.42.0")
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    nobody = f"http://127.0.0.1:{free_ports(1)[0]}"
    package = binaries.Package(
        "Prometheus",
        (3, 5),
        {"prometheus": ("prometheus",), "promtool": ("promtool",)},
        Release("prometheus", "3.5.3", f"{nobody}/p.tar.gz", f"{nobody}/sums"),
        ("prometheus", "promtool"),
    )
    monkeypatch.setattr(binaries, "PACKAGES", (package,))
    with pytest.raises(StackError) as caught:
        binaries.fetch_all(tmp_path / ".stack", lambda _: None)
    assert str(caught.value) == (
        "Prometheus 3.5 or newer could not be had:\n"
        f"  - {nobody}/p.tar.gz can't be downloaded (no connection)\n"
        "  - Debian's packages need apt-get and dpkg, which this machine doesn't have\n"
        f"Get it from {nobody}/p.tar.gz, put prometheus and promtool on PATH, and run this again."
    )


def test_grafana_home_without_grafana_is_told(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    with pytest.raises(StackError, match=r"GRAFANA_HOME=/nowhere has no Grafana 9\.4 or newer"):
        binaries.fetch_grafana(tmp_path, {"GRAFANA_HOME": "/nowhere"}, lambda _: None)


def test_grafana_is_started_from_its_home(tmp_path: Path) -> None:
    home = tmp_path / "grafana home"
    script(home / "bin/grafana", "12.4.5")
    (home / "conf").mkdir()
    (home / "conf/defaults.ini").touch()
    (tmp_path / "bin").mkdir()
    binaries.fetch_grafana(tmp_path, {"GRAFANA_HOME": str(home)}, lambda _: None)
    starter = (tmp_path / "bin/grafana").read_text()
    assert f"exec '{home}/bin/grafana' server --homepath '{home}'" in starter
