"""What can be said of a graph before it runs: its picture, and the most that the rules' plans can cost."""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from interlock.core.plans import Plan, StoredPlan, store
from interlock.core.worst_case import WorstCase, worst_case
from interlock.orchestration.model_route import ModelRoute
from interlock.orchestration.planning import route_name
from interlock.orchestration.supervisor import Supervisor


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
    drawn = graph.compile().get_graph(xray=xray)
    ids = _told_apart(list(drawn.nodes))
    drawn.nodes = {ids[name]: node.copy(id=ids[name]) for name, node in drawn.nodes.items()}
    drawn.edges = [edge.copy(source=ids[edge.source], target=ids[edge.target]) for edge in drawn.edges]
    return str(drawn.draw_mermaid())


def _told_apart(nodes: list[str]) -> dict[str, str]:
    """Node ids in which no two graphs inside graphs have one name, as a supervisor inside another has.

    Mermaid knows a graph inside a graph by its last name alone.
    """
    names: dict[str, str] = {"": ""}
    for node in nodes:
        parts = node.split(":")[:-1]
        for depth in range(len(parts)):
            path, above = ":".join(parts[: depth + 1]), ":".join(parts[:depth])
            if path not in names:
                taken = {name.rpartition(":")[2] for name in names.values()}
                own = parts[depth]
                while own in taken:
                    own = f"{names[above].rpartition(':')[2]}_{own}"
                names[path] = f"{names[above]}:{own}" if above else own
    return {n: f"{names[n.rpartition(':')[0]]}:{n.rpartition(':')[2]}" if ":" in n else n for n in nodes}


def costs(supervisor: Supervisor[Any, Any]) -> list[Costs]:
    """The most that each rule's plan for each example can cost; the same plan is listed once.

    Routes that ask a model have no plan before they run.
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
        if isinstance(route, ModelRoute) or inspect.iscoroutinefunction(route):
            continue
        for example in supervisor.samples:
            plan = route(example)
            if isinstance(plan, Plan):
                name = route_name(route)
                yield route, store(plan, example, planner.agents.values(), name, planner.max_tasks)
