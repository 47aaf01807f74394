"""What can be said of a graph before it runs: its picture, and the most that the rules' plans can cost."""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from interlock.core.plans import Plan, StoredPlan, store
from interlock.core.worst_case import WorstCase, worst_case
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
    return str(graph.compile().get_graph(xray=xray).draw_mermaid())


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
        if inspect.iscoroutinefunction(route):
            continue
        for example in supervisor.samples:
            plan = route(example)
            if isinstance(plan, Plan):
                name = route_name(route)
                yield route, store(plan, example, planner.agents.values(), name, planner.max_tasks)
