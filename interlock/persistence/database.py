"""The database: its file, its schema version, and transactions.

One plain function is one transaction, run in a worker thread: SQLAlchemy's async layer would
hop between threads at every statement and costs twice the CPU.
"""

import asyncio
import os
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine, exc, inspect, text

from interlock.errors import BadInput, FormatRefused, StoreUnavailable
from interlock.persistence import sqlite
from interlock.persistence.schema import VERSIONS

T = TypeVar("T")

_OURS = "alembic_version"


class Database:
    """One open database; made by `Database.open`, shared by everything in the process that stores."""

    def __init__(self, path: Path, engine: Engine) -> None:
        """Takes a file whose schema is known to fit."""
        self.path = path
        self.turn: asyncio.Lock = asyncio.Lock()
        """Held by whoever writes in this process: waiting here is cheaper than SQLite's busy timeout."""
        self.watchers: list[Callable[[], None]] = []
        """Called after each transaction of this process that wrote; other processes are not heard."""
        self._engine = engine
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="interlock-db")
        self._mine = threading.local()
        self._connections: list[Connection] = []

    @classmethod
    async def open(cls, url: str) -> "Database":
        """Opens a database, and makes the folder, the file and the tables where they are missing.

        Args:
            url: `sqlite:///relative.db`, `sqlite:////absolute.db`, or just the path.

        Raises:
            BadInput: if the file cannot be written or is no database.
            FormatRefused: if it was written by another program or a newer version.
        """
        path = sqlite.path_of(url)
        if path is None:
            raise BadInput(f"{url!r} is not a database Interlock can use: give sqlite:///path/to/file.db.")
        return cls(path, await asyncio.to_thread(_opened, path))

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Runs `work` on one snapshot; it takes no write lock."""
        return await self._in_thread(work, write=False)

    async def write(self, work: Callable[[Connection], T], *, durable: bool = True) -> T:
        """Runs `work` in one transaction: all of it is stored, or nothing.

        The write lock is taken first, so what `work` reads cannot change under it. Once begun
        it runs to its end, even if the caller is cancelled.

        Args:
            work: What reads and writes; it may be any plain function.
            durable: False where losing power may take the transaction back. It outlives the process
                all the same, and the next durable one makes it durable as well: a power cut takes
                only the newest transactions, never one from the middle.
        """
        async with self.turn:
            done = await self._in_thread(work, write=True, durable=durable)
        for tell in self.watchers:
            tell()
        return done

    async def forget(self) -> None:
        """Takes what was deleted out of the file as well, as far as no reader is still looking at it."""
        async with self.turn:
            await asyncio.to_thread(sqlite.flush_log, self.path)

    async def close(self) -> None:
        """Waits for what is being written and closes every connection."""
        await asyncio.to_thread(self._threads.shutdown)
        for connection in self._connections:
            connection.close()
        self._engine.dispose()

    async def _in_thread(self, work: Callable[[Connection], T], *, write: bool, durable: bool = False) -> T:
        def transaction() -> T:
            connection = self._connection().execution_options(
                interlock_write=write, interlock_durable=durable
            )
            try:
                with connection.begin():
                    return work(connection)
            except (exc.OperationalError, sqlite3.OperationalError) as error:
                raise StoreUnavailable(
                    f"the database {str(self.path)!r} could not be used ({_told(error)}); nothing of this "
                    "step was stored. Try again: runs go on where they were."
                ) from error

        return await asyncio.get_running_loop().run_in_executor(self._threads, transaction)

    def _connection(self) -> Connection:
        """This thread's connection: taking one from the pool each time costs more than a transaction."""
        if not hasattr(self._mine, "connection"):
            self._mine.connection = self._engine.connect()
            self._connections.append(self._mine.connection)
        return self._mine.connection


def _opened(path: Path) -> Engine:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sqlite.journal_mode(path)
        engine = sqlite.engine(path)
        if not _fits(engine, path):
            with engine.execution_options(interlock_write=True).begin() as connection:
                _migrate(connection)
    except (OSError, sqlite3.OperationalError, exc.OperationalError) as error:
        raise BadInput(
            f"the database {str(path)!r} cannot be opened or written ({_told(error)}): check its folder "
            "and rights."
        ) from error
    except (sqlite3.DatabaseError, exc.DatabaseError) as error:
        raise BadInput(
            f"{str(path)!r} is not a database ({_told(error)}): name another file, or move this one away."
        ) from error
    if not os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
        engine.dispose()
        raise BadInput(f"the database {str(path)!r} cannot be written: check the rights of the file.")
    return engine


def _fits(engine: Engine, path: Path) -> bool:
    """Says whether the schema is the present one; False where it has to be made or brought up."""
    with engine.begin() as connection:
        found = _version(connection)
        if found is None:
            tables = inspect(connection).get_table_names()
            if not tables:
                return False
            found = f"tables of something else ({', '.join(sorted(tables)[:3])})"
        elif found in VERSIONS:
            return found == VERSIONS[-1]
        else:
            found = f"schema version {found!r}"
    engine.dispose()
    raise FormatRefused(
        f"{str(path)!r} holds {found}, and this version of Interlock reads schema version {VERSIONS[-1]!r}: "
        "use the version that wrote it, or name another file."
    )


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table(_OURS):
        return None
    return connection.execute(text(f"SELECT version_num FROM {_OURS}")).scalar()


def _migrate(connection: Connection) -> None:
    """Brings the schema up inside the caller's transaction, unless another process just has."""
    if _version(connection) == VERSIONS[-1]:
        return
    from alembic import command  # a third of a second that only a new database pays
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "interlock.persistence:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _told(error: BaseException) -> str:
    return str(getattr(error, "orig", None) or error).splitlines()[0]
