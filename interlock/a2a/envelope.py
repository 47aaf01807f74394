"""What travels beside a task in the metadata of a message: time and spend left, key, trace; and questions.

Both sides read it here: who sends a task writes an `Envelope`, who performs it reads it. Numbers are
text on the wire, because A2A makes a float of every number. An agent that does not know the extension
does not look at any of it.
"""

import math
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, cast

from pydantic import BaseModel

from interlock.core.canonical import Json, plain
from interlock.errors import BadInput

EXTENSION = "urn:interlock:call:1"
"""URI of the extension; the key in the metadata, and what a card declares that honours it.

A server that declares it promises: the same message id from the same caller is one task.
"""
_TRACE = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_KEY = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_KINDS = ("approve", "clarify", "settle", "review", "relay")


class Envelope(BaseModel, frozen=True, extra="forbid"):
    """What a task may use, and what it is called; everything may be absent."""

    deadline_ms: int | None = None
    """Milliseconds of active time left when it was sent; never a point in time, clocks differ."""
    tokens: int | None = None
    """Tokens it may spend."""
    usd: Decimal | None = None
    """US dollars it may spend."""
    key: str = ""
    """Names the task: sent twice under the same key, it is one task."""
    traceparent: str = ""
    """The caller's place in the trace, as W3C writes it."""


class Asked(BaseModel, frozen=True, extra="forbid"):
    """A question of a server of ours, as it stands in a data part beside its words."""

    question: str
    kind: str
    """Approve, review and settle want yes or no; clarify and relay want a value."""
    answer_schema: dict[str, Json] = {}
    """JSON Schema of the value; empty means free text."""


class Answered(BaseModel, frozen=True, extra="forbid"):
    """The answer to a question, as a data part."""

    question: str
    yes: bool | None = None
    value: Json = None
    comment: str = ""


def write(envelope: Envelope) -> dict[str, Any]:
    """The metadata of a message; what is absent is left out."""
    inside: dict[str, Any] = {
        name: str(value) for name, value in envelope.model_dump().items() if value not in (None, "")
    }
    return {EXTENSION: inside}


def read(metadata: Mapping[str, Any]) -> Envelope:
    """The envelope in a message's metadata; an empty one where there is none.

    Numbers may be text or floats. Fields it does not know, and a trace it cannot read, are left out.

    Raises:
        BadInput: a number is negative, not finite or no number, or the key has characters it may not have.
    """
    found = metadata.get(EXTENSION)
    if found is None:
        return Envelope()
    if not isinstance(found, Mapping):
        raise BadInput(f"the metadata {EXTENSION!r} must be an object of names and texts.")
    inside = cast("Mapping[str, Any]", found)
    key, trace = inside.get("key", ""), inside.get("traceparent", "")
    if key and not (isinstance(key, str) and _KEY.fullmatch(key)):
        raise BadInput("the key of a task has 1 to 128 letters, digits, '.', '_', ':' and '-'.")
    return Envelope(
        deadline_ms=_whole(inside, "deadline_ms"),
        tokens=_whole(inside, "tokens"),
        usd=_number(inside, "usd"),
        key=key or "",
        traceparent=trace if isinstance(trace, str) and _TRACE.fullmatch(trace) else "",
    )


def asked(data: object) -> Asked | None:
    """The question in a data part; None where it is anything else."""
    fields = _fields(data)
    question, kind = fields.get("question"), fields.get("kind")
    if not (isinstance(question, str) and _KEY.fullmatch(question) and kind in _KINDS):
        return None
    return Asked(question=question, kind=str(kind), answer_schema=dict(_fields(fields.get("answer_schema"))))


def answered(data: object) -> Answered | None:
    """The answer in a data part; None where it is anything else."""
    fields = _fields(data)
    question, yes, comment = fields.get("question"), fields.get("yes"), fields.get("comment", "")
    if not (isinstance(question, str) and _KEY.fullmatch(question) and isinstance(comment, str)):
        return None
    if not isinstance(yes, bool | None) or (yes is None and "value" not in fields):
        return None
    return Answered(question=question, yes=yes, value=plain(fields.get("value")), comment=comment)


def _fields(data: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", data) if isinstance(data, Mapping) else {}


def _number(fields: Mapping[str, Any], name: str) -> Decimal | None:
    """A number that is not negative; floats are read by their shortest text."""
    value = fields.get(name)
    if value is None:
        return None
    wrong = BadInput(f"{name} in the metadata must be a number that is not negative, not {value!r:.40}.")
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise wrong
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise wrong from None
    if not number.is_finite() or number < 0 or number > 10**15:
        raise wrong
    return number


def _whole(fields: Mapping[str, Any], name: str) -> int | None:
    """A whole number; what is behind the point is dropped, so that never more is read than was given."""
    number = _number(fields, name)
    return None if number is None else math.floor(number)
