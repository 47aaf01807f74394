"""Which of two decisions came first, and what counts as the same."""

from datetime import UTC, datetime
from typing import Any

import pytest

from interlock.core.events import KINDS, Draft, chain
from interlock.core.stores import Line
from interlock.evaluation.decisions import Decision, Difference, decisions, differences

AT = datetime(2026, 1, 5, tzinfo=UTC)


def line(seq: int, event: str, task: str = "a", actor: str = "agent:a", **body: Any) -> Line:
    """One event of a record."""
    draft = Draft(id=str(seq), kind=event, actor=actor, at=AT, task=task, attempt=1, body=body)
    made = chain("r-1", seq, "0" * 64, draft, "")
    return Line(event=made, hash="", salt="", body=draft.body)


def made(*told: tuple[str, str, Any]) -> list[Decision]:
    """Decisions in order: kind, task, and what."""
    return [Decision(kind=k, task=t, attempt=1, seq=n, what=what) for n, (k, t, what) in enumerate(told, 1)]


def test_the_first_in_the_recorded_run_comes_first() -> None:
    """Each task has at most one difference; a task that there was not comes last."""
    then = made(("route", "plan", "x"), ("result", "b", 1), ("result", "a", 1), ("result", "a", 2))
    now = made(
        ("route", "plan", "x"), ("result", "a", 9), ("result", "a", 8), ("result", "b", 7), ("task", "c", 1)
    )

    found = differences(then, now, whole=True)

    assert [(each.task, each.seq, each.recorded, each.now) for each in found] == [
        ("b", 2, 1, 7),
        ("a", 3, 1, 9),
        ("c", 5, None, 1),
    ]


def test_calls_that_follow_each_other_may_come_in_any_order() -> None:
    """As many of each as there were; one more, or another decision between them, is a difference."""
    then = made(("tool", "a", 1), ("tool", "a", 2), ("model", "a", 3), ("result", "a", 4))
    other = made(("model", "a", 3), ("tool", "a", 2), ("tool", "a", 1), ("result", "a", 4))
    twice = made(("tool", "a", 1), ("tool", "a", 1), ("model", "a", 3), ("result", "a", 4))
    between = made(("tool", "a", 1), ("question", "a", 9), ("tool", "a", 2), ("model", "a", 3))

    assert differences(then, other, whole=True) == []
    assert [(d.recorded, d.now) for d in differences(then, twice, whole=True)] == [(2, 1)]
    assert differences(then, between, whole=True)[0].seq == 2


def test_what_goes_beyond_an_unfinished_run_is_no_difference() -> None:
    """What is missing in it is one all the same."""
    then, more = made(("tool", "a", 1)), made(("tool", "a", 1), ("tool", "a", 2), ("result", "a", 3))

    assert differences(then, more, whole=False) == []
    assert [d.now for d in differences(then, more, whole=True)] == [2]
    assert [d.recorded for d in differences(more, then, whole=False)] == [2]


def test_another_kind_of_decision_is_said_in_words() -> None:
    """So that nobody takes an effect for a question."""
    (found,) = differences(made(("effect", "a", {"tool": "t"})), made(("question", "a", "?")), whole=True)

    assert found.now == {"instead": "a question to a person", "it": "?"}
    assert found.title == "an effect of a"


def test_an_effect_is_decided_once_however_often_it_is_sent() -> None:
    """Its later events, settling and what took it back are no decisions of the run's."""
    call: dict[str, Any] = {"tool": "pay", "arguments": {"amount": 1}, "call": "c", "key": "k"}
    told = [
        line(1, "effect.sent", **call),
        line(2, "effect.unknown", **call),
        line(3, "question.asked", kind="settle", title="Did it?"),
        line(4, "effect.sent", **call),
        line(5, "effect.failed", **call),
        line(6, "effect.sent", actor="agent:rollback", **call),
        line(7, "effect.failed", tool="other", arguments={}, call="d"),
        line(8, "segment.ended", task="", seconds=1),
    ]

    found = decisions(told)

    assert [(d.kind, d.seq, d.attempt) for d in found] == [("effect", 1, 0), ("effect", 7, 0)]


def test_times_versions_and_prices_are_no_decisions() -> None:
    """Two records that differ in nothing else are the same."""
    one = line(1, "task.returned", status="completed", output={"n": 1}, seconds=1.5, begun=3, version="v1")
    two = line(1, "task.returned", status="completed", output={"n": 1}, seconds=9.5, begun=8, version="v2")

    assert decisions([one]) == decisions([two])


def test_two_texts_are_shown_as_lines() -> None:
    """Everything else stands side by side, and is cut where it is long."""
    change = Difference(
        kind="model",
        task="a",
        attempt=2,
        seq=3,
        recorded={"prompt": "one\ntwo"},
        now={"prompt": "one\nthree"},
    )
    short = Difference(kind="gate", task="gate", attempt=1, seq=3, recorded={"verdict": "accept" * 200})

    assert change.title == "what a model was asked of a, attempt 2"
    assert "-two" in change.lines()
    assert "+three" in change.lines()
    assert short.lines()[1] == "now:      nothing like it"
    assert short.lines()[0].endswith("…")


@pytest.mark.parametrize("kind", ["run.created", "run.claimed", "segment.ended", "question.answered"])
def test_what_people_and_workers_do_is_no_decision_of_the_run(kind: str) -> None:
    """They are given to a replay, not compared."""
    assert kind in KINDS
    assert decisions([line(1, kind)]) == []
