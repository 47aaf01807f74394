"""Push notifications: screened, signed, sent until they have arrived, and no burden for the run."""

import asyncio
import base64
import json
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import InvalidParamsError, TaskNotFoundError

from interlock import Agent, Doors, bind
from interlock.a2a.pushes import ATTEMPTS
from interlock.a2a.screening import Screen
from interlock.core.hosting import View
from interlock.core.principal import Principal
from interlock.core.questions import Answer
from interlock.errors import BadInput
from interlock.persistence.pushes import SqlNotifications
from interlock.persistence.signing import verify
from interlock.server.host import Host
from interlock.settings import ServeSettings
from interlock.testing.clock import StillClock
from tests import served
from tests.desk import Shop, desk, settings
from tests.served import Note
from tests.told import Sent, receiver

pytestmark = pytest.mark.long

OPEN = ServeSettings(push_hosts=("127.0.0.1",), push_http=True)


async def _echo(note: Note, doors: Doors) -> Note:
    return note


async def _ask(note: Note, doors: Doors) -> Note:
    return Note(text=str(await doors.ask("Which colour?")))


def wish(url: str, **more: Any) -> pb.TaskPushNotificationConfig:
    """A push configuration."""
    return pb.TaskPushNotificationConfig(url=url, **more)


def message(url: str, **more: Any) -> pb.SendMessageRequest:
    """A message that wants to be told how it goes on."""
    return served.say("hello", configuration={"task_push_notification_config": wish(url, **more)})


def ended(got: list[Sent]) -> bool:
    """Says whether a whole task has arrived."""
    return any("task" in json.loads(sent.body) for sent in got)


async def test_the_end_of_a_task_is_told_and_signed(tmp_path: Path) -> None:
    """The last message holds the task with its answer, token and credentials, and a signature."""
    async with receiver() as told, served.running(tmp_path, served.worker(_echo), serve=OPEN) as server:
        auth = pb.AuthenticationInfo(scheme="Bearer", credentials="for-the-receiver")
        client = await server.client(streaming=False)
        task = await served.sent(client, message(told.url, token="t-1", authentication=auth))
        got = await told.until(ended)
        public = server.host.app.stores.signer.public

    last = got[-1]
    body = json.loads(last.body)["task"]
    assert body["id"] == task.id
    assert body["status"]["state"] == "TASK_STATE_COMPLETED"
    assert body["artifacts"][0]["parts"][0]["text"] == "hello"
    assert last.headers["x-a2a-notification-token"] == "t-1"
    assert last.headers["authorization"] == "Bearer for-the-receiver"
    assert last.headers["host"] == told.url.removeprefix("http://").removesuffix("/told")
    version, _, signature = last.headers["webhook-signature"].partition(",")
    signed = f"{last.headers['webhook-id']}.{last.headers['webhook-timestamp']}.".encode() + last.body
    assert version == "v1a"
    assert verify(public, signed, base64.b64decode(signature).hex())
    assert not verify(public, signed + b" ", base64.b64decode(signature).hex())


async def test_a_question_is_told_too(tmp_path: Path) -> None:
    """A subscriber hears that input is required, and later the end."""
    async with receiver() as told, served.running(tmp_path, served.worker(_ask), serve=OPEN) as server:
        client = await server.client(streaming=False)
        asked = await served.sent(client, message(told.url))
        await told.until(lambda got: any(b"INPUT_REQUIRED" in sent.body for sent in got))
        await served.sent(client, served.say("blue", task_id=asked.id))
        got = await told.until(ended)

    states = [json.loads(sent.body).get("statusUpdate", {}).get("status", {}).get("state") for sent in got]
    assert "TASK_STATE_INPUT_REQUIRED" in states
    assert len({sent.headers["webhook-id"] for sent in got}) == len(got)


async def test_a_receiver_that_fails_gets_it_again(tmp_path: Path) -> None:
    """Each attempt has the same id; the task itself ended long before."""
    async with (
        receiver(503, 503) as told,
        served.running(tmp_path, served.worker(_echo), serve=OPEN) as server,
    ):
        task = await served.sent(await server.client(streaming=False), message(told.url))
        got = await told.until(lambda got: len(got) >= 3)

    assert served.state_of(task) == "completed"
    assert len({sent.headers["webhook-id"] for sent in got[:3]}) == 1


async def test_what_waits_outlives_the_server(tmp_path: Path) -> None:
    """A receiver that was down hears of it from the next server."""
    async with receiver() as there:
        port = int(there.url.rsplit(":", 1)[1].removesuffix("/told"))
    async with served.running(tmp_path, served.worker(_echo), serve=OPEN) as server:
        task = await served.sent(await server.client(streaming=False), message(there.url))
    async with receiver(port=port) as told, served.running(tmp_path, served.worker(_echo), serve=OPEN):
        got = await told.until(ended)

    assert json.loads(got[-1].body)["task"]["id"] == task.id


async def test_attempts_are_spaced_and_end(tmp_path: Path) -> None:
    """Time alone brings the next attempt, each after twice the wait, until it is given up."""
    clock = StillClock()
    async with (
        receiver(*[500] * 100) as told,
        served.running(tmp_path, served.worker(_echo), serve=OPEN, clock=clock) as server,
    ):
        await served.sent(await server.client(streaming=False), message(told.url))
        waits: list[int] = []
        for _ in range(5):
            count, waited = len(told.got), 0
            while len(told.got) == count:
                await _quiet(server)
                clock.advance(1)
                waited += 1
            waits.append(waited)
        for _ in range(3 * ATTEMPTS):
            clock.advance(600)
            await _quiet(server)

    assert waits[1:] == sorted(waits[1:])
    assert waits[-1] >= 8
    assert len(told.got) == ATTEMPTS


async def _quiet(server: served.Running) -> None:
    """Lets the sender look, and waits for what it sends."""
    await server.served.pushes.turn()
    await server.served.pushes.idle()


async def test_a_redirect_is_no_way_in(tmp_path: Path) -> None:
    """A receiver that sends us elsewhere is not followed."""
    async with (
        receiver() as inside,
        receiver(307, 307, 307) as told,
        served.running(tmp_path, served.worker(_echo), serve=OPEN) as server,
    ):
        told.location = inside.url
        await served.sent(await server.client(streaming=False), message(told.url))
        await told.until(lambda got: len(got) >= 2)

    assert inside.got == []


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9/x",
        "https://127.0.0.1/x",
        "https://localhost/x",
        "https://10.1.2.3/x",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/x",
        "https://[::ffff:127.0.0.1]/x",
        "https://[2002:7f00:1::]/x",
        "https://[fec0::1]/x",
        "https://100.64.0.1/x",
        "https://0.0.0.0/x",
        "https://ann:secret@93.184.216.34/x",
        "http://93.184.216.34/x",
        "ftp://93.184.216.34/x",
        "https:///x",
        "https://93.184.216.34:99999/x",
        "https://nobody.invalid/x",
        "file:" + "//" + "/etc/passwd",
        "x" * 3000,
    ],
)
async def test_what_may_not_be_told_starts_nothing(tmp_path: Path, url: str) -> None:
    """Private, plain, unreadable and unknown addresses are refused before anything is stored."""
    async with served.running(tmp_path, served.worker(_echo)) as server:
        client = await server.client(streaming=False)
        with pytest.raises(InvalidParamsError, match="notifications"):
            await served.sent(client, message(url))
        assert (await client.list_tasks(pb.ListTasksRequest())).total_size == 0


async def test_a_name_that_turns_private_is_not_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    """The address that is connected to is the one that was screened, at each attempt anew."""
    answers = ["93.184.216.34", "10.0.0.1"]

    async def resolve(host: str, port: int, **more: Any) -> list[Any]:
        return [(0, 0, 0, "", (answers.pop(0), port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    screen = Screen()

    assert await screen.passed("https://told.example/x") == "93.184.216.34"
    with pytest.raises(BadInput, match="not public"):
        await screen.passed("https://told.example/x")


async def test_a_url_that_could_not_be_sent_to_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers of URLs differ: one that resolves and cannot be sent to would be tried for ever."""

    async def resolve(host: str, port: int, **more: Any) -> list[Any]:
        return [(0, 0, 0, "", ("93.184.216.34", port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)

    with pytest.raises(BadInput, match="can be read"):
        await Screen().passed("https://\u2603.example/x")


async def test_one_run_that_cannot_be_told_keeps_no_other_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever breaks about one subscription, the others are told."""
    view, broken = Host.view, set[str]()

    async def shown(self: Host, run: str, who: Principal) -> View:
        if run in broken:
            raise ValueError("cannot be shown")
        return await view(self, run, who)

    async with receiver() as told, served.running(tmp_path, served.worker(_ask), serve=OPEN) as server:
        client = await server.client(streaming=False)
        first = await served.sent(client, message(told.url))
        broken.add(first.id)
        monkeypatch.setattr(Host, "view", shown)
        await server.host.app.cancel(first.id, by=Principal(user="ann"))
        second = await served.sent(client, message(told.url))
        got = await told.until(lambda got: any(second.id.encode() in sent.body for sent in got))

    assert not any(first.id.encode() in sent.body and b"CANCELED" in sent.body for sent in got)


async def test_configurations_are_kept_by_id(tmp_path: Path) -> None:
    """Created, found, listed, replaced and deleted; headers that could not be sent are refused."""
    async with receiver() as told, served.running(tmp_path, served.worker(_ask), serve=OPEN) as server:
        client = await server.client(streaming=False)
        task = await served.sent(client, served.say("hello"))
        one = await client.create_task_push_notification_config(wish(told.url, task_id=task.id, id="p-1"))
        two = await client.create_task_push_notification_config(wish(told.url, task_id=task.id))
        await client.create_task_push_notification_config(
            wish(told.url, task_id=task.id, id="p-1", token="new")
        )
        got = await client.get_task_push_notification_config(
            pb.GetTaskPushNotificationConfigRequest(task_id=task.id, id="p-1")
        )
        listed = await client.list_task_push_notification_configs(
            pb.ListTaskPushNotificationConfigsRequest(task_id=task.id)
        )
        for config in (one, two, one):
            await client.delete_task_push_notification_config(
                pb.DeleteTaskPushNotificationConfigRequest(task_id=task.id, id=config.id)
            )
        with pytest.raises(TaskNotFoundError):
            await client.get_task_push_notification_config(
                pb.GetTaskPushNotificationConfigRequest(task_id=task.id, id="p-1")
            )
        with pytest.raises(InvalidParamsError, match="HTTP headers"):
            await client.create_task_push_notification_config(
                wish(told.url, task_id=task.id, token="a\r\nX-Evil: yes")
            )

    assert got.token == "new"
    assert {config.id for config in listed.configs} == {"p-1", two.id}


async def test_erasing_a_person_takes_what_waits_to_be_told(tmp_path: Path) -> None:
    """An answer about somebody does not outlive their erasure in the outbox."""
    shop = Shop(tmp_path / "shop.db")
    graph = desk(shop, subject=lambda ticket: ticket.email).build()
    config = wish("http://127.0.0.1:9/nobody")
    async with served.running(tmp_path, graph, serve=OPEN) as server:
        request = served.say("my parcel is lost", configuration={"task_push_notification_config": config})
        task = await served.sent(await server.client(streaming=False), request)
        await server.served.pushes.turn()
        await server.served.pushes.idle()
        stores = server.host.app.stores
        stored = SqlNotifications(stores.database, stores.clock)
        later = stores.clock.now() + timedelta(days=1)
        before = await stored.due(later)
        await stores.record.erase("ann@example.com", "olga", stores.clock.now())
        after = await stored.due(later)

    assert [notification.subscription.run for notification in before] == [task.id]
    assert after == []


async def test_a_receiver_that_never_stops_talking_is_not_listened_to(tmp_path: Path) -> None:
    """Its status is all that is read: the notification has arrived, and no memory is filled."""
    gone, told = asyncio.Event(), 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal told
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        with suppress(ConnectionError):
            while not gone.is_set():
                writer.write(b"x" * 65536)
                told += 65536
                await writer.drain()
        gone.set()
        writer.close()

    receiving = await asyncio.start_server(talk, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{receiving.sockets[0].getsockname()[1]}/told"
    async with receiving, served.running(tmp_path, served.worker(_echo), serve=OPEN) as server:
        client = await server.client(streaming=False)
        try:
            await served.sent(client, message(url))
            async with asyncio.timeout(20):
                await gone.wait()
                await server.served.pushes.idle()
            left = await _waiting(server)
        finally:
            gone.set()

    assert left == []
    assert told < 64 * 1024 * 1024


async def test_another_servers_graphs_are_not_this_ones_to_tell(tmp_path: Path) -> None:
    """Of two servers on one database, the one that does not host a run leaves its subscribers alone."""
    async with receiver() as told:
        async with served.running(tmp_path, served.worker(_ask), serve=OPEN) as server:
            client = await server.client(streaming=False)
            task = await served.sent(client, message(told.url))
            await told.until(lambda got: any(b"INPUT_REQUIRED" in sent.body for sent in got))
        other = Agent("other", "Does something else.", run=_echo)
        async with served.running(tmp_path, other, serve=OPEN) as beside:
            async with bind(served.worker(_ask), settings=settings(tmp_path)) as app:
                asked = (await app.stores.inbox.list(run=task.id))[0]
                answer = Answer(question=asked.id, by=Principal(user="ann"), value="blue")
                await app.stores.inbox.answer(answer)
                await app.resume(task.id)
            for _ in range(60):
                await beside.served.pushes.turn()
        async with served.running(tmp_path, served.worker(_ask), serve=OPEN):
            got = await told.until(ended)

    assert json.loads(got[-1].body)["task"]["id"] == task.id


async def _waiting(server: served.Running) -> list[object]:
    """What is in the outbox, whenever it is due."""
    stores = server.host.app.stores
    stored = SqlNotifications(stores.database, stores.clock)
    return list(await stored.due(stores.clock.now() + timedelta(days=1)))
