"""Runs a body once: a coded function, or a LangGraph graph whose nodes find the doors in their context."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, cast

from langgraph.config import get_config
from langgraph.errors import GraphInterrupt
from langgraph.types import Interrupt

from interlock.core.agents import AnyAgent
from interlock.core.canonical import Json, plain
from interlock.core.questions import Question, question_id
from interlock.core.scope import TaskScope
from interlock.errors import NotBound
from interlock.orchestration.bypass import watching
from interlock.orchestration.context import RunContext
from interlock.orchestration.doors import TaskDoors

STEPS_WITHOUT_CYCLE = 50
_CLARIFY_S = 7 * 86_400.0


async def run_body(agent: AnyAgent, inputs: Sequence[Any], doors: TaskDoors, context: RunContext) -> object:
    """Calls the agent's body with its inputs and returns what it returned, unchecked.

    Raises:
        NotBound: the body is a prompt or far away, and nothing here reaches models or remote agents.
        Bypassed: in strict mode, if it asked a model past its doors.
    """
    with watching(doors.scope, strict=context.strict):
        return await _run(agent, inputs, doors, context)


async def _run(agent: AnyAgent, inputs: Sequence[Any], doors: TaskDoors, context: RunContext) -> object:
    if context.remotes is not None and context.remotes.performs(agent):
        return await context.remotes.work(agent, inputs, doors.scope)
    if agent.run is not None:
        return await agent.run(*inputs, doors)
    if agent.thinking is not None:
        if context.minds is None:
            raise NotBound(f"agent {agent.name} works by a prompt, but no models are configured.")
        return await context.minds.work(agent, inputs, doors, doors.scope)
    if agent.remote is not None:
        raise NotBound(f"agent {agent.name} is remote, and an unbound graph calls nobody.")
    assert agent.write is not None and agent.read is not None
    graph = _for_attempt(agent, doors.scope)
    seen = await _seen(agent, doors, context)
    final = await graph.ainvoke(
        agent.write(*inputs),
        # LangGraph 1.2 breaks where a graph that keeps no checkpoints inherits "sync" from the run.
        {
            "recursion_limit": agent.max_steps or STEPS_WITHOUT_CYCLE,
            **({"configurable": {"__pregel_durability": "async"}} if graph.checkpointer is False else {}),
        },
        context=seen,
    )
    if isinstance(seen, RunContext) and (left := seen.left_out()):
        doors.scope.diverged = f"{agent.name}, tried again, did not ask for what it had caused in {left}."
    return agent.read(final)


async def _seen(agent: AnyAgent, doors: TaskDoors, context: RunContext) -> TaskDoors | RunContext:
    """What the nodes of a graph body find as their context: the doors; a supervisor's, a run of their own."""
    if agent.governed is None:
        return doors
    return await context.within(doors.scope, *agent.governed)


def _for_attempt(agent: AnyAgent, scope: TaskScope) -> Any:  # noqa: ANN401
    """The graph as this attempt runs it.

    In the first attempt it checkpoints its nodes, so that after a question finished ones are not
    executed again; the journal then goes by node. A later attempt starts from the beginning, and
    has to ask again for everything the earlier ones caused, so it keeps no checkpoints.
    """
    graph = cast("Any", agent.graph)
    if graph.checkpointer is False:
        return graph
    if scope.attempt > 1:
        return graph.copy({"checkpointer": False})
    outer = _namespace()
    scope.journal.where = lambda: _namespace().removeprefix(outer).lstrip("|")
    return graph


def _namespace() -> str:
    """LangGraph's name of the node that is being executed; stable when it is executed again."""
    return str(get_config().get("configurable", {}).get("checkpoint_ns", ""))


async def note_foreign_questions(scope: TaskScope, stopped: GraphInterrupt) -> None:
    """Stores questions that a graph body asked by LangGraph's own `interrupt()`.

    They become rows like every other question, so that they are listed and answered in the same
    way; only their answer travels in the resume value.
    """
    raised = cast("Sequence[Interrupt[Any]]", stopped.args[0] if stopped.args else ())
    now = scope.clock.now()
    questions: list[Question] = []
    for each in raised:
        if ours(each.value):
            continue
        name = question_id(scope.run, scope.task, "clarify", each.id)
        title = each.value if isinstance(each.value, str) else _title(each.value)
        declared = each.response_schema
        schema: dict[str, Json] = declared if isinstance(declared, dict) else {"description": "any value"}
        questions.append(
            Question(
                id=name,
                run=scope.run,
                task=scope.task,
                agent=scope.agent,
                kind="clarify",
                digest=each.id,
                title=title,
                details={"value": plain(each.value)},
                answer_schema=schema,
                asked_at=now,
                expires_at=now + timedelta(seconds=_CLARIFY_S),
                path=scope.path,
                interrupt=each.id,
            )
        )
        asked = {"question": name, "kind": "clarify", "title": title, "whom": questions[-1].whom}
        scope.note("question.asked", asked, name)
    if questions and scope.bound:
        await scope.flush(questions=questions)


def ours(value: object) -> bool:
    """Says whether an interrupt was raised by a door of ours."""
    return isinstance(value, dict) and "interlock" in cast("dict[str, Any]", value)


def _title(value: object) -> str:
    """The words of a foreign question, where its value has any."""
    whole = json.dumps(plain(value))
    fields = cast("dict[str, object]", value) if isinstance(value, dict) else {}
    for key in ("question", "title", "message", "q"):
        words = fields.get(key)
        if isinstance(words, str):
            return words
    return whole
