"""Debian's newest packages, downloaded and unpacked by an ordinary user without touching the system's own."""

import getpass
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from native.errors import StackError

SUITE = "sid"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
APT_CONF = Path(__file__).with_name("apt.conf")


def fetch(packages: Sequence[str], tools: Path) -> Path:
    """Gives the folder into which the packages are unpacked (`…/usr/bin/…`), downloading them at the first call only.

    apt checks Debian's signatures, as for any package. Raises StackError with the reason when that can't be.
    """
    folder = tools / "-".join(["debian", *packages])
    if folder.is_dir():
        return folder
    missing = [command for command in ("apt-get", "dpkg") if not shutil.which(command)]
    if missing:
        raise StackError(f"Debian's packages need {' and '.join(missing)}, which this machine doesn't have")
    if not KEYRING.exists():
        raise StackError(f"Debian's packages need {KEYRING} to be verified (package debian-archive-keyring)")
    tools.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=tools, prefix=".apt-") as scratch:
        unpacked = Path(scratch) / "unpacked"
        for deb in _download(packages, Path(scratch)):
            _run(["dpkg", "-x", str(deb), str(unpacked)], "package can't be unpacked")
        unpacked.rename(folder)
    return folder


def _download(packages: Sequence[str], scratch: Path) -> list[Path]:
    for name in ("lists/partial", "cache/archives/partial", "debs"):
        (scratch / name).mkdir(parents=True)
    sources = scratch / "sources.list"
    # Only the package index: no translations, no software-centre metadata.
    sources.write_text(f"deb [signed-by={KEYRING} target=Packages] {mirror()} {SUITE} main\n", encoding="utf-8")
    apt = ["apt-get", "-qq", "-c", str(APT_CONF)]
    for key, value in {
        "Dir::Etc::sourcelist": sources,
        "Dir::Etc::sourceparts": "-",
        "Dir::State::lists": scratch / "lists",
        "Dir::Cache": scratch / "cache",
        "APT::Sandbox::User": getpass.getuser(),
    }.items():
        apt += ["-o", f"{key}={value}"]
    _run([*apt, "update"], "package lists can't be downloaded")
    _run([*apt, "download", *packages], "packages can't be downloaded", cwd=scratch / "debs")
    return sorted((scratch / "debs").glob("*.deb"))


def mirror() -> str:
    """The Debian mirror that this machine's apt uses. Raises StackError where it uses none."""
    targets = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split()
    found = next((url.rstrip("/") for url in targets if url.rstrip("/").endswith("/debian")), None)
    if not found:
        raise StackError("Debian's packages need a Debian mirror among apt's sources, which this machine doesn't have")
    return found


def _run(command: list[str], what: str, cwd: Path | None = None) -> None:
    done = subprocess.run(  # noqa: S603
        command, cwd=cwd, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"}
    )
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip() or f"exit {done.returncode}").splitlines()
        raise StackError(f"Debian's {what}: {lines[0]}")


def wrapper(binary: Path, share: Path) -> str:
    """A script that runs Debian's Alertmanager where no root put its template in place.

    It opens /usr/share/prometheus/alertmanager/default.tmpl by absolute path, so it runs in a mount namespace of its
    own, where the unpacked folder `share` lies over /usr/share. Each step is an exec: the process id stays the one that
    was started. Raises StackError where the kernel allows no such namespace.
    """
    template = "/usr/share/prometheus/alertmanager/default.tmpl"
    if Path(template).exists():
        return _script(f'exec {_quote(binary)} "$@"')
    mount = "mount -t overlay -o ro,lowerdir=.:/usr/share overlay /usr/share"
    inside = f'here=$PWD; cd "$0" && {mount} && cd "$here" && exec "$@"'
    plain = ["unshare", "--mount"]
    mapped = ["unshare", "--user", "--map-root-user", "--mount"]
    for unshare in [plain, mapped] if os.getuid() == 0 else [mapped]:
        command = [*unshare, "sh", "-c", inside, str(share)]
        try:
            tried = subprocess.run([*command, "test", "-r", template], capture_output=True, check=False)  # noqa: S603
        except FileNotFoundError:
            break
        if tried.returncode == 0:
            return _script(f'exec {" ".join(_quote(word) for word in command)} {_quote(binary)} "$@"')
    raise StackError(
        "Debian's Alertmanager can't run here: it needs a mount namespace, and this machine allows none to its users"
    )


def _script(line: str) -> str:
    return f"#!/bin/sh\n# Made by native/debian.py, which says why.\n{line}\n"


def _quote(word: str | Path) -> str:
    return "'" + str(word).replace("'", "'\\''") + "'"
