"""A worker killed at any point of a payment: a new process finishes the run, and the book has one row.

A sample of the points by default; `SWEEP=full` takes every one, as `python -m tests.sweep` does.
"""

import os
import subprocess
import sys

import pytest

from tests.payments import ROOT
from tests.sweep import Tally

SAMPLE = [] if os.environ.get("SWEEP") == "full" else ["--sample", "16"]


def swept(case: str) -> tuple[Tally, Tally]:
    """The tallies with the journal on and off, made by a program of its own, which forks."""
    command = [sys.executable, "-m", "tests.sweep", "--case", case, "--json", *SAMPLE]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    tallies = [Tally.model_validate_json(line) for line in done.stdout.splitlines()]
    assert len(tallies) == 2, done.stderr
    print(*tallies, sep="\n")
    return tallies[0], tallies[1]


@pytest.mark.parametrize("case", ["keyed", "lookup", "approved", "elsewhere"])
def test_a_killed_worker_neither_doubles_nor_loses_a_payment(case: str) -> None:
    """Finished by a new process, each killed run has one row in the book; without the journal, some two."""
    guarded, unguarded = swept(case)

    assert guarded.killed >= 14  # of 16 points; a point of one run need not be met in another
    assert (guarded.doubled, guarded.lost) == (0, 0), [f for f in guarded.findings if f.rows != 1]
    assert {(found.rows, found.outcome) for found in guarded.findings} == {(1, "resolved")}
    assert unguarded.doubled > 0


def test_a_payment_nobody_can_look_up_is_settled_by_a_person() -> None:
    """Killed between sent and confirmed, a tool without keys leaves one question, and its answer stands."""
    guarded, unguarded = swept("bare")
    settled = {found.label: found for found in guarded.findings if found.asked.get("settle")}
    before = settled["before the payment is committed"]
    after = settled["after the payment is committed"]

    assert guarded.killed >= 14  # of 16 points; a point of one run need not be met in another
    assert (guarded.doubled, guarded.lost) == (0, 0), [f for f in guarded.findings if f.rows != 1]
    assert (before.rows, before.outcome) == (0, "gave_up")
    assert (after.rows, after.outcome) == (1, "resolved")
    assert all(found.asked == {"settle": 1} for found in settled.values())
    assert unguarded.doubled > 0
