"""The command line: `python -m native up|down|status|logs|check|test-alert|tools`."""

import argparse
import os
import sys

from native import binaries, test_alert
from native.errors import StackError
from native.settings import SERVICES, load
from native.stack import Stack


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m native", description="The stack without containers.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="start, wait until all is healthy; apply what has changed")
    commands.add_parser("down", help="stop everything")
    commands.add_parser("status", help="a line for each component; exit 1 unless all is healthy")
    logs = commands.add_parser("logs", help="the last lines of the logs")
    logs.add_argument("service", nargs="?", choices=[*(service.name for service in SERVICES), "past"])
    logs.add_argument("--lines", type=int, default=50, help="how many of each (50)")
    logs.add_argument("--follow", action="store_true", help="go on with what comes")
    commands.add_parser("check", help="validate monitoring.yml, with the passwords of .env")
    test = commands.add_parser("test-alert", help="send a test message through each channel; exit 1 if one fails")
    test.add_argument("--only", default="", metavar="CHANNEL", help="one channel, such as telegram (all)")
    commands.add_parser("tools", help="fetch Prometheus, Alertmanager and their tools into .stack/bin")
    return parser.parse_args()


def _run(arguments: argparse.Namespace) -> int:
    stack = Stack(load())
    match arguments.command:
        case "up":
            stack.up()
        case "down":
            stack.down()
        case "status":
            return 0 if stack.status() else 1
        case "logs":
            stack.logs(arguments.service, arguments.lines, arguments.follow)
        case "check":
            stack.check()
        case "test-alert":
            return test_alert.run(stack.settings, arguments.only)
        case "tools":
            binaries.fetch_all(stack.settings.stack, print)
    return 0


def main() -> int:
    """Runs one command; its exit code is 0 when it did what it says."""
    try:
        return _run(_arguments())
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader of a pipe has gone, as in `make up | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
