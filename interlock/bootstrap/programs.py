"""Graphs as programs: what a worker needs to know to run a supervisor's graph, or one written by hand."""

from typing import Any, cast

from interlock.core.canonical import plain
from interlock.core.tools import Tool
from interlock.errors import BuildError
from interlock.orchestration.supervisor import Supervisor, SupervisorGraph
from interlock.runs.program import STEPS, Program


def name_of(graph: object, name: str) -> str:
    """The name that runs of a graph carry: the supervisor's own, or the given one for hand-written graphs."""
    return graph.supervisor.name if isinstance(graph, SupervisorGraph) else name


def supervised(supervisor: Supervisor[Any, Any], graph: SupervisorGraph) -> Program:
    """The program of a supervisor's graph."""

    def subject(request: Any) -> str | None:  # noqa: ANN401
        return supervisor.subject(supervisor.planner.read(request)) if supervisor.subject else None

    tools: dict[str, Tool[..., Any]] = {}
    for agent in supervisor.agents.values():
        tools.update({tool.name: tool for tool in agent.tools if isinstance(tool, Tool)})
    return Program(
        name=supervisor.name,
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
