"""Questions over A2A: a task that asks its caller, waits for somebody else, and goes on."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import InvalidParamsError, TaskNotFoundError, UnsupportedOperationError
from google.protobuf.json_format import MessageToDict

from interlock import Agent, Doors, Findings, Plan, Supervisor, Task
from interlock.core.principal import Principal
from interlock.orchestration.supervisor import SupervisorGraph
from tests import served
from tests.desk import Shop, desk
from tests.served import Note


async def _ask(note: Note, doors: Doors) -> Note:
    return Note(text=str(await doors.ask("Which colour?")))


async def _choose(note: Note, doors: Doors) -> Note:
    return Note(text=str(await doors.ask("Which size?", schema={"enum": ["small", "large"]})))


async def _count(note: Note, doors: Doors) -> Note:
    return Note(text=f"{await doors.ask('How many?', schema={'type': 'integer'})} pieces")


def card_of(task: pb.Task) -> dict[str, Any]:
    """The question in the task's status."""
    [card] = [
        MessageToDict(part.data) for part in task.status.message.parts if part.WhichOneof("content") == "data"
    ]
    return card


def told_by(task: pb.Task) -> str:
    """The words in the task's status."""
    return " ".join(part.text for part in task.status.message.parts if part.text)


async def test_a_question_asks_the_caller_and_the_answer_goes_on(tmp_path: Path) -> None:
    """Input is required, with the question as data; plain text of the follow-up is the answer."""
    async with served.running(tmp_path, served.worker(_ask)) as server:
        client = await server.client(streaming=False)
        asked = await served.sent(client, served.say("paint it blue or red"))
        ended = await served.sent(client, served.say("blue", task_id=asked.id))

    assert served.state_of(asked) == "input_required"
    card = card_of(asked)
    assert card["title"] == "Which colour?"
    assert card["kind"] == "clarify"
    assert card["question"].startswith("q-")
    assert "Which colour?" in told_by(asked)
    assert served.state_of(ended) == "completed"
    assert served.text_of(ended) == "blue"
    assert ended.context_id == asked.context_id
    assert [message.role for message in ended.history] == [pb.ROLE_USER, pb.ROLE_AGENT, pb.ROLE_USER]
    assert "Which colour?" in ended.history[1].parts[0].text
    assert MessageToDict(ended.history[2].parts[0].data)["value"] == "blue"


async def test_a_follow_up_stream_tells_the_rest(tmp_path: Path) -> None:
    """The stream of a message ends where the caller is asked; that of the answer goes on from there."""
    async with served.running(tmp_path, served.worker(_ask)) as server:
        client = await server.client()
        first = [event async for event in client.send_message(served.say("blue or red"))]
        task = first[0].task.id
        second = [event async for event in client.send_message(served.say("red", task_id=task))]

    assert first[-1].status_update.status.state == pb.TASK_STATE_INPUT_REQUIRED
    assert second[0].task.status.state == pb.TASK_STATE_WORKING
    assert second[-1].status_update.status.state == pb.TASK_STATE_COMPLETED
    assert "red" in str([event for event in second if event.HasField("artifact_update")])


@pytest.mark.parametrize("data", [{"value": "large"}, {"question": "ITS", "value": "large"}])
async def test_data_answers_a_choice(tmp_path: Path, data: dict[str, Any]) -> None:
    """Data names the question, or need not where there is only one; the choices are listed."""
    async with served.running(tmp_path, served.worker(_choose)) as server:
        client = await server.client(streaming=False)
        asked = await served.sent(client, served.say("small or large"))
        card = card_of(asked)
        given = {name: card["question"] if value == "ITS" else value for name, value in data.items()}
        ended = await served.sent(client, served.give(given, task_id=asked.id))

    assert card["choices"] == ["small", "large"]
    assert served.text_of(ended) == "large"


async def test_numbers_stay_whole(tmp_path: Path) -> None:
    """A2A makes floats of numbers; an integer is asked for and an integer arrives, from data or text."""
    async with served.running(tmp_path, served.worker(_count)) as server:
        client = await server.client(streaming=False)
        one = await served.sent(client, served.say("3 pieces"))
        two = await served.sent(client, served.say("3 pieces"))
        one = await served.sent(client, served.give({"value": 3}, task_id=one.id))
        two = await served.sent(client, served.say("3", task_id=two.id))

    assert served.text_of(one) == served.text_of(two) == "3 pieces"


@pytest.mark.parametrize("answer", ["green", "", "Large", '{"question": "q-000000000000", "value": "large"}'])
async def test_a_wrong_answer_leaves_the_question_open(tmp_path: Path, answer: str) -> None:
    """The reason is told, the task still asks, and a right answer is taken afterwards."""
    async with served.running(tmp_path, served.worker(_choose)) as server:
        client = await server.client(streaming=False)
        asked = await served.sent(client, served.say("small or large"))
        refused = await served.sent(client, served.say(answer, task_id=asked.id))
        ended = await served.sent(client, served.say("small", task_id=asked.id))

    assert served.state_of(refused) == "input_required"
    assert "not taken" in told_by(refused)
    assert card_of(refused) == card_of(asked)
    assert served.text_of(ended) == "small"


async def test_an_answer_sent_again_is_one_answer(tmp_path: Path) -> None:
    """A follow-up whose response was lost comes back as it is now, also after the end."""
    async with served.running(tmp_path, served.worker(_ask)) as server:
        client = await server.client(streaming=False)
        asked = await served.sent(client, served.say("blue or red"))
        answer = served.say("blue", task_id=asked.id)
        one, two = await served.sent(client, answer), await served.sent(client, answer)

    assert served.text_of(one) == served.text_of(two) == "blue"


async def test_a_yes_by_somebody_who_may_pays(tmp_path: Path) -> None:
    """The task waits for a shift-lead; hers is the yes, and the owner sees the answer."""
    shop = Shop(tmp_path / "shop.db", total="250.00")
    async with served.running(tmp_path, desk(shop).build()) as server:
        ann, lea = await server.client(streaming=False), await server.client("lea", streaming=False)
        waits = await served.sent(ann, served.say("my parcel is lost"))
        refused = await served.sent(ann, served.say("yes", task_id=waits.id))
        assert shop.rows() == []
        asked = await lea.get_task(pb.GetTaskRequest(id=waits.id))
        answered = await served.sent(lea, served.say("Yes.", task_id=waits.id))
        ended = await ann.get_task(pb.GetTaskRequest(id=waits.id))
        listed = await lea.list_tasks(pb.ListTasksRequest())

    assert served.state_of(waits) == served.state_of(refused) == "auth_required"
    assert "shift-lead" in told_by(waits)
    assert "not taken" in told_by(refused)
    assert served.state_of(asked) == "input_required"
    assert not asked.history
    assert served.state_of(answered) == "completed"
    assert not answered.artifacts
    assert listed.total_size == 0
    assert served.state_of(ended) == "completed"
    assert shop.rows() == [("A-1001", "250.00")]


async def test_words_that_are_neither_yes_nor_no_decide_nothing(tmp_path: Path) -> None:
    """An approval takes yes or no and nothing that sounds like one."""
    shop = Shop(tmp_path / "shop.db", total="250.00")
    async with served.running(tmp_path, desk(shop).build()) as server:
        ann, lea = await server.client(streaming=False), await server.client("lea", streaming=False)
        waits = await served.sent(ann, served.say("my parcel is lost"))
        for words in ("ok", "yes please", "yes, but only half", "true", "ja"):
            refused = await served.sent(lea, served.say(words, task_id=waits.id))
            assert served.state_of(refused) == "input_required"
        no = await served.sent(lea, served.give({"yes": False, "comment": "no"}, task_id=waits.id))

    assert served.state_of(no) in ("completed", "failed")
    assert shop.rows() == []


async def test_an_answer_given_elsewhere_goes_on_here(tmp_path: Path) -> None:
    """What is answered on the command line is found and gone on with, and whoever subscribed hears it."""
    shop = Shop(tmp_path / "shop.db", total="250.00")
    async with served.running(tmp_path, desk(shop).build()) as server:
        ann = await server.client()
        [*_, waits] = [event async for event in ann.send_message(served.say("my parcel is lost"))]
        app, task = server.host.app, waits.status_update.task_id
        heard: list[pb.StreamResponse] = []

        async def listen() -> None:
            async for event in ann.subscribe(pb.SubscribeToTaskRequest(id=task)):
                heard.append(event)

        listening = asyncio.create_task(listen())
        [question] = await app.questions(task)
        await app.answer(question.id, yes=True)
        async with asyncio.timeout(30):
            await listening

    assert waits.status_update.status.state == pb.TASK_STATE_AUTH_REQUIRED
    assert heard[0].task.status.state == pb.TASK_STATE_AUTH_REQUIRED
    assert heard[-1].status_update.status.state == pb.TASK_STATE_COMPLETED
    assert shop.rows() == [("A-1001", "250.00")]


async def test_a_question_outlives_the_server(tmp_path: Path) -> None:
    """A task that asks still asks after a restart, and the answer goes on where it stood."""
    async with served.running(tmp_path, served.worker(_ask)) as server:
        asked = await served.sent(await server.client(streaming=False), served.say("blue or red"))
    async with served.running(tmp_path, served.worker(_ask)) as server:
        client = await server.client(streaming=False)
        still = await client.get_task(pb.GetTaskRequest(id=asked.id))
        ended = await served.sent(client, served.say("blue", task_id=asked.id))

    assert card_of(still) == card_of(asked)
    assert served.text_of(ended) == "blue"


def painter(name: str) -> SupervisorGraph:
    """A graph `paint` whose one agent has this name."""
    agent = Agent(name, "Paints.", run=_paint)

    def paint(note: Note) -> Plan:
        """Whatever it is, it is painted."""
        return Plan(Task(agent, note))

    def answer(note: Note, findings: Findings) -> Note:
        return findings.get(agent)[0]

    return Supervisor(
        "paint",
        request=Note,
        response=Note,
        agents=[agent],
        routes=[paint],
        answer=answer,
        examples=[Note(text="a fence")],
    ).build()


async def _paint(note: Note, doors: Doors) -> Note:
    return Note(text=str(await doors.ask("Which colour?")))


async def test_a_task_that_this_code_cannot_go_on_with_says_so(tmp_path: Path) -> None:
    """It is not at work for ever, nor failed: it waits for an operator, and the old code finishes it."""
    async with served.running(tmp_path, painter("brush")) as server:
        asked = await served.sent(await server.client(streaming=False), served.say("a fence"))
    async with served.running(tmp_path, painter("roller")) as server:
        client = await server.client(streaming=False)
        async with asyncio.timeout(30):
            stuck = await served.sent(client, served.say("blue", task_id=asked.id))
    async with served.running(tmp_path, painter("brush")) as server:
        async with asyncio.timeout(30):
            await server.host.settled(asked.id, Principal(user="ann"))
        ended = await (await server.client()).get_task(pb.GetTaskRequest(id=asked.id))

    assert served.state_of(stuck) == "auth_required"
    assert "operator" in told_by(stuck)
    assert served.text_of(ended) == "blue"


async def test_follow_ups_that_cannot_be_taken(tmp_path: Path) -> None:
    """A wrong context, an unknown task, one that has ended and one of somebody else are refused."""
    async with served.running(tmp_path, served.worker(_ask)) as server:
        client = await server.client(streaming=False)
        asked = await served.sent(client, served.say("blue or red"))
        with pytest.raises(InvalidParamsError, match="another context"):
            await served.sent(client, served.say("blue", task_id=asked.id, context_id="other"))
        with pytest.raises(TaskNotFoundError):
            await served.sent(client, served.say("blue", task_id="r-000000000000"))
        with pytest.raises(TaskNotFoundError):
            await served.sent(
                await server.client("bob", streaming=False), served.say("blue", task_id=asked.id)
            )
        await served.sent(client, served.say("blue", task_id=asked.id))
        with pytest.raises(UnsupportedOperationError, match="has ended"):
            await served.sent(client, served.say("red", task_id=asked.id))


async def test_a_task_at_work_takes_no_message(tmp_path: Path) -> None:
    """It asks nothing, so there is nothing to answer."""
    go = asyncio.Event()

    async def wait(note: Note, doors: Doors) -> Note:
        await go.wait()
        return note

    async with served.running(tmp_path, served.worker(wait)) as server:
        client = await server.client(streaming=False)
        begun = await served.sent(client, served.say("hi", configuration={"return_immediately": True}))
        with pytest.raises(UnsupportedOperationError, match="asks nothing"):
            await served.sent(client, served.say("blue", task_id=begun.id))
        go.set()
