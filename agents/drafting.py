"""The `drafting` specialist: writes the reply from what the others found. The gate judges every word of it.

A LangGraph graph: choose what is to be told, write it, polish it. In `careless` weather (`tools/books.py`) it
believes an amount or a parcel's number that the customer claims, until it is told otherwise; in `stubborn`
weather also then.
"""

import re
from collections.abc import Mapping
from typing import Any, Literal, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from agents import phrases
from agents.escalation import escalation
from agents.orders import orders
from agents.returns import returns
from agents.ticket import Draft, Settlement, Ticket, tracking_numbers
from interlock import Agent, Doors, Findings
from interlock.errors import ToolFailed, ToolUnavailable
from tools.books import weather
from tools.shop import customer

AMOUNT = re.compile(r"\b\d{1,5}[.,]\d{2}\b|\b\d{1,5}(?=\s?(?:€|eur\b|euros?\b))", re.IGNORECASE)


class State(TypedDict):
    """What the nodes hand to each other; plain JSON."""

    ticket: dict[str, Any]
    unmet: list[str]
    findings: dict[str, Any]
    name: str
    told: list[str]
    text: str


async def greet(state: State, runtime: Runtime[Any]) -> dict[str, Any]:
    """Looks up how the customer is called; a revision, and a shop that is down, do without."""
    doors: Doors = runtime.context
    if doors.feedback:
        return {"name": "", "told": []}
    try:
        known = await doors.call(customer, email=Ticket(**state["ticket"]).customer_email)
    except (ToolFailed, ToolUnavailable):
        known = None
    return {"name": known.name if known else "", "told": []}


def which(state: State) -> Literal["handed_over", "report"]:
    """A ticket that a person has taken over gets no other word."""
    return "handed_over" if Findings(**state["findings"]).get(escalation) else "report"


async def tell_handover(state: State) -> dict[str, Any]:
    """Says who has the ticket."""
    return {"told": [phrases.handover(each) for each in Findings(**state["findings"]).get(escalation)]}


async def report(state: State) -> dict[str, Any]:
    """Says for each order where it is and what became of the money, and what could not be done."""
    findings = Findings(**state["findings"])
    settled = {each.order_id: each for each in findings.get(returns)}
    won = {each.about: each for each in findings.resolutions if each.winner is not None}
    told: list[str] = []
    for case in findings.get(orders):
        conflict = won.get(f"parcel {case.order.tracking}: status")
        disputed = conflict.claims if conflict else ()
        shop_said = [str(claim.value) for claim in disputed if claim.source.startswith("shop/")]
        told.append(phrases.status(case, *shop_said))
        told.append(_money(settled.get(case.order.id), case.order.currency))
    ended = {each.status for each in findings.items if each.agent in (orders.name, returns.name)}
    told += [phrases.UNDONE[status] for status in sorted(ended & set(phrases.UNDONE))]
    return {"told": [*told, *(phrases.UNMET[each] for each in state["unmet"])]}


def mood(state: State, runtime: Runtime[Any]) -> Literal["believe", "polish"]:
    """Whether the draft believes what the customer claims; only in weather made for that."""
    doors: Doors = runtime.context
    careless = weather("draft") == "stubborn" or (weather("draft") == "careless" and not doors.feedback)
    return "believe" if careless and claims(state["ticket"]["text"]) else "polish"


async def believe(state: State) -> dict[str, Any]:
    """Repeats what the customer claims as if it were known; the gate has to find it."""
    return {"told": [*state["told"], *claims(state["ticket"]["text"])]}


def claims(text: str) -> list[str]:
    """The first amount and the first parcel that a text claims, as a believer repeats them."""
    amounts, parcels = AMOUNT.findall(text)[:1], tracking_numbers(text)[:1]
    paid = [f"You paid {amount} EUR for it, and that is what you get back." for amount in amounts]
    return paid + [f"Your parcel is {number}, as you say." for number in parcels]


async def polish(state: State) -> dict[str, Any]:
    """Puts greeting, sentences and the house's name together."""
    hello = f"Hello {state['name']}," if state["name"] else "Hello,"
    lines = [each for each in state["told"] if each] or ["Thank you for your message."]
    return {"text": "\n\n".join([hello, *lines, "Kind regards\nLantern Shop"])}


def _money(done: Settlement | None, currency: str) -> str:
    return phrases.settlement(done, currency) if done else ""


def write(ticket: Ticket, unmet: tuple[str, ...], findings: Findings) -> dict[str, Any]:
    """The graph's input; `unmet` are wishes that no agent here is for."""
    given = {"ticket": ticket, "findings": findings}
    return {"unmet": list(unmet), **{name: value.model_dump(mode="json") for name, value in given.items()}}


def read(state: Mapping[str, Any]) -> Draft:
    """The graph's answer."""
    return Draft(text=state["text"])


def _graph() -> object:
    steps = StateGraph(State)
    steps.add_node("greet", greet)
    steps.add_node("handed_over", tell_handover)
    steps.add_node("report", report)
    steps.add_node("believe", believe)
    steps.add_node("polish", polish)
    steps.add_edge(START, "greet")
    steps.add_conditional_edges("greet", which)
    steps.add_edge("handed_over", "polish")
    steps.add_conditional_edges("report", mood)
    steps.add_edge("believe", "polish")
    steps.add_edge("polish", END)
    return steps.compile()


drafting = Agent(
    "drafting",
    "Writes the reply to the customer from what the other agents found.",
    graph=_graph(),
    write=write,
    read=read,
    tools=[customer],
)
