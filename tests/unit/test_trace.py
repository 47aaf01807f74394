"""Names of traces and spans: every process arrives at the same ones."""

import pytest

from interlock.core.events import event_id
from interlock.core.trace import caller_of, root_of, span_of, trace_of, traceparent

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def test_a_run_is_one_trace_that_every_process_can_name() -> None:
    """The trace of a run without a caller depends on its id alone."""
    assert trace_of("r-1") == trace_of("r-1") != trace_of("r-2")
    assert len(trace_of("r-1")) == 32 and int(trace_of("r-1"), 16)


def test_a_run_is_named_as_langfuse_names_it() -> None:
    """Whoever knows the run's id finds its trace with Langfuse's own SDK."""
    from langfuse import Langfuse

    assert trace_of("r-1") == Langfuse.create_trace_id(seed="r-1")


def test_a_run_joins_the_trace_of_whoever_asked_for_it() -> None:
    """An inbound traceparent decides the trace, never the id of the run's own span."""
    inbound = traceparent(TRACE, SPAN)
    assert inbound == f"00-{TRACE}-{SPAN}-01"
    assert trace_of("r-1", inbound) == TRACE
    caller = caller_of(inbound)
    assert caller is not None and (caller.trace, caller.span) == (TRACE, SPAN)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}-01\nx: y",
    ],
)
def test_a_malformed_traceparent_is_ignored(text: str) -> None:
    """What the standard does not allow names no caller, and the run keeps a trace of its own."""
    assert caller_of(text) is None
    assert trace_of("r-1", text) == trace_of("r-1")


def test_a_later_version_of_the_header_is_read_as_far_as_it_is_known() -> None:
    """Fields that a later version appends do not hide the caller."""
    assert trace_of("r-1", f"01-{TRACE}-{SPAN}-01-more") == TRACE


def test_a_span_is_named_after_its_event() -> None:
    """A span's id is known before its event is stored, and tells calls of one task apart."""
    assert event_id("r-1", "tool.read", "t", 1, "x:0").startswith(span_of("r-1", "tool.read", "t", 1, "x:0"))
    assert span_of("r-1", "tool.read", "t", 1, "x:0") != span_of("r-1", "tool.read", "t", 1, "x:1")
    assert root_of("r-1") == event_id("r-1", "run.created", "", 0, "")[:16]
