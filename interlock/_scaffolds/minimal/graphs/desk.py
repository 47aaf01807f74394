"""The desk: a lost parcel is looked up and paid back; more than 100 needs a shift lead's yes."""

from pydantic import BaseModel

from agents.orders import Ticket, orders
from agents.returns import returns
from interlock import Findings, Plan, Policy, Supervisor, Task
from tools.shop import latest_order, pay_back


class Reply(BaseModel):
    text: str


def lost_parcel(ticket: Ticket) -> Plan | None:
    """A parcel that did not arrive: look the order up, then pay it back."""
    order = Task(orders, ticket)
    return Plan(order, Task(returns, order.output)) if "lost" in ticket.text.lower() else None


def answer(ticket: Ticket, findings: Findings) -> Reply:
    """Says what was done; an amount that no tool has told would not pass the gate."""
    told = [f"We paid back {order.total} EUR for order {order.id}." for order in findings.get(returns)]
    return Reply(text=" ".join(told) or "A colleague will write to you.")


policy = Policy().allow(orders, latest_order)
policy.ask(returns, pay_back, when=lambda call: call["amount"] > 100, whom="shift-lead")
policy.allow(returns, pay_back)
example = Ticket(email="ann@example.com", text="My parcel is lost.")
graph = Supervisor(
    "desk",
    request=Ticket,
    response=Reply,
    agents=[orders, returns],
    routes=[lost_parcel],
    policy=policy,
    answer=answer,
    examples=[example],
).build()
