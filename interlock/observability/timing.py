"""Where the time of a run went: workers' turns, barrier waits, the critical path, people."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from interlock.observability.facts import Fact, of_kind
from interlock.observability.story import PathStep, QuestionStory, SegmentStory

Span = tuple[float, float]
"""From and to, in seconds since the run was created."""


@dataclass(frozen=True, slots=True)
class Hop:
    """A task on the way to the end: what it needed, and what it took."""

    task: str
    begun: float
    needs: tuple[str, ...]
    seconds: float
    """A worker's time on the task."""
    barrier_wait: float
    """Worker's time during which it was ready and had not begun."""


def segments(facts: Sequence[Fact]) -> list[SegmentStory]:
    """The workers' turns, each from its claim to its end or its last sign of life."""
    claims = [n for n, fact in enumerate(facts) if fact.kind == "run.claimed"]
    turns: list[SegmentStory] = []
    begun: set[tuple[str, int]] = set()
    for at, following in pairwise([*claims, len(facts)]):
        claim = facts[at]
        within = [f for f in facts[at:following] if not _by_person(f)]
        worked = {(f.task, f.attempt): f.task for f in within if f.line.event.actor.startswith("agent:")}
        again = dict.fromkeys(task for key, task in worked.items() if key in begun)
        begun |= {(f.task, f.attempt) for f in of_kind(within, "task.sent")}
        begun -= {(f.task, f.attempt) for f in of_kind(within, "task.returned")}
        end = next(of_kind(within, "segment.ended"), None)
        turns.append(
            SegmentStory(
                worker=claim.actor,
                fence=claim.whole("fence"),
                claimed_after=claim.after,
                ended_after=end.after if end else None,
                last_sign=(end or within[-1]).after,
                state=end.text("state") if end else _moved_to(within),
                again=tuple(again),
            )
        )
    return turns


def overlap(spans: Iterable[Span], begin: float, end: float) -> float:
    """How much of the time between two moments lies in the spans."""
    return sum(max(0.0, min(end, b) - max(begin, a)) for a, b in merged(spans))


def merged(spans: Iterable[Span]) -> list[Span]:
    """The same time in spans that do not overlap."""
    whole: list[Span] = []
    for begin, end in sorted(spans):
        if whole and begin <= whole[-1][1]:
            whole[-1] = (whole[-1][0], max(whole[-1][1], end))
        else:
            whole.append((begin, end))
    return whole


def active(turns: Iterable[SegmentStory]) -> list[Span]:
    """When a worker had the run."""
    return merged((turn.claimed_after, turn.last_sign) for turn in turns)


def thinking(questions: Iterable[QuestionStory], task: str | None = None) -> list[Span]:
    """When people were thinking about questions (of one task) that they have answered."""
    return merged(
        (q.asked_after, q.answered_after)
        for q in questions
        if q.answered_after is not None and task in (None, q.task)
    )


def worked(spans: Sequence[Span], asked: Sequence[Span], begin: float, end: float) -> float:
    """A worker's time between two moments, without the time in which the task itself waited for a person."""
    busy = sum(overlap([span], begin, end) for span in spans)
    idle = sum(
        overlap([(max(a, begin), min(b, end))], *span) for a, b in asked for span in spans if b > begin
    )
    return round(max(0.0, busy - idle), 6)


def barrier_wait(sent: float, ready: Iterable[float]) -> float:
    """How long a task was ready and not handed out; zero for one that never needed anything.

    Args:
        sent: When it was handed out.
        ready: When each thing it needs was there; what came later than `sent` was not needed for it.
    """
    before = [moment for moment in ready if moment <= sent]
    return round(sent - max(before), 6) if before else 0.0


def critical_path(hops: Iterable[Hop]) -> list[PathStep]:
    """The chain of tasks, each needing the one before, with the largest sum of work and barrier waits."""
    best: dict[str, tuple[float, list[PathStep]]] = {}
    nothing = 0.0, list[PathStep]()
    for hop in sorted(hops, key=lambda each: each.begun):
        before = max((best[name] for name in hop.needs if name in best), key=_sum, default=nothing)
        step = PathStep(task=hop.task, seconds=hop.seconds, barrier_wait=hop.barrier_wait)
        best[hop.task] = (before[0] + hop.seconds + hop.barrier_wait, [*before[1], step])
    return max(best.values(), key=_sum, default=nothing)[1]


def needs_of(planned: Mapping[str, tuple[str, ...]], closing: Sequence[str], task: str) -> tuple[str, ...]:
    """What must have ended before a task begins; closing tasks come after all others."""
    others = tuple(name for name in planned if name not in closing) if task in closing else ()
    return tuple(dict.fromkeys((*planned.get(task, ()), *others)))


def _sum(chain: tuple[float, list[PathStep]]) -> float:
    return chain[0]


def _by_person(fact: Fact) -> bool:
    return fact.line.event.actor.startswith("person:")


def _moved_to(facts: Iterable[Fact]) -> str:
    """A turn without an end of its own that still ended the run: it was canceled or rolled back."""
    moves = [fact.text("to") for fact in of_kind(facts, "run.moved")]
    return moves[-1] if moves and moves[-1] in ("canceled", "rolled_back", "failed") else ""
