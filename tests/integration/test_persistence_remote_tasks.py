"""Rows of remote tasks: written under the lease, final once they are over, erased with their run."""

from typing import Any

import pytest

from interlock.core.ports import Batch, Move
from interlock.core.remote_tasks import RemoteState, RemoteTask, remote_key
from interlock.errors import LeaseLost
from interlock.persistence.database import Database
from interlock.persistence.ledger import SqlLedger
from interlock.persistence.record import SqlRecord
from interlock.persistence.remote_tasks import SqlRemoteTasks
from interlock.persistence.runs import SqlRuns
from interlock.persistence.signing import Signer
from tests.integration.stored import START, draft, new_run


def row(state: RemoteState = "sent", **changes: Any) -> RemoteTask:
    """The first attempt of a task."""
    fields: dict[str, Any] = {
        "id": remote_key("r-1", "t1", 1, "risk"),
        "run": "r-1",
        "task": "t1",
        "attempt": 1,
        "agent": "risk",
        "url": "https://risk.example",
        "content": "d1",
        "context": "c1",
        "state": state,
        "at": START,
    }
    return RemoteTask(**{**fields, **changes})


@pytest.fixture
async def tasks(database: Database, runs: SqlRuns) -> SqlRemoteTasks:
    """The rows of one run."""
    await runs.create(new_run(subject="kim"), [draft("made")])
    return SqlRemoteTasks(database)


async def test_a_row_comes_back_as_it_went(tasks: SqlRemoteTasks, ledger: SqlLedger) -> None:
    """Everything of it, and nothing where there is none."""
    made = row("asked", remote="t-9", sends=1, turn=2, asked={"words": "Why?"}, peer="risk 1", keyed=True)
    await ledger.commit(Batch(run="r-1", fence=None, remotes=[made]))

    assert await tasks.get(made.id) == made
    assert await tasks.get("il-other") is None


async def test_what_is_over_stays_over(tasks: SqlRemoteTasks, ledger: SqlLedger) -> None:
    """A worker that wakes up late does not open what a person has canceled."""
    for state in ("sent", "working", "canceled", "working", "answered"):
        await ledger.commit(Batch(run="r-1", fence=None, remotes=[row(state)]))  # type: ignore[arg-type]

    found = await tasks.get(row().id)
    assert found is not None and found.state == "canceled"


async def test_open_rows(tasks: SqlRemoteTasks, ledger: SqlLedger) -> None:
    """Those where the other side may be at work: not what never left, not what is over."""
    states: list[RemoteState] = ["planned", "sent", "working", "asked", "unknown", "answered", "failed"]
    await ledger.commit(
        Batch(run="r-1", fence=None, remotes=[row(state, id=f"il-{state}") for state in states])
    )

    assert {each.state for each in await tasks.open("r-1")} == {"sent", "working", "asked", "unknown"}
    assert await tasks.open("r-2") == []


async def test_a_worker_without_the_lease_writes_none(tasks: SqlRemoteTasks, ledger: SqlLedger) -> None:
    """Two workers never both store that they send."""
    with pytest.raises(LeaseLost):
        await ledger.commit(Batch(run="r-1", fence=7, remotes=[row()]))
    assert await tasks.get(row().id) is None


async def test_its_question_is_erased_with_the_run(
    tasks: SqlRemoteTasks, ledger: SqlLedger, runs: SqlRuns, database: Database, signer: Signer
) -> None:
    """What a remote agent asked about a person goes when the person's data goes."""
    await ledger.commit(Batch(run="r-1", fence=None, remotes=[row("asked", asked={"words": "Kim?"})]))
    await ledger.commit(Batch(run="r-1", fence=None, move=Move(to="canceled", reason="enough")))
    await SqlRecord(database, signer).erase("kim", "dpo", START)

    found = await tasks.get(row().id)
    assert found is not None and found.asked is None


def test_the_key_of_an_attempt() -> None:
    """The same on every re-execution, another one for every attempt, task and agent."""
    keys = {remote_key("r", "t", 1, "a"), remote_key("r", "t", 2, "a"), remote_key("r", "u", 1, "a")}
    assert len(keys | {remote_key("r", "t", 1, "a")}) == 3
