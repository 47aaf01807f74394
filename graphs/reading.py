"""Tickets in words that no rule knows: a model reads what is wanted, and rules decide what is done."""

from pathlib import Path

from pydantic import ValidationError

from agents.ticket import Ticket, Wish, order_numbers
from graphs.wishes import Meaning
from interlock import Doors, GaveUp
from interlock.core.canonical import canonical, plain
from interlock.core.models import Message, ModelCall
from interlock.core.prompts import Prompt
from interlock.errors import ModelUnavailable

PROMPT = Prompt.read(Path(__file__).parent / "prompts" / "reading.md")
ROUTE = "reading"
NOBODY_READ_IT = GaveUp(
    reason="no model could be asked what the ticket says", tried=("our rules",), needs="a person who reads it"
)


async def reading(ticket: Ticket, doors: Doors) -> dict[str, set[Meaning]] | GaveUp:
    """What is wanted, by order number, as a model reads it; empty where it reads no wish.

    An order's number counts only if it stands in the ticket: a model may not bring one of its own.
    """
    call = ModelCall(
        messages=(
            Message(speaker="system", content=PROMPT.text),
            Message(speaker="user", content=canonical(ticket).decode()),
        ),
        answer_schema={name: plain(value) for name, value in Wish.model_json_schema().items()},
        options=dict(PROMPT.hints),
        prompt=PROMPT.label,
    )
    try:
        wish = Wish.model_validate_json((await doors.think(call, model=ROUTE)).text)
    except (ModelUnavailable, ValidationError):
        return NOBODY_READ_IT
    number = wish.order if wish.order in order_numbers(ticket.words) else ""
    return {number: set(wish.wants)} if wish.wants else {}
