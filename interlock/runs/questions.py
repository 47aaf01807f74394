"""Matches what LangGraph is waiting for with our question rows, and finds where it was asked."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from langgraph.types import Interrupt, StateSnapshot

from interlock.core.questions import Question

WakeUps = dict[str, Any]
"""LangGraph's interrupt id -> resume value."""


def wake_ups(waiting: list[Interrupt[Any]], questions: Mapping[str, Question], done: set[str]) -> WakeUps:
    """What to resume: every task that waits and has an answer this worker has not acted on yet.

    An answer to one of our own questions is read from its row, so the value is only a wake-up; the
    answer to a graph body's own `interrupt()` travels in it.
    """
    answered = {
        q.id: q for q in questions.values() if q.state in ("answered", "expired") and q.id not in done
    }
    tasks = {q.task for q in answered.values() if q.interrupt is None}
    found: WakeUps = {}
    for interrupt in waiting:
        asked = questions.get(_our_id(interrupt))
        foreign = next((q for q in answered.values() if q.interrupt == interrupt.id), None)
        if foreign is not None:
            found[interrupt.id] = foreign.answer
        elif asked is not None and asked.task in tasks:
            found[interrupt.id] = True
    return found


def paths(snapshot: StateSnapshot, path: tuple[str, ...] = ()) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each waiting interrupt's id with where it was asked: strand, agent, and nodes of its subgraphs."""
    for task in snapshot.tasks:
        here = (*path, task.name)
        inner = cast("Any", task.state)
        if isinstance(inner, StateSnapshot):
            yield from paths(inner, here)
        else:
            for interrupt in task.interrupts:
                yield interrupt.id, here


def _our_id(interrupt: Interrupt[Any]) -> str:
    value = interrupt.value
    return str(cast("dict[str, Any]", value).get("interlock", "")) if isinstance(value, dict) else ""
