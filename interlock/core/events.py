"""The record of a run: events, their chain, and the digests that tie bodies to it.

Event v1 is the canonical JSON (RFC 8785) of its envelope; `hash` is SHA-256 over it with a
domain prefix, and each event names the hash before it. Bodies are stored beside the chain by
digest, so that they can be erased without breaking it.
"""

import hashlib
from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from interlock.core.canonical import Json, canonical, digest

KINDS: dict[str, str] = {
    "run.created": "a run was stored with its input and owner",
    "run.claimed": "a worker took the run",
    "run.moved": "the run changed its state",
    "context.loaded": "the request was validated and its context chosen",
    "route.tried": "a route looked at the request",
    "plan.made": "a plan was accepted",
    "plan.rejected": "a plan did not fit",
    "task.sent": "a task was given to an agent, with its slice of context",
    "task.returned": "an agent returned a result",
    "task.skipped": "a task could not start for want of a needed output",
    "task.invalid": "a result did not have its schema and was quarantined",
    "body.diverged": "a body, run again, asked for something else",
    "tool.read": "a reading tool was called",
    "tool.denied": "the policy refused a call",
    "effect.planned": "an effect waits for a yes",
    "effect.sent": "an effect was sent",
    "effect.confirmed": "an effect happened",
    "effect.failed": "an effect did not happen",
    "effect.unknown": "it is not known whether an effect happened",
    "effect.settled": "a person settled an unknown effect",
    "effect.compensated": "an effect was taken back",
    "model.called": "a model was asked and answered",
    "model.failed": "no model behind a route answered",
    "model.bypassed": "a body asked a model past its doors",
    "context.fitted": "a conversation was fitted to a model's window: what was dropped or summarised",
    "skill.loaded": "a model loaded a skill",
    "remote.sent": "a task was sent to a remote agent",
    "remote.answered": "a remote agent answered",
    "remote.canceled": "a remote agent was asked to stop",
    "question.asked": "a person was asked",
    "question.answered": "a person answered",
    "question.expired": "nobody answered in time",
    "question.withdrawn": "a question was no longer of use",
    "answer.refused": "an answer was not taken",
    "receipt.refused": "an approval did not cover the call",
    "conflict.decided": "sources disagreed and a rule decided",
    "reflection.judged": "a judge looked at an output",
    "gate.checked": "the aggregator checked a response",
    "response.accepted": "the response may leave",
    "response.delivered": "the response was handed over",
    "segment.ended": "a worker let go of the run",
    "subject.erased": "bodies about a person were erased",
}
"""Every kind of event, with what it says."""

GENESIS = "0" * 64
"""What the first event of a run names as the hash before it."""


class Draft(BaseModel, frozen=True, extra="forbid"):
    """An event before it has a place in the chain."""

    id: str
    """Deterministic: the same fact of the same task has the same id, and is stored once."""
    kind: str
    actor: str
    at: datetime
    task: str = ""
    attempt: int = 0
    body: dict[str, Json] = {}


class Event(BaseModel, frozen=True, extra="forbid"):
    """An event in its place; the envelope without the body."""

    v: Literal[1] = 1
    run: str
    seq: int
    """Position in the run, from 1, without a gap."""
    id: str
    prev: str
    """Hash of the event before it; 64 zeros for the first."""
    at: datetime
    actor: str
    """Who: `supervisor`, `agent:NAME`, `gate`, `worker:ID`, `person:USER`."""
    kind: str
    task: str
    attempt: int
    body_digest: str

    @property
    def hash(self) -> str:
        """What the next event names as `prev`."""
        return hashlib.sha256(b"interlock/event/1\0" + canonical(self)).hexdigest()


class Head(BaseModel, frozen=True, extra="forbid"):
    """The end of a run's chain, signed (Ed25519) at every segment end."""

    run: str
    seq: int
    hash: str
    key_id: str
    signature: str
    """Hexadecimal; over `head_bytes`."""
    at: datetime


def event_id(run: str, kind: str, task: str, attempt: int, tag: str) -> str:
    """The id of a fact; `tag` tells facts of the same kind and task apart."""
    return digest([run, kind, task, attempt, tag], "event-id")[:32]


def body_digest(salt: str, body: object) -> str:
    """Ties a body to its event; the salt keeps an erased body from being guessed."""
    return digest([salt, body], "body")


def chain(run: str, seq: int, prev: str, draft: Draft, salt: str) -> Event:
    """Gives a draft its place after `prev`."""
    return Event(
        run=run,
        seq=seq,
        id=draft.id,
        prev=prev,
        at=draft.at,
        actor=draft.actor,
        kind=draft.kind,
        task=draft.task,
        attempt=draft.attempt,
        body_digest=body_digest(salt, draft.body),
    )


def head_bytes(run: str, seq: int, head: str) -> bytes:
    """What is signed."""
    return b"interlock/head/1\0" + canonical([run, seq, head])
