"""A supervisor whose agents' bodies are existing LangGraph graphs that ask by LangGraph's own `interrupt()`.

`python -m tests.integration.foreign FOLDER COMMAND ...` runs one step in a process of its own.
"""

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt
from pydantic import BaseModel
from typing_extensions import TypedDict

from interlock import Agent, Doors, Findings, Plan, Supervisor, Task, bind
from tests.desk import Reply, Ticket, settings


class Paint(TypedDict, total=False):
    """State of the existing graphs."""

    room: str
    colour: str


class Painted(BaseModel):
    """What an existing graph came to."""

    text: str


def deep_graph(log: Path) -> Any:
    """A graph whose subgraph's subgraph asks for a colour."""

    async def prepare(state: Paint) -> Paint:
        with log.open("a") as lines:
            lines.write(f"prepare {state.get('room')}\n")
        return {}

    async def ask(state: Paint) -> Paint:
        return {"colour": interrupt({"question": f"Which colour for the {state.get('room')}?"})}

    inner: Any = StateGraph(Paint)
    inner.add_node("ask", ask)
    inner.add_edge(START, "ask")
    middle: Any = StateGraph(Paint)
    middle.add_node("deep", inner.compile())
    middle.add_edge(START, "deep")
    outer: Any = StateGraph(Paint)
    outer.add_node("prepare", prepare)
    outer.add_node("middle", middle.compile())
    outer.add_edge(START, "prepare")
    outer.add_edge("prepare", "middle")
    outer.add_edge("middle", END)
    return outer.compile()


def supervisor(log: Path) -> Supervisor[Ticket, Reply]:
    """Two rooms painted by existing graphs, and a sibling that asks nobody."""
    graph = deep_graph(log)

    def write(room: str) -> Mapping[str, Any]:
        return {"room": room}

    def read(state: Mapping[str, Any]) -> Painted:
        return Painted(text=f"{state['room']}: {state['colour']}")

    async def sweep(ticket: Ticket, doors: Doors) -> Painted:
        with log.open("a") as lines:
            lines.write("sweep\n")
        return Painted(text="swept")

    painter = Agent("painter", "Paints a room.", graph=graph, write=write, read=read)
    sweeper = Agent("sweeper", "Sweeps.", run=sweep)

    def route(ticket: Ticket) -> Plan:
        kitchen, hall = Task(painter, "kitchen"), Task(painter, "hall")
        return Plan(kitchen, hall, Task(sweeper, ticket))

    def answer(ticket: Ticket, findings: Findings) -> Reply:
        return Reply(text=", ".join(p.text for p in [*findings.get(painter), *findings.get(sweeper)]))

    return Supervisor(
        "paint",
        request=Ticket,
        response=Reply,
        agents=[painter, sweeper],
        routes=[route],
        answer=answer,
        examples=[Ticket(text="go")],
    )


async def step(folder: Path, command: str, *words: str) -> dict[str, Any]:
    """Starts a run, or answers one question by id and resumes; says where the run stands."""
    async with bind(supervisor(folder / "log").build(), settings=settings(folder)) as app:
        if command == "start":
            run = await app.run(Ticket(text="go"))
        else:
            question = await app.answer(words[0], value=words[1])
            run = await app.resume(question.run)
        questions = {q.title: {"id": q.id, "path": q.path} for q in await app.questions(run.id)}
        return {"run": run.id, "state": run.state, "response": run.response, "questions": questions}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(step(Path(sys.argv[1]), *sys.argv[2:]))))
