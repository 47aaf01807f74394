"""Runs every measurement and writes docs/benchmarks.md."""

import argparse
import asyncio
import logging
import os
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from tests.bench import desk
from tests.bench.a2a import round_trips
from tests.bench.inference import inference
from tests.bench.measure import Times, cpu
from tests.bench.page import Results, page
from tests.bench.spans import spans
from tests.bench.starts import ROOT, starts
from tests.bench.storage import Stored, stored
from tests.bench.waits import Waits, waits
from tests.bench.works import Works

PAGE = ROOT / "docs" / "benchmarks.md"


async def _cpu(works: Works, rounds: int, runs: int) -> dict[str, Times]:
    client = await works.client()
    return await cpu(
        {
            "interlock, sqlite, 0": await works.interlock("interlock0", desk.nothing),
            "langgraph, sqlite, 0": await works.langgraph("langgraph0"),
            "interlock, sqlite, 1": await works.interlock("interlock1", desk.one_call),
            "langgraph, sqlite, 1": await works.langgraph("langgraph1", client),
            "interlock, memory, 0": await works.interlock_in_memory(desk.nothing),
            "langgraph, memory, 0": works.langgraph_in_memory(),
            "interlock, memory, 1": await works.interlock_in_memory(desk.one_call),
            "langgraph, memory, 1": works.langgraph_in_memory(client),
        },
        rounds=rounds,
        runs=runs,
    )


async def _waits(works: Works, rounds: int) -> Waits:
    app = await works.app("waits", desk.think_read_think)
    slow = await works.app("waits_slow", desk.think_read_think, slow=True)
    return await waits(app, slow, rounds=rounds)


async def _stored(works: Works, folder: Path, runs: int) -> tuple[Stored, Stored]:
    ours = await works.interlock("stored", desk.one_call)
    bare = await works.langgraph("stored_bare", await works.client())
    return (
        await stored(folder / "stored.db", ours, runs=runs),
        await stored(folder / "stored_bare.db", bare, runs=runs),
    )


async def main() -> None:
    """Measures for three minutes or so, more on a busy machine."""
    told = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    told.add_argument("--rounds", type=int, default=9, help="rounds of every comparison")
    told.add_argument("--runs", type=int, default=8, help="runs per round and work, for CPU")
    told.add_argument("--stored", type=int, default=200, help="runs whose bytes are counted")
    told.add_argument("--to", type=Path, default=PAGE, help="the page to write")
    asked = told.parse_args()
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with AsyncExitStack() as stack:
            works = Works(folder, stack)
            print("CPU per hop ...", flush=True)
            times = await _cpu(works, asked.rounds, asked.runs)
            print("waiting ...", flush=True)
            waited = await _waits(works, asked.rounds)
            print("stored bytes ...", flush=True)
            ours, bare = await _stored(works, folder, asked.stored)
        print("spans ...", flush=True)
        shown = await spans(folder, rounds=asked.rounds, runs=asked.runs)
    print("model calls ...", flush=True)
    thought = await inference(rounds=asked.rounds)
    print("A2A round trips ...", flush=True)
    with tempfile.TemporaryDirectory() as name:
        trips = await round_trips(Path(name), rounds=asked.rounds, runs=asked.runs)
    print("starting ...", flush=True)
    begun = await asyncio.to_thread(starts, max(3, asked.rounds // 2))
    text = page(
        Results(
            cores=os.cpu_count() or 1,
            cpu=times,
            rounds=asked.rounds,
            runs=asked.runs,
            waits=waited,
            stored=ours,
            bare_stored=bare,
            stored_runs=asked.stored,
            spans=shown,
            inference=thought,
            a2a=trips,
            starts_cpu=begun.cpu,
            starts_wall=begun.wall,
        )
    )
    asked.to.parent.mkdir(parents=True, exist_ok=True)
    asked.to.write_text(text, encoding="utf-8")
    print(text)


asyncio.run(main())
