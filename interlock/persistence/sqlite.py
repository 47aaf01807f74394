"""All that is said to SQLite alone: pragmas, how transactions begin, and the triggers.

Everything else in this room is SQL that PostgreSQL takes as well.
"""

import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.dialects.sqlite import insert

__all__ = ["APPEND_ONLY", "BUSY_S", "DROP_FENCE", "FENCE", "engine", "insert", "journal_mode", "path_of"]

BUSY_S = 30.0
"""Seconds a writer waits for another process's transaction before it gives up."""


def _refuse(name: str, table: str, when: str, condition: str = "") -> str:
    told = f"WHEN {condition} " if condition else ""
    return (
        f"CREATE TRIGGER {name} BEFORE {when} ON {table} {told}"
        f"BEGIN SELECT RAISE(ABORT, '{table} can only be appended to'); END"
    )


APPEND_ONLY = (
    _refuse("events_no_update", "events", "UPDATE"),
    _refuse("events_no_delete", "events", "DELETE"),
    # INSERT OR REPLACE deletes without firing DELETE triggers, so a taken place is refused here.
    _refuse(
        "events_no_replace",
        "events",
        "INSERT",
        "EXISTS (SELECT 1 FROM events WHERE run = NEW.run AND (seq = NEW.seq OR id = NEW.id))",
    ),
    _refuse("heads_no_update", "heads", "UPDATE"),
    _refuse("heads_no_delete", "heads", "DELETE"),
    _refuse(
        "heads_no_replace",
        "heads",
        "INSERT",
        "EXISTS (SELECT 1 FROM heads WHERE run = NEW.run AND seq = NEW.seq AND key_id = NEW.key_id)",
    ),
    _refuse(
        "bodies_only_erase",
        "bodies",
        "UPDATE",
        "NOT (NEW.run = OLD.run AND NEW.seq = OLD.seq AND NEW.salt IS NULL AND NEW.body IS NULL "
        "AND NEW.erased_at IS NOT NULL AND OLD.erased_at IS NULL)",
    ),
    _refuse("bodies_no_delete", "bodies", "DELETE"),
    _refuse(
        "bodies_no_replace",
        "bodies",
        "INSERT",
        "EXISTS (SELECT 1 FROM bodies WHERE run = NEW.run AND seq = NEW.seq)",
    ),
)
"""Triggers that keep the record append-only; a body may be erased, once, and nothing else."""

FENCE = (
    "CREATE TRIGGER IF NOT EXISTS checkpoints_fence BEFORE INSERT ON checkpoints "
    "WHEN EXISTS (SELECT 1 FROM runs WHERE id = NEW.thread_id "
    # The saver stores metadata as a BLOB of JSON text, which json_extract takes only as text.
    "AND fence > coalesce(json_extract(CAST(NEW.metadata AS TEXT), '$.fence'), -1)) "
    "BEGIN SELECT RAISE(ABORT, 'fenced'); END"
)
"""Refuses a checkpoint whose writer has no fencing number, or one older than the run's."""

DROP_FENCE = "DROP TRIGGER IF EXISTS checkpoints_fence"


def engine(path: Path) -> Engine:
    """An engine whose transactions read one snapshot, or, with `interlock_write`, take the write lock first.

    With `interlock_durable` false, a commit does not wait for the disk.

    A transaction that starts reading and then writes could fail half-way because somebody else
    wrote in between; BEGIN IMMEDIATE waits at the start instead.
    """
    made = create_engine(
        URL.create("sqlite", database=str(path)), connect_args={"timeout": BUSY_S, "check_same_thread": False}
    )

    @event.listens_for(made, "connect")
    def _connected(connection: sqlite3.Connection, record: object) -> None:  # pyright: ignore[reportUnusedFunction]
        connection.isolation_level = None  # transactions begin below, not by the driver's guess
        for pragma in ("foreign_keys = ON", "synchronous = FULL", "secure_delete = ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(made, "begin")
    def _begun(connection: Connection) -> None:  # pyright: ignore[reportUnusedFunction]
        options: Any = connection.get_execution_options()
        driver: Any = connection.connection.driver_connection
        if options.get("interlock_write"):
            durable = options.get("interlock_durable", True)
            driver.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        driver.execute("BEGIN IMMEDIATE" if options.get("interlock_write") else "BEGIN")

    return made


def journal_mode(path: Path) -> None:
    """Switches the file to write-ahead logging, so that readers and a writer do not wait for each other.

    Raises:
        sqlite3.DatabaseError: if it is no database, or stays locked.
    """
    until = time.monotonic() + BUSY_S
    connection = sqlite3.connect(path, timeout=BUSY_S)
    try:
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                # Seen with two processes that make one new file: this switch does not use the busy timeout.
                if "locked" not in str(error) or time.monotonic() > until:
                    raise
                time.sleep(0.02)
    finally:
        connection.close()


def flush_log(path: Path) -> None:
    """Moves the write-ahead log into the file and empties it: old pages in it hold what was deleted."""
    connection = sqlite3.connect(path, timeout=5)
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()


def path_of(url: str) -> Path | None:
    """The file a SQLite URL or a plain path names; None for another database or one in memory."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return None if url in ("", ":memory:") else Path(url).expanduser().absolute()
    if scheme not in ("sqlite", "sqlite+aiosqlite", "sqlite+pysqlite") or not rest.startswith("/"):
        return None
    rest = rest[1:].partition("?")[0]
    return None if rest in ("", ":memory:") else Path(rest).expanduser().absolute()
