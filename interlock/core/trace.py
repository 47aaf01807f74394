"""Names of traces and spans, so that every process that works on a run arrives at the same ones.

A run is one trace. A span is named after the event of the record that it shows, and its id is the
beginning of that event's id; so it is known before the event is stored, and the same on every
re-execution. Between processes the names travel as a W3C `traceparent`
(https://www.w3.org/TR/trace-context/, section 3.2).
"""

import hashlib
import re
from dataclasses import dataclass

from interlock.core.events import event_id

_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-[0-9a-f]{2}(?P<more>-.*)?"
)
_NOTHING = re.compile(r"0+")


@dataclass(frozen=True, slots=True)
class Caller:
    """The span of another process from which a run was asked for."""

    trace: str
    """32 hexadecimal characters."""
    span: str
    """16 hexadecimal characters."""


def caller_of(traceparent: str) -> Caller | None:
    """Who called, as an inbound `traceparent` says; None where it is absent or malformed.

    A malformed one is ignored, as the standard asks for: it must not fail a request.
    """
    found = _TRACEPARENT.fullmatch(traceparent.strip())
    if found is None or (found[0].startswith("00") and found["more"]):
        return None
    if _NOTHING.fullmatch(found["trace"]) or _NOTHING.fullmatch(found["span"]):
        return None
    return Caller(found["trace"], found["span"])


def trace_of(run: str, inbound: str = "") -> str:
    """The trace of a run: its caller's, or one of its own made from its id; 32 hexadecimal characters.

    Its own one is what Langfuse's SDK makes of the same id by `create_trace_id(seed=run)`.
    """
    caller = caller_of(inbound)
    return caller.trace if caller else hashlib.sha256(run.encode()).hexdigest()[:32]


def span_of(run: str, kind: str, task: str = "", attempt: int = 0, tag: str = "") -> str:
    """The span named after an event with these names; 16 hexadecimal characters."""
    return event_id(run, kind, task, attempt, tag)[:16]


def root_of(run: str) -> str:
    """The span of the run itself."""
    return span_of(run, "run.created")


def traceparent(trace: str, span: str) -> str:
    """What an outbound call carries, so that what happens behind it is shown below `span`."""
    return f"00-{trace}-{span}-01"
