"""`agent.node()` and `gate.node()` in a hand-written StateGraph keep their guarantees."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict

from interlock import Agent, Doors, Gate, Policy, bind
from interlock.errors import BuildError, NotBound, SchemaViolation
from tests.desk import Order, Refund, Reply, Shop, settings


class Mine(TypedDict, total=False):
    """State of a graph somebody wrote by hand."""

    email: str
    order: Any
    order_result: Any
    refund: Any
    refund_result: Any
    draft: Any
    response: Any
    verdict: str
    feedback: str
    revisions: int


def graph(shop: Shop, *, careless: bool = False) -> tuple[Any, Policy]:
    """Looks up, pays, drafts, and lets the gate decide; a careless draft is revised once."""

    async def look_up(email: str, doors: Doors) -> Order:
        return await doors.call(shop.latest_order, email=email)

    async def pay(order: Order, doors: Doors) -> Refund:
        return await doors.call(shop.pay_back, order_id=order.id, amount=order.total)

    orders = Agent("orders", "Finds an order.", run=look_up, tools=[shop.latest_order])
    returns = Agent("returns", "Pays.", run=pay, tools=[shop.pay_back])
    policy = Policy().allow(orders, shop.latest_order).ask(returns, shop.pay_back)

    async def draft(state: Mine) -> Mine:
        amount = "77.00" if careless and not state.get("feedback") else state.get("refund", {})["amount"]
        return {"draft": {"text": f"We paid back {amount} EUR."}}

    built: Any = StateGraph(Mine)
    built.add_node("orders", orders.node("email", into="order"))
    built.add_node("returns", returns.node("order", into="refund"))
    built.add_node("draft", draft)
    built.add_node("gate", Gate(Reply).node())
    built.add_edge(START, "orders")
    built.add_edge("orders", "returns")
    built.add_edge("returns", "draft")
    built.add_edge("draft", "gate")
    built.add_conditional_edges(
        "gate", lambda s: "draft" if s["verdict"] == "revise" else END, ["draft", END]
    )
    return built, policy


async def test_a_hand_written_graph_asks_pays_once_and_is_gated(tmp_path: Path) -> None:
    """The effect waits for a yes and happens once; what leaves is what the gate accepted after a revision."""
    shop = Shop(tmp_path / "shop.db")
    built, policy = graph(shop, careless=True)
    async with bind(built, policy=policy, name="mine", settings=settings(tmp_path)) as app:
        run = await app.run({"email": "ann@example.com"})
        (question,) = await app.questions(run.id)
        await app.answer(question.id, yes=True)
        ended = await app.resume(run.id)
        lines = await app.stores.record.lines(run.id)

    verdicts = [
        line.body["verdict"]
        for line in lines
        if line.event.kind == "gate.checked" and isinstance(line.body, dict)
    ]
    assert run.state == "waiting_for_approval"
    assert (ended.state, ended.response) == ("completed", {"text": "We paid back 49.90 EUR."})
    assert shop.rows() == [("A-1001", "49.90")]
    assert verdicts == ["revise", "accept"]


async def test_what_no_gate_accepted_is_no_response(tmp_path: Path) -> None:
    """A hand-written graph may write what it wants into its state; it leaves only through a gate."""

    async def blurt(state: Mine) -> Mine:
        return {"response": {"text": "We paid back 77.00 EUR."}}

    built: Any = StateGraph(Mine)
    built.add_node("blurt", blurt)
    built.add_edge(START, "blurt")
    async with bind(built, policy=Policy(), name="mine", settings=settings(tmp_path)) as app:
        run = await app.run({"email": "ann@example.com"})

    assert (run.state, run.response) == ("completed", None)
    assert "accepted by no gate" in run.reason


async def test_unbound_nodes_read_and_refuse_to_act(tmp_path: Path) -> None:
    """Without a binding the reading node works and the paying one says what is missing."""
    shop = Shop(tmp_path / "shop.db")
    built, _ = graph(shop)

    with pytest.raises(NotBound, match="unbound graphs only read"):
        await built.compile().ainvoke({"email": "ann@example.com"})
    assert shop.rows() == []


async def test_a_gate_needs_its_runs_evidence(tmp_path: Path) -> None:
    """A gate in an unbound graph refuses to judge, since it could not know what is grounded."""
    built: Any = StateGraph(Mine)
    built.add_node("gate", Gate(Reply).node())
    built.add_edge(START, "gate")

    with pytest.raises(SchemaViolation, match="needs the run's context"):
        await built.compile().ainvoke({"draft": {"text": "49.90 EUR"}})


def test_a_node_names_a_state_key_for_each_input() -> None:
    """Too few state keys fail when the graph is written, not when it runs."""

    async def two(order: Order, amount: Decimal, doors: Doors) -> Order:
        return order

    with pytest.raises(BuildError, match=r"agent two takes 2 inputs \(order, amount\)"):
        Agent("two", "Takes two.", run=two).node("order")
