"""The outbox and its couriers: nothing lost, nothing twice, in order, no target held up by another."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest

from responder.database import Database, StoreError
from responder.outbox.courier import Courier, DeliveryError, stop
from responder.outbox.outbox import _PUT, LEAST_ATTEMPTS, Delivery, Entry, Outbox, backoff
from tests.stack import wait_for

HOUR = 3600.0


class World:
    """An outbox, a courier whose clock stands still, and the other side."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "responder.sqlite"
        self.outbox = Outbox(Database(self.path, lock_seconds=0.1), HOUR)
        self.now = 1000.0
        self.broken: set[str] = set()
        self.came: list[str] = []
        self.attempts: list[str] = []
        self.counts: dict[str, int] = {}
        self.courier = Courier(self.outbox, "sms", self.deliver, HOUR, self.counted, lambda: self.now)

    def gather(self) -> None:
        """From now on what waits goes together, five seconds after the first came."""
        self.courier = Courier(self.outbox, "sms", self.deliver, HOUR, self.counted, lambda: self.now, 5)

    def deliver(self, deliveries: Sequence[Delivery]) -> None:
        target, payloads = deliveries[0].target, "+".join(row.payload for row in deliveries)
        assert {row.target for row in deliveries} == {target}
        self.attempts.append(payloads)
        if {target, payloads} & self.broken:
            raise DeliveryError(f"{target} is\nnot there")
        self.came.append(payloads)

    def counted(self, channel: str, result: str, count: int) -> None:
        assert channel == "sms"
        self.counts[result] = self.counts.get(result, 0) + count

    def add(self, *payloads: str, target: str = "anna", key: str = "", once_seconds: float = 240) -> int:
        return self.outbox.add(Entry("sms", target, f"of {text}", text, key, once_seconds) for text in payloads)

    def run(self) -> None:
        """All that can be tried now."""
        while self.courier.step():
            pass

    def later(self, seconds: float) -> None:
        """Time passes, for the rows too."""
        self.now += seconds
        with sqlite3.connect(self.path) as connection:
            connection.execute(
                "UPDATE outbox SET created = created - ?1, next_attempt = next_attempt - ?1, changed = changed - ?1",
                (seconds,),
            )
        connection.close()

    def tried_often(self) -> None:
        """What waits has been tried for some minutes."""
        with sqlite3.connect(self.path) as connection:
            connection.execute("UPDATE outbox SET attempts = ?", (LEAST_ATTEMPTS,))
        connection.close()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_messages_go_once_and_in_order(world: World) -> None:
    world.add("1", "2")
    world.add("3")
    world.run()
    world.run()
    assert world.came == ["1", "2", "3"]
    assert world.counts == {"delivered": 3} and world.outbox.waiting() == {}
    (last, *_) = world.outbox.latest(limit=10)
    assert (last.state, last.title, last.payload, last.attempts, last.error) == ("delivered", "of 3", "", 1, "")


def test_another_channels_messages_stay(world: World) -> None:
    world.outbox.add([Entry("webhook", "ledger", "a trade", "{}")])
    world.run()
    assert world.outbox.waiting() == {"webhook": 1} and not world.attempts


def test_a_failed_message_is_tried_again_after_growing_waits(world: World) -> None:
    world.broken = {"anna"}
    world.add("1")
    for seconds in (0.5, 0.5, 1, 1, 2, 2):
        world.run()
        world.later(seconds)
    world.run()
    # At 0, 1, 3 and 7 s.
    assert len(world.attempts) == 4
    (row,) = world.outbox.latest(limit=10)
    assert (row.state, row.error) == ("waiting", "anna is not there")
    world.broken = set()
    world.later(300)
    world.run()
    assert world.came == ["1"] and world.outbox.latest(limit=1)[0].state == "delivered"


def test_the_longest_wait_is_five_minutes() -> None:
    assert [backoff(n) for n in (1, 2, 9, 10, 5000)] == [1, 2, 256, 300, 300]


def test_a_message_that_can_not_go_lets_the_others_pass_after_half_a_minute(world: World) -> None:
    world.broken = {"1"}
    world.add("1", "2", "3")
    for seconds in (1, 2, 4, 8, 16):
        world.run()
        world.later(seconds)
    assert world.came == [] and world.attempts == ["1"] * 5
    for _ in range(2):
        world.run()
        world.later(1)
    assert world.came == ["2", "3"]
    world.broken = set()
    world.later(300)
    world.run()
    assert world.came == ["2", "3", "1"]


def test_after_a_short_outage_they_come_in_order(world: World) -> None:
    world.broken = {"anna"}
    world.add("1", "2", "3")
    for seconds in (1, 2, 4):
        world.run()
        world.later(seconds)
    world.broken = set()
    world.run()
    assert world.came == ["1", "2", "3"]


def test_after_a_long_outage_all_come(world: World) -> None:
    world.broken = {"anna"}
    world.add("1", "2", "3")
    for _ in range(20):
        world.run()
        world.later(60)
    world.broken = set()
    world.later(300)
    world.run()
    assert sorted(world.came) == ["1", "2", "3"]


def test_a_dead_target_holds_up_no_other_and_is_not_hammered(world: World) -> None:
    world.broken = {"ben"}
    world.add(*(str(number) for number in range(50)), target="ben")
    world.add("a", "b")
    world.run()
    assert world.came == ["a", "b"] and len(world.attempts) == 3


def test_what_failed_for_long_is_given_up_with_its_error(world: World) -> None:
    world.broken = {"anna"}
    world.add("1", "2")
    world.run()
    world.later(HOUR - 10)
    world.add("3")
    world.run()
    assert world.outbox.waiting() == {"sms": 3}
    world.tried_often()
    world.later(301)
    world.run()
    rows = {row.title: row for row in world.outbox.latest(limit=10)}
    assert [rows[f"of {n}"].state for n in "123"] == ["given up", "given up", "waiting"]
    assert (rows["of 2"].error, rows["of 2"].payload) == ("anna is not there", "")
    assert world.counts == {"failed": 3, "given_up": 2}


def test_what_waited_while_the_machine_slept_is_tried_for_some_minutes(world: World) -> None:
    world.add("1")
    world.later(HOUR + 1)
    world.broken = {"anna"}
    world.run()
    assert world.outbox.waiting() == {"sms": 1}, "the network isn't up yet"
    world.broken = set()
    world.later(2)
    world.run()
    assert world.came == ["1"]


def test_a_twin_from_a_clock_that_was_set_back_is_none(world: World) -> None:
    assert world.add("1", key="k") == 1
    world.later(-HOUR)
    assert world.add("1", key="k") == 1


def test_the_look_for_a_twin_reads_no_whole_table(world: World) -> None:
    world.add("1")
    values = dict.fromkeys(("channel", "target", "title", "payload", "key"), "x") | {"now": 0, "since": 0}
    with sqlite3.connect(world.path) as connection:
        plan = " ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {_PUT}", values))
    connection.close()
    assert "USING INDEX outbox_key" in plan and "SCAN outbox" not in plan


def test_what_waited_while_the_responder_was_away_is_tried(world: World) -> None:
    world.add("1")
    world.later(10 * HOUR)
    world.run()
    assert world.came == ["1"]


def test_a_clock_set_back_holds_up_nothing(world: World) -> None:
    world.broken = {"anna"}
    world.add("1")
    world.run()
    world.later(-10 * HOUR)
    world.broken = set()
    world.now += 11 * HOUR
    world.run()
    assert world.came == ["1"]


def test_a_key_is_taken_once_within_its_time(world: World) -> None:
    assert world.add("1", key="k") == 1
    assert world.add("1", key="k") == 0
    assert world.add("1", key="k", target="ben") == 1
    assert world.add("1", "1") == 2
    world.later(239)
    assert world.add("1", key="k") == 0
    world.later(2)
    assert world.add("1", key="k") == 1


def test_a_delivery_that_was_not_written_down_is_not_sent_again(world: World) -> None:
    world.add("1")
    blocker = sqlite3.connect(world.path, isolation_level=None)

    def deliver(deliveries: Sequence[Delivery]) -> None:
        blocker.execute("BEGIN IMMEDIATE")
        world.deliver(deliveries)

    courier = Courier(world.outbox, "sms", deliver, HOUR, world.counted)
    for _ in range(2):
        with pytest.raises(StoreError):
            courier.step()
    blocker.close()
    assert courier.step() is False
    assert world.came == ["1"] and world.outbox.latest(limit=1)[0].state == "delivered"


def test_a_fault_of_our_own_is_said_without_its_text(world: World, caplog: pytest.LogCaptureFixture) -> None:
    def deliver(deliveries: Sequence[Delivery]) -> None:
        raise RuntimeError(f"twilio://secret {deliveries[0].id}")

    world.add("1")
    courier = Courier(world.outbox, "sms", deliver, HOUR, world.counted)
    courier.step()
    assert world.outbox.latest(limit=1)[0].error.startswith("A fault of the responder's own (RuntimeError)")
    assert "test_outbox.py" in caplog.text and "secret" not in caplog.text


def test_nothing_is_kept_of_a_transaction_that_failed(world: World) -> None:
    with pytest.raises(ValueError), Database(world.path).writing() as connection:
        world.outbox.put(connection, [Entry("sms", "anna", "t", "1")])
        raise ValueError
    assert world.outbox.waiting() == {}


def test_what_is_done_is_forgotten_after_the_retention_and_what_waits_is_not(world: World) -> None:
    world.add("1")
    world.run()
    world.broken = {"anna"}
    world.add("2")
    world.later(2 * HOUR)
    Outbox(Database(world.path), HOUR).add([Entry("sms", "anna", "of 3", "3")])
    assert [row.title for row in world.outbox.latest(limit=10)] == ["of 3", "of 2"]


def test_a_storm_is_gathered_and_goes_as_one(world: World) -> None:
    world.gather()
    world.add("1", "2")
    world.add("a", target="ben")
    world.run()
    world.later(4)
    world.add("3")
    world.run()
    assert not world.attempts
    world.later(1.1)
    world.run()
    assert sorted(world.came) == ["1+2+3", "a"] and world.outbox.waiting() == {}
    assert {(row.state, row.payload, row.attempts) for row in world.outbox.latest(limit=10)} == {("delivered", "", 1)}
    assert world.counts == {"delivered": 2}
    world.add("4")
    world.run()
    world.later(5.1)
    world.run()
    assert world.came[2:] == ["4"]


def test_what_comes_while_one_is_retried_joins_it_at_the_targets_pace(world: World) -> None:
    world.gather()
    world.broken = {"anna"}
    world.add("1")
    world.later(6)
    for number in range(2, 8):
        world.run()
        world.add(str(number))
        world.later(1)
    # At 0, 1 and 3 s.
    assert world.attempts == ["1", "1+2", "1+2+3+4"]
    world.broken = set()
    world.later(300)
    world.run()
    assert world.came == ["1+2+3+4+5+6+7"]
    assert {row.state for row in world.outbox.latest(limit=10)} == {"delivered"}


def test_after_a_restart_the_back_off_still_holds(world: World) -> None:
    world.gather()
    world.broken = {"anna"}
    world.add("1")
    world.later(6)
    for _ in range(6):
        world.run()
        world.later(300)
    world.run()
    world.gather()
    world.add("2")
    world.later(10)
    world.run()
    assert len(world.attempts) == 7
    world.later(300)
    world.run()
    assert world.attempts[7:] == ["1+2"]


def test_what_comes_while_one_is_under_way_joins_the_next(world: World) -> None:
    def deliver(deliveries: Sequence[Delivery]) -> None:
        if len(world.came) < 2:
            world.add("late", "later")
        world.deliver(deliveries)

    world.courier = Courier(world.outbox, "sms", deliver, HOUR, world.counted, lambda: world.now, 0)
    world.add("1", "2")
    world.run()
    assert world.came == ["1+2", "late+later", "late+later"] and world.outbox.waiting() == {}


def test_what_was_gathered_is_given_up_by_age(world: World) -> None:
    world.gather()
    world.broken = {"anna"}
    world.add("1", "2")
    world.later(6)
    world.run()
    world.later(HOUR - 10)
    world.add("3")
    world.run()
    world.tried_often()
    world.later(301)
    world.run()
    assert [row.state for row in world.outbox.latest(limit=10)] == ["waiting", "given up", "given up"]
    assert world.counts == {"failed": 3, "given_up": 2}


def test_a_clock_set_back_does_not_hold_up_what_is_gathered(world: World) -> None:
    world.gather()
    world.add("1")
    world.later(-10 * HOUR)
    world.now += 11 * HOUR
    world.run()
    assert world.came == ["1"]


def test_the_thread_delivers_at_once_and_ends(world: World) -> None:
    world.courier.start()
    world.add("1", "2")
    wait_for("both came", lambda: len(world.came) == 2)
    stop([world.courier])
    assert not world.courier.is_alive() and world.outbox.waiting() == {}
