"""Shards: which exporter has which bot, equal to what Prometheus's `hashmod` says."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from exporter.__main__ import main
from exporter.bots import Bots
from exporter.shard import ALL, Shard, shard
from exporter.web import create_app
from tests.binaries import binary
from tests.exporter.helpers import Samples

NAMES = ["demo", "a", "b", "my-bot", "bot 7", "a 'b' \\ 🤖", "ä", "x" * 64, *(f"bot-{n}" for n in range(40))]


@given(st.text(st.characters(codec="utf-8"), min_size=1), st.integers(1, 9999))
def test_the_hash_of_hashmod(name: str, count: int) -> None:
    """The MD5 of the name, its last 8 bytes as a number, modulo the count; so exactly one shard holds a bot."""
    expected = int(hashlib.md5(name.encode()).hexdigest()[16:], 16) % count  # noqa: S324 - not a secret
    assert Shard(expected, count).holds(name)
    assert not Shard((expected + 1) % count, count).holds(name) or count == 1


def test_one_shard_holds_all() -> None:
    assert shard("0/1") == ALL
    assert all(ALL.holds(name) for name in NAMES)


@pytest.mark.parametrize(
    "text", ["", "0", "4/4", "5/4", "0/0", "-1/4", "1/-4", "a/4", "0/4/2", "1.5/4", "0/10000", "٣/٤"]
)
def test_what_is_no_shard(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([f"--shard={text}"])
    assert ended.value.code == 2
    sentence = "must be NUMBER/COUNT with the number from 0 to COUNT - 1, such as 0/4"
    assert f"argument --shard: {sentence}\n" in capsys.readouterr().err


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "monitoring.yml"
    file.write_text(yaml.safe_dump({"bots": [{"name": name, "type": "demo"} for name in NAMES]}))
    return file


@pytest.mark.parametrize("count", [1, 2, 4, 7])
def test_all_shards_together_hold_each_bot_once(config: Path, tmp_path: Path, count: int) -> None:
    shards = [Bots(config, tmp_path / "data", Shard(number, count)) for number in range(count)]
    held = [name for bots in shards for name in bots.readers]
    assert sorted(held) == sorted(NAMES)
    assert count == 1 or all(0 < len(bots.readers) < len(NAMES) for bots in shards)


def test_a_shard_serves_its_own_bots_and_knows_no_other(config: Path, tmp_path: Path) -> None:
    """In metrics, discovery and the page; and after a reload."""
    bots = Bots(config, tmp_path / "data", Shard(1, 3))
    mine = [name for name in NAMES if Shard(1, 3).holds(name)]
    other = next(name for name in NAMES if name not in mine)
    client = create_app(bots).test_client()
    for _ in range(2):
        got = Samples(client.get("/metrics?collect[]=bot&collect[]=config").data)
        assert {bot for (bot,) in got.of("trading_bot_up")} == set(mine)
        assert {bot for bot, *_ in got.of("trading_bot_threshold")} == set(mine)
        assert [target["labels"]["instance"] for target in client.get("/sd").json or []] == mine
        assert client.get("/metrics", query_string={"bot": other}).status_code == 404
        assert client.get("/-/healthy").text == f"OK, {len(mine)} bots\n"
        assert client.post("/-/reload").status_code == 200


def test_faults_of_another_shard_s_bots_are_told_too(config: Path, tmp_path: Path) -> None:
    """The file is the same for all shards: none of them takes a bad one over while another refuses it."""
    bots = [Bots(config, tmp_path / "data", Shard(number, 2)) for number in range(2)]
    config.write_text(config.read_text() + "- {name: demo, type: demo}\n")
    for each in bots:
        assert create_app(each).test_client().post("/-/reload").status_code == 500


def test_prometheus_itself_says_the_same(tmp_path: Path) -> None:
    """By its own relabelling, as promtool tells what becomes of a target."""
    counts = (2, 4, 7)
    relabel = [
        {"source_labels": ["name"], "modulus": count, "target_label": f"of_{count}", "action": "hashmod"}
        for count in counts
    ]
    targets = [{"targets": ["127.0.0.1:1"], "labels": {"name": name}} for name in NAMES]
    jobs = [{"job_name": "x", "static_configs": targets, "relabel_configs": relabel}]
    (tmp_path / "prometheus.yml").write_text(json.dumps({"scrape_configs": jobs}, ensure_ascii=False))
    command = [binary("promtool"), "check", "service-discovery", "--timeout=1s", "prometheus.yml", "x"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    found = [target["labels"] for target in json.loads(run.stdout)]
    assert {labels["name"] for labels in found} == set(NAMES)
    for labels in found:
        for count in counts:
            assert Shard(int(labels[f"of_{count}"]), count).holds(labels["name"]), labels
