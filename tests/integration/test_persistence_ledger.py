"""The ledger: what belongs together is stored together, in one unbroken chain, by the holder of the lease."""

import asyncio
from datetime import timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from interlock.core.audit import broken_links, verify
from interlock.core.journal import Entry, EntryState
from interlock.core.limits import Spend
from interlock.core.ports import Batch, Move
from interlock.errors import EffectTaken, LeaseLost, NotFound, ReceiptUsed, WrongState
from interlock.persistence import rows, schema
from interlock.persistence.database import Database
from interlock.persistence.ledger import SqlLedger
from interlock.persistence.record import SqlRecord
from interlock.persistence.runs import SqlRuns
from tests.integration.stored import START, Child, StillClock, draft, entry, new_run, question

KEY = ("payments/refund", "order-1/line-1")


@pytest.fixture(autouse=True)
async def run(runs: SqlRuns) -> None:
    """A run whose chain begins with one event."""
    await runs.create(new_run(), [draft("created", task="")])


async def kinds(record: SqlRecord, run: str = "r-1") -> list[str]:
    """The kinds of a run's events."""
    return [line.event.kind for line in await record.lines(run)]


async def give_receipt(database: Database, receipt: str = "rc-1", run: str = "r-1") -> None:
    """A receipt as a yes leaves it."""
    asked = question(run=run)
    values: dict[str, Any] = {
        "id": receipt, "v": 1, "question": asked.id, "run": run, "task": "t1", "tool": "payments/refund",
        "call": "call-1", "definition": "def-1", "user": "ada", "rule": "rule-1", "whom": "shift-lead",
        "facts": None, "given_by": "grace", "expires_at": rows.stamp(START + timedelta(hours=1)),
    }  # fmt: skip
    await database.write(
        lambda c: (
            c.execute(schema.questions.insert(), rows.question_values(asked)),
            c.execute(schema.receipts.insert(), values),
        )
    )


async def test_a_batch_reads_back_as_it_was_written(ledger: SqlLedger, record: SqlRecord) -> None:
    """Entries, questions and events come back equal, and the events in their order."""
    error: Any = {"code": "tool_failed", "message": "no such order"}
    entries = [
        entry("d1", answer={"name": "Zoë", "n": [1, 2.5, None, True]}, position=1),
        entry("d2", "failed", answer=None, error=error, key="il-1", definition="def", position=2),
    ]

    await ledger.commit(
        Batch("r-1", None, drafts=[draft("a"), draft("b")], entries=entries, questions=[question()])
    )

    assert await ledger.load("r-1", "t1") == entries
    assert await ledger.question(question().id) == question()
    assert [line.body for line in await record.lines("r-1", after=1)] == [draft("a").body, draft("b").body]


async def test_the_journal_comes_back_in_the_order_of_the_calls(ledger: SqlLedger) -> None:
    """By position, then by digest; of one task, or of the whole run."""
    scattered = [
        entry("b", position=2),
        entry("a", position=2),
        entry("z", position=1),
        entry("other", task="t2", position=3),
    ]
    await ledger.commit(Batch("r-1", None, entries=scattered))

    assert [e.digest for e in await ledger.load("r-1", "t1")] == ["z", "a", "b"]
    assert [e.digest for e in await ledger.load("r-1")] == ["z", "a", "b", "other"]
    assert await ledger.load("r-2") == []


async def test_an_older_fencing_number_writes_nothing(
    ledger: SqlLedger, runs: SqlRuns, record: SqlRecord, clock: StillClock
) -> None:
    """The error names both numbers."""
    old = await runs.claim("r-1", "one", 10)
    clock.pass_(11)
    await runs.claim("r-1", "two", 10)
    before = await kinds(record)

    with pytest.raises(LeaseLost, match=r"fencing number 2.*holds 1"):
        await ledger.commit(Batch("r-1", old, drafts=[draft("a")], entries=[entry()], questions=[question()]))

    assert await kinds(record) == before
    assert await ledger.load("r-1") == []
    assert await ledger.question(question().id) is None


async def test_people_write_without_a_lease(ledger: SqlLedger, runs: SqlRuns) -> None:
    """A batch without a number is taken while a worker holds the run."""
    await runs.claim("r-1", "one", 10)

    await ledger.commit(Batch("r-1", None, entries=[entry()]))

    assert len(await ledger.load("r-1")) == 1


async def test_the_same_event_is_stored_once(ledger: SqlLedger, record: SqlRecord) -> None:
    """In one batch and in a later one: a re-executed task adds nothing."""
    await ledger.commit(Batch("r-1", None, drafts=[draft("a"), draft("a"), draft("b")]))
    await ledger.commit(Batch("r-1", None, drafts=[draft("b"), draft("c", body={"new": 1}), draft("a")]))

    assert [line.event.id for line in await record.lines("r-1", after=1)] == [
        draft("a").id,
        draft("b").id,
        draft("c").id,
    ]


async def test_events_are_stored_in_utc(ledger: SqlLedger, record: SqlRecord) -> None:
    """A draft with another offset verifies, and reads back as the same moment."""
    there = START.astimezone(timezone(timedelta(hours=9)))
    await ledger.commit(Batch("r-1", None, drafts=[draft("a", at=there)]))

    line = (await record.lines("r-1"))[-1]

    assert line.event.at == there
    assert line.event.hash == line.hash


STATES: list[EntryState] = ["planned", "sent", "unknown", "confirmed", "failed", "compensated"]
RANK = {"planned": 0, "sent": 1, "unknown": 2, "confirmed": 3, "failed": 3, "compensated": 4}


@pytest.mark.parametrize("before", STATES)
@pytest.mark.parametrize("after", STATES)
async def test_an_effect_never_goes_back(ledger: SqlLedger, before: EntryState, after: EntryState) -> None:
    """A later state replaces an earlier one; what is known for good stays as it is."""
    await ledger.commit(Batch("r-1", None, entries=[entry("e", before, answer="old")]))
    await ledger.commit(Batch("r-1", None, entries=[entry("e", after, answer="new")]))

    (found,) = await ledger.load("r-1")
    forward = RANK[after] > RANK[before] or (after == before and RANK[before] < 3)

    assert (found.state, found.answer) == ((after, "new") if forward else (before, "old"))


async def test_a_read_can_be_recorded_again(ledger: SqlLedger) -> None:
    """Only effects are held; a read is what was recorded last."""
    await ledger.commit(Batch("r-1", None, entries=[entry("d", answer=1)]))
    await ledger.commit(Batch("r-1", None, entries=[entry("d", answer=2)]))

    assert [e.answer for e in await ledger.load("r-1")] == [2]


async def test_a_question_is_stored_once(ledger: SqlLedger) -> None:
    """Asked again by a re-execution, it stays as it was first asked."""
    await ledger.commit(Batch("r-1", None, questions=[question()]))
    await ledger.commit(Batch("r-1", None, questions=[question(title="something else")]))

    found = await ledger.question(question().id)

    assert found is not None and found.title == question().title


async def test_a_question_past_its_expiry_reads_as_expired(ledger: SqlLedger, clock: StillClock) -> None:
    """Nobody has to come by and mark it."""
    await ledger.commit(Batch("r-1", None, questions=[question()]))
    clock.pass_(3600)

    found = await ledger.question(question().id)

    assert found is not None and found.state == "expired"


async def test_a_receipt_is_used_once(ledger: SqlLedger, database: Database) -> None:
    """The second use fails, and with it everything else in its batch."""
    await give_receipt(database)
    await ledger.commit(Batch("r-1", None, entries=[entry("one", "sent")], use_receipt="rc-1"))

    with pytest.raises(ReceiptUsed, match="rc-1 was used at 2026-03-01T09"):
        await ledger.commit(Batch("r-1", None, entries=[entry("two", "sent")], use_receipt="rc-1"))

    assert [e.digest for e in await ledger.load("r-1")] == ["one"]
    receipt = await ledger.receipt(question().id)
    assert receipt is not None and receipt.used_at == START


async def test_a_receipt_of_another_run_is_no_receipt(
    ledger: SqlLedger, runs: SqlRuns, database: Database
) -> None:
    """Nor is one that was never given."""
    await runs.create(new_run("r-2"), [])
    await give_receipt(database, "rc-2", run="r-2")

    for receipt in ("rc-2", "rc-none"):
        with pytest.raises(NotFound, match="nobody approved"):
            await ledger.commit(Batch("r-1", None, use_receipt=receipt))


async def test_there_is_no_receipt_before_the_yes(ledger: SqlLedger) -> None:
    """An unanswered question has left nothing."""
    await ledger.commit(Batch("r-1", None, questions=[question()]))

    assert await ledger.receipt(question().id) is None


def sent(run: str = "r-1", task: str = "t1", state: EntryState = "sent") -> Entry:
    """A refund on its way."""
    return entry(f"refund-{run}-{task}", state, run=run, task=task)


async def test_an_effect_key_belongs_to_one_task_of_one_run(ledger: SqlLedger, runs: SqlRuns) -> None:
    """Claimed again by the same task it is fine; by another task or run it fails and names the holder."""
    await runs.create(new_run("r-2"), [])
    await ledger.commit(Batch("r-1", None, entries=[sent()], effect_key=KEY))
    await ledger.commit(Batch("r-1", None, entries=[sent()], effect_key=KEY))

    for run, task in (("r-2", "t1"), ("r-1", "t2")):
        with pytest.raises(EffectTaken, match=r"run r-1 .task 't1'."):
            await ledger.commit(Batch(run, None, entries=[sent(run, task)], effect_key=KEY))

    assert await ledger.load("r-2") == []


@pytest.mark.parametrize("ended", ["failed", "compensated"])
async def test_an_effect_that_did_not_happen_frees_its_key(
    ledger: SqlLedger, runs: SqlRuns, ended: EntryState
) -> None:
    """What the server refused, or what was taken back, may be done by another run."""
    for run in ("r-2", "r-3"):
        await runs.create(new_run(run), [])
    await ledger.commit(Batch("r-1", None, entries=[sent()], effect_key=KEY))
    await ledger.commit(
        Batch("r-1", None, entries=[sent(state="confirmed")] if ended == "compensated" else [])
    )
    await ledger.commit(Batch("r-1", None, entries=[sent(state=ended)]))

    await ledger.commit(Batch("r-2", None, entries=[sent("r-2")], effect_key=KEY))

    with pytest.raises(EffectTaken, match="run r-2"):
        await ledger.commit(Batch("r-3", None, entries=[sent("r-3")], effect_key=KEY))


@pytest.mark.parametrize("state", ["sent", "unknown", "confirmed"])
async def test_an_effect_that_may_have_happened_keeps_its_key(
    ledger: SqlLedger, runs: SqlRuns, state: EntryState
) -> None:
    """Above all one of which nobody knows."""
    await runs.create(new_run("r-2"), [])
    await ledger.commit(Batch("r-1", None, entries=[sent(state=state)], effect_key=KEY))

    with pytest.raises(EffectTaken):
        await ledger.commit(Batch("r-2", None, entries=[sent("r-2")], effect_key=KEY))


async def test_two_moves_are_one_transaction(ledger: SqlLedger, runs: SqlRuns, record: SqlRecord) -> None:
    """Each has its event, in order; where the second is not in the table, neither is made."""
    loaded = Move("context_loaded", "loaded")
    with pytest.raises(WrongState):
        await ledger.commit(Batch("r-1", None, move=loaded, then=Move("created", "")))
    assert (await runs.get("r-1")).state == "created"

    await ledger.commit(Batch("r-1", None, move=loaded, then=Move("planning", "tried")))

    run, lines = await runs.get("r-1"), await record.lines("r-1")
    assert (run.state, run.reason) == ("planning", "tried")
    moves = [line.body for line in lines if line.event.kind == "run.moved"]
    assert [(body["from"], body["to"]) for body in moves if isinstance(body, dict)] == [
        ("created", "context_loaded"), ("context_loaded", "planning")
    ]  # fmt: skip


async def test_a_move_changes_the_row_and_adds_its_event(
    ledger: SqlLedger, runs: SqlRuns, record: SqlRecord, clock: StillClock
) -> None:
    """State, outcome, response, reason and spend are stored with the event that says so."""
    spend = Spend(seconds=1.5, usd=Decimal("0.25"), tokens=7)
    clock.pass_(5)
    await ledger.commit(Batch("r-1", None, move=Move("context_loaded", "loaded")))
    await ledger.commit(Batch("r-1", None, move=Move("planning", "planned")))
    last = Move("completed", "accepted", "resolved", {"text": "done"})
    await ledger.commit(Batch("r-1", None, drafts=[draft("gate", actor="gate")], move=last, spend=spend))

    run = await runs.get("r-1")
    event = (await record.lines("r-1"))[-1]

    assert (run.state, run.outcome, run.response, run.reason, run.spend) == (
        "completed", "resolved", {"text": "done"}, "accepted", spend
    )  # fmt: skip
    assert run.updated_at == START + timedelta(seconds=5)
    assert (event.event.kind, event.event.actor) == ("run.moved", "gate")
    assert event.body == {"from": "planning", "to": "completed", "reason": "accepted", "outcome": "resolved"}
    assert await ledger.outcome_of("r-1") == "completed"


async def test_the_same_move_made_twice_is_two_events(ledger: SqlLedger, record: SqlRecord) -> None:
    """A run may wait for people more than once."""
    path: Any = ["context_loaded", "planning", "executing", "waiting_for_approval", "executing",
                 "waiting_for_approval"]  # fmt: skip
    for state in path:
        await ledger.commit(Batch("r-1", None, move=Move(state, "")))

    assert (await kinds(record))[1:] == ["run.moved"] * 6


async def test_a_move_that_is_not_in_the_table_writes_nothing(ledger: SqlLedger, record: SqlRecord) -> None:
    """The whole batch is refused."""
    with pytest.raises(WrongState, match="created and cannot become completed"):
        await ledger.commit(Batch("r-1", None, drafts=[draft("a")], move=Move("completed", "")))

    assert await kinds(record) == ["tool.read"]


async def test_a_run_that_does_not_exist_takes_no_batch(ledger: SqlLedger) -> None:
    """Nor has it a state."""
    with pytest.raises(NotFound, match="'r-9'"):
        await ledger.commit(Batch("r-9", None, drafts=[draft("a", "r-9")]))
    with pytest.raises(NotFound, match="'r-9'"):
        await ledger.outcome_of("r-9")


async def test_a_body_that_json_cannot_hold_writes_nothing(ledger: SqlLedger, record: SqlRecord) -> None:
    """Not even the events before it."""
    with pytest.raises(ValueError, match="nan"):
        await ledger.commit(
            Batch("r-1", None, drafts=[draft("a"), draft("b", body={"x": float("nan")})], entries=[entry()])
        )

    assert await kinds(record) == ["tool.read"]
    assert await ledger.load("r-1") == []


async def test_writers_of_one_process_leave_one_unbroken_chain(
    ledger: SqlLedger, record: SqlRecord, runs: SqlRuns
) -> None:
    """Eight tasks that commit at the same time."""
    fence = await runs.claim("r-1", "one", 60)

    async def work(task: str) -> None:
        for number in range(10):
            drafts = [draft(f"{number}-{part}", task=task) for part in "ab"]
            await ledger.commit(Batch("r-1", fence, drafts=drafts, entries=[entry(f"d{number}", task=task)]))

    await asyncio.gather(*(work(f"w{number}") for number in range(8)))
    lines = await record.lines("r-1")

    assert len(lines) == 2 + 8 * 10 * 2
    assert broken_links("r-1", [(line.event, line.hash) for line in lines]) == []
    assert len(await ledger.load("r-1")) == 80


WRITER = """
import asyncio, sys
from interlock.core.ports import Batch
from interlock.persistence.database import Database
from interlock.persistence.ledger import SqlLedger
from sqlalchemy import Engine, event
from tests.integration.stored import StillClock, draft, entry
path, task, stop_at = sys.argv[1], sys.argv[2], int(sys.argv[3])
done = 0
@event.listens_for(Engine, "commit")
def committing(connection):
    if connection.get_execution_options().get("interlock_write"):
        if done == stop_at:
            print("committing", flush=True)
            sys.stdin.readline()
async def main():
    global done
    database = await Database.open(path)
    ledger = SqlLedger(database, StillClock())
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(20):
        drafts = [draft(f"{number}-{part}", task=task) for part in "abc"]
        entries = [entry(f"d{number}-{part}", task=task) for part in "xy"]
        await ledger.commit(Batch("r-1", None, drafts=drafts, entries=entries))
        done += 1
        print(done, flush=True)
    await database.close()
asyncio.run(main())
"""


async def test_writers_of_several_processes_leave_one_unbroken_chain(
    database: Database, record: SqlRecord
) -> None:
    """Four processes that commit to one run at the same time."""
    children = [Child(WRITER, database.path, f"p{number}", -1) for number in range(4)]
    for child in children:
        await child.line()
    for child in children:
        child.tell()

    assert [await child.end() for child in children] == [0] * 4
    lines = await record.lines("r-1")
    assert len(lines) == 1 + 4 * 20 * 3
    assert broken_links("r-1", [(line.event, line.hash) for line in lines]) == []


@pytest.mark.parametrize("stop_at", [0, 7])
async def test_a_process_killed_while_it_commits_leaves_no_half_batch(
    database: Database, ledger: SqlLedger, record: SqlRecord, stop_at: int
) -> None:
    """Killed when all is written and nothing committed: earlier batches are whole, this one is absent."""
    child = Child(WRITER, database.path, "p", stop_at)
    await child.line()
    child.tell()
    while await child.line() != "committing":
        pass
    await child.kill()

    lines = await record.lines("r-1")

    assert len(lines) == 1 + stop_at * 3
    assert len(await ledger.load("r-1")) == stop_at * 2
    assert verify(lines, [], lambda *_: None, ends={"r-1": await record.end("r-1")}).whole
    await ledger.commit(Batch("r-1", None, drafts=[draft("next")]))


async def test_a_process_killed_anywhere_keeps_what_it_acknowledged(
    database: Database, ledger: SqlLedger, record: SqlRecord
) -> None:
    """Killed without a word in between its commits: every batch it reported is there, and each is whole."""
    child = Child(WRITER, database.path, "p", -1)
    await child.line()
    child.tell()
    while (said := await child.line()) != "5":
        assert said
    await child.kill()

    events = len(await record.lines("r-1")) - 1

    assert events >= 15 and events % 3 == 0
    assert len(await ledger.load("r-1")) == events // 3 * 2
    assert verify(await record.lines("r-1"), [], lambda *_: None, ends={"r-1": await record.end("r-1")}).whole
