"""A server of ours in this process, on a free port, with the real SDK client against it."""

import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from a2a.client import Client, ClientConfig, ClientFactory
from a2a.helpers.proto_helpers import new_data_message, new_text_message
from a2a.types import a2a_pb2 as pb
from pydantic import BaseModel

from interlock import Agent, Doors, bind
from interlock.bootstrap import local_user
from interlock.core.agents import AnyAgent
from interlock.core.hosting import Identify
from interlock.server.host import Host
from interlock.server.identity import Anybody, Tokens
from interlock.server.serving import Served, Wish, serving
from interlock.settings import ServeSettings, TokenSettings
from tests.desk import settings

PEOPLE: dict[str, tuple[str, ...]] = {"ann": (), "bob": (), "lea": ("shift-lead",)}
"""Who may call, with what roles; each one's token is `NAME-token`."""


@dataclass
class Running:
    """A server that takes requests."""

    served: Served
    http: httpx.AsyncClient

    @property
    def url(self) -> str:
        """Its address."""
        return self.served.url

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.served.port

    @property
    def host(self) -> Host:
        """The graph at its root."""
        return self.served.hosts[self.served.names[0]]

    async def client(self, who: str = "ann", *, path: str = "", **config: Any) -> Client:
        """The SDK's client, as one person."""
        http = httpx.AsyncClient(timeout=30, headers={"Authorization": f"Bearer {who}-token"})
        self._more.append(http)
        return await ClientFactory(ClientConfig(httpx_client=http, **config)).create_from_url(self.url + path)

    def __post_init__(self) -> None:
        """Nothing is open yet."""
        self._more: list[httpx.AsyncClient] = []

    async def close(self) -> None:
        """Closes what clients opened."""
        for http in self._more:
            await http.aclose()


def tokens() -> Identify:
    """The identity door's list of `PEOPLE`."""
    return Tokens(
        TokenSettings(sha256=hashlib.sha256(f"{name}-token".encode()).hexdigest(), user=name, roles=roles)
        for name, roles in PEOPLE.items()
    )


@asynccontextmanager
async def running(
    folder: Path, *graphs: object, serve: ServeSettings | None = None, **more: Any
) -> AsyncGenerator[Running]:
    """Serves graphs over the database of a folder."""
    given = settings(folder, serve=serve or ServeSettings())
    identify = Anybody(local_user(given)) if more.pop("anybody", False) else tokens()
    wish = Wish(identify, grpc_port=more.pop("grpc_port", None), local=more.pop("local", False))
    apps = [bind(graph, settings=given, **more) for graph in graphs]
    async with serving(apps, given, wish) as served, httpx.AsyncClient(timeout=30) as http:
        made = Running(served, http)
        try:
            yield made
        finally:
            await made.close()


def say(text: str, **more: Any) -> pb.SendMessageRequest:
    """A message of text."""
    configuration = pb.SendMessageConfiguration(**more.pop("configuration", {}))
    message = new_text_message(text, role=pb.ROLE_USER, **more)
    return pb.SendMessageRequest(message=message, configuration=configuration)


def give(data: object, **more: Any) -> pb.SendMessageRequest:
    """A message of data."""
    return pb.SendMessageRequest(message=new_data_message(data, role=pb.ROLE_USER, **more))


class Note(BaseModel):
    """A request, and a response, of one text."""

    text: str


def worker(body: Callable[[Note, Doors], Awaitable[Note]], **more: Any) -> AnyAgent:
    """An agent that does what a test says."""

    async def work(note: Note, doors: Doors) -> Note:
        return await body(note, doors)

    return Agent("worker", "Does what it is told.", run=work, **more)


async def get_by_grpc(channel: Any, metadata: Sequence[tuple[str, str]]) -> pb.Task:
    """Gets a task that there is not, over a bare gRPC channel."""
    call: Any = channel.unary_unary(
        "/lf.a2a.v1.A2AService/GetTask",
        request_serializer=pb.GetTaskRequest.SerializeToString,
        response_deserializer=pb.Task.FromString,
    )
    return await call(pb.GetTaskRequest(id="r-000000000000"), metadata=metadata)


async def sent(client: Client, request: pb.SendMessageRequest) -> pb.Task:
    """The last task of what came back."""
    events = [event async for event in client.send_message(request)]
    tasks = [event.task for event in events if event.HasField("task")]
    return tasks[-1]


def text_of(task: pb.Task) -> str:
    """The text of a task's answer."""
    return "".join(part.text for artifact in task.artifacts for part in artifact.parts)


def state_of(task: pb.Task) -> str:
    """The state's name, short."""
    return pb.TaskState.Name(task.status.state).removeprefix("TASK_STATE_").lower()
