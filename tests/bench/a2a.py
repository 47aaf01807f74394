"""A2A round trips: a task through our server, and through the SDK's own with nothing or a graph behind it."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from a2a.client import Client, ClientConfig, ClientFactory
from a2a.helpers.proto_helpers import new_task_from_user_message, new_text_message, new_text_part
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.events import EventQueue
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types import a2a_pb2 as pb
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph
from pydantic import BaseModel
from starlette.applications import Starlette
from typing_extensions import TypedDict

from interlock import Agent, Doors, bind
from interlock.bootstrap import Bound, local_user
from interlock.server.identity import Anybody
from interlock.server.serving import Wish, serving
from interlock.settings import load
from tests.bench.measure import Times, Work, cpu, ratio
from tests.bench.works import done

OURS, RUN, BARE, GRAPH = "interlock", "run", "sdk", "sdk, graph"


class Note(BaseModel):
    """What is asked and answered."""

    text: str


@dataclass(frozen=True, slots=True)
class RoundTrips:
    """CPU seconds per blocking call over JSON-RPC, client and server."""

    times: dict[str, Times]

    @property
    def over_bare(self) -> float:
        """Ours over the SDK's server whose executor does nothing and stores nothing."""
        return ratio(self.times, OURS, BARE)

    @property
    def over_graph(self) -> float:
        """Ours over the SDK's server with a graph of one node and SQLite checkpoints; tasks in memory."""
        return ratio(self.times, OURS, GRAPH)

    @property
    def over_run(self) -> float:
        """Ours over the same run in this process, without any server."""
        return ratio(self.times, OURS, RUN)


async def round_trips(folder: Path, *, rounds: int, runs: int) -> RoundTrips:
    """Takes turns between three servers in this process, with one client each."""
    async with AsyncExitStack() as stack:
        app = await stack.enter_async_context(_app(folder, "run"))

        async def run() -> None:
            done(await app.run(Note(text="hello")))

        works: dict[str, Work] = {RUN: run}
        for name, server in ((OURS, _ours(folder)), (BARE, _sdk(_Echo())), (GRAPH, _graph(folder))):
            works[name] = partial(_call, await stack.enter_async_context(_client(server)))
        return RoundTrips(await cpu(works, rounds=rounds, runs=runs))


async def _call(client: Client) -> None:
    request = pb.SendMessageRequest(message=new_text_message("hello", role=pb.ROLE_USER))
    [event] = [event async for event in client.send_message(request)]
    if event.task.status.state != pb.TASK_STATE_COMPLETED:
        raise RuntimeError(f"a call ended as {pb.TaskState.Name(event.task.status.state)}")


@asynccontextmanager
async def _client(server: Any) -> AsyncGenerator[Client]:
    async with server as url, httpx.AsyncClient(timeout=30) as http:
        yield await ClientFactory(ClientConfig(httpx_client=http, streaming=False)).create_from_url(url)


def _app(folder: Path, name: str) -> Bound:
    async def echo(note: Note, doors: Doors) -> Note:
        return note

    settings = load(database_url=f"sqlite:///{folder / name}.db", key_folder=folder / "keys", user="bench")
    return bind(Agent("echo", "Repeats what it is told.", run=echo), settings=settings)


@asynccontextmanager
async def _ours(folder: Path) -> AsyncGenerator[str]:
    settings = load(user="bench")
    wish = Wish(Anybody(local_user(settings)), local=True)
    async with serving([_app(folder, "a2a")], settings, wish) as served:
        yield served.url


class _Echo(AgentExecutor):
    """The least there is: a task, an artifact, the end."""

    def __init__(self, work: Callable[[str, str], Awaitable[str]] | None = None) -> None:
        self._work = work

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        if context.message is None:
            raise RuntimeError("a message is needed")
        await event_queue.enqueue_event(new_task_from_user_message(context.message))
        updater = TaskUpdater(event_queue, context.task_id or "", context.context_id or "")
        await updater.start_work()
        text = context.get_user_input()
        if self._work is not None:
            text = await self._work(context.task_id or "", text)
        await updater.add_artifact([new_text_part(text)], artifact_id="answer", last_chunk=True)
        await updater.complete()

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        raise NotImplementedError


class _State(TypedDict, total=False):
    text: str


@asynccontextmanager
async def _graph(folder: Path) -> AsyncGenerator[str]:
    """A graph of one node, with SQLite checkpoints written before it goes on."""

    async def echo(state: _State) -> _State:
        return {"text": state.get("text", "")}

    graph = StateGraph(_State)
    graph.add_node("echo", echo)
    graph.add_edge(START, "echo")
    graph.add_edge("echo", END)
    async with AsyncSqliteSaver.from_conn_string(str(folder / "graph.db")) as saver:
        compiled: Any = graph.compile(checkpointer=saver)

        async def work(task: str, text: str) -> str:
            config = {"configurable": {"thread_id": task}}
            state = await compiled.ainvoke({"text": text}, config, durability="sync")
            return state["text"]

        async with _sdk(_Echo(work)) as url:
            yield url


@asynccontextmanager
async def _sdk(executor: AgentExecutor) -> AsyncGenerator[str]:
    interface = pb.AgentInterface(url="http://127.0.0.1/", protocol_binding="JSONRPC", protocol_version="1.0")
    card = pb.AgentCard(
        name="echo",
        description="Repeats what it is told.",
        version="1",
        supported_interfaces=[interface],
        capabilities=pb.AgentCapabilities(streaming=True),
        default_input_modes=["text/plain"],
        default_output_modes=["text/plain"],
        skills=[pb.AgentSkill(id="echo", name="echo", description="Repeats.", tags=["echo"])],
    )
    handler = DefaultRequestHandler(executor, InMemoryTaskStore(), card)
    routes = [*create_agent_card_routes(card), *create_jsonrpc_routes(handler, "/")]
    config = uvicorn.Config(
        Starlette(routes=routes), port=0, log_config=None, lifespan="off", access_log=False
    )
    async with _Server(config) as server:
        port = server.servers[0].sockets[0].getsockname()[1]
        card.supported_interfaces[0].url = f"http://127.0.0.1:{port}/"
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            await handler.aclose()


class _Server(uvicorn.Server):
    """A server that is up while its block lasts."""

    async def __aenter__(self) -> "_Server":
        config = self.config
        config.load()
        self.lifespan = config.lifespan_class(config)
        await self.startup()
        return self

    async def __aexit__(self, *error: object) -> None:
        self.should_exit = True
        await self.shutdown()
