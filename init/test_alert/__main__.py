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
from collections.abc import Sequence
from pathlib import Path

from init import run
from init.faults import Faults
from init.files import File, write_all
from init.test_alert import words
from init.test_alert.plan import CONFIGURATION, ORDER, Plan, place_in_order, plan
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
            raise Faults([f"No channel {arguments.only} runs. Set it, then: make up. Without CHANNEL all are tested."])
        if arguments.step == "prepare":
            write_all({out / "alertmanager" / CONFIGURATION: File(planned.text)})
            return 0
        try:
            return _send(planned, out, arguments.host, arguments.command, bool(arguments.only))
        finally:
            # Nothing stays that the next `make up` would take for a change.
            (out / "alertmanager" / CONFIGURATION).unlink(missing_ok=True)
    except Faults as faults:
        print("\n".join(faults.messages), file=sys.stderr)
    except NotStarted as reason:
        told = "\n".join(words.clean(line, words.secrets(out)) for line in str(reason).splitlines())
        print(f"Nothing was sent: the Alertmanager for the test did not start.\n{told}", file=sys.stderr)
    except KeyboardInterrupt:
        return 130
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
    told = [(one.target, words.told(one.target.title, one.error, secrets)) for one in outcomes]
    lines = [
        (target.title, f"{target.label}: {f'FAILED: {error}' if error else 'delivered'}") for target, error in told
    ]
    left_out, note = _others(out)
    if not alone:
        tested = {title for title, _ in lines}
        lines += [(title, line) for title, line in left_out if title not in tested]
    print("\n".join(line for _, line in sorted(lines, key=lambda line: place_in_order(line[0]))))
    if note:
        print(note)
    return 1 if note or any(error for _, error in told) else 0


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


def _others(out: Path) -> tuple[list[tuple[str, str]], str]:
    """Title and line of each channel that is left out; and a sentence where .env is no more what runs."""
    with tempfile.TemporaryDirectory() as name:
        new = Path(name).resolve()
        try:
            lines = run.run(os.environ, new, monitoring=Path("monitoring.yml"))
        except Faults as faults:
            return [], "\n".join(
                ["Tested was what runs. Since then there is a fault in what is set:", *faults.messages]
            )
        named = [(line.partition(":")[0], line) for line in lines if ": left out" in line]
        left_out = [(title, line) for title, line in named if title in ORDER]
        if _settings(new) == _settings(out):
            return left_out, ""
    return left_out, "Tested was what runs, but .env or monitoring.yml says otherwise by now. To apply it: make up"


def _settings(out: Path) -> dict[str, str]:
    """All that the channels' settings make, by its name; what is made at random is no part of it."""
    folder = out / "alertmanager"
    paths = [folder / "alertmanager.yml", *(out / "responder").glob("*.json")]
    paths += [path for path in (folder / "secrets").glob("*") if path.name != "responder_token"]
    return {str(path.relative_to(out)): path.read_text(encoding="utf-8").replace(str(out), "") for path in paths}


if __name__ == "__main__":
    sys.exit(main())
