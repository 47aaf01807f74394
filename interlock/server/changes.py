"""Who waits for a run hears that its record has grown: at once in this process, soon after in others."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from interlock.errors import StoreUnavailable
from interlock.persistence.database import Database
from interlock.persistence.hosted import SqlHosted

_log = logging.getLogger("interlock")


class Changes:
    """Looks for everybody who waits, with one query for all of them."""

    def __init__(self, database: Database, hosted: SqlHosted, every_s: float) -> None:
        """`every_s` is how often it looks for what other processes wrote, while anybody waits."""
        self._database = database
        self._hosted = hosted
        self._every_s = every_s
        self._waiting: dict[str, list[tuple[int, asyncio.Future[None]]]] = {}
        self._written = asyncio.Event()
        self._wanted = asyncio.Event()
        self.over: bool = False
        """True when the server stops; then nobody waits any more."""

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Looks while the block lasts."""
        self._database.watchers.append(self._written.set)
        looking = asyncio.create_task(self._look(), name="changes")
        try:
            yield
        finally:
            self.stop()
            self._database.watchers.remove(self._written.set)
            looking.cancel()
            with suppress(asyncio.CancelledError):
                await looking

    async def after(self, run: str, seq: int) -> None:
        """Waits until more than event `seq` is recorded, `wake` is called for the run, or all is over."""
        if self.over:
            return
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (seq, waiting)
        self._waiting.setdefault(run, []).append(entry)
        self._wanted.set()
        self._written.set()  # what was written since the caller looked counts as well
        try:
            await waiting
        finally:
            left = self._waiting.get(run, [])
            if entry in left:
                left.remove(entry)
            if not left:
                self._waiting.pop(run, None)

    def wake(self, run: str) -> None:
        """Wakes whoever waits for a run, whatever was recorded."""
        for _, waiting in self._waiting.get(run, []):
            if not waiting.done():
                waiting.set_result(None)

    def stop(self) -> None:
        """Ends all waiting, for good."""
        self.over = True
        for run in list(self._waiting):
            self.wake(run)

    async def _look(self) -> None:
        while True:
            if not self._waiting:
                self._wanted.clear()
                await self._wanted.wait()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._written.wait(), self._every_s)
            self._written.clear()
            try:
                heads = await self._hosted.heads(list(self._waiting))
            except StoreUnavailable as error:
                _log.warning("looking for changes: %s", error.message)
                await asyncio.sleep(self._every_s)
                continue
            except Exception:  # whatever it is, without this look everybody would wait for ever
                _log.exception("looking for changes")
                await asyncio.sleep(self._every_s)
                continue
            for run, head in heads.items():
                for seq, waiting in self._waiting.get(run, []):
                    if head > seq and not waiting.done():
                        waiting.set_result(None)
