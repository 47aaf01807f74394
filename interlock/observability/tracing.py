"""Follows runs and sends what their records show: beside the run, never in its way.

The record is read back after the fact. So tracing adds nothing to what a run does or stores, and a
trace that is lost can be made again from the record.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from interlock.core.stores import Line, Record, Runs
from interlock.observability import langfuse
from interlock.observability.attributes import Content
from interlock.observability.exporting import outbox_for
from interlock.observability.outbox import Once, Outbox, close_all
from interlock.observability.spans import Projection
from interlock.observability.traced import Labels, Score, Span
from interlock.settings import Settings

_EVERY_S = 2.0
"""How often a run that is being executed is looked at."""
_CLOSE_S = 2.0
"""How long the end of a program may be held up."""


def tracer(settings: Settings, runs: Runs, record: Record) -> "Tracer | None":
    """What follows runs as the settings say; None, and nothing done, where they name no receiver."""
    spans: list[Outbox[Span]] = []
    scores: list[Outbox[Score]] = []
    once = Once()
    if langfuse.configured(settings):
        url, headers = langfuse.spans_url(settings), langfuse.spans_headers(settings)
        spans.append(outbox_for(url, headers, settings.trace_environment, once))
        scores.append(langfuse.scores_outbox(settings, once))
    if settings.otlp_endpoint:
        given = {name: value.get_secret_value() for name, value in settings.otlp_headers.items()}
        spans.append(outbox_for(settings.otlp_endpoint, given, settings.trace_environment, once))
    if not spans:
        return None
    labels = Labels(
        environment=settings.trace_environment,
        release=settings.trace_release,
        tags=settings.trace_tags,
        content=Content(settings.trace_content),
    )
    return Tracer(runs, record, labels, spans, scores, once)


class Tracer:
    """Implements the `Traces` port with one task on the loop it is used on."""

    def __init__(
        self,
        runs: Runs,
        record: Record,
        labels: Labels,
        spans: Sequence[Outbox[Span]],
        scores: Sequence[Outbox[Score]],
        once: Once,
    ) -> None:
        """Reads nothing before a run begins."""
        self._runs = runs
        self._record = record
        self._labels = labels
        self._spans = spans
        self._scores = scores
        self._once = once
        self._running: dict[str, Projection | None] = {}
        self._over: dict[str, tuple[Projection | None, bool]] = {}
        self._changed = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None

    @property
    def problems(self) -> list[str]:
        """What went wrong, at most a sentence for each receiver."""
        return list(self._once.said.values())

    @property
    def dropped(self) -> int:
        """How many spans and scores were lost so far."""
        return sum(each.dropped for each in (*self._spans, *self._scores))

    def begin(self, run: str) -> None:
        """A worker has taken a run; returns at once."""
        self._running[run] = None
        for each in (*self._spans, *self._scores):
            each.start()  # imports take a moment: they are made while the run works
        self._start()

    def end(self, run: str) -> None:
        """A worker has let go of a run; returns at once.

        Without a beginning it is a run found ended: what its worker was killed before sending is sent.
        """
        begun = run in self._running
        self._over[run] = self._running.pop(run, None), begun
        self._start()
        self._changed.set()

    async def close(self) -> None:
        """Sends what there is, and gives up after two seconds."""
        self._closing = True
        self._changed.set()
        begun = asyncio.get_running_loop().time()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=_CLOSE_S)
            if not self._task.done():
                self._task.cancel()
                with suppress(asyncio.CancelledError):
                    await self._task
        left = _CLOSE_S - (asyncio.get_running_loop().time() - begun)
        every: list[Outbox[Any]] = [*self._spans, *self._scores]
        await asyncio.to_thread(close_all, every, left)

    def _start(self) -> None:
        if self._task is None and not self._closing:
            self._task = asyncio.get_running_loop().create_task(self._follow())

    async def _follow(self) -> None:
        while self._over or not self._closing:
            while self._over:
                run, (projection, begun) = self._over.popitem()
                await self._look(run, projection, begun=begun)
            try:
                async with asyncio.timeout(_EVERY_S if self._running else None):
                    if not self._closing:
                        await self._changed.wait()
                        self._changed.clear()
            except TimeoutError:
                for run, projection in list(self._running.items()):
                    looked = await self._look(run, projection, begun=True)
                    if run in self._running:
                        self._running[run] = looked

    async def _look(self, run: str, projection: Projection | None, *, begun: bool) -> Projection | None:
        """Reads on in a run's record and hands over what it shows; a failure costs the trace, not the run."""
        try:
            if projection is None:
                projection = Projection(await self._runs.get(run), self._labels)
                lines = await self._record.lines(run)
                known = sent_before(lines, begun=begun)
                projection.read(lines[:known])
                lines = lines[known:]
            else:
                lines = await self._record.lines(run, projection.at)
            seen = await asyncio.to_thread(projection.read, lines)
        except Exception as error:
            why = f"the record of run {run} could not be read ({type(error).__name__})"
            self._once.say("traces", "anybody", why)
            return projection
        for outbox in self._spans:
            outbox.put(seen.spans)
        for outbox in self._scores:
            outbox.put(seen.scores)
        return projection


def sent_before(lines: Sequence[Line], *, begun: bool) -> int:
    """How many lines were sent when earlier workers let go of the run.

    Where the last claim is our own (`begun`), only what stands before it counts.

    What a worker recorded that was killed before it let go is not among them; that may be sent twice,
    under the same ids.
    """
    if not begun and _lets_go(lines[-1]):
        return len(lines)
    claims = [number for number, line in enumerate(lines) if line.event.kind == "run.claimed"]
    if not claims:
        return 0
    for number in range(claims[-1] - 1, -1, -1):
        if _lets_go(lines[number]):
            return number + 1
    return 0


def _lets_go(line: Line) -> bool:
    body = line.body if isinstance(line.body, dict) else {}
    return line.event.kind == "segment.ended" or (
        line.event.kind == "run.moved" and body.get("to") in ("canceled", "rolled_back")
    )
