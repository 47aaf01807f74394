"""One task over every transport and both protocol versions: the same answer, questions and refusals."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from a2a.client import Client, ClientConfig, ClientFactory
from a2a.client.card_resolver import A2ACardResolver
from a2a.client.errors import A2AClientError
from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import MethodNotFoundError, TaskNotFoundError, UnsupportedOperationError

from interlock import Doors
from interlock.settings import ServeSettings
from tests import served
from tests.served import Note

pytestmark = pytest.mark.long

BINDINGS = [
    ("JSONRPC", "1.0"),
    ("HTTP+JSON", "1.0"),
    ("GRPC", "1.0"),
    ("JSONRPC", "0.3"),
    ("HTTP+JSON", "0.3"),
]

# Of 0.3 over REST the SDK's client tells only the status.
REFUSED = (UnsupportedOperationError, A2AClientError)
MISSING = (TaskNotFoundError, MethodNotFoundError)


async def _ask(note: Note, doors: Doors) -> Note:
    return Note(text=str(await doors.ask("Which colour?")))


@asynccontextmanager
async def reached(
    folder: Path, binding: str, version: str, *, streaming: bool, who: str = "ann"
) -> AsyncGenerator[Client]:
    """A server with one agent, and a client that speaks to it in one way."""
    serve = ServeSettings(grpc_on_card=True)
    async with served.running(folder, served.worker(_ask), serve=serve, grpc_port=0) as server:
        card = await A2ACardResolver(server.http, server.url).get_agent_card()
        kept = [each for each in card.supported_interfaces if _is(each, binding, version)]
        del card.supported_interfaces[:]
        card.supported_interfaces.extend(kept)
        channels: list[grpc.aio.Channel] = []

        def channel(url: str) -> grpc.aio.Channel:
            channels.append(grpc.aio.insecure_channel(url, interceptors=_interceptors(who)))
            return channels[-1]

        config = ClientConfig(
            httpx_client=server.http,
            streaming=streaming,
            supported_protocol_bindings=[binding],
            grpc_channel_factory=channel,
        )
        server.http.headers["Authorization"] = f"Bearer {who}-token"
        yield ClientFactory(config).create(card)
        for each in channels:
            await each.close()


def _is(interface: pb.AgentInterface, binding: str, version: str) -> bool:
    return (interface.protocol_binding, interface.protocol_version) == (binding, version)


def _interceptors(who: str) -> list[Any]:
    """Adds a token to every call of a channel."""

    def with_token(details: Any) -> Any:
        metadata = [*(details.metadata or ()), ("authorization", f"Bearer {who}-token")]
        return details._replace(metadata=grpc.aio.Metadata(*metadata))

    class Unary(grpc.aio.UnaryUnaryClientInterceptor):
        async def intercept_unary_unary(
            self, continuation: Any, client_call_details: Any, request: Any
        ) -> Any:
            return await continuation(with_token(client_call_details), request)

    class Stream(grpc.aio.UnaryStreamClientInterceptor):
        async def intercept_unary_stream(
            self, continuation: Any, client_call_details: Any, request: Any
        ) -> Any:
            return await continuation(with_token(client_call_details), request)

    return [Unary(), Stream()]


@pytest.mark.parametrize(("binding", "version"), BINDINGS)
async def test_a_question_and_its_answer(tmp_path: Path, binding: str, version: str) -> None:
    """Blocking: asked, answered, got again, and refused once it has ended."""
    async with reached(tmp_path, binding, version, streaming=False) as client:
        asked = await served.sent(client, served.say("blue or red"))
        ended = await served.sent(client, served.say("blue", task_id=asked.id, context_id=asked.context_id))
        got = await client.get_task(pb.GetTaskRequest(id=asked.id))
        with pytest.raises(REFUSED):
            await served.sent(client, served.say("red", task_id=asked.id, context_id=asked.context_id))
        with pytest.raises(MISSING):
            await client.get_task(pb.GetTaskRequest(id="r-000000000000"))

    assert served.state_of(asked) == "input_required"
    assert served.text_of(ended) == served.text_of(got) == "blue"


@pytest.mark.parametrize(("binding", "version"), BINDINGS)
async def test_a_stream_with_a_question(tmp_path: Path, binding: str, version: str) -> None:
    """Streaming: task, progress, question; then the answer, its artifact and the end."""
    async with reached(tmp_path, binding, version, streaming=True) as client:
        one = [event async for event in client.send_message(served.say("blue or red"))]
        task = one[0].task
        follow_up = served.say("red", task_id=task.id, context_id=task.context_id)
        two = [event async for event in client.send_message(follow_up)]

    assert one[-1].status_update.status.state == pb.TASK_STATE_INPUT_REQUIRED
    assert two[-1].status_update.status.state == pb.TASK_STATE_COMPLETED
    assert "red" in str([event for event in two if event.HasField("artifact_update")])


@pytest.mark.parametrize(("binding", "version"), BINDINGS)
async def test_a_waiting_task_is_canceled(tmp_path: Path, binding: str, version: str) -> None:
    """Cancel ends it, over every transport."""
    async with reached(tmp_path, binding, version, streaming=False) as client:
        asked = await served.sent(client, served.say("blue or red"))
        canceled = await client.cancel_task(pb.CancelTaskRequest(id=asked.id))

    assert served.state_of(canceled) == "canceled"


@pytest.mark.parametrize("version", ["0.3", "2.0"])
async def test_grpc_speaks_1_0_only(tmp_path: Path, version: str) -> None:
    """Another protocol version is refused, not misunderstood."""
    async with (
        served.running(tmp_path, served.worker(_ask), grpc_port=0) as server,
        grpc.aio.insecure_channel(server.served.grpc or "") as channel,
    ):
        metadata = (("authorization", "Bearer ann-token"), ("a2a-version", version))
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await served.get_by_grpc(channel, metadata)

    assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED


async def test_without_compatibility_the_card_is_purely_1_0(tmp_path: Path) -> None:
    """With the setting off there is no 0.3 interface, none of its fields, and its methods are unknown."""
    serve = ServeSettings(protocol_0_3=False)
    async with served.running(tmp_path, served.worker(_ask), serve=serve) as server:
        card = (await server.http.get(f"{server.url}/.well-known/agent-card.json")).json()
        call = {"jsonrpc": "2.0", "id": 1, "method": "tasks/get", "params": {"id": "r-0"}}
        headers = {"Authorization": "Bearer ann-token"}
        told = (await server.http.post(f"{server.url}/", json=call, headers=headers)).json()

    assert not {"url", "preferredTransport", "protocolVersion"} & set(card)
    assert {each["protocolVersion"] for each in card["supportedInterfaces"]} == {"1.0"}
    assert told["error"]["code"] == -32601
