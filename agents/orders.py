"""The `orders` specialist: finds the order a customer means, and where its parcel is."""

from agents.ticket import Case, Ticket, order_numbers, tracking_numbers
from interlock import Agent, Degraded, Doors, GaveUp
from interlock.errors import Rejected, ToolFailed, ToolUnavailable
from tools.carrier import track
from tools.shop import Order, order, orders_of

QUESTIONS = 2
"""How often a customer is asked which order they mean."""
SHOP_SAYS = {"shipped": "in transit", "delivered": "delivered"}
"""The shop's status in the carrier's words: `shipped` and `in transit` do not contradict each other."""


async def find(ticket: Ticket, number: str, doors: Doors) -> Case | Degraded[Case] | GaveUp:
    """The order with that number, or the only one there is; with what the carrier says of its parcel."""
    try:
        found = await _meant(ticket, number, doors)
    except Rejected:
        found = None
    if found is None:
        return GaveUp(
            reason="it did not become clear which order is meant",
            tried=("the number in the ticket", "the customer's orders", "asking"),
            needs="the number of an order of this customer",
        )
    if found.tracking is None:
        return Case(order=found)
    about = f"parcel {found.tracking}: status"
    doors.claim(about, SHOP_SAYS[found.status], source=order)
    try:
        parcel = await doors.call(track, number=found.tracking)
    except (ToolUnavailable, ToolFailed):
        return Degraded(output=Case(order=found, unreachable=True), why="the carrier could not be reached")
    doors.claim(about, parcel.status.replace("_", " "), source=track)
    return Case(order=found, parcel=parcel)


async def _meant(ticket: Ticket, number: str, doors: Doors) -> Order | None:
    """The order the customer means. What is unknown, or somebody else's, is asked about and never shown."""
    if number:
        found = await doors.call(order, order_id=number, email=ticket.customer_email)
    else:
        every = await doors.call(orders_of, email=ticket.customer_email)
        tracked = tracking_numbers(ticket.words)
        those = [each for each in every if each.tracking in tracked] if tracked else every
        found = those[0] if len(those) == 1 else None
    for asked in range(QUESTIONS):
        if found is not None:
            break
        unknown = f"There is no order {number} of yours. " if number else ""
        again = " Please give its number." if asked else ""
        told = await doors.ask(f"{unknown}Which order is it about?{again}")
        number = next(iter(order_numbers(str(told))), "")
        found = await doors.call(order, order_id=number, email=ticket.customer_email) if number else None
    return found


orders = Agent(
    "orders",
    "Finds the order a customer means and where its parcel is; asks where that is not clear.",
    run=find,
    tools=[order, orders_of, track],
)
