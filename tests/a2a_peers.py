"""Remote agents for tests: real servers of the A2A SDK on loopback, with scripted bodies and a book.

What a peer was asked is read from its own book, never from what the caller says.
"""

import asyncio
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from a2a.helpers import new_task_from_user_message
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.events import EventQueue
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes, create_rest_routes
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types import AgentCapabilities, AgentCard, AgentExtension, AgentInterface, AgentSkill, Part
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Value
from starlette.applications import Starlette

from interlock.a2a.envelope import EXTENSION

Script = Callable[["Told", TaskUpdater], Awaitable[None]]


@dataclass
class Told:
    """One message as a peer got it."""

    id: str
    text: str
    data: Any
    metadata: dict[str, Any]
    headers: dict[str, str]
    task: str
    context: str
    waited: bool
    """It goes on with a task that had asked."""


@dataclass
class Book:
    """What a peer was really asked to do."""

    told: list[Told] = field(default_factory=list[Told])
    canceled: list[str] = field(default_factory=list[str])


class Scripted(AgentExecutor):
    """An agent that does what a script says."""

    def __init__(self, script: Script) -> None:
        """Starts with an empty book."""
        self.script = script
        self.book = Book()

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        """Notes the message, and plays."""
        message, current = context.message, context.current_task
        assert message is not None
        data = [json_format.MessageToDict(p.data) for p in message.parts if p.WhichOneof("content") == "data"]
        headers: dict[str, str] = context.call_context.state.get("headers", {})
        told = Told(
            id=message.message_id,
            text=context.get_user_input(),
            data=data[0] if data else None,
            metadata=dict(context.metadata),
            headers=dict(headers),
            task=context.task_id or "",
            context=context.context_id or "",
            waited=current is not None,
        )
        self.book.told.append(told)
        if current is None:
            await event_queue.enqueue_event(new_task_from_user_message(message))
        updater = TaskUpdater(
            event_queue, told.task, current.context_id if current is not None else told.context
        )
        await self.script(told, updater)

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        """Notes that it was told to stop, and stops."""
        self.book.canceled.append(context.task_id or "")
        await TaskUpdater(event_queue, context.task_id or "", context.context_id or "").cancel()


def text(words: str) -> Part:
    """A text part."""
    return Part(text=words)


def data(value: Any) -> Part:
    """A data part."""
    return Part(data=json_format.ParseDict(value, Value()))


def card(
    url: str, *, version: str = "1.0", streaming: bool = True, keyed: bool = False, binding: str = "JSONRPC"
) -> AgentCard:
    """The card of a peer."""
    extensions = [AgentExtension(uri=EXTENSION)] if keyed else []
    return AgentCard(
        name="peer",
        version="9.1",
        description="A peer.",
        supported_interfaces=[AgentInterface(url=url, protocol_binding=binding, protocol_version=version)],
        capabilities=AgentCapabilities(streaming=streaming, extensions=extensions),
        default_input_modes=["text/plain"],
        default_output_modes=["text/plain"],
        skills=[AgentSkill(id="score", name="score", description="Scores.", tags=["score"])],
    )


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def listening(app: Any, port: int) -> AsyncGenerator[str]:
    """An app on loopback; yields its URL."""
    config = uvicorn.Config(
        app, host="127.0.0.1", port=port, log_level="critical", lifespan="off", ws="none", access_log=False
    )
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    serving = asyncio.create_task(server.serve())
    while not server.started:
        if serving.done():
            await serving
        await asyncio.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        server.force_exit = True
        await serving


@asynccontextmanager
async def served(
    executor: AgentExecutor, *, wrap: Callable[[Any], Any] | None = None, **of_card: Any
) -> AsyncGenerator[str]:
    """A peer on loopback, spoken to over JSON-RPC (1.0 and 0.3) and REST; yields its URL."""
    port = free_port()
    its_card = card(f"http://127.0.0.1:{port}/", **of_card)
    handler = DefaultRequestHandler(
        agent_executor=executor, task_store=InMemoryTaskStore(), agent_card=its_card
    )
    app: Any = Starlette(
        routes=[
            *create_agent_card_routes(its_card),
            *create_jsonrpc_routes(handler, "/", enable_v0_3_compat=True),
            *create_rest_routes(handler, enable_v0_3_compat=True),
        ]
    )
    try:
        async with listening(wrap(app) if wrap else app, port) as url:
            yield url
    finally:
        await handler.aclose()
