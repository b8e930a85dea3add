"""Source `network`: how long a TCP connection to the exchange's addresses takes."""

from __future__ import annotations

import ipaddress
import re
import socket
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar
from urllib.parse import urlsplit

from exporter.aside import Aside
from exporter.sources import Group, Part
from exporter.state import BotState, SourceError, System

Address = tuple[str, int]

# Seconds that a reading takes at most, and for which a name's addresses are remembered.
AT_MOST = 5.0
REMEMBERED = 300.0
_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_ALLOWED = "must be an address such as api.binance.com:443, [::1]:443 or https://api.binance.com"


def address(text: str) -> Address:
    """Host and port of an address as monitoring.yml has it; a URL's port is its scheme's, and its path doesn't count.

    Raises:
        ValueError: it is none; says what is allowed.
    """
    try:
        parts = urlsplit(text if "://" in text else f"//{text}")
        host, port = parts.hostname or "", parts.port
        if ":" in host:
            ipaddress.IPv6Address(host)
        elif not re.fullmatch(r"[\w.-]{1,253}", host.encode("idna").decode()):
            raise ValueError
    except ValueError:  # also a port that is none, brackets that don't match, a label that is too long
        raise ValueError(_ALLOWED) from None
    if parts.scheme:
        bare = parts.scheme in _PORTS
        port = _PORTS.get(parts.scheme) if port is None else port
    else:
        bare = not parts.path + parts.query + parts.fragment
    if not bare or not port or "@" in parts.netloc or " " in text or not text.isprintable():
        raise ValueError(_ALLOWED)
    return host, port


class ProbeSource:
    """Connects to addresses, side by side, and says how long the slowest took.

    Args:
        addresses: host and port of each.
    """

    groups: ClassVar[Mapping[Group, Part]] = {"system": "network"}

    def __init__(self, addresses: Sequence[Address]) -> None:
        self._addresses = tuple(dict.fromkeys(addresses))
        self._aside = Aside()
        self._known: dict[Address, tuple[float, list[Any]]] = {}
        self._resolving: set[Address] = set()

    def read(self, part: Part, deadline: float) -> BotState:  # noqa: ARG002 - there is one part
        """The latency in seconds: from the start of a connection until it stands, without the name's resolution.

        It is the largest of those addresses that answer within 5 s and the deadline; the others are problems.

        Raises:
            SourceError: none of them answered.
        """
        end = min(deadline, time.monotonic() + AT_MOST)
        probes = {each: self._aside.start(_written(each), partial(self._probe, each, end)) for each in self._addresses}
        latencies, problems = [], []
        for each, probe in probes.items():
            try:
                latencies.append(probe.result(timeout=max(end - time.monotonic(), 0)))
            except SourceError as error:
                # Made afresh: readings that joined one probe would share the frames of its exception.
                problems.append(SourceError(error.reason, str(error)))
            except TimeoutError:
                problems.append(self._late(each))
        if not latencies:
            raise SourceError(problems[0].reason, "; ".join(map(str, problems)))
        return BotState(system=System(network_latency=max(latencies)), problems=tuple(problems))

    def _probe(self, each: Address, end: float) -> float:
        """Seconds that a connection takes. It gives up at `end`, unless the name's resolution hangs."""
        candidates = self._resolve(each)
        now = time.monotonic()
        try:
            # Where the resolution took longer than its reading, a later reading waits for this.
            return _connect(candidates, end if now < end else now + AT_MOST)
        except TimeoutError:
            raise self._late(each) from None
        except OSError as error:
            why = error.strerror or error
            raise SourceError(
                "connection", f"{_written(each)}: {why}; is the address right, is the host online?"
            ) from error

    def _late(self, each: Address) -> SourceError:
        # The same words each time, for the log tells a fault when it changes.
        what = "its name was not resolved" if each in self._resolving else "no answer"
        return SourceError("timeout", f"{_written(each)}: {what} within {AT_MOST:g} s, or the scrape's time")

    def _resolve(self, each: Address) -> list[Any]:
        known = self._known.get(each)
        if known is not None and time.monotonic() - known[0] < REMEMBERED:
            return known[1]
        self._resolving.add(each)
        try:
            found = socket.getaddrinfo(*each, type=socket.SOCK_STREAM)
        except OSError as error:
            raise SourceError(
                "dns", f"{_written(each)}: {error.strerror}; is the name right, does DNS work here?"
            ) from error
        finally:
            self._resolving.discard(each)
        self._known[each] = time.monotonic(), found
        return found


def _connect(candidates: Sequence[Any], end: float) -> float:
    """Seconds to connect to the first of a name's addresses that answers; one that isn't the last has half the time."""
    error: OSError = TimeoutError()
    for n, (family, kind, protocol, _, where) in enumerate(candidates, 1):
        left = end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        try:
            with socket.socket(family, kind, protocol) as connection:
                connection.settimeout(left if n == len(candidates) else left / 2)
                began = time.perf_counter()
                connection.connect(where)
                return time.perf_counter() - began
        except OSError as failure:
            error = failure
    raise error


def _written(each: Address) -> str:
    host, port = each
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
