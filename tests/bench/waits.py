"""How long a run takes by the clock when its agents wait for models and tools, against the ideal path."""

import asyncio
import gc
import time
from dataclasses import dataclass
from statistics import median

from interlock.bootstrap import Bound
from tests.bench import desk
from tests.bench.works import done


@dataclass(frozen=True, slots=True)
class Waits:
    """Medians, in seconds; for scale. The ratios are what counts."""

    run: float
    """The whole run."""
    plain: float
    """The same waits in a plain asyncio program: what the machine makes of the ideal path just then."""
    beside_slow: float
    """From a run's creation to its last task's result, while an unrelated slow task goes on."""
    with_slow: float
    """The whole run with the slow task."""
    over_plain: float
    """Median over the rounds of the run's time over the plain program's."""
    beside_over_plain: float
    """The same for the chain beside the slow task."""


async def waits(app: Bound, app_slow: Bound, *, rounds: int) -> Waits:
    """Takes turns: the plain program, the plan, and the plan with an unrelated task of a second."""
    taken: list[tuple[float, float, float, float]] = []
    for number in range(rounds + 1):
        gc.collect()
        round_ = (await _plain(), await _run(app), *await _beside(app_slow))
        if number:  # the first round connects and fills caches
            taken.append(round_)
    plain, run, beside, slow = (median(column) for column in zip(*taken, strict=True))
    return Waits(
        run=run,
        plain=plain,
        beside_slow=beside,
        with_slow=slow,
        over_plain=median(run / plain for plain, run, _, _ in taken),
        beside_over_plain=median(beside / plain for plain, _, beside, _ in taken),
    )


async def _plain() -> float:
    async def agent() -> None:
        for seconds in (desk.MODEL_S, desk.TOOL_S, desk.MODEL_S):
            await asyncio.sleep(seconds)

    begun = time.perf_counter()
    await asyncio.gather(agent(), agent())
    await agent()
    await agent()
    return time.perf_counter() - begun


async def _run(app: Bound) -> float:
    begun = time.perf_counter()
    done(await app.run(desk.REQUEST))
    return time.perf_counter() - begun


async def _beside(app: Bound) -> tuple[float, float]:
    begun = time.perf_counter()
    run = done(await app.run(desk.REQUEST))
    whole = time.perf_counter() - begun
    lines = [line.event for line in await app.stores.record.lines(run.id)]
    last = next(event.at for event in lines if event.kind == "task.returned" and event.task == "d")
    return (last - lines[0].at).total_seconds(), whole
