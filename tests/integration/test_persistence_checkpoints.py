"""LangGraph's checkpoints in our database: a worker that lost its run cannot move it on."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import ormsgpack
import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict

from interlock.errors import LeaseLost
from interlock.persistence.checkpoints import Checkpoints
from interlock.persistence.database import Database
from interlock.persistence.record import SqlRecord
from interlock.persistence.runs import SqlRuns
from tests.integration.stored import START as NOW
from tests.integration.stored import StillClock, draft, new_run


class State(TypedDict):
    """What the graph counts."""

    n: int


def graph(saver: Checkpoints, between: Callable[[], Awaitable[object]] | None = None) -> Any:
    """Two nodes that count; something may happen in the second."""

    async def first(state: State) -> State:
        return {"n": state["n"] + 1}

    async def second(state: State) -> State:
        if between is not None:
            await between()
        return {"n": state["n"] + 10}

    made = StateGraph(State)
    made.add_node("first", first)
    made.add_node("second", second)
    made.add_edge(START, "first")
    made.add_edge("first", "second")
    made.add_edge("second", END)
    return made.compile(checkpointer=saver)


def config(fence: int | None, thread: str = "r-1") -> RunnableConfig:
    """The configuration of one segment."""
    metadata = {} if fence is None else {"fence": fence}
    return {"configurable": {"thread_id": thread}, "metadata": metadata}


@pytest.fixture(autouse=True)
async def run(runs: SqlRuns) -> None:
    """A run that is a LangGraph thread."""
    await runs.create(new_run(), [draft("created", task="")])


async def test_the_holder_of_the_lease_writes_checkpoints(database: Database, runs: SqlRuns) -> None:
    """And finds them when it opens them again."""
    fence = await runs.claim("r-1", "one", 60)
    async with Checkpoints.open(database) as saver:
        assert await graph(saver).ainvoke({"n": 0}, config(fence), durability="sync") == {"n": 11}

    async with Checkpoints.open(database) as saver:
        assert (await graph(saver).aget_state(config(None))).values == {"n": 11}


async def test_a_worker_that_lost_the_run_is_refused_and_the_next_goes_on(
    database: Database, runs: SqlRuns, clock: StillClock
) -> None:
    """It is refused at its next checkpoint; the new owner finishes from the last one of the old."""
    fence = await runs.claim("r-1", "one", 10)

    async def taken_over() -> None:
        clock.pass_(11)
        await runs.claim("r-1", "two", 10)

    async with Checkpoints.open(database) as saver:
        with pytest.raises(LeaseLost, match=r"run r-1 was refused: its fencing number \(1\)"):
            await graph(saver, taken_over).ainvoke({"n": 0}, config(fence), durability="sync")

        assert await graph(saver).ainvoke(None, config(fence + 1), durability="sync") == {"n": 11}


@pytest.mark.parametrize("fence", [None, 0])
async def test_a_run_of_ours_needs_a_fencing_number(
    database: Database, runs: SqlRuns, fence: int | None
) -> None:
    """Whoever forgets it, or has an older one, stores nothing."""
    await runs.claim("r-1", "one", 10)
    async with Checkpoints.open(database) as saver:
        with pytest.raises(LeaseLost):
            await graph(saver).ainvoke({"n": 0}, config(fence), durability="sync")

        assert (await graph(saver).aget_state(config(None))).values == {}


async def test_a_thread_that_is_no_run_of_ours_needs_none(database: Database) -> None:
    """LangGraph's own threads may stand in the same file."""
    async with Checkpoints.open(database) as saver:
        other = config(None, "somebody-elses")

        assert await graph(saver).ainvoke({"n": 0}, other, durability="sync") == {"n": 11}


async def test_a_refused_checkpoint_leaves_no_lock(database: Database, runs: SqlRuns) -> None:
    """Another process writes at once: the refused transaction was rolled back."""
    await runs.claim("r-1", "one", 10)
    async with Checkpoints.open(database) as saver:
        with pytest.raises(LeaseLost):
            await graph(saver).ainvoke({"n": 0}, config(None), durability="sync")

        with closing(sqlite3.connect(database.path, timeout=0, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")


async def test_a_cancelled_write_is_whole(database: Database, runs: SqlRuns) -> None:
    """Cancelled while it waits or writes, it is stored all the same, before the file is closed."""
    fence = await runs.claim("r-1", "one", 10)
    where: RunnableConfig = {
        "configurable": {"thread_id": "r-1", "checkpoint_ns": ""},
        "metadata": {"fence": fence},
    }
    async with Checkpoints.open(database) as saver, database.turn:
        writing = asyncio.create_task(saver.aput(where, empty_checkpoint(), {"source": "input"}, {}))
        await asyncio.sleep(0)
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing

    async with Checkpoints.open(database) as saver:
        assert await saver.aget_tuple(where) is not None


async def test_a_cancelled_write_that_is_refused_is_only_refused(database: Database, runs: SqlRuns) -> None:
    """Nobody is left to hear of it, and nothing is stored or warned about."""
    await runs.claim("r-1", "one", 10)
    where: RunnableConfig = {"configurable": {"thread_id": "r-1", "checkpoint_ns": ""}}
    async with Checkpoints.open(database) as saver, database.turn:
        writing = asyncio.create_task(saver.aput(where, empty_checkpoint(), {"source": "input"}, {}))
        await asyncio.sleep(0)
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing

    async with Checkpoints.open(database) as saver:
        assert await saver.aget_tuple(where) is None


async def test_without_the_guard_the_old_worker_overwrites_the_new_one(
    database: Database, runs: SqlRuns, clock: StillClock
) -> None:
    """The harm that fencing prevents: switched off, a worker that lost the run moves it on all the same."""
    fence = await runs.claim("r-1", "one", 10)
    clock.pass_(11)
    await runs.claim("r-1", "two", 10)

    async with Checkpoints.open(database, fencing=False) as saver:
        assert await graph(saver).ainvoke({"n": 5}, config(fence), durability="sync") == {"n": 16}

    async with Checkpoints.open(database) as saver:
        with pytest.raises(LeaseLost):
            await graph(saver).ainvoke({"n": 5}, config(fence), durability="sync")


async def test_a_forged_checkpoint_runs_no_code(database: Database, tmp_path: Path) -> None:
    """A class that is not in the list is not made, whatever the file says."""
    victim = tmp_path / "touched"
    call = ormsgpack.packb(("os", "system", f"touch {victim}"))
    forged = ormsgpack.packb(ormsgpack.Ext(0, call))
    async with Checkpoints.open(database) as saver:
        saver.serde.loads_typed(("msgpack", forged))
        assert not victim.exists()

    JsonPlusSerializer(allowed_msgpack_modules=True).loads_typed(("msgpack", forged))
    assert victim.exists()  # what LangGraph does unless it is told otherwise


async def test_erasing_a_run_takes_its_checkpoints_too(
    database: Database, runs: SqlRuns, record: SqlRecord
) -> None:
    """Those of other threads stay; deleting one thread by hand does the same."""
    await runs.create(new_run("r-2", subject="kim", state="completed"), [])
    async with Checkpoints.open(database) as saver:
        for thread in ("r-1", "r-2", "r-3"):
            await graph(saver).ainvoke({"n": 0}, config(0, thread), durability="sync")

        assert await record.erase("kim", "dpo", NOW) == ["r-2"]
        await saver.adelete_thread("r-3")

        kept = [(await graph(saver).aget_state(config(0, f"r-{n}"))).values for n in (1, 2, 3)]
    assert kept == [{"n": 11}, {}, {}]


async def test_checkpoints_and_tables_are_written_at_the_same_time(database: Database, runs: SqlRuns) -> None:
    """Twenty runs advance and renew their leases in one process without a busy database."""

    async def advance(number: int) -> dict[str, int]:
        run = f"r-c{number}"
        await runs.create(new_run(run), [])
        fence = await runs.claim(run, "one", 10)

        async def beat() -> None:
            for _ in range(5):
                await runs.renew(run, "one", fence, 10)

        return await graph(saver, beat).ainvoke({"n": number}, config(fence, run), durability="sync")

    async with Checkpoints.open(database) as saver:
        found = await asyncio.gather(*(advance(number) for number in range(20)))

    assert [each["n"] for each in found] == [number + 11 for number in range(20)]
