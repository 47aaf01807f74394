"""The help desk: who is there for what, who was handed which ticket, and what customers were told."""

from pydantic import BaseModel

from interlock import ToolServer
from interlock.errors import ToolFailed
from tools.books import book, now

helpdesk = ToolServer("helpdesk")


class Person(BaseModel):
    """A colleague."""

    name: str
    role: str
    topics: str


class Assignment(BaseModel):
    """A ticket in a person's hands."""

    ticket_id: str
    person: str
    reason: str


class Sent(BaseModel):
    """A reply that went to the customer."""

    ticket_id: str
    at: str


@helpdesk.tool(effect="none")
async def people_for(topic: str) -> Person:
    """The colleague who is there for a topic, or for everything else."""
    with book("helpdesk") as db:
        people = [Person(**dict(row)) for row in db.execute("SELECT name, role, topics FROM people")]
    for wanted in (topic, "default"):
        for person in people:
            if wanted in person.topics.split(","):
                return person
    raise ToolFailed(f"nobody is there for {topic!r}.")


@helpdesk.tool(effect="none")
async def assignment_by_key(key: str) -> Assignment | None:
    """The assignment that was made under an idempotency key, if it was."""
    with book("helpdesk") as db:
        found = "SELECT ticket_id, person, reason FROM assignments WHERE key = ?"
        row = db.execute(found, (key,)).fetchone()
    return Assignment(**dict(row)) if row else None


@helpdesk.tool(effect="once", key="key", lookup=assignment_by_key)
async def assign(ticket_id: str, person: str, reason: str, key: str = "") -> Assignment:
    """Hands a ticket to a colleague.

    Raises:
        ToolFailed: there is no such colleague; nothing is handed over.
    """
    with book("helpdesk") as db:
        if db.execute("SELECT 1 FROM people WHERE name = ?", (person,)).fetchone() is None:
            raise ToolFailed(f"{person!r} does not work here.")
        db.execute(
            "INSERT INTO assignments VALUES (?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING",
            (ticket_id, person, reason, key or None, now()),
        )
    return Assignment(ticket_id=ticket_id, person=person, reason=reason)


@helpdesk.tool(effect="none")
async def reply_by_key(key: str) -> Sent | None:
    """The reply that was sent under an idempotency key, if it was."""
    with book("helpdesk") as db:
        row = db.execute("SELECT ticket_id, at FROM replies WHERE key = ?", (key,)).fetchone()
    return Sent(**dict(row)) if row else None


@helpdesk.tool(effect="once", key="key", lookup=reply_by_key, speaks=True)
async def reply_to_customer(ticket_id: str, text: str, key: str = "") -> Sent:
    """Sends the customer a reply; once under the same key."""
    at = now()
    with book("helpdesk") as db:
        sent = db.execute("SELECT ticket_id, at FROM replies WHERE key = ?", (key or None,)).fetchone()
        if sent:
            return Sent(**dict(sent))
        db.execute("INSERT INTO replies VALUES (?, ?, ?, ?)", (ticket_id, text, key or None, at))
    return Sent(ticket_id=ticket_id, at=at)
