"""The `risk` specialist: how careful the desk has to be with a ticket. Decides nothing."""

from agents.signs import signs
from agents.ticket import Risk, Ticket
from interlock import Agent, Doors
from tools.payments import refunds_of
from tools.shop import orders_of

MANY_REFUNDS = 3
"""From so many earlier refunds on, a person looks at every further one."""


async def assess(ticket: Ticket, doors: Doors) -> Risk:
    """Looks for manipulation in the text, then for refunds in the payments book."""
    found = signs(ticket.words)
    if found:
        return Risk(level="manipulation", refunds=0, signs=found)
    orders = await doors.call(orders_of, email=ticket.customer_email)
    refunds = await doors.call(refunds_of, order_ids=sorted(each.id for each in orders)) if orders else []
    return Risk(level="raised" if len(refunds) >= MANY_REFUNDS else "low", refunds=len(refunds))


risk = Agent(
    "risk",
    "Says how careful to be: the customer's refunds so far, and signs of manipulation in the text.",
    run=assess,
    tools=[orders_of, refunds_of],
)
