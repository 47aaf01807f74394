"""At-least-once execution, at-most-once effect."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, get_args

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from interlock.core.journal import (
    HAPPENED,
    Entry,
    EntryState,
    Slot,
    TaskJournal,
    call_digest,
    effect_token,
    spent_on,
)
from interlock.core.limits import Spend
from interlock.errors import Diverged

STATES: tuple[EntryState, ...] = get_args(EntryState)
ALLOWED = {
    ("planned", "sent"),
    ("planned", "failed"),
    ("sent", "confirmed"),
    ("sent", "failed"),
    ("sent", "unknown"),
    ("unknown", "confirmed"),
    ("unknown", "failed"),
    ("confirmed", "compensated"),
}


def entry(**changes: Any) -> Entry:
    """A confirmed refund."""
    fields: dict[str, Any] = {
        "run": "r-1",
        "task": "returns",
        "attempt": 0,
        "digest": call_digest("pay/refund", {"order": "A-1001"}),
        "nth": 0,
        "kind": "effect",
        "operation": "pay/refund",
        "arguments": {"order": "A-1001"},
        "state": "confirmed",
    }
    return Entry(**{**fields, **changes})


def journal(*entries: Entry, attempt: int = 0, enabled: bool = True) -> TaskJournal:
    """The journal of a new execution that finds these entries."""
    made = TaskJournal("r-1", "returns", attempt, enabled=enabled)
    made.load(entries)
    return made


@pytest.mark.parametrize("old", STATES)
@pytest.mark.parametrize("new", STATES)
def test_only_listed_moves_are_made(old: EntryState, new: EntryState) -> None:
    """An effect moves along its table; every other move is a defect and raises."""
    if (old, new) in ALLOWED:
        assert entry(state=old).to(new, answer=1) == entry(state=new, answer=1)
    else:
        with pytest.raises(ValueError, match=f"cannot go from '{old}' to '{new}'"):
            entry(state=old).to(new)


@pytest.mark.parametrize("state", STATES)
def test_effect_left_out_is_divergence_if_it_may_have_happened(state: EntryState) -> None:
    """Only what may have touched the world has to be asked for again."""
    again = journal(entry(state=state))

    if state in HAPPENED:
        with pytest.raises(Diverged, match=rf"task 'returns', run again, .* pay/refund \({state}\)"):
            again.refuse_divergence()
    else:
        again.refuse_divergence()


def test_effect_is_found_by_any_attempt_and_a_read_by_its_own() -> None:
    """A retry reads anew, but gets the effect that an earlier attempt caused."""
    read = entry(kind="read", attempt=1, digest="look", state="answered", answer="old")
    retry = journal(entry(answer="paid"), read, attempt=2)

    found = retry.recorded(Slot(entry().digest, 0), effect=True)

    assert found is not None and found.answer == "paid"
    assert retry.recorded(Slot("look", 0)) is None
    assert journal(read, attempt=1).recorded(Slot("look", 0)) == read


def test_second_identical_call_is_another_one() -> None:
    """The nth call with the same arguments finds the nth entry."""
    again = journal(entry(answer="first"), entry(nth=1, answer="second"))
    call = entry().digest

    answers = [again.recorded(again.occurrence(call), effect=True) for _ in range(3)]

    assert [found and found.answer for found in answers] == ["first", "second", None]
    again.refuse_divergence()


def test_switched_off_journal_replays_nothing() -> None:
    """Without the guard an effect that was recorded is not found: it would be caused twice."""
    again = journal(entry(), enabled=False)

    assert again.recorded(Slot(entry().digest, 0), effect=True) is None


def test_entries_are_handed_over_once_and_can_be_put_back() -> None:
    """What could not be stored is stored with the next commit, in order and without doubles."""
    made = journal()
    one, two = made.put(entry()), made.put(entry(nth=1))

    drained = made.drain()
    newer = made.put(one.to("compensated"))
    made.restore(drained)

    assert drained == [one, two]
    assert made.drain() == [newer, two]
    assert made.drain() == []


def test_positions_follow_the_calls() -> None:
    """Entries are numbered in the order of the calls, over executions, and keep their number."""
    made = journal(entry(position=1))

    second = made.put(entry(nth=1))
    third = made.keep(made.place(entry(nth=2)))
    moved = made.put(second.to("compensated"))

    assert [second.position, third.position, moved.position] == [2, 3, 2]
    assert made.drain() == [moved]


def test_key_is_the_same_on_every_execution_and_for_no_other_call() -> None:
    """Run, task, call and occurrence make the idempotency key, and nothing else does."""
    key = effect_token("r-1", "returns", "c", 0)
    others = [
        ("r-2", "returns", "c", 0),
        ("r-1", "risk", "c", 0),
        ("r-1", "returns", "d", 0),
        ("r-1", "returns", "c", 1),
    ]

    assert effect_token("r-1", "returns", "c", 0) == key
    assert len({key, *(effect_token(*other) for other in others)}) == 5


def test_call_is_named_by_operation_and_arguments() -> None:
    """Order and formatting of the arguments do not matter; their values do."""
    assert call_digest("a/b", {"x": 1, "y": 2}) == call_digest("a/b", {"y": 2.0, "x": 1})
    assert call_digest("a/b", {"x": 1}) != call_digest("a/b", {"x": 2})
    assert call_digest("a/b", {"x": 1}) != call_digest("a/c", {"x": 1})


def test_spend_is_what_was_sent_and_thought() -> None:
    """Planned effects cost nothing yet; model replies carry tokens and price; the rest is free."""
    entries = [
        entry(),
        entry(nth=1, state="planned"),
        entry(kind="read", digest="x", state="answered"),
        entry(kind="model", digest="m", state="answered", answer={"tokens": 120, "usd": "0.02"}),
        entry(kind="model", digest="n", state="answered", answer={"tokens": None, "usd": None}),
        entry(kind="clock", digest="t", state="answered"),
    ]

    assert spent_on(entries) == Spend(tool_calls=2, model_calls=2, tokens=120, usd=Decimal("0.02"))


@dataclass
class World:
    """What really happened, and what is stored of it."""

    effects: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])
    stored: dict[tuple[str, str, int, str, str, int], Entry] = field(
        default_factory=dict[tuple[str, str, int, str, str, int], Entry]
    )


class Executions(RuleBasedStateMachine):
    """One task executed again and again: it calls, stores, dies, is retried."""

    @initialize()
    def begin(self) -> None:
        """Nothing has happened yet."""
        self.world = World()
        self.attempt = 0
        self.restart()

    def restart(self) -> None:
        """A new execution of the body finds what is stored."""
        self.journal = TaskJournal("r-1", "returns", self.attempt)
        self.journal.load(self.world.stored.values())
        self.before = {(e.digest, e.nth) for e in self.world.stored.values() if e.kind == "effect"}
        self.asked: set[tuple[str, int]] = set()

    def store(self, entries: list[Entry]) -> None:
        """Commits entries."""
        self.world.stored.update({each.name: each for each in entries})

    @rule(call=st.sampled_from("ab"))
    def effect(self, call: str) -> None:
        """An effect happens once; asked for again, it answers as recorded."""
        slot = self.journal.occurrence(call)
        found, nth = self.journal.recorded(slot, effect=True), slot.nth
        self.asked.add((call, nth))
        if found is None:
            self.world.effects.append((call, nth))
            made = entry(digest=call, nth=nth, answer=f"{call}{nth}", state="sent")
            self.store([self.journal.keep(self.journal.place(made))])
        else:
            assert found.answer == f"{call}{nth}" and found.attempt == 0

    @rule(call=st.sampled_from("xy"))
    def read(self, call: str) -> None:
        """A read is answered anew in each attempt, and as recorded within one."""
        slot = self.journal.occurrence(call)
        found, nth = self.journal.recorded(slot), slot.nth
        if found is None:
            state: EntryState = "answered"
            made = entry(
                kind="read", digest=call, nth=nth, state=state, attempt=self.attempt, answer=self.attempt
            )
            self.journal.put(made)
        else:
            assert found.answer == self.attempt

    @rule()
    def commit(self) -> None:
        """The buffer is stored."""
        self.store(self.journal.drain())

    @rule()
    def die(self) -> None:
        """The process is gone; what was not stored is forgotten."""
        self.restart()

    @precondition(lambda self: self.attempt < 3)
    @rule()
    def retry(self) -> None:
        """The task is tried once more."""
        self.attempt += 1
        self.restart()

    @invariant()
    def every_effect_happened_once(self) -> None:
        """However often the body was executed."""
        assert len(set(self.world.effects)) == len(self.world.effects)

    @invariant()
    def divergence_is_what_was_not_asked_for(self) -> None:
        """Exactly the recorded effects that this execution has not asked for."""
        left_out = {(each.digest, each.nth) for each in self.journal.unclaimed()}
        assert left_out == self.before - self.asked

    @invariant()
    def effects_carry_no_attempt(self) -> None:
        """Reads are stored under their attempt, effects under none."""
        assert all(each.attempt == 0 for each in self.world.stored.values() if each.kind == "effect")


TestExecutions = Executions.TestCase
TestExecutions.settings = settings(deadline=None, max_examples=60, stateful_step_count=25)


class Steps:
    """The steps of a checkpointed graph body, as they are executed."""

    def __init__(self) -> None:
        """Begins in no step."""
        self.step = ""

    def journal(self, *entries: Entry) -> TaskJournal:
        """The journal of an execution that goes by step."""
        made = journal(*entries)
        made.where = lambda: self.step
        return made


def test_a_checkpointed_body_asks_again_only_in_the_steps_it_executes_again() -> None:
    """An effect of a step that is not executed again is not missed; any other has to be asked for."""
    steps, call = Steps(), entry().digest
    again = steps.journal(entry(step="one"), entry(step="two"))
    steps.step = "two"

    quiet = again.unclaimed()
    again.occurrence("look")
    missed = again.unclaimed()
    found = again.recorded(again.occurrence(call), effect=True)

    assert (quiet, [e.step for e in missed]) == ([], ["two"])
    assert found is not None
    assert found.step == "two"
    again.refuse_divergence()


def test_the_same_call_in_another_step_is_another_one() -> None:
    """Occurrences are counted by step, so a later step's first call does not find an earlier step's."""
    steps, call = Steps(), entry().digest
    again = steps.journal(entry(step="one"))
    steps.step = "two"

    slot = again.occurrence(call)

    assert again.recorded(slot, effect=True) is None
    assert effect_token("r", "t", call, slot.nth, slot.step) != effect_token("r", "t", call, 0, "one")


def test_a_later_attempt_finds_the_effects_of_all_steps_in_order() -> None:
    """Started from its beginning, a body is answered by what the first attempt caused, step after step."""
    call = entry().digest
    again = journal(
        entry(step="one", answer="1", position=1), entry(step="two", answer="2", position=2), attempt=2
    )

    found = [again.recorded(again.occurrence(call), effect=True) for _ in range(3)]

    assert [each and each.answer for each in found] == ["1", "2", None]
    again.refuse_divergence()
