"""The demo bot's past: what the exporter would have served, and nothing where it isn't wanted."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from exporter import past
from exporter.bots import Bots
from exporter.metrics import METRICS
from exporter.scrape import scrape
from tests.exporter.helpers import set_clock, soon

ROOT = Path(__file__).resolve().parents[2]
DEMO = {"preset": "experienced", "bots": [{"name": 'de"mo', "type": "demo"}]}


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(past, "DAYS", 2)
    monkeypatch.setattr(past, "STEP", 21600)
    monkeypatch.setattr(past, "PROCESSES", 1)


def run(folder: Path, monitoring: object) -> list[str]:
    """The files' lines."""
    (folder / "monitoring.yml").write_text(yaml.safe_dump(monitoring))
    arguments = {"--config": "monitoring.yml", "--data-dir": "data", "--prometheus-data": "prometheus", "--out": "out"}
    assert past.main([word for key, name in arguments.items() for word in (key, str(folder / name))]) == 0
    files = sorted((folder / "out").glob("*.om"), key=lambda file: int(file.stem))
    return [line for file in files for line in file.read_text().splitlines() if line != "# EOF"]


@pytest.mark.usefixtures("short")
def test_it_is_what_a_scrape_would_have_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = run(tmp_path, DEMO)
    at = lines[-1].rpartition(" ")[2]
    written = {line.removesuffix(f" {at}") for line in lines if line.endswith(f" {at}")}
    bots = Bots(tmp_path / "monitoring.yml", tmp_path / "data")
    set_clock(monkeypatch, "exporter.sources.demo", lambda: float(at))
    groups = ["bot", "trading", "model", "market", "system"]
    served = scrape(bots, ['de"mo'], groups, soon()).decode().splitlines()
    expected = set()
    for line in served:
        # A process counts its response times from its own start on.
        if line[0] != "#" and not line.startswith("trading_bot_response_time_seconds"):
            name = re.split("[{ ]", line, maxsplit=1)[0]
            target = f'{name}{{job="{METRICS[name]}",instance="de\\"mo",'
            expected.add(line.replace(f"{name}{{", target, 1))
    assert expected <= written
    assert {line.partition("{")[0] for line in written - expected} == {
        *past.RECORDED.values(),
        *(f"trading_bot_response_time_seconds_{part}" for part in ("bucket", "count", "sum")),
    }


def test_jobs_are_named_as_their_groups() -> None:
    jobs = yaml.safe_load((ROOT / "prometheus/prometheus.yml").read_text())["scrape_configs"]
    asked = {job["job_name"]: job["params"]["collect[]"] for job in jobs if "params" in job}
    assert {name: groups for name, groups in asked.items() if groups != [name]} == {}


@pytest.mark.usefixtures("short")
def test_nothing_is_made_beside_a_real_bot(tmp_path: Path) -> None:
    real = {"name": "mine", "type": "file", "path": "mine.json"}
    assert run(tmp_path, {"bots": [*DEMO["bots"], real]}) == []


@pytest.mark.usefixtures("short")
def test_nothing_is_made_where_prometheus_has_data(tmp_path: Path) -> None:
    (tmp_path / "prometheus" / "wal").mkdir(parents=True)
    assert run(tmp_path, DEMO) == []


@pytest.mark.usefixtures("short")
def test_a_fault_is_told_and_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, {"bots": [{"name": "x", "type": "nonsense"}]}) == []
    assert "could not be made; all else goes on: " in capsys.readouterr().out


def test_each_file_is_a_block() -> None:
    block = past.BLOCK * 3600
    spans = list(past._spans(block - 900, 2 * block + 300))
    assert spans == [(block - 900, block), (block, 2 * block), (2 * block, 2 * block + 300)]
