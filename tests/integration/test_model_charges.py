"""What models cost is kept, however a call of theirs ends: in the run's spend, its budget and its record."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from interlock import Agent, Doors, Findings, Limits, Plan, Supervisor, Task, bind
from interlock.core.runs import Run
from interlock.errors import BudgetExceeded
from interlock.inference.gateway import ModelGateway
from interlock.inference.routes import Candidate, Price
from interlock.observability.explain import explain
from interlock.observability.narrate import narrate
from interlock.testing import ModelServer
from interlock.testing.model_server import Hangs, Refuses, Says, Script
from tests.desk import Reply, Ticket, settings

Body = Callable[[Ticket, Doors], Awaitable[str]]


def supervised(body: Body, limits: Limits | None = None) -> Any:
    """A graph in which one coded body works on every ticket."""
    agent = Agent("thinker", "Thinks.", run=body, limits=limits or Limits(seconds=20, model_calls=9))

    def always(ticket: Ticket) -> Plan | None:
        """Every ticket."""
        return Plan(Task(agent, ticket))

    def answer(ticket: Ticket, findings: Findings) -> Reply:
        return Reply(text="; ".join(f"{item.status} {item.output}" for item in findings.items))

    parts: dict[str, Any] = {"request": Ticket, "response": Reply, "examples": [Ticket(text="x")]}
    return Supervisor("thinking", agents=[agent], routes=[always], answer=answer, **parts).build()


async def ran(graph: Any, folder: Path, gateway: ModelGateway) -> tuple[Run, list[dict[str, Any]], str]:
    """Runs one ticket, answering every question: the run, what models did, and the story."""
    async with bind(graph, settings=settings(folder), models=gateway) as app:
        run = await app.run(Ticket(text="go"))
        while run.state == "waiting_for_approval":
            for question in await app.questions(run.id):
                await app.answer(question.id, value="go on")
            run = await app.resume(run.id)
        lines = await app.stores.record.lines(run.id)
    of_models = [line for line in lines if line.event.kind.startswith("model.")]
    told = [{"kind": one.event.kind, **one.body} for one in of_models if isinstance(one.body, dict)]
    return run, told, " ".join(" ".join(narrate(explain(run, lines))).split())


@asynccontextmanager
async def behind(*scripts: Script, **more: Any) -> AsyncGenerator[tuple[ModelGateway, list[ModelServer]]]:
    """One route with a server for each script."""
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(ModelServer(script, **more)) for script in scripts]
        listed = [Candidate(f"m{n}", url=each.url, max_tokens=500) for n, each in enumerate(servers)]
        yield await stack.enter_async_context(ModelGateway({"default": listed})), servers


async def test_a_budget_that_ends_on_the_way_forgets_no_charge(tmp_path: Path) -> None:
    """The first model is paid in vain, the second is too dear: run again, nobody is asked or paid again."""

    async def body(ticket: Ticket, doors: Doors) -> str:
        with suppress(BudgetExceeded):
            await doors.think("Where?")
        await doors.ask("What now?")
        return "done"

    # A reply that no one can use: it says that it is a call, and its arguments are cut off.
    bad = Says(calls=[("look", "{")], input_tokens=400, output_tokens=400)
    async with behind([bad], ["fine"]) as (gateway, servers):
        graph = supervised(body, Limits(seconds=20, model_calls=9, tokens=1_000))
        run, told, story = await ran(graph, tmp_path, gateway)

    assert [len(each.book) for each in servers] == [1, 0]
    assert (run.outcome, run.spend.tokens, run.spend.model_calls) == ("resolved", 800, 1)
    assert [(each["kind"], each["code"]) for each in told] == [("model.failed", "budget_exceeded")]
    assert "m0: malformed tool call" in story


async def test_a_call_that_nobody_waited_for_is_paid_and_recorded(tmp_path: Path) -> None:
    """A body's own patience ended in the middle of a reply: what was said until then stands in the books."""

    async def body(ticket: Ticket, doors: Doors) -> str:
        begun = asyncio.Event()
        thinking = asyncio.ensure_future(doors.think("Where?", heard=lambda piece: begun.set()))
        await begun.wait()
        thinking.cancel()
        await asyncio.wait([thinking])
        return "impatient"

    async with behind([Says("so " * 4_000)], pause_s=0.01) as (gateway, _):
        run, told, story = await ran(supervised(body), tmp_path, gateway)

    assert run.outcome == "resolved" and run.spend.tokens > 0 and run.spend.model_calls == 1
    assert [(each["kind"], each["tokens"]) for each in told] == [("model.failed", run.spend.tokens)]
    assert "nobody waited" in story


async def test_a_model_that_hangs_until_the_end_is_in_the_story(tmp_path: Path) -> None:
    """The task's time was over while a model was silent: people read that it was asked, and what."""

    async def body(ticket: Ticket, doors: Doors) -> str:
        return (await doors.think("Are you there?")).text

    async with behind([Hangs()]) as (gateway, _):
        run, told, story = await ran(supervised(body, Limits(seconds=0.5)), tmp_path, gateway)

    assert run.spend.model_calls == 1
    assert [each["kind"] for each in told] == ["model.failed"] and told[0]["prompt"] == "Are you there?"
    assert "Are you there?" in story


async def test_explain_tells_who_was_passed_over(tmp_path: Path) -> None:
    """Of a reply: which models were asked before, and why they did not give it."""

    async def body(ticket: Ticket, doors: Doors) -> str:
        return (await doors.think("Where?")).text

    async with behind([Refuses(500)], ["here"]) as (gateway, _):
        _, told, story = await ran(supervised(body), tmp_path, gateway)

    assert told[0]["passed"][0]["why"] == "error 500"
    assert "m0: error 500" in story


async def test_explain_tells_that_no_model_answered(tmp_path: Path) -> None:
    """A body that went on without its model: the story has the question, and why nobody answered it."""

    async def body(ticket: Ticket, doors: Doors) -> str:
        with pytest.raises(Exception, match="no model behind route"):
            await doors.think("Where?")
        return "alone"

    async with behind([Refuses(500)]) as (gateway, _):
        run, _, story = await ran(supervised(body), tmp_path, gateway)

    assert run.outcome == "resolved" and "m0: error 500" in story and "Where?" in story


async def test_a_known_cost_beside_an_unknown_one_is_kept(tmp_path: Path) -> None:
    """What the first model's broken reply cost is not known; what the second one costs is counted."""

    async def body(ticket: Ticket, doors: Doors) -> str:
        said = await doors.think("Where?")
        await doors.ask("Really?")
        return f"{said.usd}"

    bad = Says(calls=[("look", "{")], input_tokens=400, output_tokens=400)
    async with (
        ModelServer([bad]) as first,
        ModelServer([Says("here", input_tokens=10, output_tokens=5)]) as second,
    ):
        dear = Price(Decimal(10), Decimal(10))
        listed = [Candidate("m0", url=first.url), Candidate("m1", url=second.url, price=dear)]
        async with ModelGateway({"default": listed}) as gateway:
            run, told, _ = await ran(supervised(body), tmp_path, gateway)

    assert (run.spend.usd, run.spend.tokens) == (Decimal("0.00015"), 815)
    assert told[0]["usd"] is None and "None" in str(run.response)


async def test_a_second_attempt_asks_again(tmp_path: Path) -> None:
    """The first attempt's model failed, and that is not replayed to the second one; its own reply is."""
    seen: list[str] = []

    async def body(ticket: Ticket, doors: Doors) -> str:
        seen.append((await doors.think("Where?")).text)
        await doors.ask("Really?")
        return seen[-1]

    async with behind([Refuses(500), "here", "elsewhere"]) as (gateway, (server,)):
        run, told, _ = await ran(supervised(body), tmp_path, gateway)

    assert (run.outcome, seen, len(server.book)) == ("resolved", ["here", "here"], 2)
    assert [each["kind"] for each in told] == ["model.failed", "model.called"]
    assert run.spend.model_calls == 2


async def test_the_same_question_twice_at_once_has_two_answers(tmp_path: Path) -> None:
    """Asked side by side and run again after a person's answer: each call gets its own reply once more."""
    seen: list[list[str]] = []

    async def body(ticket: Ticket, doors: Doors) -> str:
        seen.append([each.text for each in await asyncio.gather(*(doors.think("Roll.") for _ in range(4)))])
        await doors.ask("Again?")
        return "rolled"

    async with behind([str(number) for number in range(1, 9)]) as (gateway, (server,)):
        run, told, _ = await ran(supervised(body), tmp_path, gateway)

    assert len(server.book) == 4
    assert len(seen) == 2 and seen[0] == seen[1] and sorted(seen[0]) == ["1", "2", "3", "4"]
    assert len(told) == 4 == run.spend.model_calls
