"""Reads what a peer says, as peers really say it, into values without any of the protocol's types.

The final answer may stand in artifacts, in the status, in a message, or only in the history; an
artifact may come whole, in pieces, or in pieces and then whole again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias, cast

from a2a.types import Artifact, Message, Part, Role, StreamResponse, Task, TaskState
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct

from interlock.a2a.envelope import EXTENSION, Asked, asked
from interlock.core.canonical import Json, digest

Standing: TypeAlias = Literal["working", "completed", "failed", "canceled", "rejected", "asks", "wants_auth"]
ENDED: frozenset[Standing] = frozenset({"completed", "failed", "canceled", "rejected"})
_STANDINGS: dict[int, Standing] = {
    TaskState.TASK_STATE_COMPLETED: "completed",
    TaskState.TASK_STATE_FAILED: "failed",
    TaskState.TASK_STATE_CANCELED: "canceled",
    TaskState.TASK_STATE_REJECTED: "rejected",
    TaskState.TASK_STATE_INPUT_REQUIRED: "asks",
    TaskState.TASK_STATE_AUTH_REQUIRED: "wants_auth",
}
_LONGEST_ID = 64
_ANSWER = "answer"
"""Id of the artifact that is the answer, where a peer of ours also streams others."""


@dataclass(frozen=True, slots=True)
class Heard:
    """How a task at a peer stands, and what it has said so far."""

    standing: Standing = "working"
    task: str = ""
    """The peer's id; empty where it answered by a message alone."""
    context: str = ""
    text: str = ""
    data: Json = None
    files: int = 0
    """Files it sent or named; they are not fetched."""
    words: str = ""
    """What it says about its state: a question, or why it failed."""
    beside: Json = None
    """Data beside those words that is not a question of ours; its own answer may need it."""
    about: str = ""
    """Id of those words: the same question asked again has the same."""
    question: Asked | None = None
    """The question as data, where a server of ours asks."""
    outcome: str = ""
    """How the run came out at a server of ours: `gave_up` is an answer there and no failure."""
    seen: frozenset[str] = frozenset()
    """Ids of the messages in its history."""

    @property
    def empty(self) -> bool:
        """Says whether there is no word and no data in it."""
        return self.data is None and not self.text.strip()

    @property
    def answer(self) -> Json:
        """Its data where it sent data, else its text."""
        return self.text if self.data is None else self.data


class Gathering:
    """What the events of one stream, or one answer, add up to."""

    def __init__(self) -> None:
        """Starts with nothing heard."""
        self._task = Task()
        self._message: Message | None = None
        self._places: dict[str, int] = {}
        """Id of an artifact -> where it stands."""
        self._moved_on = False
        """The last message of the history is what the status said before."""

    @property
    def task(self) -> str:
        """The peer's id of the task; empty until one was named."""
        return (self._message.task_id if self._message is not None else "") or self._task.id

    @property
    def standing(self) -> Standing:
        """How it stands by now."""
        return "completed" if self._message is not None else _standing(self._task)

    def take(self, event: StreamResponse) -> None:
        """Adds an event; one that says nothing known, or speaks of another task, is left out.

        A stream may have any number of events, so each costs the same, however many came before.
        """
        kind = event.WhichOneof("payload")
        if kind == "message" and self._ours(event.message.task_id):
            self._message = event.message
        elif kind == "task" and self._ours(event.task.id):
            self._task.CopyFrom(event.task)
            self._places = {a.artifact_id: n for n, a in enumerate(self._task.artifacts)}
            self._moved_on = False
        elif kind == "status_update" and self._ours(event.status_update.task_id):
            update = event.status_update
            self._named(update.task_id, update.context_id)
            self._move_on()
            self._task.status.CopyFrom(update.status)
            self._task.metadata.MergeFrom(update.metadata)
        elif kind == "artifact_update" and self._ours(event.artifact_update.task_id):
            piece = event.artifact_update
            self._named(piece.task_id, piece.context_id)
            self._add(piece.artifact, piece.append)

    def heard(self) -> Heard:
        """How it stands by now."""
        if self._message is not None:
            return of_message(self._message, self._task)
        return of_task(self._task)

    def _ours(self, task: str) -> bool:
        """Says whether an event is about the task that was named first, or names none."""
        return not task or not self._task.id or task == self._task.id

    def _move_on(self) -> None:
        """Keeps what the status says now, since the answer may turn out to be that; only the last is."""
        if self._task.status.message.parts:
            if self._moved_on:
                self._task.history.pop()
            self._task.history.append(self._task.status.message)
            self._moved_on = True

    def _named(self, task: str, context: str) -> None:
        self._task.id = self._task.id or task
        self._task.context_id = self._task.context_id or context

    def _add(self, artifact: Artifact, append: bool) -> None:
        place = self._places.setdefault(artifact.artifact_id, len(self._task.artifacts))
        if place == len(self._task.artifacts):
            self._task.artifacts.append(artifact)
        elif append:
            self._task.artifacts[place].parts.extend(artifact.parts)
        else:  # sent whole, also where it had come in pieces before
            self._task.artifacts[place].CopyFrom(artifact)


def of_message(message: Message, task: Task | None = None) -> Heard:
    """An answer by a message alone, which ends the task."""
    said = _said(message.parts, "\n")
    return replace(
        said,
        standing="completed",
        task=message.task_id or (task.id if task is not None else ""),
        context=message.context_id,
    )


def of_task(task: Task) -> Heard:
    """A task as it stands."""
    status = task.status.message
    words = _said(status.parts, "\n")
    standing = _standing(task)
    content = _content(task, words) if standing == "completed" else Heard()
    question = next((q for q in map(asked, _data(status.parts)) if q is not None), None)
    return replace(
        content,
        standing=standing,
        task=task.id,
        context=task.context_id,
        words=words.text,
        beside=None if question else words.data,
        about=question.question if question else _name(status.message_id or words.text),
        question=question,
        outcome=_outcome(task.metadata),
        seen=frozenset(message.message_id for message in task.history),
    )


def _standing(task: Task) -> Standing:
    return _STANDINGS.get(task.status.state, "working")


def _name(said: str) -> str:
    """An id as it is, and anything longer by its digest."""
    return said if 0 < len(said) <= _LONGEST_ID and said.isprintable() else digest(said)[:16]


def _outcome(metadata: Struct) -> str:
    """How a run at a server of ours came out; empty at every other one."""
    told: Any = json_format.MessageToDict(metadata).get(EXTENSION)
    return str(cast("dict[str, Any]", told).get("outcome", "")) if isinstance(told, dict) else ""


def _content(task: Task, status: Heard) -> Heard:
    """The final answer, wherever the peer put it."""
    marked = [a for a in task.artifacts if _ANSWER in (a.artifact_id, a.name)]
    made = _joined([_said(a.parts, "") for a in marked or task.artifacts])
    if not made.empty:
        return made
    if not status.empty:
        return status
    last = next((m for m in reversed(task.history) if m.role == Role.ROLE_AGENT), None)
    spoken = _said(last.parts, "\n") if last is not None else Heard()
    return replace(spoken, files=made.files + status.files) if spoken.empty else spoken


def _joined(parts: Sequence[Heard]) -> Heard:
    """Several artifacts as one answer; one that only repeats what came before is left out."""
    texts: dict[str, None] = {}
    size = 0
    for text in (each.text for each in parts if each.text):
        if text not in texts and not (len(text) == size and text == "".join(texts)):
            texts[text] = None
            size += len(text)
    found: list[Json] = [each.data for each in parts if each.data is not None]
    return Heard(text="\n\n".join(texts), data=_one(found), files=sum(each.files for each in parts))


def _said(parts: Iterable[Part], between: str) -> Heard:
    """Parts as text and data: pieces of an artifact as they are, parts of a message on lines."""
    kept = list(parts)
    return Heard(
        text=between.join(part.text for part in kept if part.WhichOneof("content") == "text"),
        data=_one(_data(kept)),
        files=sum(part.WhichOneof("content") in ("raw", "url") for part in kept),
    )


def _one(found: list[Json]) -> Json:
    """The data where there is one, all of it where there is more, None where there is none."""
    if len(found) > 1:
        return cast("Json", found)
    return found[0] if found else None


def _data(parts: Iterable[Part]) -> list[Json]:
    return [
        whole(cast("Any", json_format.MessageToDict(part.data)))
        for part in parts
        if part.WhichOneof("content") == "data"
    ]


def whole(value: Json) -> Json:
    """The value with whole numbers as integers again: the protocol makes a float of every number."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, dict):
        return {name: whole(each) for name, each in value.items()}
    if isinstance(value, list):
        return [whole(each) for each in value]
    return value
