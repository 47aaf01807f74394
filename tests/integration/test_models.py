"""Thinking through the doors: journaled, bounded, and plans made by a model checked when made."""

import json
from pathlib import Path

from pydantic import BaseModel

from interlock import Agent, Doors, Findings, GaveUp, Limits, Plan, Supervisor, Task, bind
from interlock.testing import ScriptedModels
from tests.desk import Reply, Ticket, settings


class Word(BaseModel):
    """A small output."""

    word: str


async def say(ticket: Ticket, doors: Doors) -> Word:
    """Thinks once, asks a person, and says both."""
    reply = await doors.think(f"Greet {ticket.email}")
    return Word(word=f"{reply.text} {await doors.ask('Which colour?')}")


async def twice(ticket: Ticket, doors: Doors) -> Word:
    """Thinks twice."""
    return Word(word="".join([(await doors.think("one")).text, (await doors.think("two")).text]))


def answer(ticket: Ticket, findings: Findings) -> Reply:
    """What every task came to."""
    return Reply(text="; ".join(f"{i.task} {i.status}" for i in findings.items))


async def planned_by_model(ticket: Ticket, doors: Doors) -> Plan | GaveUp | None:
    """A model names the agents to use."""
    names = json.loads((await doors.think(f"Which agents? {ticket.text}", model="planner")).text)
    known = {"sayer": sayer, "thinker": thinker, "stranger": stranger}
    return Plan(*(Task(known[name], ticket) for name in names))


sayer = Agent("sayer", "Says.", run=say)
thinker = Agent("thinker", "Thinks.", run=twice)
stranger = Agent("stranger", "Nobody the supervisor knows.", run=twice)


def supervisor(*, calls: int = 10) -> Supervisor[Ticket, Reply]:
    """A supervisor that plans by a model."""
    return Supervisor(
        "thinking",
        request=Ticket,
        response=Reply,
        agents=[sayer, thinker],
        routes=[planned_by_model],
        answer=answer,
        limits=Limits(model_calls=calls),
    )


async def test_a_re_executed_body_gets_the_same_reply(tmp_path: Path) -> None:
    """After a question is answered the body runs again; the model is not asked again and the plan stands."""
    models = ScriptedModels({"planner": ['["sayer"]'], "default": ["hello", "something else"]})
    async with bind(supervisor().build(), settings=settings(tmp_path), models=models) as app:
        run = await app.run(Ticket(text="go"))
        (question,) = await app.questions(run.id)
        await app.answer(question.id, value="red")
        ended = await app.resume(run.id)
        outputs = [
            line.body for line in await app.stores.record.lines(run.id) if line.event.kind == "task.returned"
        ]

    assert ended.outcome == "resolved"
    assert [route for route, _ in models.prompts] == ["planner", "default"]
    assert "hello red" in str(outputs)
    assert ended.spend.model_calls == 2


async def test_a_plan_that_does_not_fit_is_refused_when_it_is_made(tmp_path: Path) -> None:
    """A model that plans for an agent nobody declared ends the request as given up, with the reason."""
    models = ScriptedModels({"planner": ['["stranger"]']})
    async with bind(supervisor().build(), settings=settings(tmp_path), models=models) as app:
        run = await app.run(Ticket(text="go"))

    assert run.outcome == "gave_up"
    assert "'stranger', which is not among the supervisor's agents" in run.reason


async def test_a_model_call_over_the_budget_is_not_sent(tmp_path: Path) -> None:
    """The run's pool bounds its agents: the third call is refused before it leaves."""
    models = ScriptedModels({"planner": ['["thinker"]'], "default": ["a", "b"]})
    async with bind(supervisor(calls=2).build(), settings=settings(tmp_path), models=models) as app:
        run = await app.run(Ticket(text="go"))

    assert len(models.prompts) == 2
    assert run.state == "failed"
    assert "has used 2 of 2 model calls and asked for 1 more; the call was not sent" in run.reason


async def test_secrets_in_a_reply_are_masked(tmp_path: Path) -> None:
    """What a model lets slip never reaches a body, the state or the record."""
    models = ScriptedModels({"planner": ['["thinker"]'], "default": ["api_key: hunter2secret"]})
    async with bind(supervisor().build(), settings=settings(tmp_path), models=models) as app:
        run = await app.run(Ticket(text="go"))
        await app.stores.database.forget()

    stored = b"".join(file.read_bytes() for file in tmp_path.glob("interlock.db*"))
    assert run.outcome == "resolved"
    assert b"hunter2secret" not in stored
