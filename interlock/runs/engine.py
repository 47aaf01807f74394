"""The inline engine: runs advance in this process, one segment at a time, each under its lease."""

import os
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from interlock.core.canonical import Json, canonical, digest, plain
from interlock.core.events import Draft, event_id
from interlock.core.guards import ON, Guards
from interlock.core.journal import spent_on
from interlock.core.limits import Limits
from interlock.core.ports import Batch, Clock, Ledger, Move, Traces
from interlock.core.principal import Principal
from interlock.core.redaction import redact
from interlock.core.runs import FINAL, Run
from interlock.core.stores import Inbox, Record, Runs
from interlock.core.trace import caller_of, traceparent
from interlock.errors import BadInput, NotFound, WrongState
from interlock.runs.lease import Lease, lease
from interlock.runs.program import Program
from interlock.runs.segment import Segment

_DEEPEST = 100
"""Levels of the deepest request; what is deeper breaks readers of the record, each at a depth of its own."""
MakeContext = Callable[[Run, int], Any]
"""Makes the graph's run context for a run and a fencing number."""


class InlineEngine:
    """Starts, resumes and cancels the runs of one program in this process."""

    def __init__(
        self,
        program: Program,
        *,
        runs: Runs,
        inbox: Inbox,
        ledger: Ledger,
        record: Record,
        checkpoints: Any,  # noqa: ANN401
        context: MakeContext,
        clock: Clock,
        guards: Guards = ON,
        lease_s: float = 3.0,
        traces: Traces | None = None,
    ) -> None:
        """Takes the stores of one database; `checkpoints` is a LangGraph saver on the same one."""
        self.program = program
        self.worker: str = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:6]}"
        self._runs = runs
        self._inbox = inbox
        self._ledger = ledger
        self._record = record
        self._context = context
        self._clock = clock
        self._guards = guards
        self._lease_s = lease_s
        self._traces = traces
        self._app = program.graph.compile(checkpointer=checkpoints, name=program.name)

    async def start(
        self,
        request: object,
        owner: Principal,
        *,
        key: str | None = None,
        session: str | None = None,
        trace: str = "",
        limits: Limits | None = None,
    ) -> Run:
        """Stores a run; nothing is executed yet.

        Args:
            request: What the graph is asked, as its request type or as JSON.
            owner: The person who owns the run and on whose behalf it acts.
            key: Starting twice with the same key gives the same run.
            session: The session it belongs to; its own, if none is given.
            trace: The `traceparent` of whoever asks; the run is shown below it. A malformed one is ignored.
            limits: What whoever asks has left; the run gets no more than that.

        Secrets and card numbers in the request are masked before anything is stored.

        Raises:
            SchemaViolation: if it is not a request of this graph; nothing was stored.
            BadInput: if the key was used for another request, the session is somebody else's, or the
                request cannot be kept.
        """
        # Secrets a request brings along stay outside: nothing behind this line ever sees them.
        stored = self._kept(request)
        name = "r-" + (digest([self.program.name, owner.user, key], "run")[:12] if key else uuid4().hex[:12])
        now = self._clock.now()
        caller = caller_of(trace)
        run = Run(
            id=name,
            graph=self.program.name,
            version=self.program.version,
            input=stored,
            owner=owner,
            session=session or f"s-{name[2:]}",
            subject=self.program.subject(stored),
            trace=traceparent(caller.trace, caller.span) if caller else "",
            limits=limits or Limits(),
            created_at=now,
            updated_at=now,
        )
        body = {"graph": run.graph, "version": run.version, "input": stored, "owner": plain(owner)}
        draft = self._draft(run.id, "run.created", f"person:{owner.user}", {**body, "session": run.session})
        created = await self._runs.create(run, [draft])
        if created.input != stored:
            raise BadInput(
                f"the key {key!r} was used for another request (run {created.id}): take another key."
            )
        return created

    async def advance(self, run: str) -> Run:
        """Executes a run until it ends or only people can move it.

        Raises:
            NotFound, RunBusy, LeaseLost, FormatRefused: the run is as it was.
        """
        async with self._leased(run) as held:
            stored, fence = held.taken.run, held.taken.fence
            if fence is None:  # it is over, but its worker may have been killed before it signed
                await self._record.sign(run, self._clock.now())
                return stored
            # A worker that died in the middle has spent what its journal says, not what the row says.
            used = spent_on(held.taken.entries).model_copy(update={"seconds": stored.spend.seconds})
            segment = Segment(
                program=self.program,
                app=self._app,
                run=stored,
                lease=held,
                fence=fence,
                worker=self.worker,
                context=self._context(stored.model_copy(update={"spend": used}), fence),
                runs=self._runs,
                inbox=self._inbox,
                ledger=self._ledger,
                record=self._record,
                clock=self._clock,
            )
            return await segment.advance()

    async def cancel(self, run: str, by: Principal, reason: str = "") -> Run:
        """Ends a run that nobody is advancing; its open questions are withdrawn.

        Raises:
            RunBusy: while a worker is advancing it.
            NotFound: if it is not theirs.
            WrongState: if it has ended already.
        """
        stored = await self._runs.get(run)
        if not by.owns(stored.owner.user):
            raise NotFound(f"{by.user} has no run {run!r}: only {stored.owner.user} may cancel it.")
        if stored.state in FINAL:
            raise WrongState(f"run {run} is {stored.state} already and cannot be canceled.")
        async with self._leased(run, over=True) as held:
            why = reason or f"{by.user} canceled it"
            move = Move(to="canceled", reason=why)
            await self._ledger.commit(Batch(run=run, fence=held.taken.fence, move=move))
            await self._record.sign(run, self._clock.now())
        return await self._runs.get(run)

    @asynccontextmanager
    async def hold(self, run: str) -> AsyncGenerator[tuple[int, Any]]:
        """Holds a run without advancing it: yields fencing number and run context, and signs at the end."""
        async with self._leased(run, over=True) as held:
            assert held.taken.fence is not None
            yield held.taken.fence, self._context(held.taken.run, held.taken.fence)
            await self._record.sign(run, self._clock.now())

    async def order_of_effects(self, run: str) -> dict[tuple[str, str], int]:
        """(task, call digest) of each confirmed effect -> its place in the record."""
        order: dict[tuple[str, str], int] = {}
        for line in await self._record.lines(run):
            if line.event.kind in ("effect.confirmed", "effect.settled") and isinstance(line.body, dict):
                order[line.event.task, str(line.body.get("call"))] = line.event.seq
        return order

    @asynccontextmanager
    async def _leased(self, run: str, *, over: bool = False) -> AsyncGenerator[Lease]:
        """Holds the lease, if there is anything to do; what is recorded meanwhile is shown as a trace."""
        async with lease(self._runs, run, self.worker, self._lease_s, over=over) as held:
            if self._traces is None:
                yield held
                return
            if held.taken.fence is not None:
                self._traces.begin(run)
            try:
                yield held
            finally:
                self._traces.end(run)

    def _kept(self, request: object) -> Json:
        """The request as it is stored: without secrets, and nothing in it that the record could not hold."""
        try:
            stored = redact(plain(self.program.read(request)))
            canonical(stored)
            shallow = _depth(stored) <= _DEEPEST
        except (ValueError, RecursionError):
            raise BadInput(
                "the request cannot be kept as JSON: it has a number or half a character that JSON has no "
                "word for, or is nested too deeply."
            ) from None
        if not shallow:
            raise BadInput(f"the request is nested more than {_DEEPEST} levels deep: make it flatter.")
        self.program.read(stored)
        return stored

    def _draft(self, run: str, kind: str, actor: str, body: dict[str, Any]) -> Draft:
        return Draft(
            id=event_id(run, kind, "", 0, ""), kind=kind, actor=actor, at=self._clock.now(), body=body
        )


def _depth(value: Json) -> int:
    """How many lists and objects are inside each other."""
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inside is None else 1 + max(map(_depth, inside), default=0)
