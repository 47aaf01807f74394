"""Finds the order that a ticket is about."""

from pydantic import BaseModel

from interlock import Agent, Doors
from tools.shop import Order, latest_order


class Ticket(BaseModel):
    email: str
    text: str


async def look_up(ticket: Ticket, doors: Doors) -> Order:
    """The customer's newest order."""
    return await doors.call(latest_order, email=ticket.email)


orders = Agent("orders", "Finds an order.", run=look_up, tools=[latest_order])
