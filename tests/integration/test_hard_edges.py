"""Where a promise could break at its edge: spent limits, missing needs, foreign words, odd values."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from interlock import Agent, Doors, Findings, GaveUp, Limits, Plan, Policy, Supervisor, Task, ToolServer, bind
from interlock.core.models import ModelCall, ModelReply
from interlock.core.reflections import Reflection
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

    async def reply(self, route: str, call: ModelCall, **more: Any) -> ModelReply:
        """A reply of a hundred tokens."""
        self.asked += 1
        more["budget"].charge(tokens=100)
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


@pytest.mark.parametrize(
    ("output", "told"),
    [
        (float("nan"), "nan is not a JSON number"),
        (2**60 + 1, "beyond 2**53: give it as a string"),
        ("\ud800", "half of a character"),
    ],
)
async def test_an_output_nothing_can_keep_fails_its_task_alone(
    tmp_path: Path, output: Any, told: str
) -> None:
    """What JSON has no word for is refused like an output without its schema; siblings are not touched."""

    async def odd(ticket: Ticket, doors: Doors) -> float | int | str:
        return output

    strange = Agent("strange", "Returns odd things.", run=odd)
    other = Agent("other", "Works.", run=fine)
    graph = small([strange, other], lambda ticket: Plan(Task(strange, ticket), Task(other, ticket)))
    async with bind(graph.build(), settings=settings(tmp_path)) as app:
        run = await app.run(Ticket(text="go"))

    assert run.response == {"text": "strange failed; other completed"}
    assert told in run.reason


async def test_a_bodys_own_words_are_kept_or_refused(tmp_path: Path) -> None:
    """Reasons are stored without secrets and half characters; a claim no JSON holds is the body's error."""

    async def gives_up(ticket: Ticket, doors: Doors) -> Word | GaveUp:
        return GaveUp(reason="\ud800 password=hunter22x", tried=("pin: password=hunter22x",))

    async def claims(ticket: Ticket, doors: Doors) -> Word:
        doors.claim("weight", float("inf"), source="scales")
        return Word(word="claimed")

    one, two = Agent("one", "Gives up.", run=gives_up), Agent("two", "Claims.", run=claims)
    other = Agent("other", "Works.", run=fine)

    def route(ticket: Ticket) -> Plan:
        return Plan(Task(one, ticket), Task(two, ticket), Task(other, ticket))

    async with bind(small([one, two, other], route).build(), settings=settings(tmp_path)) as app:
        run = await app.run(Ticket(text="go"))

    assert run.response == {"text": "one gave_up; two failed; other completed"}
    assert run.reason == "one: ? [redacted]; two: two broke: ValueError."
    assert all(b"hunter22x" not in file.read_bytes() for file in tmp_path.glob("interlock.db*"))


async def test_a_tools_answer_that_nothing_can_keep_is_its_failure(tmp_path: Path) -> None:
    """A number too large for JSON is told as what it is, not as a broken body."""
    server = ToolServer("ids")

    @server.tool()
    async def newest() -> int:
        """The newest id."""
        return 2**60 + 1

    async def ask(ticket: Ticket, doors: Doors) -> int:
        return await doors.call(newest)

    asker = Agent("asker", "Asks.", run=ask, tools=[newest], attempts=1)
    async with bind(
        small([asker], lambda ticket: Plan(Task(asker, ticket))).build(), settings=settings(tmp_path)
    ) as app:
        run = await app.run(Ticket(text="go"))

    assert run.reason == "ids/newest answered with something the record cannot keep as JSON."


async def test_a_judge_that_breaks_fails_its_task_alone(tmp_path: Path) -> None:
    """Its siblings go on, and nobody reads what was not judged."""

    def judge(word: Word) -> str | None:
        raise KeyError(word.word)

    judged, other = Agent("judged", "Works.", run=fine), Agent("other", "Works.", run=fine)
    graph = small(
        [judged, other],
        lambda ticket: Plan(Task(judged, ticket), Task(other, ticket)),
        reflections=[Reflection(judged, judge)],
    )
    async with bind(graph.build(), settings=settings(tmp_path)) as app:
        run = await app.run(Ticket(text="go"))

    assert run.response == {"text": "judged failed; other completed"}
    assert run.reason == "judged: the judge of judged broke: KeyError."


async def test_a_route_cannot_swallow_its_question(tmp_path: Path) -> None:
    """A route that catches everything still waits for the answer it asked for."""
    other = Agent("other", "Works.", run=fine)

    async def ask(ticket: Ticket, doors: Doors) -> Plan | GaveUp:
        try:
            who = await doors.ask("Who is it?")
        except Exception:
            who = "nobody"
        return Plan(Task(other, ticket)) if who == "ann" else GaveUp(reason=str(who))

    async with bind(small([other], ask).build(), settings=settings(tmp_path)) as app:
        run = await app.run(Ticket(text="go"))
        (question,) = await app.questions(run.id)
        await app.answer(question.id, value="ann")
        ended = await app.resume(run.id)

    assert (run.state, ended.state, ended.outcome) == ("waiting_for_approval", "completed", "resolved")


async def test_a_process_cannot_take_a_run_from_itself(tmp_path: Path) -> None:
    """Of two that resume one run in the same process, one goes on and the other is told so."""

    async def slow(ticket: Ticket, doors: Doors) -> Word:
        await asyncio.sleep(0.3)
        return Word(word="done")

    worker = Agent("worker", "Works.", run=slow)
    graph = small([worker], lambda ticket: Plan(Task(worker, ticket))).build()
    async with bind(graph, settings=settings(tmp_path)) as app:
        started = await app.engine.start(Ticket(text="go"), app.user)
        both = await asyncio.gather(app.resume(started.id), app.resume(started.id), return_exceptions=True)
        ended = await app.resume(started.id)

    assert sorted(type(each).__name__ for each in both) == ["Run", "RunBusy"]
    assert (ended.state, ended.fence) == ("completed", 1)


async def test_a_fallback_reads_what_it_was_granted_without_a_policy(tmp_path: Path) -> None:
    """The policy that stands where none is given covers fallbacks as well."""
    server = ToolServer("shelf")

    @server.tool()
    async def see(name: str) -> str:
        """Sees."""
        return name

    async def breaks(ticket: Ticket, doors: Doors) -> Word:
        raise RuntimeError("no")

    async def reads(ticket: Ticket, doors: Doors) -> Word:
        return Word(word=await doors.call(see, name="it"))

    spare = Agent("spare", "Reads.", run=reads, tools=[see])
    first = Agent("first", "Breaks.", run=breaks, fallback=spare)
    graph = small([first], lambda ticket: Plan(Task(first, ticket))).build()
    async with bind(graph, settings=settings(tmp_path)) as app:
        run = await app.run(Ticket(text="go"))

    assert run.response == {"text": "first degraded"}


async def test_a_fallbacks_output_is_found_under_the_agent_it_stood_in_for(tmp_path: Path) -> None:
    """`Findings.get` has what an agent's fallback came to; an output may hold any keys."""

    async def breaks(ticket: Ticket, doors: Doors) -> dict[str, Any]:
        raise RuntimeError("no")

    async def marks(ticket: Ticket, doors: Doors) -> dict[str, Any]:
        return {"inside": {"$artifact": "is only a word here"}}

    spare = Agent("spare", "Stands in.", run=marks)
    first = Agent("first", "Breaks.", run=breaks, fallback=spare, attempts=1)

    def answer(ticket: Ticket, findings: Findings) -> Reply:
        return Reply(text=str(findings.get(first)))

    def route(ticket: Ticket) -> Plan:
        return Plan(Task(first, ticket), Task(first, ticket))

    async with bind(small([first], route, answer=answer).build(), settings=settings(tmp_path)) as app:
        run = await app.run(Ticket(text="go"))

    one = "{'inside': {'$artifact': 'is only a word here'}}"
    assert run.response == {"text": f"[{one}, {one}]"}


async def test_a_route_ends_with_the_runs_time(tmp_path: Path) -> None:
    """A route that takes longer than the whole run may is cut, and the request given up."""
    other = Agent("other", "Works.", run=fine)

    async def slow(ticket: Ticket, doors: Doors) -> Plan:
        await asyncio.sleep(60)
        return Plan(Task(other, ticket))

    graph = small([other], slow, limits=Limits(seconds=0.3)).build()
    async with bind(graph, settings=settings(tmp_path)) as app:
        run = await app.run(Ticket(text="go"))

    assert (run.state, run.outcome) == ("completed", "gave_up")
    assert "the run's time was over before a route had a plan" in run.reason


async def test_a_server_that_never_answers_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that starts and says nothing is unavailable after a while, whoever waits for it."""
    monkeypatch.setattr("interlock.mcp.connections.CONNECT_S", 0.3)
    mute = ToolServer.stdio("mute", [sys.executable, "-c", "import time; time.sleep(60)"])

    @mute.tool()
    async def look() -> str:
        """Looks."""
        raise NotImplementedError

    async def ask(ticket: Ticket, doors: Doors) -> str:
        return await doors.call(look)

    asker = Agent("asker", "Asks.", run=ask, tools=[look], attempts=1)
    graph = small([asker], lambda ticket: Plan(Task(asker, ticket))).build()
    async with bind(graph, settings=settings(tmp_path)) as app:
        run = await app.run(Ticket(text="go"))

    assert "tool server mute cannot be reached (TimeoutError); nothing was sent." in run.reason
