"""Lines of progress: names, verdicts, durations and counts, and nothing that no gate has seen."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.core.events import KINDS
from interlock.observability.progress import tell
from tests.recorded import CANARY, Recorded, recorded

NAMES = {"graph", "route", "tool", "whom", "question", "rule"}
VERDICTS = {"check", "verdict", "status", "to", "outcome", "id", "agent"}
"""Fields that hold names and verdicts; everything else is text that may come from anywhere."""


@pytest.fixture(scope="module")
def runs() -> dict[str, Recorded]:
    """Real runs of many shapes."""
    return recorded()


def all_lines(made: Recorded) -> list[str]:
    """What is told of a run while it goes on."""
    told = [tell(x.event.kind, x.event.actor, x.event.task, x.body) for x in made.lines]
    return [line for line in told if line is not None]


def poisoned(value: Any, name: str = "") -> Any:
    """The same body with the canary in every text that is not a name."""
    if isinstance(value, Mapping):
        return {key: poisoned(item, str(key)) for key, item in value.items()}
    if isinstance(value, list):
        return [poisoned(item, name) for item in value]
    return CANARY if isinstance(value, str) and name not in NAMES | VERDICTS else value


def test_a_run_is_told_in_our_own_words(runs: dict[str, Recorded]) -> None:
    """The run with an approval, from start to end, without times."""
    told = [line.partition(" in ")[0] for line in all_lines(runs["approved"])]

    assert told[:8] == [
        "support: started for olga",
        "route lost_parcel: chosen",
        "plan: orders, returns",
        "orders: begun",
        "orders: asked shop/latest_order",
        "orders: done",
        "returns: begun",
        "returns: shop/pay_back needs a yes",
    ]
    assert told[8].startswith("returns: asked shift-lead (q-")
    assert told[9:] == [
        "run: waiting for a person",
        "returns: an answer by eve was not taken",
        "returns: lena answered yes",
        "returns: shop/pay_back sent",
        "returns: shop/pay_back happened",
        "returns: done",
        "gate: accepted",
        "run: completed (resolved)",
    ]


def test_a_canary_in_an_ungated_result_is_never_told(runs: dict[str, Recorded]) -> None:
    """Outputs, drafts and model replies hold the canary in the record; no line of progress does."""
    assert any(CANARY in str(line.body) for line in runs["busy"].lines)
    assert not [line for line in all_lines(runs["busy"]) if CANARY in line]


@pytest.mark.parametrize("name", ["approved", "rejected", "gave up", "busy", "asking", "refused"])
def test_no_field_but_names_is_told(runs: dict[str, Recorded], name: str) -> None:
    """With the canary in every text of every body that is not a name, no line has it."""
    told = [tell(x.event.kind, x.event.actor, x.event.task, poisoned(x.body)) for x in runs[name].lines]

    assert [line for line in told if line]
    assert not [line for line in told if line and CANARY in line]


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(sorted(KINDS)),
    body=st.dictionaries(
        st.sampled_from(
            sorted(
                NAMES | {"seconds", "tokens", "plan", "checks", "answer", "resolution", "error", "came_to"}
            )
        ),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text() | st.just("two words\x1b[2J"),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["tasks", "id", "yes", "winner", "check", "problem"]), inner, max_size=3
                )
            ),
            max_leaves=6,
        ),
    ),
)
def test_no_body_breaks_a_line(kind: str, body: dict[str, Any]) -> None:
    """Whatever an event holds, its line is one short printable line, or none."""
    line = tell(kind, "agent:orders", "orders", body)

    assert line is None or (line.isprintable() and len(line) < 500 and "two words" not in line)


@pytest.mark.parametrize("name", ["", "two words", "x\x1b[2J", "a\nb", "x" * 200, 7, None, {"a": 1}])
@pytest.mark.parametrize(
    ("kind", "field"),
    [("route.tried", "route"), ("tool.read", "tool"), ("effect.sent", "tool"), ("run.created", "graph")],
)
def test_what_is_no_name_is_not_told_as_one(kind: str, field: str, name: Any) -> None:
    """A field that should hold a name and holds a sentence, an escape or a novel reads `(unnamed)`."""
    line = tell(kind, "agent:orders", "orders", {field: name})

    assert line is not None and "(unnamed)" in line


def test_what_is_not_worth_a_line_has_none() -> None:
    """Housekeeping, unknown kinds and erased bodies are not told."""
    assert tell("run.claimed", "worker:w", "", {"fence": 1}) is None
    assert tell("a.kind.of.tomorrow", "agent:a", "a", {}) is None
    assert tell("run.moved", "supervisor", "", {"to": "planning"}) is None
    assert tell("task.returned", "agent:a", "a", None) is None


@pytest.mark.parametrize(
    ("kind", "body", "told"),
    [
        ("plan.rejected", {"route": "guess", "why": CANARY}, "route guess: its plan does not fit"),
        (
            "tool.read",
            {"tool": "carrier/find", "error": {"message": CANARY}},
            "orders: a tool gave no answer",
        ),
        ("tool.denied", {"tool": CANARY, "reason": "no"}, "orders: a call was not allowed"),
        ("effect.unknown", {"tool": "shop/pay"}, "orders: shop/pay may or may not have happened"),
        ("model.failed", {"why": CANARY, "route": CANARY}, "orders: no model answered"),
        ("remote.sent", {"asked": CANARY, "url": CANARY}, "orders: asked its remote agent"),
        ("remote.answered", {"answer": CANARY, "seconds": 2}, "orders: its remote agent answered in 2.0 s"),
        ("remote.answered", {"error": {"message": CANARY}}, "orders: its remote agent gave no answer"),
        ("remote.canceled", {"why": CANARY}, "orders: told its remote agent to stop"),
        ("receipt.refused", {"why": CANARY}, "orders: a yes did not cover the call"),
        ("body.diverged", {"why": CANARY}, "orders: did something else when run again"),
        ("question.answered", {"answer": CANARY}, "orders: olga answered"),
        (
            "conflict.decided",
            {"resolution": {"about": CANARY, "rule": "x"}},
            "sources disagreed: no rule could decide",
        ),
        ("reflection.judged", {"judge": CANARY}, "orders: the judge wants it better"),
        ("run.moved", {"to": "blocked", "reason": CANARY}, "run: blocked: a person has to say how to go on"),
    ],
)
def test_trouble_is_told_without_its_text(kind: str, body: dict[str, Any], told: str) -> None:
    """What went wrong, by name; the words of it are for `explain`."""
    actor = "person:olga" if kind == "question.answered" else "agent:orders"

    assert tell(kind, actor, "orders", body) == told
