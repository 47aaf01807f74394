"""A bound graph: the one place that picks database, gateway, engine and keys."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Self, cast

from interlock.bootstrap.models import ChosenModels
from interlock.bootstrap.offers import offer_of
from interlock.bootstrap.peers import remotes_of
from interlock.bootstrap.programs import as_graph, hand_written, supervised
from interlock.bootstrap.servers import local_user, servers_of
from interlock.bootstrap.stores import Stores
from interlock.core.canonical import Json, plain
from interlock.core.guards import Guards
from interlock.core.hosting import Offer
from interlock.core.limits import Budget, Deadline
from interlock.core.policy import Policy
from interlock.core.ports import Clock, Minds, Models, Remotes, SystemClock
from interlock.core.principal import Principal
from interlock.core.questions import Answer, Question
from interlock.core.runs import Run
from interlock.inference.minds import PromptMinds
from interlock.mcp.gateway import Gateway
from interlock.mcp.servers import ToolServer
from interlock.observability.langfuse import prompts
from interlock.observability.tracing import Tracer, tracer
from interlock.orchestration.alone import LoneAgent
from interlock.orchestration.context import RunContext
from interlock.orchestration.supervisor import SupervisorGraph
from interlock.persistence.checkpoints import Checkpoints
from interlock.runs.engine import InlineEngine
from interlock.runs.program import Program
from interlock.runs.rollback import roll_back
from interlock.settings import Settings


class Bound:
    """A graph bound to a database: an async context within which it runs, asks and remembers."""

    def __init__(
        self,
        graph: object,
        *,
        settings: Settings,
        policy: Policy | None,
        name: str,
        models: Models | None,
        servers: Sequence[ToolServer],
        clock: Clock | None,
        guards: Guards,
    ) -> None:
        """Use `interlock.bind`."""
        self._settings = settings
        self._remotes: Remotes | None = None
        self._clock = clock or SystemClock()
        self.chosen: ChosenModels = ChosenModels(settings, self._clock)
        self._models = models or self.chosen
        self._prompts = prompts(settings)
        windows = None if models else self.chosen.window
        self._minds: Minds | None = PromptMinds(prompts=self._prompts, windows=windows)
        self._guards = guards
        graph, policy = as_graph(graph, policy)
        supervisor = graph.supervisor if isinstance(graph, SupervisorGraph) else None
        self.policy: Policy = policy or (supervisor.policy if supervisor else Policy())
        self.program: Program = (
            supervised(supervisor, cast("SupervisorGraph", graph), name)
            if supervisor
            else hand_written(graph, name)
        )
        self.offer: Offer = offer_of(self.program, supervisor)
        # Whoever serves one agent performs it: sent on to where it is placed, the task would come back.
        self._alone = supervisor.only if isinstance(supervisor, LoneAgent) else None
        self._servers = (*servers, *servers_of(settings))
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Opens the database; connections to tools are made when first needed.

        Raises:
            BadInput, FormatRefused: if the database or the signing key cannot be used.
        """
        try:
            await self._open()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def _open(self) -> None:
        self.stores: Stores = await self._stack.enter_async_context(Stores.open(self._settings, self._clock))
        # A key that cannot be used is told before anything happens, not when the first segment is signed.
        await asyncio.to_thread(getattr, self.stores.signer, "key_id")
        checkpoints = await self._stack.enter_async_context(
            Checkpoints.open(self.stores.database, fencing=self._guards.fencing)
        )
        self._stack.push_async_callback(self.chosen.close)
        if self._prompts is not None:
            self._stack.push_async_callback(self._prompts.close)
        self.gateway: Gateway = Gateway(self.policy, self._clock, self._servers)
        self._stack.push_async_callback(self.gateway.close)
        self._remotes = remotes_of(self._settings, self.stores, self._clock, here=self._alone)
        self._stack.push_async_callback(self._remotes.close)
        self.traces: Tracer | None = tracer(self._settings, self.stores.runs, self.stores.record)
        if self.traces is not None:
            self._stack.push_async_callback(self.traces.close)
        self.engine: InlineEngine = InlineEngine(
            self.program,
            runs=self.stores.runs,
            inbox=self.stores.inbox,
            ledger=self.stores.ledger,
            record=self.stores.record,
            checkpoints=checkpoints,
            context=self.context,
            clock=self._clock,
            guards=self._guards,
            lease_s=self._settings.lease_s,
            traces=self.traces,
        )

    async def __aexit__(self, *error: object) -> None:
        """Closes connections and the database."""
        await self._stack.aclose()

    async def run(self, request: object, *, user: Principal | None = None, key: str | None = None) -> Run:
        """Starts a run and executes it until it ends or waits for a person.

        Raises:
            SchemaViolation: if it is not a request of this graph; nothing was stored.
        """
        started = await self.engine.start(request, user or self.user, key=key)
        return await self.engine.advance(started.id)

    async def resume(self, run: str) -> Run:
        """Executes a run that has an answer, or whose worker has died."""
        return await self.engine.advance(run)

    async def questions(self, run: str | None = None) -> list[Question]:
        """The open questions, oldest first."""
        return await self.stores.inbox.list("open", run)

    async def answer(
        self,
        question: str,
        *,
        yes: bool | None = None,
        value: object = None,
        comment: str = "",
        by: Principal | None = None,
    ) -> Question:
        """Answers a question; `resume` its run afterwards.

        Raises:
            NotFound, AnswerRefused: the question is as it was.
        """
        given: Json = plain(value)
        answer = Answer(question=question, by=by or self.user, yes=yes, value=given, comment=comment)
        return await self.stores.inbox.answer(answer)

    async def cancel(self, run: str, *, by: Principal | None = None, roll_back_effects: bool = False) -> Run:
        """Ends a run; with `roll_back_effects`, takes back what can be taken back, in reverse order."""
        who = by or self.user
        stored = await self.stores.runs.get(run)
        if stored.state not in ("canceled", "failed") or not roll_back_effects:
            stored = await self.engine.cancel(run, who)
            await self._stop_remotes(run)
        if roll_back_effects:
            await roll_back(self.engine, stored, self.gateway.compensate, self.stores.ledger)
        return await self.stores.runs.get(run)

    async def _stop_remotes(self, run: str) -> None:
        """Tells remote agents that what they do for a run is not needed any more."""
        if self._remotes is not None:
            await self._remotes.cancel(run)
            await self.stores.record.sign(run, self._clock.now())

    @property
    def user(self) -> Principal:
        """Who acts where nobody is named: the setting, or the operating system's user."""
        return local_user(self._settings)

    def context(self, run: Run, fence: int) -> RunContext:
        """The run context of one segment."""
        limits = self.program.limits.within(run.limits)
        left = max(0.0, (limits.seconds or 600.0) - run.spend.seconds)
        return RunContext(
            run=run.id,
            principal=run.owner,
            ledger=self.stores.ledger,
            artifacts=self.stores.artifacts,
            tools=self.gateway,
            budget=Budget(limits, f"run {run.id}", spent=run.spend, enforced=self._guards.limits),
            deadline=Deadline.after(left, self._clock.monotonic),
            clock=self._clock,
            models=self._models,
            minds=self._minds,
            remotes=self._remotes,
            fence=fence,
            guards=self._guards,
            strict=self._settings.strict,
            version=run.version,
            state=run.state,
            trace=run.trace,
        )
