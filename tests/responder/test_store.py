"""The database: one row a message, nothing lost, old ones removed."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from responder.database import Database, StoreError
from responder.store import Store
from responder.webhook import Notification
from tests.responder.samples import RESOLVED, alert, body


def add(store: Store, *alerts: dict[str, object]) -> None:
    store.add(Notification.model_validate(body(*alerts)))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(Database(tmp_path / "new" / "responder.sqlite", lock_seconds=0.1), 3600)


def test_a_repeat_is_counted_and_not_doubled(store: Store) -> None:
    add(store, alert())
    (first,) = store.messages(limit=10)
    add(store, alert(annotations={"description": "demo is still unreachable."}))
    (message,) = store.messages(limit=10)
    assert (message.id, message.first_told, message.times_told) == (first.id, first.first_told, 2)
    assert message.last_told > first.last_told
    assert message.annotations["description"] == "demo is still unreachable."


def test_the_end_is_a_message_of_its_own_and_marks_the_beginning(store: Store) -> None:
    add(store, alert())
    assert not store.messages(limit=10)[0].over
    add(store, alert(**RESOLVED))
    end, beginning = store.messages(limit=10)
    assert (end.status, end.over, end.ends_at) == ("resolved", False, 1795255500.0)
    assert (beginning.status, beginning.over, beginning.ends_at) == ("firing", True, None)


def test_a_beginning_cut_to_milliseconds_is_the_same(store: Store) -> None:
    add(store, alert(startsAt="2026-11-21T10:00:00.123456789Z"))
    add(store, alert(**RESOLVED, startsAt="2026-11-21T10:00:00.123Z"))
    assert [message.over for message in store.messages(limit=10)] == [False, True]


def test_a_new_incident_is_a_new_message(store: Store) -> None:
    add(store, alert())
    add(store, alert(startsAt="2026-11-21T11:00:00Z"))
    assert len(store.messages(limit=10)) == 2


def test_two_alerts_in_one_notification(store: Store) -> None:
    add(store, alert(), alert(fingerprint="b", labels={"bot": "other"}))
    assert [message.bot for message in store.messages(limit=10)] == ["other", "demo"]
    assert [message.bot for message in store.messages(limit=10, bot="demo")] == ["demo"]
    assert store.messages(limit=10, severity="info") == []
    assert [message.bot for message in store.messages(limit=1, offset=1)] == ["demo"]
    assert store.choices("bot") == ["demo", "other"]
    assert store.choices("severity") == ["critical"]


def test_old_messages_are_removed_and_told_ones_kept(tmp_path: Path) -> None:
    path = tmp_path / "responder.sqlite"
    add(Store(Database(path), 3600), alert(), alert(fingerprint="b"))
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE messages SET first_told = first_told - 4000")
        connection.execute("UPDATE messages SET last_told = last_told - 4000 WHERE fingerprint = 'b'")
    connection.close()
    add(Store(Database(path), 3600), alert(fingerprint="c"))
    assert len(Store(Database(path), 3600).messages(limit=10)) == 2


def test_a_locked_database_is_an_error_and_leaves_nothing(store: Store, tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "new" / "responder.sqlite", isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="locked"):
        add(store, alert())
    with pytest.raises(StoreError, match="locked"):
        store.check()
    assert store.messages(limit=10) == []
    connection.execute("ROLLBACK")
    connection.close()
    store.check()
    add(store, alert())
    assert len(store.messages(limit=10)) == 1


def test_what_is_not_a_database_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no database " * 1000)
    with pytest.raises(StoreError, match="file is not a database"):
        Database(tmp_path / "file")
    with pytest.raises(StoreError, match="can't be made"):
        Database(tmp_path / "file" / "below" / "responder.sqlite")


def test_nobody_else_can_read_the_files(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        path = tmp_path / "responder.sqlite"
        for _ in range(2):
            database = Database(path)
            with database.writing() as connection:
                connection.execute("CREATE TABLE IF NOT EXISTS t (x)")
                files = list(tmp_path.iterdir())
                assert len(files) == 3 and {file.stat().st_mode & 0o777 for file in files} == {0o600}
                # As a version before this one has left them.
                path.chmod(0o644)
    finally:
        os.umask(before)
