"""One task in one attempt: its questions, its buffer, and what it has sent."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from interlock.core.guards import Guards
from interlock.core.journal import Entry, Slot
from interlock.core.limits import Budget, Deadline, Limits
from interlock.core.ports import Batch
from interlock.core.principal import Principal
from interlock.core.questions import Question, Receipt
from interlock.core.redaction import MASK
from interlock.core.runs import RunState
from interlock.core.scope import TaskScope
from interlock.errors import DoorsClosed, LeaseLost, NotBound

NOW = datetime(2030, 6, 15, 12, tzinfo=UTC)


class Stopped(BaseException):
    """Stops the graph, as an interrupt does."""


@dataclass
class StillClock:
    """A clock that is moved by hand."""

    at: datetime = NOW

    def now(self) -> datetime:
        """The time that was set."""
        return self.at

    def monotonic(self) -> float:
        """The same, in seconds."""
        return self.at.timestamp()


@dataclass
class Memory:
    """A ledger in memory."""

    batches: list[Batch] = field(default_factory=list[Batch])
    questions: dict[str, Question] = field(default_factory=dict[str, Question])
    entries: list[Entry] = field(default_factory=list[Entry])
    fails: BaseException | None = None

    async def load(self, run: str, task: str | None = None) -> list[Entry]:
        """What was recorded."""
        return [each for each in self.entries if each.run == run and task in (None, each.task)]

    async def commit(self, batch: Batch) -> None:
        """Keeps the batch, or fails as it was told to."""
        if self.fails is not None:
            raise self.fails
        self.batches.append(batch)
        self.entries += batch.entries
        for question in batch.questions:
            self.questions.setdefault(question.id, question)

    async def question(self, question: str) -> Question | None:
        """The question as it stands."""
        return self.questions.get(question)

    async def receipt(self, question: str) -> Receipt | None:
        """There are none."""
        return None

    async def outcome_of(self, run: str) -> RunState:
        """It is running."""
        return "executing"

    def answer(self, question: str, value: Any = "M") -> None:
        """Somebody answers."""
        asked = self.questions[question]
        self.questions[question] = asked.model_copy(update={"state": "answered", "answer": value})


def stop(question: Question) -> None:
    """Stops the graph."""
    raise Stopped(question.id)


def scope(ledger: Memory | None = None, **changes: Any) -> TaskScope:
    """The scope of a task that nothing has happened in."""
    clock = StillClock()
    fields: dict[str, Any] = {
        "run": "r-1",
        "task": "returns",
        "attempt": 0,
        "agent": "returns",
        "version": "v1",
        "tools": (),
        "principal": Principal.local("ada"),
        "fence": 7,
        "ledger": ledger or Memory(),
        "clock": clock,
        "budget": Budget(Limits(), "task returns"),
        "deadline": Deadline.after(60, clock.monotonic),
        "suspend": stop,
    }
    return TaskScope(**{**fields, **changes})


async def ask(task: TaskScope, asked: str = "size", **changes: Any) -> Question:
    """Asks which size is meant."""
    return await task.ask("clarify", asked, f"Which {asked}?", {"order": "A-1"}, **changes)


def entry(**changes: Any) -> Entry:
    """A reading call."""
    fields: dict[str, Any] = {
        "run": "r-1",
        "task": "returns",
        "attempt": 0,
        "digest": "c",
        "nth": 0,
        "kind": "read",
        "operation": "shop/find",
        "arguments": {},
        "state": "answered",
    }
    return Entry(**{**fields, **changes})


async def test_question_is_stored_before_the_graph_stops() -> None:
    """It is listed with its event the moment it is asked, and stands as pending."""
    memory = Memory()
    task = scope(memory)

    with pytest.raises(Stopped):
        await ask(task, whom="shift-lead", within_s=60)

    (batch,) = memory.batches
    (question,) = batch.questions
    assert (question.title, question.whom, question.details) == (
        "Which size?",
        "shift-lead",
        {"order": "A-1"},
    )
    assert question.expires_at == NOW + timedelta(seconds=60)
    assert [draft.kind for draft in batch.drafts] == ["question.asked"]
    assert task.pending == question


async def test_same_question_finds_its_answer() -> None:
    """A re-executed task asks nothing new: it gets the answer that was given."""
    memory = Memory()
    with pytest.raises(Stopped) as stopped:
        await ask(scope(memory))
    memory.answer(str(stopped.value))
    again = scope(memory)

    question = await ask(again)

    assert (question.answer, again.pending, len(memory.batches)) == ("M", None, 1)
    again.raise_pending()


async def test_wake_up_without_an_answer_is_none() -> None:
    """What resumes the graph carries no authority: the door asks until its question is answered."""
    memory, woken = Memory(), list[str]()

    def wake(question: Question) -> None:
        woken.append(question.id)
        if len(woken) == 3:
            memory.answer(question.id, "L")

    question = await ask(scope(memory, suspend=wake))

    assert (question.answer, len(woken)) == ("L", 3)


async def test_expired_question_stops_nothing() -> None:
    """Past its expiry a question comes back open and unanswered."""
    memory, clock = Memory(), StillClock()
    with pytest.raises(Stopped):
        await ask(scope(memory, clock=clock), within_s=60)
    clock.at += timedelta(seconds=60)

    question = await ask(scope(memory, clock=clock))

    assert (question.state, question.answer) == ("open", None)


async def test_swallowed_question_is_raised_again() -> None:
    """A body that catches everything still stops."""
    task, swallowed = scope(), False
    try:
        await ask(task)
    except BaseException:
        swallowed = True

    assert swallowed
    with pytest.raises(Stopped):
        task.raise_pending()


async def test_swallowed_question_is_not_forgotten_over_another_one() -> None:
    """A second question that was answered meanwhile does not clear the first."""
    memory = Memory()
    woken = iter([False, True])

    def wake(question: Question) -> None:
        if not next(woken):
            raise Stopped(question.id)
        memory.answer(question.id)

    task = scope(memory, suspend=wake)
    with pytest.raises(Stopped):
        await ask(task, "size")
    await ask(task, "colour")

    assert task.pending is not None and task.pending.title == "Which size?"
    with pytest.raises(Stopped):
        task.raise_pending()


async def test_unbound_graph_has_nobody_to_ask() -> None:
    """Without a database a question is one clear error."""
    with pytest.raises(NotBound, match=r"task 'returns' has a question \(Which size\?\)"):
        await ask(scope(bound=False))


async def test_what_was_sent_survives_a_cancel() -> None:
    """A call on its way is finished when its caller is canceled, and closing waits for it."""
    task, sent, arrived = scope(), asyncio.Event(), list[str]()

    async def send() -> None:
        await sent.wait()
        arrived.append("paid")

    body = asyncio.create_task(task.until_sent(send()))
    await asyncio.sleep(0)
    body.cancel()
    with pytest.raises(asyncio.CancelledError):
        await body
    closing = asyncio.create_task(task.close())
    await asyncio.sleep(0)
    assert not closing.done() and arrived == []

    sent.set()
    await closing

    assert arrived == ["paid"]


async def test_what_was_sent_survives_a_cancel_while_closing() -> None:
    """Even the closing may be canceled, more than once: it ends when what was sent has ended."""
    task, sent, arrived = scope(), asyncio.Event(), list[str]()

    async def send() -> None:
        await sent.wait()
        arrived.append("paid")

    body = asyncio.create_task(task.until_sent(send()))
    await asyncio.sleep(0)
    closing = asyncio.create_task(task.close())
    for _ in range(2):
        await asyncio.sleep(0)
        closing.cancel()
    await asyncio.sleep(0)
    assert not closing.done()

    sent.set()
    with pytest.raises(asyncio.CancelledError):
        await closing

    assert arrived == ["paid"]
    await body


async def test_result_and_error_of_what_was_sent_come_back() -> None:
    """Undisturbed, sending is a plain call."""

    async def fine() -> int:
        return 1

    async def wrong() -> int:
        raise ValueError("no")

    task = scope()

    assert await task.until_sent(fine()) == 1
    with pytest.raises(ValueError, match="no"):
        await task.until_sent(wrong())
    await task.close()


async def test_closed_doors_refuse() -> None:
    """After the body has returned nothing can be called any more."""
    task = scope()
    task.check_open()

    await task.close()

    with pytest.raises(DoorsClosed, match="task 'returns' is over"):
        task.check_open()


async def test_flush_writes_all_in_one_batch() -> None:
    """Notes, calls and what goes with them are one transaction under the worker's number."""
    memory = Memory()
    task = scope(memory)
    task.note("tool.read", {"tool": "shop/find"}, "c")
    task.journal.put(entry())

    await task.flush(entries=[entry(nth=1)], use_receipt="p-1")
    await task.flush()

    (batch,) = memory.batches
    assert (batch.run, batch.fence, batch.use_receipt) == ("r-1", 7, "p-1")
    assert ([d.kind for d in batch.drafts], [e.nth for e in batch.entries]) == (["tool.read"], [0, 1])


@pytest.mark.parametrize("alone", [{"use_receipt": "p-1"}, {"effect_key": ("pay/refund", "A-1")}])
async def test_receipt_or_key_alone_is_written(alone: dict[str, Any]) -> None:
    """What must be used once is used, also when there is nothing else to say."""
    memory = Memory()

    await scope(memory).flush(**alone)

    assert len(memory.batches) == 1


@pytest.mark.parametrize("error", [LeaseLost(), asyncio.CancelledError()])
async def test_failed_flush_keeps_the_buffer(error: BaseException) -> None:
    """What could not be written is written with the next flush, in order; what was handed over is not."""
    memory = Memory(fails=error)
    task = scope(memory)
    task.note("tool.read", {}, "a")
    task.journal.put(entry())
    with pytest.raises(type(error)):
        await task.flush(entries=[entry(nth=9)])
    memory.fails = None
    task.note("tool.denied", {}, "b")

    await task.flush()

    (batch,) = memory.batches
    assert ([d.kind for d in batch.drafts], [e.nth for e in batch.entries]) == (
        ["tool.read", "tool.denied"],
        [0],
    )


async def test_without_fencing_any_worker_writes() -> None:
    """With the guard off the number does not travel: an old worker's writes would pass."""
    memory = Memory()
    task = scope(memory, guards=Guards(fencing=False))
    task.note("tool.read", {})

    await task.flush()

    assert memory.batches[0].fence is None


async def test_secrets_never_reach_the_record() -> None:
    """Events and review cards are redacted before they are stored."""
    memory = Memory()
    task = scope(memory)
    task.note("tool.read", {"note": "password: hunter22"})
    with pytest.raises(Stopped):
        await task.ask("clarify", "d", "Which?", {"note": "password: hunter22"})

    (batch,) = memory.batches
    assert [draft.body.get("note") for draft in batch.drafts] == [MASK, None]
    assert batch.questions[0].details == {"note": MASK}
    assert "hunter22" not in repr(batch)


async def test_same_fact_has_the_same_id() -> None:
    """A re-executed task writes the same events; another attempt writes others."""
    first, again, retry = scope(), scope(), scope(attempt=1)

    ids = [task.draft("tool.read", {}, "c").id for task in (first, again, retry)]

    assert ids[0] == ids[1] != ids[2]
    assert first.draft("tool.read", {"x": 1}).body == {"version": "v1", "x": 1}


async def test_opening_takes_over_what_was_recorded() -> None:
    """Replays are found, and what they have cost is counted."""
    task = scope(Memory(entries=[entry(answer="old"), entry(task="risk", digest="x")]))

    await task.open()

    found = task.journal.recorded(Slot("c", 0))
    assert found is not None and found.answer == "old"
    assert task.budget.spent.tool_calls == 1


async def test_evidence_is_told_once() -> None:
    """The same answer of the same source is one piece of evidence."""
    task = scope()

    for source in ("shop/find", "shop/find", "carrier/track"):
        task.tell(source, "c", {"id": "A-1"})

    assert [each.source for each in task.evidence] == ["shop/find", "carrier/track"]
