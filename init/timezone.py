"""The time zone of monitoring.yml, and the template that writes times in it.

Alertmanager's own `tz` needs the zone's data on its machine or in its image; where they are missing, or older than the
zone's name, the message is lost. So the zone's offsets are put into the template itself.
"""

from __future__ import annotations

import datetime as dt
from importlib import resources
from pathlib import Path
from zoneinfo import TZPATH, ZoneInfo, available_timezones

from init.faults import Faults
from init.yaml import load

YEARS_AHEAD = 15
_DAY = 86400


def configured(monitoring: Path) -> str:
    """The zone that monitoring.yml names, else UTC. Raises Faults where it is none, or the file can't be read."""
    name = load(monitoring).get("timezone", "UTC")
    if name not in available_timezones():
        raise Faults(
            [f"{monitoring}: timezone is {name!r}: allowed is a zone such as UTC, Europe/Berlin or America/New_York."]
        )
    return str(name)


def data(name: str) -> bytes:
    """The zone's data as Alertmanager reads it, for the hours of its routes: its image or machine may lack the zone."""
    packaged = resources.files("tzdata").joinpath("zoneinfo", *name.split("/"))
    if packaged.is_file():
        return packaged.read_bytes()
    # Of this machine's own making, such as localtime.
    return next(path.read_bytes() for folder in TZPATH if (path := Path(folder) / name).is_file())


def render(name: str, now: dt.datetime) -> str:
    """The file with the define `time`, right from last year on and for the years ahead; then its last offset stays."""
    zone = ZoneInfo(name)
    begin = int(dt.datetime(now.year - 1, 1, 1, tzinfo=dt.UTC).timestamp())
    end = int(dt.datetime(now.year + YEARS_AHEAD, 1, 1, tzinfo=dt.UTC).timestamp())
    branches = []
    for day in range(begin, end, _DAY):
        if _offset(zone, day) != _offset(zone, day + _DAY):
            change = _change(zone, day, day + _DAY)
            branches.append(f"if lt .Unix {change} }}}}{_written(zone, change - 1)}{{{{ else ")
    last = _written(zone, end)
    body = "{{ " + "".join(branches).removesuffix(" ") + " }}" + last + "{{ end }}" if branches else last
    return (
        f"{{{{/* How a time is written: in the zone {name}. Made by `python -m init` from monitoring.yml. */}}}}\n"
        f'{{{{ define "time" }}}}{body}{{{{ end }}}}\n'
    )


def _offset(zone: ZoneInfo, second: int) -> tuple[int, str]:
    moment = dt.datetime.fromtimestamp(second, zone)
    offset = moment.utcoffset()
    return (int(offset.total_seconds()) if offset else 0, moment.tzname() or "UTC")


def _change(zone: ZoneInfo, low: int, high: int) -> int:
    """The first second with the offset of `high`."""
    after = _offset(zone, high)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _offset(zone, middle) == after else (middle, high)
    return high


def _written(zone: ZoneInfo, second: int) -> str:
    seconds, abbreviation = _offset(zone, second)
    return f'{{{{ .UTC.Add {seconds}000000000 | date "2 Jan 2006 15:04:05" }}}} {abbreviation}'
