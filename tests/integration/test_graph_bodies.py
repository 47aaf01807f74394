"""LangGraph graphs as bodies that act: nothing finished is repeated, effects happen once."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from pydantic import BaseModel
from typing_extensions import TypedDict

from interlock import Agent, Doors, Findings, Plan, Policy, Supervisor, Task, ToolServer, bind
from tests.desk import Reply, Ticket, settings


class Done(BaseModel):
    """What the body came to."""

    text: str


class Steps(TypedDict, total=False):
    """State of the body."""

    text: str
    asked: str


class World:
    """A server with a log of what really happened, and a body of three nodes."""

    def __init__(self, *, checkpointed: bool = True) -> None:
        """With or without checkpoints of the body's own."""
        self.happened: list[str] = []
        self.visits: list[str] = []
        self.second = "second"
        self.broken = 0
        self.server = ToolServer("world")
        server = self.server

        @server.tool(effect="once", key="key")
        async def act(what: str, key: str = "") -> bool:
            """Does something."""
            self.happened.append(what)
            return True

        self.act = act
        graph: Any = StateGraph(Steps)
        for name, node in (("one", self.one), ("ask", self.ask), ("two", self.two)):
            graph.add_node(name, node)
        graph.add_edge(START, "one")
        graph.add_edge("one", "ask")
        graph.add_edge("ask", "two")
        graph.add_edge("two", END)
        self.agent = Agent(
            "doer",
            "Does things.",
            graph=graph.compile() if checkpointed else graph.compile(checkpointer=False),
            write=_write,
            read=self.read,
            tools=[act],
        )

    async def one(self, state: Steps, runtime: Runtime[Any]) -> Steps:
        """Acts twice, the same both times."""
        doors: Doors = runtime.context
        self.visits.append("one")
        await doors.call(self.act, what="first")
        await doors.call(self.act, what="first")
        return {}

    async def ask(self, state: Steps, runtime: Runtime[Any]) -> Steps:
        """Asks a person."""
        doors: Doors = runtime.context
        self.visits.append("ask")
        return {"asked": str(await doors.ask("Go on?"))}

    async def two(self, state: Steps, runtime: Runtime[Any]) -> Steps:
        """Acts the same way once more, and once in its own."""
        doors: Doors = runtime.context
        self.visits.append("two")
        await doors.call(self.act, what="first")
        await doors.call(self.act, what=self.second)
        return {"text": state.get("asked", "")}

    def read(self, state: Mapping[str, Any]) -> Done:
        """The output; broken as often as told."""
        if self.broken:
            self.broken -= 1
            return Done.model_construct()
        return Done(text=state["text"])

    def supervisor(self) -> Supervisor[Ticket, Reply]:
        """One task for the body."""

        def answer(ticket: Ticket, findings: Findings) -> Reply:
            return Reply(text=findings.get(self.agent)[0].text)

        return Supervisor(
            "world",
            request=Ticket,
            response=Reply,
            agents=[self.agent],
            routes=[lambda ticket: Plan(Task(self.agent, ticket))],
            policy=Policy().allow(self.agent, self.act),
            answer=answer,
            examples=[Ticket(text="go")],
        )


def _write(ticket: Ticket) -> Mapping[str, Any]:
    return {"text": ticket.text}


EVERYTHING = ["first", "first", "first", "second"]


@pytest.mark.parametrize(
    ("checkpointed", "visits"),
    [(True, ["one", "ask", "ask", "two"]), (False, ["one", "ask", "one", "ask", "two"])],
)
async def test_a_question_in_the_middle(tmp_path: Path, checkpointed: bool, visits: list[str]) -> None:
    """Finished nodes are repeated only where the body keeps no checkpoints; effects never are."""
    world = World(checkpointed=checkpointed)
    async with bind(world.supervisor().build(), settings=settings(tmp_path)) as app:
        run = await app.run(Ticket(text="go"))
        (question,) = await app.questions(run.id)
        await app.answer(question.id, value="yes")
        ended = await app.resume(run.id)

    assert (ended.state, ended.response) == ("completed", {"text": "yes"})
    assert world.visits == visits
    assert world.happened == EVERYTHING


@pytest.mark.parametrize("checkpointed", [True, False])
async def test_another_attempt_repeats_nothing(tmp_path: Path, checkpointed: bool) -> None:
    """An output that does not fit is made anew; what the first one caused is answered from the journal."""
    world = World(checkpointed=checkpointed)
    world.broken = 1
    async with bind(world.supervisor().build(), settings=settings(tmp_path)) as app:
        run = await app.run(Ticket(text="go"))
        while run.state == "waiting_for_approval":
            (question,) = await app.questions(run.id)
            await app.answer(question.id, value="yes")
            run = await app.resume(run.id)

    assert (run.state, run.response) == ("completed", {"text": "yes"})
    assert world.happened == EVERYTHING


def change_second(world: World) -> None:
    """The body's second act is another one now."""
    world.second = "something else"


@pytest.mark.parametrize(("checkpointed", "change"), [(True, change_second), (False, change_second)])
async def test_another_attempt_that_wants_something_else_is_held(
    tmp_path: Path, checkpointed: bool, change: Callable[[World], None]
) -> None:
    """A second attempt that asks for another effect first has diverged: blocked, and nothing more happens."""
    world = World(checkpointed=checkpointed)
    world.broken = 1
    async with bind(world.supervisor().build(), settings=settings(tmp_path)) as app:
        run = await app.run(Ticket(text="go"))
        (question,) = await app.questions(run.id)
        read = world.read
        await app.answer(question.id, value="yes")
        world.agent.read = lambda state: (change(world), read(state))[1]
        run = await app.resume(run.id)
        while run.state == "waiting_for_approval":
            (question,) = await app.questions(run.id)
            await app.answer(question.id, value="yes")
            run = await app.resume(run.id)

    assert run.state == "blocked"
    assert world.happened == EVERYTHING
