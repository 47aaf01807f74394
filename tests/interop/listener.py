"""The graph of ours that peers call: it answers, asks before it acts, and takes long until it is stopped.

`interlock serve` loads `graph` from this file. What its one tool did stands in a book beside the database.
"""

import asyncio
import os
from pathlib import Path

from pydantic import BaseModel

from interlock import Agent, Doors, Findings, Plan, Policy, Supervisor, Task, ToolServer
from interlock.core.policy import OWNER

BOOK = Path(os.environ.get("LISTENER_BOOK", "listener.book"))


class Wish(BaseModel):
    """What a caller wants."""

    text: str


class Said(BaseModel):
    """What it is told."""

    text: str


books = ToolServer("books")


@books.tool(effect="once", key="key")
async def book(what: str, key: str = "") -> Said:
    """Writes into the book, which cannot be taken back."""
    write(f"booked {what}")
    return Said(text=f"approved: {what}")


async def listen(wish: Wish, doors: Doors) -> Said:
    """Says what it heard; a slow wish takes a minute."""
    if wish.text.startswith("slow"):
        await slowly()
    return Said(text=f"interlock heard: {wish.text}")


async def approve(wish: Wish, doors: Doors) -> Said:
    """Books it, if a person allows that."""
    return await doors.call(book, what=wish.text.removeprefix("approve").strip())


async def slowly() -> None:
    """Takes a minute, and says in the book whether it was stopped."""
    write("started")
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        write("stopped")
        raise
    write("ended")


def write(words: str) -> None:
    """Adds a line to the book."""
    with BOOK.open("a", encoding="utf-8") as file:
        file.write(words + "\n")


listener = Agent("listener", "Says what it heard.", run=listen)
clerk = Agent("clerk", "Books what a person allows.", run=approve, tools=[book])


def to_approve(wish: Wish) -> Plan | None:
    """It is something to approve."""
    return Plan(Task(clerk, wish)) if wish.text.startswith("approve") else None


def to_hear(wish: Wish) -> Plan | None:
    """Anything else is only heard."""
    return Plan(Task(listener, wish))


def answer(wish: Wish, findings: Findings) -> Said:
    """What whichever of the two said."""
    return [*findings.get(listener), *findings.get(clerk)][-1]


graph = Supervisor(
    "listening",
    request=Wish,
    response=Said,
    agents=[listener, clerk],
    routes=[to_approve, to_hear],
    policy=Policy().ask(clerk, book, whom=OWNER, within="1h"),
    answer=answer,
    examples=[Wish(text="approve a page"), Wish(text="hello")],
).build()
