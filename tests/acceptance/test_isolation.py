"""What one agent may see of the others, and what a worker may do once another one has taken over."""

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langgraph.config import get_config
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from pydantic import BaseModel
from typing_extensions import TypedDict

from interlock import Agent, Doors, Findings, Plan, Policy, Supervisor, Task, ToolServer, bind
from interlock.bootstrap import Bound
from interlock.core.plans import AnyTask
from interlock.core.ports import SystemClock
from interlock.errors import InterlockError
from interlock.settings import Settings
from tests.integration.stored import Child
from tests.payments import Book, Paid, payment_server


class Order(BaseModel):
    """What is asked."""

    id: str


class Note(BaseModel):
    """What an agent says: its canary."""

    text: str


class Reply(BaseModel):
    """What the customer reads."""

    text: str


class LateClock(SystemClock):
    """A clock by which the leases of all others are over."""

    def now(self) -> datetime:
        """Three hours ahead."""
        return super().now() + timedelta(hours=3)


def bound(graph: Any, folder: Path, *, late: bool = False) -> Bound:
    """The graph on the database of a folder; leases last so long that no heartbeat is ever due."""
    url = f"sqlite:///{folder / 'i.db'}"
    chosen = Settings(database_url=url, key_folder=folder / "keys", user="ann", lease_s=7200)
    return bind(graph, settings=chosen, clock=LateClock() if late else None)


# What an agent sees ------------------------------------------------------------------------------


def everything(*values: Any, depth: int = 7) -> Iterator[str]:
    """All text that can be reached from values, by items and by attributes, private ones too."""
    known: dict[int, Any] = {}
    layer: list[Any] = list(values)
    for _ in range(depth):
        found: list[Any] = []
        for value in layer:
            if isinstance(value, str | bytes | int | float | Decimal | None):
                yield str(value)
            elif id(value) not in known and not callable(value):
                known[id(value)] = value
                found += inside(value)
        layer = found


def inside(value: Any) -> list[Any]:
    """What a value holds: items of a container, attributes of anything else."""
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    if isinstance(value, list | tuple | set | frozenset):
        return list(value)
    slots = {slot for kind in type(value).__mro__ for slot in getattr(kind, "__slots__", ())}
    return [getattr(value, name, None) for name in {*slots, *getattr(value, "__dict__", ())}]


class Watch:
    """What each agent of one run saw."""

    def __init__(self) -> None:
        """Nobody has seen anything."""
        self.seen: dict[str, str] = {}

    def look(self, name: str, *things: Any) -> None:
        """Remembers what an agent can reach: inputs, doors, and what LangGraph tells about the run."""
        told = get_config()
        # LangGraph keeps its own machinery under names of its own; to use that is to break out.
        settings = {k: v for k, v in told.get("configurable", {}).items() if not k.startswith("__pregel")}
        self.seen[name] = "\n".join(everything(*things, settings, dict(told.get("metadata", {}))))


def canary(name: str) -> str:
    """What only one agent says."""
    return f"canary-of-{name}-{hash(name) & 0xFFFFFF:06x}"


class Shown(TypedDict, total=False):
    """State of an agent that is a graph."""

    notes: list[Any]
    text: str


def watched_agent(name: str, needs: int, watch: Watch, secret: Any, as_graph: bool) -> Any:
    """An agent with so many inputs that reads its canary by a tool and says it."""

    async def see(doors: Doors, *inputs: Any) -> Note:
        text = await doors.call(secret, name=name)
        watch.look(name, inputs, doors)
        return Note(text=text)

    if as_graph:

        async def work(state: Shown, runtime: Runtime[Any]) -> Shown:
            note = await see(runtime.context, state, runtime)
            return {"text": note.text}

        made: Any = StateGraph(Shown)
        made.add_node("work", work)
        made.add_edge(START, "work")
        made.add_edge("work", END)
        return Agent(
            name, "Sees.", graph=made.compile(), write=WRITES[needs], read=_read, tools=[secret], attempts=1
        )

    async def none(asked: Order, doors: Doors) -> Note:
        return await see(doors, asked)

    async def one(asked: Order, a: Note, doors: Doors) -> Note:
        return await see(doors, asked, a)

    async def two(asked: Order, a: Note, b: Note, doors: Doors) -> Note:
        return await see(doors, asked, a, b)

    bodies: tuple[Any, ...] = (none, one, two)
    return Agent(name, "Sees.", run=bodies[needs], tools=[secret], attempts=1)


def _read(state: Any) -> Note:
    return Note(text=state["text"])


def _write_none(asked: Order) -> dict[str, Any]:
    return {"notes": []}


def _write_one(asked: Order, a: Note) -> dict[str, Any]:
    return {"notes": [a.text]}


def _write_two(asked: Order, a: Note, b: Note) -> dict[str, Any]:
    return {"notes": [a.text, b.text]}


WRITES: tuple[Any, ...] = (_write_none, _write_one, _write_two)


@st.composite
def plans(draw: st.DrawFn) -> tuple[list[tuple[list[int], bool]], list[int]]:
    """Three to six agents (whom each needs, whether it is a graph), and what the drafter is told of."""
    size = draw(st.integers(3, 6))
    agents = [
        (draw(st.lists(st.integers(0, n - 1), max_size=2, unique=True)) if n else [], draw(st.booleans()))
        for n in range(size)
    ]
    return agents, draw(st.lists(st.integers(0, size - 1), min_size=1, max_size=3, unique=True))


@pytest.fixture(scope="module")
def empty() -> Generator[Path]:
    """A folder with an empty database, to be copied."""
    with tempfile.TemporaryDirectory() as name:

        async def touch() -> None:
            async with bound(held_graph(Book(), None)[0], Path(name)):
                pass

        asyncio.run(touch())
        yield Path(name)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(plan=plans())
def test_a_canary_reaches_only_who_declared_it(
    empty: Path, plan: tuple[list[tuple[list[int], bool]], list[int]]
) -> None:
    """In any plan, an agent sees the canaries of the tasks it refers to, and no other but its own."""
    shape, told = plan
    watch, aviary = Watch(), ToolServer("aviary")

    @aviary.tool()
    async def secret(name: str) -> str:
        """Says an agent's canary."""
        return canary(name)

    agents = [
        watched_agent(f"agent{n}", len(needs), watch, secret, as_graph)
        for n, (needs, as_graph) in enumerate(shape)
    ]

    async def draft(findings: Findings, doors: Doors) -> Note:
        watch.look("drafter", findings, doors)
        return Note(text="drafted")

    drafter = Agent("drafter", "Drafts.", run=draft, attempts=1)

    def route(asked: Order) -> Plan:
        """The plan that was drawn."""
        tasks: list[AnyTask] = []
        for agent, (needs, _) in zip(agents, shape, strict=True):
            tasks.append(Task(agent, asked, *(tasks[n].output for n in needs)))
        return Plan(*tasks, closing=Task(drafter, Findings.of(*(tasks[n] for n in told))))

    supervisor = Supervisor(
        "aviary",
        request=Order,
        response=Reply,
        agents=[*agents, drafter],
        routes=[route],
        policy=Policy().allow("*", secret),
        answer=lambda asked, findings: Reply(text="Seen."),
        examples=[Order(id="A-1")],
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(shutil.copytree(empty, Path(name) / "run"))

        async def run() -> str:
            async with bound(supervisor.build(), folder) as app:
                return (await app.run(Order(id="A-1"))).state

        assert asyncio.run(run()) == "completed"
    everyone = [f"agent{n}" for n in range(len(agents))]
    allowed = {f"agent{n}": {f"agent{m}" for m in needs} for n, (needs, _) in enumerate(shape)}
    allowed["drafter"] = {f"agent{n}" for n in told}
    reached = {name: {each for each in everyone if canary(each) in text} for name, text in watch.seen.items()}
    seen = {name: others - {name} for name, others in reached.items()}
    assert seen == allowed


class Nest:
    """Something that hides a value."""

    __slots__ = ("_hidden",)

    def __init__(self, hidden: Any) -> None:
        """Hides it."""
        self._hidden = hidden


def test_the_watch_would_see_a_leak() -> None:
    """A canary behind private attributes and containers, as deep as the doors' own parts, is found."""
    assert canary("agent0") in "".join(everything(Nest([Nest({"a": (Nest(canary("agent0")),)})])))


# What a worker may do ----------------------------------------------------------------------------


def held_graph(book: Book, hold: Any) -> tuple[Any, Any]:
    """Thinks it over, which takes as long as `hold` does, and pays."""
    _, pay = payment_server("keyed", book)
    clerk = ToolServer("clerk")

    @clerk.tool()
    async def think_it_over() -> bool:
        """Takes its time."""
        if hold is not None:
            await asyncio.to_thread(hold)
        return True

    async def run(order: Order, doors: Doors) -> Paid:
        await doors.call(think_it_over)
        return await doors.call(pay, order_id=order.id, amount=Decimal("49.90"))

    payer = Agent("payer", "Pays.", run=run, tools=[think_it_over, pay])

    def route(asked: Order) -> Plan:
        """Everything is a payment."""
        return Plan(Task(payer, asked))

    made = Supervisor(
        "held",
        request=Order,
        response=Reply,
        agents=[payer],
        routes=[route],
        policy=Policy().allow(payer, think_it_over, pay),
        answer=lambda asked, findings: Reply(text="Done."),
        examples=[Order(id="A-1")],
    )
    return made.build(), pay


def stand() -> None:
    """Says that the worker stands still, and goes on when it is told to."""
    print("standing", flush=True)
    sys.stdin.readline()


def work(folder: str, run: str, kind: str) -> None:
    """A worker process: says when it is ready, then resumes the run and says what came of it."""
    book = Book(Path(folder) / "payments.db")
    if kind == "stands after paying":
        book.at = lambda what: stand() if what == "after the payment is committed" else None
    graph, _ = held_graph(book, stand if kind == "stands before paying" else None)

    async def resume() -> str:
        async with bound(graph, Path(folder), late=kind == "takes over") as app:
            print("ready", flush=True)
            await asyncio.to_thread(sys.stdin.readline)
            try:
                return (await app.resume(run)).state
            except InterlockError as error:
                return type(error).__name__

    print(asyncio.run(resume()), flush=True)


@contextmanager
def worker(folder: Path, run: str, kind: str) -> Generator[Child]:
    """A worker process, which ends with the test in any case."""
    code = "import sys; from tests.acceptance.test_isolation import work; work(*sys.argv[1:])"
    child = Child(code, folder, run, kind)
    try:
        yield child
    finally:
        if child.process.poll() is None:
            child.process.kill()
        child.process.communicate()


async def new_run(folder: Path) -> str:
    """A run that nobody has begun."""
    async with bound(held_graph(Book(), None)[0], folder) as app:
        return (await app.engine.start(Order(id="A-1"), app.user)).id


async def test_two_resumes_at_once(tmp_path: Path) -> None:
    """Of two processes that resume a run at the same time one continues, and the other is told so."""
    run, kind = await new_run(tmp_path), "stands before paying"
    with worker(tmp_path, run, kind) as one, worker(tmp_path, run, kind) as other:
        workers = [one, other]
        assert [await each.line() for each in workers] == ["ready", "ready"]
        for each in workers:
            each.tell()
        said = [await each.line() for each in workers]
        assert sorted(said) == ["RunBusy", "standing"]
        holder = workers[said.index("standing")]
        holder.tell()

        assert await holder.line() == "completed"
    assert len(Book(tmp_path / "payments.db").rows()) == 1


@pytest.mark.parametrize("kind", ["stands before paying", "stands after paying"])
async def test_a_frozen_worker_that_was_taken_over_cannot_write(tmp_path: Path, kind: str) -> None:
    """Stopped, taken over and continued, a worker is told that it lost the run; the book has one row."""
    run = await new_run(tmp_path)
    with worker(tmp_path, run, kind) as frozen, worker(tmp_path, run, "takes over") as heir:
        assert (await frozen.line(), await heir.line()) == ("ready", "ready")
        frozen.tell()
        assert await frozen.line() == "standing"
        os.kill(frozen.process.pid, signal.SIGSTOP)
        heir.tell()
        assert await heir.line() == "completed"
        os.kill(frozen.process.pid, signal.SIGCONT)
        frozen.tell()

        assert await frozen.line() == "LeaseLost"
    assert len(Book(tmp_path / "payments.db").rows()) == 1
