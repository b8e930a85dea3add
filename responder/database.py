"""The SQLite file that messages and acknowledgements are kept in."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path


class StoreError(Exception):
    """The database can't be used now; the text says why."""


class Database:
    """Opens a connection for each call, so any thread may call it."""

    def __init__(self, path: Path, lock_seconds: float = 5) -> None:
        """Makes the database where there is none. Raises StoreError where that can't be done."""
        self._path = path
        self._lock_seconds = lock_seconds
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"The database's folder {path.parent} can't be made: {error.strerror}.") from error
        try:
            # For nobody else, from the start. SQLite makes the files beside it in the same mode.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            for file in (path, *(path.with_name(f"{path.name}-{end}") for end in ("wal", "shm"))):
                with suppress(FileNotFoundError):
                    file.chmod(0o600)
        except OSError as error:
            raise StoreError(f"The database {path} can't be used: {error.strerror}.") from error
        with self.reading() as connection:
            connection.execute("PRAGMA journal_mode = WAL")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection. Raises StoreError for whatever SQLite raises within."""
        try:
            with closing(sqlite3.connect(self._path, timeout=self._lock_seconds)) as connection:
                connection.row_factory = sqlite3.Row
                connection.execute("PRAGMA synchronous = FULL")
                yield connection
        except sqlite3.Error as error:
            raise StoreError(f"The database {self._path} can't be used: {error}.") from error

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction: all of it is on the disk afterwards, or nothing where something was raised."""
        with self.reading() as connection, connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
