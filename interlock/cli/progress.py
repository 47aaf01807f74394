"""Live progress: follows a run's record while it is being written; `observability.progress` has the words."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from interlock.cli import terminal

if TYPE_CHECKING:
    from interlock.core.stores import Record

_EVERY_S = 0.1
"""How often the record is looked at; one reading transaction each time."""


@asynccontextmanager
async def shown(record: "Record", run: str, *, wanted: bool = True) -> AsyncGenerator[None]:
    """Shows what happens in a run while the block lasts."""
    if not wanted:
        yield
        return
    there = [line.event.seq for line in await record.lines(run)]
    follower = _Follower(record, run, there[-1] if len(there) > 1 else 0)  # of a new run also its first event
    following = asyncio.create_task(follower.follow())
    try:
        yield
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await follower.look()


class _Follower:
    def __init__(self, record: "Record", run: str, seen: int) -> None:
        self._record, self._run, self._seen = record, run, seen

    async def follow(self) -> None:
        while True:
            await asyncio.sleep(_EVERY_S)
            await self.look()

    async def look(self) -> None:
        """Tells what was recorded since the last look."""
        from interlock.observability.progress import tell

        for line in await self._record.lines(self._run, self._seen):
            self._seen = line.event.seq
            told = tell(line.event.kind, line.event.actor, line.event.task, line.body)
            if told:
                terminal.tell(f"{self._run} {told}")
