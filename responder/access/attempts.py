"""How often a password may be tried.

Nobody is locked out for good: a wrong attempt costs a token, and tokens come back with time. And an attacker can't keep
the owner out: a browser that has logged in before has a cookie that says so, and tokens of its own. All others share
those of their address, which behind a reverse proxy is the proxy's, and those of all together.
"""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

BURST, SECONDS = 5, 30.0  # of an address or a known browser: at once, and for one more
BURST_OF_ALL, SECONDS_OF_ALL = 20, 15.0  # some 5,800 a day
MAX_KEYS = 1000


class Bucket:
    """Tokens by key. Of more than `MAX_KEYS` keys the oldest are forgotten."""

    def __init__(self, burst: int, seconds: float, clock: Callable[[], float]) -> None:
        """All are full at first."""
        self._burst, self._seconds, self._clock = burst, seconds, clock
        self._spent: OrderedDict[str, tuple[float, float]] = OrderedDict()  # how many, and when that was so

    def take(self, key: str) -> float:
        """Takes a token and returns 0; without one, the seconds until the next."""
        now = self._clock()
        spent, at = self._spent.pop(key, (0.0, now))
        spent = max(spent - (now - at) / self._seconds, 0.0)
        wait = round(max((spent + 1 - self._burst) * self._seconds, 0.0), 3)
        self._spent[key] = (spent if wait else spent + 1, now)
        if len(self._spent) > MAX_KEYS:
            self._spent.popitem(last=False)
        return wait

    def give_back(self, key: str) -> None:
        """Puts a token back."""
        if key in self._spent:
            spent, at = self._spent[key]
            self._spent[key] = (max(spent - 1, 0.0), at)


class Attempts:
    """Any thread may call it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Nobody has tried yet."""
        self._lock = threading.Lock()
        self._each = Bucket(BURST, SECONDS, clock)
        self._all = Bucket(BURST_OF_ALL, SECONDS_OF_ALL, clock)

    def begin(self, address: str, browser: str) -> float:
        """Before a password is looked at: 0, or the seconds to wait. `browser` is that of the cookie, or empty."""
        with self._lock:
            if browser:
                return self._each.take(f"browser {browser}")
            # An address without tokens takes none of all: one attacker alone can't empty them.
            key = _network(address)
            wait = self._each.take(key)
            if not wait and (wait := self._all.take("")):
                self._each.give_back(key)
            return wait

    def succeeded(self, address: str, browser: str) -> None:
        """The password was right: the attempt didn't count."""
        with self._lock:
            if browser:
                self._each.give_back(f"browser {browser}")
            else:
                self._each.give_back(_network(address))
                self._all.give_back("")


def _network(address: str) -> str:
    """An IPv6 user has a whole /64."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((parsed, 64), strict=False)) if parsed.version == 6 else address
