"""Wrong wiring fails the build with a sentence that says what to do."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from langgraph.graph import END, START, StateGraph
from pydantic import BaseModel
from typing_extensions import TypedDict

from interlock import Agent, Doors, Findings, Plan, Policy, Supervisor, Task, ToolServer
from interlock.core.reflections import Reflection
from interlock.errors import BuildError
from interlock.orchestration.deliver import Delivery
from interlock.orchestration.supervisor import SupervisorGraph
from tests.desk import Order, Reply, Shop, Ticket, desk


class Word(BaseModel):
    """A small output."""

    word: str


async def say(ticket: Ticket, doors: Doors) -> Word:
    """Says something."""
    return Word(word=ticket.text)


def reply(ticket: Ticket, findings: Findings) -> Reply:
    """Answers."""
    return Reply(text="done")


speaker = Agent("speaker", "Speaks.", run=say)


def speak(ticket: Ticket) -> Plan:
    """Always."""
    return Plan(Task(speaker, ticket))


def build(**changes: Any) -> SupervisorGraph:
    """Builds a right supervisor with one thing changed."""
    parts: dict[str, Any] = {
        "request": Ticket,
        "response": Reply,
        "agents": [speaker],
        "routes": [speak],
        "answer": reply,
        "examples": [Ticket(text="go")],
    }
    return Supervisor("small", **{**parts, **changes}).build()


def test_right_wiring_builds() -> None:
    """The supervisor all cases below change one thing of does build."""
    assert {"intake", "plan", "strand", "join", "aggregate", "deliver"} == set(build().nodes)


def test_a_domain_tool_on_the_supervisor(tmp_path: Path) -> None:
    """The supervisor owns no domain tool."""
    with pytest.raises(
        BuildError, match=r"must not own domain tools \(shop/latest_order\): grant them to an agent"
    ):
        build(tools=[Shop(tmp_path / "shop.db").latest_order])


def test_duplicate_names() -> None:
    """Two agents of one name are refused."""
    with pytest.raises(BuildError, match="has two agents named 'speaker': names must be unique"):
        build(agents=[speaker, Agent("speaker", "Another.", run=say)])


def test_unknown_names() -> None:
    """A plan for an agent the supervisor does not have is refused, naming those it has."""
    with pytest.raises(
        BuildError, match=r"'stranger', which is not among the supervisor's agents \(speaker\)"
    ):
        build(routes=[lambda ticket: Plan(Task(Agent("stranger", "Unknown.", run=say), ticket))])
    with pytest.raises(BuildError, match="has a rule for 'nobody', which is none of its agents"):
        build(policy=Policy().allow("nobody", "shop/*"))


def test_reserved_names() -> None:
    """An agent cannot take the name of one of the graph's own nodes."""
    with pytest.raises(BuildError, match="'aggregate' is a name of the graph's own nodes"):
        build(agents=[Agent("aggregate", "Clashes.", run=say)])


def test_schema_mismatch_in_a_rules_plan() -> None:
    """An input of the wrong type fails at build, naming the task, the input and both types."""

    async def read(order: Order, doors: Doors) -> Word:
        return Word(word=order.id)

    reader = Agent("reader", "Reads orders.", run=read)

    def wrong(ticket: Ticket) -> Plan:
        return Plan(Task(reader, Task(speaker, ticket).output))  # pyright: ignore[reportArgumentType]

    with pytest.raises(BuildError, match="task 'reader', input 'order' is given Word but takes Order"):
        build(agents=[speaker, reader], routes=[wrong])


def test_an_answer_of_the_wrong_type() -> None:
    """The answer function must return the response."""

    def wrong(ticket: Ticket, findings: Findings) -> Order:
        raise AssertionError

    with pytest.raises(BuildError, match=r"answer function returns .*Order.*but the response is .*Reply"):
        build(answer=wrong)


def test_a_route_no_example_reaches() -> None:
    """A rule whose plan cannot be checked asks for an example."""
    with pytest.raises(BuildError, match="add a request it is meant for to `examples=`"):
        build(examples=[], routes=[speak])


def test_a_tool_the_policy_can_never_allow(tmp_path: Path) -> None:
    """Forbidden or unmentioned, a granted tool that can never be called fails the build."""
    shop = Shop(tmp_path / "shop.db")

    async def use(ticket: Ticket, doors: Doors) -> Word:
        raise AssertionError

    user = Agent("user", "Uses.", run=use, tools=[shop.pay_back])
    parts = {"agents": [user], "routes": [lambda ticket: Plan(Task(user, ticket))]}

    with pytest.raises(BuildError, match="the policy can never let user call shop/pay_back"):
        build(**parts, policy=Policy().forbid(user, shop.pay_back).allow(user, shop.pay_back))
    with pytest.raises(BuildError, match=r"add `policy.allow\(user, ...\)` or take the tool from the agent"):
        build(**parts, policy=Policy())


def test_a_speaking_tool_on_a_specialist() -> None:
    """Tools that speak to people are granted to no specialist, and delivery needs one that speaks."""
    desk_server = ToolServer("helpdesk")

    @desk_server.tool(effect="once", speaks=True)
    async def write_to(text: str) -> bool:
        """Writes to the customer."""
        raise AssertionError

    @desk_server.tool(effect="once")
    async def note(text: str) -> bool:
        """Writes a note."""
        raise AssertionError

    with pytest.raises(BuildError, match="which speaks to people; only `deliver=` may"):
        build(agents=[Agent("speaker", "Speaks.", run=say, tools=[write_to])])
    with pytest.raises(BuildError, match="helpdesk/note, which is not declared `speaks=True`"):
        build(deliver=Delivery(note, lambda ticket, response: {"text": response.text}))


def test_two_servers_of_one_name(tmp_path: Path) -> None:
    """Tool names are unique because server names are."""
    (tmp_path / "other").mkdir()
    one, two = Shop(tmp_path / "a.db"), Shop(tmp_path / "other" / "b.db")
    agents = [
        Agent("one", "One.", run=say, tools=[one.latest_order]),
        Agent("two", "Two.", run=say, tools=[two.latest_order]),
    ]
    with pytest.raises(BuildError, match="two tool servers are named 'shop'"):
        build(agents=agents, routes=[lambda ticket: Plan(Task(agents[0], ticket))])


class Loop(TypedDict, total=False):
    """State of a graph with a cycle."""

    text: str


def looping() -> Any:
    """A graph that goes round."""
    graph: Any = StateGraph(Loop)
    graph.add_node("think", lambda state: state)
    graph.add_node("act", lambda state: state)
    graph.add_edge(START, "think")
    graph.add_conditional_edges("think", lambda state: "act", ["act", END])
    graph.add_edge("act", "think")
    return graph.compile()


def write(ticket: Ticket) -> Mapping[str, Any]:
    """The graph's input."""
    return {"text": ticket.text}


def read(state: Mapping[str, Any]) -> Word:
    """The graph's output."""
    return Word(word=str(state["text"]))


def test_an_unbounded_cycle_in_a_body() -> None:
    """A body graph that goes round needs a bound, and the error names the loop."""
    endless = Agent("thinker", "Thinks.", graph=looping(), write=write, read=read)
    bounded = Agent("thinker", "Thinks.", graph=looping(), write=write, read=read, max_steps=10)

    with pytest.raises(
        BuildError, match=r"cycle without a bound \(think -> act -> think\): give the agent `max_steps=`"
    ):
        build(agents=[endless], routes=[lambda ticket: Plan(Task(endless, ticket))])
    build(agents=[bounded], routes=[lambda ticket: Plan(Task(bounded, ticket))])


def test_other_unbounded_cycles() -> None:
    """A reflection and the gate's revisions are cycles too, and have bounds."""
    with pytest.raises(BuildError, match="the reflection on speaker is a cycle without a bound"):
        build(reflections=[Reflection(speaker, lambda output: None, max_rounds=0)])
    with pytest.raises(BuildError, match="`max_revisions` is a cycle's bound"):
        build(max_revisions=1_000)


def test_reflections_and_fallbacks_on_effects(tmp_path: Path) -> None:
    """What changes the world is never repeated by a judge nor tried another way."""
    shop = Shop(tmp_path / "shop.db")
    payer = Agent("payer", "Pays.", run=say, tools=[shop.pay_back])

    with pytest.raises(BuildError, match=r"a reflection would repeat the effects of payer \(shop/pay_back\)"):
        build(
            agents=[payer],
            routes=[lambda ticket: Plan(Task(payer, ticket))],
            reflections=[Reflection(payer, lambda output: None)],
        )
    with pytest.raises(BuildError, match=r"has effects .* and cannot take part in a fallback"):
        Agent("careful", "Reads.", run=say, fallback=payer)


def test_versions_follow_the_definition(tmp_path: Path) -> None:
    """The same parts have the same version; another limit in the policy has another."""
    shop = Shop(tmp_path / "shop.db")

    assert desk(shop).version == desk(shop).version
    assert (
        desk(shop).version
        != desk(shop, max_tasks=3, limits=desk(shop).limits.model_copy(update={"tool_calls": 3})).version
    )
