"""What takes minutes to see of messages that are told once. Not in `make test`: `make test-long` runs it.

The known limits are held here, too, so that they neither grow nor are forgotten.
"""

from __future__ import annotations

import signal
import time
from collections import Counter

import requests

from tests.e2e.ladder import Ladder
from tests.e2e.messaging import EVERYBODY, World
from tests.e2e.side_by_side import side_by_side
from tests.stack import wait_for


@side_by_side
def test_channels_that_are_down_for_long_hold_nobody_up(long: World) -> None:
    """Nobody listens at Telegram's and the mail server's ports, for many cooldowns; the rest is told, its end too."""
    office = long.steady
    down, well = ("telegram", "email"), [name for name in EVERYBODY if name not in ("telegram", "email")]
    office.outlast(1)
    for channel in down:
        getattr(office.channels, channel).close()
    for bot in ("stays", "ends-meanwhile"):
        office.fire("SourceFailing", bot)
    for bot in ("stays", "ends-meanwhile"):
        office.wait_told(bot, "firing", channels=well)
    office.outlast(5)  # longer than Alertmanager tries on before it waits for its next look
    office.end("SourceFailing", "ends-meanwhile")
    office.wait_told("ends-meanwhile", "firing", "resolved", channels=well)
    for channel in down:
        getattr(office.channels, channel).open()
    office.wait_told("stays", "firing")
    office.outlast(4)
    office.wait_told("stays", "firing")
    office.end("SourceFailing", "stays")
    office.wait_told("stays", "firing", "resolved")
    office.wait_told("ends-meanwhile", "firing", "resolved", channels=well)
    # Who never heard that it began isn't told that it ended. A try under way as it comes back tells both, late.
    for channel in down:
        wait_for(
            f"nothing by {channel}, or all",
            lambda channel=channel: office.told(channel, "ends-meanwhile") in ([], ["firing", "resolved"]),
            60,
        )


@side_by_side
def test_what_is_told_again_after_a_kill(long: World) -> None:
    """Once more, at most, what was told since Alertmanager last wrote down: in the 30 s before."""
    office = long.unsaved
    (alertmanager,) = office.alertmanagers
    office.fire("SourceFailing", "written-down")
    office.wait_told("written-down", "firing")
    told_at = time.time()
    wait_for("it is written down", lambda: office.nflog.is_file() and office.nflog.stat().st_mtime > told_at, 60)
    written_at = office.nflog.stat().st_mtime
    office.fire("SourceFailing", "just-told")
    office.wait_told("just-told", "firing")
    alertmanager.end(signal.SIGKILL)
    assert office.nflog.stat().st_mtime == written_at, "it was written down before the kill: nothing is shown"
    alertmanager.start()
    office.wait_told("just-told", "firing", "firing")
    office.outlast(4)
    office.wait_told("just-told", "firing", "firing")
    office.wait_told("written-down", "firing")


@side_by_side
def test_what_is_held_back_may_be_told_once_after_a_restart(long: World) -> None:
    """Where its alert is sent again later than the warning's group_wait: once, and held back as before from then on."""
    office = long.restarted
    (alertmanager,) = office.alertmanagers

    def send(*severities: str, ended: bool = False) -> None:
        labels = {"alertname": "HighMemoryUsage", "condition": "high_memory_usage", "bot": office.bot("held")}
        times = {"startsAt": "2026-01-01T00:00:00Z"} | ({"endsAt": "2026-01-01T00:01:00Z"} if ended else {})
        alerts = [{"labels": {**labels, "severity": severity}, **times} for severity in severities]
        requests.post(f"{alertmanager.url}/api/v2/alerts", json=alerts, timeout=10).raise_for_status()

    # Not both at once: within this group_wait of a quarter of a second it would be a race.
    send("critical")
    office.wait_told("held", "firing")
    send("critical", "warning")
    told_at = time.time()
    wait_for("it is written down", lambda: office.nflog.is_file() and office.nflog.stat().st_mtime > told_at)
    alertmanager.end(signal.SIGKILL)
    alertmanager.start()
    send("warning")
    office.wait_told("held", "firing", "firing")
    send("critical", "warning")
    office.outlast(4)
    assert office.severities("held", "firing") == ["critical", "warning"]
    send("critical", "warning", ended=True)
    wait_for("both ends", lambda: sorted(office.severities("held", "resolved")) == ["critical", "warning"])


@side_by_side
def test_either_of_two_alertmanagers_may_die_and_come_back(long: World) -> None:
    """Nothing is lost. An end, or a repeat, may be told by both, where they come to it in the same moment.

    The second looks after the first as long as they began together; after a restart of one it may be at any time.
    """
    office = long.pair
    first, second = office.alertmanagers
    wait_for("they have met", lambda: office.met)
    bots = []
    for number, dies in enumerate((first, second)):
        for bot in (f"before-{number}", f"without-{number}", f"after-{number}"):
            bots.append(bot)
            if bot.startswith("without"):
                time.sleep(2)  # until the other has heard what it told: gossip takes 0.2 s
                dies.end(signal.SIGKILL)
            if bot.startswith("after"):
                dies.start()
                wait_for("they have met again", lambda: office.met)
            office.fire("SourceFailing", bot)
            office.wait_told(bot, "firing")
    office.outlast()
    for bot in bots:
        office.wait_told(bot, "firing")
        office.end("SourceFailing", bot)
    for bot in bots:
        wait_for(f"the end of {bot}", lambda bot=bot: all("resolved" in office.told(c, bot) for c in EVERYBODY), 60)  # type: ignore[misc]
    office.outlast()
    for bot in bots:
        for channel in EVERYBODY:
            told = Counter(office.told(channel, bot))
            assert told["firing"] == 1 and 1 <= told["resolved"] <= 2, (bot, channel, told)


@side_by_side
def test_the_manager_is_told_of_a_warning_once(ladder: Ladder) -> None:
    """Over two of its own cooldowns, of an hour."""
    ladder.exporter.add("warns-for-long")
    ladder.say("warns-for-long", "memory_usage_ratio", 0.85)
    ladder.wait_told("manager", "warns-for-long", "email")
    ladder.outlast(24)
    ladder.wait_told("manager", "warns-for-long", "email")
