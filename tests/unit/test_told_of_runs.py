"""What leaves with traces and what is told of a run, where the record holds what nobody expected."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from interlock.core.trace import root_of
from interlock.errors import BadInput
from interlock.observability import attributes as a
from interlock.observability.attributes import Content
from interlock.observability.explain import explain
from interlock.observability.exporting import encoded
from interlock.observability.narrate import narrate
from interlock.observability.spans import Projection
from interlock.observability.traced import Labels, Span
from interlock.settings import load
from tests.receiver import decoded
from tests.recorded import lines, recorded
from tests.unit.test_spans import RUN

Event = tuple[float, str, str, str, int, Mapping[str, Any]]
FAR = "https://ann:hunter2@risk.example:8443/secret/agent?token=secret"


def talkative() -> list[Event]:
    """A run of which every text says "secret"."""
    agent = "agent:x"
    check = {"check": "c", "verdict": "revise", "problem": "secret"}
    return [
        (0.0, "run.created", "person:olga", "", 0, {"input": {"text": "secret"}}),
        (0.1, "context.loaded", "supervisor", "intake", 1, {}),
        (0.2, "route.tried", "supervisor", "plan", 1, {"route": "r", "came_to": "rejected: secret"}),
        (0.3, "plan.made", "supervisor", "plan", 1, {"why": "secret", "candidates": [{"reason": "secret"}]}),
        (1.0, "task.sent", agent, "t", 1, {"agent": "x", "feedback": "secret", "stands_in": "secret"}),
        (1.1, "conflict.decided", "supervisor", "join", 0, {"resolution": {"about": "secret", "rule": "r"}}),
        (
            1.2,
            "model.called",
            agent,
            "t",
            1,
            {"route": "r", "model": "m", "prompt": "secret", "text": "secret"},
        ),
        (1.3, "model.failed", agent, "t", 1, {"route": "r", "prompt": "secret", "why": "secret"}),
        (1.4, "remote.sent", agent, "t", 1, {"remote": "risk", "url": FAR, "asked": "secret"}),
        (1.5, "remote.answered", agent, "t", 1, {"state": "failed", "error": "secret", "answer": "secret"}),
        (1.6, "question.asked", agent, "t", 1, {"question": "q", "kind": "clarify", "title": "secret"}),
        (
            1.7,
            "question.answered",
            "person:o",
            "t",
            1,
            {"question": "q", "answer": "secret", "comment": "secret"},
        ),
        (1.8, "gate.checked", "supervisor", "aggregate", 1, {"verdict": "revise", "checks": [check]}),
        (1.9, "context.fitted", agent, "t", 1, {"tokens": 1, "why": "secret"}),
        (2.0, "skill.loaded", agent, "t", 1, {"skill": "secret", "file": "secret"}),
        (2.1, "reflection.judged", agent, "t", 1, {"judge": "secret", "round": 1}),
        (2.2, "tool.denied", agent, "t", 1, {"tool": "t/x", "reason": "secret", "arguments": "secret"}),
        (
            2.3,
            "effect.sent",
            agent,
            "t",
            1,
            {"tool": "s/p", "key": "k", "arguments": "secret", "reason": "secret"},
        ),
        (
            2.4,
            "effect.failed",
            agent,
            "t",
            1,
            {"key": "k", "state": "failed", "error": {"message": "secret"}},
        ),
        (2.5, "model.bypassed", agent, "t", 1, {"model": "gpt", "sent": True}),
        (
            2.6,
            "task.returned",
            agent,
            "t",
            1,
            {
                "status": "gave_up",
                "why": "secret",
                "needs": "secret",
                "tried": ["secret"],
                "artifacts": [{"name": "secret.txt"}],
            },
        ),
        (2.7, "task.skipped", "supervisor", "join", 0, {"task": "u", "why": "secret"}),
        (2.8, "run.moved", "supervisor", "", 0, {"to": "failed", "reason": "secret", "outcome": "gave_up"}),
    ]


@pytest.mark.parametrize("mode", ["none", "redacted", "full"])
def test_no_name_status_or_label_says_what_the_mode_forbids(mode: Any) -> None:
    """Nothing in the mode `none` but names, codes, sizes and figures; a URL never has credentials."""
    seen = Projection(RUN, Labels(content=Content(mode))).read(lines(*talkative()))
    told = [(span.name, name, str(value)) for span in seen.spans for name, value in span.attributes.items()]
    told += [(span.name, "name", span.name) for span in seen.spans]
    told += [(score.name, "score", f"{score.value} {score.comment}") for score in seen.scores]

    assert [each for each in told if "hunter2" in each[2] or "token=" in each[2]] == []
    leaks = [each for each in told if "secret" in each[2]]
    assert bool(leaks) == (mode != "none"), leaks
    (far,) = {value for _, name, value in told if name == a.METADATA + "url"}
    assert far == "https://risk.example:8443" + ("" if mode == "none" else "/secret/agent")


@pytest.mark.parametrize("name", sorted(recorded()))
def test_spans_are_a_tree_however_a_run_went(name: str) -> None:
    """Every parent is there once the run has ended, following parents ends at the root, nobody ends first."""
    found = recorded()[name]
    spans = Projection(found.run, Labels()).read(found.lines).spans
    parents = {span.id: span.parent for span in spans}
    ended = root_of(found.run.id) in parents

    assert max(Counter(span.id for span in spans).values()) == 1
    assert all(span.begun <= span.ended for span in spans)
    for span in spans:
        above, steps = span.id, 0
        while above in parents and steps <= len(spans):
            above, steps = parents[above], steps + 1
        assert steps <= len(spans), f"{span.name} is its own parent"
        assert above == "" or not ended, f"{span.name} hangs on {above}, which is not there"


def test_ten_thousand_events_are_as_many_spans() -> None:
    """Each call is one span, under an id of its own."""
    calls: list[Event] = [
        (0.0, "run.created", "person:olga", "", 0, {}),
        (0.5, "task.sent", "agent:x", "t", 1, {}),
    ]
    calls += [(1.0 + n, "tool.read", "agent:x", "t", 1, {"tool": "a/b", "answer": n}) for n in range(10_000)]

    spans = Projection(RUN, Labels()).read(lines(*calls)).spans

    assert len({span.id for span in spans}) == 10_000


@pytest.mark.parametrize("where", ["name", "status", "key", "list"])
def test_half_a_character_costs_no_batch(where: str) -> None:
    """Wherever a provider's broken text turns up, the span is written with a question mark in it."""
    half = "half \ud83d"
    values: dict[str, Any] = {
        "name": {},
        "status": {a.LEVEL: "ERROR", a.STATUS: half},
        "key": {half: "x"},
        "list": {"tags": [half]},
    }[where]
    now = datetime.now(UTC)
    span = Span("0" * 31 + "1", "0" * 15 + "1", "", half if where == "name" else "x", now, now, values)

    (seen,) = decoded(encoded([span]))

    assert "half ?" in str(seen)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://localhost:port", "a port that is a number"),
        ("https://host:99999", "a port that is a number"),
        ("http://[::1", "a URL with a host"),
        ("http://", "a URL with a host"),
        ("http://a host/", "a URL with a host"),
        ("https://host/otlp?token=1", "without a query"),
        ("ftp://host", "begins with http"),
    ],
)
@pytest.mark.parametrize("setting", ["otlp_endpoint", "langfuse_base_url"])
def test_a_receiver_nobody_could_reach_is_bad_input(setting: str, url: str, told: str) -> None:
    """It is told when settings are read, not as a defect when the first run begins."""
    with pytest.raises(BadInput, match=told):
        load(**{setting: url})


@pytest.mark.parametrize(
    ("kind", "body", "told"),
    [
        ("model.bypassed", {"model": "gpt-5", "sent": True}, "went past its doors to gpt-5: what was said"),
        ("model.bypassed", {"model": "gpt-5", "sent": False}, "gpt-5 (it was not let)"),
        ("question.expired", {"question": "q-1"}, "Nobody answered in time."),
        ("question.withdrawn", {"question": "q-1"}, "Nobody had answered when it was of no use any more."),
    ],
)
def test_what_happened_past_the_doors_and_without_an_answer_is_explained(
    kind: str, body: dict[str, Any], told: str
) -> None:
    """Nothing that the record knows is left for the reader to guess."""
    asked = {"question": "q-1", "kind": "clarify", "title": "Which?", "whom": "owner"}
    made: list[Event] = [
        (0.0, "run.created", "person:olga", "", 0, {"input": {}}),
        (1.0, "task.sent", "agent:x", "t", 1, {"agent": "x"}),
        (2.0, "question.asked", "agent:x", "t", 1, asked),
        (3.0, kind, "agent:x", "t", 1, body),
    ]

    assert told in " ".join(" ".join(narrate(explain(None, lines(*made)))).split())
