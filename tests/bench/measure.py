"""Interleaved rounds, and the medians that come out of them."""

import gc
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from statistics import median

Work = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds per run, one value for each round."""

    rounds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The figure that is reported."""
        return median(self.rounds)


async def cpu(works: Mapping[str, Work], *, rounds: int, runs: int) -> dict[str, Times]:
    """CPU seconds of this process, all threads and the kernel's share included, per run of each work.

    The works take turns within every round, so that what else the machine does hits all of them.
    """
    for work in works.values():
        for _ in range(3):
            await work()
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            gc.collect()
            begun = time.process_time()
            for _ in range(runs):
                await work()
            taken[name].append((time.process_time() - begun) / runs)
    return {name: Times(tuple(each)) for name, each in taken.items()}


def ratio(times: Mapping[str, Times], of: str, to: str) -> float:
    """The median over all rounds of one time over the other's of the same round."""
    return median(a / b for a, b in zip(times[of].rounds, times[to].rounds, strict=True))
