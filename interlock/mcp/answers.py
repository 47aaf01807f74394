"""What a hosted graph says over MCP: its tool's schemas, its results, and questions as forms.

Only what the gate accepted becomes a result; everything else is in words of ours.
"""

import json
from collections.abc import Mapping
from typing import Any, cast

from mcp_types import CallToolResult, ElicitResult, TextContent, Tool

from interlock.core.canonical import Json
from interlock.core.hosting import Offer, View
from interlock.core.policy import OWNER
from interlock.core.principal import Principal
from interlock.core.questions import Answer, Question

RUN, OUTCOME = "interlock/run", "interlock/outcome"
"""Names in a result's `_meta`."""
FOLLOW = "run_result"
"""The tool that tells what has become of a run."""
WAITING: dict[str, Any] = {
    "type": "object",
    "title": "Waiting",
    "description": "A person has to answer first. Ask for the result later.",
    "properties": {
        "status": {"enum": ["waiting", "working", "done"]},
        "run": {"type": "string"},
        "questions": {"type": "array", "items": {"type": "object"}},
    },
    "required": ["status", "run", "questions"],
}
_ENDS = {
    "failed": "It failed",
    "canceled": "It was canceled",
    "refused": "It was refused: no answer passed the checks",
}
_PRIMITIVE = ("string", "number", "integer", "boolean")


def tool_of(name: str, offer: Offer) -> Tool:
    """A hosted graph as a tool: what it takes is its request, what it returns its accepted response."""
    takes = {"type": "object", **offer.request}
    return Tool(name=name, description=offer.description, input_schema=takes, output_schema=_returns(offer))


def follow_tool() -> Tool:
    """The tool that tells what has become of a run."""
    return Tool(
        name=FOLLOW,
        description="Tells the result of a run that was waiting for a person.",
        input_schema={
            "type": "object",
            "properties": {"run": {"type": "string", "description": "The run's id, as it was told."}},
            "required": ["run"],
            "additionalProperties": False,
        },
    )


def _returns(offer: Offer) -> dict[str, Any] | None:
    """JSON Schema of a result: the response, or that a person is waited for."""
    if not offer.response:
        return None
    response = {name: value for name, value in offer.response.items() if name != "$defs"}
    defs = offer.response.get("$defs")
    made: dict[str, Any] = {"type": "object", "anyOf": [response, WAITING]}
    return {**made, "$defs": defs} if defs else made


def result(view: View) -> CallToolResult:
    """The run as a tool's result: its response, what it waits for, or that there is none."""
    run, phase = view.run, view.phase
    meta: dict[str, Any] = {RUN: run.id, **({OUTCOME: run.outcome or run.state} if view.own else {})}
    if phase == "done" and view.own:
        return _made(_text(run.response), _object(run.response), meta)
    if phase == "done":  # whoever answered a question of somebody else's run sees no more of it
        done: dict[str, Json] = {"status": "done", "run": run.id, "questions": []}
        return _made(f"Run {run.id} is done; its result is for its owner.", done, meta)
    if phase in _ENDS:
        gave_up = run.state == "completed" and run.outcome == "gave_up"
        told = "It gave up" if gave_up else _ENDS[phase]
        return CallToolResult(content=[_said(f"{told} (run {run.id}).")], is_error=True, _meta=meta)
    questions: list[Json] = [_asked(q) for q in view.asked] + [_elsewhere(q) for q in view.elsewhere]
    status = "waiting" if questions or phase in ("asks", "waits") else "working"
    waiting: dict[str, Json] = {"status": status, "run": run.id, "questions": questions}
    return _made(_waits(view), waiting, meta)


def refused(sentence: str) -> CallToolResult:
    """A call that was not taken; nothing was started by it."""
    return CallToolResult(content=[_said(sentence)], is_error=True)


def form(question: Question) -> dict[str, Any] | None:
    """A question as a form that MCP clients can show; None where its answer has no place in one."""
    if question.kind in ("approve", "review"):
        yes = {"type": "boolean", "title": "Yes", "description": question.title}
        words = {"type": "string", "title": "Comment"}
        return {"type": "object", "properties": {"yes": yes, "comment": words}, "required": ["yes"]}
    schema = question.answer_schema or {"type": "string"}
    if question.kind not in ("clarify", "relay") or schema.get("type") not in _PRIMITIVE:
        return None
    return {"type": "object", "properties": {"answer": dict(schema)}, "required": ["answer"]}


def answer(question: Question, given: ElicitResult, who: Principal) -> Answer | None:
    """What a person filled in; None where they did not."""
    if given.action != "accept" or given.content is None:
        return None
    filled = cast("Mapping[str, Any]", given.content)
    if question.kind in ("approve", "review"):
        comment = str(filled.get("comment") or "")
        return Answer(question=question.id, by=who, yes=filled.get("yes") is True, comment=comment)
    return Answer(question=question.id, by=who, value=filled.get("answer"))


def _made(text: str, structured: object, meta: dict[str, Any]) -> CallToolResult:
    return CallToolResult(content=[_said(text)], structured_content=structured, _meta=meta)


def _said(text: str) -> TextContent:
    return TextContent(type="text", text=text)


def _text(response: Json) -> str:
    return response if isinstance(response, str) else json.dumps(response, ensure_ascii=False)


def _object(response: Json) -> Json:
    """A response as structured content, which clients of older versions take as an object alone."""
    return response if isinstance(response, dict) else {"result": response}


def _asked(question: Question) -> Json:
    told = question.model_dump(mode="json", include={"id", "kind", "title", "whom", "expires_at"})
    return {**told, "schema": question.answer_schema}


def _elsewhere(question: Question) -> Json:
    """A question to somebody else; its words are for them."""
    return question.model_dump(mode="json", include={"id", "kind", "whom", "expires_at"})


def _waits(view: View) -> str:
    run, every = view.run.id, (*view.asked, *view.elsewhere)
    if not every:
        state = "an operator has to look at it" if view.phase == "waits" else "it is still under way"
        return f"Run {run}: {state}. Ask {FOLLOW} for the result later."
    whom = sorted({"its owner" if q.whom == OWNER else q.whom for q in every})
    ids = ", ".join(q.id for q in every)
    return (
        f"Run {run} waits for an answer by {' and '.join(whom)} (question {ids}): no model may give it. "
        f"Ask {FOLLOW} for the result later."
    )
