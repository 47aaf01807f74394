"""Run rows and leases: one worker at a time, and the number that tells an old one apart."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from interlock.core.principal import Principal
from interlock.errors import FormatRefused, LeaseLost, NotFound, RunBusy
from interlock.persistence.database import Database
from interlock.persistence.record import SqlRecord
from interlock.persistence.runs import SqlRuns
from tests.integration.stored import START, Child, StillClock, draft, new_run

CLAIM = """
import asyncio, sys
from interlock.errors import RunBusy
from interlock.persistence.database import Database
from interlock.persistence.runs import SqlRuns
from tests.integration.stored import StillClock
async def main():
    database = await Database.open(sys.argv[1])
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        print(await SqlRuns(database, StillClock()).claim("r-1", sys.argv[2], 60), flush=True)
    except RunBusy:
        print("busy", flush=True)
    await database.close()
asyncio.run(main())
"""


async def test_a_run_reads_back_as_it_was_created(runs: SqlRuns) -> None:
    """Every field comes back equal."""
    owner = Principal(user="ada", team="returns", org="shop", scopes=("agent",))
    run = new_run(input={"text": "Wo ist mein Paket?"}, owner=owner, subject="kim@example.com")

    assert await runs.create(run, []) == run
    assert await runs.get("r-1") == run


async def test_a_run_is_created_once(runs: SqlRuns, record: SqlRecord) -> None:
    """A second run of that id changes nothing and gets the first one back."""
    await runs.create(new_run(input="first"), [draft("a")])

    again = await runs.create(new_run(input="second"), [draft("b")])

    assert again.input == "first"
    assert len(await record.lines("r-1")) == 1


async def test_an_unknown_run_is_named(runs: SqlRuns) -> None:
    """The error carries the id that was asked for."""
    with pytest.raises(NotFound, match="'r-9'"):
        await runs.get("r-9")
    with pytest.raises(NotFound, match="'r-9'"):
        await runs.claim("r-9", "one", 10)


async def test_runs_are_listed_newest_first(runs: SqlRuns) -> None:
    """All of them, those in one state, or the newest few."""
    states: list[Any] = ["completed", "created", "completed"]
    for number, state in enumerate(states):
        at = START + timedelta(microseconds=number * 500_000)
        await runs.create(new_run(f"r-{number}", state=state, created_at=at), [])

    assert [r.id for r in await runs.list()] == ["r-2", "r-1", "r-0"]
    assert [r.id for r in await runs.list("completed")] == ["r-2", "r-0"]
    assert [r.id for r in await runs.list(limit=1)] == ["r-2"]


async def test_a_claim_raises_the_fencing_number_and_is_recorded(runs: SqlRuns, record: SqlRecord) -> None:
    """The event names the worker and the number."""
    await runs.create(new_run(), [])

    assert await runs.claim("r-1", "one", 10) == 1
    assert await runs.claim("r-1", "one", 10) == 2

    last = (await record.lines("r-1"))[-1]
    assert (last.event.kind, last.event.actor) == ("run.claimed", "worker:one")
    assert last.body == {"fence": 2, "seconds": 10}
    assert (await runs.get("r-1")).fence == 2


async def test_a_run_that_is_over_is_taken_only_on_purpose(runs: SqlRuns) -> None:
    """Reading it leaves no claim in its record; whoever takes its effects back claims it all the same."""
    await runs.create(new_run(state="completed"), [])

    taken = await runs.take("r-1", "one", 10)

    assert taken.fence is None and taken.run == await runs.get("r-1") and taken.run.fence == 0
    assert (await runs.take("r-1", "one", 10, over=True)).fence == 1
    with pytest.raises(NotFound):
        await runs.take("r-9", "one", 10)


async def test_a_run_that_is_held_cannot_be_claimed(runs: SqlRuns, clock: StillClock) -> None:
    """Until the lease is over: then the next worker gets a higher number."""
    await runs.create(new_run(), [])
    await runs.claim("r-1", "one", 10)

    clock.pass_(9.9)
    with pytest.raises(RunBusy, match=r"worker one .fencing number 1"):
        await runs.claim("r-1", "two", 10)
    clock.pass_(0.1)

    assert await runs.claim("r-1", "two", 10) == 2


async def test_a_renewed_lease_lasts_longer(runs: SqlRuns, clock: StillClock) -> None:
    """The heartbeat counts from now."""
    await runs.create(new_run(), [])
    fence = await runs.claim("r-1", "one", 10)
    clock.pass_(8)

    await runs.renew("r-1", "one", fence, 10)

    clock.pass_(8)
    with pytest.raises(RunBusy):
        await runs.claim("r-1", "two", 10)


async def test_a_lost_lease_cannot_be_renewed(runs: SqlRuns, clock: StillClock) -> None:
    """The error says who holds the run now, and with which number."""
    await runs.create(new_run(), [])
    fence = await runs.claim("r-1", "one", 10)
    clock.pass_(11)
    await runs.claim("r-1", "two", 10)

    with pytest.raises(LeaseLost, match=r"fencing number 1; now it is two with 2"):
        await runs.renew("r-1", "one", fence, 10)


async def test_a_lease_given_up_is_free_at_once(runs: SqlRuns, clock: StillClock) -> None:
    """And giving up a lease that is lost already does not touch the new one."""
    await runs.create(new_run(), [])
    fence = await runs.claim("r-1", "one", 10)
    await runs.release("r-1", "one", fence)
    await runs.claim("r-1", "two", 10)

    await runs.release("r-1", "one", fence)

    with pytest.raises(RunBusy):
        await runs.claim("r-1", "three", 10)
    with pytest.raises(LeaseLost, match="two with 2"):
        await runs.renew("r-1", "one", fence, 10)


async def test_of_processes_that_claim_at_once_one_wins(database: Database, runs: SqlRuns) -> None:
    """The others are told that the run is busy, and the number rose once."""
    await runs.create(new_run(), [])
    children = [Child(CLAIM, database.path, f"w{number}") for number in range(4)]
    for child in children:
        await child.line()
    for child in children:
        child.tell()

    said = sorted([await child.line() for child in children])

    assert [await child.end() for child in children] == [0] * 4
    assert said == ["1", "busy", "busy", "busy"]


async def test_a_run_of_a_newer_format_is_refused(runs: SqlRuns, database: Database) -> None:
    """Loudly, and the row stays for the version that wrote it."""
    await runs.create(new_run(), [])
    await database.write(lambda c: c.execute(text("UPDATE runs SET v = 2")))

    with pytest.raises(FormatRefused, match="run r-1 is stored in format 2"):
        await runs.get("r-1")
