"""The `returns` specialist: decides by the shop's rules whether money goes back, and pays it.

A LangGraph graph: load the facts, decide, make the label where one is needed, pay. Its nodes reach the
doors as `runtime.context`.
"""

from collections.abc import Mapping
from typing import Any, Literal, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from agents.returns_policy import Ruling, decide
from agents.ticket import Case, Reason, Risk, Settlement, Wish
from interlock import Agent, Doors
from interlock.errors import EffectTaken, Rejected, ToolFailed
from tools.payments import paid, refund
from tools.shop import make_label, void_label

WHY_NOT: dict[type[Exception], Reason] = {Rejected: "shift_lead", EffectTaken: "taken", ToolFailed: "refused"}


class State(TypedDict):
    """What the nodes hand to each other; plain JSON."""

    wish: dict[str, Any]
    case: dict[str, Any]
    risk: dict[str, Any]
    refunded: bool
    ruling: dict[str, Any]
    label: str | None
    settled: dict[str, Any]


async def load_facts(state: State, runtime: Runtime[Any]) -> dict[str, Any]:
    """Asks the payment service whether something was paid back for this order before."""
    doors: Doors = runtime.context
    books = await doors.call(paid, order_id=Case(**state["case"]).order.id)
    return {"refunded": books.refunded > 0}


async def apply_rules(state: State, runtime: Runtime[Any]) -> dict[str, Any]:
    """Decides by the rules in `agents/returns_policy.py`; a suspicious ticket moves no money at all."""
    doors: Doors = runtime.context
    today = (await doors.now()).date()
    wish, case = Wish(**state["wish"]), Case(**state["case"])
    ruling = decide(wish, case, state["refunded"], today)
    if Risk(**state["risk"]).level == "manipulation":
        ruling = Ruling("decline", "suspicious")
    told = {"outcome": ruling.outcome, "reason": ruling.reason, "label": ruling.label}
    return {"ruling": told, "label": None, "settled": _settled(case, ruling.outcome, ruling.reason)}


def what_next(state: State) -> Literal["label", "refund", "__end__"]:
    """A label comes before the money; where nothing is paid, that was all."""
    if state["ruling"]["outcome"] != "pay":
        return "__end__"
    return "label" if state["ruling"]["label"] else "refund"


async def label(state: State, runtime: Runtime[Any]) -> dict[str, Any]:
    """Makes the return label."""
    doors: Doors = runtime.context
    case = Case(**state["case"])
    made = await doors.call(make_label, order_id=case.order.id)
    return {"label": made.label}


async def pay_back(state: State, runtime: Runtime[Any]) -> dict[str, Any]:
    """Pays the order's total back; the policy may make this wait for a person."""
    doors: Doors = runtime.context
    case, history = Case(**state["case"]), Risk(**state["risk"]).refunds
    try:
        done = await doors.call(refund, order_id=case.order.id, amount=case.order.total, history=history)
    except (Rejected, EffectTaken, ToolFailed) as error:
        return {"settled": _settled(case, "declined", WHY_NOT[type(error)])}
    return {"settled": {**_settled(case, "paid", state["ruling"]["reason"]), "amount": str(done.amount)}}


def what_of_the_label(state: State) -> Literal["print", "take_back", "__end__"]:
    """A label for a return that is not paid must not be used."""
    if not state["label"]:
        return "__end__"
    return "print" if state["settled"]["outcome"] == "paid" else "take_back"


async def print_label(state: State, runtime: Runtime[Any]) -> dict[str, Any]:
    """Makes a page of the label, for the customer to print."""
    doors: Doors = runtime.context
    order = Case(**state["case"]).order
    page = f"RETURN {state['label']}\n{order.id}: {order.item}\nTo: Lantern Shop, Returns\n"
    await doors.artifact(f"return-label-{order.id}.txt", page.encode())
    return {}


async def take_back(state: State, runtime: Runtime[Any]) -> dict[str, Any]:
    """Voids the label."""
    doors: Doors = runtime.context
    await doors.call(void_label, label=str(state["label"]))
    return {"label": None}


def write(wish: Wish, case: Case, risk: Risk) -> dict[str, Any]:
    """The graph's input."""
    given = {"wish": wish, "case": case, "risk": risk}
    return {name: value.model_dump(mode="json") for name, value in given.items()}


def read(state: Mapping[str, Any]) -> Settlement:
    """The graph's answer."""
    return Settlement(**state["settled"], label=state["label"])


def _settled(case: Case, outcome: str, reason: str) -> dict[str, Any]:
    told = "declined" if outcome == "decline" else outcome
    return {"order_id": case.order.id, "outcome": told, "reason": reason}


def _graph() -> object:
    steps = StateGraph(State)
    steps.add_node("facts", load_facts)
    steps.add_node("decide", apply_rules)
    steps.add_node("label", label)
    steps.add_node("refund", pay_back)
    steps.add_node("print", print_label)
    steps.add_node("take_back", take_back)
    steps.add_edge(START, "facts")
    steps.add_edge("facts", "decide")
    steps.add_conditional_edges("decide", what_next)
    steps.add_edge("label", "refund")
    steps.add_conditional_edges("refund", what_of_the_label)
    steps.add_edge("print", END)
    steps.add_edge("take_back", END)
    return steps.compile()


returns = Agent(
    "returns",
    "Decides by the shop's rules whether an order is paid back, makes the label, and pays.",
    graph=_graph(),
    write=write,
    read=read,
    tools=[paid, make_label, void_label, refund],
)
