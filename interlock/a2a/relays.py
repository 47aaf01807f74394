"""A remote agent's question, as one of our people gets it, and their answer, as the remote agent gets it."""

import json
from contextlib import suppress
from typing import Any, cast

from interlock.a2a.answers import Heard
from interlock.a2a.envelope import Answered
from interlock.core.canonical import Json, canonical
from interlock.core.questions import Question
from interlock.core.redaction import redact, redact_text
from interlock.core.remote_tasks import RemoteTask
from interlock.core.scope import TaskScope

_YES_OR_NO = ("approve", "review", "settle")
_TITLE, _WORDS, _SCHEMA = 300, 2_000, 4_096
"""Most characters of a remote agent's words in a title and in the details; bytes of its schema, or data."""
_BOOLEAN: dict[str, Json] = {"type": "boolean"}


def kept(heard: Heard) -> dict[str, Json]:
    """What of a remote agent's question is stored: bounded, and without secrets."""
    question = heard.question
    schema: Json = dict(question.answer_schema) if question else {}
    if heard.standing == "wants_auth" or (question and question.kind in _YES_OR_NO):
        schema = dict(_BOOLEAN)
    elif len(canonical(schema)) > _SCHEMA:
        schema = {}
    return {
        "about": heard.about,
        "words": _legible(redact_text(heard.words)[:_WORDS]),
        "data": redact(heard.beside) if len(canonical(heard.beside)) <= _SCHEMA else None,
        "question": question.question if question else "",
        "kind": question.kind if question else "",
        "answer_schema": redact(schema),
        "authorize": heard.standing == "wants_auth",
    }


async def relay(scope: TaskScope, row: RemoteTask) -> Question:
    """Asks our person what the remote agent asks, in its words, marked as its own."""
    asked = row.asked or {}
    words = str(asked.get("words") or "")
    said = " ".join(words.split())[:_TITLE].replace('"', "'") or "(it said nothing)"
    who = f"The remote agent {row.agent}"
    if asked.get("authorize"):
        title = f'{who} waits until it is let in or released: "{said}" Is that done?'
        on_no = "it is asked to stop, and the task fails"
    else:
        title = f'{who} asks: "{said}"'
        on_no = "the remote agent is told no"
    details: dict[str, Json] = {"remote": row.url, "words of the remote agent": words, "on_no": on_no}
    if asked.get("data") is not None:
        details["data of the remote agent"] = asked["data"]
    schema = asked.get("answer_schema")
    return await scope.ask(
        "relay", tag(row), title, details, schema=dict(schema) if isinstance(schema, dict) else {}
    )


def tag(row: RemoteTask) -> str:
    """Names the question of this turn."""
    return f"{row.id}:{row.turn}"


def answer_to(asked: dict[str, Json], answer: Json, comment: str) -> Json:
    """What the remote agent is sent: data for a server of ours, words for every other one."""
    question, kind = str(asked.get("question") or ""), asked.get("kind")
    if not question:
        return _in_words(answer, asked.get("data") is not None)
    if kind in _YES_OR_NO:
        given = Answered(question=question, yes=answer is True, comment=comment)
    elif answer is None:
        given = Answered(question=question, yes=False, comment=comment)
    else:
        given = Answered(question=question, value=answer, comment=comment)
    return cast("Json", given.model_dump(mode="json"))


def _in_words(answer: Json, beside: bool) -> Json:
    """The answer as text; as data where the question had data beside it, and the answer is a JSON object."""
    if answer is None or answer is False:
        return "No."
    if beside and isinstance(answer, str) and answer.startswith("{"):
        with suppress(ValueError, RecursionError):
            return cast("Json", json.loads(answer))
    return "Yes." if answer is True else answer


def _legible(words: str) -> str:
    """Without controls and direction marks, by which words pass for something else where they are shown."""
    return "".join(c if c.isprintable() or c == "\n" else " " for c in words)


def said_no(question: Question) -> bool:
    """Says whether our person refused, by a plain no or by `false`."""
    answer: Any = question.answer
    return answer is None or answer is False
