"""Questions as people see them; the first accepted answer wins."""

from datetime import datetime

from sqlalchemy import Connection, bindparam, select, update

from interlock.core.canonical import digest, plain
from interlock.core.ports import Clock
from interlock.core.principal import Principal
from interlock.core.questions import Answer, Question, QuestionState, Receipt, accept
from interlock.core.redaction import redact
from interlock.errors import AnswerRefused, NotFound
from interlock.persistence import rows, schema
from interlock.persistence.database import Database

_q = schema.questions.c
_GET = select(schema.questions).where(_q.id == bindparam("question"))
_ANSWER = (
    update(schema.questions)
    .where(_q.id == bindparam("question"), _q.state == "open")
    .values(
        state="answered",
        answer=bindparam("given"),
        comment=bindparam("words"),
        answered_by=bindparam("by"),
        answered_at=bindparam("at"),
    )
)


class SqlInbox:
    """Implements `core.stores.Inbox`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        """Takes an open database and the clock that questions expire by."""
        self._database = database
        self._clock = clock

    async def list(self, state: QuestionState | None = "open", run: str | None = None) -> list[Question]:
        """Oldest first; an open question past its expiry is shown, and found, as expired."""
        now = self._clock.now()
        statement = select(schema.questions).order_by(_q.asked_at, _q.id)
        if state is not None:
            statement = statement.where(_q.state == ("open" if state == "expired" else state))
        if run is not None:
            statement = statement.where(_q.run == run)
        found = await self._database.read(lambda connection: connection.execute(statement).all())
        questions = [rows.shown(rows.question_of(row), now) for row in found]
        return [question for question in questions if state in (None, question.state)]

    async def answer(self, answer: Answer) -> Question:
        """Accepts an answer: the question, the receipt of a yes and the event in one transaction; first wins.

        Raises:
            NotFound: if there is no such question.
            AnswerRefused: malformed, late, second or foreign; recorded, and the question stays as it is.
        """
        now = self._clock.now()
        try:
            return await self._database.write(lambda connection: _accept(connection, answer, now))
        except AnswerRefused as refused:
            why = refused.message
            await self._database.write(lambda connection: _refuse(connection, answer, why, now))
            raise

    async def place(self, question: str, path: tuple[str, ...]) -> None:
        """Stores where in the graph a question was asked, once that is known."""
        statement = update(schema.questions).where(_q.id == question).values(path=rows.dump(list(path)))
        await self._database.write(lambda connection: connection.execute(statement))


def _asked(connection: Connection, question: str) -> Question:
    row = connection.execute(_GET, {"question": question}).first()
    if row is None:
        raise NotFound(f"there is no question {question!r}: `interlock approvals list` shows the open ones.")
    return rows.question_of(row)


def _accept(connection: Connection, answer: Answer, now: datetime) -> Question:
    asked = _asked(connection, answer.question)
    run = rows.locked(connection, asked.run)
    question = accept(asked, answer, Principal.model_validate_json(run.owner).user, now)
    given = {
        "question": question.id,
        "given": rows.dump(question.answer),
        "words": question.comment,
        "by": question.answered_by,
        "at": rows.stamp(now),
    }
    if connection.execute(_ANSWER, given).rowcount == 0:
        raise AnswerRefused(f"question {question.id} was answered by somebody else first, and stays so.")
    receipt = _receipt(question)
    if receipt is not None:
        connection.execute(schema.receipts.insert(), rows.receipt_values(receipt))
    body = {
        "question": question.id,
        "kind": question.kind,
        "answer": redact(plain(question.answer)),
        "comment": redact(question.comment),
        "by": question.answered_by,
        "receipt": None if receipt is None else receipt.id,
    }
    actor = f"person:{answer.by.user}"
    draft = rows.fact(question.run, "question.answered", actor, now, body, question.id, question.task)
    rows.append(connection, question.run, (run.head_seq, run.head_hash), [draft], now)
    return question


def _receipt(question: Question) -> Receipt | None:
    """What a yes to one exact call leaves behind; the asker stored what it is bound to."""
    yes = isinstance(question.answer, dict) and question.answer.get("yes") is True
    bound = question.details
    if question.kind != "approve" or not yes or "call" not in bound:
        return None
    facts = bound.get("facts")
    return Receipt(
        id="rc-" + digest([question.id], "receipt")[:12],
        question=question.id,
        run=question.run,
        task=question.task,
        tool=str(bound.get("tool")),
        call=str(bound["call"]),
        definition=str(bound.get("definition")),
        user=str(bound.get("user")),
        rule=str(bound.get("rule")),
        whom=str(bound.get("whom", question.whom)),
        facts=facts if isinstance(facts, dict) else {},
        given_by=str(question.answered_by),
        expires_at=question.expires_at,
    )


def _refuse(connection: Connection, answer: Answer, why: str, now: datetime) -> None:
    asked = _asked(connection, answer.question)
    run = rows.locked(connection, asked.run)
    body = {"question": asked.id, "by": answer.by.user, "why": redact(why)}
    draft = rows.fact(
        asked.run,
        "answer.refused",
        f"person:{answer.by.user}",
        now,
        body,
        f"{asked.id}@{run.head_seq}",  # the same wrong answer given twice is two facts
        asked.task,
    )
    rows.append(connection, asked.run, (run.head_seq, run.head_hash), [draft], now)
