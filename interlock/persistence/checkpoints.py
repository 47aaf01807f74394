"""LangGraph's checkpoints in our database, fenced: a worker that lost its run cannot move it on.

The only module of this room that knows LangGraph.
"""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata, CheckpointTuple
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver

from interlock.errors import LeaseLost, StoreUnavailable
from interlock.persistence.database import Database
from interlock.persistence.sqlite import BUSY_S, DROP_FENCE, FENCE

T = TypeVar("T")

ALLOWED: tuple[tuple[str, ...], ...] = ()
"""Classes a checkpoint may name, beyond LangGraph's own: none, since graph state is plain JSON."""


class Checkpoints(SqliteSaver):
    """A LangGraph saver whose writes are whole and carry the run's fencing number.

    The number is `config["metadata"]["fence"]`; threads that are no runs of ours need none.
    LangGraph's own AsyncSqliteSaver hops between threads at every statement; here a write or a
    read is one hop, as in `database`.
    """

    def __init__(self, connection: sqlite3.Connection, database: Database) -> None:
        """Takes a connection of its own; `open` makes one."""
        serializer = JsonPlusSerializer(allowed_json_modules=ALLOWED, allowed_msgpack_modules=ALLOWED)
        super().__init__(connection, serde=serializer)
        self._turn = database.turn
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="interlock-checkpoints")
        self._writing: set[asyncio.Task[Any]] = set()

    @classmethod
    @asynccontextmanager
    async def open(cls, database: Database, *, fencing: bool = True) -> AsyncGenerator["Checkpoints"]:
        """Opens the checkpoints beside our tables and closes them at the end.

        Args:
            database: An open database.
            fencing: False only where a test switches the guard off: the trigger is taken out of the
                database until it is opened with the guard on again.
        """
        connection = sqlite3.connect(database.path, timeout=BUSY_S, check_same_thread=False)
        saver = cls(connection, database)

        def prepare() -> None:
            connection.execute("PRAGMA synchronous = NORMAL")
            saver.setup()
            connection.execute(FENCE if fencing else DROP_FENCE)
            connection.commit()

        try:
            await saver._whole(prepare)
            yield saver
        finally:
            await asyncio.gather(*saver._writing, return_exceptions=True)
            await saver._in_thread(connection.close)
            saver._thread.shutdown()

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The checkpoint that the configuration names, or the thread's newest."""
        return await self._in_thread(lambda: self.get_tuple(config))

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """Yields checkpoints, newest first."""
        found = await self._in_thread(
            lambda: list(self.list(config, filter=filter, before=before, limit=limit))
        )
        for each in found:
            yield each

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Stores a checkpoint.

        Raises:
            LeaseLost: if the run was claimed by another worker since, or `metadata.fence` is missing.
        """
        try:
            return await self._whole(lambda: self.put(config, checkpoint, metadata, new_versions))
        except sqlite3.IntegrityError as error:
            if "fenced" not in str(error):
                raise
            run, held = (
                config.get("configurable", {}).get("thread_id"),
                config.get("metadata", {}).get("fence"),
            )
            raise LeaseLost(
                f"a checkpoint of run {run} was refused: its fencing number ({held}) is not the run's. "
                "Another worker has claimed the run; stop this one."
            ) from error

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Stores what one task of a step wrote."""
        await self._whole(lambda: self.put_writes(config, writes, task_id, task_path))

    async def adelete_thread(self, thread_id: str) -> None:
        """Removes everything stored of one thread."""
        await self._whole(lambda: self.delete_thread(thread_id))

    async def _whole(self, writing: Callable[[], T]) -> T:
        """Runs a write to its end, committed or rolled back, even if the caller is cancelled.

        Half a write would hold the write lock, and with it every writer of the database.
        """

        def committed() -> T:
            try:
                return writing()
            except sqlite3.OperationalError as error:
                self.conn.rollback()
                raise StoreUnavailable(
                    f"a checkpoint could not be stored ({error}). Try again: the run goes on where it was."
                ) from error
            except sqlite3.Error:
                self.conn.rollback()
                raise

        async def guarded() -> T:
            async with self._turn:
                return await self._in_thread(committed)

        task = asyncio.ensure_future(guarded())
        self._writing.add(task)
        task.add_done_callback(self._written)
        return await asyncio.shield(task)

    def _written(self, task: asyncio.Task[Any]) -> None:
        self._writing.discard(task)
        if not task.cancelled():
            task.exception()  # seen, even where the caller was cancelled and cannot see it

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
