"""The gateway on real servers: lost answers, dead servers, keys across runs, servers not in Python."""

import logging
import sys
from collections.abc import Awaitable, Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from interlock import Agent, Doors, Findings, GaveUp, Plan, Policy, Supervisor, Task, ToolServer, bind
from interlock.core.tools import Tool
from interlock.errors import (
    BuildError,
    EffectTaken,
    NotFound,
    OutcomeUnknown,
    SchemaViolation,
    ToolDenied,
    ToolFailed,
    ToolUnavailable,
)
from interlock.settings import Settings, ToolServerSettings
from tests.desk import Reply, Ticket, settings


class Note(BaseModel):
    """What a body came to."""

    text: str


class Booked(BaseModel):
    """An effect's answer."""

    line: str


STRIKING = """
from pathlib import Path
from mcp.server import MCPServer
server = MCPServer("away")
@server.tool()
def strike(line: str) -> bool:
    return bool(Path({struck!r}).write_text(line))
server.run("stdio")
"""
"""A server somebody starts later."""


class Book:
    """A book written by tools whose answers can be lost."""

    def __init__(
        self, path: Path, *, key: bool = True, lookup: bool = True, effect_key: bool = False
    ) -> None:
        """Declares `write` with the given means to find out what became of it."""
        self.path = path
        self.lose_answers = 0
        self.lose_lookups = False
        self.refuse = False
        self.server = ToolServer("book")
        find = self.server.tool()(self._find()) if lookup else None
        self.undo = self.server.tool(effect="once")(self._undo())
        declare = self.server.tool(
            effect="once",
            key="key" if key else None,
            lookup=find,
            compensate=self.undo,
            effect_key=(lambda args: str(args["line"])) if effect_key else None,
            timeout_s=5,
        )
        self.write: Tool[..., Booked] = declare(self._write())

    @property
    def lines(self) -> list[str]:
        """The lines as they stand in the file, without their keys."""
        rows = self.path.read_text().splitlines() if self.path.exists() else []
        return [row.partition("|")[2] for row in rows]

    def _find(self) -> Callable[[str], Awaitable[Booked | None]]:
        async def find(key: str) -> Booked | None:
            """Finds a line by its key."""
            if self.lose_lookups:
                raise RuntimeError("the archive is closed")
            rows = self.path.read_text().splitlines() if self.path.exists() else []
            return next(
                (Booked(line=row.partition("|")[2]) for row in rows if row.startswith(f"{key}|")), None
            )

        return find

    def _undo(self) -> Callable[[str], Awaitable[bool]]:
        async def undo(line: str) -> bool:
            """Strikes a line out."""
            rows = self.path.read_text().splitlines()
            self.path.write_text("".join(f"{row}\n" for row in rows if row.partition("|")[2] != line))
            return True

        return undo

    def _write(self) -> Callable[..., Awaitable[Booked]]:
        async def write(line: str, key: str = "") -> Booked:
            """Writes a line."""
            if self.refuse:
                raise ToolFailed("the book is full")
            rows = self.path.read_text().splitlines() if self.path.exists() else []
            if not key or all(not row.startswith(f"{key}|") for row in rows):
                self.path.write_text("".join(f"{row}\n" for row in [*rows, f"{key}|{line}"]))
            if self.lose_answers:
                self.lose_answers -= 1
                raise RuntimeError("the answer is lost, password=hunter22")
            return Booked(line=line)

        return write


def clerk(book: Book, body: Any = None) -> Supervisor[Ticket, Reply]:
    """One agent that writes the ticket's text into the book."""

    async def write(ticket: Ticket, doors: Doors) -> Note:
        booked = await doors.call(book.write, line=ticket.text)
        return Note(text=booked.line)

    agent = Agent("clerk", "Writes.", run=body or write, tools=[book.write, book.undo])
    policy = Policy().allow(agent, book.write, book.undo)
    return single(agent, policy)


def single(agent: Agent[Ticket, Note], policy: Policy | None = None) -> Supervisor[Ticket, Reply]:
    """A supervisor of one agent."""

    def answer(ticket: Ticket, findings: Findings) -> Reply:
        notes = findings.get(agent)
        return Reply(text=notes[0].text if notes else findings.items[0].why)

    return Supervisor(
        "clerks",
        request=Ticket,
        response=Reply,
        agents=[agent],
        routes=[lambda ticket: Plan(Task(agent, ticket))],
        policy=policy,
        answer=answer,
        examples=[Ticket(text="go")],
    )


async def test_a_lost_answer_is_looked_up(tmp_path: Path) -> None:
    """The call happened, its answer did not arrive: the server is asked and nothing is sent twice."""
    book = Book(tmp_path / "book")
    book.lose_answers = 1
    async with bind(clerk(book).build(), settings=settings(tmp_path)) as app:
        run = await app.run(Ticket(text="one"))
        kinds = [line.event.kind for line in await app.stores.record.lines(run.id)]

    assert run.response == {"text": "one"}
    assert book.lines == ["one"]
    assert [k for k in kinds if k.startswith("effect.")] == [
        "effect.sent",
        "effect.unknown",
        "effect.confirmed",
    ]


async def test_a_lost_answer_is_sent_again_under_the_same_key(tmp_path: Path) -> None:
    """Without a look-up, a server that honours keys gets the same call again and writes once."""
    book = Book(tmp_path / "book", lookup=False)
    book.lose_answers = 1
    async with bind(clerk(book).build(), settings=settings(tmp_path)) as app:
        run = await app.run(Ticket(text="one"))

    assert run.response == {"text": "one"}
    assert book.lines == ["one"]


@pytest.mark.parametrize(("yes", "reply"), [(True, "one"), (False, "olga settled it: not done.")])
async def test_what_nobody_can_know_a_person_settles(tmp_path: Path, yes: bool, reply: str) -> None:
    """Without key and look-up the run is blocked until a person says what happened; nothing is sent again."""
    book = Book(tmp_path / "book", key=False, lookup=False)
    book.lose_answers = 1
    async with bind(clerk(book).build(), settings=settings(tmp_path)) as app:
        run = await app.run(Ticket(text="one"))
        (question,) = await app.questions(run.id)
        again = await app.resume(run.id)
        await app.answer(question.id, yes=yes, value={"line": "one"} if yes else None)
        ended = await app.resume(run.id)
        stored = [str(line.body) for line in await app.stores.record.lines(run.id)]

    assert (run.state, again.state, question.kind) == ("blocked", "blocked", "settle")
    assert (ended.state, book.lines) == ("completed" if yes else "failed", ["one"])
    assert reply in str(ended.response) + ended.reason
    assert not any("hunter22" in body for body in stored)


async def test_a_settled_effect_without_its_answer_is_not_told_as_undone(tmp_path: Path) -> None:
    """It happened and nobody knows what it answered: the body is told so, and not that nothing happened."""
    book, told = Book(tmp_path / "book", key=False, lookup=False), list[str]()
    book.lose_answers = 1

    async def write(ticket: Ticket, doors: Doors) -> Note:
        try:
            await doors.call(book.write, line="one")
        except OutcomeUnknown as error:
            told.append(error.message)
        return Note(text="settled")

    async with bind(clerk(book, write).build(), settings=settings(tmp_path)) as app:
        run = await app.run(Ticket(text="go"))
        (question,) = await app.questions(run.id)
        await app.answer(question.id, yes=True)
        ended = await app.resume(run.id)

    assert (ended.outcome, told) == ("resolved", ["book/write happened, but its answer is not known."])
    assert book.lines == ["one"]


async def test_a_look_up_that_fails_leaves_it_to_a_person(tmp_path: Path) -> None:
    """If the server cannot be asked and keeps losing answers, the run is blocked; the book has one line."""
    book = Book(tmp_path / "book")
    book.lose_answers, book.lose_lookups = 99, True
    async with bind(clerk(book).build(), settings=settings(tmp_path)) as app:
        run = await app.run(Ticket(text="one"))

    assert (run.state, book.lines) == ("blocked", ["one"])


async def test_a_refusal_is_an_answer(tmp_path: Path) -> None:
    """A tool that refuses has done nothing: the task is told why; the refusal is replayed, not retried."""
    book = Book(tmp_path / "book")
    book.refuse = True
    tries: list[str] = []

    async def write(ticket: Ticket, doors: Doors) -> Note | GaveUp:
        for _ in range(2):
            try:
                await doors.call(book.write, line=ticket.text)
            except ToolFailed as error:
                tries.append(error.message)
        return GaveUp(reason=tries[0])

    async with bind(clerk(book, write).build(), settings=settings(tmp_path)) as app:
        run = await app.run(Ticket(text="one"))

    assert tries == ["book/write refused: the book is full"] * 2
    assert (run.outcome, book.lines) == ("gave_up", [])


async def test_one_effect_in_all_runs(tmp_path: Path) -> None:
    """Two runs that want the same effect cause it once; the second is told which run did."""
    book = Book(tmp_path / "book", effect_key=True)
    errors: list[Exception] = []

    async def write(ticket: Ticket, doors: Doors) -> Note:
        try:
            return Note(text=(await doors.call(book.write, line="same")).line)
        except EffectTaken as error:
            errors.append(error)
            return Note(text="somebody else did it")

    async with bind(clerk(book, write).build(), settings=settings(tmp_path)) as app:
        first = await app.run(Ticket(text="one"))
        second = await app.run(Ticket(text="two"))
        again = await app.resume(second.id)

    assert (first.response, second.response) == ({"text": "same"}, {"text": "somebody else did it"})
    assert f"already caused by run {first.id}" in str(errors[0])
    assert (book.lines, again.state) == (["same"], "completed")


async def test_rollback_takes_effects_back_in_reverse_order(tmp_path: Path) -> None:
    """Canceling with rollback strikes out what was written, last first, and lists what stands."""
    book = Book(tmp_path / "book")
    struck: list[list[str]] = []

    async def write(ticket: Ticket, doors: Doors) -> Note:
        await doors.call(book.write, line="first")
        await doors.call(book.write, line="second")
        return Note(text=str(await doors.ask("Go on?")))

    async with bind(clerk(book, write).build(), settings=settings(tmp_path)) as app:
        run = await app.run(Ticket(text="go"))
        struck.append(book.lines)
        ended = await app.cancel(run.id, roll_back_effects=True)
        questions = await app.questions(run.id)
        undone = [
            str(line.body["tool"])
            for line in await app.stores.record.lines(run.id)
            if line.event.kind == "effect.compensated" and isinstance(line.body, dict)
        ]

    assert struck == [["first", "second"]]
    assert (ended.state, book.lines, questions, len(undone)) == ("rolled_back", [], [], 2)


async def test_rollback_takes_each_effect_back_by_a_call_of_its_own(tmp_path: Path) -> None:
    """Two equal effects need two equal calls to be taken back; one nobody knows of is listed."""
    pot: list[int] = []
    server = ToolServer("pot")

    @server.tool(effect="once")
    async def take(amount: int) -> bool:
        """Takes out."""
        pot.append(-amount)
        return True

    @server.tool(effect="once", compensate=take)
    async def put(amount: int) -> bool:
        """Puts in."""
        if amount > 5:
            raise RuntimeError("who knows")
        pot.append(amount)
        return True

    @server.tool(effect="once", compensate=take, secret=("amount",))
    async def hide(amount: int) -> bool:
        """Puts in what nobody may know."""
        pot.append(amount)
        return True

    async def fill(ticket: Ticket, doors: Doors) -> Note:
        await doors.call(put, amount=5)
        await doors.call(put, amount=5)
        await doors.call(hide, amount=3)
        await doors.call(put, amount=7)
        return Note(text="full")

    agent = Agent("clerk", "Fills.", run=fill, tools=[put, hide])
    graph = single(agent, Policy().allow(agent, put, hide)).build()
    async with bind(graph, settings=settings(tmp_path)) as app:
        run = await app.run(Ticket(text="go"))
        ended = await app.cancel(run.id, roll_back_effects=True)

    assert run.state == "blocked"
    assert (ended.state, sorted(pot)) == ("rolled_back", [-5, -5, 3, 5, 5])
    assert "these stand: pot/put: it is not known whether it happened; pot/hide: pot/take" in ended.reason


async def test_one_effect_in_all_calls_of_a_task(tmp_path: Path) -> None:
    """The same effect asked for in other words, or once more, is not caused again by the same task."""
    paid: list[int] = []
    taken: list[str] = []
    server = ToolServer("till")

    @server.tool(effect="once", effect_key=lambda args: str(args["order"]))
    async def pay(order: str, amount: int) -> bool:
        """Pays an order back."""
        paid.append(amount)
        return True

    async def twice(ticket: Ticket, doors: Doors) -> Note:
        for amount in (10, 10, 12):
            try:
                await doors.call(pay, order="A-1", amount=amount)
            except EffectTaken as error:
                taken.append(error.message)
        await doors.call(pay, order="A-2", amount=1)
        return Note(text="paid")

    agent = Agent("clerk", "Pays.", run=twice, tools=[pay])
    async with bind(single(agent, Policy().allow(agent, pay)).build(), settings=settings(tmp_path)) as app:
        run = await app.run(Ticket(text="go"))

    assert (run.state, paid, len(taken)) == ("completed", [10, 1], 2)
    assert "was already caused by run" in taken[0]


async def test_a_rollback_that_could_not_finish_is_run_again(tmp_path: Path) -> None:
    """A server that cannot be reached leaves the run canceled; a second rollback takes back what was left."""
    script, struck = tmp_path / "server.py", tmp_path / "struck"
    away = ToolServer.stdio("away", [sys.executable, str(script)])
    here = ToolServer("here")

    @away.tool(effect="once")
    async def strike(line: str) -> bool:
        """Strikes a line out."""
        raise AssertionError

    @here.tool(effect="once", compensate=strike)
    async def write(line: str) -> Booked:
        """Writes a line."""
        return Booked(line=line)

    async def work(ticket: Ticket, doors: Doors) -> Note:
        await doors.call(write, line="first")
        return Note(text=str(await doors.ask("Go on?")))

    agent = Agent("clerk", "Writes.", run=work, tools=[write, strike])
    async with bind(
        single(agent, Policy().allow(agent, write, strike)).build(), settings=settings(tmp_path)
    ) as app:
        run = await app.run(Ticket(text="go"))
        with pytest.raises(ToolUnavailable, match="Run the rollback again"):
            await app.cancel(run.id, roll_back_effects=True)
        between = (await app.stores.runs.get(run.id)).state
        script.write_text(STRIKING.format(struck=str(struck)))
        ended = await app.cancel(run.id, roll_back_effects=True)

    assert (between, ended.state, struck.read_text()) == ("canceled", "rolled_back", "first")


async def test_tools_that_were_not_granted_or_do_not_fit(tmp_path: Path) -> None:
    """Not granted, unknown, or called wrongly: each is refused with a sentence before anything is sent."""
    book = Book(tmp_path / "book")
    other = ToolServer("other")
    told: list[str] = []

    @other.tool()
    async def secret_plan(name: str) -> str:
        """Not granted to anybody."""
        return name

    async def curious(ticket: Ticket, doors: Doors) -> Note:
        calls: list[Awaitable[Any]] = [
            doors.call(secret_plan, name="x"),
            doors.call("nowhere/tool", name="x"),
            doors.call(book.write, line=["not", "text"]),
            doors.call(book.write, wrong="x"),
        ]
        for call in calls:
            try:
                await call
            except (ToolDenied, NotFound, SchemaViolation) as error:
                told.append(error.message)
        return Note(text="done")

    async with bind(clerk(book, curious).build(), settings=settings(tmp_path)) as app:
        run = await app.run(Ticket(text="go"))

    assert run.outcome == "resolved"
    assert "clerk was not granted other/secret_plan" in told[0]
    assert "no tool server for 'nowhere/tool' is configured (known: none)" in told[1]
    assert "book/write cannot be called like this: line: Input should be a valid string" in told[2]
    assert "book/write cannot be called like this" in told[3]
    assert book.lines == []


def notes(path: Path) -> tuple[str, ...]:
    """The command of the stdio server."""
    return (sys.executable, "-m", "tests.integration.notes_server", str(path))


async def test_servers_from_the_configuration_are_called_by_name(tmp_path: Path) -> None:
    """A stdio server of the settings serves tools by pattern; an undeclared one needs a yes."""
    configured = {"notes": ToolServerSettings(command=notes(tmp_path / "notes"), env={"PYTHONPATH": "."})}

    async def jot(ticket: Ticket, doors: Doors) -> Note:
        return Note(text=str(await doors.call("notes/add_note", text=ticket.text)))

    agent = Agent("clerk", "Jots down.", run=jot, tools=["notes/*"])
    given: Settings = settings(tmp_path, tools=configured)
    async with bind(single(agent).build(), settings=given) as app:
        run = await app.run(Ticket(text="milk"))
        (question,) = await app.questions(run.id)
        await app.answer(question.id, yes=True)
        ended = await app.resume(run.id)

    assert (run.state, question.details["tool"]) == ("waiting_for_approval", "notes/add_note")
    assert (ended.outcome, (tmp_path / "notes").read_text()) == ("resolved", "milk\n")


async def test_a_server_that_dies_and_one_that_never_was(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """A dead connection is told, the next call gets a new one, and the server's own words stay its own."""
    caplog.set_level(logging.WARNING, "interlock")  # an operator who debugs does see them
    server = ToolServer.stdio("notes", notes(tmp_path / "notes"), {"PYTHONPATH": "."})
    missing = ToolServer.stdio("missing", ["/nonexistent/server"])
    told: list[str] = []

    @server.tool(timeout_s=10)
    async def leave() -> str:
        """Ends the server."""
        raise AssertionError

    @server.tool()
    async def all_notes() -> list[str]:
        """Every line."""
        raise AssertionError

    @missing.tool()
    async def anything() -> str:
        """Never reached."""
        raise AssertionError

    async def ask(ticket: Ticket, doors: Doors) -> Note:
        for tool in (leave, anything):
            try:
                await doors.call(tool)
            except ToolUnavailable as error:
                told.append(error.message)
        return Note(text=f"{len(await doors.call(all_notes))} notes")

    agent = Agent("clerk", "Asks.", run=ask, tools=[leave, all_notes, anything])
    async with bind(single(agent).build(), settings=settings(tmp_path)) as app:
        run = await app.run(Ticket(text="go"))

    assert "notes/leave could not be asked" in told[0]
    assert "tool server missing cannot be reached" in told[1]
    assert run.response == {"text": "0 notes"}
    assert "a server's own words" not in "".join(capfd.readouterr())


def test_servers_that_cannot_be() -> None:
    """Bad names, commands, URLs, keys and doubled tools fail when they are declared."""
    server = ToolServer("book")
    with pytest.raises(BuildError, match="'my book' is not a tool server's name"):
        ToolServer("my book")
    with pytest.raises(BuildError, match="needs the command that starts it"):
        ToolServer.stdio("x", [])
    with pytest.raises(BuildError, match="is not a URL"):
        ToolServer.http("x", "shop.example")

    async def write(line: str) -> str:
        """Writes."""
        return line

    with pytest.raises(BuildError, match="names 'key' as its key, but has no such parameter"):
        server.tool(effect="once", key="key")(write)
    with pytest.raises(BuildError, match="only reads: `key`, `lookup` and `speaks` belong to effect='once'"):
        server.tool(speaks=True)(write)
    server.tool()(write)
    with pytest.raises(BuildError, match="book/write is declared twice"):
        server.tool()(write)


async def test_answers_that_are_no_objects(tmp_path: Path) -> None:
    """A decimal, a day or None, for which the mcp package tells no structure, is read all the same."""
    server, paid = ToolServer("bank"), dict[str, Decimal]()

    @server.tool(effect="once", key="key")
    async def pay(amount: Decimal, key: str = "") -> Decimal:
        """Pays."""
        return paid.setdefault(key, amount)

    @server.tool()
    async def day() -> date:
        """A day."""
        return date(2026, 2, 3)

    @server.tool()
    async def nothing() -> None:
        """Nothing."""

    async def look(ticket: Ticket, doors: Doors) -> Note:
        told = [
            await doors.call(pay, amount=Decimal("2.50")),
            await doors.call(day),
            await doors.call(nothing),
        ]
        return Note(text=repr(told))

    agent = Agent("clerk", "Pays.", run=look, tools=[pay, day, nothing])
    policy = Policy().allow(agent, pay, day, nothing)
    async with bind(single(agent, policy).build(), settings=settings(tmp_path)) as app:
        run = await app.run(Ticket(text="go"))

    assert run.response == {"text": "[Decimal('2.50'), datetime.date(2026, 2, 3), None]"}
    assert list(paid.values()) == [Decimal("2.50")]
