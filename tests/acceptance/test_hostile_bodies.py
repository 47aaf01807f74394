"""Bodies that do everything wrong, against the bound graph: no payment nobody approved, and never stuck.

A body is a random program of door calls, another one at each execution. Between its executions
people answer at random, and workers stop and start anew on the same database.
"""

import asyncio
import itertools
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from interlock import Agent, Doors, Findings, GaveUp, Plan, Policy, Supervisor, Task, bind
from interlock.bootstrap import Bound
from interlock.core.runs import FINAL, Run
from interlock.settings import Settings
from tests.payments import Book, Paid, Style, payment_server

TURNS, PATIENCE_S = 10, 30
AMOUNTS = (5, 7, 12)
DENIED = 950


class Order(BaseModel):
    """What is asked."""

    id: str


class Reply(BaseModel):
    """What the customer reads."""

    text: str


class Op(NamedTuple):
    """One step of a program; wrappers have steps inside."""

    kind: str
    amount: int = 0
    inside: tuple["Op", ...] = ()


class Program(NamedTuple):
    """What a body does in one of its executions, and how it leaves."""

    steps: tuple[Op, ...]
    leaves: str


WRAPPERS = ("swallow", "swallow_all", "gather", "tolerant", "leak", "late", "stubborn", "hurry", "twice")
LEAVES = ("well", "wrongly", "raising", "giving up")


PAY = st.sampled_from((*AMOUNTS, DENIED)).map(lambda amount: Op("pay", amount))
OTHER = st.sampled_from(("roll", "ask", "clock", "chance", "ungranted", "raise")).map(Op)
LEAF = st.one_of(PAY, PAY, PAY, OTHER)


def wrapped(inside: st.SearchStrategy[Op]) -> st.SearchStrategy[Op]:
    """One to three steps inside something else."""
    steps = st.lists(inside, min_size=1, max_size=3).map(tuple)
    return st.builds(Op, st.sampled_from(WRAPPERS), st.just(0), steps)


ONCE = wrapped(LEAF)
STEPS = st.lists(st.one_of(LEAF, ONCE, wrapped(st.one_of(LEAF, ONCE))), min_size=1, max_size=4).map(tuple)
PROGRAMS = st.lists(st.builds(Program, STEPS, st.sampled_from(LEAVES)), min_size=1, max_size=3)
ANSWERS = st.lists(
    st.sampled_from(("yes", "yes", "no", "restart", "cut early", "cut late")), min_size=1, max_size=6
)


@dataclass
class Body:
    """Runs another program at each execution."""

    pay: Any
    ungranted: Any
    programs: list[Program]
    own: random.Random
    executions: int = 0
    left: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    async def run(self, order: Order, doors: Doors) -> Paid | GaveUp:
        """One execution."""
        program = self.programs[self.executions % len(self.programs)]
        self.executions += 1
        for step in program.steps:
            await self.do(step, doors)
        match program.leaves:
            case "wrongly":
                return "nonsense"  # type: ignore[return-value]
            case "raising":
                raise RuntimeError("after all that")
            case "giving up":
                return GaveUp(reason="no wish to go on")
            case _:
                return Paid(order_id="A-1", amount=Decimal(1))

    async def do(self, op: Op, doors: Doors) -> None:
        """One step."""
        if op.kind in WRAPPERS:
            await self.wrapped(op, doors)
        elif op.kind == "pay":
            await doors.call(self.pay, order_id="A-1", amount=Decimal(op.amount))
        elif op.kind == "roll":
            await doors.call(self.pay, order_id="A-1", amount=Decimal(self.own.choice((*AMOUNTS, 901))))
        elif op.kind == "ask":
            await doors.ask("How much?")
        elif op.kind == "clock":
            await doors.now()
        elif op.kind == "chance":
            await doors.random()
        elif op.kind == "ungranted":
            await doors.call(self.ungranted, order_id="A-1", amount=Decimal(3))
        else:
            raise RuntimeError("in the middle")

    async def wrapped(self, op: Op, doors: Doors) -> None:
        """Steps inside something that should not be around them."""
        match op.kind:
            case "swallow":
                try:
                    await self.all(op, doors)
                except Exception:
                    return
            case "swallow_all":
                try:
                    await self.all(op, doors)
                except BaseException:
                    return
            case "gather" | "tolerant":
                calls = (self.do(each, doors) for each in op.inside)
                await asyncio.gather(*calls, return_exceptions=op.kind == "tolerant")
            case "leak" | "late" | "stubborn":
                self.leave(getattr(self, f"_{op.kind}")(op, doors))
                await asyncio.sleep(0)
            case "hurry":
                async with asyncio.timeout(0.001):
                    await self.all(op, doors)
            case _:
                await self.all(op, doors)
                await self.all(op, doors)

    async def all(self, op: Op, doors: Doors) -> None:
        """The steps inside, one after the other."""
        for each in op.inside:
            await self.do(each, doors)

    def leave(self, work: Any) -> None:
        """Starts something and never waits for it."""
        task = asyncio.ensure_future(work)
        self.left.add(task)
        task.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def _leak(self, op: Op, doors: Doors) -> None:
        await self.all(op, doors)

    async def _late(self, op: Op, doors: Doors) -> None:
        """Calls when the body has long returned."""
        for _ in range(300):
            await asyncio.sleep(0)
        await self.all(op, doors)

    async def _stubborn(self, op: Op, doors: Doors) -> None:
        """Does not let itself be cancelled the first time."""
        try:
            await self.all(op, doors)
        except BaseException:
            await asyncio.Event().wait()


def hostile_graph(style: Style, book: Book, body: Body) -> Any:
    """A supervisor with one agent, which is the body; every payment needs a yes, large ones are denied."""
    _, body.pay = payment_server(style, book)
    other, body.ungranted = payment_server("keyed", book)
    other.name = "other"

    async def run(order: Order, doors: Doors) -> Paid | GaveUp:
        return await body.run(order, doors)

    payer = Agent("payer", "Pays.", run=run, tools=[body.pay])
    policy = Policy().forbid(payer, body.pay, when=lambda args: args["amount"] > 900).ask(payer, body.pay)

    def pay(asked: Order) -> Plan:
        """Everything is a payment."""
        return Plan(Task(payer, asked))

    def answer(asked: Order, findings: Findings) -> Reply:
        return Reply(text="Done." if findings.get(payer) else "A colleague will write to you.")

    made = Supervisor(
        "desk",
        request=Order,
        response=Reply,
        agents=[payer],
        routes=[pay],
        policy=policy,
        answer=answer,
        examples=[Order(id="A-1")],
    )
    return made.build()


@asynccontextmanager
async def worker(graph: Any, folder: Path) -> AsyncGenerator[Bound]:
    """A worker that starts on the database as it is."""
    chosen = Settings(
        database_url=f"sqlite:///{folder / 'i.db'}", key_folder=folder / "keys", lease_s=5, user="ann"
    )
    async with bind(graph, settings=chosen) as app:
        yield app


async def cut(app: Bound, run: str, turns: int) -> None:
    """Stops a worker in the middle of what it does."""
    working = asyncio.ensure_future(app.resume(run))
    for _ in range(turns):
        await asyncio.sleep(0)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


def check(book: Book, questions: list[Any], run: Run) -> None:
    """What must hold after every segment."""
    yes = Counter(
        Decimal(str(q.details["arguments"]["amount"]))
        for q in questions
        if q.kind == "approve" and q.state == "answered" and q.answer["yes"]
    )
    paid = Counter(row.amount for row in book.rows())
    assert paid <= yes, f"paid {paid}, approved {yes}"
    assert all(row.amount <= 900 for row in book.rows())
    if run.state not in FINAL:
        assert run.state in ("waiting_for_approval", "blocked"), run
        assert [q for q in questions if q.state == "open"], f"{run.state} without a question"


async def live(style: Style, programs: list[Program], answers: list[str], seed: int, folder: Path) -> Run:
    """One run of a hostile body to its end, or for a number of turns."""
    book = Book(folder / "payments.db", unique=style == "keyed")
    body = Body(None, None, programs, random.Random(seed))
    graph = hostile_graph(style, book, body)
    choices = itertools.cycle(answers)
    async with worker(graph, folder) as app:
        run = await app.run(Order(id="A-1"))
        check(book, await app.stores.inbox.list(None, run.id), run)
    for _ in range(TURNS):
        if run.state in FINAL:
            break
        async with worker(graph, folder) as app:
            for question in await app.questions(run.id):
                choice = next(choices)
                if choice.startswith("cut"):
                    await cut(app, run.id, 30 if choice == "cut early" else 250)
                    break
                if choice == "restart":
                    break
                value = {"order_id": "A-1", "amount": "1"} if question.kind == "settle" else "as before"
                await app.answer(question.id, yes=choice == "yes", value=value)
        async with worker(graph, folder) as app:
            run = await app.resume(run.id)
            check(book, await app.stores.inbox.list(None, run.id), run)
    return run


@pytest.fixture(scope="module")
def empty() -> Generator[Path]:
    """A folder with an empty database, to be copied."""
    with tempfile.TemporaryDirectory() as name:

        async def touch() -> None:
            body = Body(None, None, [], random.Random(0))
            async with worker(hostile_graph("keyed", Book(), body), Path(name)):
                pass

        asyncio.run(touch())
        yield Path(name)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    style=st.sampled_from(("keyed", "lookup", "bare")),
    programs=PROGRAMS,
    answers=ANSWERS,
    seed=st.integers(0, 1000),
)
def test_a_hostile_body_never_pays_more_than_was_approved(
    empty: Path, style: Style, programs: list[Program], answers: list[str], seed: int
) -> None:
    """Whatever a body does, each payment has its own yes, none is denied, and the run ends or asks."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(shutil.copytree(empty, Path(name) / "run"))

        async def bounded() -> Run:
            async with asyncio.timeout(PATIENCE_S):
                return await live(style, programs, answers, seed, folder)

        asyncio.run(bounded())


FIVE = Op("pay", 5)
SEVEN = Op("pay", 7)
NAMED: dict[str, tuple[list[Program], str, list[int]]] = {
    "swallows its question": ([Program((Op("swallow", 0, (FIVE,)),), "well")], "completed", [5]),
    "swallows everything": ([Program((Op("swallow_all", 0, (FIVE,)),), "well")], "completed", [5]),
    "asks and pays at once": ([Program((Op("gather", 0, (Op("ask"), FIVE)),), "well")], "completed", [5]),
    "pays twice": ([Program((Op("twice", 0, (FIVE,)),), "well")], "completed", [5, 5]),
    "pays when it is over": ([Program((Op("late", 0, (FIVE,)),), "well")], "completed", []),
    "leaves something that will not end": (
        [Program((Op("stubborn", 0, (FIVE,)),), "well")],
        "completed",
        [],
    ),
    "changes its mind after the yes": (
        [Program((FIVE,), "well"), Program((SEVEN,), "well")],
        "completed",
        [5],
    ),
    "breaks after it has paid": ([Program((FIVE,), "raising")], "failed", [5]),
    "answers nonsense after it has paid": ([Program((FIVE,), "wrongly")], "failed", [5]),
    "pays what is denied": ([Program((Op("pay", DENIED),), "well")], "failed", []),
    "pays something else when tried again": (
        [Program((FIVE,), "well"), Program((FIVE,), "raising"), Program((SEVEN,), "well")],
        "completed",
        [5],
    ),
}


@pytest.mark.parametrize("name", NAMED)
def test_a_hostile_body_that(empty: Path, tmp_path: Path, name: str) -> None:
    """With every question answered by yes, each way of misbehaving ends as it should and pays what it may."""
    programs, state, amounts = NAMED[name]
    folder = Path(shutil.copytree(empty, tmp_path / "run"))

    run = asyncio.run(live("keyed", programs, ["yes"], 0, folder))

    assert run.state == state
    assert [int(row.amount) for row in Book(folder / "payments.db").rows()] == amounts
