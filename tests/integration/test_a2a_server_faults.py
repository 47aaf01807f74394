"""What breaks inside never tells its text outside: not over JSON-RPC, REST, gRPC or in streams."""

import json
import logging
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import grpc
import pytest
from a2a.types import a2a_pb2 as pb

from interlock import Doors
from interlock.core.guards import Guards
from interlock.server.host import Host
from tests import served
from tests.served import Note

pytestmark = pytest.mark.long

SECRET = "SECRET-OF-THE-INSIDE"
HEADERS = {"Authorization": "Bearer ann-token", "A2A-Version": "1.0"}
MESSAGE: dict[str, Any] = {"message": {"messageId": "m-1", "role": "ROLE_USER", "parts": [{"text": "hello"}]}}


def call(method: str, params: dict[str, Any]) -> dict[str, Any]:
    """A JSON-RPC request."""
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


OLD = {"message": {"messageId": "m-1", "role": "user", "parts": [{"kind": "text", "text": "hello"}]}}
REQUESTS: dict[str, tuple[str, dict[str, Any]]] = {
    "json-rpc": ("/", call("SendMessage", MESSAGE)),
    "json-rpc stream": ("/", call("SendStreamingMessage", MESSAGE)),
    "json-rpc 0.3": ("/", call("message/send", OLD)),
    "json-rpc 0.3 stream": ("/", call("message/stream", OLD)),
    "rest": ("/message:send", MESSAGE),
    "rest stream": ("/message:stream", MESSAGE),
    "get": ("/", call("GetTask", {"id": "r-0"})),
    "list": ("/", call("ListTasks", {})),
    "cancel": ("/", call("CancelTask", {"id": "r-0"})),
    "subscribe": ("/", call("SubscribeToTask", {"id": "r-0"})),
}


async def _raise(note: Note, doors: Doors) -> Note:
    raise RuntimeError(SECRET)


async def _boast(note: Note, doors: Doors) -> Note:
    return Note(text=f"The total is {SECRET} 12345.67 EUR.")


@pytest.mark.parametrize("name", [name for name in REQUESTS if "json-rpc" in name or "rest" in name])
async def test_a_body_that_raises_tells_nothing(tmp_path: Path, name: str) -> None:
    """The task fails with a sentence of ours."""
    path, body = REQUESTS[name]
    async with served.running(tmp_path, served.worker(_raise)) as server:
        answer = await server.http.post(f"{server.url}{path}", json=body, headers=_headers(body))

    assert "failed" in answer.text.lower() or "gave up" in answer.text.lower()
    assert SECRET not in answer.text
    assert "RuntimeError" not in answer.text


@pytest.mark.parametrize("name", REQUESTS)
async def test_a_fault_of_ours_tells_nothing(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An exception of the host reaches the caller as one sentence, and the log as it is."""

    async def broken(*args: object, **more: object) -> Any:
        raise ValueError(SECRET)

    for method in ("start", "view", "list", "cancel"):
        monkeypatch.setattr(Host, method, broken)
    path, body = REQUESTS[name]
    async with served.running(tmp_path, served.worker(_boast)) as server:
        with caplog.at_level(logging.ERROR, "interlock"):
            answer = await server.http.post(f"{server.url}{path}", json=body, headers=_headers(body))

    assert "log says why" in answer.text
    assert SECRET not in answer.text
    assert any(record.exc_info and SECRET in str(record.exc_info[1]) for record in caplog.records)


async def test_a_fault_in_the_middle_of_a_stream_tells_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What breaks after the first event ends the stream with a sentence of ours."""

    async def broken(self: Host, run: str, after: int, *, to_end: bool) -> AsyncGenerator[Any]:
        raise ValueError(SECRET)
        yield

    monkeypatch.setattr(Host, "follow", broken)
    async with served.running(tmp_path, served.worker(_boast)) as server:
        texts = [
            (await server.http.post(f"{server.url}{path}", json=body, headers=HEADERS)).text
            for path, body in (REQUESTS["json-rpc stream"], REQUESTS["rest stream"])
        ]

    for text in texts:
        assert "log says why" in text
        assert SECRET not in text


async def test_a_fault_over_grpc_tells_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """GRPC tells INTERNAL with the same sentence."""

    async def broken(*args: object) -> Any:
        raise ValueError(SECRET)

    monkeypatch.setattr(Host, "view", broken)
    async with (
        served.running(tmp_path, served.worker(_boast), grpc_port=0) as server,
        grpc.aio.insecure_channel(server.served.grpc or "") as channel,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await served.get_by_grpc(channel, (("authorization", "Bearer ann-token"),))

    assert failed.value.code() == grpc.StatusCode.INTERNAL
    assert SECRET not in (failed.value.details() or "") + str(failed.value)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b"\xff\xfe", b'{"jsonrpc": "2.0", "id": {}}'])
async def test_nonsense_is_refused_quietly(tmp_path: Path, body: bytes) -> None:
    """What is no JSON-RPC gets an error object and no traceback."""
    async with served.running(tmp_path, served.worker(_boast)) as server:
        headers = HEADERS | {"Content-Type": "application/json"}
        answer = await server.http.post(f"{server.url}/", content=body, headers=headers)

    assert answer.status_code == 200
    assert answer.json()["error"]["code"] in (-32700, -32600)
    assert "Traceback" not in answer.text


async def faces(server: served.Running) -> str:
    """Everything that every A2A face says about one request."""
    said: list[str] = []
    for number, (path, body) in enumerate(REQUESTS.values()):
        fresh = json.loads(json.dumps(body).replace("m-1", f"m-{number}"))
        answer = await server.http.post(f"{server.url}{path}", json=fresh, headers=_headers(body))
        said.append(answer.text)
    client = await server.client(streaming=False)
    for task in (await client.list_tasks(pb.ListTasksRequest(include_artifacts=True))).tasks:
        said.append(str(await client.get_task(pb.GetTaskRequest(id=task.id))))
    return "\n".join(said)


def _headers(body: dict[str, Any]) -> dict[str, str]:
    """Those of the protocol version that a request is written in."""
    old = str(body.get("method", "")).startswith("message/")
    return {name: value for name, value in HEADERS.items() if not (old and name == "A2A-Version")}


async def test_what_the_gate_did_not_accept_leaves_by_no_face(tmp_path: Path) -> None:
    """A body that invents figures is never quoted: not in progress, questions, artifacts or lists."""
    async with served.running(tmp_path / "on", served.worker(_boast)) as server:
        guarded = await faces(server)

    assert SECRET not in guarded
    assert "12345" not in guarded


async def test_without_the_gate_the_figures_would_leave(tmp_path: Path) -> None:
    """The same body with the gate off: this is the harm it prevents."""
    async with served.running(tmp_path / "off", served.worker(_boast), guards=Guards(gate=False)) as server:
        unguarded = await faces(server)

    assert SECRET in unguarded
