"""Tasks that ask the same thing and were told different things, replayed in another order."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from interlock import Agent, Doors, Findings, Plan, Supervisor, Task, bind
from interlock.bootstrap import Stores
from interlock.core.models import ModelCall, ModelReply
from interlock.evaluation.replay import Recording, replay
from tests.desk import Reply, Ticket, settings


class Counting:
    """A model that never says the same thing twice."""

    def __init__(self) -> None:
        """Was not asked yet."""
        self.asked = 0

    async def reply(self, route: str, call: ModelCall, **more: Any) -> ModelReply:
        """Says how often it was asked."""
        self.asked += 1
        more["budget"].charge(tokens=2)
        return ModelReply(text=f"answer {self.asked}", model="m", input_tokens=1, output_tokens=1)


def twins(first: str) -> Any:
    """Two agents that ask a model the same; the first one has its answer before the other one asks."""
    told = asyncio.Event()

    def thinker(name: str) -> Agent[Any, Reply]:
        async def think(ticket: Ticket, doors: Doors) -> Reply:
            if name != first:
                await told.wait()
            reply = await doors.think("How are you?")
            told.set()
            return Reply(text=f"{name}: {reply.text}")

        return Agent(name, "Thinks.", run=think)

    ann, bob = thinker("ann"), thinker("bob")

    def both(ticket: Ticket) -> Plan:
        """At once."""
        return Plan(Task(ann, ticket), Task(bob, ticket))

    def answer(ticket: Ticket, findings: Findings) -> Reply:
        return Reply(text="; ".join(each.text for each in (*findings.get(ann), *findings.get(bob))))

    return Supervisor(
        "twins",
        request=Ticket,
        response=Reply,
        agents=[ann, bob],
        routes=[both],
        answer=answer,
        examples=[Ticket(text="x")],
    ).build()


@pytest.mark.parametrize(("then", "now"), [("ann", "bob"), ("bob", "ann"), ("bob", "bob")])
async def test_each_task_gets_its_own_models_answer(tmp_path: Path, then: str, now: str) -> None:
    """Whoever asks first now is told what it was told then."""
    given, model = settings(tmp_path), Counting()
    async with bind(twins(then), settings=given, models=model) as app:
        run = await app.run(Ticket(text="my parcel is lost"))
    async with Stores.open(given) as stores:
        recording = await Recording.read(stores, run.id)
    seen = await replay(twins(now), run.graph, recording, given)

    assert f"{then}: answer 1" in str(run.response)
    assert (seen.same, seen.outcome) == (True, run.outcome), seen.differences
    assert model.asked == 2
