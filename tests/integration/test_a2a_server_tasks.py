"""Tasks over A2A: found, listed, subscribed to and canceled by their owner, and by nobody else."""

import asyncio
from pathlib import Path

import pytest
from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import (
    InvalidParamsError,
    TaskNotCancelableError,
    TaskNotFoundError,
    UnsupportedOperationError,
)

from interlock import Doors
from tests import served
from tests.desk import Shop, desk
from tests.served import Note


async def _echo(note: Note, doors: Doors) -> Note:
    return note


async def test_a_task_at_work_is_canceled_for_real(tmp_path: Path) -> None:
    """The body is stopped, and whoever streams or subscribed hears the end."""
    begun, stopped = asyncio.Event(), asyncio.Event()

    async def endless(note: Note, doors: Doors) -> Note:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        return note

    async with served.running(tmp_path, served.worker(endless)) as server:
        client = await server.client()
        heard: list[pb.StreamResponse] = []

        async def listen() -> None:
            async for event in client.send_message(served.say("hello")):
                heard.append(event)

        listening = asyncio.create_task(listen())
        await begun.wait()
        task = heard[0].task.id
        late = asyncio.create_task(_collect(client, task))
        async with asyncio.timeout(10):
            canceled = await client.cancel_task(pb.CancelTaskRequest(id=task))
            await asyncio.gather(stopped.wait(), listening, late)
        with pytest.raises(TaskNotCancelableError):
            await client.cancel_task(pb.CancelTaskRequest(id=task))

    assert served.state_of(canceled) == "canceled"
    assert heard[-1].status_update.status.state == pb.TASK_STATE_CANCELED
    assert late.result()[-1].status_update.status.state == pb.TASK_STATE_CANCELED


async def _collect(client: served.Client, task: str) -> list[pb.StreamResponse]:
    return [event async for event in client.subscribe(pb.SubscribeToTaskRequest(id=task))]


async def test_a_task_that_waits_is_canceled(tmp_path: Path) -> None:
    """Its question is withdrawn, and nothing is paid."""
    shop = Shop(tmp_path / "shop.db", total="250.00")
    async with served.running(tmp_path, desk(shop).build()) as server:
        client = await server.client(streaming=False)
        waits = await served.sent(client, served.say("my parcel is lost"))
        canceled = await client.cancel_task(pb.CancelTaskRequest(id=waits.id))
        lea = await server.client("lea", streaming=False)
        with pytest.raises(TaskNotFoundError):
            await served.sent(lea, served.say("yes", task_id=waits.id))

    assert served.state_of(canceled) == "canceled"
    assert shop.rows() == []


async def test_a_caller_that_goes_away_stops_nothing(tmp_path: Path) -> None:
    """Closing a stream leaves the task at work; subscribing again tells the rest."""
    begun, go = asyncio.Event(), asyncio.Event()

    async def wait(note: Note, doors: Doors) -> Note:
        begun.set()
        await go.wait()
        return note

    async with served.running(tmp_path, served.worker(wait)) as server:
        client = await server.client()
        stream = client.send_message(served.say("hello"))
        first = await anext(aiter(stream))
        await begun.wait()
        await stream.aclose()  # pyright: ignore[reportAttributeAccessIssue]
        rest = asyncio.create_task(_collect(client, first.task.id))
        go.set()
        events = await rest

    assert events[0].task.id == first.task.id
    assert events[-1].status_update.status.state == pb.TASK_STATE_COMPLETED


async def test_there_is_nothing_to_subscribe_to_after_the_end(tmp_path: Path) -> None:
    """A task that has ended is to be got, not followed."""
    async with served.running(tmp_path, served.worker(_echo)) as server:
        client = await server.client()
        [first, *_] = [event async for event in client.send_message(served.say("hello"))]
        with pytest.raises(UnsupportedOperationError, match="has ended"):
            await _collect(client, first.task.id)


async def test_history_is_as_long_as_it_is_wanted(tmp_path: Path) -> None:
    """None, one, or all; a negative length is refused."""
    async with served.running(tmp_path, served.worker(_echo)) as server:
        client = await server.client(streaming=False)
        task = await served.sent(client, served.say("hello", configuration={"history_length": 0}))
        full = await client.get_task(pb.GetTaskRequest(id=task.id))
        none = await client.get_task(pb.GetTaskRequest(id=task.id, history_length=0))
        with pytest.raises(InvalidParamsError):
            await client.get_task(pb.GetTaskRequest(id=task.id, history_length=-1))

    assert (len(task.history), len(full.history), len(none.history)) == (0, 1, 0)


async def test_lists_are_paged_and_filtered(tmp_path: Path) -> None:
    """Newest first, page by page, by context and by state, with artifacts only if wanted."""
    async with served.running(tmp_path, served.worker(_echo)) as server:
        client = await server.client(streaming=False)
        ids = [(await served.sent(client, served.say(f"note {n}", context_id="c"))).id for n in range(5)]
        await served.sent(client, served.say("of another context"))

        def wanted(**more: object) -> pb.ListTasksRequest:
            return pb.ListTasksRequest(context_id="c", **more)  # pyright: ignore[reportArgumentType]

        one = await client.list_tasks(wanted(page_size=2))
        two = await client.list_tasks(wanted(page_size=2, page_token=one.next_page_token))
        three = await client.list_tasks(wanted(page_size=2, page_token=two.next_page_token))
        whole = await client.list_tasks(wanted(include_artifacts=True))
        none = await client.list_tasks(wanted(status=pb.TASK_STATE_FAILED))
        done = await client.list_tasks(pb.ListTasksRequest(status=pb.TASK_STATE_COMPLETED))
        with pytest.raises(InvalidParamsError, match="page token"):
            await client.list_tasks(wanted(page_token="nonsense"))
        for size in (-1, 101):
            with pytest.raises(InvalidParamsError):
                await client.list_tasks(wanted(page_size=size))

    assert [task.id for page in (one, two, three) for task in page.tasks] == ids[::-1]
    assert three.next_page_token == ""
    assert one.total_size == 5
    assert not any(task.artifacts for task in one.tasks)
    assert all(task.artifacts for task in whole.tasks)
    assert none.total_size == 0
    assert done.total_size == 6


async def test_lists_know_who_is_asked(tmp_path: Path) -> None:
    """A state is the caller's own view: what waits for somebody else is not input of theirs."""
    shop = Shop(tmp_path / "shop.db", total="250.00")
    async with served.running(tmp_path, desk(shop).build()) as server:
        ann, lea = await server.client(streaming=False), await server.client("lea", streaming=False)
        await served.sent(ann, served.say("my parcel is lost"))
        await served.sent(lea, served.say("my parcel is lost"))

        async def count(client: served.Client, state: pb.TaskState) -> int:
            return (await client.list_tasks(pb.ListTasksRequest(status=state))).total_size

        counts = [
            await count(client, state)
            for client in (ann, lea)
            for state in (pb.TASK_STATE_INPUT_REQUIRED, pb.TASK_STATE_AUTH_REQUIRED)
        ]

    assert counts == [0, 1, 1, 0]


async def test_a_foreign_task_is_not_there(tmp_path: Path) -> None:
    """Somebody else can neither get, cancel, subscribe to nor list it."""
    async with served.running(tmp_path, served.worker(_echo)) as server:
        mine = await served.sent(await server.client(streaming=False), served.say("hello"))
        bob = await server.client("bob")
        with pytest.raises(TaskNotFoundError):
            await bob.get_task(pb.GetTaskRequest(id=mine.id))
        with pytest.raises(TaskNotFoundError):
            await bob.cancel_task(pb.CancelTaskRequest(id=mine.id))
        with pytest.raises(TaskNotFoundError):
            await _collect(bob, mine.id)
        with pytest.raises(TaskNotFoundError):
            await bob.list_task_push_notification_configs(
                pb.ListTaskPushNotificationConfigsRequest(task_id=mine.id)
            )
        listed = await bob.list_tasks(pb.ListTasksRequest())

    assert listed.total_size == 0


async def test_every_graph_has_an_address_of_its_own(tmp_path: Path) -> None:
    """The first is at the root, each at /agents/NAME, and one does not see the tasks of another."""
    shop = Shop(tmp_path / "shop.db")
    async with served.running(tmp_path, desk(shop).build(), served.worker(_echo)) as server:
        root = await server.client(streaming=False)
        other = await server.client(streaming=False, path="/agents/worker")
        paid = await served.sent(root, served.say("my parcel is lost"))
        echoed = await served.sent(other, served.say("hello"))
        with pytest.raises(TaskNotFoundError):
            await other.get_task(pb.GetTaskRequest(id=paid.id))
        named = served.say("hello")
        named.tenant = "worker"
        by_name = await served.sent(root, named)
        named.tenant = "nobody"
        with pytest.raises(InvalidParamsError, match="nothing is served"):
            await served.sent(root, named)

    assert "49.90" in served.text_of(paid)
    assert served.text_of(echoed) == served.text_of(by_name) == "hello"


async def test_many_at_once_all_end(tmp_path: Path) -> None:
    """A burst of callers is worked off, each with its own answer."""
    async with served.running(tmp_path, served.worker(_echo)) as server:
        client = await server.client(streaming=False)
        async with asyncio.timeout(60):
            tasks = await asyncio.gather(*(served.sent(client, served.say(f"note {n}")) for n in range(40)))

    assert [served.text_of(task) for task in tasks] == [f"note {n}" for n in range(40)]


async def test_two_servers_share_a_database(tmp_path: Path) -> None:
    """A task at work on one is followed, got and found again on the other, which does not work on it too."""
    begun, go, count = asyncio.Event(), asyncio.Event(), [0]

    async def wait(note: Note, doors: Doors) -> Note:
        count[0] += 1
        begun.set()
        await go.wait()
        return note

    agent = served.worker(wait)
    async with served.running(tmp_path, agent) as one, served.running(tmp_path, agent) as two:
        here, there = await one.client(streaming=False), await two.client()
        request = served.say("hello")
        first = asyncio.create_task(served.sent(here, request))
        await begun.wait()
        [task] = (await there.list_tasks(pb.ListTasksRequest())).tasks
        rest = asyncio.create_task(_collect(there, task.id))
        with pytest.raises(UnsupportedOperationError, match="another process"):
            await there.cancel_task(pb.CancelTaskRequest(id=task.id))
        again = asyncio.create_task(served.sent(await two.client(streaming=False), request))
        go.set()
        async with asyncio.timeout(30):
            ended, same, events = await first, await again, await rest

    assert ended.id == same.id == task.id
    assert served.text_of(ended) == served.text_of(same) == "hello"
    assert events[-1].status_update.status.state == pb.TASK_STATE_COMPLETED
    assert count == [1]
