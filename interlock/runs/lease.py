"""The lease of one run: renewed while work goes on, and the end of the work when it is lost."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from uuid import uuid4

from interlock.core.stores import Runs
from interlock.errors import LeaseLost, NotFound, RunBusy, StoreUnavailable


@asynccontextmanager
async def lease(runs: Runs, run: str, worker: str, seconds: float) -> AsyncGenerator[int]:
    """Holds the lease of a run and yields its fencing number.

    Raises:
        RunBusy: while another worker holds it.
        LeaseLost: if another worker took it over; the work inside has then been cancelled.
    """
    worker = f"{worker}:{uuid4().hex[:4]}"  # a process may not take a run from itself either
    fence = await _claimed(runs, run, worker, seconds)
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

    heart = asyncio.create_task(renew(), name=f"heartbeat {run}")
    try:
        yield fence
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
        if not lost:
            await runs.release(run, worker, fence)


async def _claimed(runs: Runs, run: str, worker: str, seconds: float) -> int:
    """Claims the run; a caller that is cancelled meanwhile leaves no claim behind."""
    claim = asyncio.ensure_future(runs.claim(run, worker, seconds))
    try:
        return await asyncio.shield(claim)
    except asyncio.CancelledError:
        # What the database has begun it finishes: a claim nobody will use must not keep others waiting.
        with suppress(RunBusy, NotFound):
            await runs.release(run, worker, await claim)
        raise
