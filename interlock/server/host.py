"""A hosted graph: its runs advance in the background of this process, and survive it."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from typing import Self
from weakref import WeakValueDictionary

from interlock.bootstrap import Bound
from interlock.core.canonical import Json
from interlock.core.hosting import RESTING, Offer, Page, Step, View, Wanted, may_answer
from interlock.core.limits import Limits
from interlock.core.principal import Principal
from interlock.core.questions import Answer
from interlock.core.runs import FINAL
from interlock.core.stores import Line
from interlock.errors import FormatRefused, InterlockError, LeaseLost, NotFound, RunBusy, StoreUnavailable
from interlock.observability.progress import tell
from interlock.persistence.hosted import Seen, SqlHosted
from interlock.server.changes import Changes

_log = logging.getLogger("interlock")
_TRIES = 5
"""How often a run that breaks in a way nobody foresaw is taken up again by this process."""


class Host:
    """Implements `core.hosting.Hosting` for one bound graph; use it with `async with`."""

    def __init__(self, app: Bound, *, at_once: int = 16, look_s: float = 0.25, reap_s: float = 2.0) -> None:
        """Takes a graph that is open.

        Args:
            app: The graph; it has to stay open longer than the host.
            at_once: Runs that this process advances at the same time; the others wait in the database.
            look_s: Seconds between looks for what other processes recorded, while anybody follows a run.
            reap_s: Seconds between looks for runs that nobody advances.
        """
        self.app = app
        self._hosted = SqlHosted(app.stores.database)
        self._changes = Changes(app.stores.database, self._hosted, look_s)
        self._clock = app.stores.clock
        self._turns = asyncio.Semaphore(at_once)
        self._reap_s = reap_s
        self._working: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()
        self._held: set[str] = set()
        self._stopping: set[asyncio.Task[None]] = set()
        self._cancels: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._broken: dict[str, int] = {}
        self._stuck: set[str] = set()
        self._stack = AsyncExitStack()

    @property
    def offer(self) -> Offer:
        """What is offered."""
        return self.app.offer

    @property
    def graph(self) -> str:
        """The name that its runs carry in the database."""
        return self.app.program.name

    async def __aenter__(self) -> Self:
        """Takes up the runs that nobody advances, and goes on looking for such."""
        await self._stack.enter_async_context(self._changes.running())
        self._stack.push_async_callback(self._stop)
        self._reaper = asyncio.create_task(self._reap(), name=f"reaper of {self.app.program.name}")
        return self

    async def __aexit__(self, *error: object) -> None:
        """Stops; runs under way stay in the database, as they are after their last step."""
        await self._stack.aclose()

    def closing(self) -> None:
        """Ends every `follow` and `settled`, so that connections can be closed."""
        self._changes.stop()

    async def ready(self) -> bool:
        """Says whether runs can be started and advanced here now."""
        try:
            await self._hosted.heads([])
        except StoreUnavailable:
            return False
        return not self._changes.over

    async def start(
        self,
        request: Json,
        who: Principal,
        *,
        key: str,
        session: str | None = None,
        limits: Limits | None = None,
        trace: str = "",
    ) -> str:
        """Starts a run in the background and returns its id; the same key of the same person is one run.

        Raises:
            SchemaViolation, BadInput: it is no request of this graph, the key was used for another one, or
                the session is somebody else's; nothing was started.
        """
        run = await self.app.engine.start(request, who, key=key, session=session, limits=limits, trace=trace)
        if run.state not in FINAL and run.state not in ("waiting_for_approval", "blocked"):
            self._go_on(run.id)
        return run.id

    async def view(self, run: str, who: Principal) -> View:
        """The run as it stands.

        Raises:
            NotFound: there is none, or it is not theirs.
        """
        return self._view(await self._hosted.see(run, self._clock.now()), who)

    async def list(self, who: Principal, wanted: Wanted) -> Page:
        """Their own runs."""
        found, total, more = await self._hosted.page(self.app.program.name, who, wanted, self._clock.now())
        return Page(tuple(self._view(seen, who) for seen in found), total, more)

    async def answer(self, answer: Answer) -> None:
        """Answers a question and goes on with its run in the background.

        Raises:
            NotFound, AnswerRefused: the question is as it was.
        """
        answered = await self.app.stores.inbox.answer(answer)
        self._go_on(answered.run)

    async def heard(self, run: str, message: str) -> bool:
        """Says whether a message of this id was taken for a run."""
        return await self._hosted.heard(run, message)

    async def hear(self, run: str, message: str) -> None:
        """Notes that a message was taken, so that it is not taken twice."""
        await self._hosted.hear(run, message, self._clock.now())

    async def cancel(self, run: str, who: Principal) -> View:
        """Stops a run, whether it moves or waits.

        Raises:
            NotFound: it is not theirs.
            WrongState: it has ended already.
            RunBusy: another process is advancing it.
        """
        if not (await self.view(run, who)).own:
            raise NotFound(f"{who.user} has no run {run!r}.")
        # The wish stands, also where whoever had it does not wait until the body has stopped.
        stopping = asyncio.create_task(self._cancel(run, who), name=f"cancel {run}")
        self._stopping.add(stopping)
        stopping.add_done_callback(self._stopped)
        await asyncio.shield(stopping)
        return await self.view(run, who)

    async def _cancel(self, run: str, who: Principal) -> None:
        async with self._cancels.setdefault(run, asyncio.Lock()):  # a second wish finds it canceled
            self._held.add(run)
            try:
                working = self._working.get(run)
                if working is not None:
                    working.cancel()
                    await asyncio.wait({working})
                await self.app.cancel(run, by=who)
            finally:
                self._held.discard(run)

    def _stopped(self, stopping: asyncio.Task[None]) -> None:
        self._stopping.discard(stopping)
        if not stopping.cancelled() and isinstance(stopping.exception(), InterlockError):
            _log.info("a run was not canceled: %s", stopping.exception())

    async def settled(self, run: str, who: Principal) -> View:
        """Waits until the run has ended or only people can move it; giving up waiting stops nothing."""
        while True:
            working = self._working.get(run)
            if working is not None and not self._changes.over:
                await asyncio.wait({working})
            view = await self.view(run, who)
            if (view.phase in RESTING and run not in self._working) or self._changes.over:
                return view
            if run not in self._working:
                await self._changes.after(run, view.seq)

    async def follow(self, run: str, after: int, *, to_end: bool) -> AsyncGenerator[Step]:
        """What is recorded after event `after`, as it happens.

        Ends when the run has ended and, unless `to_end`, also when only people can move it.
        """
        while not self._changes.over:
            for line in await self.app.stores.record.lines(run, after):
                after = line.event.seq
                yield _step(line)
            seen = await self._hosted.see(run, self._clock.now())
            if seen.seq > after:
                continue
            if seen.run.state in FINAL or (not to_end and self._rests(seen)):
                return
            await self._changes.after(run, after)

    def _rests(self, seen: Seen) -> bool:
        if seen.run.id in self._working:
            return False
        return seen.run.id in self._stuck or seen.run.state in ("waiting_for_approval", "blocked")

    def _view(self, seen: Seen, who: Principal) -> View:
        owner = seen.run.owner.user
        own = who.owns(owner)
        asked = tuple(q for q in seen.open if may_answer(who, q, owner))
        answered = any(q.answered_by == who.user for q in seen.closed)
        if seen.run.graph != self.app.program.name or not (own or asked or answered):
            raise NotFound(f"{who.user} has no run {seen.run.id!r}.")
        name = seen.run.id
        return View(
            seen.run,
            seen.seq,
            asked,
            elsewhere=tuple(q for q in seen.open if q not in asked) if own else (),
            closed=tuple(q for q in seen.closed if may_answer(who, q, owner)),
            own=own,
            stuck=name in self._stuck,
            moving=name in self._working,
        )

    def _go_on(self, run: str) -> None:
        """Advances a run in the background, or once more when it is being advanced."""
        if run in self._held or self._changes.over:
            return
        if run in self._working:
            self._again.add(run)
            return
        self._working[run] = asyncio.create_task(self._work(run), name=f"run {run}")

    async def _work(self, run: str) -> None:
        try:
            async with self._turns:
                while True:
                    self._again.discard(run)
                    await self._advance(run)
                    if run not in self._again or run in self._held:
                        return
        finally:
            self._working.pop(run, None)
            self._again.discard(run)
            self._changes.wake(run)

    async def _advance(self, run: str) -> None:
        try:
            await self.app.resume(run)
            self._broken.pop(run, None)
            self._stuck.discard(run)
        except (RunBusy, LeaseLost):
            _log.info("run %s is advanced by another process", run)
        except StoreUnavailable as error:
            _log.warning("run %s: %s", run, error.message)
        except FormatRefused as error:
            _log.error("run %s cannot go on here: %s", run, error.message)
            self._stuck.add(run)
        except Exception as error:
            tries = self._broken[run] = self._broken.get(run, 0) + 1
            _log.error("run %s could not be advanced (attempt %s of %s)", run, tries, _TRIES, exc_info=error)
            if tries >= _TRIES:
                self._stuck.add(run)

    async def _reap(self) -> None:
        """Takes up runs whose worker has died, and answers that were given elsewhere."""
        grace = 0.0
        while True:
            try:
                found = await self._hosted.orphans(self.app.program.name, self._clock.now(), grace)
            except StoreUnavailable as error:
                _log.warning("looking for runs that nobody advances: %s", error.message)
                found = []
            except Exception:  # whatever it is, a reaper that is gone would leave tasks at work for ever
                _log.exception("looking for runs that nobody advances")
                found = []
            for run in found:
                if run not in self._working and run not in self._stuck:
                    self._go_on(run)
            # A run that was just started or answered is left to whoever did it.
            grace = max(self._reap_s, 3.0)
            await asyncio.sleep(self._reap_s)

    async def _stop(self) -> None:
        self._changes.stop()
        self._reaper.cancel()
        working = [self._reaper, *self._stopping, *self._working.values()]
        for each in working:
            each.cancel()
        await asyncio.gather(*working, return_exceptions=True)


def _step(line: Line) -> Step:
    event = line.event
    words = tell(event.kind, event.actor, event.task, line.body)
    return Step(event.seq, event.at, words, moved=event.kind == "run.moved")
