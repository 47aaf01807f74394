"""Where a promise could break at its edge: spent limits, missing needs, foreign words, odd values."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel

from interlock import Agent, Doors, Findings, Limits, Plan, Policy, Supervisor, Task, ToolServer, bind
from interlock.core.ports import ModelReply
from interlock.errors import ToolFailed
from tests.desk import Reply, Ticket, settings


class Word(BaseModel):
    """A small output."""

    word: str


def words(ticket: Ticket, findings: Findings) -> Reply:
    """A reply that says what every task came to."""
    return Reply(text="; ".join(f"{item.task} {item.status}" for item in findings.items))


def small(agents: list[Any], route: Any, **options: Any) -> Supervisor[Ticket, Reply]:
    """A supervisor of these agents with one route."""
    return Supervisor(
        "small",
        request=Ticket,
        response=Reply,
        agents=agents,
        routes=[route],
        answer=options.pop("answer", words),
        examples=[Ticket(text="go")],
        **options,
    )


async def fine(ticket: Ticket, doors: Doors) -> Word:
    """Does its work."""
    return Word(word="fine")


class Chatty:
    """A model whose every reply is long."""

    def __init__(self) -> None:
        """Nobody has asked it yet."""
        self.asked = 0

    async def reply(self, route: str, prompt: str) -> ModelReply:
        """A reply of a hundred tokens."""
        self.asked += 1
        return ModelReply(text="so", model="chatty", input_tokens=40, output_tokens=60)


async def test_tokens_that_are_used_up_stop_the_next_model_call(tmp_path: Path) -> None:
    """A cap on tokens ends a task that would go on asking."""
    model = Chatty()

    async def ask(ticket: Ticket, doors: Doors) -> Word:
        for number in range(9):
            await doors.think(f"and then {number}?")
        return Word(word="never")

    thinker = Agent("thinker", "Thinks.", run=ask, limits=Limits(tokens=150), attempts=1)
    graph = small([thinker], lambda ticket: Plan(Task(thinker, ticket))).build()
    async with bind(graph, settings=settings(tmp_path), models=model) as app:
        run = await app.run(Ticket(text="go"))

    assert (run.state, model.asked, run.spend.tokens) == ("failed", 2, 200)
    assert "has used 200 of 150 tokens" in run.reason


async def test_a_fallback_does_not_work_without_its_need(tmp_path: Path) -> None:
    """A task whose needed input failed is over: its fallback gets no None in place of an output."""
    ran: list[Any] = []

    async def breaks(ticket: Ticket, doors: Doors) -> Word | None:
        raise RuntimeError("no")

    async def reads(word: Word | None, doors: Doors) -> Word:
        ran.append(word)
        return Word(word="read")

    first = Agent("first", "Breaks.", run=breaks)
    spare = Agent("spare", "Stands in.", run=reads)
    second = Agent("second", "Reads.", run=reads, fallback=spare)
    other = Agent("other", "Works.", run=fine)

    def route(ticket: Ticket) -> Plan:
        needed = Task(first, ticket)
        return Plan(Task(second, needed.output), Task(other, ticket))

    async with bind(small([first, second, other], route).build(), settings=settings(tmp_path)) as app:
        run = await app.run(Ticket(text="go"))

    assert ran == []
    assert run.response == {"text": "first failed; second failed; other completed"}


async def test_the_words_of_a_failing_tool_are_masked(tmp_path: Path) -> None:
    """A secret in a tool's error reaches neither the body nor the run's reason nor a checkpoint."""
    told: list[str] = []
    server = ToolServer("vault")

    @server.tool()
    async def look(name: str) -> str:
        """Looks."""
        raise ToolFailed("the login failed with password=hunter22x")

    async def ask(ticket: Ticket, doors: Doors) -> str:
        try:
            return await doors.call(look, name="a")
        except ToolFailed as error:
            told.append(error.message)
            raise

    asker = Agent("asker", "Asks.", run=ask, tools=[look], attempts=1)
    graph = small([asker], lambda ticket: Plan(Task(asker, ticket)), policy=Policy().allow(asker, look))
    async with bind(graph.build(), settings=settings(tmp_path)) as app:
        run = await app.run(Ticket(text="go"))

    assert run.reason == told[0] == "vault/look answered with an error: the login failed with [redacted]"
    assert all(b"hunter22x" not in file.read_bytes() for file in tmp_path.glob("interlock.db*"))


async def test_nobody_can_let_out_what_is_no_response(tmp_path: Path) -> None:
    """A response without its schema is refused, and no person is asked to let it out."""

    written: Any = {"words": "password=hunter22x"}

    def broken(ticket: Ticket, findings: Findings) -> Reply:
        return written

    worker = Agent("worker", "Works.", run=fine)
    graph = small([worker], lambda ticket: Plan(Task(worker, ticket)), answer=broken)
    async with bind(graph.build(), settings=settings(tmp_path)) as app:
        run = await app.run(Ticket(text="go"))

    assert (run.state, run.outcome, run.response) == ("completed", "refused", None)
