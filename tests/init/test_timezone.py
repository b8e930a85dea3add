"""Times in the user's zone, as the real amtool writes them with the rendered template."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from init.faults import Faults
from init.timezone import configured, render
from tests.binaries import binary

NOW = dt.datetime(2026, 11, 21, tzinfo=dt.UTC)
# Summer and winter, offsets of half an hour and of a quarter, a change of half an hour, a day that is left out for
# Ramadan's weeks, and none at all.
ZONES = [
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
]
# The hours around changes of the year 2026, and two moments later on.
MOMENTS = [
    "2026-02-15T02:30:00+00:00",
    "2026-03-08T06:59:59+00:00",
    "2026-03-08T07:00:00+00:00",
    "2026-03-29T00:59:59+00:00",
    "2026-03-29T01:00:00+00:00",
    "2026-04-04T15:00:00+00:00",
    "2026-10-25T00:59:59+00:00",
    "2026-10-25T01:00:00+00:00",
    "2026-11-01T05:59:59+00:00",
    "2026-11-01T06:00:00+00:00",
    "2031-07-01T12:00:00+00:00",
    "2039-12-31T23:59:59+00:00",
]


@pytest.mark.parametrize("kind", ["text", "html"])
@pytest.mark.parametrize("name", ["UTC", *ZONES])
def test_times_are_those_of_the_zone(tmp_path: Path, name: str, kind: str) -> None:
    (tmp_path / "timezone.tmpl").write_text(render(name, NOW))
    (tmp_path / "data.json").write_text(json.dumps({"alerts": [{"startsAt": moment} for moment in MOMENTS]}))
    command = [binary("amtool"), "template", "render", f"--template.glob={tmp_path}/*.tmpl", f"--template.type={kind}"]
    command += [f"--template.data={tmp_path}/data.json"]
    command += ['--template.text={{ range .Alerts }}{{ template "time" .StartsAt }}|{{ end }}']
    written = subprocess.run(command, capture_output=True, text=True, check=True).stdout.replace("&#43;", "+")
    expected = []
    for moment in MOMENTS:
        local = dt.datetime.fromisoformat(moment).astimezone(ZoneInfo(name))
        expected.append(f"{local.day} {local:%b %Y %H:%M:%S %Z}")
    assert written.strip().split("|")[:-1] == expected


def test_the_zone_is_that_of_monitoring_yml(tmp_path: Path) -> None:
    monitoring = tmp_path / "monitoring.yml"
    monitoring.write_text("timezone: Asia/Kolkata\nbots: []\n")
    assert configured(monitoring) == "Asia/Kolkata"
    monitoring.write_text("bots: []\n")
    assert configured(monitoring) == "UTC"
    for wrong in ("Mars/Olympus", "5"):
        monitoring.write_text(f"timezone: {wrong}\n")
        with pytest.raises(Faults, match=r"timezone is .* allowed is a zone such as UTC"):
            configured(monitoring)
    with pytest.raises(Faults, match="can't be read"):
        configured(tmp_path / "nowhere.yml")
