"""The most a plan can cost: hops, calls, tokens, money and time, known before it runs."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from pydantic import BaseModel

from interlock.core.agents import AnyAgent
from interlock.core.limits import Limits
from interlock.core.plans import PlannedTask, StoredPlan
from interlock.core.reflections import Reflection


class WorstCase(BaseModel, frozen=True, extra="forbid"):
    """Upper bounds; None where an agent declares no cap of that kind."""

    hops: int
    """Activations of specialists, retries, reflections, fallbacks and revisions included."""
    tool_calls: int | None
    model_calls: int | None
    tokens: int | None
    usd: Decimal | None
    seconds: float | None
    """Of active time along the longest chain of tasks that wait for each other."""


def worst_case(
    plan: StoredPlan,
    agents: Mapping[str, AnyAgent],
    reflections: Sequence[Reflection],
    limits: Limits,
    max_revisions: int,
) -> WorstCase:
    """Bounds one plan; the run's own limits cap what its agents could use together."""
    rounds = {r.agent.name: r.max_rounds for r in reflections}
    turns = {t.id: _turns(t, agents[t.agent], rounds.get(t.agent, 0), max_revisions) for t in plan.tasks}

    def total(what: str) -> int | Decimal | None:
        caps = [getattr(agents[t.agent].limits, what) for t in plan.tasks]
        whole = getattr(limits, what)
        if any(cap is None for cap in caps):
            return whole
        together = sum(cap * turns[t.id] for cap, t in zip(caps, plan.tasks, strict=True))
        return together if whole is None else min(together, whole)

    calls, models, tokens, usd = total("tool_calls"), total("model_calls"), total("tokens"), total("usd")
    return WorstCase(
        hops=sum(turns[t.id] * agents[t.agent].hops for t in plan.tasks),
        tool_calls=None if calls is None else int(calls),
        model_calls=None if models is None else int(models),
        tokens=None if tokens is None else int(tokens),
        usd=None if usd is None else Decimal(usd),
        seconds=_seconds(plan, agents, turns, limits),
    )


def _turns(task: PlannedTask, agent: AnyAgent, rounds: int, max_revisions: int) -> int:
    once = agent.attempts + rounds + (1 if agent.fallback else 0)
    return once * (1 + max_revisions) if task.closing else once


def _seconds(
    plan: StoredPlan, agents: Mapping[str, AnyAgent], turns: Mapping[str, int], limits: Limits
) -> float | None:
    ends: dict[str, float] = {}
    for task in plan.tasks:
        seconds = agents[task.agent].limits.seconds
        if seconds is None:
            return limits.seconds
        before = [plan.task(name) for name in task.after]
        before += plan.open_tasks if task.closing else ()
        begins = max((ends[t.id] for t in before if t.id in ends), default=0.0)
        ends[task.id] = begins + seconds * turns[task.id]
    longest = max(ends.values(), default=0.0)
    return longest if limits.seconds is None else min(longest, limits.seconds)
