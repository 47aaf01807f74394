"""`interlock approvals` and `interlock effects`: who may answer what, once, and what follows."""

import sqlite3
import time
from contextlib import closing

import pytest

from tests.front import Front, ended, fresh

front = pytest.fixture(fresh)


def test_a_yes_finishes_the_run_in_the_foreground(front: Front) -> None:
    """Another process says yes: the run goes on there, is paid once, and its result is printed."""
    run, question = front.waiting()

    told = front.process("approvals", "approve", question, "--comment", "fine")

    assert told.code == 0
    assert f"{run} completed, resolved" in told.out and "We paid 250." in told.out
    assert front.paid == ["250"]


def test_a_no_is_told_to_the_agent_and_nothing_is_paid(front: Front) -> None:
    """The run ends without the effect, in the foreground as well."""
    run, question = front.waiting()

    told = front("approvals", "reject", question, "--comment", "too much", "--json")

    shown = front("runs", "show", run).out

    assert (told.code, told.json["state"], told.json["response"]) == (5, "failed", None)
    assert "said no to books/pay: too much" in shown
    assert front.paid == []


def test_an_answer_can_be_recorded_without_going_on(front: Front) -> None:
    """With --no-wait the run stays where it is until somebody resumes it."""
    run, question = front.waiting()

    told = front("approvals", "approve", question, "--no-wait")
    before = front("runs", "show", run, "--json").json["state"]
    after = front("runs", "resume", run)

    assert told.code == 0 and f"interlock runs resume {run}" in told.out
    assert before == "waiting_for_approval"
    assert (after.code, front.paid) == (0, ["250"])


def test_questions_are_listed_and_shown_as_cards(front: Front) -> None:
    """The list says who is asked; the card fits twelve lines and names the commands."""
    run, question = front.waiting()

    listed = front("approvals", "list")
    card = front("approvals", "show", question)
    told = front("approvals", "list", "--run", run, "--json").json

    assert question in listed.out and "lead" in listed.out
    assert len(card.out.splitlines()) <= 12
    assert f"interlock approvals approve {question}" in card.out
    assert [each["id"] for each in told] == [question]
    assert front("approvals", "show", question, "--json").json == told[0]


def test_wrong_answers_are_refused_with_a_sentence_and_the_question_stays_open(front: Front) -> None:
    """From somebody who is not asked, about another matter, with what it does not take."""
    _, question = front.waiting()
    wrong = [
        ("approvals", "approve", question, "--as", "mallory"),
        ("approvals", "approve", question, "--as", "mallory", "--role", "clerk"),
        ("approvals", "approve", question, "--answer", "250"),
        ("approvals", "approve", question, "--role", "lead"),
        ("approvals", "approve", question, "--as", ""),
        ("approvals", "approve", "q-nothing"),
        ("approvals", "show", "q-nothing"),
        ("approvals", "list", "--run", "r-nothing"),
        ("effects", "settle", question, "--happened"),
        ("effects", "settle", question),
        ("effects", "list", "r-nothing"),
    ]

    for arguments in wrong:
        told = front(*arguments)
        assert told.code == 2, arguments
        assert told.sentence.endswith("."), arguments
        assert told.out == ""

    assert [each["id"] for each in front("approvals", "list", "--json").json] == [question]
    assert front("approvals", "approve", question, "--as", "berta", "--role", "lead").code == 0


def test_the_first_answer_wins(front: Front) -> None:
    """A second answer is refused, whoever gives it and whatever it says."""
    _, question = front.waiting()
    front("approvals", "approve", question, "--as", "berta", "--role", "lead", "--no-wait")

    told = front("approvals", "reject", question)

    assert told.code == 2
    assert told.sentence == f"question {question} was already answered by berta and stays so."


def test_a_clarifying_question_takes_an_answer_of_its_schema(front: Front) -> None:
    """It needs --answer; what is not among the choices is refused and the question stays open."""
    _, question = front.waiting("colour")

    bare = front("approvals", "approve", question)
    wrong = front("approvals", "approve", question, "--answer", "green")
    right = front("approvals", "approve", question, "--answer", "red", "--json")

    assert (bare.code, wrong.code, right.code) == (2, 2, 0)
    assert "--answer" in bare.sentence
    assert "one of red, blue" in wrong.sentence
    assert right.json["response"]["text"] == "It will be red."


@pytest.mark.parametrize(
    ("said", "code", "became", "response"),
    [
        (("--happened", "--answer", '{"amount": "13"}'), 0, "confirmed", {"text": "We paid 13."}),
        (("--did-not-happen",), 5, "failed", None),
    ],
)
def test_an_unknown_effect_is_settled_by_a_person(
    front: Front, said: tuple[str, ...], code: int, became: str, response: object
) -> None:
    """The payment's answer was lost: nobody guesses, nothing is sent again, and the run goes on."""
    lines = b'{"text": "pay", "amount": 13}'
    run = front("run", "front", "--input", "-", stdin=lines).out.split()[0]
    question = front("effects", "list", "--json").json[0]["id"]
    unsettled = front("effects", "list")
    wrong = front("effects", "settle", question, "--happened", "--answer", "{")
    by_approvals = front("approvals", "approve", question)

    told = front("effects", "settle", question, *said, "--json")
    effects = front("effects", "list", run, "--json").json

    assert question in unsettled.out and "--did-not-happen" in unsettled.out
    assert wrong.code == 2 and "--answer is not JSON" in wrong.sentence
    assert became in front("effects", "list", run).out
    assert by_approvals.code == 2 and "effects settle" in by_approvals.sentence
    assert (told.code, told.json["response"]) == (code, response)
    assert [each["state"] for each in effects] == [became]
    assert front.paid == ["13"]
    assert "No effect has to be settled." in front("effects", "list").out


def test_answering_goes_on_only_where_the_graph_can_be_loaded(front: Front) -> None:
    """Without its graph a question can be listed, and answered with --no-wait; nothing else is recorded."""
    run, question = front.waiting()
    (front.folder / "front_desk.py").unlink()

    told = front("approvals", "approve", question)
    still = front("approvals", "list", "--json").json
    recorded = front("approvals", "approve", question, "--no-wait")

    assert told.code == 2 and "front_desk.py" in told.sentence
    assert [each["id"] for each in still] == [question]
    assert recorded.code == 0
    assert front("runs", "resume", run).code == 2


def test_a_late_answer_is_refused(front: Front) -> None:
    """After its time a question is not open any more, and a yes to it changes nothing."""
    run, question = front.waiting()
    with closing(sqlite3.connect(front.folder / ".interlock/interlock.db")) as connection:
        connection.execute("UPDATE questions SET expires_at = '2020-01-01T00:00:00.000000Z'")
        connection.commit()

    told = front("approvals", "approve", question)
    listed = front("approvals", "list", "--json").json
    every = front("approvals", "list", "--all", "--json").json
    after = front("runs", "resume", run, "--json")

    assert told.code == 2 and "expired at 2020-01-01" in told.sentence
    assert listed == [] and every[0]["state"] == "expired"
    assert after.json["state"] == "failed" and front.paid == []


def test_a_question_to_the_owner_is_answered_by_the_owner(front: Front) -> None:
    """A run started for somebody asks that person; another one, whatever roles they hold, is refused."""
    ticket = front.ticket("colour")
    started = front("run", "front", "--input", ticket, "--as", "ann", "--json")
    question = started.json["approvals"][0]["id"]
    answer = ("approvals", "approve", question, "--answer", "blue")

    foreign = front(*answer, "--as", "bob", "--role", "lead")
    own = front(*answer, "--as", "ann")

    assert foreign.code == 2 and foreign.sentence == f"question {question} is for ann; bob may not answer it."
    assert own.code == 0 and "It will be blue." in own.out


def test_an_answer_that_another_process_will_act_on_is_recorded(front: Front) -> None:
    """While somebody advances the run, a yes is stored, and the one who gave it is told who holds the run."""
    front.waiting("both", amount=250)
    asked = {each["kind"]: each["id"] for each in front("approvals", "list", "--json").json}
    pay, colour = asked["approve"], asked["clarify"]
    slow = front.folder / "slow"
    slow.touch()
    worker = front.start("approvals", "approve", pay)
    while not front.paid:
        assert worker.poll() is None
        time.sleep(0.05)

    told = front("approvals", "approve", colour, "--answer", "red")
    slow.unlink()
    done = ended(worker)

    assert told.code == 4 and told.sentence.startswith("the answer was recorded, but run")
    assert done.code in (0, 3)
    assert "It will be red." in done.out or "runs resume" in told.err
