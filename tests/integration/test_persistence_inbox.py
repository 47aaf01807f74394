"""Questions and answers: the first accepted answer wins, and every refused one is recorded."""

import asyncio
from typing import Any

import pytest

from interlock.core.policy import Verdict
from interlock.core.ports import Batch, Move
from interlock.core.principal import Principal
from interlock.core.questions import Answer
from interlock.errors import AnswerRefused, InterlockError, NotFound
from interlock.persistence.database import Database
from interlock.persistence.inbox import SqlInbox
from interlock.persistence.ledger import SqlLedger
from interlock.persistence.record import SqlRecord
from interlock.persistence.runs import SqlRuns
from tests.integration.stored import LEAD, START, StillClock, draft, new_run, question

ASKED = question().id


@pytest.fixture(autouse=True)
async def asked(runs: SqlRuns, ledger: SqlLedger) -> None:
    """A run that waits for the shift lead."""
    await runs.create(new_run(), [draft("created", task="")])
    await ledger.commit(Batch("r-1", None, questions=[question()]))


def yes(by: Principal = LEAD, **changes: Any) -> Answer:
    """The shift lead's yes."""
    values: dict[str, Any] = {"question": ASKED, "by": by, "yes": True}
    return Answer(**(values | changes))


async def test_a_yes_leaves_the_receipt_of_exactly_what_was_asked(
    inbox: SqlInbox, ledger: SqlLedger, clock: StillClock
) -> None:
    """The receipt covers the call that the question was about, and no other."""
    clock.pass_(60)
    answered = await inbox.answer(yes(comment="fine"))

    receipt = await ledger.receipt(ASKED)
    verdict = Verdict(decision="ask", rule="rule-1", reason="", whom="shift-lead", facts={"amount": "180.00"})

    assert receipt is not None
    assert (answered.state, answered.answered_by, answered.comment) == ("answered", "grace", "fine")
    assert await ledger.question(ASKED) == answered
    assert receipt.id.startswith("rc-") and len(receipt.id) == 15
    assert (receipt.given_by, receipt.expires_at) == ("grace", question().expires_at)
    assert receipt.stands("call-1", "def-1", "ada", verdict, clock.now()) is None
    assert (
        receipt.stands("call-2", "def-1", "ada", verdict, clock.now()) == "it was given for other arguments"
    )


async def test_an_accepted_answer_is_an_event(inbox: SqlInbox, record: SqlRecord) -> None:
    """It names the person, the answer and the receipt."""
    await inbox.answer(yes(comment="the key is sk-live-0123456789abcdefgh"))

    line = (await record.lines("r-1"))[-1]

    assert (line.event.kind, line.event.actor, line.event.task) == ("question.answered", "person:grace", "t1")
    assert isinstance(line.body, dict)
    assert line.body["answer"] == {"yes": True, "value": None}
    assert line.body["comment"] == "the key is [redacted]"
    assert str(line.body["receipt"]).startswith("rc-")


async def test_a_no_leaves_no_receipt(inbox: SqlInbox, ledger: SqlLedger) -> None:
    """The question is answered all the same."""
    answered = await inbox.answer(yes(yes=False))

    assert answered.answer == {"yes": False, "value": None}
    assert await ledger.receipt(ASKED) is None


@pytest.mark.parametrize(
    ("answer", "after", "why"),
    [
        (yes(Principal(user="mallory")), 0, "is for shift-lead; mallory may not"),
        (yes(yes=None, value="sure"), 0, "needs yes or no"),
        (yes(), 3600, "expired at 2026-03-01 10:00 UTC"),
    ],
    ids=["foreign", "malformed", "late"],
)
async def test_a_refused_answer_is_recorded_and_changes_nothing(
    inbox: SqlInbox,
    ledger: SqlLedger,
    record: SqlRecord,
    clock: StillClock,
    answer: Answer,
    after: float,
    why: str,
) -> None:
    """The question stays open, or expired, and there is no receipt."""
    clock.pass_(after)

    with pytest.raises(AnswerRefused, match=why):
        await inbox.answer(answer)

    line = (await record.lines("r-1"))[-1]
    assert line.event.kind == "answer.refused"
    assert line.event.actor == f"person:{answer.by.user}"
    assert await ledger.receipt(ASKED) is None
    found = await ledger.question(ASKED)
    assert found is not None and found.state == ("expired" if after else "open")
    assert found.answered_by is None


async def test_a_second_answer_is_refused_and_the_first_stands(
    inbox: SqlInbox, ledger: SqlLedger, record: SqlRecord
) -> None:
    """Also a no after a yes, twice: each refusal is an event of its own."""
    await inbox.answer(yes())

    for _ in range(2):
        with pytest.raises(AnswerRefused, match="already answered by grace"):
            await inbox.answer(yes(Principal.local("ada"), yes=False))

    found = await ledger.question(ASKED)
    assert found is not None and found.answered_by == "grace"
    assert [line.event.kind for line in await record.lines("r-1", after=2)] == ["answer.refused"] * 2


async def test_of_answers_given_at_once_one_wins(database: Database, ledger: SqlLedger) -> None:
    """Ten people answer through two open databases; one is heard and one receipt is left."""
    other = await Database.open(str(database.path))
    boxes = [SqlInbox(database, StillClock()), SqlInbox(other, StillClock())]

    async def give(number: int) -> str | InterlockError:
        by = Principal(user=f"p{number}", scopes=("shift-lead",))
        try:
            return (await boxes[number % 2].answer(yes(by))).answered_by or ""
        except AnswerRefused as refused:
            return refused

    said = await asyncio.gather(*(give(number) for number in range(10)))
    await other.close()

    winners = [answer for answer in said if isinstance(answer, str)]
    receipt = await ledger.receipt(ASKED)
    assert len(winners) == 1
    assert receipt is not None and receipt.given_by == winners[0]


async def test_an_unknown_question_is_named(inbox: SqlInbox) -> None:
    """There is nothing to record it in."""
    with pytest.raises(NotFound, match="'q-none'"):
        await inbox.answer(Answer(question="q-none", by=LEAD, yes=True))


async def test_the_owner_answers_what_is_asked_of_the_owner(inbox: SqlInbox, ledger: SqlLedger) -> None:
    """`owner` is the person who owns the run; a free answer leaves no receipt."""
    clarify = question("clarify", whom="owner", answer_schema={"type": "integer"})
    await ledger.commit(Batch("r-1", None, questions=[clarify]))

    with pytest.raises(AnswerRefused, match="is for ada; grace may not"):
        await inbox.answer(Answer(question=clarify.id, by=LEAD, value=3))
    answered = await inbox.answer(Answer(question=clarify.id, by=Principal(user="ada"), value=3))

    assert answered.answer == 3
    assert await ledger.receipt(clarify.id) is None


async def test_a_yes_to_a_question_about_no_call_leaves_no_receipt(
    inbox: SqlInbox, ledger: SqlLedger
) -> None:
    """There is nothing that it could be bound to."""
    bare = question("approve", id="q-bare", details={})
    await ledger.commit(Batch("r-1", None, questions=[bare]))

    await inbox.answer(Answer(question="q-bare", by=LEAD, yes=True))

    assert await ledger.receipt("q-bare") is None


async def test_questions_are_listed_oldest_first_and_by_what_they_are_now(
    inbox: SqlInbox, ledger: SqlLedger, runs: SqlRuns, clock: StillClock
) -> None:
    """An open question past its expiry is listed as expired."""
    await runs.create(new_run("r-2"), [])
    clock.pass_(1)
    later = question("clarify", "r-2", asked_at=clock.now(), expires_at=START.replace(hour=23))
    await ledger.commit(Batch("r-2", None, questions=[later]))

    assert [q.id for q in await inbox.list()] == [ASKED, later.id]
    assert [q.id for q in await inbox.list(run="r-2")] == [later.id]
    clock.pass_(3600)
    assert [q.id for q in await inbox.list()] == [later.id]
    assert [(q.id, q.state) for q in await inbox.list("expired")] == [(ASKED, "expired")]
    assert [q.state for q in await inbox.list(None)] == ["expired", "open"]


async def test_questions_of_a_run_that_is_over_are_withdrawn(inbox: SqlInbox, ledger: SqlLedger) -> None:
    """In the transaction that ends the run; answered ones stay answered, and a late answer is refused."""
    done = question("clarify", id="q-done", answer_schema={"type": "string"})
    await ledger.commit(Batch("r-1", None, questions=[done]))
    await inbox.answer(Answer(question="q-done", by=LEAD, value="x"))

    await ledger.commit(Batch("r-1", None, move=Move(to="canceled", reason="not needed")))

    assert {q.id: q.state for q in await inbox.list(None)} == {ASKED: "withdrawn", "q-done": "answered"}
    with pytest.raises(AnswerRefused, match="already withdrawn"):
        await inbox.answer(yes())


async def test_where_a_question_was_asked_can_be_stored_later(inbox: SqlInbox, ledger: SqlLedger) -> None:
    """The path is known only when the graph has stopped."""
    await inbox.place(ASKED, ("strand", "returns", "confirm"))

    found = await ledger.question(ASKED)

    assert found is not None and found.path == ("strand", "returns", "confirm")
