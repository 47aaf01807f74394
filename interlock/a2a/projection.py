"""Runs as A2A tasks: a task is never stored, it is what the run's row, questions and record say.

Only what the gate accepted becomes an artifact; everything else is in words of ours.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, cast

from a2a.types import a2a_pb2 as pb
from google.protobuf import json_format, struct_pb2, timestamp_pb2

from interlock.a2a.envelope import EXTENSION, Asked
from interlock.core.canonical import Json, plain
from interlock.core.hosting import ENDED, Phase, Step, View
from interlock.core.policy import OWNER
from interlock.core.questions import Question

ANSWER = "answer"
"""Id of the artifact that holds the response."""
STATES: dict[Phase, pb.TaskState] = {
    "submitted": pb.TASK_STATE_SUBMITTED,
    "working": pb.TASK_STATE_WORKING,
    "asks": pb.TASK_STATE_INPUT_REQUIRED,
    "waits": pb.TASK_STATE_AUTH_REQUIRED,
    "done": pb.TASK_STATE_COMPLETED,
    "failed": pb.TASK_STATE_FAILED,
    "canceled": pb.TASK_STATE_CANCELED,
    "refused": pb.TASK_STATE_REJECTED,
}
PHASES: dict[int, Phase] = {int(state): phase for phase, state in STATES.items()}
_ENDINGS: dict[Phase, str] = {
    "failed": "It failed",
    "canceled": "It was canceled",
    "refused": "It was refused: no answer passed the checks",
}
_JSON, _TEXT = "application/json", "text/plain"
_YES_OR_NO = ("approve", "review", "settle")
_LEVELS = 30
"""Levels of lists and objects that a data part may have; readers stop at 100 messages inside each other."""


def task(view: View, *, modes: Sequence[str] = (), note: str = "") -> pb.Task:
    """The run as a task.

    Args:
        view: The run, as its caller may see it.
        modes: The media types that the caller accepts; empty means all.
        note: What is to be said of the caller's last message.
    """
    made = pb.Task(id=view.run.id, context_id=view.run.session, status=status(view, note=note))
    if not view.own:
        return made
    made.history.append(_request(view))
    made.history.extend(said for question in view.closed for said in _talk(view, question))
    if view.phase in ENDED:
        made.metadata.CopyFrom(_outcome(view))
        made.artifacts.extend(_artifacts(view, modes))
    return made


def updates(
    view: View, modes: Sequence[str] = ()
) -> Iterator[pb.TaskStatusUpdateEvent | pb.TaskArtifactUpdateEvent]:
    """What a stream says when the run has come to another phase: the answer first, if there is one."""
    run = view.run
    for artifact in _artifacts(view, modes) if view.phase in ENDED and view.own else ():
        yield pb.TaskArtifactUpdateEvent(
            task_id=run.id, context_id=run.session, artifact=artifact, append=False, last_chunk=True
        )
    update = pb.TaskStatusUpdateEvent(task_id=run.id, context_id=run.session, status=status(view))
    if view.phase in ENDED and view.own:
        update.metadata.CopyFrom(_outcome(view))
    yield update


def progress(view: View, step: Step) -> pb.TaskStatusUpdateEvent:
    """One line of progress."""
    run = view.run
    said = _said(view, f"{run.id}-{step.seq}", [pb.Part(text=step.words or "")])
    told = pb.TaskStatus(state=pb.TASK_STATE_WORKING, message=said, timestamp=_stamp(step.at))
    return pb.TaskStatusUpdateEvent(task_id=run.id, context_id=run.session, status=told)


def status(view: View, *, note: str = "") -> pb.TaskStatus:
    """Where the task stands, with what is asked or how it ended."""
    made = pb.TaskStatus(state=STATES[view.phase], timestamp=_stamp(view.run.updated_at))
    parts = _told(view)
    if note:
        parts.insert(0, pb.Part(text=note))
    if parts:
        made.message.CopyFrom(_said(view, f"{view.run.id}-{view.seq}", parts))
    return made


def data_part(value: object) -> pb.Part:
    """A part that holds JSON: as data, or as text where it is nested deeper than the protocol can say."""
    made = plain(value)
    if _deep(made):
        return pb.Part(text=json.dumps(made, ensure_ascii=False), media_type=_JSON)
    return pb.Part(data=json_format.ParseDict(cast("Any", made), struct_pb2.Value()), media_type=_JSON)


def _deep(value: Json, left: int = _LEVELS) -> bool:
    """Says whether lists and objects are more than so many levels inside each other."""
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return left < 0 or any(_deep(each, left - 1) for each in inside)


def _told(view: View) -> list[pb.Part]:
    phase = view.phase
    if phase == "asks":
        parts = [pb.Part(text=" ".join(_ask(question) for question in view.asked))]
        return parts + [data_part(_card(question)) for question in view.asked]
    if phase == "waits":
        return [pb.Part(text=_waits(view))]
    if phase == "failed" and view.run.state == "completed":
        return [pb.Part(text=f"It gave up (run {view.run.id}).")]
    return [pb.Part(text=f"{_ENDINGS[phase]} (run {view.run.id}).")] if phase in _ENDINGS else []


def _ask(question: Question) -> str:
    how = "Answer yes or no" if question.kind in _YES_OR_NO else "Answer in words"
    if question.kind not in _YES_OR_NO and question.answer_schema:
        how = f"Answer with {json.dumps(question.answer_schema, ensure_ascii=False)}"
    return f"{question.title} ({how}; question {question.id}.)"


def _card(question: Question) -> dict[str, Json]:
    """What a program needs to answer; drafts and evidence are not in it, since no gate accepted them."""
    asked = Asked(question=question.id, kind=question.kind, answer_schema=question.answer_schema)
    schema = question.answer_schema
    more: dict[str, Json] = {"title": question.title, "expires_at": question.expires_at.isoformat()}
    if question.kind in _YES_OR_NO:
        more["choices"] = ["yes", "no"]
    elif isinstance(schema.get("enum"), list):
        more["choices"] = schema["enum"]
    return asked.model_dump(mode="json") | more


def _waits(view: View) -> str:
    whom = sorted({"its owner" if q.whom == OWNER else q.whom for q in view.elsewhere})
    if not whom:
        return f"It is blocked and an operator has to look at it (run {view.run.id})."
    ids = ", ".join(question.id for question in view.elsewhere)
    return f"It waits for an answer by {' and '.join(whom)} (question {ids})."


def _request(view: View) -> pb.Message:
    return pb.Message(
        message_id=f"{view.run.id}-request",
        context_id=view.run.session,
        task_id=view.run.id,
        role=pb.ROLE_USER,
        parts=[data_part(view.run.input)],
    )


def _talk(view: View, question: Question) -> Iterator[pb.Message]:
    """A question that the caller was asked, and what was answered."""
    yield _said(view, f"{question.id}-asked", [pb.Part(text=_ask(question)), data_part(_card(question))])
    if question.state == "answered":
        given: dict[str, Json] = {"question": question.id}
        stored = question.answer
        if question.kind in _YES_OR_NO and isinstance(stored, dict):
            given["yes"] = stored.get("yes")
        else:
            given["value"] = stored
        yield pb.Message(
            message_id=f"{question.id}-answered",
            context_id=view.run.session,
            task_id=view.run.id,
            role=pb.ROLE_USER,
            parts=[data_part(given)],
        )


def _said(view: View, name: str, parts: list[pb.Part]) -> pb.Message:
    return pb.Message(
        message_id=name,
        context_id=view.run.session,
        task_id=view.run.id,
        role=pb.ROLE_AGENT,
        parts=parts,
    )


def _outcome(view: View) -> struct_pb2.Struct:
    return json_format.ParseDict(
        {EXTENSION: {"outcome": view.run.outcome or view.run.state}}, struct_pb2.Struct()
    )


def _artifacts(view: View, modes: Sequence[str]) -> list[pb.Artifact]:
    """The accepted response, as text for people and as data for programs."""
    response = view.run.response
    if response is None or view.run.state != "completed":
        return []
    text, data = _accepts(modes, _TEXT), _accepts(modes, _JSON)
    parts: list[pb.Part] = []
    if text or not data:
        parts.append(pb.Part(text=_text(response), media_type=_TEXT))
    # Callers that name neither use names of their own, such as "text"; they get both.
    if not isinstance(response, str) and (data or not text):
        parts.append(data_part(response))
    return [pb.Artifact(artifact_id=ANSWER, name=ANSWER, parts=parts)]


def _accepts(modes: Sequence[str], mode: str) -> bool:
    family = mode.partition("/")[0] + "/*"
    return not modes or any(each.partition(";")[0].strip() in (mode, family, "*/*") for each in modes)


def _text(response: Json) -> str:
    """The one text of a response, or all of it as JSON."""
    if isinstance(response, str):
        return response
    if isinstance(response, dict):
        texts = [value for value in response.values() if isinstance(value, str)]
        if len(texts) == 1:
            return texts[0]
    return json.dumps(response, ensure_ascii=False)


def _stamp(at: datetime) -> timestamp_pb2.Timestamp:
    made = timestamp_pb2.Timestamp()
    made.FromDatetime(at)
    return made
