"""What can be said of a graph before it runs: its picture, and the most that the rules' plans can cost."""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from interlock.core.plans import Plan, StoredPlan, store
from interlock.core.worst_case import WorstCase, worst_case
from interlock.orchestration.planning import route_name
from interlock.orchestration.supervisor import Supervisor

_CREW, _AGAIN = "strand", "closing"
"""The crew, and the crew again for closing tasks: left closed, since LangGraph draws no subgraph twice."""


@dataclass(frozen=True, slots=True)
class Costs:
    """The most that one rule's plan for one example can cost."""

    route: str
    about: str
    """The first line of the rule's docstring."""
    plan: StoredPlan
    most: WorstCase


def mermaid(graph: Any, *, xray: bool = False) -> str:  # noqa: ANN401
    """The graph in Mermaid; with `xray`, its crew and the graphs of its agents opened."""
    app = graph.compile()
    drawn = app.get_graph(xray=1 if xray else False)
    supervisor = getattr(graph, "supervisor", None)
    if xray and isinstance(supervisor, Supervisor):
        _close(drawn, app.get_graph().nodes[_AGAIN])
        for agent in cast("Supervisor[Any, Any]", supervisor).agents.values():
            if agent.graph is not None:
                _open(drawn, f"{_CREW}:{agent.name}", cast("Any", agent.graph).get_graph(xray=True))
    return str(drawn.draw_mermaid())


def costs(supervisor: Supervisor[Any, Any]) -> list[Costs]:
    """The most that each rule's plan for each example can cost; the same plan is listed once.

    Routes that ask a model or a tool have no plan before they run.
    """
    found: dict[str, Costs] = {}
    for route, stored in _plans(supervisor):
        most = worst_case(
            stored,
            supervisor.agents,
            supervisor.reflections,
            supervisor.limits,
            supervisor.gate.max_revisions,
        )
        shape = stored.model_dump_json(include={"route": True, "tasks": {"__all__": {"id", "closing"}}})
        about = (inspect.getdoc(route) or "").partition("\n")[0]
        found.setdefault(shape, Costs(route_name(route), about, stored, most))
    return list(found.values())


def _plans(supervisor: Supervisor[Any, Any]) -> Iterator[tuple[Any, StoredPlan]]:
    """The plans of the examples, by the route that would be chosen or could be."""
    planner = supervisor.planner
    for route in planner.routes:
        if inspect.iscoroutinefunction(route):
            continue
        for example in supervisor.examples:
            plan = route(example)
            if isinstance(plan, Plan):
                name = route_name(route)
                yield route, store(plan, example, planner.agents.values(), name, planner.max_tasks)


def _close(drawn: Any, closed: Any) -> None:  # noqa: ANN401
    """Draws everything under one node as that node."""
    inside = f"{closed.id}:"

    def outside(name: str) -> str:
        return str(closed.id) if name.startswith(inside) else name

    nodes = {name: node for name, node in drawn.nodes.items() if not name.startswith(inside)}
    kept: dict[tuple[str, str], Any] = {}
    for edge in drawn.edges:
        ends = outside(edge.source), outside(edge.target)
        if ends[0] != ends[1] or edge.source == edge.target:
            kept.setdefault(ends, edge.copy(source=ends[0], target=ends[1]))
    drawn.nodes.clear()
    drawn.nodes.update({**nodes, closed.id: closed})
    drawn.edges[:] = list(kept.values())


def _open(drawn: Any, name: str, inner: Any) -> None:  # noqa: ANN401
    """Draws the graph inside a node in the node's place."""
    if name not in drawn.nodes:
        return
    first, last = drawn.extend(inner, prefix=name)
    drawn.edges[:] = [
        edge.copy(
            source=last.id if edge.source == name else edge.source,
            target=first.id if edge.target == name else edge.target,
        )
        for edge in drawn.edges
    ]
    del drawn.nodes[name]
