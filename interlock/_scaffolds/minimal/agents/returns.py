"""Pays orders back."""

from interlock import Agent, Doors
from tools.shop import Order, pay_back


async def pay(order: Order, doors: Doors) -> Order:
    """The whole amount."""
    return await doors.call(pay_back, order.id, order.total)


returns = Agent("returns", "Pays a refund.", run=pay, tools=[pay_back], not_for=["exchanges"])
