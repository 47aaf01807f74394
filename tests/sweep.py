"""Kills a worker at every point of a payment and lets a new process finish; counts in the payment book.

A point is every turn of the event loop (so every await that was suspended), the moment before
every commit of the database, and both sides of the payment server's own commit. `python -m
tests.sweep` takes every point; the acceptance tests take a sample.

Everything forks from one process that has imported what is needed and has neither an event loop
nor threads. A killed worker is a child; who finishes its run is another child.
"""

import argparse
import asyncio
import gc
import json
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias, TypeVar

from pydantic import BaseModel
from sqlalchemy import Engine, event

from interlock import Agent, Doors, Findings, GaveUp, Plan, Policy, Supervisor, Task, ToolServer, bind
from interlock.core.guards import ON, Guards
from interlock.core.ports import Batch
from interlock.core.runs import FINAL, Run
from interlock.errors import RunBusy, ToolFailed
from interlock.persistence.ledger import SqlLedger
from interlock.settings import Settings
from tests.payments import Book, Paid, Style, elsewhere, payment_server

T = TypeVar("T")
Case: TypeAlias = Literal["keyed", "lookup", "bare", "approved", "elsewhere"]
CASES: tuple[Case, ...] = ("keyed", "lookup", "bare", "approved", "elsewhere")
LEASE_S = 0.3
PATIENCE_S = 60
"""Nothing here takes a tenth of it; a child that hangs is ended by the alarm clock."""
LANES = 3
TURN, COMMIT = "a turn of the loop", "before a commit"


class Order(BaseModel):
    """What is asked, and what is paid."""

    id: str
    amount: Decimal


class Reply(BaseModel):
    """What the customer reads."""

    text: str


# The program under test -------------------------------------------------------------------------


@dataclass
class Desk:
    """One case: a bound-to-be graph and the book its payments stand in."""

    graph: Any
    book: Book


def desk(case: Case, url: str = "") -> Desk:
    """Looks an order up, then pays it back; `approved` asks a person first."""
    style: Style = "keyed" if case in ("approved", "elsewhere") else case
    book = Book(unique=style == "keyed")
    _, pay = payment_server(style, book, url)
    shop = ToolServer("shop")

    @shop.tool()
    async def price_of(order_id: str) -> Order:
        """What an order cost."""
        return Order(id=order_id, amount=Decimal("49.90"))

    async def look_up(asked: Order, doors: Doors) -> Order:
        await doors.random()
        return await doors.call(price_of, order_id=asked.id)

    async def pay_back(order: Order, doors: Doors) -> Paid | GaveUp:
        try:
            return await doors.call(pay, order_id=order.id, amount=order.amount)
        except ToolFailed as failed:
            return GaveUp(reason=failed.message)

    orders = Agent("orders", "Finds an order.", run=look_up, tools=[price_of])
    returns = Agent("returns", "Pays a refund.", run=pay_back, tools=[pay])
    policy = Policy().allow(orders, price_of)
    if case == "approved":
        policy.ask(returns, pay)
    else:
        policy.allow(returns, pay)

    def refund(asked: Order) -> Plan:
        """Everything here is a refund."""
        order = Task(orders, asked)
        return Plan(order, Task(returns, order.output))

    def answer(asked: Order, findings: Findings) -> Reply:
        paid = findings.get(returns)
        return Reply(text=f"We paid back {paid[0].amount} EUR." if paid else "A colleague will write to you.")

    supervisor = Supervisor(
        "refunds",
        request=Order,
        response=Reply,
        agents=[orders, returns],
        routes=[refund],
        policy=policy,
        answer=answer,
        examples=[Order(id="A-1", amount=Decimal(0))],
    )
    return Desk(supervisor.build(), book)


async def patient(again: Callable[[], Awaitable[T]]) -> T:
    """Waits until the dead worker's lease is over, which only the claim itself can tell."""
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            return await again()
        except RunBusy:
            if time.monotonic() > until:
                raise
            await asyncio.sleep(LEASE_S / 10)


async def drive(made: Desk, folder: Path, order: str, guards: Guards) -> dict[str, Any]:
    """Brings one run to its end, from wherever the last worker left it; people answer by the book."""
    url = f"sqlite:///{folder / 'interlock.db'}"
    settings = Settings(database_url=url, key_folder=folder / "keys", lease_s=LEASE_S, user="ann")
    asked: Counter[str] = Counter()
    async with bind(made.graph, settings=settings, guards=guards) as app:

        async def go_on() -> Run:
            known = await app.stores.runs.list()
            if known:
                return await app.resume(known[0].id)
            return await app.run(Order(id=order, amount=Decimal(0)))

        run = await patient(go_on)
        for _ in range(10):
            if run.state in FINAL:
                break
            for question in await app.questions(run.id):
                asked[question.kind] += 1
                paid = made.book.rows(order)
                if question.kind == "settle":
                    value = Paid(order_id=order, amount=paid[0].amount) if paid else None
                    await app.answer(question.id, yes=bool(paid), value=value)
                else:
                    await app.answer(question.id, yes=True)
            run = await patient(go_on)
    return {"state": run.state, "outcome": run.outcome, "asked": dict(asked)}


# Points, and dying at one of them ----------------------------------------------------------------


def die() -> None:
    """Ends this process at once: nothing in it gets to clean up."""
    os.kill(os.getpid(), signal.SIGKILL)


class Point(NamedTuple):
    """Where to die: so many points after the nth point that has a name of its own."""

    anchor: int
    after: int
    label: str


class Points:
    """Passes every point of one execution, and kills the process at one of them.

    How many turns the event loop needs differs a little from run to run, so points are counted
    from the last named one; a stretch that turns out shorter ends with the death all the same.
    """

    def __init__(self, die_at: Point | None = None) -> None:
        """With a point, the process dies there; without, the points are listed."""
        self._die_at = die_at
        self._anchor = self._after = 0
        self._lock = threading.Lock()
        self.passed: list[Point] = []

    def pass_(self, label: str) -> None:
        """Passes one point; from any thread."""
        with self._lock:
            if label in (TURN, COMMIT):
                self._after += 1
            else:
                self._anchor, self._after = self._anchor + 1, 0
            here = Point(self._anchor, self._after, label)
            if self._die_at is None:
                self.passed.append(here)
            elif here[:2] >= self._die_at[:2]:
                die()

    def install(self, book: Book) -> None:
        """Puts a point before every commit of ours, and around the payment server's."""
        book.at = self.pass_
        event.listen(Engine, "commit", lambda connection: self.pass_(COMMIT))
        commit, passed = SqlLedger.commit, self.pass_

        async def told(self: SqlLedger, batch: Batch) -> None:
            states = {entry.state for entry in batch.entries if entry.kind == "effect"}
            for state in sorted(states):
                passed(f"before {state} is stored")
            await commit(self, batch)
            for state in sorted(states):
                passed(f"after {state} is stored")

        SqlLedger.commit = told


class Loop(asyncio.SelectorEventLoop):
    """An event loop that passes a point before every callback, so before every task goes on."""

    points: Points

    def _pointed(self, callback: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any) -> None:
            self.points.pass_(TURN)
            callback(*args)

        return run

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> Any:
        """Schedules a callback behind a point."""
        return super().call_soon(self._pointed(callback), *args, context=context)

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> Any:
        """Schedules a callback of another thread behind a point."""
        return super().call_soon_threadsafe(self._pointed(callback), *args, context=context)


def run_with_points(points: Points, main: Callable[[], Awaitable[T]]) -> T:
    """Runs to the end, or dies on the way."""
    loop = Loop()
    loop.points = points
    try:
        return loop.run_until_complete(main())
    finally:
        loop.close()


# Processes ---------------------------------------------------------------------------------------


def in_child(work: Callable[[], Any]) -> tuple[int, Any]:
    """Runs `work` in a process of its own; its exit code (or minus the signal it died of) and its answer."""
    if threading.active_count() > 1:
        raise RuntimeError("a process with threads must not be forked")
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(read)
            signal.alarm(PATIENCE_S)
            os.write(write, json.dumps(work()).encode())
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        told = pipe.read()
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), json.loads(told) if told else None


def in_lanes(work: Callable[[int], Any], numbers: Sequence[int]) -> list[Any]:
    """Does the work for every number, in a few processes side by side."""
    lanes = [numbers[lane::LANES] for lane in range(LANES) if numbers[lane::LANES]]
    pipes: list[tuple[int, int]] = []
    for lane in lanes:
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            code = 1
            try:
                os.close(read)
                with os.fdopen(write, "wb") as pipe:
                    pipe.write(json.dumps([work(number) for number in lane]).encode())
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        os.close(write)
        pipes.append((child, read))
    done: list[Any] = []
    for child, read in pipes:
        with os.fdopen(read, "rb") as pipe:
            told = pipe.read()
        _, status = os.waitpid(child, 0)
        if status:
            raise RuntimeError("a lane of the sweep broke; its traceback stands above")
        done += json.loads(told)
    return done


# The sweep ---------------------------------------------------------------------------------------


class Finding(BaseModel):
    """What one kill came to."""

    point: int
    label: str
    rows: int
    state: str
    outcome: str | None
    asked: dict[str, int]


class Tally(BaseModel):
    """What a sweep came to."""

    case: str
    journal: bool
    points: int
    """How many there are; `findings` has those that were taken."""
    findings: list[Finding]

    @property
    def killed(self) -> int:
        """How many workers were killed: one for each finding."""
        return len(self.findings)

    @property
    def doubled(self) -> int:
        """How many runs paid more than once."""
        return sum(found.rows > 1 for found in self.findings)

    @property
    def lost(self) -> int:
        """How many runs did not end, or ended otherwise than the book says."""
        return sum(not _right(found) for found in self.findings)

    def __str__(self) -> str:
        """The line that is printed."""
        return (
            f"{self.case:9} journal {'on ' if self.journal else 'off'} points {self.points} "
            f"killed {self.killed} doubled {self.doubled} lost {self.lost}"
        )


def _right(found: Finding) -> bool:
    """A run that ended as resolved has paid; one that gave up has not, and a person said so."""
    if found.state != "completed":
        return False
    if found.outcome == "resolved":
        return found.rows >= 1
    return found.outcome == "gave_up" and found.rows == 0 and found.asked.get("settle", 0) > 0


def sweep(case: Case, *, journal: bool = True, sample: int | None = None) -> Tally:
    """Kills at every point of a case, or at a sample of them, each finished by a new process."""
    guards = ON if journal else Guards(journal=False)
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        path = top / "payments.db"
        with elsewhere("keyed", path) if case == "elsewhere" else nullcontext("") as url:
            made = desk(case, url)
            made.book.path = str(path)
            _prepare(made, top)
            points = _list_points(made, top, guards)
            chosen = list(range(len(points))) if sample is None else _sample(points, sample)
            ended = in_lanes(lambda number: _kill(made, top, guards, number, points[number]), chosen)
        # Counted once the payment server has stopped: what a dead worker had sent has arrived by now.
        findings = [Finding(rows=len(made.book.rows(f"A-{each['point']}")), **each) for each in ended]
    findings.sort(key=lambda found: found.point)
    return Tally(case=case, journal=journal, points=len(points), findings=findings)


def _prepare(made: Desk, top: Path) -> None:
    """Makes the empty database of which every execution gets a copy, and imports what a run imports late."""
    (top / "empty").mkdir()
    settings = Settings(
        database_url=f"sqlite:///{top / 'empty' / 'interlock.db'}", key_folder=top / "empty" / "keys"
    )

    async def touch() -> None:
        async with bind(made.graph, settings=settings):
            pass

    def work() -> list[str]:
        asyncio.run(touch())
        asyncio.run(drive(made, _copy(top, "first"), "A-first", ON))
        return sorted(set(sys.modules) - set(known))

    known = list(sys.modules)
    code, late = in_child(work)
    if code:
        raise RuntimeError("the program does not run to its end undisturbed")
    for name in late:
        with suppress(ImportError):
            import_module(name)
    gc.collect()
    gc.freeze()  # so that the children do not copy every page when they collect


def _list_points(made: Desk, top: Path, guards: Guards) -> list[Point]:
    """Passes every point of an undisturbed execution and says what they are."""
    folder = _copy(top, "whole")

    def work() -> tuple[list[Point], dict[str, Any]]:
        points = Points()
        points.install(made.book)
        ended = run_with_points(points, lambda: drive(made, folder, "A-whole", guards))
        return points.passed, ended

    code, told = in_child(work)
    if code or told[1]["outcome"] != "resolved" or len(made.book.rows("A-whole")) != 1:
        raise RuntimeError(f"the program does not pay once when nothing disturbs it: {told and told[1]}")
    return [Point(*each) for each in told[0]]


def _copy(top: Path, name: str) -> Path:
    return Path(shutil.copytree(top / "empty", top / name))


def _sample(points: list[Point], size: int) -> list[int]:
    """The named points, some of the stretches between them, and the others evenly over all of it."""
    named = [n for n, point in enumerate(points) if point.label not in (TURN, COMMIT)]
    around = range(max(0, named[0] - 3), min(len(points), named[-1] + 4))
    chosen = set(_evenly(named, 8)) | set(_evenly(around, size // 6))
    return sorted(chosen | set(_evenly(range(len(points)), size - len(chosen))))


def _evenly(numbers: Sequence[int], size: int) -> Iterator[int]:
    size = min(size, len(numbers))
    return (numbers[round(n * (len(numbers) - 1) / max(1, size - 1))] for n in range(size))


def _kill(made: Desk, top: Path, guards: Guards, number: int, point: Point) -> dict[str, Any]:
    """Kills one worker at one point and finishes its run in another process."""
    folder, order = _copy(top, str(number)), f"A-{number}"

    def begin() -> None:
        points = Points(point)
        points.install(made.book)
        run_with_points(points, lambda: drive(made, folder, order, guards))
        die()  # the last stretch was shorter this time

    died, _ = in_child(begin)
    if died != -signal.SIGKILL:
        raise RuntimeError(f"the worker that was to die at {point} broke by itself: {died}")
    code, ended = in_child(lambda: asyncio.run(drive(made, folder, order, guards)))
    if code:
        raise RuntimeError(f"the run killed at {point} cannot be finished: {code}")
    shutil.rmtree(folder)
    return {"point": number, "label": point.label, **ended}


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints one line for each sweep; fails if a guarded one doubled or lost a payment."""
    parser = argparse.ArgumentParser(prog="python -m tests.sweep", description=__doc__)
    parser.add_argument("--case", choices=CASES, action="append", help="which payments; all by default")
    parser.add_argument("--sample", type=int, help="take about this many points; every one by default")
    parser.add_argument("--journal", choices=("on", "off", "both"), default="both")
    parser.add_argument("--json", action="store_true", help="print everything that was found, a sweep a line")
    chosen = parser.parse_args(arguments)
    harmed = 0
    for case in chosen.case or CASES:
        for journal in {"on": (True,), "off": (False,), "both": (True, False)}[chosen.journal]:
            tally = sweep(case, journal=journal, sample=chosen.sample)
            print(tally.model_dump_json() if chosen.json else tally, flush=True)
            harmed += (tally.doubled + tally.lost) if journal else 0
    return 1 if harmed else 0


if __name__ == "__main__":
    sys.exit(main())
