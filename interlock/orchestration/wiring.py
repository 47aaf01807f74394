"""What is wrong with a supervisor's wiring, said before anything runs."""

from collections.abc import Callable, Sequence
from typing import Any, cast, get_type_hints

from interlock.core.agents import AnyAgent
from interlock.core.policy import Policy
from interlock.core.reflections import Reflection
from interlock.core.shapes import fits
from interlock.core.tools import Tool, named
from interlock.errors import BuildError
from interlock.orchestration.deliver import Delivery

RESERVED = frozenset(
    {"intake", "plan", "strand", "join", "closing", "aggregate", "deliver", "dispatch", "gate", "supervisor"}
)


def default_policy(
    name: str, policy: Policy | None, agents: Sequence[AnyAgent], deliver: Delivery | None
) -> Policy:
    """The given policy, with delivery allowed at its end; without one: read what is granted, ask to act."""
    rules = Policy()
    if policy is not None:
        rules.extend(policy)
    else:
        for agent in (*agents, *(a.fallback for a in agents if a.fallback)):
            reads = [t for t in agent.tools if isinstance(t, Tool) and t.effect == "none"]
            others = [t for t in agent.tools if t not in reads]
            if reads:
                rules.allow(agent, *reads)
            if others:
                rules.ask(agent, *others)
    if deliver is not None:
        rules.allow(name, deliver.tool)
    return rules


def check_wiring(
    name: str,
    agents: Sequence[AnyAgent],
    policy: Policy,
    reflections: Sequence[Reflection],
    deliver: Delivery | None,
    tools: Sequence[object],
    max_revisions: int,
) -> None:
    """Fails with a sentence that says what to do.

    Raises:
        BuildError: for duplicate or unknown names, a domain tool on the supervisor, a cycle without a
            bound, a tool that can never be called, a speaking tool on a specialist, or a reflection or
            fallback on an agent with effects.
    """
    where = f"supervisor {name}"
    if tools:
        told = ", ".join(str(getattr(t, "name", t)) for t in tools)
        raise BuildError(f"{where} must not own domain tools ({told}): grant them to an agent.")
    if not agents:
        raise BuildError(f"{where} has no agents: add the specialists to `agents=`.")
    if max_revisions < 0 or max_revisions > 5:
        raise BuildError(f"{where}: `max_revisions` is a cycle's bound and must lie between 0 and 5.")
    _names(where, agents)
    servers: dict[str, object] = {}
    for agent in agents:
        for each in (agent, *((agent.fallback,) if agent.fallback else ())):
            _tools(where, each, policy, servers)
            _cycle(where, each)
    known = {agent.name for agent in agents}
    for rule in policy:
        if rule.agent not in known | {"*", name} | {a.fallback.name for a in agents if a.fallback}:
            raise BuildError(
                f"{where}: the policy has a rule for {rule.agent!r}, which is none of its agents."
            )
    for reflection in reflections:
        _reflection(where, reflection, known)
    if deliver is not None and not deliver.tool.speaks:
        raise BuildError(f"{where} delivers by {deliver.tool.name}, which is not declared `speaks=True`.")


def check_answer(name: str, answer: Callable[..., Any], response: type) -> None:
    """Fails when the answer function declares to return something that is not the response.

    Raises:
        BuildError: naming both types.
    """
    declared = get_type_hints(answer).get("return", response)
    if declared is not Any and not fits(declared, response):
        raise BuildError(
            f"supervisor {name}: its answer function returns {declared!r}, but the response is {response!r}."
        )


def _names(where: str, agents: Sequence[AnyAgent]) -> None:
    seen: dict[str, AnyAgent] = {}
    for agent in agents:
        for each in (agent, *((agent.fallback,) if agent.fallback else ())):
            if each.name in RESERVED:
                raise BuildError(
                    f"{where}: {each.name!r} is a name of the graph's own nodes; rename the agent."
                )
            if seen.setdefault(each.name, each) is not each:
                raise BuildError(f"{where} has two agents named {each.name!r}: names must be unique.")


def _tools(where: str, agent: AnyAgent, policy: Policy, servers: dict[str, object]) -> None:
    for granted in agent.reaches:
        if isinstance(granted, Tool):
            if granted.speaks:
                raise BuildError(
                    f"{where}: agent {agent.name} was granted {granted.name}, which speaks to people; "
                    "only `deliver=` may."
                )
            if servers.setdefault(granted.server, granted.origin) is not granted.origin:
                raise BuildError(
                    f"{where}: two tool servers are named {granted.server!r}: names must be unique."
                )
        if granted in agent.tools and not policy.can_ever(agent.name, granted):
            raise BuildError(
                f"{where}: the policy can never let {agent.name} call {named(granted)}: add "
                f"`policy.allow({agent.name}, ...)` or take the tool from the agent."
            )


def _cycle(where: str, agent: AnyAgent) -> None:
    if agent.graph is None or agent.max_steps is not None:
        return
    drawn = cast("Any", agent.graph).get_graph()
    edges: dict[str, list[str]] = {}
    for edge in drawn.edges:
        edges.setdefault(edge.source, []).append(edge.target)
    loop = _find_cycle(edges)
    if loop:
        raise BuildError(
            f"{where}: the graph of agent {agent.name} has a cycle without a bound ({' -> '.join(loop)}): "
            "give the agent `max_steps=`."
        )


def _find_cycle(edges: dict[str, list[str]]) -> list[str]:
    done: set[str] = set()

    def visit(node: str, path: list[str]) -> list[str]:
        if node in path:
            return [*path[path.index(node) :], node]
        if node in done:
            return []
        for target in edges.get(node, []):
            found = visit(target, [*path, node])
            if found:
                return found
        done.add(node)
        return []

    for start in list(edges):
        loop = visit(start, [])
        if loop:
            return loop
    return []


def _reflection(where: str, reflection: Reflection, known: set[str]) -> None:
    agent = reflection.agent
    if agent.name not in known:
        raise BuildError(f"{where} has a reflection on {agent.name!r}, which is none of its agents.")
    if not 1 <= reflection.max_rounds <= 10:
        raise BuildError(
            f"{where}: the reflection on {agent.name} is a cycle without a bound: `max_rounds` is 1 to 10."
        )
    if agent.effects:
        told = ", ".join(named(t) for t in agent.effects)
        raise BuildError(f"{where}: a reflection would repeat the effects of {agent.name} ({told}).")
