"""Dispatch: which tasks are ready, which are tried again, which can never start. Pure."""

from collections.abc import Mapping

from interlock.core.agents import AnyAgent
from interlock.core.canonical import Json
from interlock.core.plans import PlannedTask, StoredPlan
from interlock.core.results import Stored
from interlock.orchestration.slices import Slice, give


def due(
    plan: StoredPlan,
    strand: list[str],
    results: dict[str, Stored],
    agents: Mapping[str, AnyAgent],
    *,
    request: Json,
    resolutions: Json,
    first_attempt: int,
    feedback: str,
) -> tuple[list[Slice], dict[str, Stored]]:
    """What to send now, and the results of tasks that can never start for want of a needed output.

    The measure (tasks without a final result, attempts and rounds left) strictly falls with every
    call, so a strand always ends.
    """
    blocked: dict[str, Stored] = {}
    slices: list[Slice] = []
    for name in strand:
        task, known = plan.task(name), {**results, **blocked}
        before = known.get(name)
        if before is not None and final(before, agents, task, first_attempt):
            continue
        if before is None:
            missing = [other for other in task.after if not _ended(other, plan, known, agents, first_attempt)]
            if missing:
                continue
            unusable = [other for other in task.needs if not known[other].usable]
            if unusable:
                blocked[name] = _without(task, known[unusable[0]])
                continue
        slices.append(_slice(task, before, agents, known, request, resolutions, first_attempt, feedback))
    if blocked and not slices:
        later = due(
            plan,
            strand,
            {**results, **blocked},
            agents,
            request=request,
            resolutions=resolutions,
            first_attempt=first_attempt,
            feedback=feedback,
        )
        return later[0], {**blocked, **later[1]}
    return slices, blocked


def final(result: Stored, agents: Mapping[str, AnyAgent], task: PlannedTask, first_attempt: int) -> bool:
    """Says whether a task is over: no judge, retry or fallback has another turn."""
    if result.again:
        return False
    if result.status != "failed" or result.code == "need_missing":
        return True  # without its need neither the agent nor its fallback has anything to work on
    agent = agents[task.agent]
    if result.agent != agent.name:
        return True  # the fallback has had its turn
    return not (_may_retry(result, agent, first_attempt) or agent.fallback is not None)


def _may_retry(result: Stored, agent: AnyAgent, first_attempt: int) -> bool:
    return result.retryable and result.attempt - first_attempt + 1 < agent.attempts


def _ended(
    name: str,
    plan: StoredPlan,
    results: dict[str, Stored],
    agents: Mapping[str, AnyAgent],
    first_attempt: int,
) -> bool:
    result = results.get(name)
    task = plan.task(name)
    # Tasks of an earlier phase counted their attempts from 1.
    first = first_attempt if result is None or result.attempt >= first_attempt else 1
    return result is not None and final(result, agents, task, first)


def _without(task: PlannedTask, need: Stored) -> Stored:
    status = "gave_up" if need.status == "gave_up" else "failed"
    why = f"it needs {need.task}, which {need.status.replace('_', ' ')}: {need.why}"
    return Stored(
        task=task.id,
        agent=task.agent,
        attempt=0,
        status=status,
        why=why,
        code="need_missing",
        needs=need.needs,
    )


def _slice(
    task: PlannedTask,
    before: Stored | None,
    agents: Mapping[str, AnyAgent],
    results: dict[str, Stored],
    request: Json,
    resolutions: Json,
    first_attempt: int,
    feedback: str,
) -> Slice:
    agent, stands_in = agents[task.agent], ""
    attempt, round_ = first_attempt, 0
    if before is not None:
        attempt, round_, feedback = before.attempt + 1, before.round, before.again or before.why
        if before.again:
            round_ += 1
        elif not _may_retry(before, agent, first_attempt):
            assert agent.fallback is not None
            agent, stands_in = agent.fallback, before.why
    given = give(task, request, results, resolutions)
    sources = {source for each in given.values() for source in each.sources}
    omitted = {
        other: "the plan gives this task no reference to it"
        for other in results
        if other not in sources and other != task.id
    }
    return Slice(
        task=task.id,
        agent=agent.name,
        attempt=attempt,
        round=round_,
        feedback=feedback,
        stands_in=stands_in,
        inputs=given,
        omitted=omitted,
    )
