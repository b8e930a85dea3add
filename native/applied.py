"""What the running stack was started with, so that a second `up` changes nothing, and a changed file is applied."""

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from native.settings import Settings

PROCESSES = "processes"


@dataclass(frozen=True)
class Applied:
    """Ports in use, and digests: of what each service's reload reads, and of what all processes are started with."""

    ports: dict[str, int] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)

    @classmethod
    def now(cls, settings: Settings) -> "Applied":
        """What is there to be applied; reads the project's files and those that `init` made."""
        root, out = settings.root, settings.out
        code = [path for package in ("exporter", "responder") for path in (root / package).rglob("*.py")]
        code += (root / "responder/templates").glob("*")
        code += [root / "native/supervisord.conf", root / "requirements.lock"]
        binaries = [str((settings.bin / name).resolve()) for name in ("alertmanager", "prometheus")]
        started_with = json.dumps([dict(settings.process_environment), binaries], sort_keys=True)
        digests = {
            PROCESSES: _digest(code, started_with),
            "exporter": _digest([root / "monitoring.yml"]),
            "alertmanager": _digest(path for path in (out / "alertmanager").rglob("*") if path.is_file()),
            "prometheus": _digest([out / "prometheus/prometheus.yml", *(root / "prometheus").rglob("*.yml")]),
        }
        return cls(dict(settings.ports), digests)

    @classmethod
    def read(cls, settings: Settings) -> "Applied":
        """What was recorded at the last success; empty where nothing was."""
        try:
            return cls(**json.loads(_path(settings).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return cls()

    def write(self, settings: Settings) -> None:
        """Records it, readable by the owner alone."""
        descriptor = os.open(_path(settings), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(self), file)

    def changed(self, before: "Applied") -> list[str]:
        """The names whose digest differs."""
        return [name for name, digest in self.digests.items() if before.digests.get(name) != digest]


def _path(settings: Settings) -> Path:
    return settings.stack / "run" / "applied.json"


def _digest(paths: Iterable[Path], text: str = "") -> str:
    digest = hashlib.sha256(text.encode())
    for path in sorted(paths):
        digest.update(f"\0{path}\0".encode() + path.read_bytes())
    return digest.hexdigest()
