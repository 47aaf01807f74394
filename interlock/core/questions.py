"""What people are asked, what they answer, and the receipt a yes leaves behind.

A question is a row, written before the run stops and answered there; an answer arriving by
any other way carries no authority.
"""

from datetime import datetime
from typing import Literal, TypeAlias

from pydantic import BaseModel

from interlock.core.canonical import Json, canonical, digest
from interlock.core.policy import OWNER, Verdict
from interlock.core.principal import Principal
from interlock.core.redaction import redact, redact_text
from interlock.errors import AnswerRefused

QuestionKind: TypeAlias = Literal["approve", "clarify", "settle", "review", "relay"]
QuestionState: TypeAlias = Literal["open", "answered", "expired", "withdrawn"]


class Question(BaseModel, frozen=True, extra="forbid"):
    """One thing a person must answer."""

    v: Literal[1] = 1
    """Format version."""
    id: str
    """`q-` and 12 characters; deterministic, so that a re-executed task asks the same one."""
    run: str
    task: str
    agent: str
    kind: QuestionKind
    digest: str
    """Digest of exactly what is asked: for an approval, the call with its arguments."""
    title: str
    """What will happen, or what is asked, in one sentence."""
    details: dict[str, Json] = {}
    """What the review card shows: to whom, how much, which rule, evidence, what happens on no."""
    answer_schema: dict[str, Json] = {}
    """JSON Schema of the answer, for kinds other than yes or no; empty means free text."""
    whom: str = OWNER
    """The role or person who may answer."""
    asked_at: datetime
    expires_at: datetime
    path: tuple[str, ...] = ()
    """Where in the graph it was asked: strand, agent, and the nodes of its subgraphs."""
    interrupt: str | None = None
    """LangGraph's id, for a question asked by a graph body's own `interrupt()`."""
    state: QuestionState = "open"
    answer: Json = None
    """`{"yes": bool}` for approve, review and settle; the value itself for clarify and relay."""
    comment: str = ""
    answered_by: str | None = None
    answered_at: datetime | None = None

    @property
    def in_words(self) -> bool:
        """Says whether it takes more than a yes or a no."""
        return self.kind in ("clarify", "relay") and self.answer_schema.get("type") != "boolean"


class Answer(BaseModel, frozen=True, extra="forbid"):
    """A person's answer, before it is accepted."""

    question: str
    by: Principal
    yes: bool | None = None
    """For approve, review and settle."""
    value: Json = None
    """For clarify and relay, and the outcome (an answer of the tool) for settle."""
    comment: str = ""


class Receipt(BaseModel, frozen=True, extra="forbid"):
    """The yes to one exact call, used once."""

    id: str
    question: str
    run: str
    task: str
    tool: str
    call: str
    """Digest of tool and canonical arguments."""
    definition: str
    """Digest of the tool's definition as the approver saw it."""
    user: str
    """The principal on whose behalf the call is made."""
    rule: str
    """The rule that asked."""
    whom: str
    facts: dict[str, Json] = {}
    given_by: str
    expires_at: datetime
    used_at: datetime | None = None

    def stands(self, call: str, definition: str, user: str, verdict: Verdict, now: datetime) -> str | None:
        """Says why this yes does not cover the call, or None if it does.

        Source: design rule "an approval is for one call": tool, canonical arguments, definition,
        principal, deciding rule and facts, approver role, expiry, single use.
        """
        reasons = [
            (self.used_at is not None, "it was used already"),
            (self.call != call, "it was given for other arguments"),
            (self.definition != definition, "the tool's definition has changed since"),
            (self.user != user, "it was given on behalf of somebody else"),
            (self.rule != verdict.rule, "another rule decides now"),
            (self.whom != verdict.whom, "another role has to approve now"),
            (self.facts != verdict.facts, "the facts the rule reads have changed"),
            (self.expires_at <= now, "it has expired"),
        ]
        return next((reason for broken, reason in reasons if broken), None)


def question_id(run: str, task: str, kind: str, asked: str, nth: int = 0) -> str:
    """The id of a question: the same task asking the same thing gets the same id."""
    return "q-" + digest([run, task, kind, asked, nth], "question")[:12]


def accept(question: Question, answer: Answer, owner: str, now: datetime) -> Question:
    """Applies an answer, or refuses it with a sentence and leaves the question as it is.

    Raises:
        AnswerRefused: malformed, late, second, to another question, or from somebody who is not asked.
    """
    if answer.question != question.id:
        raise AnswerRefused(f"question {question.id} was given the answer to {answer.question}.")
    if question.state != "open":
        told = f"by {question.answered_by} " if question.answered_by else ""
        raise AnswerRefused(f"question {question.id} was already {question.state} {told}and stays so.")
    if now >= question.expires_at:
        raise AnswerRefused(
            f"question {question.id} expired at {question.expires_at:%Y-%m-%d %H:%M} UTC; the answer "
            "came too late and changes nothing."
        )
    asked = owner if question.whom == OWNER else question.whom
    may = answer.by.owns(owner) if question.whom == OWNER else answer.by.holds(asked)
    if not may:
        raise AnswerRefused(f"question {question.id} is for {asked}; {answer.by.user} may not answer it.")
    value = redact(_value(question, answer))
    try:
        canonical([value, answer.comment])
    except ValueError as error:
        raise AnswerRefused(
            f"question {question.id} cannot take this answer: the record cannot keep it as JSON."
        ) from error
    return question.model_copy(
        update={
            "state": "answered",
            "answer": value,
            "comment": redact_text(answer.comment),
            "answered_by": answer.by.user,
            "answered_at": now,
        }
    )


def _value(question: Question, answer: Answer) -> Json:
    if question.kind in ("approve", "review", "settle"):
        if answer.yes is None:
            raise AnswerRefused(f"question {question.id} needs yes or no: use `approve` or `reject`.")
        return {"yes": answer.yes, "value": answer.value}
    if answer.value is None and answer.yes is not None and question.answer_schema.get("type") == "boolean":
        return answer.yes
    if answer.yes is False:
        return None
    problem = _misfit(question.answer_schema, answer.value)
    if problem:
        raise AnswerRefused(f"question {question.id} cannot take {answer.value!r}: {problem}.")
    return answer.value


_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
    "null": (type(None),),
}


def _misfit(schema: dict[str, Json], value: Json) -> str | None:
    """Why a value does not fit the small part of JSON Schema that questions use."""
    if not schema:
        return None if isinstance(value, str) and value.strip() else "it needs an answer in words"
    choices = schema.get("enum")
    if isinstance(choices, list) and value not in choices:
        return "it must be one of " + ", ".join(map(str, choices))
    wanted = schema.get("type")
    if isinstance(wanted, str) and wanted in _TYPES:
        fits = isinstance(value, _TYPES[wanted]) and (wanted == "boolean" or not isinstance(value, bool))
        if not fits:
            return f"it must be of type {wanted}"
    return _misfit_of_fields(schema, value) if isinstance(value, dict) else None


def _misfit_of_fields(schema: dict[str, Json], value: dict[str, Json]) -> str | None:
    required, fields = schema.get("required"), schema.get("properties")
    missing = [str(name) for name in required if name not in value] if isinstance(required, list) else []
    if missing:
        return "it lacks " + ", ".join(missing)
    for name, field in fields.items() if isinstance(fields, dict) else ():
        problem = _misfit(field, value[name]) if name in value and isinstance(field, dict) else None
        if problem:
            return f"{name}: {problem}"
    return None
