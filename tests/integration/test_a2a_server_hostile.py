"""Callers that are hostile, hasty or broken: refused in a sentence, and nobody else notices."""

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from a2a.helpers.proto_helpers import new_data_part, new_message
from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import InvalidParamsError, TaskNotCancelableError
from pydantic import BaseModel

from interlock import Agent, Doors
from interlock.core.principal import Principal
from interlock.core.questions import Answer
from interlock.errors import AnswerRefused, NotFound
from interlock.persistence.hosted import SqlHosted
from interlock.server.host import Host
from interlock.server.identity import LARGEST
from interlock.settings import ServeSettings
from tests import served
from tests.desk import Shop, desk
from tests.served import Note

HEADERS = {"Authorization": "Bearer ann-token", "A2A-Version": "1.0", "Content-Type": "application/json"}
MCP = HEADERS | {"Accept": "application/json, text/event-stream"}


class Anything(BaseModel):
    """A request whose one field takes any JSON."""

    text: Any


async def _echo(note: Note, doors: Doors) -> Note:
    return note


async def _ask(note: Note, doors: Doors) -> Note:
    return Note(text=str(await doors.ask("Which colour?")))


async def _count(anything: Anything, doors: Doors) -> Note:
    return Note(text="taken")


def message(part: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A JSON-RPC request that sends one part."""
    given = {"messageId": "m-1", "role": "ROLE_USER", "parts": [part], **more}
    return {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {"message": given}}


def tool(arguments: str, name: str = "counter") -> bytes:
    """A tool call over MCP with arguments as they are written."""
    told = f'"params": {{"name": "{name}", "arguments": {arguments}}}'
    return f'{{"jsonrpc": "2.0", "id": 1, "method": "tools/call", {told}}}'.encode()


def nested(levels: int) -> str:
    """A list in a list in a list."""
    return "[" * levels + "]" * levels


@pytest.mark.parametrize(
    "text",
    [
        '{"text": "half \\ud800"}',
        f'{{"text": {"1" * 4000}}}',
        f'{{"text": {nested(150)}}}',
        f'{{"text": {nested(900)}}}',
    ],
    ids=["half a character", "a number without end", "deep", "deeper"],
)
async def test_what_the_record_cannot_keep_is_the_callers_mistake(tmp_path: Path, text: str) -> None:
    """It is refused in a sentence, starts nothing, and is no fault of the server's."""
    async with served.running(tmp_path, Agent("counter", "Counts.", run=_count)) as server:
        answer = await server.http.post(f"{server.url}/", json=message({"text": text}), headers=HEADERS)
        runs = await server.host.app.stores.runs.list()

    assert answer.json()["error"]["code"] == -32602
    assert "the request" in answer.json()["error"]["message"]
    assert runs == []


async def test_a_deep_request_breaks_no_list(tmp_path: Path) -> None:
    """What data parts cannot say, because it is nested too deeply for them, is said as text."""
    async with served.running(tmp_path, Agent("counter", "Counts.", run=_count)) as server:
        text = f'{{"text": {nested(80)}}}'
        sent = await server.http.post(f"{server.url}/", json=message({"text": text}), headers=HEADERS)
        listed = await (await server.client()).list_tasks(pb.ListTasksRequest())

    assert sent.json()["result"]["task"]["status"]["state"] == "TASK_STATE_COMPLETED"
    assert json.loads(listed.tasks[0].history[0].parts[0].text) == json.loads(text)


async def test_numbers_that_json_has_no_word_for_are_refused_over_grpc(tmp_path: Path) -> None:
    """NaN in data or metadata, and a time that is none, are invalid arguments."""
    nan = pb.SendMessageRequest(message=new_message([new_data_part({"text": 1})], role=pb.ROLE_USER))
    nan.message.parts[0].data.struct_value.fields["text"].number_value = float("nan")
    infinite = served.say("hello")
    infinite.message.metadata.fields["x"].number_value = float("inf")
    late = pb.ListTasksRequest()
    late.status_timestamp_after.seconds = 10**17
    async with (
        served.running(tmp_path, served.worker(_echo), grpc_port=0) as server,
        grpc.aio.insecure_channel(server.served.grpc or "") as channel,
    ):

        async def call(method: str, request: Any, answer: Any) -> grpc.StatusCode:
            made: Any = channel.unary_unary(
                f"/lf.a2a.v1.A2AService/{method}",
                request_serializer=type(request).SerializeToString,
                response_deserializer=answer.FromString,
            )
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await made(request, metadata=(("authorization", "Bearer ann-token"),))
            return refused.value.code()

        codes = [
            await call("SendMessage", nan, pb.SendMessageResponse),
            await call("SendMessage", infinite, pb.SendMessageResponse),
            await call("ListTasks", late, pb.ListTasksResponse),
        ]
        runs = await server.host.app.stores.runs.list()

    assert codes == [grpc.StatusCode.INVALID_ARGUMENT] * 3
    assert runs == []


@pytest.mark.parametrize("path", ["/", "/message:send", "/mcp"])
async def test_a_body_without_a_length_that_is_too_large_is_said_to_be(tmp_path: Path, path: str) -> None:
    """Whoever sends in pieces is told 413 as well."""

    async def pieces() -> AsyncGenerator[bytes]:
        for _ in range(LARGEST // 65536 + 2):
            yield b" " * 65536

    async with served.running(tmp_path, served.worker(_echo)) as server:
        answer = await server.http.post(f"{server.url}{path}", content=pieces(), headers=MCP)

    assert answer.status_code == 413


@pytest.mark.parametrize("host", ["[", "[::1", "[x]", "127.0.0.1@evil.example", ""])
async def test_a_host_that_cannot_be_read_is_not_this_machine(tmp_path: Path, host: str) -> None:
    """It is refused as a foreign one, and breaks nothing."""
    async with served.running(tmp_path, served.worker(_echo), local=True, anybody=True) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(f"GET /tasks HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()

    assert answer.split(b"\r\n")[0].split()[1] in (b"403", b"400")


async def test_one_question_answered_twice_in_a_message_is_not_answered(tmp_path: Path) -> None:
    """A yes and a no in one message are neither: nothing is paid, and the question stands."""
    shop = Shop(tmp_path / "shop.db", total="250.00")
    async with served.running(tmp_path, desk(shop).build()) as server:
        task = await served.sent(await server.client(streaming=False), served.say("my parcel is lost"))
        lea = await server.client("lea", streaming=False)
        asked = await lea.get_task(pb.GetTaskRequest(id=task.id))
        question = asked.status.message.parts[1].data.struct_value.fields["question"].string_value
        both = [new_data_part({"question": question, "yes": yes}) for yes in (True, False)]
        request = pb.SendMessageRequest(message=new_message(both, role=pb.ROLE_USER, task_id=task.id))
        after = await served.sent(lea, request)

    assert "twice" in after.status.message.parts[0].text
    assert served.state_of(after) == "input_required"
    assert shop.rows() == []


async def test_an_answer_sent_five_times_at_once_is_taken_once(tmp_path: Path) -> None:
    """All five are told what came of it; none that it was not taken."""
    async with served.running(tmp_path, served.worker(_ask)) as server:
        client = await server.client(streaming=False)
        task = await served.sent(client, served.say("hello"))
        answer = served.say("blue", task_id=task.id)
        ends = await asyncio.gather(*(served.sent(client, answer) for _ in range(5)))

    assert [served.state_of(end) for end in ends] == ["completed"] * 5
    assert {served.text_of(end) for end in ends} == {"blue"}


async def test_a_message_sent_fifty_times_at_once_is_one_task(tmp_path: Path) -> None:
    """The body works once; the same id with another text is refused, whenever it comes."""
    worked: list[str] = []

    async def work(note: Note, doors: Doors) -> Note:
        worked.append(note.text)
        return note

    async with served.running(tmp_path, served.worker(work)) as server:

        async def send(text: str) -> dict[str, Any]:
            body = message({"text": text})
            return (await server.http.post(f"{server.url}/", json=body, headers=HEADERS)).json()

        first = await send("hello")
        answers = await asyncio.gather(*(send("other" if n % 5 == 0 else "hello") for n in range(50)))

    taken = [answer["result"]["task"]["id"] for answer in answers if "result" in answer]
    assert taken == [first["result"]["task"]["id"]] * 40
    assert worked == ["hello"]


async def test_five_wishes_to_cancel_are_one_end(tmp_path: Path) -> None:
    """One of them cancels; the others learn that it has ended, not that somebody else is at work."""
    begun = asyncio.Event()

    async def work(note: Note, doors: Doors) -> Note:
        begun.set()
        await asyncio.Event().wait()
        return note

    async with served.running(tmp_path, served.worker(work)) as server:
        client = await server.client(streaming=False)
        task = await served.sent(client, served.say("x", configuration={"return_immediately": True}))
        await begun.wait()
        wishes = [client.cancel_task(pb.CancelTaskRequest(id=task.id)) for _ in range(5)]
        ends = await asyncio.gather(*wishes, return_exceptions=True)

    assert [served.state_of(end) for end in ends if isinstance(end, pb.Task)] == ["canceled"]
    assert [type(end) for end in ends if isinstance(end, Exception)] == [TaskNotCancelableError] * 4


async def test_a_wish_to_cancel_stands_where_nobody_waits_for_its_end(tmp_path: Path) -> None:
    """A caller that gives up while the body still winds down has canceled the task all the same."""
    begun, wound_down = asyncio.Event(), asyncio.Event()

    async def work(note: Note, doors: Doors) -> Note:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await wound_down.wait()
        return note

    async with (
        served.running(tmp_path, served.worker(work), grpc_port=0) as server,
        grpc.aio.insecure_channel(server.served.grpc or "") as channel,
    ):
        client = await server.client(streaming=False)
        task = await served.sent(client, served.say("x", configuration={"return_immediately": True}))
        await begun.wait()
        cancel: Any = channel.unary_unary(
            "/lf.a2a.v1.A2AService/CancelTask",
            request_serializer=pb.CancelTaskRequest.SerializeToString,
            response_deserializer=pb.Task.FromString,
        )
        wish, token = pb.CancelTaskRequest(id=task.id), (("authorization", "Bearer ann-token"),)
        with pytest.raises(grpc.aio.AioRpcError) as gone:
            await cancel(wish, metadata=token, timeout=0.3)
        wound_down.set()
        async with asyncio.timeout(20):
            end = await server.host.settled(task.id, Principal(user="ann"))

    assert gone.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert end.phase == "canceled"


async def test_a_session_begun_by_two_people_at_once_is_one_persons(tmp_path: Path) -> None:
    """Whoever comes first has it; the other is refused, and neither is in a session with the other."""
    async with served.running(tmp_path, served.worker(_echo)) as server:

        async def begin(who: str, number: int) -> httpx.Response:
            headers = HEADERS | {"Authorization": f"Bearer {who}-token"}
            body = message({"text": "hello"}, messageId=f"{who}-{number}", contextId=f"shared-{number}")
            return await server.http.post(f"{server.url}/", json=body, headers=headers)

        for number in range(5):
            await asyncio.gather(begin("ann", number), begin("bob", number))
        runs = await server.host.app.stores.runs.list()

    owners = {(run.session, run.owner.user) for run in runs}
    assert len(runs) == 5
    assert len({session for session, _ in owners}) == len(owners) == 5


async def test_who_answers_for_somebody_else_is_not_told_how_it_came_out(tmp_path: Path) -> None:
    """A shift-lead's stream ends with the state; outcome and artifact are the owner's."""
    shop = Shop(tmp_path / "shop.db", total="250.00")
    async with served.running(tmp_path, desk(shop).build()) as server:
        task = await served.sent(await server.client(streaming=False), served.say("my parcel is lost"))
        lea = await server.client("lea")
        events = [event async for event in lea.send_message(served.say("yes", task_id=task.id))]
        asked = tool(json.dumps({"run": task.id}), "run_result")
        headers = MCP | {"Authorization": "Bearer lea-token"}
        told = await server.http.post(f"{server.url}/mcp", content=asked, headers=headers)

    last = events[-1].status_update
    assert last.status.state == pb.TASK_STATE_COMPLETED
    assert not last.metadata.fields
    assert not any(event.HasField("artifact_update") for event in events)
    assert "is done" in told.text
    assert "outcome" not in told.text


async def test_who_answers_for_somebody_else_does_not_take_their_notifications(tmp_path: Path) -> None:
    """A push configuration that comes with an answer must be the owner's; nothing was answered by it."""
    shop = Shop(tmp_path / "shop.db", total="250.00")
    serve = ServeSettings(push_hosts=("127.0.0.1",), push_http=True)

    def wish(who: str) -> dict[str, Any]:
        config = pb.TaskPushNotificationConfig(id="p-1", url=f"http://127.0.0.1:9/{who}", token=who)
        return {"task_push_notification_config": config}

    async with served.running(tmp_path, desk(shop).build(), serve=serve) as server:
        ann = await server.client(streaming=False)
        lea = await server.client("lea", streaming=False)
        task = await served.sent(ann, served.say("my parcel is lost", configuration=wish("ann")))
        with pytest.raises(InvalidParamsError, match="owner"):
            await served.sent(lea, served.say("yes", task_id=task.id, configuration=wish("lea")))
        of_task = pb.ListTaskPushNotificationConfigsRequest(task_id=task.id)
        kept = (await ann.list_task_push_notification_configs(of_task)).configs
        asked = await lea.get_task(pb.GetTaskRequest(id=task.id))

    assert [(config.url, config.token) for config in kept] == [("http://127.0.0.1:9/ann", "ann")]
    assert served.state_of(asked) == "input_required"


@pytest.mark.parametrize("who", [Principal(user="bob", team="ann"), Principal(user="bob", scopes=("ann",))])
async def test_a_team_or_role_with_a_persons_name_is_not_that_person(tmp_path: Path, who: Principal) -> None:
    """They neither see, answer nor cancel what that person started."""
    ann = Principal(user="ann")
    async with served.running(tmp_path, served.worker(_ask)) as server:
        run = await server.host.start({"text": "hello"}, ann, key="k-1")
        asked = (await server.host.settled(run, ann)).asked[0]
        with pytest.raises(NotFound):
            await server.host.view(run, who)
        with pytest.raises(AnswerRefused):
            await server.host.answer(Answer(question=asked.id, by=who, value="red"))
        with pytest.raises(NotFound):
            await server.host.app.cancel(run, by=who)
        after = await server.host.view(run, ann)

    assert after.phase == "asks"


async def test_a_fault_over_mcp_tells_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What breaks inside is an error in a sentence of ours."""

    async def broken(*args: object, **more: object) -> Any:
        raise ValueError("SECRET-OF-THE-INSIDE")

    monkeypatch.setattr(Host, "start", broken)
    async with served.running(tmp_path, Agent("counter", "Counts.", run=_count)) as server:
        answer = await server.http.post(f"{server.url}/mcp", content=tool('{"text": 1}'), headers=MCP)

    assert "log says why" in answer.text
    assert "SECRET" not in answer.text


async def test_an_endless_message_id_is_refused(tmp_path: Path) -> None:
    """Ids of messages are stored, so they have an end."""
    async with served.running(tmp_path, served.worker(_echo)) as server:
        body = message({"text": "hello"}, messageId="x" * 100_000)
        answer = await server.http.post(f"{server.url}/", json=body, headers=HEADERS)

    assert "messageId" in answer.json()["error"]["message"]


async def test_a_look_that_breaks_leaves_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever follows a run hears its end, also where one look at the database broke in a new way."""
    heads, go, looked = SqlHosted.heads, asyncio.Event(), asyncio.Event()

    async def once(self: SqlHosted, runs: Sequence[str]) -> dict[str, int]:
        if runs and not looked.is_set():
            looked.set()
            raise ValueError("a database says something nobody has heard before")
        return await heads(self, runs)

    async def work(note: Note, doors: Doors) -> Note:
        await go.wait()
        return note

    monkeypatch.setattr(SqlHosted, "heads", once)
    async with served.running(tmp_path, served.worker(work)) as server:
        client = await server.client()
        async with asyncio.timeout(20):
            stream = client.send_message(served.say("hello"))
            events = [await anext(stream)]
            await looked.wait()
            go.set()
            events += [event async for event in stream]

    assert events[-1].status_update.status.state == pb.TASK_STATE_COMPLETED
