"""Each message once, whatever happens: an alert that flaps, a channel that fails, an Alertmanager that dies.

The real Alertmanager with the rendered configuration and two real Prometheus; only the clocks run faster. "Once" is
held for two further cooldowns. SourceFailing, which is repeated after hours only, stands for all alerts.
"""

from __future__ import annotations

import signal
import time

from responder.acknowledge.acknowledger import Acknowledger
from responder.acknowledge.ledger import Ledger
from responder.alertmanager import Alertmanager, Incident
from responder.database import Database
from responder.prometheus import Prometheus
from tests.e2e.messaging import COOLDOWN, EVERYBODY, World
from tests.e2e.side_by_side import side_by_side
from tests.responder.application import NOWHERE
from tests.stack import wait_for


@side_by_side
def test_what_flaps_within_its_cooldown_is_told_once_and_so_is_its_end(world: World) -> None:
    """DailyLoss (10 min): fires three times within its cooldown."""
    office = world.steady
    office.fire("DailyLoss", "flaps")
    office.wait_told("flaps", "firing")
    for _ in range(2):
        office.end("DailyLoss", "flaps")
        wait_for("the end", lambda: not office.active("flaps"))
        office.fire("DailyLoss", "flaps")
        wait_for("the beginning", lambda: office.active("flaps"))
    office.end("DailyLoss", "flaps")
    office.wait_told("flaps", "firing", "resolved")
    office.outlast(flushes=4)
    office.wait_told("flaps", "firing", "resolved")
    # What comes after its end is another incident.
    office.fire("DailyLoss", "flaps")
    office.wait_told("flaps", "firing", "resolved", "firing")


@side_by_side
def test_what_flaps_for_long_is_told_no_more_often_than_what_stays(world: World) -> None:
    """BotDown, over several cooldowns: at most one firing message in each, as of a bot that is down all the time."""
    office = world.steady
    began = time.monotonic()
    office.fire("BotDown", "flickers")
    office.wait_told("flickers", "firing")
    while time.monotonic() < began + 4 * COOLDOWN:
        office.end("BotDown", "flickers")
        wait_for("the end", lambda: not office.active("flickers"))
        office.fire("BotDown", "flickers")
        wait_for("the beginning", lambda: office.active("flickers"))
    office.end("BotDown", "flickers")
    wait_for("the last end", lambda: not office.active("flickers"))
    office.outlast()
    cooldowns = (time.monotonic() - began) / COOLDOWN
    for channel in EVERYBODY:
        told = office.told(channel, "flickers")
        assert told[-1] == "resolved" and told.count("firing") <= cooldowns + 1, told


@side_by_side
def test_a_critical_holds_back_the_warning_of_the_same_condition_and_bot(world: World) -> None:
    """And of no other bot; the warning is told once nothing worse holds it back."""
    office = world.steady
    for severity in ("critical", "warning"):
        office.fire("HighMemoryUsage", "both", severity)
    office.fire("HighMemoryUsage", "warned", "warning")
    for bot in ("both", "warned"):
        office.wait_told(bot, "firing")
    office.outlast()
    office.wait_told("both", "firing")
    assert office.severities("both", "firing") == ["critical"]
    office.end("HighMemoryUsage", "both", "critical")
    # Each has cooldowns of its own, so the end of the one may come after the beginning of the other.
    wait_for("the warning is told", lambda: office.severities("both", "firing") == ["critical", "warning"])
    office.end("HighMemoryUsage", "both", "warning")
    wait_for("both ends", lambda: sorted(office.severities("both", "resolved")) == ["critical", "warning"])
    office.outlast()
    assert office.severities("both", "firing") == ["critical", "warning"]
    for channel in EVERYBODY:
        assert sorted(office.told(channel, "both")) == ["firing", "firing", "resolved", "resolved"]
    office.wait_told("warned", "firing")


TROUBLES = {"email": (451, 0)} | {name: (429, 500, 0) for name in EVERYBODY if name != "email"}


@side_by_side
def test_a_channel_that_fails_loses_nothing_doubles_nothing_and_holds_nobody_up(world: World) -> None:
    """It answers 429 or 500, or breaks off; the other channels have long been told, and it is when it is well again."""
    office = world.steady
    troubles = [
        (channel, status) for channel, statuses in TROUBLES.items() for status in statuses if channel != "slack"
    ]
    for channel, status in troubles:
        server = getattr(office.channels, channel)
        server.trouble[office.bot(f"{channel}-{status}")] = status
        office.fire("SourceFailing", f"{channel}-{status}")
    for channel, status in troubles:
        bot = f"{channel}-{status}"
        office.wait_told(bot, "firing", channels=[other for other in EVERYBODY if other != channel])
        server = getattr(office.channels, channel)
        wait_for("it is tried again", lambda server=server, bot=bot: server.failed[office.bot(bot)] >= 2)  # type: ignore[misc]
        assert not office.told(channel, bot)
    for channel, status in troubles:
        del getattr(office.channels, channel).trouble[office.bot(f"{channel}-{status}")]
    for channel, status in troubles:
        office.wait_told(f"{channel}-{status}", "firing", channels=EVERYBODY)
    office.outlast()
    for channel, status in troubles:
        office.wait_told(f"{channel}-{status}", "firing", channels=EVERYBODY)
        office.end("SourceFailing", f"{channel}-{status}")
    for channel, status in troubles:
        office.wait_told(f"{channel}-{status}", "firing", "resolved", channels=EVERYBODY)


@side_by_side
def test_a_killed_alertmanager_loses_nothing_and_doubles_nothing(world: World) -> None:
    """Killed between two alerts: the one it has told and written down, the other it has not told yet."""
    office = world.killed
    (alertmanager,) = office.alertmanagers
    for bot in ("told", "ends-meanwhile"):
        office.fire("SourceFailing", bot)
    for bot in ("told", "ends-meanwhile"):
        office.wait_told(bot, "firing")
    told_at = time.time()
    wait_for("it is written down", lambda: office.nflog.is_file() and office.nflog.stat().st_mtime > told_at)
    office.fire("SourceFailing", "waits")
    wait_for("it knows of it", lambda: office.active("waits"))
    alertmanager.end(signal.SIGKILL)
    assert not office.told("inbox", "waits"), "it was told before the kill: nothing is shown"
    office.fire("SourceFailing", "begins-meanwhile")
    office.end("SourceFailing", "ends-meanwhile")
    time.sleep(1)
    alertmanager.start()
    for bot in ("waits", "begins-meanwhile"):
        office.wait_told(bot, "firing")
    office.wait_told("ends-meanwhile", "firing", "resolved")
    office.outlast()
    for bot in ("told", "waits", "begins-meanwhile"):
        office.wait_told(bot, "firing")
    office.wait_told("ends-meanwhile", "firing", "resolved")
    for bot in ("told", "begins-meanwhile", "waits"):
        office.end("SourceFailing", bot)
    for bot in ("told", "waits", "begins-meanwhile", "ends-meanwhile"):
        office.wait_told(bot, "firing", "resolved")


@side_by_side
def test_two_alertmanagers_send_each_message_once_also_with_one_killed(world: World) -> None:
    """Two Prometheus tell both; the one that is first to tell dies. What is acknowledged at one is so at both."""
    office = world.pair
    first, second = office.alertmanagers
    wait_for("they have met", lambda: office.met)
    for bot in ("before", "acknowledged"):
        office.fire("SourceFailing", bot)
    for bot in ("before", "acknowledged"):
        office.wait_told(bot, "firing")
    ledger = Ledger(Database(office.folder / "responder.sqlite"), 3600)
    acknowledger = Acknowledger(ledger, Alertmanager(second.url), Prometheus(NOWHERE), lambda _: None)
    assert acknowledger.acknowledge(Incident("source_failing", office.bot("acknowledged"), "warning"), "Ann")
    held = ["suppressed", "suppressed"]
    wait_for("both hold it back", lambda: [a["status"]["state"] for a in office.active("acknowledged")] == held)
    office.fire("SourceFailing", "waits")
    wait_for("both know of it", lambda: len(office.active("waits")) == 2)
    first.end(signal.SIGKILL)
    assert not office.told("inbox", "waits"), "it was told before the kill: nothing is shown"
    office.fire("SourceFailing", "without")
    for bot in ("waits", "without"):
        office.wait_told(bot, "firing")
    office.outlast()
    for bot in ("before", "waits", "without", "acknowledged"):
        office.wait_told(bot, "firing")
    for bot in ("before", "waits", "without"):
        office.end("SourceFailing", bot)
    for bot in ("before", "waits", "without"):
        office.wait_told(bot, "firing", "resolved")
