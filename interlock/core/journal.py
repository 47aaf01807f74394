"""The rules of the journal: at-least-once execution, at-most-once effect.

Every door call is recorded under (run, task, step, digest of operation and arguments, nth
occurrence). `attempt` is part of the name for reads and models, not for effects. A re-execution
gets the recorded answers; a body that leaves out an effect it already caused has diverged.

`step` is empty but for a body that is a LangGraph graph with checkpoints of its own: its finished
nodes are not executed again, so their calls are not made again, and only the nodes that are
executed again have to ask for what they had caused. A new attempt starts such a graph from its
beginning and without checkpoints, so that it asks for everything again, in order.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Literal, TypeAlias

from interlock.core.canonical import Json, digest
from interlock.core.limits import Spend
from interlock.errors import Diverged

EntryKind: TypeAlias = Literal[
    "read", "effect", "model", "remote", "answer", "clock", "random", "claim", "artifact", "prompt"
]
EntryState: TypeAlias = Literal[
    "answered", "planned", "sent", "confirmed", "failed", "unknown", "compensated"
]

_MOVES: dict[EntryState, frozenset[EntryState]] = {
    "planned": frozenset({"sent", "failed"}),
    "sent": frozenset({"confirmed", "failed", "unknown"}),
    "unknown": frozenset({"confirmed", "failed"}),
    "confirmed": frozenset({"compensated"}),
    "failed": frozenset(),
    "compensated": frozenset(),
    "answered": frozenset(),
}
HAPPENED: frozenset[EntryState] = frozenset({"sent", "confirmed", "unknown", "compensated"})
"""States in which an effect may have touched the world."""
UNDO = "rollback:"
"""How the step of an entry begins that took another one back."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One recorded door call."""

    run: str
    task: str
    attempt: int
    """0 for effects: all attempts of a task share them."""
    digest: str
    nth: int
    """0 for the first call with these arguments in this task (and step), 1 for the second."""
    kind: EntryKind
    operation: str
    """`server/tool`, a model route, or the door's name."""
    arguments: Json
    state: EntryState
    answer: Json = None
    error: dict[str, Json] | None = None
    """`{"code", "message"}` of an error answer, replayed as the same error."""
    key: str | None = None
    """The idempotency key that was sent."""
    definition: str = ""
    """Digest of the tool's definition when it was called."""
    step: str = ""
    """The node and superstep inside a checkpointed graph body; empty for every other body."""
    position: int = 0
    """Order in which the task made its calls; compensations run in reverse."""

    @property
    def name(self) -> tuple[str, str, int, str, str, int]:
        """What makes an entry unique."""
        return self.run, self.task, self.attempt, self.step, self.digest, self.nth

    def to(self, state: EntryState, **changes: object) -> "Entry":
        """The entry after a permitted move.

        Raises:
            ValueError: if the move is not in the table; that is a defect, never an input.
        """
        if state not in _MOVES[self.state]:
            raise ValueError(f"an effect cannot go from {self.state!r} to {state!r}")
        return replace(self, state=state, **changes)  # type: ignore[arg-type]


def call_digest(operation: str, arguments: object) -> str:
    """The name of a call: the same operation with the same arguments, whoever makes it."""
    return digest([operation, arguments], "call")


def effect_token(run: str, task: str, call: str, nth: int, step: str = "") -> str:
    """The idempotency key of an effect: the same on every re-execution, different for every call."""
    return "il-" + digest([run, task, call, nth, step], "key")[:32]


def spent_on(entries: Sequence[Entry]) -> Spend:
    """What recorded calls have used; replaying them costs nothing more."""
    models = [e.answer for e in entries if e.kind == "model" and isinstance(e.answer, dict)]
    return Spend(
        tool_calls=sum(e.kind in ("read", "effect") and e.state != "planned" for e in entries),
        model_calls=len(models),
        tokens=sum(int(str(a.get("tokens") or 0)) for a in models),
        usd=sum((Decimal(str(a.get("usd") or a.get("known_usd") or 0)) for a in models), Decimal(0)),
    )


@dataclass(frozen=True, slots=True)
class Slot:
    """The name of one call within its task and attempt."""

    digest: str
    nth: int
    step: str = ""

    @property
    def tag(self) -> str:
        """Tells the events and questions of this call from those of others."""
        return f"{self.digest}:{self.nth}{f'@{self.step}' if self.step else ''}"


def _slot(entry: Entry) -> Slot:
    return Slot(entry.digest, entry.nth, entry.step)


@dataclass(slots=True)
class TaskJournal:
    """What one task has recorded, while one execution of its body runs.

    Owned by that execution; not shared between tasks.
    """

    run: str
    task: str
    attempt: int
    enabled: bool = True
    """False only where a test switches the guard off: nothing is replayed, keys are not kept."""
    where: Callable[[], str] | None = None
    """Says in which step of a checkpointed graph body a call is made; None for every other body."""
    _known: dict[tuple[int, Slot], Entry] = field(default_factory=dict[tuple[int, Slot], Entry])
    _seen: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    _entered: set[str] = field(default_factory=set[str])
    _claimed: set[Slot] = field(default_factory=set[Slot])
    _new: dict[tuple[int, Slot], Entry] = field(default_factory=dict[tuple[int, Slot], Entry])

    def load(self, entries: Iterable[Entry]) -> None:
        """Takes over what earlier executions recorded."""
        if not self.enabled:
            return
        for entry in entries:
            self._known[entry.attempt, _slot(entry)] = entry

    def occurrence(self, call: str) -> Slot:
        """Counts this call and says which one it is."""
        step = self.where() if self.where else ""
        nth = self._seen[step, call]
        self._seen[step, call] += 1
        self._entered.add(step)
        return Slot(call, nth, step)

    def recorded(self, slot: Slot, *, effect: bool = False) -> Entry | None:
        """The entry of an earlier execution, if there is one; an effect found is thereby asked for again."""
        if not effect:
            return self._known.get((self.attempt, slot))
        found = self._known.get((0, slot)) if self.where else self._in_order(slot)
        self._claimed.add(_slot(found) if found else slot)
        return found

    def _in_order(self, slot: Slot) -> Entry | None:
        """The nth effect with this digest, in whatever step an earlier attempt made it."""
        same = [e for (attempt, s), e in self._known.items() if attempt == 0 and s.digest == slot.digest]
        same = sorted((e for e in same if e.kind == "effect"), key=lambda e: (e.position, e.nth))
        return same[slot.nth] if slot.nth < len(same) else None

    def place(self, entry: Entry) -> Entry:
        """The entry with its position among the task's calls."""
        return entry if entry.position else replace(entry, position=len(self._known) + 1)

    def put(self, entry: Entry) -> Entry:
        """Records an entry; it is stored with the next commit of the task."""
        entry = self.place(entry)
        self._known[entry.attempt, _slot(entry)] = self._new[entry.attempt, _slot(entry)] = entry
        return entry

    def keep(self, entry: Entry) -> Entry:
        """Remembers an entry that is stored already."""
        self._known[entry.attempt, _slot(entry)] = entry
        return entry

    def drain(self) -> list[Entry]:
        """The entries not stored yet, in order; the caller stores them."""
        entries, self._new = list(self._new.values()), {}
        return entries

    def restore(self, entries: Iterable[Entry]) -> None:
        """Puts entries back that could not be stored."""
        self._new = {(e.attempt, _slot(e)): e for e in entries} | self._new

    def unclaimed(self) -> list[Entry]:
        """Effects of earlier executions that this one has not asked for (yet).

        In a checkpointed graph body only of steps that are executed again.
        """
        happened = [e for e in self._known.values() if e.kind == "effect" and e.state in HAPPENED]
        again = [e for e in happened if self.where is None or e.step in self._entered]
        return [e for e in again if _slot(e) not in self._claimed]

    def refuse_divergence(self) -> None:
        """Fails when the body left out an effect that it had already caused.

        Raises:
            Diverged: naming the effects.
        """
        left_out = self.unclaimed()
        if left_out:
            named = ", ".join(sorted(f"{e.operation} ({e.state})" for e in left_out))
            raise Diverged(
                f"task {self.task!r}, run again, did not ask for what it had already caused: {named}. "
                "A body must reach its effects from its inputs and its doors alone."
            )
