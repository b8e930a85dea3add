"""The command `python -m init.test_alert prepare|send --out DIR`.

`prepare` writes the configuration of an Alertmanager for the test beside the one that runs; `send` reads that
Alertmanager's log from the standard input, or starts it itself by --command.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from init import run
from init.faults import Faults
from init.files import File, write_all
from init.test_alert import words
from init.test_alert.plan import CONFIGURATION, Plan, plan
from init.test_alert.send import NotStarted, alert, send

STOP_SECONDS = 10


def main() -> int:
    """Runs once; returns the exit code: 1 if anything was not delivered."""
    parser = argparse.ArgumentParser(prog="python -m init.test_alert", description="Sends a test message.")
    parser.add_argument("step", choices=["prepare", "send"])
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="what `python -m init` has written")
    parser.add_argument("--host", default="127.0.0.1", help="where Alertmanager answers (127.0.0.1)")
    parser.add_argument("--only", default="", metavar="CHANNEL", help="one channel, such as telegram (all)")
    parser.add_argument(
        "--command", nargs=argparse.REMAINDER, help="starts Alertmanager; else its log is read from stdin"
    )
    arguments = parser.parse_args()
    out = arguments.out.resolve()
    try:
        planned = plan(out / "alertmanager", arguments.only)
        if arguments.only and not planned.targets and not planned.by_responder:
            raise Faults([f"There is no channel {arguments.only} that is set; without CHANNEL all are tested."])
        if arguments.step == "prepare":
            write_all({out / "alertmanager" / CONFIGURATION: File(planned.text)})
            return 0
        return _send(planned, out, arguments.host, arguments.command, bool(arguments.only))
    except Faults as faults:
        print("\n".join(faults.messages), file=sys.stderr)
    except NotStarted as reason:
        told = "\n".join(words.clean(line, words.secrets(out)) for line in str(reason).splitlines())
        print(f"Nothing was sent: the Alertmanager for the test did not start.\n{told}", file=sys.stderr)
    return 1


def _send(planned: Plan, out: Path, host: str, command: Sequence[str], alone: bool) -> int:
    message = alert(os.environ)
    if command:
        with subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            try:
                outcomes = send(planned, process.stdout or (), host, message)
            finally:
                _stop(process)
    else:
        outcomes = send(planned, sys.stdin, host, message)
    secrets = words.secrets(out)
    for outcome in outcomes:
        error = words.told(outcome.target.title, outcome.error, secrets)
        print(f"{outcome.target.label}: {'FAILED: ' + error if error else 'delivered'}")
    failed = any(outcome.error for outcome in outcomes)
    return 1 if _tell_others(out, {o.target.title.lower() for o in outcomes}, alone) or failed else 0


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


def _tell_others(out: Path, tested: Iterable[str], alone: bool) -> bool:
    """Tells which channels are left out, and whether .env is another than the one that runs; True if it is."""
    with tempfile.TemporaryDirectory() as name:
        new = Path(name).resolve()
        try:
            lines = run.run(os.environ, new, monitoring=Path("monitoring.yml"))
        except Faults as faults:
            print("\n".join(faults.messages), "Tested was what runs. .env has these faults since.", sep="\n")
            return True
        if not alone:
            for line in lines:
                if ": left out" in line and line.partition(":")[0].lower() not in tested:
                    print(line)
        if _settings(new) == _settings(out):
            return False
    print("Tested was what runs, but .env or monitoring.yml says otherwise by now. To apply it: make up")
    return True


def _settings(out: Path) -> dict[str, str]:
    """All that the channels' settings make, by its name; what is made at random is no part of it."""
    folder = out / "alertmanager"
    paths = [folder / "alertmanager.yml", *(out / "responder").glob("*.json")]
    paths += [path for path in (folder / "secrets").glob("*") if path.name != "responder_token"]
    return {str(path.relative_to(out)): path.read_text(encoding="utf-8").replace(str(out), "") for path in paths}


if __name__ == "__main__":
    sys.exit(main())
