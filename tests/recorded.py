"""Records to explain: small graphs that really ran, and lines made by hand where times must be exact."""

import asyncio
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from interlock import Agent, Conflict, Doors, Findings, GaveUp, Plan, Supervisor, Task, ToolServer, bind
from interlock.core.canonical import Json
from interlock.core.conflicts import prefer
from interlock.core.events import GENESIS, Draft, chain
from interlock.core.models import ModelCall, ModelReply
from interlock.core.principal import Principal
from interlock.core.reflections import Reflection
from interlock.core.runs import Run
from interlock.core.stores import Line
from interlock.errors import AnswerRefused
from interlock.orchestration.deliver import Delivery
from interlock.orchestration.gate import Problem
from tests.desk import Reply, Shop, Ticket, desk, settings

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
CANARY = "canary-8841"
"""Stands in outputs that no gate has seen."""
LEAD = Principal(user="lena", scopes=("shift-lead",))


@dataclass(frozen=True)
class Recorded:
    """A run and its record."""

    run: Run
    lines: list[Line]


def lines(*events: tuple[float, str, str, str, int, Mapping[str, Any]], erased: bool = False) -> list[Line]:
    """A chain of (seconds, kind, actor, task, attempt, body)."""
    made: list[Line] = []
    prev = GENESIS
    for seq, (at, kind, actor, task, attempt, body) in enumerate(events, 1):
        draft = Draft(
            id=f"e{seq}",
            kind=kind,
            actor=actor,
            at=START + timedelta(seconds=at),
            task=task,
            attempt=attempt,
            body=dict(body),
        )
        event = chain("r-1", seq, prev, draft, "salt")
        prev = event.hash
        shown: Json = None if erased else draft.body
        made.append(Line(event=event, hash=prev, salt=None if erased else "salt", body=shown, erased=erased))
    return made


class Text(BaseModel):
    """A small output."""

    text: str


class Scripted:
    """A model that always says the same."""

    async def reply(self, route: str, call: ModelCall, **more: Any) -> ModelReply:
        """Says it."""
        more["budget"].charge(tokens=12)
        return ModelReply(text=f"{CANARY} of a model", model="scripted-1", input_tokens=7, output_tokens=5)


async def quick(ticket: Ticket, doors: Doors) -> Text:
    """Asks a model, and says that the parcel is lost."""
    doors.claim("parcel 1: status", "lost", source="shop")
    reply = await doors.think("Where is the parcel?")
    return Text(text=reply.text)


async def slow(ticket: Ticket, doors: Doors) -> Text:
    """Takes its time, and says that the parcel was delivered."""
    await asyncio.sleep(0.15)
    doors.claim("parcel 1: status", "delivered", source="carrier")
    await doors.artifact("label.txt", b"label")
    return Text(text=f"{CANARY} of slow")


async def flaky(found: Text, doors: Doors) -> Text:
    """Returns something without its schema, until it is told so."""
    return Text(text=CANARY) if doors.feedback else Text.model_construct(text=3)


async def shaky(ticket: Ticket, doors: Doors) -> Text:
    """Breaks."""
    raise RuntimeError(CANARY)


async def steady(ticket: Ticket, doors: Doors) -> Text:
    """Stands in."""
    return Text(text=CANARY)


async def draft(ticket: Ticket, findings: Findings, doors: Doors) -> Text:
    """Writes something better when told to."""
    return Text(text="better" if doors.feedback else CANARY)


def no_canary(reply: Reply, findings: Findings) -> Problem | None:
    """A draft that repeats raw findings goes back."""
    return Problem(f"It repeats {reply.text}.") if CANARY in reply.text else None


def busy() -> Supervisor[Ticket, Reply]:
    """Side by side: quick and slow, who disagree, a flaky one, one with a fallback; then a draft, twice."""
    quick_one = Agent("quick", "Is quick.", run=quick)
    slow_one = Agent("slow", "Is slow.", run=slow)
    flaky_one = Agent("flaky", "Is flaky.", run=flaky)
    helper = Agent("helper", "Helps out.", run=steady)
    shaky_one = Agent("shaky", "Breaks.", run=shaky, attempts=1, fallback=helper)
    drafting = Agent("drafting", "Writes.", run=draft)

    def nothing(ticket: Ticket) -> Plan | None:
        """Never applies but to jobs."""
        return Plan(Task(quick_one, ticket)) if "job" in ticket.text else None

    def everything(ticket: Ticket) -> Plan | None:
        """Everybody looks at it."""
        first, second, other = Task(quick_one, ticket), Task(slow_one, ticket), Task(shaky_one, ticket)
        last = Task(flaky_one, first.output)
        closing = Task(drafting, ticket, Findings.of(first, second, last))
        return Plan(first, second, other, last, closing=closing)

    def answer(ticket: Ticket, findings: Findings) -> Reply:
        return Reply(text=findings.get(drafting)[0].text)

    return Supervisor(
        "busy",
        request=Ticket,
        response=Reply,
        agents=[quick_one, slow_one, flaky_one, shaky_one, drafting],
        routes=[nothing, everything],
        answer=answer,
        examples=[Ticket(text="a job"), Ticket(text="anything")],
        conflicts=[Conflict("parcel *: status", prefer("carrier", "shop"))],
        reflections=[Reflection(quick_one, lambda output: None)],
        checks=[no_canary],
    )


def asking() -> Supervisor[Ticket, Reply]:
    """One agent asks back, and one depends on another that gives up."""

    async def ask(ticket: Ticket, doors: Doors) -> Text:
        return Text(text=str(await doors.ask("Which order do you mean?")))

    async def give_up(ticket: Ticket, doors: Doors) -> Text | GaveUp:
        return GaveUp(reason="the order is too old", needs="a person with the archive")

    async def use(found: Text, doors: Doors) -> Text:
        return found

    asker = Agent("asker", "Asks back.", run=ask)
    old = Agent("archive", "Looks into the archive.", run=give_up)
    user = Agent("reader", "Reads what was found.", run=use)

    def both(ticket: Ticket) -> Plan | None:
        """Ask, and look into the archive."""
        return Plan(Task(asker, ticket), Task(user, Task(old, ticket).output))

    def answer(ticket: Ticket, findings: Findings) -> Reply:
        return Reply(text="We will look into it.")

    desk = ToolServer("desk")

    @desk.tool(effect="once", key="key", speaks=True)
    async def send(to: str, text: str, key: str = "") -> str:
        """Sends a reply to a customer."""
        return "sent"

    return Supervisor(
        "asking",
        request=Ticket,
        response=Reply,
        agents=[asker, old, user],
        routes=[both],
        answer=answer,
        examples=[Ticket(text="x")],
        deliver=Delivery(send, lambda ticket, reply: {"to": ticket.email, "text": reply.text}),
    )


def forbidden(reply: Reply, findings: Findings) -> Problem | None:
    """Nothing ever leaves."""
    return Problem("This must not leave.", verdict="refuse")


@cache
def recorded() -> dict[str, Recorded]:
    """Runs of many shapes, made once: approved, rejected, gave up, busy, asking, refused, erased."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_all(Path(folder)))


async def _all(folder: Path) -> dict[str, Recorded]:
    made: dict[str, Recorded] = {}
    shop = Shop(folder / "shop.db", total="250")
    given = settings(folder)
    desk_graph = desk(shop, subject=lambda ticket: ticket.email).build()
    async with bind(desk_graph, settings=given) as app:

        async def keep(name: str, run: str) -> None:
            made[name] = Recorded(await app.stores.runs.get(run), await app.stores.record.lines(run))

        run = await app.run(Ticket(text="my parcel is lost"))
        await keep("waiting", run.id)
        (question,) = await app.questions(run.id)
        with suppress(AnswerRefused):
            await app.answer(question.id, yes=True, by=Principal(user="eve"))
        await app.answer(question.id, yes=True, by=LEAD, comment="she called twice")
        await app.resume(run.id)
        await keep("approved", run.id)
        no = await app.run(Ticket(text="my parcel is lost again", email="bob@example.com"))
        (question,) = await app.questions(no.id)
        await app.answer(question.id, yes=False, by=LEAD, comment="call first")
        await app.resume(no.id)
        await keep("rejected", no.id)
        gone = await app.run(Ticket(text="I want exchanges of my lost parcel"))
        await keep("gave up", gone.id)
        await app.stores.record.erase("ann@example.com", "olga", START)
        await keep("erased", run.id)
    async with bind(desk(shop, checks=[forbidden]).build(), settings=given) as app:
        shop.total = "10"
        run = await app.run(Ticket(text="my parcel is lost"))
        made["refused"] = Recorded(run, await app.stores.record.lines(run.id))
    async with bind(busy().build(), settings=given, models=Scripted()) as app:
        run = await app.run(Ticket(text="anything"))
        made["busy"] = Recorded(run, await app.stores.record.lines(run.id))
    async with bind(asking().build(), settings=given) as app:
        run = await app.run(Ticket(text="anything"))
        (question,) = await app.questions(run.id)
        await app.answer(question.id, value="the blue one")
        run = await app.resume(run.id)
        made["asking"] = Recorded(run, await app.stores.record.lines(run.id))
    return made
