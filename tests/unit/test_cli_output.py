"""What the command line shows of responses and of foreign text."""

import io
import sys
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from interlock.cli import exits, results, terminal
from interlock.core.limits import Spend
from interlock.core.principal import Principal
from interlock.core.runs import TRANSITIONS, Run
from interlock.errors import InterlockError

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def a_run(**changes: object) -> Run:
    """A completed run."""
    run = Run(
        id="r-1",
        graph="g",
        version="v",
        state="completed",
        outcome="resolved",
        owner=Principal.local("ann"),
        session="s-1",
        created_at=NOW,
        updated_at=NOW,
    )
    return run.model_copy(update=changes)


@pytest.mark.parametrize(
    ("response", "lines"),
    [
        ({"text": "Hello\nAnn"}, ["Hello", "Ann"]),
        ("Hello", ["Hello"]),
        ("", [""]),
        ({"a": 1, "b": "x\ny", "c": [True]}, ["a: 1", "b:", "  x", "  y", "c: [true]"]),
        (["x"], ['["x"]']),
        ({"amount": 7}, ["amount: 7"]),
    ],
)
def test_a_response_is_shown_as_text_where_it_is_text(response: object, lines: list[str]) -> None:
    """A lone text as it is; several fields line by line; anything else as JSON."""
    assert results.response_lines(response) == lines


def test_the_headline_says_state_outcome_and_spend(capsys: pytest.CaptureFixture[str]) -> None:
    """Money is shown where it was spent; a reason stands beside it, and what went as it should needs none."""
    spend = Spend(seconds=1.25, tool_calls=1, model_calls=2, usd=Decimal("0.10"))

    assert results.headline(a_run(reason="every task completed")) == "completed, resolved (0.00 s)"
    results.show(a_run(outcome="gave_up", reason="nobody", spend=spend), [])
    told = capsys.readouterr()
    assert told.out == "r-1 completed, gave up (1.2 s, 1 tool call, 2 model calls, 0.10 USD)\n"
    assert told.err == "r-1 nobody\n"


def test_the_tickets_own_id_is_shown_beside_the_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever runs many tickets can tell them apart."""
    results.show(a_run(input={"id": "T-7"}, response={"text": "Done."}), [])

    assert capsys.readouterr().out == "r-1 (T-7) completed, resolved (0.00 s)\n  Done.\n"


def test_foreign_text_cannot_move_the_cursor_or_turn_its_direction(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Escape sequences and direction marks are replaced, on both streams and in tables; JSON escapes them."""
    evil = "pay \x1b[2K\r1\u202e0001"

    terminal.say(evil)
    terminal.tell(evil)
    terminal.table(("what", "who"), [(evil, "[bold]x[/bold] :smile:"), (None, "ü")])
    terminal.emit({"text": "ü \x1b\u0085\u2028\u202e"})
    told = capsys.readouterr()

    assert not set("\x1b\r\u202e") & set(told.out + told.err)
    assert "[bold]x[/bold] :smile:" in told.out
    assert told.out.splitlines()[-1] == r'{"text": "ü \u001b\u0085\u2028\u202e"}'


def test_json_stays_readable_on_a_terminal_without_unicode(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where standard output cannot carry a letter, JSON escapes it."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    monkeypatch.setattr(sys, "stdout", stream)

    terminal.emit({"text": "→"})

    assert stream.buffer.getvalue() == b'{"text": "\\u2192"}\n'  # type: ignore[attr-defined]


def test_every_state_and_every_error_has_an_exit_code() -> None:
    """Every state that can end a command, and every error code, stands in the one table."""
    states = {state: exits.of_run(a_run(state=state, outcome=None)) for state in TRANSITIONS}
    codes = {error.code: exits.of_error(error()) for error in InterlockError.__subclasses__()}

    assert states == {
        "created": 4,
        "context_loaded": 4,
        "planning": 4,
        "executing": 4,
        "waiting_for_approval": 3,
        "blocked": 4,
        "completed": 0,
        "failed": 5,
        "canceled": 6,
        "rolled_back": 6,
    }
    assert exits.of_run(a_run(outcome="gave_up")) == 4
    assert {name for name, code in codes.items() if code == 2} >= {"bad_input", "not_found", "answer_refused"}
    assert (codes["record_broken"], codes["run_busy"], codes["tool_failed"]) == (1, 4, 5)
