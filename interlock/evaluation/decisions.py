"""What was decided in a run, as its record tells it, and the first thing that was decided otherwise. Pure.

Work in different tasks overlaps, so decisions are compared task by task; what counts as the first
difference is the one that comes first in the recorded run.
"""

import difflib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import cast

from pydantic import BaseModel

from interlock.core.canonical import Json, canonical
from interlock.core.stores import Line

_CALLS = frozenset({"tool", "effect", "model", "remote"})
"""A body may make calls at the same time, so their order among themselves is none of its decisions."""
_SHOWN = 400
_WORDS = {
    "route": "the route",
    "plan": "the plan",
    "task": "what a task was given",
    "tool": "a tool call",
    "denied": "a refused call",
    "effect": "an effect",
    "model": "what a model was asked",
    "remote": "what a remote agent was asked",
    "question": "a question to a person",
    "result": "what a task came to",
    "conflict": "who was believed",
    "judge": "a judge's words",
    "gate": "the gate's verdict",
    "response": "the response",
    "end": "how the run ended",
}


class Decision(BaseModel, frozen=True, extra="forbid"):
    """One decision."""

    kind: str
    task: str
    attempt: int
    seq: int
    """Its place in the record it was read from."""
    what: Json

    @property
    def same(self) -> bytes:
        """Equal for decisions that are the same."""
        return canonical([self.kind, self.attempt, self.what])


class Difference(BaseModel, frozen=True, extra="forbid"):
    """A decision that was made otherwise; one side is absent where nothing like it was decided there."""

    kind: str
    task: str
    attempt: int
    seq: int
    """Where in the recorded run."""
    recorded: Json = None
    now: Json = None

    @property
    def title(self) -> str:
        """What differs, in words."""
        what = _WORDS.get(self.kind, self.kind)
        where = f" of {self.task}" if self.task else ""
        again = f", attempt {self.attempt}" if self.attempt > 1 else ""
        return f"{what}{where}{again}"

    def lines(self) -> list[str]:
        """Both sides; two texts, such as prompts, as the lines in which they differ."""
        old, new = _text(self.recorded), _text(self.now)
        if self.recorded is None or self.now is None or "\n" not in old + new:
            return [f"recorded: {_cut(old)}", f"now:      {_cut(new)}"]
        marked = difflib.unified_diff(old.splitlines(), new.splitlines(), "recorded", "now", "", "", 1, "")
        return [_cut(line) for line in marked][:40]


def decisions(lines: Iterable[Line]) -> list[Decision]:
    """The decisions of a run, in the order of its record."""
    found: list[Decision] = []
    sent: set[tuple[str, str]] = set()
    for line in lines:
        event, body = line.event, line.body if isinstance(line.body, dict) else {}
        if event.kind not in _READ or event.actor == "agent:rollback":
            continue
        kind, told = _READ[event.kind](body)
        if kind == "question" and body.get("kind") == "settle":
            continue
        if kind in ("effect", "remote"):
            # What was sent again, or failed after it was sent, was decided once.
            name = str(body.get("key") or body.get("call") or [event.attempt, body.get("remote")])
            if (event.task, name) in sent:
                continue
            sent.add((event.task, name))
        attempt = 0 if kind == "effect" else event.attempt
        found.append(Decision(kind=kind, task=event.task, attempt=attempt, seq=event.seq, what=told))
    return found


def differences(recorded: Sequence[Decision], now: Sequence[Decision], *, whole: bool) -> list[Difference]:
    """What was decided otherwise, the first one first; at most one for each task.

    Args:
        recorded: What was decided then.
        now: What is decided now.
        whole: False where the recorded run had not come to its end: what goes beyond it is no difference.
    """
    found: list[Difference] = []
    after = max((decision.seq for decision in recorded), default=0) + 1
    for task in dict.fromkeys(d.task for d in (*recorded, *now)):
        old, new = [d for d in recorded if d.task == task], [d for d in now if d.task == task]
        different = _first(old, new, whole, after)
        if different is not None:
            found.append(different)
    return sorted(found, key=lambda each: each.seq)


def _first(
    old: Sequence[Decision], new: Sequence[Decision], whole: bool, after_all: int
) -> Difference | None:
    """The first decision of one task that differs; a task that there was not comes after all others."""
    before, after = _blocks(old), _blocks(new)
    last = old[-1].seq if old else after_all
    for index in range(max(len(before), len(after))):
        left = before[index] if index < len(before) else []
        right = after[index] if index < len(after) else []
        gone, more = _without(left, right), _without(right, left)
        if not gone and (not more or (not whole and index >= len(before) - 1)):
            continue
        pair = (gone[0] if gone else None), (more[0] if more else None)
        return _difference(*pair, (gone or left)[0].seq if gone or left else last)
    return None


def _difference(old: Decision | None, new: Decision | None, seq: int) -> Difference:
    shown = cast("Decision", old or new)
    if old is not None and new is not None and old.kind != new.kind:
        return Difference(
            kind=old.kind,
            task=old.task,
            attempt=old.attempt,
            seq=seq,
            recorded=old.what,
            now={"instead": _WORDS.get(new.kind, new.kind), "it": new.what},
        )
    recorded, now = (old.what if old else None), (new.what if new else None)
    attempt = shown.attempt
    return Difference(kind=shown.kind, task=shown.task, attempt=attempt, seq=seq, recorded=recorded, now=now)


def _blocks(every: Sequence[Decision]) -> list[list[Decision]]:
    """Decisions one by one, but calls that follow each other together."""
    blocks: list[list[Decision]] = []
    for each in every:
        calls = each.kind in _CALLS
        if blocks and calls and blocks[-1][-1].kind in _CALLS and blocks[-1][-1].attempt == each.attempt:
            blocks[-1].append(each)
        else:
            blocks.append([each])
    return blocks


def _without(some: Sequence[Decision], others: Sequence[Decision]) -> list[Decision]:
    """Those that the others do not have, each as often as it stands there."""
    left = Counter(each.same for each in others)
    missing: list[Decision] = []
    for each in some:
        if left[each.same]:
            left[each.same] -= 1
        else:
            missing.append(each)
    return missing


def _text(value: Json) -> str:
    if value is None:
        return "nothing like it"
    if isinstance(value, dict) and isinstance(value.get("prompt"), str):
        return str(value["prompt"])
    return value if isinstance(value, str) else canonical(value).decode()


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _of(kind: str, *names: str) -> Callable[[Mapping[str, Json]], tuple[str, Json]]:
    def read(body: Mapping[str, Json]) -> tuple[str, Json]:
        return kind, {name: body[name] for name in names if body.get(name) not in (None, "", [], 0)}

    return read


_READ: dict[str, Callable[[Mapping[str, Json]], tuple[str, Json]]] = {
    "route.tried": _of("route", "route", "came_to", "why"),
    "plan.made": _of("plan", "plan"),
    "plan.rejected": _of("route", "route", "why"),
    "task.sent": _of("task", "agent", "round", "feedback", "stands_in", "given"),
    "task.skipped": _of("task", "task", "status"),
    "task.invalid": _of("result", "why"),
    "task.returned": _of("result", "status", "output", "code", "why", "needs", "tried", "again"),
    "tool.read": _of("tool", "tool", "arguments"),
    "tool.denied": _of("denied", "tool", "arguments"),
    "effect.sent": _of("effect", "tool", "arguments"),
    "effect.failed": _of("effect", "tool", "arguments"),
    "model.called": _of("model", "route", "prompt"),
    "model.failed": _of("model", "route", "prompt"),
    "remote.sent": _of("remote", "remote", "digest", "asked"),
    "question.asked": _of("question", "kind", "title", "whom"),
    "conflict.decided": _of("conflict", "resolution"),
    "reflection.judged": _of("judge", "round", "judge"),
    "gate.checked": _of("gate", "verdict", "checks", "of"),
    "response.accepted": _of("response", "response"),
}
"""Kind of event -> kind of decision and what was decided; nothing that time or chance has a part in."""
