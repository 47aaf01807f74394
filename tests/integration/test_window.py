"""Conversations of many turns: what stays in the model's window, what leaves it, and what is told of that."""

import json
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from interlock import Agent, Findings, Limits, Plan, Policy, Supervisor, Task, ToolServer, bind
from interlock.core.models import ModelCall
from interlock.inference.window import fit, size, turns_of
from interlock.observability.explain import explain
from interlock.observability.narrate import narrate
from tests.desk import Reply, Ticket, settings
from tests.prompts import Actor, Said, write_prompt

pytestmark = pytest.mark.long

PAGES, WINDOW = 199, 6_000
notes = ToolServer("notes")


@notes.tool()
async def look(page: int) -> str:
    """Reads a page of a long book."""
    first = "The door's number is 4711." if page == 1 else ""
    return f"Page {page}. {first} " + f"words of page {page} " * 40


@notes.tool(effect="once")
async def mark(page: int) -> str:
    """Marks a page for good."""
    return f"page {page} is marked"


def told(call: ModelCall) -> str:
    """Everything that is sent."""
    return "\n".join(str(message.content) for message in call.messages)


def tokens(call: ModelCall) -> int:
    """What a provider would count, at four characters a token, functions included."""
    return len(json.dumps(call.model_dump(mode="json"))) // 4


def reader(folder: Path) -> Any:
    """An agent that reads a book of 199 pages with a small window."""
    prompt = write_prompt(folder, f"---\nwindow: {WINDOW}\nmax_tokens: 200\n---\nRead the book to its end.")
    agent = Agent(
        "reader",
        "Reads.",
        input=Ticket,
        output=str,
        prompt=prompt,
        tools=[look, mark],
        max_steps=2 * PAGES + 20,
        limits=Limits(seconds=120, model_calls=PAGES + 20, tool_calls=PAGES + 20, tokens=5_000_000),
    )

    def answer(ticket: Ticket, findings: Findings) -> Reply:
        return Reply(text="".join(findings.get(agent)))

    return Supervisor(
        "library",
        request=Ticket,
        response=Reply,
        agents=[agent],
        routes=[lambda ticket: Plan(Task(agent, ticket))],
        policy=Policy().allow(agent, look, mark),
        answer=answer,
        examples=[Ticket(text="go")],
        limits=Limits(model_calls=PAGES + 20, tool_calls=PAGES + 20, tokens=5_000_000),
    ).build()


class Book:
    """A reader's model: counts the pages by itself, as one whose window forgets them would have to."""

    def __init__(self) -> None:
        """Starts on the first page."""
        self.page = 0

    def __call__(self, call: ModelCall) -> Said:
        """The next page, one mark, and the number of the door at the end."""
        self.page += 1
        if self.page == 60:
            return {"notes__mark": {"page": 50}}
        if self.page > PAGES:
            return {"answer": {"output": "4711" if "4711" in told(call) else "nobody knows"}}
        return {"notes__look": {"page": self.page}}


async def test_two_hundred_turns_stay_within_the_window(tmp_path: Path) -> None:
    """Every call fits; the task and the first page's fact are in the last one; the manifest says the rest."""
    model = Actor(Book())
    async with bind(reader(tmp_path), settings=settings(tmp_path), models=model) as app:
        run = await app.run(Ticket(text="What is the door's number?"))
        lines = await app.stores.record.lines(run.id)
        story = "\n".join(narrate(explain(run, lines)))

    newest = model.heard[-1]
    assert run.response == {"text": "4711"}
    assert len(model.heard) == 200
    assert max(map(tokens, model.heard)) <= WINDOW - 200
    assert "What is the door's number?" in told(newest)
    assert "The door's number is 4711." in told(newest)
    assert 'notes__mark({"page": 50})' in told(newest)  # what was done for good is never forgotten
    fitted: list[Any] = [line.body for line in lines if line.event.kind == "context.fitted"]
    assert fitted[-1]["messages"] == 1 + 2 * PAGES
    assert fitted[-1]["sent_tokens"] <= fitted[-1]["room"]
    assert len(fitted[-1]["left_out"]) == fitted[-1]["cut"] + fitted[-1]["dropped"] > 300
    assert "the task, the first 3 and the last 4 turns stay" in fitted[-1]["rule"]
    assert f"{len(fitted)} calls of its model did not fit the window" in story
    for call in model.heard:
        assert_whole(call)


def assert_whole(call: ModelCall) -> None:
    """Each answer follows its request, and each request has its answers."""
    waiting: list[str] = []
    for message in call.messages:
        if message.speaker == "tool":
            waiting.remove(message.answers)
        else:
            assert not waiting
            waiting = [each.id for each in message.requests]
    assert not waiting


async def test_a_task_that_can_never_fit_fails_with_that_reason(tmp_path: Path) -> None:
    """A request larger than the window is not cut: the task fails, and no model is asked."""
    model = Actor(Book())
    async with bind(reader(tmp_path), settings=settings(tmp_path), models=model) as app:
        run = await app.run(Ticket(text="long " * 6_000))

    assert run.state == "failed"
    assert "does not fit reader's model: its window is 6000 tokens" in run.reason
    assert model.heard == []


def conversation(*sizes: int) -> list[BaseMessage]:
    """A task and turns whose answers have so many characters."""
    messages: list[BaseMessage] = [HumanMessage("the task")]
    for number, characters in enumerate(sizes):
        call = {"name": "look", "args": {"page": number}, "id": f"c{number}", "type": "tool_call"}
        messages.append(AIMessage("", tool_calls=[call]))  # type: ignore[list-item]
        messages.append(ToolMessage(f"{number}:" + "x" * characters, tool_call_id=f"c{number}"))
    return messages


def never(name: str) -> bool:
    """No function changes the world."""
    return False


def test_old_answers_are_cut_before_turns_are_dropped() -> None:
    """As long as cutting is enough, every turn stays; the oldest between the kept ones goes first."""
    messages = conversation(*[900] * 12)

    fitted = fit(messages, size(messages) - 300, never)

    assert len(fitted.messages) == len(messages)
    assert [len(str(m.content)) > 900 for m in fitted.messages if m.type == "tool"] == (
        [True] * 3 + [False] * 2 + [True] * 7
    )
    assert (len(fitted.cut), fitted.dropped) == (2, [])


def test_one_answer_larger_than_the_window_is_cut_wherever_it_stands() -> None:
    """Also the newest answer is shortened where nothing else would help; its beginning stays."""
    fitted = fit(conversation(50, 90_000), 1_000, never)

    assert size(fitted.messages) <= 1_000
    assert str(fitted.messages[-1].content).startswith("1:xxx")
    assert "left out" in str(fitted.messages[-1].content)


@pytest.mark.parametrize("room", [600, 1_000, 3_000, 9_000])
def test_whatever_the_room_the_conversation_fits(room: int) -> None:
    """Any mixture of large and small answers ends within the room, with the task first."""
    messages = conversation(*(10 ** (1 + number % 4) for number in range(60)))

    fitted = fit(messages, room, never)

    assert size(fitted.messages) <= room
    assert fitted.messages[0] is messages[0]
    assert all(not isinstance(turn[0], ToolMessage) for turn in turns_of(fitted.messages))


def test_fitting_is_the_same_every_time() -> None:
    """A body that is run again sends what it sent, so that the journal knows the call."""
    messages = conversation(*[500] * 40)

    first, second = (fit(messages, 2_000, never) for _ in range(2))

    assert first == second


@pytest.mark.parametrize("share", [0.3, 0.6, 0.8])
def test_a_large_task_leaves_less_for_the_rest(share: float) -> None:
    """The task stays whole; the first and the last turns share what it leaves."""
    messages = conversation(*[400] * 30)
    messages[0] = HumanMessage("t" * int(3_000 * 3 * share))

    fitted = fit(messages, 3_000, never)

    assert size(fitted.messages) <= 3_000
    assert fitted.messages[0] is messages[0]
    assert fitted.messages[-2:] == messages[-2:]


def test_many_large_answers_to_one_reply_are_all_kept_in_part() -> None:
    """Answers of the newest reply are shortened together, and none of them is lost."""
    calls: list[Any] = [
        {"name": "look", "args": {"page": n}, "id": f"c{n}", "type": "tool_call"} for n in range(9)
    ]
    answers = [ToolMessage("y" * 9_000, tool_call_id=f"c{n}") for n in range(9)]
    messages: list[BaseMessage] = [HumanMessage("the task"), AIMessage("", tool_calls=calls), *answers]

    fitted = fit(messages, 3_000, never)

    assert size(fitted.messages) <= 3_000
    assert [m.tool_call_id for m in fitted.messages if isinstance(m, ToolMessage)] == [c["id"] for c in calls]
    assert len(fitted.cut) == 9
