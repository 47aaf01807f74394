"""The record on a real file: signed, erasable, and every change behind its back is found and named."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from interlock.core.audit import Report, verify
from interlock.core.events import Head, chain
from interlock.core.journal import Entry
from interlock.core.limits import Spend
from interlock.core.ports import Batch, Move
from interlock.core.questions import Answer
from interlock.core.runs import Run
from interlock.errors import LeaseLost, NotFound, RecordBroken, RunBusy, WrongState
from interlock.persistence import rows
from interlock.persistence.artifacts import SqlArtifacts
from interlock.persistence.database import Database
from interlock.persistence.inbox import SqlInbox
from interlock.persistence.ledger import SqlLedger
from interlock.persistence.record import SqlRecord
from interlock.persistence.runs import SqlRuns
from interlock.persistence.signing import Signer
from tests.integration.stored import LEAD, START, StillClock, draft, entry, new_run, question, tamper


@pytest.fixture(autouse=True)
async def run(runs: SqlRuns, ledger: SqlLedger) -> None:
    """A run of five events."""
    await runs.create(new_run(input={"email": "kim@example.com"}, subject="kim"), [draft("1", task="")])
    await ledger.commit(Batch("r-1", None, drafts=[draft(str(number)) for number in range(2, 6)]))


async def audit(record: SqlRecord, signer: Signer, exported: Sequence[Head] = ()) -> Report:
    """What `audit verify` does for one run."""
    return verify(
        await record.lines("r-1"),
        await record.heads("r-1"),
        signer.check,
        ends={"r-1": await record.end("r-1")},
        exported=exported,
    )


def forge(path: Path, seq: int, tag: str) -> None:
    """Rewrites one event and recomputes the whole chain after it, bodies and the run's row included."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.row_factory = sqlite3.Row
        found = connection.execute(
            "SELECT e.*, b.salt, b.body FROM events e JOIN bodies b USING (run, seq) ORDER BY seq"
        ).fetchall()
        prev = "0" * 64
        for row in found:
            body: Any = {"tag": tag} if row["seq"] == seq else rows.load(row["body"])
            made = draft(
                "x", id=row["id"], kind=row["kind"], actor=row["actor"], at=rows.moment(row["at"]), body=body
            )
            event = chain("r-1", row["seq"], prev, made.model_copy(update={"task": row["task"]}), row["salt"])
            prev = event.hash
            connection.execute(
                "UPDATE events SET prev = ?, body_digest = ?, hash = ? WHERE seq = ?",
                (event.prev, event.body_digest, prev, row["seq"]),
            )
            connection.execute("UPDATE bodies SET body = ? WHERE seq = ?", (rows.dump(body), row["seq"]))
        connection.execute("UPDATE runs SET head_hash = ?", (prev,))


async def test_lines_come_in_order_from_the_one_asked_for(record: SqlRecord) -> None:
    """With their bodies and salts."""
    lines = await record.lines("r-1", after=3)

    assert [line.event.seq for line in lines] == [4, 5]
    assert [line.body for line in lines] == [draft("4").body, draft("5").body]
    assert len({line.salt for line in await record.lines("r-1")}) == 5


async def test_an_untouched_record_verifies(record: SqlRecord, signer: Signer) -> None:
    """All of it is signed, and the sentence says whom that excludes."""
    head = await record.sign("r-1", START)

    report = await audit(record, signer)

    assert head.seq == 5
    assert report.whole and report.signed == 5 and not report.unsigned
    assert "has not the signing key has changed none of the 5 signed events" in report.sentence


async def test_signing_the_same_end_twice_is_harmless(record: SqlRecord, ledger: SqlLedger) -> None:
    """The first head is returned; a longer chain gets a new one."""
    first = await record.sign("r-1", START)

    assert await record.sign("r-1", START + timedelta(hours=1)) == first
    await ledger.commit(Batch("r-1", None, drafts=[draft("6")]))
    second = await record.sign("r-1", START + timedelta(hours=1))
    assert await record.heads("r-1") == await record.heads() == [first, second]


async def test_only_what_is_recorded_is_signed(record: SqlRecord, runs: SqlRuns) -> None:
    """Neither an unknown run nor an empty record."""
    await runs.create(new_run("r-2"), [])

    with pytest.raises(NotFound, match="nothing is recorded of run r-2"):
        await record.sign("r-2", START)
    with pytest.raises(NotFound, match="'r-9'"):
        await record.sign("r-9", START)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET actor = 'somebody' WHERE seq = 2",
        "DELETE FROM events WHERE seq = 5",
        "INSERT OR REPLACE INTO events SELECT run, seq, v, id, prev, at, 'x', kind, task, attempt, "
        "body_digest, hash FROM events WHERE seq = 2",
        "UPDATE bodies SET body = '{}' WHERE seq = 2",
        "UPDATE bodies SET body = NULL, salt = NULL WHERE seq = 2",
        "UPDATE bodies SET seq = 9, body = NULL, salt = NULL, erased_at = 'now' WHERE seq = 2",
        "DELETE FROM bodies WHERE seq = 5",
        "INSERT OR REPLACE INTO bodies SELECT run, seq, salt, '{}', NULL FROM bodies WHERE seq = 2",
        "UPDATE heads SET hash = 'x'",
        "DELETE FROM heads",
        "INSERT OR REPLACE INTO heads SELECT run, seq, key_id, 'x', signature, at FROM heads",
    ],
)
async def test_the_database_refuses_to_change_the_record(
    record: SqlRecord, database: Database, statement: str
) -> None:
    """Also for those who write SQL by hand."""
    await record.sign("r-1", START)

    with (
        closing(sqlite3.connect(database.path)) as connection,
        pytest.raises(sqlite3.IntegrityError, match="can only be appended to"),
    ):
        connection.execute(statement)


@pytest.mark.parametrize(
    ("statement", "seq", "what"),
    [
        ("UPDATE events SET actor = 'person:mallory' WHERE seq = 3", 3, "does not have its own hash"),
        ("UPDATE events SET at = '2026-03-01T09:00:01.000000Z' WHERE seq = 2", 2, "its own hash"),
        ("UPDATE events SET hash = '0' WHERE seq = 5", 5, "its own hash"),
        ('UPDATE bodies SET body = \'{"tag":"3!"}\' WHERE seq = 3', 3, "its body was changed"),
        ("UPDATE bodies SET body = NULL, salt = NULL, erased_at = 'x' WHERE seq = 4", 4, "no erasure"),
        ("DELETE FROM bodies WHERE seq = 1", 1, "its body is gone"),
        ("DELETE FROM events WHERE seq IN (2, 3)", 2, "events 2 to 3 are missing"),
        ("DELETE FROM events WHERE seq = 1", 1, "it is missing"),
        ("DELETE FROM events WHERE seq > 3", 4, "the end was cut off"),
        ("DELETE FROM events", 1, "the end was cut off"),
        ("UPDATE runs SET head_seq = 4", 5, "the chain ends at event 4"),
        ("UPDATE heads SET signature = '00'", 5, "signature of a signed head is not valid"),
        ("UPDATE heads SET key_id = 'mine'", 5, "signed with key mine, which is not known"),
    ],
)
async def test_a_change_behind_the_triggers_is_found_and_named(
    record: SqlRecord, signer: Signer, database: Database, statement: str, seq: int, what: str
) -> None:
    """Somebody drops the triggers and changes rows: the first bad one is named."""
    await record.sign("r-1", START)
    tamper(database.path, statement)

    report = await audit(record, signer)

    assert report.first is not None
    assert (report.first.run, report.first.seq) == ("r-1", seq)
    assert what in report.first.what
    assert report.sentence.startswith("The record does not verify. run r-1, event")


@pytest.mark.parametrize("statement", ["UPDATE events SET at = 'never'", "UPDATE bodies SET body = '{'"])
async def test_a_row_changed_beyond_reading_is_named_too(
    record: SqlRecord, database: Database, statement: str
) -> None:
    """Reading fails with the row's name, not with a parser's words."""
    tamper(database.path, f"{statement} WHERE seq = 3")

    with pytest.raises(RecordBroken, match="run r-1, event 3"):
        await record.lines("r-1")


async def test_a_recomputed_chain_is_found_by_its_signature(
    record: SqlRecord, signer: Signer, database: Database
) -> None:
    """Every hash fits, but what was signed was another chain."""
    await record.sign("r-1", START)
    tamper(database.path)
    forge(database.path, 3, "forged")

    report = await audit(record, signer)

    assert report.first is not None
    assert "events 1 to 5 were rewritten" in report.first.what


async def test_a_recomputed_chain_is_found_only_with_a_signature(
    record: SqlRecord, signer: Signer, database: Database
) -> None:
    """Without one it verifies, and the sentence does not claim otherwise."""
    tamper(database.path)
    forge(database.path, 3, "forged")

    report = await audit(record, signer)

    assert report.whole and report.signed == 0
    assert "5 events are not signed yet" in report.sentence
    assert "whoever can write the database could have changed them" in report.sentence


async def test_a_changed_chain_is_not_made_good_by_the_next_signature(
    record: SqlRecord, ledger: SqlLedger, database: Database
) -> None:
    """What leads from the last head to the new end is verified before it is signed."""
    await record.sign("r-1", START)
    await ledger.commit(Batch("r-1", None, drafts=[draft("6"), draft("7")]))
    tamper(database.path, "UPDATE events SET actor = 'person:mallory' WHERE seq = 6")

    with pytest.raises(RecordBroken, match="event 6: it was changed"):
        await record.sign("r-1", START)

    assert [head.seq for head in await record.heads("r-1")] == [5]


async def test_a_chain_cut_off_and_grown_again_is_not_signed(
    record: SqlRecord, ledger: SqlLedger, database: Database
) -> None:
    """Its last head is of an event that is now another one."""
    await record.sign("r-1", START)
    tamper(database.path)
    forge(database.path, 5, "forged")
    await ledger.commit(Batch("r-1", None, drafts=[draft("6")]))

    with pytest.raises(RecordBroken, match="event 6 names another"):
        await record.sign("r-1", START)


async def test_a_segment_ends_in_one_transaction(record: SqlRecord, runs: SqlRuns) -> None:
    """The last event is under the signature, the spend is in the row, and the run may be claimed."""
    fence = await runs.claim("r-1", "one", 60)

    def last(run: Run, entries: list[Entry]) -> Batch:
        assert (run.id, entries) == ("r-1", [])
        return Batch("r-1", fence, drafts=[draft("end", task="")], spend=Spend(tokens=7))

    rested = await record.rest("r-1", "one", last, START)

    assert rested == await runs.get("r-1") and rested.spend.tokens == 7
    assert [head.seq for head in await record.heads("r-1")] == [(await record.end("r-1"))[0]] == [7]
    assert await runs.claim("r-1", "two", 60) == fence + 1


async def test_a_worker_that_lost_the_run_ends_nothing(
    record: SqlRecord, runs: SqlRuns, clock: StillClock
) -> None:
    """Nothing of its end is stored or signed, and the new worker keeps its lease."""
    fence = await runs.claim("r-1", "one", 10)
    clock.pass_(11)
    await runs.claim("r-1", "two", 60)

    with pytest.raises(LeaseLost):
        await record.rest(
            "r-1", "one", lambda run, entries: Batch("r-1", fence, drafts=[draft("end")]), START
        )

    assert await record.heads("r-1") == [] and len(await record.lines("r-1")) == 7
    with pytest.raises(RunBusy):
        await runs.claim("r-1", "three", 10)


async def test_a_segment_whose_record_was_changed_is_stored_but_not_signed(
    record: SqlRecord, runs: SqlRuns, database: Database
) -> None:
    """What was done stays on record; its signature would make the change good."""
    fence = await runs.claim("r-1", "one", 60)
    tamper(database.path, "UPDATE events SET actor = 'person:mallory' WHERE seq = 3")

    with pytest.raises(RecordBroken, match="event 3: it was changed"):
        await record.rest(
            "r-1", "one", lambda run, entries: Batch("r-1", fence, drafts=[draft("end")]), START
        )

    assert await record.heads("r-1") == [] and len(await record.lines("r-1")) == 7


async def test_a_row_that_names_another_end_is_not_signed(record: SqlRecord, database: Database) -> None:
    """The chain has to lead where the run's row says."""
    tamper(database.path, "UPDATE runs SET head_hash = 'x'")

    with pytest.raises(RecordBroken, match="not as its row says"):
        await record.sign("r-1", START)


async def test_a_record_cut_off_with_its_heads_is_found_by_an_exported_head(
    record: SqlRecord, signer: Signer, database: Database
) -> None:
    """Events, heads and the run's row are changed together: only what was kept elsewhere shows it."""
    third = (await record.lines("r-1"))[2].hash
    exported = await record.sign("r-1", START)
    tamper(
        database.path,
        "DELETE FROM events WHERE seq > 3",
        "DELETE FROM bodies WHERE seq > 3",
        "DELETE FROM heads",
        f"UPDATE runs SET head_seq = 3, head_hash = '{third}'",
    )

    without, with_it = await audit(record, signer), await audit(record, signer, [exported])

    assert without.whole
    assert "could have cut off the end" in without.sentence
    assert with_it.first is not None and with_it.first.seq == 4
    assert "there is an exported head of event 5" in with_it.first.what


async def test_an_exported_head_finds_what_the_holder_of_the_key_changed(
    record: SqlRecord, signer: Signer, database: Database
) -> None:
    """The chain was recomputed and signed anew with the real key."""
    exported = await record.sign("r-1", START)
    tamper(database.path, "DELETE FROM heads")
    forge(database.path, 2, "forged")
    await record.sign("r-1", START)

    assert (await audit(record, signer)).whole
    report = await audit(record, signer, [exported])

    assert report.first is not None and "exported head has another hash" in report.first.what


async def fill(ledger: SqlLedger, inbox: SqlInbox, artifacts: SqlArtifacts) -> None:
    """Kim's address in every place where something about a run is kept, and the run over."""
    kim = "kim@example.com"
    asked = question("approve", title=f"Pay {kim}", details={**question().details, "to": kim})
    await ledger.commit(
        Batch(
            "r-1",
            None,
            drafts=[draft("kim", body={"email": kim})],
            entries=[entry("e", "failed", arguments={"email": kim}, answer=kim, error={"message": kim})],
            questions=[asked],
        )
    )
    await inbox.answer(Answer(question=asked.id, by=LEAD, yes=True, comment=kim))
    await artifacts.put("r-1", "label", "text/plain", kim.encode())
    for state in ("context_loaded", "planning"):
        await ledger.commit(Batch("r-1", None, move=Move(state, "")))
    last = Move("completed", f"answered {kim}", "resolved", {"text": f"Dear {kim}"})
    await ledger.commit(Batch("r-1", None, move=last))


async def test_erasing_a_person_leaves_no_trace_of_them_in_the_files(
    record: SqlRecord,
    signer: Signer,
    ledger: SqlLedger,
    inbox: SqlInbox,
    artifacts: SqlArtifacts,
    database: Database,
) -> None:
    """Not in the tables, and not in pages that were freed; the chain stays whole and signed."""
    await fill(ledger, inbox, artifacts)
    await record.sign("r-1", START)

    assert await record.erase("kim", "dpo", START) == ["r-1"]

    stored = b"".join(path.read_bytes() for path in database.path.parent.iterdir())
    assert b"kim@example.com" not in stored
    report = await audit(record, signer)
    assert report.whole and report.signed == report.events - 1
    last = (await record.lines("r-1"))[-1]
    assert (last.event.kind, last.event.actor) == ("subject.erased", "person:dpo")


async def test_erasing_twice_finds_nothing_more(
    record: SqlRecord, ledger: SqlLedger, inbox: SqlInbox, artifacts: SqlArtifacts
) -> None:
    """The subject went with the rest; a stranger is not found at all."""
    await fill(ledger, inbox, artifacts)
    await record.erase("kim", "dpo", START)

    assert await record.erase("kim", "dpo", START) == []
    assert await record.erase("nobody", "dpo", START) == []


async def test_what_remains_still_keeps_effects_from_happening_twice(
    record: SqlRecord, ledger: SqlLedger, inbox: SqlInbox, artifacts: SqlArtifacts
) -> None:
    """The journal's names and states stay."""
    await fill(ledger, inbox, artifacts)
    await record.erase("kim", "dpo", START)

    (kept,) = await ledger.load("r-1")

    assert (kept.state, kept.digest, kept.arguments, kept.answer, kept.error) == (
        "failed",
        "e",
        None,
        None,
        None,
    )


async def test_a_run_that_is_not_over_is_not_erased(record: SqlRecord, runs: SqlRuns) -> None:
    """Its journal is what keeps it from doing things twice; nothing at all is erased."""
    await runs.create(new_run("r-2", subject="kim", state="completed", input="kim"), [])

    with pytest.raises(WrongState, match="r-1 is not over"):
        await record.erase("kim", "dpo", START)

    assert (await runs.get("r-2")).input == "kim"
