"""The graph that the tests of the command line run: copied into a folder of its own, one wish per word."""

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from interlock import Agent, Degraded, Doors, Findings, GaveUp, Plan, Policy, Supervisor, Task, ToolServer
from interlock.errors import ToolFailed
from interlock.orchestration.gate import Problem


class Ticket(BaseModel):
    """What is asked; the first word of the text says which wish it is."""

    text: str
    amount: Decimal = Decimal("49.90")
    customer: str = "ann@example.com"


class Payment(BaseModel):
    """Money that was paid."""

    amount: Decimal


class Said(BaseModel):
    """What an agent found out."""

    text: str


class Reply(BaseModel):
    """What leaves."""

    text: str


books = ToolServer("books")


def _write(amount: Decimal) -> None:
    with Path("paid.txt").open("a") as book:
        book.write(f"{amount}\n")


@books.tool()
async def look(text: str) -> Said:
    """Looks something up, and is noisy about it."""
    print("NOISE of a tool")
    return Said(text=f"SECRET draft of {text}")


@books.tool(effect="once")
async def take_back(amount: Decimal) -> Payment:
    """Takes money back."""
    _write(-amount)
    return Payment(amount=amount)


@books.tool(effect="once", compensate=take_back)
async def pay(amount: Decimal) -> Payment:
    """Pays money."""
    _write(amount)
    while Path("slow").exists():  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    if amount == 13:
        raise RuntimeError("the line went dead")
    if amount == 7:
        raise ToolFailed("seven is not paid")
    return Payment(amount=amount)


async def pay_out(ticket: Ticket, doors: Doors) -> Payment:
    """Looks, then pays."""
    await doors.call(look, text=ticket.text)
    return await doors.call(pay, amount=ticket.amount)


async def ask_back(ticket: Ticket, doors: Doors) -> Said:
    """Asks the owner which colour it should be."""
    answer = await doors.ask("Which colour?", schema={"type": "string", "enum": ["red", "blue"]})
    return Said(text=f"It will be {answer}.")


async def break_down(ticket: Ticket, doors: Doors) -> Said:
    """Is broken."""
    raise RuntimeError("a defect in the body")


payer = Agent("payer", "Pays.", run=pay_out, tools=[look, pay, take_back])
asker = Agent("asker", "Asks back.", run=ask_back)
broken = Agent("broken", "Breaks.", run=break_down)


def _first(ticket: Ticket) -> str:
    return ticket.text.partition(" ")[0].lower()


def paying(ticket: Ticket) -> Plan | None:
    """Somebody wants money."""
    return Plan(Task(payer, ticket)) if _first(ticket) == "pay" else None


def asking(ticket: Ticket) -> Plan | None:
    """Somebody does not say which colour."""
    return Plan(Task(asker, ticket)) if _first(ticket) == "colour" else None


def breaking(ticket: Ticket) -> Plan | None:
    """Nothing works."""
    return Plan(Task(broken, ticket)) if _first(ticket) == "break" else None


def both(ticket: Ticket) -> Plan | None:
    """Somebody wants money, and does not say which colour."""
    return Plan(Task(payer, ticket), Task(asker, ticket)) if _first(ticket) == "both" else None


async def murmur(ticket: Ticket, doors: Doors) -> Said | Degraded[Said] | GaveUp:
    """Comes to something nobody may read."""
    if "nothing" in ticket.text:
        return GaveUp(reason="CANARY reason", tried=("CANARY tried",), needs="CANARY needs")
    return Degraded(output=Said(text="CANARY draft"), why="CANARY why")


murmurer = Agent("murmurer", "Murmurs.", run=murmur)


def murmuring(ticket: Ticket) -> Plan | None:
    """Something is murmured."""
    return Plan(Task(murmurer, ticket)) if _first(ticket) == "murmur" else None


def no_canary(reply: Reply, findings: Findings) -> Problem | None:
    """What was murmured must not leave."""
    return Problem("CANARY found", "refuse") if findings.get(murmurer) else None


def leaving(ticket: Ticket) -> GaveUp | None:
    """Nobody does that here."""
    return GaveUp(reason="nobody does that here") if _first(ticket) == "dance" else None


def much(call: Mapping[str, Any]) -> bool:
    """It is more than 100."""
    return call["amount"] > 100


def answer(ticket: Ticket, findings: Findings) -> Reply:
    """Tells what was done."""
    told = [f"We paid {each.amount}." for each in findings.get(payer)]
    told += [each.text for each in findings.get(asker)]
    return Reply(text=" ".join(told) or "We can do nothing.")


graph = Supervisor(
    "front",
    request=Ticket,
    response=Reply,
    agents=[payer, asker, broken, murmurer],
    routes=[paying, asking, breaking, both, murmuring, leaving],
    policy=Policy().allow(payer, look, take_back).ask(payer, pay, when=much, whom="lead").allow(payer, pay),
    answer=answer,
    checks=[no_canary],
    examples=[Ticket(text=word) for word in ("pay", "colour", "break", "both", "murmur", "dance")],
    subject=lambda ticket: ticket.customer,
).build()
