"""Before Prometheus's first start: the demo bot's past, for a first look."""

import os
import subprocess

from native.settings import Settings

# For each of the two steps. On a machine so busy that this is too short, there is no past.
SECONDS = 180


def make(settings: Settings) -> None:
    """Puts it into Prometheus's data; whatever fails, that is told and all goes on."""
    prometheus, files = settings.stack / "data" / "prometheus", settings.stack / "data" / "past"
    simulate = [settings.environment["PYTHON"], "-m", "exporter.past", "--config", "monitoring.yml"]
    simulate += ["--data-dir", ".stack/data/exporter", "--prometheus-data", str(prometheus), "--out", str(files)]
    path = f"{settings.bin}{os.pathsep}{settings.process_environment.get('PATH') or settings.inherited.get('PATH', '')}"
    environment = {**settings.inherited, **settings.process_environment, "PATH": path}
    try:
        for command in (simulate, ["sh", "prometheus/past.sh", str(files), str(prometheus)]):
            subprocess.run(command, cwd=settings.root, env=environment, timeout=SECONDS, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        print(f"The demo bot's past could not be made; all else goes on: {error}", flush=True)
