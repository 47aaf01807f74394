"""What a power cut may take back, and what it must not: effects, people's part, and where a run rests."""

from collections.abc import Callable
from typing import Any

import pytest

from interlock.core.limits import Spend
from interlock.core.ports import Batch, Move
from interlock.persistence.database import Database
from interlock.persistence.ledger import SqlLedger
from interlock.persistence.runs import SqlRuns
from tests.integration.stored import draft, entry, new_run, question

FULL, NORMAL = 2, 1
"""SQLite's words for a commit that waits for the disk, and for one that does not."""


async def how(database: Database, **options: bool) -> Any:
    """How a transaction with these options is committed."""
    return await database.write(
        lambda connection: connection.exec_driver_sql("PRAGMA synchronous").scalar(), **options
    )


async def test_a_transaction_waits_for_the_disk_unless_it_is_told_not_to(database: Database) -> None:
    """Also after one that did not, on the same connection."""
    found = [await how(database), await how(database, durable=False), await how(database)]

    assert found == [FULL, NORMAL, FULL]


@pytest.mark.parametrize(
    ("batch", "durable"),
    [
        (Batch(run="r-1", fence=None, drafts=[draft("task.sent")], entries=[entry()]), False),
        (Batch(run="r-1", fence=None, move=Move(to="context_loaded", reason="")), False),
        (Batch(run="r-1", fence=None, entries=[entry(kind="effect", state="sent", attempt=0)]), True),
        (Batch(run="r-1", fence=None, entries=[entry(kind="answer")]), True),
        (Batch(run="r-1", fence=None, questions=[question()]), True),
        (Batch(run="r-1", fence=None, effect_key=("shop/pay", "A-1")), True),
        (Batch(run="r-1", fence=None, move=Move(to="blocked", reason="")), True),
        (Batch(run="r-1", fence=None, spend=Spend(tool_calls=1)), True),
    ],
    ids=["a read", "a step on the way", "an effect", "an answer", "a question", "a key", "a rest", "an end"],
)
async def test_only_what_can_be_done_again_does_not_wait_for_the_disk(
    database: Database,
    ledger: SqlLedger,
    runs: SqlRuns,
    monkeypatch: pytest.MonkeyPatch,
    batch: Batch,
    durable: bool,
) -> None:
    """Reads and steps are made again again; the rest is on disk when `commit` returns."""
    await runs.create(new_run(), [])
    write, asked = database.write, list[bool]()

    async def watched(work: Callable[[Any], Any], *, durable: bool = True) -> Any:
        asked.append(durable)
        return await write(work, durable=durable)

    monkeypatch.setattr(database, "write", watched)

    await ledger.commit(batch)

    assert asked == [durable]
