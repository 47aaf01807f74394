"""Messages over A2A: what starts a task, what comes back, and what does not."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from a2a.client import ClientCallContext
from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import ContentTypeNotSupportedError, InvalidParamsError
from google.protobuf.json_format import MessageToDict

from interlock import Doors
from interlock.a2a.envelope import EXTENSION
from interlock.core.guards import ON, Guards
from interlock.testing.models import ScriptedModels
from tests import served
from tests.desk import Shop, desk
from tests.served import Note


async def _echo(note: Note, doors: Doors) -> Note:
    return note


async def test_a_message_comes_back_with_the_accepted_answer(tmp_path: Path) -> None:
    """Text becomes the request, and only the response that the gate accepted is the artifact."""
    shop = Shop(tmp_path / "shop.db")

    async with served.running(tmp_path, desk(shop).build()) as server:
        client = await server.client(streaming=False)
        task = await served.sent(client, served.say("my parcel is lost"))

    assert served.state_of(task) == "completed"
    assert "We paid back 49.90 EUR for order A-1001." in served.text_of(task)
    assert shop.rows() == [("A-1001", "49.90")]


async def test_data_is_the_request_as_it_is(tmp_path: Path) -> None:
    """A data part becomes the request, and the answer has its data beside its text."""
    async with served.running(tmp_path, served.worker(_echo)) as server:
        task = await served.sent(await server.client(streaming=False), served.give({"text": "hello"}))

    kinds = [part.WhichOneof("content") for part in task.artifacts[0].parts]
    assert kinds == ["text", "data"]
    assert MessageToDict(task.artifacts[0].parts[1].data) == {"text": "hello"}
    assert MessageToDict(task.history[0].parts[0].data) == {"text": "hello"}


async def test_an_answer_comes_in_the_form_that_is_accepted(tmp_path: Path) -> None:
    """Somebody who takes JSON only gets no text, and the other way round; unknown names mean both."""
    async with served.running(tmp_path, served.worker(_echo)) as server:
        json = await server.client(streaming=False, accepted_output_modes=["application/json"])
        text = await server.client(streaming=False, accepted_output_modes=["text/plain"])
        other = await server.client(streaming=False, accepted_output_modes=["text"])
        one = await served.sent(json, served.say("hello"))
        two = await served.sent(text, served.say("hello"))
        three = await served.sent(other, served.say("hello"))

    assert [part.WhichOneof("content") for part in one.artifacts[0].parts] == ["data"]
    assert [part.WhichOneof("content") for part in two.artifacts[0].parts] == ["text"]
    assert [part.WhichOneof("content") for part in three.artifacts[0].parts] == ["text", "data"]


async def test_a_stream_tells_progress_and_then_the_answer(tmp_path: Path) -> None:
    """First the task, then what happens in our words, then the artifact, then the end."""
    async with served.running(tmp_path, served.worker(_echo)) as server:
        client = await server.client()
        events = [event async for event in client.send_message(served.say("hello"))]

    kinds = [event.WhichOneof("payload") for event in events]
    assert kinds[0] == "task"
    assert kinds[-2:] == ["artifact_update", "status_update"]
    assert events[-1].status_update.status.state == pb.TASK_STATE_COMPLETED
    words = [part.text for event in events[1:-2] for part in event.status_update.status.message.parts]
    assert "worker: begun" in words
    assert not any("hello" in told for told in words)


async def test_a_caller_need_not_wait(tmp_path: Path) -> None:
    """With `return_immediately` the task comes back while it works, and can be asked for later."""
    go = asyncio.Event()

    async def wait(note: Note, doors: Doors) -> Note:
        await go.wait()
        return note

    async with served.running(tmp_path, served.worker(wait)) as server:
        client = await server.client(streaming=False)
        begun = await served.sent(client, served.say("hello", configuration={"return_immediately": True}))
        assert served.state_of(begun) in ("submitted", "working")
        go.set()
        streaming = await server.client()
        [*_, last] = [event async for event in streaming.subscribe(pb.SubscribeToTaskRequest(id=begun.id))]
        ended = await client.get_task(pb.GetTaskRequest(id=begun.id))

    assert last.status_update.status.state == pb.TASK_STATE_COMPLETED
    assert served.text_of(ended) == "hello"


async def test_the_same_message_is_one_task(tmp_path: Path) -> None:
    """A message that is sent again, because its answer was lost, pays once."""
    shop = Shop(tmp_path / "shop.db")
    request = served.say("my parcel is lost")

    async with served.running(tmp_path, desk(shop).build()) as server:
        client = await server.client(streaming=False)
        one, two = await asyncio.gather(served.sent(client, request), served.sent(client, request))
        three = await served.sent(client, request)
        other = await served.sent(await server.client("bob", streaming=False), request)

    assert one.id == two.id == three.id != other.id
    assert {served.state_of(task) for task in (one, two, three)} == {"completed"}
    assert len(shop.rows()) == 2


async def test_the_same_message_with_other_words_is_refused(tmp_path: Path) -> None:
    """An id that was used for something else starts nothing."""
    request = served.say("hello")
    async with served.running(tmp_path, served.worker(_echo)) as server:
        client = await server.client(streaming=False)
        await served.sent(client, request)
        request.message.parts[0].text = "something else"

        with pytest.raises(InvalidParamsError, match="used for another request"):
            await served.sent(client, request)


async def test_the_key_in_the_metadata_names_the_task(tmp_path: Path) -> None:
    """Two messages under one key are one task, whatever their ids."""
    one, two = served.say("hello"), served.say("hello")
    for request in (one, two):
        request.metadata.update({EXTENSION: {"key": "k-1"}})

    async with served.running(tmp_path, served.worker(_echo)) as server:
        client = await server.client(streaming=False)
        assert (await served.sent(client, one)).id == (await served.sent(client, two)).id


@pytest.mark.parametrize(
    ("inside", "told"),
    [({"deadline_ms": "0"}, "no time left"), ({"tokens": "-1"}, "not negative"), ({"key": "a b"}, "letters")],
)
async def test_metadata_that_cannot_be_kept_starts_nothing(
    tmp_path: Path, inside: dict[str, Any], told: str
) -> None:
    """No time left, a negative budget and an impossible key are said to be so."""
    request = served.say("hello")
    request.metadata.update({EXTENSION: inside})

    async with served.running(tmp_path, served.worker(_echo)) as server:
        client = await server.client(streaming=False)
        with pytest.raises(InvalidParamsError, match=told):
            await served.sent(client, request)
        listed = await client.list_tasks(pb.ListTasksRequest())

    assert listed.total_size == 0


async def test_a_task_gets_no_more_than_its_caller_has(tmp_path: Path) -> None:
    """Time and spend of the metadata are the run's limits, and the work is stopped by them."""
    stopped = asyncio.Event()

    async def endless(note: Note, doors: Doors) -> Note:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        return note

    request = served.say("hello")
    request.metadata.update({EXTENSION: {"deadline_ms": "400", "tokens": "7", "usd": "0.5"}})
    async with served.running(tmp_path, served.worker(endless)) as server:
        client = await server.client(streaming=False)
        async with asyncio.timeout(20):
            task = await served.sent(client, request)
            await stopped.wait()
        run = await server.host.app.stores.runs.get(task.id)

    assert served.state_of(task) == "failed"
    assert (run.limits.seconds, run.limits.tokens, str(run.limits.usd)) == (0.4, 7, "0.5")


async def _think_twice(note: Note, doors: Doors) -> Note:
    await doors.think("a question of many words, so that it costs some tokens")
    await doors.think("and another one")
    return note


@pytest.mark.parametrize(("guards", "asked"), [(ON, 1), (Guards(limits=False), 2)])
async def test_a_caller_pays_for_no_more_than_it_gave(tmp_path: Path, guards: Guards, asked: int) -> None:
    """The model is not asked again once the caller's tokens are used; without the guard it would be."""
    models = ScriptedModels({"default": ["an answer of some words"]})
    request = served.say("hello")
    request.metadata.update({EXTENSION: {"tokens": "10"}})
    async with served.running(tmp_path, served.worker(_think_twice), models=models, guards=guards) as server:
        task = await served.sent(await server.client(streaming=False), request)

    assert len(models.prompts) == asked
    assert served.state_of(task) == ("failed" if asked == 1 else "completed")


async def test_the_callers_trace_is_the_runs(tmp_path: Path) -> None:
    """The `traceparent` of the metadata goes on in the run."""
    trace = "00-" + "1" * 32 + "-" + "2" * 16 + "-01"
    request = served.say("hello")
    request.metadata.update({EXTENSION: {"traceparent": trace}})
    async with served.running(tmp_path, served.worker(_echo)) as server:
        task = await served.sent(await server.client(streaming=False), request)
        run = await server.host.app.stores.runs.get(task.id)

    assert run.trace == trace


async def test_the_trace_may_stand_in_the_header(tmp_path: Path) -> None:
    """Callers without our extension send it as HTTP does."""
    trace = "00-" + "1" * 32 + "-" + "2" * 16 + "-01"
    async with served.running(tmp_path, served.worker(_echo)) as server:
        context = ClientCallContext(service_parameters={"traceparent": trace})
        client = await server.client(streaming=False)
        [event] = [event async for event in client.send_message(served.say("hello"), context=context)]
        run = await server.host.app.stores.runs.get(event.task.id)

    assert run.trace == trace


async def test_a_context_is_a_session(tmp_path: Path) -> None:
    """A caller's contextId is kept, and belongs to whoever used it first."""
    async with served.running(tmp_path, served.worker(_echo)) as server:
        client = await server.client(streaming=False)
        mine = await served.sent(client, served.say("hello", context_id="c-1"))
        again = await served.sent(client, served.say("hello again", context_id="c-1"))
        with pytest.raises(InvalidParamsError, match="no session"):
            await served.sent(await server.client("bob", streaming=False), served.say("hi", context_id="c-1"))

    assert mine.context_id == again.context_id == "c-1"
    assert mine.id != again.id


@pytest.mark.parametrize("data", [{"txt": "hello"}, {"text": 3}, [1, 2], "text"])
async def test_what_is_no_request_starts_nothing(tmp_path: Path, data: object) -> None:
    """Data that does not have the schema is refused with a sentence."""
    async with served.running(tmp_path, served.worker(_echo)) as server:
        client = await server.client(streaming=False)
        with pytest.raises(InvalidParamsError):
            await served.sent(client, served.give(data))
        assert (await client.list_tasks(pb.ListTasksRequest())).total_size == 0


async def test_files_are_refused_by_their_kind(tmp_path: Path) -> None:
    """Nothing here reads files, and the protocol has a word for that."""
    request = served.say("look at this")
    request.message.parts.append(pb.Part(raw=b"%PDF", media_type="application/pdf"))
    async with served.running(tmp_path, served.worker(_echo)) as server:
        client = await server.client(streaming=False)
        with pytest.raises(ContentTypeNotSupportedError):
            await served.sent(client, request)


async def test_an_invalid_output_is_no_answer(tmp_path: Path) -> None:
    """A body whose output never has its schema ends as a failed task, without a byte of it."""

    async def wrong(note: Note, doors: Doors) -> Any:
        return {"text": None, "smuggled": "SECRET-BYTES"}

    async with served.running(tmp_path, served.worker(wrong)) as server:
        client = await server.client()
        events = [event async for event in client.send_message(served.say("hello"))]

    assert events[-1].status_update.status.state == pb.TASK_STATE_FAILED
    assert "SECRET-BYTES" not in str(events)
