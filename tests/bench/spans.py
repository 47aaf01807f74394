"""What tracing costs: a span from the record to its bytes, and a run with and without it."""

import gc
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from interlock import bind
from interlock.bootstrap import Bound
from interlock.observability.exporting import encoded
from interlock.observability.spans import Projection
from interlock.observability.traced import Labels
from interlock.settings import load
from tests.bench import desk
from tests.bench.measure import cpu as measured
from tests.bench.measure import ratio
from tests.bench.works import done


@dataclass(frozen=True, slots=True)
class Spans:
    """Medians of one run of the measurements."""

    event_us: float
    """CPU per event of the record, read, projected and encoded, in microseconds."""
    span_us: float
    """The same per span that came of it."""
    events: int
    spans: int
    """Of one run."""
    bytes: int
    """Of one run's spans, before compression."""
    wall: float
    """Median over the rounds of a traced run's time over an untraced one's, until the run is done."""
    cpu: float
    """The same for CPU of the process; what is sent after the run is done falls into it as well."""


async def spans(folder: Path, *, rounds: int, runs: int) -> Spans:
    """Takes turns: a run that sends its spans to a sink in another process, and one that sends none."""
    async with _sink() as url, AsyncExitStack() as stack:
        off = await stack.enter_async_context(_app(folder, "untraced", ""))
        on = await stack.enter_async_context(_app(folder, "traced", url))
        walls: list[float] = []
        for number in range(rounds * 2 + 1):
            gc.collect()
            plain, traced = await _wall(off), await _wall(on)
            if number:  # the first round connects and fills caches
                walls.append(traced / plain)

        async def with_it() -> None:
            done(await on.run(desk.REQUEST))

        async def without() -> None:
            done(await off.run(desk.REQUEST))

        times = await measured({"on": with_it, "off": without}, rounds=rounds, runs=runs)
        assert on.traces is not None
        if on.traces.problems:
            raise RuntimeError(f"spans were lost: {on.traces.problems}")
        return await _projected(off, median(walls), ratio(times, "on", "off"))


async def _projected(app: Bound, wall: float, cpu: float) -> Spans:
    run = done(await app.run(desk.REQUEST))
    lines = await app.stores.record.lines(run.id)
    made = Projection(run, Labels()).read(lines).spans
    data = encoded(made)
    taken: list[float] = []
    for _ in range(21):
        begun = time.process_time()
        for _ in range(10):
            encoded(Projection(run, Labels()).read(lines).spans)
        taken.append((time.process_time() - begun) / 10)
    once = median(taken) * 1_000_000
    return Spans(once / len(lines), once / len(made), len(lines), len(made), len(data), wall, cpu)


async def _wall(app: Bound) -> float:
    begun = time.perf_counter()
    done(await app.run(desk.REQUEST))
    return time.perf_counter() - begun


def _app(folder: Path, name: str, url: str) -> Bound:
    settings = load(
        database_url=f"sqlite:///{folder / name}.db",
        key_folder=folder / "keys",
        user="bench",
        otlp_endpoint=url,
        langfuse_public_key="",
    )
    return bind(desk.supervised(desk.one_call), settings=settings, models=desk.SlowModels())


@asynccontextmanager
async def _sink() -> AsyncGenerator[str]:
    command = [sys.executable, "-m", "tests.bench.sink"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.kill()
