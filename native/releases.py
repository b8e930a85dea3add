"""Pinned upstream releases: downloaded, verified against the release's own checksums, unpacked."""

import hashlib
import platform
import shutil
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

import requests

from native.errors import StackError

TIMEOUT = (5, 60)  # seconds to connect, and between two pieces of an answer
MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64", "armv7l": "armv7"}


def machine() -> str:
    """This machine as Go names it, e.g. `linux-amd64`."""
    return f"{sys.platform}-{MACHINES.get(platform.machine().lower(), platform.machine().lower())}"


@dataclass(frozen=True)
class Release:
    """An archive and the file with its checksum; the folder inside is named like the archive, or differently."""

    name: str
    version: str
    archive_url: str
    checksums_url: str

    @classmethod
    def github(cls, project: str, version: str) -> "Release":
        """A release of github.com/prometheus/PROJECT."""
        base = f"https://github.com/prometheus/{project}/releases/download/v{version}"
        archive = f"{project}-{version}.{machine()}.tar.gz"
        return cls(project, version, f"{base}/{archive}", f"{base}/sha256sums.txt")

    @classmethod
    def grafana(cls, version: str) -> "Release":
        """A release of Grafana, from its own download server."""
        archive = f"https://dl.grafana.com/oss/release/grafana-{version}.{machine()}.tar.gz"
        return cls("grafana", version, archive, f"{archive}.sha256")

    def fetch(self, tools: Path) -> Path:
        """Gives the unpacked release's folder below `tools`, downloading it at the first call only.

        Raises StackError when it can't be downloaded, or isn't what the release says; then nothing is left behind.
        """
        folder = tools / f"{self.name}-{self.version}"
        if folder.is_dir():
            return folder
        tools.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=tools, prefix=".download-") as scratch:
            archive = Path(scratch) / self.archive_url.rsplit("/", 1)[-1]
            try:
                wanted = checksum(_get(self.checksums_url).text, archive.name)
                found = _download(self.archive_url, archive)
            except requests.RequestException as error:
                raise StackError(f"{self.archive_url} can't be downloaded ({_reason(error)})") from error
            if found != wanted:
                raise StackError(f"{self.archive_url} was refused: its SHA-256 is {found}, the release says {wanted}")
            unpacked = Path(scratch) / "unpacked"
            with tarfile.open(archive) as tar:
                tar.extractall(unpacked, filter="data")
            (top,) = unpacked.iterdir()
            shutil.move(top, folder)
        return folder


def checksum(listing: str, name: str) -> str:
    """The SHA-256 of the file `name` in a listing like sha256sum's, or the only one of a listing without names."""
    lines = [line.split() for line in listing.splitlines() if line.strip()]
    for words in lines:
        if len(words) == 2 and words[1].lstrip("*") == name:
            return words[0].lower()
    if len(lines) == 1 and len(lines[0]) == 1:
        return lines[0][0].lower()
    raise StackError(f"the release has no checksum for {name}, so it is not used")


def _get(url: str) -> requests.Response:
    response = requests.get(url, timeout=TIMEOUT)
    response.raise_for_status()
    return response


def _download(url: str, target: Path) -> str:
    digest = hashlib.sha256()
    with requests.get(url, timeout=TIMEOUT, stream=True) as response, target.open("wb") as out:
        response.raise_for_status()
        for piece in response.iter_content(1 << 20):
            digest.update(piece)
            out.write(piece)
    return digest.hexdigest()


def _reason(error: requests.RequestException) -> str:
    """The short cause of a failed request, without urllib3's chain of wrappings."""
    if isinstance(error, requests.HTTPError):
        return f"HTTP {error.response.status_code}"
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    text = str(error)
    if "resolve" in text or "name resolution" in text.lower():
        return "its name doesn't resolve: no network?"
    return "no connection" if isinstance(error, requests.ConnectionError) else text
