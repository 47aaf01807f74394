"""Each guard twice: switched on there is no harm, switched off there is; the other side's book tells."""

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from dataclasses import field as field_
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from interlock import Agent, Doors, Findings, Limits, Plan, Policy, Supervisor, Task, ToolServer, bind
from interlock.bootstrap import Bound
from interlock.core.guards import ON, Guards
from interlock.core.ports import SystemClock
from interlock.core.runs import Run
from interlock.errors import LeaseLost
from interlock.orchestration.deliver import Delivery
from interlock.settings import Settings
from tests.payments import Book, Style, payment_server


class Order(BaseModel):
    """What is asked."""

    id: str


class Done(BaseModel):
    """What a body came to."""

    what: str = "done"


class Reply(BaseModel):
    """What the customer reads."""

    text: str


@dataclass
class Desk:
    """One agent with a payment tool, a mail server, and their books."""

    folder: Path
    style: Style = "keyed"
    limits: Limits = field_(default_factory=Limits)
    says: str = "Done."
    executions: int = 0

    def __post_init__(self) -> None:
        """Opens the books."""
        self.book = Book(self.folder / "payments.db", unique=self.style == "keyed")
        _, self.pay = payment_server(self.style, self.book)
        self.letters = self.folder / "letters.txt"
        self.letters.touch()
        self.clerk = ToolServer("clerk")

    @property
    def paid(self) -> list[int]:
        """The amounts in the payment server's book."""
        return [int(row.amount) for row in self.book.rows()]

    def graph(
        self,
        body: Callable[[Doors, int], Awaitable[Any]],
        rules: Callable[[Policy, Any, Any], Policy] = lambda policy, agent, tool: policy.allow(agent, tool),
        reads: tuple[Any, ...] = (),
    ) -> Any:
        """The graph of an agent whose body is told which of its executions this is."""

        async def run(order: Order, doors: Doors) -> Done:
            self.executions += 1
            await body(doors, self.executions)
            return Done()

        payer = Agent("payer", "Pays.", run=run, tools=[self.pay, *reads], limits=self.limits)
        mail = ToolServer("mail")

        @mail.tool(effect="once", key="key", speaks=True)
        async def send(text: str, key: str = "") -> bool:
            """Writes to the customer."""
            with self.letters.open("a", encoding="utf-8") as file:
                file.write(text + "\n")
            return True

        def pay(asked: Order) -> Plan:
            """Everything is a payment."""
            return Plan(Task(payer, asked))

        def answer(asked: Order, findings: Findings) -> Reply:
            return Reply(text=self.says)

        policy = rules(Policy(), payer, self.pay)
        for tool in reads:
            policy.allow(payer, tool)
        made = Supervisor(
            "desk",
            request=Order,
            response=Reply,
            agents=[payer],
            routes=[pay],
            policy=policy,
            answer=answer,
            examples=[Order(id="A-1")],
            deliver=Delivery(send, lambda request, response: {"text": response.text}),
            max_revisions=0,
        )
        return made.build()

    def open(self, graph: Any, guards: Guards, **more: Any) -> Bound:
        """The graph, bound to the desk's database."""
        chosen = Settings(
            database_url=f"sqlite:///{self.folder / 'i.db'}",
            key_folder=self.folder / "keys",
            user="ann",
            lease_s=7200,
        )
        return bind(graph, settings=chosen, guards=guards, **more)


async def pay(doors: Doors, desk: Desk, amount: int) -> None:
    """Pays an amount."""
    await doors.call(desk.pay, order_id="A-1", amount=Decimal(amount))


async def run_once(desk: Desk, graph: Any, guards: Guards) -> Run:
    """Runs to the end or the first question."""
    async with desk.open(graph, guards) as app:
        return await app.run(Order(id="A-1"))


@pytest.mark.parametrize(("guards", "paid"), [(ON, [40]), (Guards(journal=False), [40, 40])])
async def test_journal(tmp_path: Path, guards: Guards, paid: list[int]) -> None:
    """A body that breaks after it paid is tried again: with the journal it pays once, without it twice."""
    desk = Desk(tmp_path)

    async def body(doors: Doors, execution: int) -> None:
        await pay(doors, desk, 40)
        if execution == 1:
            raise ConnectionError("after the payment")

    run = await run_once(desk, desk.graph(body), guards)

    assert run.state == "completed"
    assert desk.paid == paid


@pytest.mark.parametrize(("guards", "paid"), [(ON, []), (Guards(approvals=False), [9999])])
async def test_approvals(tmp_path: Path, guards: Guards, paid: list[int]) -> None:
    """A yes for 10 is a yes for 10: proposing 9,999 afterwards asks anew; unguarded, 9,999 is paid."""
    desk = Desk(tmp_path)

    async def body(doors: Doors, execution: int) -> None:
        await pay(doors, desk, 10 if execution == 1 else 9999)

    async with desk.open(desk.graph(body, lambda p, agent, tool: p.ask(agent, tool)), guards) as app:
        run = await app.run(Order(id="A-1"))
        (question,) = await app.questions(run.id)
        assert question.title.endswith("amount 10")
        await app.answer(question.id, yes=True)
        run = await app.resume(run.id)
        asked = [question.title for question in await app.questions(run.id)]

    assert desk.paid == paid
    assert (run.state, len(asked)) == (("completed", 0) if paid else ("waiting_for_approval", 1))
    assert all(title.endswith("amount 9999") for title in asked)


@pytest.mark.parametrize(("guards", "paid"), [(ON, [40]), (Guards(policy=False), [40, 9999])])
async def test_policy(tmp_path: Path, guards: Guards, paid: list[int]) -> None:
    """A call that a rule denies is not made; with the policy off it is."""
    desk = Desk(tmp_path)

    async def body(doors: Doors, execution: int) -> None:
        await pay(doors, desk, 40)
        await pay(doors, desk, 9999)

    def rules(policy: Policy, agent: Any, tool: Any) -> Policy:
        return policy.forbid(agent, tool, when=lambda args: args["amount"] > 900).allow(agent, tool)

    await run_once(desk, desk.graph(body, rules), guards)

    assert desk.paid == paid


@pytest.mark.parametrize(
    "says",
    [
        "We paid back 812.50 EUR.",
        "Your password is hunter2-and-more.",
        "Your card 4111 1111 1111 1111 was charged.",
    ],
)
@pytest.mark.parametrize(("guards", "leaves"), [(ON, False), (Guards(gate=False), True)])
async def test_gate(tmp_path: Path, guards: Guards, leaves: bool, says: str) -> None:
    """An invented amount and a secret do not reach the customer; with the gate off they do."""
    desk = Desk(tmp_path, says=says)

    async def body(doors: Doors, execution: int) -> None:
        await pay(doors, desk, 40)

    async with desk.open(desk.graph(body), guards) as app:
        run = await app.run(Order(id="A-1"))
        for question in await app.questions(run.id):
            await app.answer(question.id, yes=False)
            run = await app.resume(run.id)

    assert run.state == "completed"
    assert run.outcome == ("resolved" if leaves else "refused")
    assert desk.letters.read_text() == (f"{says}\n" if leaves else "")


@pytest.mark.parametrize(("guards", "paid"), [(ON, [1, 2]), (Guards(limits=False), [1, 2, 3, 4, 5])])
async def test_limits(tmp_path: Path, guards: Guards, paid: list[int]) -> None:
    """A body that may make two calls makes two, however often it tries; with the limits off it makes five."""
    desk = Desk(tmp_path, limits=Limits(tool_calls=2))

    async def body(doors: Doors, execution: int) -> None:
        for amount in (1, 2, 3, 4, 5):
            await pay(doors, desk, amount)

    await run_once(desk, desk.graph(body), guards)

    assert desk.paid == paid


class LateClock(SystemClock):
    """A clock by which every lease of the others is over."""

    def now(self) -> datetime:
        """Three hours ahead."""
        return super().now() + timedelta(hours=3)


@pytest.mark.parametrize(("guards", "paid"), [(ON, [40]), (Guards(fencing=False), [40, 40])])
async def test_fencing(tmp_path: Path, guards: Guards, paid: list[int]) -> None:
    """A worker that was taken over while it stood still can neither pay nor store; unfenced, it does both."""
    desk = Desk(tmp_path, style="bare")
    stands, goes_on = asyncio.Event(), asyncio.Event()

    @desk.clerk.tool()
    async def think_it_over() -> bool:
        """Takes its time, the first time."""
        if not stands.is_set():
            stands.set()
            await goes_on.wait()
        return True

    async def body(doors: Doors, execution: int) -> None:
        await doors.call(think_it_over)
        await pay(doors, desk, 40)

    graph = desk.graph(body, reads=(think_it_over,))
    async with desk.open(graph, guards) as zombie:
        started = await zombie.engine.start(Order(id="A-1"), zombie.user)
        dying = asyncio.ensure_future(zombie.resume(started.id))
        await stands.wait()
        async with desk.open(graph, guards, clock=LateClock()) as heir:
            run = await heir.resume(started.id)
        assert (run.state, desk.paid) == ("completed", [40])
        goes_on.set()
        (ended,) = await asyncio.gather(dying, return_exceptions=True)

    assert desk.paid == paid
    assert isinstance(ended, LeaseLost) == guards.fencing
    assert newest_fence(tmp_path / "i.db", started.id) == (2 if guards.fencing else 1)


def newest_fence(database: Path, run: str) -> int:
    """The fencing number in the newest checkpoint of a run."""
    with sqlite3.connect(database) as db:
        query = (
            "SELECT metadata FROM checkpoints WHERE thread_id = ? AND checkpoint_ns = '' "
            "ORDER BY checkpoint_id DESC LIMIT 1"
        )
        (found,) = db.execute(query, (run,)).fetchone()
    db.close()
    return json.loads(found)["fence"]
