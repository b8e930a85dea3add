"""`make test-alert` without containers: an Alertmanager of its own beside the one that runs."""

import subprocess
import tempfile

from native.errors import StackError
from native.settings import Settings
from native.supervisor import Supervisor


def run(settings: Settings, only: str) -> int:
    """Sends the test messages, all or by one channel alone; the exit code. Raises StackError where nothing runs."""
    if not Supervisor(settings).runs():
        raise StackError("Nothing runs. Start it with: make up")
    code = _step(settings, "prepare", only)
    with tempfile.TemporaryDirectory(prefix="test-alert-") as storage:
        return code or _step(
            settings,
            "send",
            only,
            "--command",
            str(settings.bin / "alertmanager"),
            f"--config.file={settings.out / 'alertmanager' / 'test-alert.yml'}",
            f"--storage.path={storage}",
            "--cluster.listen-address=",
            "--web.listen-address=127.0.0.1:0",
            f"--web.external-url={settings.environment['ALERTMANAGER_URL']}",
            "--web.route-prefix=/",
            "--log.format=json",
            "--log.level=debug",
        )


def _step(settings: Settings, step: str, only: str, *command: str) -> int:
    arguments = ["-m", "init.test_alert", step, "--out", str(settings.out), "--only", only, *command]
    return subprocess.run(  # noqa: S603
        [settings.environment["PYTHON"], *arguments], cwd=settings.root, env=settings.environment, check=False
    ).returncode
