"""The identity door: nobody gets past it unknown, over HTTP or gRPC, except to read a card."""

import json
from collections.abc import AsyncGenerator
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from a2a.types import a2a_pb2 as pb

from interlock import Doors
from interlock.core.principal import Principal
from interlock.server.identity import LARGEST, Anybody, Tokens, is_local
from interlock.settings import TokenSettings
from tests import served
from tests.served import Note

SEND: dict[str, Any] = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "SendMessage",
    "params": {"message": {"messageId": "m-1", "role": "ROLE_USER", "parts": [{"text": "hello"}]}},
}
V1 = {"A2A-Version": "1.0"}


async def _echo(note: Note, doors: Doors) -> Note:
    return note


@pytest.mark.parametrize("header", [None, "Bearer", "Bearer wrong", "Basic YW5uOmFubg==", "ann-token"])
async def test_the_unknown_are_refused_everywhere(tmp_path: Path, header: str | None) -> None:
    """Without a known token nothing is answered and nothing started; the card and health are public."""
    headers = V1 | ({"Authorization": header} if header else {})
    async with served.running(tmp_path, served.worker(_echo)) as server:
        answers = [
            await server.http.post(f"{server.url}/", json=SEND, headers=headers),
            await server.http.post(f"{server.url}/agents/worker/", json=SEND, headers=headers),
            await server.http.post(f"{server.url}/message:send", json=SEND["params"], headers=headers),
            await server.http.post(f"{server.url}/v1/message:send", json=SEND["params"], headers=headers),
            await server.http.get(f"{server.url}/tasks", headers=headers),
            await server.http.get(f"{server.url}/worker/tasks", headers=headers),
            await server.http.post(f"{server.url}/healthz", headers=headers),
        ]
        public = [
            await server.http.get(f"{server.url}{path}")
            for path in (
                "/.well-known/agent-card.json",
                "/agents/worker/.well-known/agent-card.json",
                "/healthz",
            )
        ]
        runs = await server.host.app.stores.runs.list()

    assert [answer.status_code for answer in answers] == [401] * len(answers)
    assert all("Bearer" in answer.headers["www-authenticate"] for answer in answers)
    assert [answer.status_code for answer in public] == [200] * len(public)
    assert runs == []


@pytest.mark.parametrize("told", [True, False])
async def test_a_request_has_a_largest_size(tmp_path: Path, told: bool) -> None:
    """A huge message starts nothing, whether it says how long it is or not; one below the bound does."""
    whole = json.dumps(SEND).encode()

    async def pieces(size: int) -> AsyncGenerator[bytes]:
        yield whole
        for _ in range(size // 65536):
            yield b" " * 65536

    headers = V1 | {"Authorization": "Bearer ann-token", "Content-Type": "application/json"}
    async with served.running(tmp_path, served.worker(_echo)) as server:
        huge = whole + b" " * LARGEST if told else pieces(LARGEST + 65536)
        with suppress(httpx.TransportError):  # the server need not read what it refuses
            await server.http.post(f"{server.url}/", content=huge, headers=headers)
        before = await server.host.app.stores.runs.list()
        small = whole + b" " * 65536 if told else pieces(65536)
        answer = await server.http.post(f"{server.url}/", content=small, headers=headers)

    assert before == []
    assert answer.json()["result"]["task"]["status"]["state"] == "TASK_STATE_COMPLETED"


async def test_grpc_streams_have_the_door_too(tmp_path: Path) -> None:
    """A stream of somebody unknown ends before it begins."""
    async with (
        served.running(tmp_path, served.worker(_echo), grpc_port=0) as server,
        grpc.aio.insecure_channel(server.served.grpc or "") as channel,
    ):
        call: Any = channel.unary_stream(
            "/lf.a2a.v1.A2AService/SendStreamingMessage",
            request_serializer=pb.SendMessageRequest.SerializeToString,
            response_deserializer=pb.StreamResponse.FromString,
        )
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            _ = [event async for event in call(served.say("hello"))]
        runs = await server.host.app.stores.runs.list()

    assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED
    assert runs == []


@pytest.mark.parametrize("metadata", [(), (("authorization", "Bearer wrong"),)])
async def test_grpc_has_the_same_door(tmp_path: Path, metadata: tuple[tuple[str, str], ...]) -> None:
    """Unknown callers are told UNAUTHENTICATED; a known one gets to the handler."""
    async with (
        served.running(tmp_path, served.worker(_echo), grpc_port=0) as server,
        grpc.aio.insecure_channel(server.served.grpc or "") as channel,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await served.get_by_grpc(channel, metadata)
        with pytest.raises(grpc.aio.AioRpcError) as missing:
            await served.get_by_grpc(channel, (("authorization", "Bearer ann-token"),))

    assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED
    assert missing.value.code() == grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://localhost:3000"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "evil.example"}, 403),
    ],
)
async def test_an_open_local_server_is_open_to_programs_only(
    tmp_path: Path, headers: dict[str, str], status: int
) -> None:
    """A web page of another site, or one that took this machine's address under its name, is refused."""
    async with served.running(tmp_path, served.worker(_echo), local=True, anybody=True) as server:
        answer = await server.http.post(f"{server.url}/", json=SEND, headers=V1 | headers)
        runs = await server.host.app.stores.runs.list()

    assert answer.status_code == status
    assert len(runs) == (1 if status == 200 else 0)


def test_a_token_is_known_by_its_hash_alone() -> None:
    """Team and roles come with it; upper case of the hash is the same hash."""
    digest = "2CF24DBA5FB0A30E26E83B2AC5B9E29E1B161E5C1FA7425E73043362938B9824"  # of "hello"
    known = Tokens([TokenSettings(sha256=digest, user="ann", team="desk", roles=("shift-lead",))])

    assert (
        known("Bearer hello")
        == known("bearer  hello ")
        == Principal(user="ann", team="desk", scopes=("shift-lead",))
    )
    assert known(f"Bearer {digest}") is None
    assert known("Bearer héllo") is None
    assert Tokens([])("Bearer hello") is None
    assert Anybody(Principal.local("olga"))(None) == Principal.local("olga")


@pytest.mark.parametrize(
    ("host", "local"),
    [("127.0.0.1", True), ("localhost", True), ("[::1]", True), ("0.0.0.0", False), ("example.com", False)],
)
def test_what_is_local(host: str, local: bool) -> None:
    """Loopback addresses and their name, and nothing else."""
    assert is_local(host) is local
