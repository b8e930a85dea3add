"""The main job, end to end: bots are watched, one dies, its owner is told on each channel, once; it comes back.

Real processes throughout: exporter, Prometheus, Alertmanager, responder, a bot that writes its state, a bot that rests,
a bot that loses money, and a freqtrade in dry-run where one can be had. Telegram, Slack and SMTP are local servers that
speak the protocols. Intervals are shortened, thresholds are as a user may set them.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from tests import freqtrade_lab
from tests.channels import SlackServer, SmtpServer, TelegramServer, WebhookServer
from tests.freqtrade_lab import Lab
from tests.stack import ROOT, Stack, wait_for

WRITER = Path(__file__).with_name("writer.py")
needs_freqtrade = pytest.mark.skipif(bool(freqtrade_lab.missing()), reason=freqtrade_lab.missing())

# bot_down_time is as short as it may be set.
DOWN_SECONDS = 60
TOLD_SECONDS = DOWN_SECONDS + 60


@dataclass
class Scene:
    """All that runs."""

    stack: Stack
    telegram: TelegramServer
    slack: SlackServer
    smtp: SmtpServer
    heartbeat: WebhookServer
    lab: Lab | None
    folder: Path
    writers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def write(self, name: str, **given: Any) -> None:
        """Start a bot that writes its state."""
        command = [sys.executable, str(WRITER), str(self.folder / f"{name}.json"), json.dumps(given)]
        self.writers[name] = subprocess.Popen(command)

    def mute(self, name: str, how_long: str) -> None:
        """What `make mute` and `make unmute` do."""
        project = self.stack.folder
        command = [sys.executable, "-m", "exporter.mute", "--config", str(project / "monitoring.yml")]
        command += ["--data-dir", str(project / ".stack" / "data" / "exporter"), "--", name, how_long]
        subprocess.run(command, check=True, cwd=ROOT, capture_output=True)

    def kill(self, name: str) -> None:
        """End a bot as a crash does."""
        self.writers[name].kill()
        self.writers[name].wait()

    def alerts(self) -> set[tuple[str, str, str]]:
        """Name, bot and state of what Alertmanager has."""
        url, auth = self.stack.url("alertmanager"), self.stack.auth("alertmanager")
        answer = requests.get(f"{url}/api/v2/alerts", auth=auth, timeout=10).json()
        return {(a["labels"]["alertname"], a["labels"].get("bot", ""), a["status"]["state"]) for a in answer}

    def down(self) -> set[str]:
        """The bots that are down, but for the one that dies in its maintenance."""
        return {bot for name, bot in self.stack.firing() if name == "BotDown"} - {"worked-on"}

    def texts(self, channel: str) -> list[str]:
        """What a channel received, as texts, oldest first."""
        if channel == "telegram":
            return [message["text"] for message in self.telegram.messages]
        if channel == "slack":
            return [json.dumps(message, ensure_ascii=False) for message in self.slack.messages]
        return [message.text for message in self.smtp.messages]

    def told(self, channel: str, *words: str) -> list[str]:
        """The messages of a channel that have all these words."""
        return [text for text in self.texts(channel) if all(word in text for word in words)]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("scene")
    bots: list[dict[str, Any]] = [{"name": "demo", "type": "demo"}]
    for name in ("writer", "resting", "bleeder", "worked-on"):
        bots.append({"name": name, "type": "file", "path": str(folder / f"{name}.json"), "stale_after": 10})
    with ExitStack() as exits:
        lab = None
        settings: dict[str, str] = {}
        if not freqtrade_lab.missing():
            lab = exits.enter_context(Lab(folder / "lab"))
            lab.trade(closed=120)
            bots.append(
                {"name": "real", "type": "freqtrade", "url": lab.url, "username": lab.username}
                | {"password_env": "LAB_PASSWORD"}
            )
            settings["LAB_PASSWORD"] = lab.password
        telegram = exits.enter_context(TelegramServer())
        slack = exits.enter_context(SlackServer())
        smtp = exits.enter_context(SmtpServer())
        for channel in (telegram, slack, smtp):
            settings |= channel.settings
        heartbeat = exits.enter_context(WebhookServer())
        settings["HEARTBEAT_URL"] = f"{heartbeat.url}/ping/uuid"
        (folder / "stack").mkdir()
        monitoring = {"bots": bots, "thresholds": {"critical": {"bot_down_time": DOWN_SECONDS}}}
        stack = Stack(folder / "stack", monitoring, settings)
        scene = Scene(stack, telegram, slack, smtp, heartbeat, lab, folder)
        exits.callback(lambda: [scene.kill(name) for name in scene.writers])
        scene.write("writer")
        scene.write("resting", bot={"status": "stopped"})
        scene.write("bleeder", trading={"drawdown": 0.123, "profit_loss": -1230.0})
        scene.write("worked-on")
        exits.enter_context(stack)
        names = [bot["name"] for bot in bots]
        wait_for("every bot is seen", lambda: stack.value("count(trading_bot_up == 1)") == len(names), 60)
        # Dies at once, while it is muted; what comes of it takes as long as the other tests.
        scene.mute("worked-on", "2h")
        wait_for("it is muted", lambda: ("BotInMaintenance", "worked-on", "active") in scene.alerts(), 30)
        scene.kill("worked-on")
        yield scene


@needs_freqtrade
def test_the_exporter_says_what_freqtrade_says(scene: Scene) -> None:
    """Counts, profit, win rate and open positions are those of the bot's own API at the same moment."""
    lab, stack = scene.lab, scene.stack
    assert lab is not None

    def settled() -> tuple[dict[str, Any], dict[str, float | None], dict[str, Any], int] | None:
        # Trades close while we look: only a look between two equal answers counts.
        before, open_before = lab.get("profit"), lab.get("count")["current"]
        ours = {name: _served(stack, name) for name in _COMPARED}
        after, open_after = lab.get("profit"), lab.get("count")["current"]
        same = before["closed_trade_count"] == after["closed_trade_count"] and open_before == open_after
        return (before, ours, after, open_after) if same else None

    before, ours, after, open_positions = wait_for("two equal answers", settled, 60, every=1)
    assert before["closed_trade_count"] >= 120
    assert ours['trading_bot_trades_total{result="win"}'] == before["winning_trades"] > 0
    assert ours['trading_bot_trades_total{result="loss"}'] == before["losing_trades"] > 0
    assert ours['trading_bot_trades_total{result="draw"}'] == 0
    assert ours["trading_bot_win_rate"] == pytest.approx(before["winrate"], rel=1e-12)
    assert ours["trading_bot_realized_profit_loss"] == pytest.approx(before["profit_closed_coin"], rel=1e-12)
    assert ours["trading_bot_profit_factor"] == pytest.approx(before["profit_factor"], rel=1e-9)
    assert ours["trading_bot_expectancy"] == pytest.approx(before["expectancy"], rel=1e-9)
    assert ours["trading_bot_open_positions"] == open_positions
    # Prices move while we look.
    total = ours["trading_bot_profit_loss"]
    assert total is not None
    low, high = sorted((before["profit_all_coin"], after["profit_all_coin"]))
    assert low - 1 <= total <= high + 1


_COMPARED = (
    'trading_bot_trades_total{result="win"}',
    'trading_bot_trades_total{result="loss"}',
    'trading_bot_trades_total{result="draw"}',
    "trading_bot_win_rate",
    "trading_bot_realized_profit_loss",
    "trading_bot_profit_loss",
    "trading_bot_profit_factor",
    "trading_bot_expectancy",
    "trading_bot_open_positions",
)


def _served(stack: Stack, name: str) -> float | None:
    """A series of the freqtrade bot as the exporter serves it now."""
    parameters = {"bot": "real", "collect[]": "trading"}
    text = requests.get(f"{stack.url('exporter')}/metrics", params=parameters, timeout=30).text
    metric, _, label = name.rstrip("}").partition("{")
    key, _, value = label.partition("=")
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == metric and sample.labels.get(key, "") == value.strip('"'):
                return sample.value
    return None


def test_a_drawdown_is_told_on_its_channels_only(scene: Scene) -> None:
    """HighDrawdown goes to Telegram and email, not to Slack, with value and limit in words."""
    wait_for("HighDrawdown", lambda: ("HighDrawdown", "bleeder") in scene.stack.firing(), 30)
    for channel in ("telegram", "email"):
        (text,) = wait_for(channel, lambda c=channel: scene.told(c, "bleeder", "FIRING"), 30)
        assert "12.3%" in text
        assert "10%" in text
    assert not scene.told("slack", "bleeder")


def test_a_death_is_told_once_on_each_channel_and_so_is_the_end(scene: Scene) -> None:
    """A killed bot, and a killed freqtrade, fire on every channel of BotDown; back again, their end is told."""
    stack = scene.stack
    bots = ["writer"] + (["real"] if scene.lab else [])
    assert not scene.down() and ("ExporterDown", "") not in stack.firing()
    scene.kill("writer")
    if scene.lab:
        scene.lab.kill()
    for bot in bots:
        wait_for(f"{bot} is down", lambda b=bot: ("BotDown", b) in stack.firing(), TOLD_SECONDS)
        for channel in ("telegram", "slack", "email"):
            wait_for(
                f"{channel} tells of {bot}", lambda c=channel, b=bot: scene.told(c, b, "FIRING", "unreachable"), 30
            )
    # How it stood when last seen is in the message: that can't be looked up any more.
    assert (
        "P&L 12.50 USDT · 30 trades · win rate 60.0 % · 1 position open" in scene.told("email", "writer", "FIRING")[0]
    )
    # The exporter dies and comes back while the bots are down: they neither end nor count anew, nor do others fire.
    stack.kill("exporter")
    wait_for("ExporterDown", lambda: ("ExporterDown", "") in stack.firing(), 90)
    assert scene.down() == set(bots)
    stack.start("exporter")
    stack.wait_ready("exporter")
    wait_for("ExporterDown ends", lambda: ("ExporterDown", "") not in stack.firing(), 30)
    assert scene.down() == set(bots)

    scene.write("writer")
    if scene.lab:
        scene.lab.start()
    for bot in bots:
        for channel in ("telegram", "slack", "email"):
            wait_for(f"{channel} tells the end of {bot}", lambda c=channel, b=bot: scene.told(c, b, "RESOLVED"), 60)
    for bot in bots:
        for channel in ("telegram", "slack", "email"):
            assert len(scene.told(channel, bot, "FIRING")) == 1, (bot, channel)
            assert len(scene.told(channel, bot, "RESOLVED")) == 1, (bot, channel)
        told = {
            m["status"] for m in stack.inbox() if m["labels"].items() >= {"alertname": "BotDown", "bot": bot}.items()
        }
        assert told == {"firing", "resolved"}


def test_in_maintenance_nobody_is_told_before_its_end(scene: Scene) -> None:
    """A bot that was muted before it died: not a word of it. The mute ends: its owner is told that it is down."""
    wait_for("it is held back", lambda: ("BotDown", "worked-on", "suppressed") in scene.alerts(), TOLD_SECONDS)
    time.sleep(4)  # two group_interval
    assert not any(scene.told(channel, "worked-on") for channel in ("telegram", "slack", "email"))
    assert not [message for message in scene.stack.inbox() if message["bot"] == "worked-on"]
    scene.mute("worked-on", "off")
    for channel in ("telegram", "slack", "email"):
        wait_for(channel, lambda c=channel: scene.told(c, "worked-on", "BotDown", "FIRING"), 30)
        assert len(scene.told(channel, "worked-on")) == 1


def test_who_rests_on_purpose_is_not_down(scene: Scene) -> None:
    """A stopped bot raises BotStopped on Telegram, an info, and never BotDown."""
    wait_for("BotStopped", lambda: scene.told("telegram", "resting", "FIRING"), TOLD_SECONDS)
    assert not scene.told("slack", "resting")
    assert not scene.told("email", "resting")
    assert ("BotDown", "resting") not in scene.stack.firing()


def test_the_watchdog_and_the_demo_are_quiet(scene: Scene) -> None:
    """The heartbeat reaches its service and is no message for people; the demo bot raises nothing."""
    body = json.loads(scene.heartbeat.wait_for(lambda request: request.path == "/ping/uuid").body)
    assert (body["status"], body["commonLabels"]["alertname"]) == ("firing", "Watchdog")
    assert ("Watchdog", "") in scene.stack.firing()
    for channel in ("telegram", "slack", "email"):
        assert not scene.told(channel, "Watchdog")
        assert not scene.told(channel, "demo")
