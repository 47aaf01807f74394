"""The rules of the journal: at-least-once execution, at-most-once effect.

Every door call is recorded under (run, task, digest of operation and arguments, nth occurrence).
`attempt` is part of the name for reads and models, not for effects. A re-execution gets the
recorded answers; a body that leaves out an effect it already caused has diverged.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Literal, TypeAlias

from interlock.core.canonical import Json, digest
from interlock.core.limits import Spend
from interlock.errors import Diverged

EntryKind: TypeAlias = Literal["read", "effect", "model", "answer", "clock", "random", "claim", "artifact"]
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


@dataclass(frozen=True, slots=True)
class Entry:
    """One recorded door call."""

    run: str
    task: str
    attempt: int
    """0 for effects: all attempts of a task share them."""
    digest: str
    nth: int
    """0 for the first call with these arguments in this task, 1 for the second."""
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
    position: int = 0
    """Order in which the task made its calls; compensations run in reverse."""

    @property
    def name(self) -> tuple[str, str, int, str, int]:
        """What makes an entry unique."""
        return self.run, self.task, self.attempt, self.digest, self.nth

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


def effect_token(run: str, task: str, call: str, nth: int) -> str:
    """The idempotency key of an effect: the same on every re-execution, different for every call."""
    return "il-" + digest([run, task, call, nth], "key")[:32]


def spent_on(entries: Sequence[Entry]) -> Spend:
    """What recorded calls have used; replaying them costs nothing more."""
    models = [e.answer for e in entries if e.kind == "model" and isinstance(e.answer, dict)]
    return Spend(
        tool_calls=sum(e.kind in ("read", "effect") and e.state != "planned" for e in entries),
        model_calls=len(models),
        tokens=sum(int(str(a.get("tokens") or 0)) for a in models),
        usd=sum((Decimal(str(a.get("usd") or 0)) for a in models), Decimal(0)),
    )


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
    _known: dict[tuple[int, str, int], Entry] = field(default_factory=dict[tuple[int, str, int], Entry])
    _seen: Counter[str] = field(default_factory=Counter[str])
    _claimed: set[tuple[str, int]] = field(default_factory=set[tuple[str, int]])
    _new: dict[tuple[int, str, int], Entry] = field(default_factory=dict[tuple[int, str, int], Entry])

    def load(self, entries: Iterable[Entry]) -> None:
        """Takes over what earlier executions recorded."""
        if not self.enabled:
            return
        for entry in entries:
            self._known[entry.attempt, entry.digest, entry.nth] = entry

    def occurrence(self, call: str) -> int:
        """Counts this call and says which occurrence of it this is."""
        nth = self._seen[call]
        self._seen[call] += 1
        return nth

    def recorded(self, call: str, nth: int, *, effect: bool = False) -> Entry | None:
        """The entry of an earlier execution, if there is one; an effect found is thereby asked for again."""
        entry = self._known.get((0 if effect else self.attempt, call, nth))
        if effect:
            self._claimed.add((call, nth))
        return entry

    def place(self, entry: Entry) -> Entry:
        """The entry with its position among the task's calls."""
        return entry if entry.position else replace(entry, position=len(self._known) + 1)

    def put(self, entry: Entry) -> Entry:
        """Records an entry; it is stored with the next commit of the task."""
        entry = self.place(entry)
        slot = (entry.attempt, entry.digest, entry.nth)
        self._known[slot] = self._new[slot] = entry
        return entry

    def keep(self, entry: Entry) -> Entry:
        """Remembers an entry that is stored already."""
        self._known[entry.attempt, entry.digest, entry.nth] = entry
        return entry

    def drain(self) -> list[Entry]:
        """The entries not stored yet, in order; the caller stores them."""
        entries, self._new = list(self._new.values()), {}
        return entries

    def restore(self, entries: Iterable[Entry]) -> None:
        """Puts entries back that could not be stored."""
        self._new = {(e.attempt, e.digest, e.nth): e for e in entries} | self._new

    def unclaimed(self) -> list[Entry]:
        """Effects of earlier executions that this one has not asked for (yet)."""
        return [
            e
            for e in self._known.values()
            if e.kind == "effect" and e.state in HAPPENED and (e.digest, e.nth) not in self._claimed
        ]

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
