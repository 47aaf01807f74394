"""`interlock explain` and `interlock audit`: from the record alone, with the graph's code removed."""

import json
import sqlite3
from contextlib import closing

import pytest

from tests.front import Front, fresh

front = pytest.fixture(fresh)


def without_code(front: Front) -> None:
    """Takes the project's code and registry away; the database stays."""
    (front.folder / "front_desk.py").unlink()
    (front.folder / "langgraph.json").unlink()


def tampered(front: Front, *statements: str) -> None:
    """Changes the database as somebody who can write it would."""
    with closing(sqlite3.connect(front.folder / ".interlock/interlock.db")) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def test_everything_about_a_run_can_be_read_without_its_code(front: Front) -> None:
    """Explain, audit, the list of runs and the questions need the database alone, in a process of its own."""
    run, question = front.waiting()
    without_code(front)

    story = front.process("explain", run)

    assert story.code == 0
    assert f"The story of run {run}" in story.out and "books/pay" in story.out
    assert story.err == ""
    assert front("explain", run, "--json").json["run"] == run
    assert front("audit", "verify").out.startswith("audit: ok\n")
    assert front("audit", "verify", run, "--json").json["ok"] is True
    assert question in front("approvals", "list").out
    assert front("approvals", "show", question).code == 0
    assert run in front("runs", "list").out
    assert front("runs", "show", run).code == 0


def test_a_changed_record_is_found_and_named(front: Front) -> None:
    """Exit code 1, with the run and the first event that was changed; mended, it verifies again."""
    run, _ = front.waiting()
    before = front("audit", "verify", "--json").json
    tampered(front, "UPDATE bodies SET body = replace(body, '\"250\"', '\"25\"') WHERE seq = 1")

    told = front("audit", "verify")
    found = front("audit", "verify", run, "--json")
    tampered(front, "UPDATE bodies SET body = replace(body, '\"25\"', '\"250\"') WHERE seq = 1")

    assert before["ok"] and before["signed"] == before["events"]
    assert told.code == found.code == 1
    assert told.out.startswith(f"audit: broken\nThe record does not verify. run {run}, event 1:")
    assert found.json["findings"][0] == {"run": run, "seq": 1, "what": "its body was changed"}
    assert front("audit", "verify").code == 0


def test_exported_heads_find_a_run_that_was_removed(front: Front) -> None:
    """A whole run taken out with its signatures: only a head kept elsewhere knows of it."""
    run, _ = front.waiting()
    front("run", "front", "--input", front.ticket("dance"))
    heads = front("audit", "export", "--heads").out
    front.write("heads.txt", heads)
    one = front("audit", "export", run, "--heads").out
    tables = ("heads", "bodies", "events", "questions", "receipts", "journal", "effect_keys", "artifacts")
    tampered(
        front,
        *(f"DELETE FROM {table} WHERE run = '{run}'" for table in tables),
        f"DELETE FROM runs WHERE id = '{run}'",
    )

    alone = front("audit", "verify")
    kept = front("audit", "verify", "--head", "heads.txt")

    assert len(heads.splitlines()) == 2 and json.loads(one)["run"] == run
    assert alone.code == 0
    assert kept.code == 1
    assert run in kept.out and "the end was cut off" in kept.out


def test_the_record_is_exported_line_by_line(front: Front) -> None:
    """Every event with its hash and body, then the signed heads."""
    run, _ = front.waiting()

    lines = [json.loads(line) for line in front("audit", "export", run).out.splitlines()]
    events = [line for line in lines if "event" in line]

    assert [each["event"]["seq"] for each in events] == list(range(1, len(events) + 1))
    assert events[0]["body"]["input"]["text"] == "pay"
    assert [line for line in lines if "head" in line] == lines[len(events) :]
    assert lines[-1]["head"]["seq"] == len(events)


def test_what_is_stored_about_a_person_can_be_erased(front: Front) -> None:
    """The chain stays whole; a run that is not over is refused, and nothing is erased."""
    run = front("run", "front", "--input", front.ticket("dance"), "--json").json["run_id"]
    waiting, _ = front.waiting()

    early = front("audit", "erase", "--subject", "ann@example.com")
    front("runs", "cancel", waiting)
    told = front("audit", "erase", "--subject", "ann@example.com", "--json")

    assert early.code == 2 and waiting in early.sentence
    assert told.code == 0 and set(told.json["runs"]) == {run, waiting}
    assert "dance" not in front("audit", "export", run).out
    assert front("audit", "verify", "--json").json["ok"] is True
    assert front("explain", run).code == 0
    assert front("audit", "erase", "--subject", "ann@example.com").code == 2
