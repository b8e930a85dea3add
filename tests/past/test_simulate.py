"""The demo bots' past: what the exporter would have served."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from exporter.bots import Bots
from exporter.config.load import load
from exporter.metrics import METRICS
from exporter.scrape import scrape
from past import simulate
from tests.exporter.helpers import set_clock, soon

ROOT = Path(__file__).resolve().parents[2]
DEMO = {"preset": "experienced", "bots": [{"name": "de\\mo", "type": "demo"}]}
READ = {"trading_bot_profit_loss", "trading_bot_threshold", "trading_bot_maintenance"}
BLOCK = simulate.BLOCK * 3600


def rounded(line: str) -> str:
    """A sample whose last digits, which depend on the order in which trades were added up, are cut."""
    head, _, value = line.rpartition(" ")
    return f"{head} {float(value):.9g}"


def test_it_is_what_a_scrape_would_have_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monitoring = tmp_path / "monitoring.yml"
    monitoring.write_text(yaml.safe_dump(DEMO))
    bots = Bots(monitoring, tmp_path / "data")
    since = json.loads((tmp_path / "data/demo.json").read_text())
    start = int(since["de\\mo"])
    times = range(start, start + 3 * BLOCK, 21600)
    simulate.write(load(monitoring), since, times, tmp_path, READ)
    files = simulate.files(tmp_path)
    assert [int(file.stem) for file in files] == sorted({time // BLOCK for time in times})
    at = times[-1]
    lines = files[-1].read_text().splitlines()
    written = {rounded(line.removesuffix(f" {at}")) for line in lines if line.endswith(f" {at}")}
    set_clock(monkeypatch, "exporter.sources.demo", lambda: float(at))
    groups = ["bot", "trading", "model", "market", "system"]
    served = scrape(bots, ["de\\mo"], groups, soon()).decode().splitlines()
    expected = set()
    for line in served:
        # A process counts its response times from its own start on.
        if line[0] != "#" and not line.startswith("trading_bot_response_time_seconds"):
            name = re.split("[{ ]", line, maxsplit=1)[0]
            target = f'{name}{{job="{METRICS[name]}",instance="de\\\\mo",'
            expected.add(rounded(line.replace(f"{name}{{", target, 1)))
    assert expected <= written
    assert {line.partition("{")[0] for line in written - expected} == {
        f"trading_bot_response_time_seconds_{part}" for part in ("bucket", "count", "sum")
    }

    # Rules read limits, too, which are the same all the time, each once a moment.
    read = []
    for file in simulate.to_read(tmp_path):
        *lines, end = file.read_text().splitlines()
        assert end == "# EOF"
        read += lines
    assert {line.partition("{")[0] for line in read} == READ
    assert len({line.rpartition(" ")[0] for line in read if line.startswith("trading_bot_threshold")}) > 30
    assert len(set(read)) == len(read) == len({re.sub(" .* ", " ", line) for line in read})


def test_jobs_are_named_as_their_groups() -> None:
    jobs = yaml.safe_load((ROOT / "prometheus/prometheus.yml").read_text())["scrape_configs"]
    asked = {job["job_name"]: job["params"]["collect[]"] for job in jobs if "params" in job}
    assert {name: groups for name, groups in asked.items() if groups != [name]} == {}
