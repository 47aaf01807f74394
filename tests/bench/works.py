"""What is run in a round: the plan under Interlock and under LangGraph alone, on disk and in memory."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from mcp import Client

from interlock import bind
from interlock.bootstrap import Bound
from interlock.core.limits import Budget, Deadline
from interlock.core.ports import SystemClock
from interlock.core.principal import Principal
from interlock.core.runs import Run
from interlock.mcp.gateway import Gateway
from interlock.orchestration.context import RunContext
from interlock.orchestration.local import LocalArtifacts
from interlock.settings import load
from tests.bench import desk
from tests.bench.measure import Work
from tests.bench.memory import MemoryLedger


class Works:
    """Opens what the measured works need, each in a file of its own, until its stack is closed."""

    def __init__(self, folder: Path, stack: AsyncExitStack) -> None:
        """Puts its files into the folder."""
        self._folder = folder
        self._stack = stack

    async def app(self, name: str, work: desk.Work, *, slow: bool = False) -> Bound:
        """The plan bound to a new database."""
        settings = load(
            database_url=f"sqlite:///{self._folder / name}.db", key_folder=self._folder / "keys", user="bench"
        )
        graph = desk.supervised(work, slow=slow)
        return await self._stack.enter_async_context(bind(graph, settings=settings, models=desk.SlowModels()))

    async def interlock(self, name: str, work: desk.Work, *, slow: bool = False) -> Work:
        """A whole run: stored, claimed, planned, executed, judged, delivered, signed."""
        app = await self.app(name, work, slow=slow)

        async def once() -> Run:
            return done(await app.run(desk.REQUEST))

        return once

    async def interlock_in_memory(self, work: desk.Work) -> Work:
        """The same supervisor with journal, events, their chain and the gate, all kept in Python objects."""
        graph = desk.supervised(work)
        supervisor, clock = graph.supervisor, SystemClock()
        app: Any = graph.compile(checkpointer=InMemorySaver())
        gateway = Gateway(supervisor.policy, clock)
        self._stack.push_async_callback(gateway.close)

        async def once() -> None:
            run, ledger = uuid4().hex, MemoryLedger()
            context = RunContext(
                run=run,
                principal=Principal.local("bench"),
                ledger=ledger,
                artifacts=LocalArtifacts(),
                tools=gateway,
                budget=Budget(supervisor.limits, "the run"),
                deadline=Deadline.after(600, clock.monotonic),
                fence=1,
                version=supervisor.version,
            )
            config = {"configurable": {"thread_id": run}, "recursion_limit": supervisor.max_steps}
            request = {"request": desk.REQUEST.model_dump()}
            await app.ainvoke(request, config, context=context, durability="sync")
            if ledger.state != "completed" or len(ledger.events) < desk.HOPS * 2:
                raise RuntimeError(f"the run in memory ended as {ledger.state}")

        return once

    async def langgraph(self, name: str, client: Client | None = None) -> Work:
        """LangGraph's own saver on a file, as it sets it up, but syncing to disk as seldom as ours does."""
        saver = await self._stack.enter_async_context(
            AsyncSqliteSaver.from_conn_string(str(self._folder / f"{name}.db"))
        )
        await saver.conn.execute("PRAGMA synchronous = NORMAL")
        return _bare(desk.bare(client).compile(checkpointer=saver))

    def langgraph_in_memory(self, client: Client | None = None) -> Work:
        """LangGraph's saver in memory."""
        return _bare(desk.bare(client).compile(checkpointer=InMemorySaver()))

    async def client(self) -> Client:
        """A long-lived connection to the tool server, for bare LangGraph."""
        return await self._stack.enter_async_context(Client(desk.shelf.mcp_server()))


def done(run: Run) -> Run:
    """The run, if it ended as it should."""
    if run.outcome != "resolved":
        raise RuntimeError(f"run {run.id} ended as {run.state}, {run.outcome}: {run.reason}")
    return run


def _bare(app: Any) -> Work:
    async def once() -> None:
        config = {"configurable": {"thread_id": uuid4().hex}}
        out = await app.ainvoke({"text": desk.REQUEST.text}, config, durability="sync")
        if set(out["results"]) != {"a", "b", "c", "d"}:
            raise RuntimeError(f"bare LangGraph came to {out}")

    return once
