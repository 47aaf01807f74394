"""Traces of the command line: several processes, one trace; a bad backend is one line; none is nothing."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from interlock.core.trace import root_of, trace_of
from tests.front import ROOT, Front, fresh
from tests.receiver import Receiver

pytestmark = pytest.mark.long

front = pytest.fixture(fresh)


def keys(receiver: Receiver) -> dict[str, Any]:
    """The variables that Langfuse's own packages read."""
    return {
        "LANGFUSE_BASE_URL": receiver.url,
        "LANGFUSE_PUBLIC_KEY": "pk-lf-1",
        "LANGFUSE_SECRET_KEY": "sk-lf-1",
    }


def test_a_run_that_one_process_starts_and_another_finishes_is_one_trace(front: Front) -> None:
    """Starting, asking, answering and finishing are shown in one trace with nothing twice."""
    with Receiver() as receiver:
        ticket = front.ticket("pay", amount=250)
        asked = front.process("run", "front", "--input", ticket, "--json", **keys(receiver))
        run, question = asked.json["run_id"], asked.json["approvals"][0]["id"]
        early = {span.id for span in receiver.spans}
        told = front.process("approvals", "approve", question, **keys(receiver))

    assert (asked.code, told.code) == (3, 0), told.err
    assert early and root_of(run) not in early
    ids = Counter(span.id for span in receiver.spans)
    assert max(ids.values()) == 1 and root_of(run) in ids
    assert {span.trace for span in receiver.spans} == {trace_of(run)}
    assert {span.parent for span in receiver.spans if span.parent} <= set(ids)
    workers = [span.meta("worker") for span in receiver.spans if span.name == "segment"]
    assert len(workers) == len(set(workers)) == 2
    assert [each["value"] for each in receiver.scores if each["name"] == "outcome"] == ["resolved"]


def test_a_refusing_backend_is_one_line_and_changes_nothing_else(front: Front) -> None:
    """The answer, the exit code and the output are the same; standard error has one line more."""
    ticket = front.ticket("pay me")
    usual = front("run", "front", "--input", ticket, "--json")
    with Receiver(status=401) as receiver:
        told = front.process("run", "front", "--input", ticket, "--json", **keys(receiver))

    assert (told.code, told.json["response"]) == (0, usual.json["response"])
    (line,) = [line for line in told.err.splitlines() if line not in usual.err.splitlines()]
    assert line == (
        f"traces cannot be sent to {receiver.url}: it answered 401 (are the keys right?). "
        "Runs go on without them."
    ) or line.startswith("scores cannot be sent to ")
    assert "sk-lf-1" not in told.err + told.out


def test_without_a_receiver_nothing_of_it_is_loaded(front: Front) -> None:
    """Whoever does not trace pays for no import of it."""
    script = (
        "import sys; from interlock.cli import main; code = main(sys.argv[1:]);"
        "names = ('langfuse', 'opentelemetry.proto');"
        "found = [name for name in names if name in sys.modules];"
        "print(code, found, file=sys.stderr)"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", script, "run", "front", "--input", front.ticket("pay me")]
    done = subprocess.run(command, cwd=front.folder, env=env, capture_output=True, text=True, timeout=120)
    assert done.stderr.splitlines()[-1] == "0 []", done.stderr


def test_a_receiver_that_is_no_url_is_said_before_anything_happens(front: Front) -> None:
    """A setting that cannot be used stops the command with a sentence that names it."""
    told = front.process("run", "front", "--input", front.ticket("pay me"), INTERLOCK_OTLP_ENDPOINT="here")
    assert told.code == 2 and "otlp_endpoint" in told.sentence
    assert not front.paid


def test_the_doctor_tells_where_keys_come_from_and_not_what_they_are(front: Front) -> None:
    """`interlock doctor` names the variable of a key and hides its value."""
    told = front.process("doctor", LANGFUSE_SECRET_KEY="sk-lf-1", LANGFUSE_PUBLIC_KEY="pk-lf-1")
    assert "LANGFUSE_SECRET_KEY" in told.out and "sk-lf-1" not in told.out + told.err


def test_workers_that_are_killed_leave_no_hole_in_the_trace(tmp_path: Path) -> None:
    """One worker dies asking, the next right after it has paid; the third sends what all three have done."""
    with Receiver() as receiver:
        env = {**os.environ, "PYTHONPATH": str(ROOT), **keys(receiver)}
        ended = [
            subprocess.run(
                [sys.executable, "-m", "tests.nested", turn, str(tmp_path)],
                env=env,
                capture_output=True,
                text=True,
                timeout=120,
            )
            for turn in ("ask", "sent", "end")
        ]

    assert [done.returncode for done in ended] == [-9, -9, 0], ended[-1].stderr
    assert ended[-1].stdout.split() == ["completed", "resolved"]
    ids = {span.id: span for span in receiver.spans}
    roots = [span for span in ids.values() if not span.parent]
    assert [span.name for span in roots] == ["house"]
    assert {span.trace for span in receiver.spans} == {roots[0].trace}
    assert {span.parent for span in ids.values() if span.parent} <= set(ids)
    paid = [span for span in ids.values() if span.name == "shop/pay_back"]
    assert [span.meta("effect") for span in paid] == ["confirmed"]
    assert [span.meta("by") for span in ids.values() if span.name == "question: approve"] == ["lena"]
