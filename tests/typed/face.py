# pyright: strict, reportUnnecessaryTypeIgnoreComment=true, reportMissingTypeStubs=false
"""The Python face under a type checker; never run.

Each ignored line is wrong on purpose: where it stops being an error, the ignore itself becomes one.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, assert_type

from pydantic import BaseModel, JsonValue

from interlock import (
    Agent,
    Degraded,
    Doors,
    Findings,
    Gate,
    GaveUp,
    Limits,
    ModelRoute,
    Plan,
    Policy,
    RemoteAgent,
    Supervisor,
    Task,
    ToolServer,
)
from interlock.core.plans import Plan as CorePlan


class Ticket(BaseModel):
    """A request."""

    email: str
    text: str


class Order(BaseModel):
    """An order."""

    id: str
    total: Decimal


class Refund(BaseModel):
    """A refund."""

    amount: Decimal


class Reply(BaseModel):
    """A response."""

    text: str


shop = ToolServer("shop")
crm = ToolServer.http("crm", "https://crm.example/mcp")


@shop.tool()
async def latest_order(email: str) -> Order:
    """The newest order of a customer."""
    raise AssertionError(email)


@shop.tool(effect="once", key="key")
async def pay_back(order_id: str, amount: Decimal, key: str = "") -> Refund:
    """Pays money back."""
    raise AssertionError(order_id, amount, key)


@shop.tool(effect="sometimes")  # pyright: ignore[reportArgumentType]
async def odd(email: str) -> Order:
    """An effect that is none."""
    raise AssertionError(email)


async def look_up(ticket: Ticket, doors: Doors) -> Order | GaveUp:
    """A coded body."""
    order = await doors.call(latest_order, email=ticket.email)
    assert_type(order, Order)
    assert_type(await doors.call("crm/find", email=ticket.email), JsonValue)
    await doors.call(latest_order, mail=ticket.email)  # pyright: ignore[reportCallIssue]
    await doors.call(latest_order, email=3)  # pyright: ignore[reportCallIssue, reportArgumentType]
    return order


async def decide(order: Order, ticket: Ticket, doors: Doors) -> Refund | Degraded[Refund]:
    """A body with two inputs."""
    return await doors.call(pay_back, order_id=order.id, amount=order.total)


async def no_doors(ticket: Ticket) -> Order:
    """Not a body: it takes no doors."""
    raise AssertionError(ticket)


orders = Agent("orders", "Finds an order.", run=look_up, tools=[latest_order], limits=Limits(seconds=5))
returns = Agent("returns", "Pays a refund.", run=decide, tools=[pay_back])
assert_type(orders, Agent[Ticket, Order])
assert_type(returns, Agent[Order, Ticket, Refund])
Agent("broken", "Has no doors.", run=no_doors)  # pyright: ignore[reportArgumentType]
Agent("broken", "Names a tool that is none.", run=look_up, tools=[look_up])  # pyright: ignore[reportArgumentType]
Agent("broken", "A fallback of another shape.", run=look_up, fallback=returns)  # pyright: ignore[reportArgumentType]


def write(order: Order) -> Mapping[str, Any]:
    """A graph body's input."""
    return {"order": order.id}


def read(state: Mapping[str, Any]) -> Refund:
    """A graph body's output."""
    return Refund(amount=state["amount"])


audited = Agent("audit", "A graph of its own.", graph=object(), write=write, read=read)
assert_type(audited, Agent[Order, Refund])


thinking = Agent(
    "thinking",
    "Thinks about an order.",
    input=Order,
    output=Refund,
    prompt="prompts/returns.md",
    model="careful",
)
assert_type(thinking, Agent[Order, Refund])
Agent("broken", "A prompt without an input.", output=Refund, prompt="x.md")  # pyright: ignore[reportCallIssue]
Agent("broken", "A prompt and a body.", input=Order, output=Refund, prompt="x.md", run=look_up)  # pyright: ignore[reportCallIssue]
ModelRoute("careful", "fast")  # pyright: ignore[reportCallIssue]


def in_words(order: Order) -> str:
    """What a remote agent is asked."""
    return order.id


def read_refund(answer: Any) -> Refund | GaveUp:
    """What its answer means."""
    return Refund(amount=answer["amount"])


URL = "https://agents.example"
remote = RemoteAgent(
    "far", "Elsewhere.", url=URL, input=Order, output=Refund, ask=in_words, read=read_refund, fallback=audited
)
assert_type(remote, RemoteAgent[Order, Refund])
RemoteAgent("far", "Asks.", url=URL, input=Ticket, output=Refund, ask=in_words, read=read_refund)  # pyright: ignore[reportArgumentType]


def no_colour(colour: object) -> None:
    """Takes what an order does not have."""


def lost_parcel(ticket: Ticket) -> Plan | None:
    """A route with right and wrong wiring."""
    order = Task(orders, ticket)
    refund = Task(returns, order.output, ticket)
    assert_type(order.output, Order)
    assert_type(refund.output, Refund)
    Task(audited, order.output)
    assert_type(Task(remote, order.output).output, Refund)
    Task(remote, ticket)  # pyright: ignore[reportArgumentType]
    assert_type(Task(thinking, order.output).output, Refund)
    Task(thinking, ticket)  # pyright: ignore[reportArgumentType]
    Task(returns, ticket, ticket)  # pyright: ignore[reportArgumentType]
    Task(returns, order.output)  # pyright: ignore[reportArgumentType]
    Task(orders, order.output)  # pyright: ignore[reportArgumentType]
    Task(orders, ticket.text)  # pyright: ignore[reportArgumentType]
    no_colour(order.output.colour)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownArgumentType]
    return CorePlan(order, refund)


def answer(ticket: Ticket, findings: Findings) -> Reply:
    """A response."""
    assert_type(findings.get(orders), list[Order])
    return Reply(text=ticket.text)


policy = Policy().allow(orders, latest_order).ask(returns, pay_back, whom="shift-lead")
support = Supervisor(
    "support",
    request=Ticket,
    response=Reply,
    agents=[orders, returns],
    routes=[lost_parcel, ModelRoute("careful")],
    answer=answer,
)
assert_type(support, Supervisor[Ticket, Reply])
assert_type(Gate(Reply), Gate[Reply])
