"""The command line: `python -m native up|down|status|logs|check|tools`."""

import argparse
import os
import sys

from native import binaries
from native.errors import StackError
from native.settings import SERVICES, load
from native.stack import Stack


def main() -> int:
    """Runs one command; its exit code is 0 when it did what it says."""
    parser = argparse.ArgumentParser(prog="python -m native", description="The stack without containers.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="start, wait until all is healthy; apply what has changed")
    commands.add_parser("down", help="stop everything")
    commands.add_parser("status", help="a line for each component; exit 1 unless all is healthy")
    logs = commands.add_parser("logs", help="the last lines of the logs")
    logs.add_argument("service", nargs="?", choices=[service.name for service in SERVICES])
    logs.add_argument("--lines", type=int, default=50, help="how many of each (50)")
    logs.add_argument("--follow", action="store_true", help="go on with what comes")
    commands.add_parser("check", help="validate monitoring.yml, with the passwords of .env")
    commands.add_parser("tools", help="fetch Prometheus, Alertmanager and their tools into .stack/bin")
    arguments = parser.parse_args()
    try:
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
            case "tools":
                binaries.fetch_all(stack.settings.stack, print)
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader of a pipe has gone, as in `make up | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
