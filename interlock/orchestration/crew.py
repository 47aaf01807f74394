"""The crew: the dispatch loop with the specialists, one compiled graph.

A strand is one run of it for one connected component of the plan, so unrelated work neither
waits for each other nor for a person somebody else has to ask.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command, Send
from typing_extensions import TypedDict

from interlock.core.agents import AnyAgent
from interlock.core.plans import StoredPlan
from interlock.core.redaction import redact_text
from interlock.core.reflections import Reflection
from interlock.core.results import Stored
from interlock.orchestration.context import RunContext
from interlock.orchestration.dispatch import due
from interlock.orchestration.specialist import specialist

DISPATCH = "dispatch"


def merge(old: dict[str, Any] | None, new: dict[str, Any] | None) -> dict[str, Any]:
    """Results by task; the newer one of a task holds."""
    return {**(old or {}), **(new or {})}


class CrewState(TypedDict, total=False):
    """State of one strand: small JSON."""

    run: str
    plan: dict[str, Any]
    strand: list[str]
    request: dict[str, Any]
    resolutions: list[Any]
    feedback: str
    first_attempt: int
    results: Annotated[dict[str, Any], merge]


class CrewOutput(TypedDict, total=False):
    """What a strand hands back: only its results, so that parallel strands never write the same key."""

    results: Annotated[dict[str, Any], merge]


def build_crew(
    agents: Mapping[str, AnyAgent],
    unbound: Callable[[str], RunContext],
    reflections: Mapping[str, Reflection],
) -> Any:  # noqa: ANN401
    """Compiles the crew of these agents and their fallbacks."""
    everyone = dict(agents)
    for agent in agents.values():
        if agent.fallback is not None:
            everyone.setdefault(agent.fallback.name, agent.fallback)

    async def dispatch(state: CrewState, runtime: Runtime[RunContext]) -> Command[Any]:
        results = {name: Stored.model_validate(value) for name, value in state.get("results", {}).items()}
        run = state.get("run", "")
        slices, blocked = due(
            StoredPlan.model_validate(state.get("plan")),
            state.get("strand", []),
            results,
            agents,
            request=state.get("request"),
            resolutions=state.get("resolutions", []),
            first_attempt=state.get("first_attempt", 1),
            feedback=state.get("feedback", ""),
        )
        sends = [
            Send(s.agent, {"slice": s.model_dump(mode="json", exclude_defaults=True), "run": run})
            for s in slices
        ]
        if blocked:
            await _tell_skipped(blocked, runtime.context or unbound(run))
        update = {
            name: stored.model_dump(mode="json", exclude_defaults=True) for name, stored in blocked.items()
        }
        return Command(goto=sends or END, update={"results": update} if update else None)

    # LangGraph leaves its builder partly untyped.
    crew: Any = StateGraph(CrewState, context_schema=RunContext, output_schema=CrewOutput)
    crew.add_node(DISPATCH, dispatch, destinations=(*everyone, END))
    crew.add_edge(START, DISPATCH)
    for name, agent in everyone.items():
        metadata = {"agent": name, "version": agent.version, **_works_by(agent)}
        crew.add_node(name, specialist(agent, unbound, reflections.get(name)), metadata=metadata)
        crew.add_edge(name, DISPATCH)
    return crew.compile(name="crew")


def _works_by(agent: AnyAgent) -> dict[str, str]:
    """What a drawing says of a body that is no code: the prompt and its model route, or the address."""
    if agent.thinking is not None:
        return {"prompt": agent.thinking.words.label, "model route": agent.thinking.model}
    return {"remote": redact_text(agent.remote.url)} if agent.remote is not None else {}


async def _tell_skipped(blocked: Mapping[str, Stored], context: RunContext) -> None:
    """Puts tasks that can never start into the record; nobody else would."""
    scope = context.desk("supervisor", DISPATCH)
    for stored in blocked.values():
        told = {"task": stored.task, "agent": stored.agent, "status": stored.status, "why": stored.why}
        scope.note("task.skipped", told, stored.task)
    await scope.flush()
