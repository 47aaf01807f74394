"""The plan that is measured, A and B, then C, then D: as an Interlock supervisor and as bare LangGraph."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any

from langgraph.graph import END, START, StateGraph
from mcp import Client
from pydantic import BaseModel
from typing_extensions import TypedDict

from interlock import Agent, Doors, Findings, Plan, Supervisor, Task, ToolServer
from interlock.core.models import ModelCall, ModelReply

HOPS = 4
MODEL_S, TOOL_S, SLOW_S = 0.05, 0.02, 1.0
IDEAL_S = 3 * (2 * MODEL_S + TOOL_S)
"""A and B side by side, then C, then D; each thinks, reads and thinks."""
IMPORTS = "import langgraph.graph, langgraph.checkpoint.sqlite.aio, mcp"
"""What a program on bare LangGraph with an MCP client loads."""


class Topic(BaseModel):
    """What is asked."""

    text: str


class Fact(BaseModel):
    """What a hop returns."""

    text: str
    size: int = 0


class Reply(BaseModel):
    """What leaves."""

    text: str


REQUEST = Topic(text="how is the weather where the parcel is")
shelf = ToolServer("shelf")


@shelf.tool()
async def read_shelf(about: str) -> Fact:
    """Reads a shelf at once."""
    return Fact(text=f"a fact about {about}", size=len(about))


@shelf.tool()
async def read_slowly(about: str) -> Fact:
    """Reads a shelf that takes as long as a real one."""
    await asyncio.sleep(TOOL_S)
    return Fact(text=f"a fact about {about}", size=len(about))


@shelf.tool()
async def read_archive(about: str) -> Fact:
    """Reads an archive that takes a second."""
    await asyncio.sleep(SLOW_S)
    return Fact(text=f"a fact about {about}", size=len(about))


class SlowModels:
    """A model that thinks as long as it is told to."""

    async def reply(self, route: str, call: ModelCall, **more: Any) -> ModelReply:
        """Answers after a while."""
        await asyncio.sleep(MODEL_S)
        return ModelReply(text="a thought", model="slow", input_tokens=8, output_tokens=2)


Work = Callable[[str, Doors], Awaitable[Fact]]
"""What a hop does with the words it was given."""


async def nothing(text: str, doors: Doors) -> Fact:
    """Works without a call."""
    return Fact(text=text, size=len(text))


async def one_call(text: str, doors: Doors) -> Fact:
    """Works with one reading tool call."""
    return await doors.call(read_shelf, about=text)


async def think_read_think(text: str, doors: Doors) -> Fact:
    """Works as an agent does: model, tool, model."""
    await doors.think(f"what to look for, given {text}")
    fact = await doors.call(read_slowly, about=text)
    await doors.think(f"what follows from {fact.text}")
    return fact


def supervised(work: Work, *, slow: bool = False) -> Any:
    """The plan as a supervisor's graph; `slow` adds a task that has nothing to do with the others."""

    async def begin(topic: Topic, doors: Doors) -> Fact:
        return await work(topic.text, doors)

    async def combine(one: Fact, two: Fact, doors: Doors) -> Fact:
        return await work(f"{one.size} and {two.size}", doors)

    async def end(fact: Fact, doors: Doors) -> Fact:
        return await work(f"{fact.size} in all", doors)

    async def look_elsewhere(topic: Topic, doors: Doors) -> Fact:
        return await doors.call(read_archive, about=topic.text)

    tools = [read_shelf, read_slowly]
    a = Agent("a", "Begins.", run=begin, tools=tools)
    b = Agent("b", "Begins as well.", run=begin, tools=tools)
    c = Agent("c", "Combines.", run=combine, tools=tools)
    d = Agent("d", "Ends.", run=end, tools=tools)
    e = Agent("e", "Has nothing to do with the others.", run=look_elsewhere, tools=[read_archive])

    def everything(topic: Topic) -> Plan:
        """Any topic."""
        first, second = Task(a, topic), Task(b, topic)
        last = Task(d, Task(c, first.output, second.output).output)
        return Plan(last, Task(e, topic)) if slow else Plan(last)

    def answer(topic: Topic, findings: Findings) -> Reply:
        return Reply(text="it is done" if findings.get(d) else "it is not done")

    agents = [a, b, c, d, e] if slow else [a, b, c, d]
    return Supervisor(
        "bench",
        request=Topic,
        response=Reply,
        agents=agents,
        routes=[everything],
        answer=answer,
        examples=[REQUEST],
    ).build()


def _merge(old: dict[str, Any] | None, new: dict[str, Any] | None) -> dict[str, Any]:
    return {**(old or {}), **(new or {})}


class BareState(TypedDict, total=False):
    """State of the bare graph, as small as the supervisor's."""

    text: str
    results: Annotated[dict[str, Any], _merge]


class BareOutput(TypedDict, total=False):
    """What one of its subgraphs hands back."""

    results: Annotated[dict[str, Any], _merge]


def bare(client: Client | None = None) -> Any:
    """The same plan in LangGraph alone: static edges, one subgraph of one node for each agent.

    Args:
        client: A connected MCP client; with it, every hop calls the same tool once.
    """

    async def read(text: str) -> Fact:
        if client is None:
            return Fact(text=text, size=len(text))
        result = await client.call_tool("read_shelf", {"about": text})
        return Fact.model_validate(result.structured_content)

    async def hop(name: str, state: BareState) -> dict[str, Any]:
        results = state.get("results", {})
        text = " and ".join(str(Fact.model_validate(results[n]).size) for n in _NEEDS[name])
        fact = await read(text or state.get("text", ""))
        return {"results": {name: fact.model_dump(mode="json")}}

    graph: Any = StateGraph(BareState)
    for name in _NEEDS:
        inner: Any = StateGraph(BareState, output_schema=BareOutput)
        inner.add_node("body", partial(hop, name))
        inner.add_edge(START, "body")
        graph.add_node(name, inner.compile())
    graph.add_edge(START, "a")
    graph.add_edge(START, "b")
    graph.add_edge(["a", "b"], "c")
    graph.add_edge("c", "d")
    graph.add_edge("d", END)
    return graph


_NEEDS = {"a": (), "b": (), "c": ("a", "b"), "d": ("c",)}
