"""Requests through the front door: plan, specialists, policy, people, gate, and what the shop's book says."""

import asyncio
import sqlite3
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from interlock import Agent, Degraded, Doors, Findings, GaveUp, Limits, Plan, Supervisor, Task, bind
from interlock.core.principal import Principal
from interlock.core.reflections import Reflection
from interlock.errors import AnswerRefused, NotBound, SchemaViolation, StoreUnavailable, ToolUnavailable
from interlock.testing import StillClock
from tests.desk import Order, Reply, Shop, Ticket, desk, settings


class Word(BaseModel):
    """A small output."""

    word: str


async def test_a_small_refund_is_paid_once_and_answered(tmp_path: Path) -> None:
    """A request is planned, carried out, checked and answered; the shop's book has one payment."""
    shop = Shop(tmp_path / "shop.db")
    async with bind(desk(shop).build(), settings=settings(tmp_path)) as app:
        run = await app.run(Ticket(text="my parcel is lost"))

    assert (run.state, run.outcome) == ("completed", "resolved")
    assert run.response == {"text": "We paid back 49.90 EUR for order A-1001."}
    assert shop.rows() == [("A-1001", "49.90")]


async def test_a_large_refund_waits_for_the_right_person(tmp_path: Path) -> None:
    """Above the limit the run waits; only the asked role may say yes, and nothing is paid before."""
    shop = Shop(tmp_path / "shop.db", total="250")
    async with bind(desk(shop).build(), settings=settings(tmp_path)) as app:
        run = await app.run(Ticket(text="my parcel is lost"))
        (question,) = await app.questions(run.id)
        with pytest.raises(AnswerRefused, match="is for shift-lead; eve may not answer"):
            await app.answer(question.id, yes=True, by=Principal(user="eve"))
        paid_before = shop.rows()
        await app.answer(question.id, yes=True, by=Principal(user="lena", scopes=("shift-lead",)))
        ended = await app.resume(run.id)

    assert (run.state, paid_before) == ("waiting_for_approval", [])
    assert (ended.state, ended.outcome) == ("completed", "resolved")
    assert shop.rows() == [("A-1001", "250")]


async def test_a_no_is_told_to_the_agent_and_nothing_is_paid(tmp_path: Path) -> None:
    """A rejected call fails its task; the reply is the desk's honest one and the book is empty."""
    shop = Shop(tmp_path / "shop.db", total="250")
    async with bind(desk(shop).build(), settings=settings(tmp_path)) as app:
        run = await app.run(Ticket(text="my parcel is lost"))
        (question,) = await app.questions(run.id)
        await app.answer(question.id, yes=False, comment="call the customer first")
        ended = await app.resume(run.id)

    assert (ended.state, ended.outcome) == ("completed", "degraded")
    assert "call the customer first" in ended.reason
    assert shop.rows() == []


async def test_nobody_may_handle_it(tmp_path: Path) -> None:
    """A request no route plans for, and one whose only plan uses an agent that is not for it, give up."""
    shop = Shop(tmp_path / "shop.db")
    async with bind(desk(shop).build(), settings=settings(tmp_path)) as app:
        unknown = await app.run(Ticket(text="do you have jobs?"))
        exchange = await app.run(Ticket(text="my lost parcel: please make it an exchange"))

    assert (unknown.state, unknown.outcome) == ("completed", "gave_up")
    assert (exchange.outcome, exchange.reason) == ("gave_up", "plan: returns is not for 'exchanges'")
    assert shop.rows() == []


async def test_bad_requests_store_nothing(tmp_path: Path) -> None:
    """A request without its fields is refused with a sentence, and there is no run."""
    shop = Shop(tmp_path / "shop.db")
    async with bind(desk(shop).build(), settings=settings(tmp_path)) as app:
        with pytest.raises(SchemaViolation, match="this is not a Ticket: text: Field required"):
            await app.run({"email": "ann@example.com"})
        stored = await app.stores.runs.list()

    assert stored == []


async def test_the_same_key_starts_one_run(tmp_path: Path) -> None:
    """Starting twice with the same key gives the same run and one payment."""
    shop = Shop(tmp_path / "shop.db")
    async with bind(desk(shop).build(), settings=settings(tmp_path)) as app:
        first = await app.run(Ticket(text="my parcel is lost"), key="mail-7")
        second = await app.run(Ticket(text="my parcel is lost"), key="mail-7")

    assert first.id == second.id
    assert shop.rows() == [("A-1001", "49.90")]


async def test_an_unbound_graph_reads_and_says_so_when_it_would_have_to_act(tmp_path: Path) -> None:
    """The built graph draws and runs in plain LangGraph; an effect raises one clear error."""
    shop = Shop(tmp_path / "shop.db")
    app = desk(shop).build().compile()

    drawn = app.get_graph(xray=True).draw_mermaid()
    out = await app.ainvoke({"request": {"text": "do you have jobs?"}})

    assert "orders" in drawn
    assert "aggregate" in drawn
    assert out == {"response": {"text": "A colleague will write to you."}, "outcome": "gave_up"}
    with pytest.raises(NotBound, match="unbound graphs only read"):
        await app.ainvoke({"request": {"text": "my parcel is lost"}})
    assert shop.rows() == []


class Meeting:
    """Bodies that meet: each waits until all have arrived, so that only overlapping ones get through."""

    def __init__(self, parties: int) -> None:
        """Waits for that many."""
        self.barrier = asyncio.Barrier(parties)

    async def body(self, ticket: Ticket, doors: Doors) -> Word:
        """Returns only if the others run at the same time."""
        async with asyncio.timeout(5):
            await self.barrier.wait()
        return Word(word="met")


def words(ticket: Ticket, findings: Findings) -> Reply:
    """A reply that says what every task came to."""
    return Reply(text="; ".join(f"{item.task} {item.status}" for item in findings.items))


def planned(agents: list[Any], route: Any, **options: Any) -> Supervisor[Ticket, Reply]:
    """A supervisor of these agents with one route."""
    return Supervisor(
        "small",
        request=Ticket,
        response=Reply,
        agents=agents,
        routes=[route],
        answer=words,
        examples=[Ticket(text="go")],
        **options,
    )


async def test_independent_work_overlaps(tmp_path: Path) -> None:
    """Two tasks that do not need each other run at the same time."""
    meeting = Meeting(2)
    one = Agent("one", "First.", run=meeting.body)
    two = Agent("two", "Second.", run=meeting.body)

    def both(ticket: Ticket) -> Plan:
        return Plan(Task(one, ticket), Task(two, ticket))

    async with bind(planned([one, two], both).build(), settings=settings(tmp_path)) as app:
        run = await app.run(Ticket(text="go"))

    assert run.response == {"text": "one completed; two completed"}


async def test_unrelated_work_goes_on_while_a_person_is_asked(tmp_path: Path) -> None:
    """A chain that has nothing to do with a pending question runs to its end before anybody answers."""
    seen: list[str] = []

    async def ask(ticket: Ticket, doors: Doors) -> Word:
        return Word(word=str(await doors.ask("Which colour?")))

    async def first(ticket: Ticket, doors: Doors) -> Word:
        seen.append("first")
        return Word(word="first")

    async def second(word: Word, doors: Doors) -> Word:
        seen.append("second")
        return word

    asker = Agent("asker", "Asks.", run=ask)
    start = Agent("start", "Begins.", run=first)
    end = Agent("end", "Ends.", run=second)

    def route(ticket: Ticket) -> Plan:
        begun = Task(start, ticket)
        return Plan(Task(asker, ticket), Task(end, begun.output))

    async with bind(planned([asker, start, end], route).build(), settings=settings(tmp_path)) as app:
        waiting = await app.run(Ticket(text="go"))
        before = list(seen)
        (question,) = await app.questions(waiting.id)
        await app.answer(question.id, value="red")
        ended = await app.resume(waiting.id)

    assert (waiting.state, before) == ("waiting_for_approval", ["first", "second"])
    assert (
        ended.response == {"text": "start completed; asker completed; end completed"}
        or ended.outcome == "resolved"
    )
    assert seen == ["first", "second"]


async def test_an_invalid_output_is_quarantined_and_tried_again(tmp_path: Path) -> None:
    """What does not have its schema is never read by anybody; the next attempt gets the error as feedback."""
    feedback: list[str] = []

    async def odd(ticket: Ticket, doors: Doors) -> Word:
        feedback.append(doors.feedback)
        return Word(word="right") if doors.feedback else {"wrong": 1}  # type: ignore[return-value]

    async def reader(word: Word, doors: Doors) -> Word:
        return Word(word=f"read {word.word}")

    maker = Agent("maker", "Makes.", run=odd)
    user = Agent("user", "Reads.", run=reader)

    def route(ticket: Ticket) -> Plan:
        return Plan(Task(user, Task(maker, ticket).output))

    async with bind(planned([maker, user], route).build(), settings=settings(tmp_path)) as app:
        run = await app.run(Ticket(text="go"))
        kinds = [line.event.kind for line in await app.stores.record.lines(run.id)]

    assert run.outcome == "resolved"
    assert feedback[0] == ""
    assert "does not have its schema: word: Field required" in feedback[1]
    assert kinds.count("task.invalid") == 1


async def test_a_failing_specialist_cancels_nobody_and_its_fallback_degrades(tmp_path: Path) -> None:
    """The sibling completes, and the fallback's answer is degraded and says why."""

    async def broken(ticket: Ticket, doors: Doors) -> Word:
        raise ToolUnavailable("the printer is on fire")

    async def simple(ticket: Ticket, doors: Doors) -> Word:
        return Word(word="by hand")

    by_hand = Agent("by-hand", "Works without the printer.", run=simple)
    printer = Agent("printer", "Prints.", run=broken, fallback=by_hand)
    sibling = Agent("sibling", "Does its own work.", run=simple)

    def route(ticket: Ticket) -> Plan:
        return Plan(Task(printer, ticket), Task(sibling, ticket))

    async with bind(planned([printer, sibling], route).build(), settings=settings(tmp_path)) as app:
        run = await app.run(Ticket(text="go"))

    assert run.outcome == "degraded"
    assert run.response == {"text": "printer degraded; sibling completed"}
    assert "by-hand stood in, because the printer is on fire" in run.reason


async def test_giving_up_is_an_answer_and_stops_what_needed_it(tmp_path: Path) -> None:
    """A body that gives up is not tried again; what needed its output gives up as well."""
    tries: list[int] = []

    async def gives_up(ticket: Ticket, doors: Doors) -> Word | GaveUp:
        tries.append(1)
        return GaveUp(reason="the archive is closed", tried=("archive",), needs="the archive's key")

    async def reader(word: Word, doors: Doors) -> Word:
        raise AssertionError("never reached")

    maker = Agent("maker", "Looks.", run=gives_up)
    user = Agent("user", "Reads.", run=reader)

    def route(ticket: Ticket) -> Plan:
        return Plan(Task(user, Task(maker, ticket).output))

    async with bind(planned([maker, user], route).build(), settings=settings(tmp_path)) as app:
        run = await app.run(Ticket(text="go"))

    assert (run.state, run.outcome, tries) == ("completed", "gave_up", [1])
    assert "it needs maker, which gave up: the archive is closed" in run.reason


async def test_every_task_failed_is_a_failed_run(tmp_path: Path) -> None:
    """A run none of whose tasks came to anything fails with the reason, without the exception's text."""

    async def broken(ticket: Ticket, doors: Doors) -> Word:
        raise ValueError("password=hunter2")

    agent = Agent("only", "Breaks.", run=broken)

    async with bind(
        planned([agent], lambda ticket: Plan(Task(agent, ticket))).build(), settings=settings(tmp_path)
    ) as app:
        run = await app.run(Ticket(text="go"))

    assert (run.state, run.reason) == ("failed", "only broke: ValueError.")


async def test_a_slow_agent_is_stopped_by_its_deadline(tmp_path: Path) -> None:
    """An agent over its time fails, whatever it waits for, and its sibling's result is kept."""

    async def endless(ticket: Ticket, doors: Doors) -> Word:
        await asyncio.Event().wait()
        raise AssertionError("never reached")

    async def quick(ticket: Ticket, doors: Doors) -> Word:
        return Word(word="quick")

    slow = Agent("slow", "Waits for ever.", run=endless, limits=Limits(seconds=0.05))
    fast = Agent("fast", "Answers.", run=quick)

    def route(ticket: Ticket) -> Plan:
        return Plan(Task(slow, ticket), Task(fast, ticket))

    async with bind(planned([slow, fast], route).build(), settings=settings(tmp_path)) as app:
        run = await app.run(Ticket(text="go"))

    assert run.response == {"text": "slow failed; fast completed"}
    assert "slow was not done within its 0.05 s" in run.reason


async def test_a_reflection_sends_an_output_back_within_its_bound(tmp_path: Path) -> None:
    """The judge's words reach the next round; out of rounds the result is degraded."""
    rounds: list[str] = []

    async def write(ticket: Ticket, doors: Doors) -> Word:
        rounds.append(doors.feedback)
        return Word(word="x" * len(rounds))

    writer = Agent("writer", "Writes.", run=write)

    def judge(word: Word) -> str | None:
        return None if len(word.word) >= 9 else "longer"

    def route(ticket: Ticket) -> Plan:
        return Plan(Task(writer, ticket))

    supervisor = planned([writer], route, reflections=[Reflection(writer, judge, max_rounds=2)])
    async with bind(supervisor.build(), settings=settings(tmp_path)) as app:
        run = await app.run(Ticket(text="go"))

    assert rounds == ["", "longer", "longer"]
    assert (run.outcome, run.reason) == ("degraded", "writer: the judge is not content: longer")


async def test_large_outputs_are_references_and_reach_the_next_task_whole(tmp_path: Path) -> None:
    """An output over 8 KiB is stored as an artifact; state holds its digest, the reader gets all of it."""
    got: list[int] = []

    async def big(ticket: Ticket, doors: Doors) -> Word:
        return Word(word="y" * 20_000)

    async def reader(word: str, doors: Doors) -> Word:
        got.append(len(word))
        return Word(word="done")

    maker = Agent("maker", "Makes much.", run=big)
    user = Agent("user", "Reads a field.", run=reader)

    def route(ticket: Ticket) -> Plan:
        return Plan(Task(user, Task(maker, ticket).output.word))

    async with bind(planned([maker, user], route).build(), settings=settings(tmp_path)) as app:
        run = await app.run(Ticket(text="go"))
        state = await app.engine._app.aget_state({"configurable": {"thread_id": run.id}})  # pyright: ignore[reportPrivateUsage]

    assert got == [20_000]
    assert len(str(state.values["results"]["maker"])) < 1_000


async def test_a_degraded_part_makes_a_degraded_run(tmp_path: Path) -> None:
    """A body's own `Degraded` is usable, and the run says what was less than asked."""

    async def partly(ticket: Ticket, doors: Doors) -> Order | Degraded[Order]:
        return Degraded(output=Order(id="A-1", total=Decimal(1)), why="the carrier is down")

    agent = Agent("orders", "Finds part.", run=partly)

    async with bind(
        planned([agent], lambda ticket: Plan(Task(agent, ticket))).build(), settings=settings(tmp_path)
    ) as app:
        run = await app.run(Ticket(text="go"))

    assert (run.outcome, run.reason) == ("degraded", "orders: the carrier is down")


async def test_a_database_that_cannot_be_written_fails_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else holds the database for too long: that is told, nothing is lost, the run goes on later."""
    for module in ("sqlite", "checkpoints"):
        monkeypatch.setattr(f"interlock.persistence.{module}.BUSY_S", 0.05)
    holder: list[sqlite3.Connection] = []

    async def look(ticket: Ticket, doors: Doors) -> Word:
        if not holder:
            holder.append(sqlite3.connect(tmp_path / "interlock.db", isolation_level=None))
            holder[0].execute("BEGIN IMMEDIATE")
        return Word(word="done")

    agent = Agent("looker", "Looks.", run=look)
    supervisor = planned([agent], lambda ticket: Plan(Task(agent, ticket)))
    clock = StillClock()
    async with bind(supervisor.build(), settings=settings(tmp_path), clock=clock) as app:
        started = await app.engine.start(Ticket(text="go"), app.user)
        with pytest.raises(StoreUnavailable, match=r"could not be used .*locked"):
            await app.resume(started.id)
        holder[0].execute("ROLLBACK")
        state = (await app.stores.runs.get(started.id)).state
        clock.advance(60)  # the lease could not be given back either
        ended = await app.resume(started.id)

    assert (state, ended.state) == ("executing", "completed")
