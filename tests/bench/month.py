"""A month of many bots for Prometheus: as many samples as it would have of what dashboards ask for over ranges.

One simulated bot's past (past/, a sample every five minutes) is told under all names, each sample at the
interval at which it is really read; rules' series are evaluated by the rules themselves. What was watched, and of which
there is no past, is made up: health, SLA, alerts, and what the stack says of itself.
"""

from __future__ import annotations

import json
import math
import os
import random
import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import time as now
from typing import Any, NamedTuple

import requests
import yaml

from exporter.config.load import load
from past import promtool, record, simulate
from past.__main__ import DAYS
from past.simulate import BLOCK, STEP
from tests.binaries import binary
from tests.rules.series import groups
from tests.stack import ROOT

# Their stories are the same under many names: the shape of the data is what matters. To make all takes long; BENCH_BOTS
# and BENCH_DAYS make less.
BOTS = int(os.environ.get("BENCH_BOTS", "100"))
SPAN = int(os.environ.get("BENCH_DAYS", str(DAYS))) * 86400
STORY = "story-0"
BINARIES = Path(binary("promtool")).parent
HOUR = 3600
SLA = ("availability", "error_rate", "response_time_p95", "response_time_p99", "data_freshness", "model_accuracy")
CHECKS = ("bot_running", "api_connectivity", "model_loaded", "data_freshness", "memory", "cpu", "disk", "network")
RECORDED = (
    *("bot:drawdown:ratio", "bot:maintenance", "bot:response_time_seconds:p95", "bot:risk_utilization:ratio"),
    *("bot:threshold", "monitoring:target", "bot:info:answering"),
    *("bot:realized_profit_loss:every5m", "bot_result:trades_total:every5m"),
)
PROMETHEUS = (
    *("tsdb_head_samples_appended_total", "notifications_sent_total", "notifications_errors_total"),
    *("notifications_dropped_total", "target_scrapes_sample_duplicate_timestamp_total"),
    *("target_scrapes_sample_out_of_order_total", "target_scrapes_sample_out_of_bounds_total"),
    *("tsdb_storage_blocks_bytes", "tsdb_wal_storage_size_bytes", "tsdb_head_chunks_storage_size_bytes"),
)
ALERTS = ("BotDown", "HighDrawdown", "HighErrorRate", "LowWinRate", "StaleData")


class Series(NamedTuple):
    """A series with the story's bot in its name, or no bot; its samples' interval and, by their time, its values."""

    head: str
    interval: int
    values: Mapping[int, str] | None = None
    made_up: str = ""


class Asked(NamedTuple):
    """What dashboards ask for: over ranges, and all; a matcher of a limit tells which."""

    ranges: frozenset[str]
    all: frozenset[str]


def backfill(folder: Path, asked: Asked) -> int:
    """Make the data of all bots; returns the time of the last sample."""
    config = folder / "monitoring.yml"
    config.write_text(yaml.safe_dump({"preset": "production", "bots": [{"name": STORY, "type": "demo", "seed": 0}]}))
    files = _story(config, folder / "past")
    for file in files:
        promtool.blocks(BINARIES, file, folder / "story", BLOCK)
    told = {file: _read(file) for file in files}
    until = max(time for story in told.values() for values in story.values() for time in values)
    with record.prometheus(BINARIES, folder / "story") as url, ThreadPoolExecutor(2) as pool:

        def block(file: Path) -> None:
            start = max(min(time for values in told[file].values() for time in values), until - SPAN)
            end = max(time for values in told[file].values() for time in values) + STEP
            if start >= end:
                return
            series = [*_of_story(told[file], asked), *_of_rules(url, start, end, asked), *_made_up(asked)]
            out = folder / f"{start}.om"
            with out.open("w") as lines:
                for each in series:
                    whole = re.split(r"[{ ]", each.head)[0] in asked.ranges
                    lines.writelines(_lines(each, start if whole else max(start, until - HOUR), end))
                lines.write("# EOF\n")
            promtool.blocks(BINARIES, out, folder / "data", BLOCK)
            out.unlink()

        list(pool.map(block, files))
    return until


def _story(config: Path, folder: Path) -> list[Path]:
    """The files of one bot's past, with what rules record of limits, risk and response times."""
    folder.mkdir()
    until = int(now()) // STEP * STEP
    times = range(until - DAYS * 86400, until, STEP)
    rules = [rule for rule in record.rules(ROOT / "prometheus" / "rules") if rule.record in RECORDED]
    simulate.write(load(config), {STORY: times[0]}, times, folder, {name for rule in rules for name in rule.reads})
    record.add(rules, times, folder, BINARIES)
    return simulate.files(folder)


def _read(file: Path) -> dict[str, dict[int, str]]:
    """The story's samples: series → time → value."""
    story: dict[str, dict[int, str]] = {}
    with file.open() as lines:
        for line in lines:
            if not line.startswith("#"):
                head, value, time = line.rsplit(" ", 2)
                story.setdefault(head, {})[int(time)] = value
    return story


def _of_story(story: Mapping[str, Mapping[int, str]], asked: Asked) -> Iterator[Series]:
    for head, values in story.items():
        name = head.partition("{")[0]
        limit = re.search(r'threshold="(\w+)",severity="(\w+)"', head)
        if name in asked.all and (name != "bot:threshold" or limit is None or f"{limit[1]},{limit[2]}" in asked.ranges):
            yield Series(head, 30 if name == "bot:threshold" else 60, values)


def _of_rules(url: str, start: int, end: int, asked: Asked) -> Iterator[Series]:
    """What the groups `dashboards` and `dashboards_slow` would have recorded of the story."""
    drawn = {"dashboards": 60, "dashboards_slow": 300}
    rules = [(rule, drawn[group.name]) for group in groups() if group.name in drawn for rule in group.rules]
    for rule, interval in rules:
        # The story tells some of them itself, for others to be made of.
        if rule["record"] not in asked.all or rule["record"] in RECORDED:
            continue
        for result in ask(url, rule["expr"], (start, end - interval, interval)):
            labels = result["metric"] | rule.get("labels", {})
            labels.pop("__name__", None)
            text = ",".join(f"{key}={json.dumps(value)}" for key, value in labels.items())
            values = {int(time): value for time, value in result["values"]}
            yield Series(f"{rule['record']}{{{text}}}", interval, values)


def _made_up(asked: Asked) -> Iterator[Series]:
    bot = f'bot="{STORY}"'
    yield from _health(bot)
    for sla in SLA:
        yield Series(f'bot_sla:error_budget_left:ratio{{{bot},sla="{sla}"}}', 240, made_up="share")
        for window, interval in (("1h", 60), ("6h", 240), ("1d", 240), ("3d", 240)):
            yield Series(f'bot_sla:burn_rate:ratio_{window}{{{bot},sla="{sla}"}}', interval, made_up="share")
    for window in ("1h", "6h", "1d", "3d"):
        yield Series(f"bot:burn_rate:ratio_{window}{{{bot}}}", 60, made_up="share")
    yield Series(f"bot:source_read_seconds:max1m{{{bot}}}", 60, made_up="share")
    yield Series(f"bot:score:ratio{{{bot}}}", 60, made_up="share")
    yield Series(f'bot:score_ratio:answering{{{bot},mode="demo",currency="USDT"}}', 60, made_up="share")
    yield Series(f'bot_reason:source_errors:increase1m{{{bot},reason="timeout"}}', 60, made_up="seldom")
    for alert in ALERTS:
        about = f'{bot},alertname="{alert}",condition="{alert}",severity="critical"'
        yield Series(f'ALERTS{{{about},alertstate="firing"}}', 10, made_up="at times")
        yield Series(f"alert:firing_since:timestamp_seconds{{{about}}}", 10, made_up="at times")
        escalated = f'{about.replace(alert, "EscalationNoResponse", 1)},alert="{alert}",escalation="step_1"'
        yield Series(f'ALERTS{{{escalated},alertstate="firing"}}', 10, made_up="at times")
        for labels in (about, escalated):
            yield Series(f"alert:active_since_timestamp_seconds:max1m{{{labels}}}", 60, made_up="at times")
    for job in ("bot", "trading", "model", "market", "system"):
        for name, what in (("scrape_duration_seconds:max", "share"), ("scrape_samples_scraped:sum", "share")):
            yield Series(f'job:{name}{{job="{job}"}}', 60, made_up=what)
        yield Series(f'job:up:min{{job="{job}"}}', 60, made_up="mostly")
    for name, labels in _of_stack():
        if name in asked.ranges:
            counts = name.endswith(("_total", "_bucket"))
            yield Series(f"{name}{{{labels}}}", 15, made_up="count" if counts else "share")


def _health(bot: str) -> Iterator[Series]:
    yield Series(f"bot:health:bool{{{bot}}}", 60, made_up="mostly")
    yield from (Series(f'bot_check:health:bool{{{bot},check="{check}"}}', 60, made_up="mostly") for check in CHECKS)
    yield Series(f"bot:health:every5m{{{bot}}}", 300, made_up="mostly")
    yield from (
        Series(f'bot_check:health:failed{{{bot},check="{check}"}}', 60, made_up="seldom")
        for check in CHECKS
        if check != "disk"
    )
    # Of the host, and too full for all the month.
    yield Series('bot_check:health:failed{check="disk"}', 60, made_up="never")


def _of_stack() -> Iterator[tuple[str, str]]:
    for job in ("exporter", "prometheus", "alertmanager", "responder"):
        yield "up", f'job="{job}"'
        yield "process_resident_memory_bytes", f'job="{job}"'
    yield from ((f"prometheus_{name}", 'job="prometheus"') for name in PROMETHEUS)
    yield "prometheus_engine_query_duration_seconds", 'slice="inner_eval",quantile="0.9"'
    for state in ("active", "suppressed"):
        yield "alertmanager_alerts", f'state="{state}"'
    for severity in ("critical", "warning", "info"):
        yield "trading_bot_responder_messages_total", f'severity="{severity}",status="firing"'
    yield "trading_bot_responder_errors_total", 'reason="body"'
    for group in groups():
        for name in ("last_duration_seconds", "interval_seconds", "iterations_missed_total"):
            yield f"prometheus_rule_group_{name}", f'rule_group="/rules;{group.name}"'
        yield "prometheus_rule_evaluation_failures_total", f'rule_group="/rules;{group.name}"'
    for channel in ("telegram", "slack", "email", "webhook"):
        for name in ("notification_requests_total", "notification_requests_failed_total"):
            yield f"alertmanager_{name}", f'integration="{channel}"'
        yield "alertmanager_notifications_failed_total", f'integration="{channel}",reason="other"'
        for bound in ("1", "5", "10", "15", "20", "+Inf"):
            yield "alertmanager_notification_latency_seconds_bucket", f'integration="{channel}",le="{bound}"'
        for result in ("delivered", "failed", "given_up"):
            yield "trading_bot_responder_deliveries_total", f'channel="{channel}",result="{result}"'


def _lines(series: Series, start: int, end: int) -> Iterable[str]:
    """The series' lines for all bots, or for none."""
    tails = list(_tails(series, start, end))
    if not tails:
        return
    for number in range(BOTS if STORY in series.head else 1):
        head = series.head.replace(STORY, f"bot-{number}")
        yield head + head.join(tails)


def _tails(series: Series, start: int, end: int) -> Iterator[str]:
    chance = random.Random(f"{series.head} {start}")  # noqa: S311 - nobody guesses at it
    for time in range(start // series.interval * series.interval, end, series.interval):
        value = _value(series, time, chance)
        if value is not None:
            yield f" {value} {time}\n"


def _value(series: Series, time: int, chance: random.Random) -> str | None:
    if series.values is not None:
        # Of what was simulated every five minutes, each in between is a little off: equal ones would be read too fast.
        value = series.values.get(time) or series.values.get(time // STEP * STEP)
        sparse = ":increase1m" in series.head
        if value is None or (sparse and time not in series.values):
            return None
        number = float(value)
        even = number == math.floor(number) or "bot:threshold" in series.head
        return value if even else f"{number * (1 + chance.uniform(-1e-4, 1e-4)):.8g}"
    if series.made_up == "mostly":
        return str(int((time // HOUR) % 41 != 0))
    if series.made_up == "never":
        return "0"
    if series.made_up == "seldom":
        return None if (time // HOUR) % 41 else "0"
    if series.made_up == "at times":
        return "1" if (time // HOUR) % 24 == 7 else None
    return str(time // 7200) if series.made_up == "count" else f"{chance.random():.6f}"


def ask(url: str, expression: str, span: tuple[int, int, int] | None, at: int | None = None) -> list[Any]:
    """What a query gives, of a moment, or over a span (start, end, step)."""
    parameters: dict[str, Any] = {"query": expression}
    if span is None:
        parameters |= {} if at is None else {"time": at}
    else:
        start, end, step = span
        parameters |= {"start": start // step * step, "end": end // step * step, "step": step}
    path = "query" if span is None else "query_range"
    answer = requests.post(f"{url}/api/v1/{path}", data=parameters, timeout=130).json()
    assert answer["status"] == "success", answer["error"]
    result: list[Any] = answer["data"]["result"]
    return result
