"""Values to rows and back, and the one function that appends to a run's chain."""

import json
import secrets
from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, TypeAlias

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from interlock.core.canonical import Json
from interlock.core.events import GENESIS, Draft, Event, chain, event_id
from interlock.core.journal import Entry
from interlock.core.limits import Limits, Spend
from interlock.core.principal import Principal
from interlock.core.questions import Question, Receipt
from interlock.core.runs import Run
from interlock.errors import FormatRefused, NotFound
from interlock.persistence import schema

Values: TypeAlias = dict[str, Any]
AnyRow: TypeAlias = Row[*tuple[Any, ...]]


def stamp(at: datetime) -> str:
    """A time as text of one width, so that text order is time order."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def moment(text: str) -> datetime:
    """The time that `stamp` wrote."""
    return datetime.fromisoformat(text)


def dump(value: Json) -> str | None:
    """JSON as text; None as NULL."""
    return None if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def load(text: str | None) -> Any:  # noqa: ANN401
    """What `dump` wrote."""
    return None if text is None else json.loads(text)


def check_version(row: AnyRow, what: str) -> None:
    """Refuses a row of a format this code does not read.

    Raises:
        FormatRefused: naming it.
    """
    if row.v != 1:
        raise FormatRefused(
            f"{what} is stored in format {row.v!r}, and this version reads format 1: use the version that "
            "wrote it."
        )


# Runs ------------------------------------------------------------------------------------------


def run_values(run: Run) -> Values:
    """A new run's row, without lease and with an empty chain."""
    plain = run.model_dump(include={"id", "v", "graph", "version", "state", "outcome", "reason", "session"})
    return plain | {
        "subject": run.subject,
        "trace": run.trace,
        "limits": run.limits.model_dump_json(exclude_none=True),
        "fence": run.fence,
        "input": dump(run.input),
        "response": dump(run.response),
        "owner": run.owner.model_dump_json(),
        "spend": run.spend.model_dump_json(),
        "created_at": stamp(run.created_at),
        "updated_at": stamp(run.updated_at),
        "head_seq": 0,
        "head_hash": GENESIS,
    }


def run_of(row: AnyRow) -> Run:
    """The run a row holds."""
    check_version(row, f"run {row.id}")
    return Run(
        id=row.id,
        graph=row.graph,
        version=row.version,
        state=row.state,
        outcome=row.outcome,
        input=load(row.input),
        response=load(row.response),
        reason=row.reason,
        owner=Principal.model_validate_json(row.owner),
        session=row.session,
        subject=row.subject,
        trace=row.trace,
        limits=Limits.model_validate_json(row.limits),
        fence=row.fence,
        spend=Spend.model_validate_json(row.spend),
        created_at=moment(row.created_at),
        updated_at=moment(row.updated_at),
    )


_LOCKED = select(
    schema.runs.c.fence,
    schema.runs.c.state,
    schema.runs.c.owner,
    schema.runs.c.head_seq,
    schema.runs.c.head_hash,
    schema.runs.c.lease_worker,
).where(schema.runs.c.id == bindparam("id"))


def locked(connection: Connection, run: str) -> AnyRow:
    """What a writing transaction must know of a run.

    Raises:
        NotFound: if there is no such run.
    """
    row = connection.execute(_LOCKED, {"id": run}).first()
    if row is None:
        raise NotFound(f"there is no run {run!r}: `interlock runs list` shows those there are.")
    return row


# Journal ---------------------------------------------------------------------------------------

_ENTRY = tuple(field.name for field in fields(Entry))
_ENTRY_JSON = ("arguments", "answer", "error")


def entry_values(entry: Entry) -> Values:
    """A journal entry's row."""
    values: Values = {name: getattr(entry, name) for name in _ENTRY}
    for name in _ENTRY_JSON:
        values[name] = dump(values[name])
    values["v"] = 1
    return values


def entry_name(row: AnyRow) -> tuple[str, str, int, str, str, int]:
    """What makes the entry of a row unique; see `Entry.name`."""
    return row.run, row.task, row.attempt, row.step, row.digest, row.nth


def entry_of(row: AnyRow) -> Entry:
    """The entry a row holds."""
    check_version(row, f"the journal of task {row.task!r} in run {row.run}")
    values: Values = {name: getattr(row, name) for name in _ENTRY}
    for name in _ENTRY_JSON:
        values[name] = load(values[name])
    return Entry(**values)


# Questions and receipts ------------------------------------------------------------------------

_QUESTION_JSON = ("details", "answer_schema", "path", "answer")
_QUESTION_TIMES = ("asked_at", "expires_at", "answered_at")


def question_values(question: Question) -> Values:
    """A question's row."""
    values = question.model_dump()
    for name in _QUESTION_JSON:
        values[name] = dump(values[name])
    for name in _QUESTION_TIMES:
        values[name] = None if values[name] is None else stamp(values[name])
    return values


def question_of(row: AnyRow) -> Question:
    """The question a row holds."""
    check_version(row, f"question {row.id}")
    values: Values = {name: getattr(row, name) for name in Question.model_fields}
    for name in _QUESTION_JSON:
        values[name] = load(values[name])
    values["details"] = values["details"] or {}
    values["answer_schema"] = values["answer_schema"] or {}
    values["path"] = tuple(values["path"] or ())
    for name in _QUESTION_TIMES:
        values[name] = None if values[name] is None else moment(values[name])
    return Question(**values)


def shown(question: Question, now: datetime) -> Question:
    """The question as it stands at `now`: an open one past its expiry has expired."""
    late = question.state == "open" and now >= question.expires_at
    return question.model_copy(update={"state": "expired"}) if late else question


def receipt_values(receipt: Receipt) -> Values:
    """A receipt's row."""
    return receipt.model_dump() | {
        "v": 1,
        "facts": dump(receipt.facts),
        "expires_at": stamp(receipt.expires_at),
        "used_at": None if receipt.used_at is None else stamp(receipt.used_at),
    }


def receipt_of(row: AnyRow) -> Receipt:
    """The receipt a row holds."""
    check_version(row, f"receipt {row.id}")
    values: Values = {name: getattr(row, name) for name in Receipt.model_fields}
    values["facts"] = load(values["facts"]) or {}
    values["expires_at"] = moment(values["expires_at"])
    values["used_at"] = None if values["used_at"] is None else moment(values["used_at"])
    return Receipt(**values)


# The chain -------------------------------------------------------------------------------------

_STORED = [
    select(schema.events.c.id).where(
        schema.events.c.run == bindparam("run"),
        schema.events.c.id.in_([bindparam(f"id{place}") for place in range(size)]),
    )
    for size in range(9)
]
"""By the number of ids; a list that is expanded at each execution costs several times as much."""
_EVENT = insert(schema.events)
_BODY = insert(schema.bodies)
_HEAD = (
    update(schema.runs)
    .where(schema.runs.c.id == bindparam("run"))
    .values(head_seq=bindparam("seq"), head_hash=bindparam("head"), updated_at=bindparam("at"))
)


def event_of(row: AnyRow) -> Event:
    """The event a row holds."""
    check_version(row, f"event {row.seq} of run {row.run}")
    return Event(
        run=row.run,
        seq=row.seq,
        id=row.id,
        prev=row.prev,
        at=moment(row.at),
        actor=row.actor,
        kind=row.kind,
        task=row.task,
        attempt=row.attempt,
        body_digest=row.body_digest,
    )


def fact(run: str, kind: str, actor: str, at: datetime, body: Values, tag: str, task: str = "") -> Draft:
    """A draft of something this room does itself."""
    return Draft(
        id=event_id(run, kind, task, 0, tag), kind=kind, actor=actor, at=at, task=task, attempt=0, body=body
    )


def append(
    connection: Connection, run: str, head: tuple[int, str], drafts: Sequence[Draft], now: datetime
) -> tuple[int, str]:
    """Appends the drafts that are not stored yet and returns the chain's new end.

    Args:
        connection: A writing transaction: the end cannot move while it runs.
        head: The chain's present end (seq, hash).
        drafts: In order; one whose id is stored, or comes twice, is left out.
        now: When the run's row was last changed.
    """
    seq, last = head
    known: set[str] = set()
    most = len(_STORED) - 1
    for first in range(0, len(drafts), most):
        some = drafts[first : first + most]
        ids = {f"id{place}": draft.id for place, draft in enumerate(some)}
        known.update(connection.execute(_STORED[len(some)], {"run": run, **ids}).scalars())
    events: list[Values] = []
    bodies: list[Values] = []
    for draft in drafts:
        if draft.id in known:
            continue
        known.add(draft.id)
        seq += 1
        salt = secrets.token_hex(16)
        dated = draft if draft.at.tzinfo is UTC else draft.model_copy(update={"at": draft.at.astimezone(UTC)})
        event = chain(run, seq, last, dated, salt)
        last = event.hash
        events.append({**event.__dict__, "at": stamp(event.at), "hash": last})
        bodies.append({"run": run, "seq": seq, "salt": salt, "body": dump(draft.body)})
    if events:
        connection.execute(_EVENT, events)
        connection.execute(_BODY, bodies)
    connection.execute(_HEAD, {"run": run, "seq": seq, "head": last, "at": stamp(now)})
    return seq, last
