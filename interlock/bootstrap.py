"""Puts the parts together: the one place that picks database, gateway, engine and keys."""

import asyncio
import getpass
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, cast

from interlock.core.canonical import Json, plain
from interlock.core.guards import ON, Guards
from interlock.core.limits import Budget, Deadline
from interlock.core.policy import Policy
from interlock.core.ports import Clock, Models, SystemClock
from interlock.core.principal import Principal
from interlock.core.questions import Answer, Question
from interlock.core.runs import Run
from interlock.core.stores import Inbox, Record, Runs
from interlock.core.tools import Tool
from interlock.errors import BadInput, BuildError, NotFound
from interlock.mcp.gateway import Gateway
from interlock.mcp.servers import ToolServer
from interlock.orchestration.context import RunContext
from interlock.orchestration.supervisor import Supervisor, SupervisorGraph
from interlock.persistence.artifacts import SqlArtifacts
from interlock.persistence.checkpoints import Checkpoints
from interlock.persistence.database import Database
from interlock.persistence.inbox import SqlInbox
from interlock.persistence.ledger import SqlLedger
from interlock.persistence.record import SqlRecord
from interlock.persistence.runs import SqlRuns
from interlock.persistence.signing import Signer
from interlock.persistence.sqlite import path_of
from interlock.runs.engine import InlineEngine
from interlock.runs.program import STEPS, Program
from interlock.runs.rollback import roll_back
from interlock.settings import Settings, load


@dataclass(slots=True)
class Stores:
    """What one database holds, behind the ports."""

    database: Database
    runs: Runs
    inbox: Inbox
    record: Record
    ledger: SqlLedger
    artifacts: SqlArtifacts
    signer: Signer
    clock: Clock

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings, clock: Clock | None = None) -> AsyncGenerator[Self]:
        """Opens the database of the settings and closes it at the end.

        Raises:
            BadInput, FormatRefused: if it cannot be used.
        """
        clock = clock or SystemClock()
        database = await Database.open(settings.database_url)
        try:
            signer = Signer(settings.key_folder)
            yield cls(
                database,
                SqlRuns(database, clock),
                SqlInbox(database, clock),
                SqlRecord(database, signer),
                SqlLedger(database, clock),
                SqlArtifacts(database),
                signer,
                clock,
            )
        finally:
            await database.close()


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
        self._models = models
        self._clock = clock or SystemClock()
        self._guards = guards
        supervisor = graph.supervisor if isinstance(graph, SupervisorGraph) else None
        self.policy: Policy = policy or (supervisor.policy if supervisor else Policy())
        self.program: Program = (
            _supervised(supervisor, cast("SupervisorGraph", graph))
            if supervisor
            else _hand_written(graph, name)
        )
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
        self.gateway: Gateway = Gateway(self.policy, self._clock, self._servers)
        self._stack.push_async_callback(self.gateway.close)
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
        if roll_back_effects:
            await roll_back(self.engine, stored, self.gateway.compensate, self.stores.ledger)
        return await self.stores.runs.get(run)

    @property
    def user(self) -> Principal:
        """Who acts where nobody is named: the setting, or the operating system's user."""
        return local_user(self._settings)

    def context(self, run: Run, fence: int) -> RunContext:
        """The run context of one segment."""
        limits = self.program.limits
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
            fence=fence,
            guards=self._guards,
            version=run.version,
            state=run.state,
        )


def bind(
    graph: object,
    *,
    database: str | None = None,
    user: str | None = None,
    policy: Policy | None = None,
    name: str = "graph",
    models: Models | None = None,
    servers: Sequence[ToolServer] = (),
    clock: Clock | None = None,
    guards: Guards = ON,
    settings: Settings | None = None,
) -> Bound:
    """Binds a graph to a database, tools and a user; use the result with `async with`.

    Args:
        graph: What `Supervisor.build()` returned, or a hand-written StateGraph of `agent.node()`s.
        database: `sqlite:///path`; by default the setting, else `.interlock/interlock.db`.
        user: On whose behalf it acts; by default the setting, else the operating system's user.
        policy: For hand-written graphs; a supervisor brings its own.
        name: For hand-written graphs.
        models: What stands behind `doors.think`.
        servers: Tool servers whose tools are called by name.
        clock: Time, for tests.
        guards: For tests that show the harm a guard prevents.
        settings: Everything else; by default from pyproject.toml and the environment.
    """
    given: dict[str, Any] = {"database_url": database} if database else {}
    given |= {"user": user} if user else {}
    settings = settings or load(**given)
    return Bound(
        graph,
        settings=settings,
        policy=policy,
        name=name,
        models=models,
        servers=servers,
        clock=clock,
        guards=guards,
    )


def local_user(settings: Settings) -> Principal:
    """The person at the keyboard, who holds every role: the setting, or the operating system's user.

    Raises:
        BadInput: if the operating system has no name for them.
    """
    try:
        return Principal.local(settings.user or getpass.getuser())
    except (KeyError, OSError) as error:
        raise BadInput("the operating system does not say who you are: set INTERLOCK_USER.") from error


def name_of(graph: object, name: str) -> str:
    """The name that runs of a graph carry: the supervisor's own, or the given one for hand-written graphs."""
    return graph.supervisor.name if isinstance(graph, SupervisorGraph) else name


def servers_of(settings: Settings) -> tuple[ToolServer, ...]:
    """The tool servers that the settings name.

    Raises:
        NotFound, BuildError: if one is neither a command nor a URL, or has no usable name.
    """
    return tuple(_configured(name, each.command, each.env, each.url) for name, each in settings.tools.items())


def database_file(settings: Settings) -> Path | None:
    """The file of the database, which need not exist; None for a database that is no file."""
    return path_of(settings.database_url)


def _supervised(supervisor: Supervisor[Any, Any], graph: SupervisorGraph) -> Program:
    def subject(request: Any) -> str | None:  # noqa: ANN401
        return supervisor.subject(supervisor.planner.read(request)) if supervisor.subject else None

    tools: dict[str, Tool[..., Any]] = {}
    for agent in supervisor.agents.values():
        tools.update({tool.name: tool for tool in agent.tools if isinstance(tool, Tool)})
    return Program(
        name=supervisor.name,
        version=supervisor.version,
        graph=graph,
        read=supervisor.planner.read,
        to_input=lambda request: {"request": request},
        subject=subject,
        limits=supervisor.limits,
        max_steps=supervisor.max_steps,
        tools=tuple(tools.values()),
    )


def _hand_written(graph: object, name: str) -> Program:
    if not hasattr(graph, "compile"):
        raise BuildError(
            f"{graph!r} cannot be bound: give an uncompiled StateGraph, or what `build()` returned."
        )
    return Program(
        name=name,
        version="hand-written",
        graph=cast("Any", graph),
        read=lambda request: request,
        to_input=lambda request: request,
        response_of=lambda state: plain(state.get("response")),
        moves_itself=False,
        max_steps=STEPS,
    )


def _configured(name: str, command: Sequence[str], env: dict[str, str], url: str) -> ToolServer:
    if bool(command) == bool(url):
        raise NotFound(f"tool server {name!r} in the settings needs either `command` or `url`.")
    return ToolServer.http(name, url) if url else ToolServer.stdio(name, command, env)
