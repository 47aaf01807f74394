"""Graphs as programs: what a worker needs to know to run a supervisor's graph, or one written by hand."""

from typing import Any, cast

from interlock.core.agents import Agent
from interlock.core.canonical import plain
from interlock.core.places import is_place
from interlock.core.policy import Policy
from interlock.core.tools import Tool
from interlock.errors import BuildError
from interlock.orchestration.alone import alone
from interlock.orchestration.supervisor import Supervisor, SupervisorGraph
from interlock.runs.program import STEPS, Program


def as_graph(declared: object, policy: Policy | None = None) -> tuple[object, Policy | None]:
    """What can be bound, made of what a project declares, with the policy that is to replace its own.

    A supervisor is built; an agent gets a graph of its own, in which the policy's rules about it hold.

    Raises:
        BuildError: with a sentence that says what to do.
    """
    if isinstance(declared, Agent):
        return alone(cast("Agent[*tuple[Any, ...], Any]", declared), policy=policy).build(), None
    if isinstance(declared, Supervisor):
        return cast("Supervisor[Any, Any]", declared).build(), policy
    return declared, policy


def name_of(graph: object, name: str) -> str:
    """The name that runs of a graph carry.

    A supervisor's own, or the given one for hand-written graphs; a place (`agents/orders.py:orders`) stands
    for itself, so that a run can be gone on with where no graph of that name is registered.
    """
    return graph.supervisor.name if isinstance(graph, SupervisorGraph) and not is_place(name) else name


def supervised(supervisor: Supervisor[Any, Any], graph: SupervisorGraph, name: str = "") -> Program:
    """The program of a supervisor's graph; `name` is only of interest where it is a place."""

    def subject(request: Any) -> str | None:  # noqa: ANN401
        return supervisor.subject(supervisor.planner.read(request)) if supervisor.subject else None

    tools: dict[str, Tool[..., Any]] = {}
    for agent in supervisor.agents.values():
        tools.update({tool.name: tool for tool in agent.reaches if isinstance(tool, Tool)})
    return Program(
        name=name_of(graph, name),
        version=supervisor.version,
        graph=graph,
        read=supervisor.planner.read,
        to_input=lambda request: {"request": request},
        subject=subject,
        limits=supervisor.limits,
        max_steps=supervisor.max_steps,
        tools=tuple(tools.values()),
    )


def hand_written(graph: object, name: str) -> Program:
    """The program of a StateGraph written by hand.

    Raises:
        BuildError: if it is no graph that could be compiled.
    """
    if not hasattr(graph, "compile"):
        raise BuildError(
            f"{graph!r} cannot be bound: give an uncompiled StateGraph, or what `build()` returned."
        )
    return Program(
        name=name,
        version="hand-written",
        graph=cast("Any", graph),
        read=lambda request: request,
        to_input=lambda request: request,
        response_of=lambda state: plain(state.get("response")),
        moves_itself=False,
        max_steps=STEPS,
    )
