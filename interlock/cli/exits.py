"""What the command line exits with: one table for errors, one for the states of runs."""

from typing import TYPE_CHECKING

from interlock.errors import InterlockError

if TYPE_CHECKING:
    from interlock.core.runs import Run

DONE, CHECK_FAILED, BAD_INPUT, WAITING, STUCK, FAILED, CANCELED = range(7)
STOPPED = 130
"""Stopped from the keyboard, as shells count it."""
PIPE_CLOSED = 141
"""The reader of standard output has gone away, as shells count it."""

_ERRORS = {
    "record_broken": CHECK_FAILED,
    "bad_input": BAD_INPUT,
    "build": BAD_INPUT,
    "not_found": BAD_INPUT,
    "plan_invalid": BAD_INPUT,
    "schema_violation": BAD_INPUT,
    "wrong_state": BAD_INPUT,
    "answer_refused": BAD_INPUT,
    "receipt_used": BAD_INPUT,
    "format_refused": BAD_INPUT,
    # Somebody else holds the run: it is not ours to advance, and nothing is wrong with the input.
    "run_busy": STUCK,
    "store_unavailable": STUCK,
    "lease_lost": STUCK,
}
"""Error code -> exit code; every other error is a failure."""

_STATES = {
    "waiting_for_approval": WAITING,
    "blocked": STUCK,
    "failed": FAILED,
    "canceled": CANCELED,
    "rolled_back": CANCELED,
}


def of_error(error: InterlockError) -> int:
    """The exit code of an error that ended a command."""
    return _ERRORS.get(error.code, FAILED)


def of_run(run: "Run") -> int:
    """The exit code of a command that executed a run; a run still under way counts as stuck."""
    if run.state == "completed":
        return STUCK if run.outcome == "gave_up" else DONE
    return _STATES.get(run.state, STUCK)
