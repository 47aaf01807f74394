"""One segment: from a command to the next question or the end.

The checkpointer is the graph's only journal; the run row says where it stands.
"""

import logging
from dataclasses import dataclass
from typing import Any

from langgraph.types import Command

from interlock.core.events import Draft, event_id
from interlock.core.journal import Entry, spent_on
from interlock.core.limits import Spend
from interlock.core.ports import Batch, Clock, Ledger, Move
from interlock.core.runs import FINAL, Run, RunState
from interlock.core.stores import Inbox, Record, Runs
from interlock.errors import FormatRefused, InterlockError, LeaseLost, StoreUnavailable
from interlock.runs.lease import Lease
from interlock.runs.program import Program
from interlock.runs.questions import paths, wake_ups
from interlock.runs.shape import unknown_nodes

_log = logging.getLogger("interlock")


@dataclass(slots=True)
class Segment:
    """One worker's turn with one run; made anew for each."""

    program: Program
    app: Any
    """The compiled graph with its checkpointer."""
    run: Run
    lease: Lease
    fence: int
    worker: str
    context: Any
    """The graph's run context; it has `state`, which nodes move forward."""
    runs: Runs
    inbox: Inbox
    ledger: Ledger
    record: Record
    clock: Clock

    @property
    def config(self) -> dict[str, Any]:
        """LangGraph's configuration: the thread is the run, and every checkpoint carries the fence."""
        return {
            "configurable": {"thread_id": self.run.id},
            "metadata": {"fence": self.fence, "graph": self.program.name, "version": self.program.version},
            "recursion_limit": self.program.max_steps,
        }

    async def advance(self) -> Run:
        """Runs the graph until nothing can move any more, and stores where it stands.

        Raises:
            FormatRefused: the run waits at a node this version of the graph does not have; nothing changed.
            LeaseLost: another worker has taken over.
        """
        begun = self.clock.monotonic()
        command = await self._first_command()
        if command is not _NOTHING:
            try:
                await self._invoke(command)
            except (LeaseLost, FormatRefused, StoreUnavailable):
                raise
            except Exception as error:
                await self._fail(error)
        return await self._end(self.clock.monotonic() - begun)

    async def _first_command(self) -> Any:  # noqa: ANN401
        """What this segment begins with: the request, a crashed worker's place, answers, or nothing."""
        # The first claim of a run has the number 1: nobody can have left a checkpoint before it.
        snapshot = await self.app.aget_state(self.config) if self.fence > 1 else None
        if snapshot is None or snapshot.created_at is None:
            if not self.program.moves_itself:
                await self._move("executing", "the graph was started")
            return self.program.to_input(self.run.input)
        missing = await unknown_nodes(self.app, self.config)
        if missing:
            raise FormatRefused(
                f"run {self.run.id} waits at {', '.join(sorted(missing))}, which graph {self.program.name} "
                f"{self.program.version} does not have (the run is of version {self.run.version}). It was "
                "left as it is: run it with the code it was started with, or rename the node back."
            )
        if self.run.state not in ("waiting_for_approval", "blocked"):
            return None
        questions = {q.id: q for q in await self.inbox.list(None, self.run.id)}
        wake = wake_ups(list(snapshot.interrupts), questions, set())
        if not wake:
            return _NOTHING
        await self._move("executing", "an answer has arrived")
        return Command(resume=wake)

    async def _invoke(self, command: Any) -> None:  # noqa: ANN401
        """Invokes the graph, and again for answers that arrived meanwhile."""
        done: set[str] = set()
        while True:
            if isinstance(command, Command):
                done |= {q.id for q in await self.inbox.list(None, self.run.id) if q.state != "open"}
            out = await self.app.ainvoke(
                command, self.config, context=self.context, durability="sync", version="v2"
            )
            if not out.interrupts:
                return
            questions = {q.id: q for q in await self.inbox.list(None, self.run.id)}
            wake = wake_ups(list(out.interrupts), questions, done)
            if not wake:
                return
            command = Command(resume=wake)

    async def _end(self, seconds: float) -> Run:
        """Stores the state the run is in now, what it has spent, and where its questions were asked."""
        if self.context.state not in FINAL:
            snapshot = await self.app.aget_state(self.config, subgraphs=True)
            where = dict(paths(snapshot))
            if snapshot.interrupts:
                await self._wait(where)
            elif not snapshot.next:
                await self._complete(self.program.response_of(snapshot.values))

        def last(run: Run, entries: list[Entry]) -> Batch:
            spend = spent_on(entries).plus(Spend(seconds=run.spend.seconds + round(seconds, 6)))
            body = {
                "state": run.state,
                "outcome": run.outcome,
                "worker": self.worker,
                "seconds": round(seconds, 6),
                "spend": spend.model_dump(mode="json"),
            }
            return self._batch([self._draft("segment.ended", body)], spend=spend)

        self.lease.stop_renewing()
        rested = await self.record.rest(self.run.id, self.lease.worker, last, self.clock.now())
        self.lease.given_up = True
        return rested

    async def _complete(self, response: Any) -> None:  # noqa: ANN401
        """Ends the run of a graph that does not end itself; only what a gate of it accepted is a response."""
        reason = "the graph has ended"
        if response is not None and self.context.guards.gate:
            accepted = [
                line.body.get("response")
                for line in await self.record.lines(self.run.id)
                if line.event.kind == "response.accepted" and isinstance(line.body, dict)
                if "/" not in line.event.task  # a supervisor inside a task speaks to that task alone
            ]
            if response not in accepted:
                reason += "; what stands as its response was accepted by no gate and was left out"
                response = None
        await self._move("completed", reason, outcome="resolved", response=response)

    async def _wait(self, where: dict[str, tuple[str, ...]]) -> None:
        open_ones = [q for q in await self.inbox.list("open", self.run.id)]
        for question in open_ones:
            if question.interrupt in where:
                await self.inbox.place(question.id, where[question.interrupt])
        stuck = [q for q in open_ones if q.kind == "settle"]
        state: RunState = "blocked" if stuck else "waiting_for_approval"
        reason = "; ".join(q.title for q in (stuck or open_ones)) or "a question was answered too late"
        if self.context.state != state:
            await self._move(state, reason)

    async def _fail(self, error: Exception) -> None:
        if isinstance(error, InterlockError):
            reason = error.message
        else:
            _log.error("run %s broke", self.run.id, exc_info=error)
            reason = f"the graph broke: {type(error).__name__}"
        await self._move("failed", reason)

    async def _move(self, to: RunState, reason: str, **more: Any) -> None:  # noqa: ANN401
        await self.ledger.commit(self._batch([], move=Move(to=to, reason=reason, **more)))
        self.context.state = to

    def _batch(self, drafts: list[Draft], *, move: Move | None = None, spend: Spend | None = None) -> Batch:
        fence = self.fence if self.context.guards.fencing else None
        return Batch(run=self.run.id, fence=fence, drafts=drafts, move=move, spend=spend)

    def _draft(self, kind: str, body: dict[str, Any]) -> Draft:
        return Draft(
            id=event_id(self.run.id, kind, "", 0, f"{self.fence}"),
            kind=kind,
            actor=f"worker:{self.worker}",
            at=self.clock.now(),
            body=body,
        )


_NOTHING = object()
