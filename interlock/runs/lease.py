"""The lease of one run: renewed while work goes on, and the end of the work when it is lost."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from uuid import uuid4

from interlock.core.stores import Runs, Taken
from interlock.errors import LeaseLost, NotFound, RunBusy, StoreUnavailable


@dataclass(slots=True)
class Lease:
    """One claim of one run."""

    worker: str
    """Who holds it, as the run's row says."""
    taken: Taken
    """The run as it was when it was claimed."""
    heart: asyncio.Task[None] | None = field(default=None, repr=False)
    given_up: bool = False
    """True once the row says that nobody holds it."""

    def stop_renewing(self) -> None:
        """Leaves the lease to run out, because it is given up with what is stored next."""
        if self.heart is not None:
            self.heart.cancel()


@asynccontextmanager
async def lease(
    runs: Runs, run: str, worker: str, seconds: float, *, over: bool = False
) -> AsyncGenerator[Lease]:
    """Holds the lease of a run; one that is over is only read, unless `over` asks for its lease all the same.

    Raises:
        RunBusy: while another worker holds it.
        LeaseLost: if another worker took it over; the work inside has then been cancelled.
    """
    worker = f"{worker}:{uuid4().hex[:4]}"  # a process may not take a run from itself either
    held = Lease(worker, await _claimed(runs, run, worker, seconds, over))
    fence = held.taken.fence
    if fence is None:
        yield held
        return
    async with _renewed(runs, held, fence, seconds):
        yield held


@asynccontextmanager
async def _renewed(runs: Runs, held: Lease, fence: int, seconds: float) -> AsyncGenerator[None]:
    """Renews the lease while work goes on, and gives it up at the end, unless that is done."""
    run, worker = held.taken.run.id, held.worker
    owner = asyncio.current_task()
    lost: list[LeaseLost] = []

    async def renew() -> None:
        while True:
            await asyncio.sleep(seconds / 3)
            try:
                await runs.renew(run, worker, fence, seconds)
            except StoreUnavailable:
                continue  # the next beat may get through; if not, the lease is lost and said to be
            except LeaseLost as error:
                lost.append(error)
                if owner is not None:
                    owner.cancel()
                return

    held.heart = heart = asyncio.create_task(renew(), name=f"heartbeat {run}")
    try:
        yield
    except asyncio.CancelledError:
        if lost:
            if owner is not None:
                owner.uncancel()
            raise lost[0] from None
        raise
    finally:
        heart.cancel()
        with suppress(asyncio.CancelledError):
            await heart
        if not lost and not held.given_up:
            await runs.release(run, worker, fence)


async def _claimed(runs: Runs, run: str, worker: str, seconds: float, over: bool) -> Taken:
    """Claims the run; a caller that is cancelled meanwhile leaves no claim behind."""
    claim = asyncio.ensure_future(runs.take(run, worker, seconds, over=over))
    try:
        return await asyncio.shield(claim)
    except asyncio.CancelledError:
        # What the database has begun it finishes: a claim nobody will use must not keep others waiting.
        with suppress(RunBusy, NotFound):
            fence = (await claim).fence
            if fence is not None:
                await runs.release(run, worker, fence)
        raise
