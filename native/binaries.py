"""Finds Prometheus, Alertmanager, their tools and Grafana: on PATH, else upstream's release, else Debian's package."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from native import debian, private
from native.errors import StackError
from native.releases import Release

Version = tuple[int, ...]
Say = Callable[[str], None]

GRAFANA = Release.grafana("12.4.5")
GRAFANA_MINIMUM: Version = (9, 4)


@dataclass(frozen=True)
class Package:
    """Binaries that come together: their names on PATH, the oldest version that will do, and where to get them."""

    title: str
    minimum: Version
    names: Mapping[str, tuple[str, ...]]
    release: Release
    debian: tuple[str, ...]


PACKAGES = (
    Package(
        "Prometheus",
        (3, 5),
        {"prometheus": ("prometheus",), "promtool": ("promtool",)},
        Release.github("prometheus", "3.5.3"),
        ("prometheus", "promtool"),
    ),
    Package(
        "Alertmanager",
        (0, 33),
        {"alertmanager": ("alertmanager", "prometheus-alertmanager"), "amtool": ("amtool",)},
        Release.github("alertmanager", "0.33.1"),
        ("prometheus-alertmanager",),
    ),
)


def parse_version(text: str) -> Version | None:
    """The version in what `--version` prints, e.g. `prometheus, version 3.5.3+ds1 (branch: …)`; None without one."""
    found = re.search(r"version:?\s+v?(\d+(?:\.\d+)+)", text, re.IGNORECASE)
    return tuple(int(part) for part in found[1].split(".")) if found else None


def version_of(binary: Path, flag: str = "--version") -> Version | None:
    """Runs the binary to ask its version; None when it doesn't run here or says none."""
    try:
        command = [str(binary), flag]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parse_version(done.stdout + done.stderr) if done.returncode == 0 else None


def fetch_all(stack: Path, say: Say) -> None:
    """Puts every binary but Grafana into `stack`/bin; what is there already and runs is kept. Raises StackError."""
    private.make(stack)
    (stack / "bin").mkdir(exist_ok=True)
    for package in PACKAGES:
        _fetch(package, stack, say)


def _fetch(package: Package, stack: Path, say: Say) -> None:
    found = {name: stack / "bin" / name for name in package.names}
    if all(_good(path, package.minimum) for path in found.values()):
        return
    on_path = {name: _on_path(choices, package.minimum) for name, choices in package.names.items()}
    if all(on_path.values()):
        for name, path in on_path.items():
            _link(found[name], str(path))
        say(f"{package.title}: {on_path[next(iter(on_path))]}")
        return
    reasons = []
    for source in (_from_release, _from_debian):
        try:
            version = source(package, stack, say)
        except StackError as error:
            reasons.append(f"  - {error}")
        else:
            say(f"{package.title} {version}: ready in .stack/bin")
            return
    wanted = ".".join(map(str, package.minimum))
    raise StackError(
        f"{package.title} {wanted} or newer could not be had:\n"
        + "\n".join(reasons)
        + f"\nGet it from {package.release.archive_url}, put {' and '.join(package.names)} on PATH, and run this again."
    )


def _from_release(package: Package, stack: Path, say: Say) -> str:
    say(f"{package.title}: looking for release {package.release.version} ...")
    folder = package.release.fetch(stack / "tools")
    for name in package.names:
        _link(stack / "bin" / name, os.path.relpath(folder / name, stack / "bin"))
    return _checked(package, stack)


def _from_debian(package: Package, stack: Path, say: Say) -> str:
    say(f"{package.title}: upstream's release can't be had; fetching Debian's package ...")
    folder = debian.fetch(package.debian, stack / "tools")
    for name, choices in package.names.items():
        binary = next(path for choice in reversed(choices) if (path := folder / "usr/bin" / choice).exists())
        link = stack / "bin" / name
        if name == "alertmanager":
            link.unlink(missing_ok=True)
            link.write_text(debian.wrapper(binary, folder / "usr/share"), encoding="utf-8")
            link.chmod(0o755)
        else:
            _link(link, os.path.relpath(binary, stack / "bin"))
    return _checked(package, stack)


def _checked(package: Package, stack: Path) -> str:
    """The version now in bin; raises StackError when a binary doesn't run or is too old."""
    for name in package.names:
        path = stack / "bin" / name
        version = version_of(path)
        if version is None or version < package.minimum:
            path.unlink()
            raise StackError(f"the {name} that came doesn't run on this machine, or is too old ({version})")
    return ".".join(map(str, version or ()))


def _good(path: Path, minimum: Version) -> bool:
    return (version_of(path) or ()) >= minimum


def _on_path(choices: tuple[str, ...], minimum: Version) -> Path | None:
    paths = [Path(found) for choice in choices if (found := shutil.which(choice))]
    return next((path for path in paths if _good(path, minimum)), None)


def _link(link: Path, target: str) -> None:
    link.unlink(missing_ok=True)
    link.symlink_to(target)


def fetch_grafana(stack: Path, environment: Mapping[str, str], say: Say) -> None:
    """Puts a script that starts Grafana into `stack`/bin. Raises StackError with the reason and the way to get it."""
    script = stack / "bin" / "grafana"
    try:
        binary, home = _grafana_here(environment) or _grafana_release(stack, say)
    except StackError as error:
        script.unlink(missing_ok=True)
        raise StackError(
            f"Grafana could not be had, all else runs: {error}. "
            "To get it: install it, or unpack that archive and set GRAFANA_HOME in .env; then `make up`."
        ) from error
    command = f"{quote(str(binary))} server" if binary.name == "grafana" else quote(str(binary))
    text = f'#!/bin/sh\n# Made by native/binaries.py.\nexec {command} --homepath {quote(str(home))} "$@"\n'
    if not script.exists() or script.read_text(encoding="utf-8") != text:
        script.write_text(text, encoding="utf-8")
        script.chmod(0o755)
        say(f"Grafana: {binary}")


def _grafana_here(environment: Mapping[str, str]) -> tuple[Path, Path] | None:
    named = environment.get("GRAFANA_HOME")
    homes = [Path(named)] if named else []
    candidates = [home / "bin" / name for home in homes for name in ("grafana", "grafana-server")]
    candidates += [Path(found) for name in ("grafana", "grafana-server") if (found := shutil.which(name))]
    for binary in candidates:
        for home in [*homes, binary.resolve().parent.parent, Path("/usr/share/grafana")]:
            if (home / "conf" / "defaults.ini").exists() and (version_of(binary, "-v") or ()) >= GRAFANA_MINIMUM:
                return binary, home
    if named:
        raise StackError(f"GRAFANA_HOME={named} has no Grafana 9.4 or newer (bin/grafana and conf/defaults.ini)")
    return None


def _grafana_release(stack: Path, say: Say) -> tuple[Path, Path]:
    if not (stack / "tools" / f"grafana-{GRAFANA.version}").is_dir():
        say(f"Grafana: looking for release {GRAFANA.version} (about 200 MB) ...")
    home = GRAFANA.fetch(stack / "tools")
    return home / "bin" / "grafana", home
