"""The specialist node: one factory makes the node of every agent.

Opens the doors of this task and attempt, calls the body once, closes the doors, asks a question
the body swallowed, refuses divergence, checks the output, and returns one key. Whatever goes
wrong becomes a result: a failing specialist never cancels its siblings.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

from langgraph.errors import GraphBubbleUp, GraphInterrupt, GraphRecursionError
from langgraph.runtime import Runtime
from pydantic import ValidationError

from interlock.core.agents import AnyAgent
from interlock.core.canonical import canonical, digest, plain
from interlock.core.redaction import redact, redact_text
from interlock.core.reflections import Reflection
from interlock.core.results import Completed, Degraded, Evidence, Failed, GaveUp, Stored
from interlock.core.scope import TaskScope
from interlock.errors import Diverged, InterlockError, LeaseLost, NotBound, StoreUnavailable
from interlock.orchestration.bodies import note_foreign_questions, run_body
from interlock.orchestration.context import RunContext
from interlock.orchestration.doors import TaskDoors
from interlock.orchestration.slices import Slice, hold, typed_inputs

Node = Callable[[Mapping[str, Any], Runtime[RunContext]], Awaitable[dict[str, Any]]]
_log = logging.getLogger("interlock")


def specialist(
    agent: AnyAgent, unbound: Callable[[str], RunContext], reflection: Reflection | None = None
) -> Node:
    """The node of one agent; `unbound` makes the context where the graph has none."""
    # LangGraph draws, streams and inspects the subgraphs that it finds in a node's own closure.
    graph = agent.graph

    async def node(state: Mapping[str, Any], runtime: Runtime[RunContext]) -> dict[str, Any]:
        context = runtime.context or unbound(state.get("run", ""))
        assert graph is agent.graph
        stored = await perform(agent, Slice.model_validate(state["slice"]), context, reflection)
        return {"results": {stored.task: stored.model_dump(mode="json", exclude_defaults=True)}}

    node.__name__ = agent.name
    return node


async def perform(
    agent: AnyAgent, given: Slice, context: RunContext, reflection: Reflection | None = None
) -> Stored:
    """Runs one attempt of one task and returns its result; a question leaves as LangGraph's interrupt."""
    scope = context.scope(agent, given.task, given.attempt)
    await scope.open()
    doors = TaskDoors(
        scope,
        tools=context.tools,
        models=context.models,
        artifacts=context.artifacts,
        feedback=given.feedback,
    )
    scope.note("task.sent", _told(agent, given))
    begun = context.clock.monotonic()
    try:
        async with doors:
            outcome = await _body(agent, given, doors, scope, context)
    except GraphInterrupt as stopped:
        await note_foreign_questions(scope, stopped)
        await scope.flush()
        raise
    except BaseException:
        await scope.flush()
        raise
    scope.raise_pending()
    diverged = await _refuse_divergence(scope) if context.guards.journal else None
    stored = await _stored(agent, given, diverged or outcome, doors, scope, context)
    stored = _judged(agent, stored, given, outcome, reflection, scope)
    seconds = round(context.clock.monotonic() - begun, 6)
    scope.note("task.returned", {**_returned(stored), "seconds": seconds, "begun": begun}, f"{given.round}")
    await scope.flush()
    return stored


async def _body(
    agent: AnyAgent, given: Slice, doors: TaskDoors, scope: TaskScope, context: RunContext
) -> object:
    """What the body returned, or `Failed`; only questions and the end of the worker get through."""
    limit = scope.deadline.left() if context.guards.limits else None
    timer = asyncio.timeout(limit)
    try:
        async with timer:
            inputs = await typed_inputs(given.inputs, agent.takes, context.artifacts)
            return await run_body(agent, inputs, doors, context)
    except (GraphBubbleUp, LeaseLost, NotBound, StoreUnavailable):
        raise  # none of these is the body's failure: they are told to whoever runs the graph
    except InterlockError as error:
        return Failed(error=error.message, code=error.code, retryable=error.retryable)
    except TimeoutError:
        if not timer.expired():
            return Failed(
                error=f"{agent.name} timed out waiting for something.", code="timeout", retryable=True
            )
        return Failed(error=_late(agent, context), code="deadline_exceeded")
    except GraphRecursionError:
        return Failed(error=f"{agent.name}'s graph took more steps than it may.", code="max_steps")
    except (Exception, SystemExit) as error:
        # The text of a foreign exception may hold anything; it stays in the process's own log.
        _log.warning("agent %s raised", agent.name, exc_info=error)
        return Failed(error=f"{agent.name} broke: {type(error).__name__}.", code="body_error", retryable=True)


def _late(agent: AnyAgent, context: RunContext) -> str:
    if context.deadline.left() > 0:
        return f"{agent.name} was not done within its {agent.limits.seconds:g} s."
    return f"the run's time was over before {agent.name} was done."


async def _refuse_divergence(scope: TaskScope) -> Failed | None:
    """Stops a body that left out what it had caused until a person says how to go on."""
    try:
        scope.journal.refuse_divergence()
    except Diverged as error:
        scope.diverged = scope.diverged or error.message
    if not scope.diverged:
        return None
    scope.note("body.diverged", {"why": scope.diverged}, "left")
    nth = 0
    while True:
        question = await scope.ask(
            "settle",
            "diverged",
            f"{scope.agent} did not repeat what it had caused. Run it once more?",
            {"why": scope.diverged, "on_no": "the task fails; what it caused stays and is listed"},
            nth=nth,
        )
        if isinstance(question.answer, dict) and question.answer.get("yes") is False:
            return Failed(error=scope.diverged, code="diverged")
        nth += 1


async def _stored(
    agent: AnyAgent, given: Slice, outcome: object, doors: TaskDoors, scope: TaskScope, context: RunContext
) -> Stored:
    evidence = tuple(Evidence(source=e.source, digest=e.digest) for e in scope.evidence)
    base = Stored(
        task=given.task,
        agent=agent.name,
        attempt=given.attempt,
        status="failed",
        evidence=evidence,
        artifacts=tuple(doors.artifacts),
        claims=tuple(doors.claims),
        round=given.round,
    )
    if isinstance(outcome, Failed):
        change = {"why": _kept(outcome.error), "code": outcome.code, "retryable": outcome.retryable}
        return base.model_copy(update=change)
    if isinstance(outcome, GaveUp):
        tried = tuple(map(_kept, outcome.tried))
        change = {"status": "gave_up", "why": _kept(outcome.reason), "needs": _kept(outcome.needs)}
        return base.model_copy(update={**change, "tried": tried})
    raw = _output(outcome)
    status, why = ("degraded", _kept(outcome.why)) if isinstance(outcome, Degraded) else ("completed", "")
    try:
        output = redact(plain(agent.output.validate_python(raw)))
        agent.output.validate_python(output)
        canonical(output)
    except (ValidationError, ValueError) as error:
        problem = _misfit(agent, error)
        scope.note("task.invalid", {"why": problem, "digest": digest(repr(raw)), "round": given.round})
        return base.model_copy(
            update={"why": problem, "code": "schema_violation", "invalid": True, "retryable": True}
        )
    if given.stands_in:
        status, why = "degraded", why or f"{agent.name} stood in, because {given.stands_in}"
    code = "escalated" if isinstance(outcome, Completed) and outcome.escalated else ""
    held = await hold(output, context.run, f"{given.task}.json", context.artifacts)
    return base.model_copy(
        update={
            "status": status,
            "why": why,
            "code": code,
            "output": held.get("value"),
            "artifact": held.get("artifact"),
        }
    )


def _judged(
    agent: AnyAgent,
    stored: Stored,
    given: Slice,
    outcome: object,
    reflection: Reflection | None,
    scope: TaskScope,
) -> Stored:
    """Lets the declared judge look at a usable output; out of rounds, its words make the result degraded.

    An output that its judge breaks on counts as not made: nobody else reads it.
    """
    if reflection is None or not stored.usable:
        return stored
    try:
        words = reflection.judge(agent.output.validate_python(_output(outcome)))
    except Exception as error:
        _log.warning("the judge of %s raised", stored.agent, exc_info=error)
        why = f"the judge of {stored.agent} broke: {type(error).__name__}."
        change = {"status": "failed", "why": why, "code": "judge_error", "output": None, "artifact": None}
        return stored.model_copy(update=change)
    scope.note(
        "reflection.judged",
        {"round": given.round, "of": reflection.max_rounds, "judge": words},
        f"{given.round}",
    )
    if not words:
        return stored
    if given.round < reflection.max_rounds:
        return stored.model_copy(update={"again": words})
    return stored.model_copy(update={"status": "degraded", "why": f"the judge is not content: {words}"})


def _kept(words: str) -> str:
    """A body's own words as state keeps them: no secrets, and no half characters, which nothing can store."""
    return redact_text(words.encode(errors="replace").decode())


def _output(outcome: object) -> Any:  # noqa: ANN401
    """What a body returned, without the result around it."""
    wrapped = isinstance(outcome, Completed | Degraded)
    return cast("Completed[Any] | Degraded[Any]", outcome).output if wrapped else outcome


def _misfit(agent: AnyAgent, error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return f"{agent.name} returned something the record cannot keep as JSON: {_unkept(error)}."
    told = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'output'}: {e['msg']}" for e in error.errors()[:5])
    return f"{agent.name} returned something that does not have its schema: {told}."


def _unkept(error: Exception) -> str:
    return "half of a character" if isinstance(error, UnicodeError) else redact_text(str(error))


def _told(agent: AnyAgent, given: Slice) -> dict[str, Any]:
    """What the record says a task was given, and what it was not."""
    return {
        "agent": agent.name,
        "agent_version": agent.version,
        "round": given.round,
        "feedback": given.feedback,
        "stands_in": given.stands_in,
        "given": [
            {
                "input": name,
                "kind": each.kind,
                "from": list(each.sources),
                "path": list(each.path),
                "bytes": len(canonical(each.value)) if each.artifact is None else None,
                "artifact": each.artifact,
            }
            for name, each in given.inputs.items()
        ],
        "omitted": [{"task": task, "rule": rule} for task, rule in given.omitted.items()],
    }


def _returned(stored: Stored) -> dict[str, Any]:
    body = stored.model_dump(mode="json", exclude_defaults=True)
    size = len(canonical(stored.output)) if stored.output is not None else 0
    if size > 2_000:
        body["output"] = {"digest": digest(stored.output), "bytes": size}
    return body
