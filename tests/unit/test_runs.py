"""The one table of what may become of a run."""

from typing import get_args

import pytest

from interlock.core.runs import FINAL, TRANSITIONS, RunState, check_move
from interlock.errors import WrongState

STATES: tuple[RunState, ...] = get_args(RunState)


def reachable(start: RunState) -> set[RunState]:
    """The states that can follow, at any distance."""
    found: set[RunState] = {start}
    while True:
        after = found.union(*(TRANSITIONS[state] for state in found))
        if after == found:
            return found
        found = after


def test_table_covers_every_state() -> None:
    """No state is missing, and none is invented."""
    assert set(TRANSITIONS) == set(STATES)
    assert set().union(*TRANSITIONS.values()) <= set(STATES)


def test_every_state_can_be_reached() -> None:
    """From `created` a run can come to each state."""
    assert reachable("created") == set(STATES)


@pytest.mark.parametrize("state", sorted(FINAL))
def test_final_states_have_no_way_out(state: RunState) -> None:
    """An ended run stays as it is; only its effects may still be taken back."""
    assert TRANSITIONS[state] <= {"rolled_back"}


@pytest.mark.parametrize("state", sorted(set(STATES) - FINAL))
def test_every_other_state_can_end(state: RunState) -> None:
    """No run is stuck: it can be completed, and canceled at once."""
    assert reachable(state) >= FINAL
    assert TRANSITIONS[state] >= {"failed", "canceled"}


@pytest.mark.parametrize("old", STATES)
@pytest.mark.parametrize("new", STATES)
def test_move_is_checked_against_the_table(old: RunState, new: RunState) -> None:
    """A listed move passes; another one is refused with what is possible instead."""
    if new in TRANSITIONS[old]:
        check_move("r-1", old, new)
        return

    with pytest.raises(WrongState) as refused:
        check_move("r-1", old, new)

    named, _, possible = refused.value.message.partition(f"From {old} it can become: ")
    assert named == f"run r-1 is {old} and cannot become {new}. "
    assert possible == (", ".join(sorted(TRANSITIONS[old])) or "nothing: this state is final") + "."
