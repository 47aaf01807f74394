"""`interlock run` and `interlock runs`: results, exit codes, several tickets, and who may advance a run."""

import json
import signal
import time

import pytest

from tests.front import Front, ended, fresh

front = pytest.fixture(fresh)

ANSWER = {"run_id", "state", "outcome", "response", "approvals", "spend"}


def test_a_completed_run_prints_its_answer_and_nothing_else(front: Front) -> None:
    """Standard output has the accepted response; progress, and what tools print, is on standard error."""
    told = front.process("run", "front", "--input", front.ticket("pay me"))

    assert told.code == 0
    assert "We paid 49.90." in told.out
    assert "NOISE" not in told.out
    assert "payer: asked books/look" in told.err
    assert "SECRET" not in told.out + told.err


def test_json_has_six_fields_and_standard_error_is_silent(front: Front) -> None:
    """Programs get one object of a fixed shape."""
    told = front("run", "front", "--input", front.ticket("pay me"), "--json")

    assert told.json.keys() == ANSWER
    assert told.json["response"] == {"text": "We paid 49.90."}
    assert told.json["approvals"] == []
    assert told.json["spend"]["tool_calls"] == 2
    assert told.err.replace("NOISE of a tool\n", "") == ""


@pytest.mark.parametrize(
    ("text", "amount", "code", "state", "outcome"),
    [
        ("pay", 50, 0, "completed", "resolved"),
        ("pay", 250, 3, "waiting_for_approval", None),
        ("colour", 1, 3, "waiting_for_approval", None),
        ("pay", 13, 4, "blocked", None),
        ("dance", 1, 4, "completed", "gave_up"),
        ("break", 1, 5, "failed", None),
    ],
)
def test_the_exit_code_tells_how_it_ended(
    front: Front, text: str, amount: int, code: int, state: str, outcome: str | None
) -> None:
    """0 completed, 3 waiting, 4 gave up or blocked, 5 failed."""
    told = front("run", "front", "--input", front.ticket(text, amount=amount), "--json")

    assert (told.code, told.json["state"], told.json["outcome"]) == (code, state, outcome)


def test_several_tickets_are_answered_in_their_order_and_the_highest_code_counts(front: Front) -> None:
    """One object per line; six tickets, the third waits."""
    amounts = [1, 2, 250, 4, 5, 6]
    lines = "\n".join(json.dumps({"text": "pay", "amount": amount}) for amount in amounts)

    told = front("run", "front", "--input", "-", "--json", stdin=lines.encode())
    answers = [json.loads(line) for line in told.out.splitlines()]

    assert told.code == 3
    assert [a["response"] and a["response"]["text"] for a in answers] == [
        "We paid 1.",
        "We paid 2.",
        None,
        "We paid 4.",
        "We paid 5.",
        "We paid 6.",
    ]
    assert sorted(front.paid) == ["1", "2", "4", "5", "6"]


def test_a_line_ends_where_json_lines_end(front: Front) -> None:
    """A line separator of another kind inside a text is part of the text."""
    lines = '{"text": "dance \u2028 on"}\r\n\n{"text": "dance \u0085"}\n'

    told = front("run", "front", "--input", "-", "--json", stdin=lines.encode())

    assert (told.code, len(told.out.splitlines())) == (4, 2)


def test_one_wrong_ticket_stops_all_before_anything_happens(front: Front) -> None:
    """Tickets are checked before the first one is started."""
    lines = b'{"text": "pay"}\n{"txt": "pay"}\n'

    told = front("run", "front", "--input", "-", stdin=lines)

    assert told.code == 2
    assert told.sentence == "ticket 2: this is not a Ticket: text: Field required."
    assert front.paid == []
    assert front("runs", "list", "--json").json == []


def test_the_same_key_starts_one_run(front: Front) -> None:
    """A second start with the same key gives the first run's answer; with another ticket it is refused."""
    first = front("run", "front", "--input", front.ticket("pay"), "--key", "k", "--json").json
    second = front("run", "front", "--input", front.ticket("pay"), "--key", "k", "--json").json
    other = front("run", "front", "--input", front.ticket("dance"), "--key", "k")

    assert first == second
    assert front.paid == ["49.90"]
    assert other.code == 2
    assert first["run_id"] in other.sentence


def test_runs_are_listed_and_shown(front: Front) -> None:
    """People get tables and the next step, programs JSON."""
    run, question = front.waiting()
    front("run", "front", "--input", front.ticket("dance"))

    listed = front("runs", "list")
    only = front("runs", "list", "--state", "waiting_for_approval", "--json").json
    shown = front("runs", "show", run)
    told = front("runs", "show", run, "--json").json

    assert run in listed.out and "gave up" in listed.out
    assert [each["run_id"] for each in only] == [run]
    assert f"interlock approvals approve {question}" in shown.out
    assert told.keys() >= ANSWER | {"owner", "graph", "version", "reason"}
    assert told["owner"]["scopes"] == ["*"]


def test_a_canceled_run_stays_canceled(front: Front) -> None:
    """Cancelling succeeds once; going on with the run exits with 6, and its question is withdrawn."""
    run, question = front.waiting()

    assert front("runs", "cancel", run).code == 0
    assert front("runs", "resume", run, "--json").json["state"] == "canceled"
    assert front("runs", "resume", run).code == 6
    again = front("runs", "cancel", run)
    late = front("approvals", "approve", question)

    assert (again.code, late.code) == (2, 2)
    assert "canceled already" in again.sentence
    assert "already withdrawn" in late.sentence
    assert front.paid == []


def test_a_rollback_takes_back_what_was_done(front: Front) -> None:
    """The effects of a run that waits are taken back in the other side's book as well."""
    run, _ = front.waiting("both", amount=50)

    told = front("runs", "cancel", run, "--rollback", "--json")

    assert (told.code, told.json["state"]) == (0, "rolled_back")
    assert front.paid == ["50", "-50"]
    assert front("runs", "resume", run).code == 6


def test_of_two_that_resume_at_once_one_goes_on_and_the_other_is_told(front: Front) -> None:
    """The lease decides; the payment is made once."""
    run, question = front.waiting()
    front("approvals", "approve", question, "--no-wait")
    slow = front.folder / "slow"
    slow.touch()
    both = [front.start("runs", "resume", run), front.start("runs", "resume", run)]
    while all(each.poll() is None for each in both):
        time.sleep(0.05)
    slow.unlink()

    codes = {(told := ended(each)).code: told for each in both}

    assert codes.keys() == {0, 4}, codes
    assert f"run {run} is being advanced by worker" in codes[4].sentence
    assert front.paid == ["250"]


def test_a_dead_workers_run_is_resumed_and_nothing_is_done_twice(front: Front) -> None:
    """A worker killed while it paid: the next one cannot know what happened, and asks a person."""
    slow = front.folder / "slow"
    slow.touch()
    worker = front.start("run", "front", "--input", front.ticket("pay", amount=50), INTERLOCK_LEASE_S="1")
    while not front.paid:
        assert worker.poll() is None
        time.sleep(0.05)
    worker.kill()
    ended(worker)
    slow.unlink()
    run = front("runs", "list", "--json").json[0]["run_id"]

    while "being advanced" in (told := front("runs", "resume", run)).err:
        time.sleep(0.1)

    assert told.code == 4
    assert "effects settle" in told.out
    assert front.paid == ["50"]


def test_a_run_that_is_stopped_from_the_keyboard_can_go_on(front: Front) -> None:
    """Control-C ends the command with 130 and a hint; the effect under way is neither lost nor doubled."""
    slow = front.folder / "slow"
    slow.touch()
    worker = front.start("run", "front", "--input", front.ticket("pay", amount=50), "--json")
    while not front.paid:
        assert worker.poll() is None
        time.sleep(0.05)
    worker.send_signal(signal.SIGINT)
    time.sleep(0.2)
    slow.unlink()

    stopped = ended(worker)
    run = front("runs", "list", "--json").json[0]["run_id"]
    told = front("runs", "resume", run)

    assert stopped.code == 130 and stopped.out == ""
    assert f"Stopped. Go on with: interlock runs resume {run}" in stopped.err
    assert "Traceback" not in stopped.err
    assert (told.code, front.paid) == (0, ["50"])


def test_a_reader_that_goes_away_is_no_error(front: Front) -> None:
    """As in `interlock runs list | head -1`: nothing on standard error."""
    front.waiting()
    process = front.start("runs", "list", PYTHONUNBUFFERED="1")
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()

    err = process.stderr.read()
    process.stderr.close()

    assert (err, process.wait(60)) == (b"", 141)


def test_a_graph_may_be_registered_under_another_name(front: Front) -> None:
    """A run carries its supervisor's name, and is resumed where the project has another name for it."""
    front.write("langgraph.json", '{"graphs": {"desk": {"path": "./front_desk.py:graph"}}}')
    told = front("run", "desk", "--input", front.ticket("pay", amount=250), "--json").json

    done = front("approvals", "approve", told["approvals"][0]["id"])
    front.write("other.py", "graph = None\n")
    front.write("langgraph.json", '{"graphs": {"other": "./other.py:graph"}}')
    lost = front("runs", "resume", told["run_id"])

    assert done.code == 0
    assert lost.code == 2 and "is of graph 'front'" in lost.sentence
