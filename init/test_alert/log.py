"""What Alertmanager's log (0.33, JSON, level debug) says of each receiver.

{"msg":"Listening on","address":"127.0.0.1:37907", …}
{"msg":"Notify success","receiver":"test-1","integration":"telegram[0]", …}
{"msg":"Notify attempt failed, will retry later","receiver":"test-2", …,"err":"telegram: chat not found (400)"}
{"msg":"Notify for alerts failed", …,"err":"test-3/slack[0]: notify retry canceled due to unrecoverable error after 1
  attempts: channel \\"#trading-alerts\\": unexpected status code 404: no_service"}
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

_GIVEN_UP = re.compile(
    r"(?P<receiver>[\w-]+)/\w+\[\d+\]: notify retry canceled.*? after \d+ attempts: (?P<error>.+)", re.DOTALL
)


@dataclass
class Log:
    """Takes line by line; what is known so far. An error that is in `given_up` is the last word, others may go away."""

    address: str = ""
    delivered: set[str] = field(default_factory=set)
    errors: dict[str, str] = field(default_factory=dict)
    given_up: set[str] = field(default_factory=set)
    rest: list[str] = field(default_factory=list)

    def take(self, line: str) -> None:
        """Reads one line; what isn't of the log is kept in `rest`, for it may say why nothing started."""
        try:
            entry = json.loads(line)
            message = entry["msg"]
        except (ValueError, TypeError, KeyError):
            self.rest.append(line.strip())
            return
        error = str(entry.get("err", ""))
        if message == "Listening on":
            self.address = entry["address"]
        elif message == "Notify success":
            self.delivered.add(entry["receiver"])
        elif message == "Notify attempt failed, will retry later":
            self.errors[entry["receiver"]] = error
        elif message == "Notify for alerts failed":
            for given_up in _GIVEN_UP.finditer(error):
                self.given_up.add(given_up["receiver"])
                self.errors[given_up["receiver"]] = given_up["error"]
        elif entry.get("level") == "ERROR":
            self.rest.append(f"{message}: {error}" if error else message)
