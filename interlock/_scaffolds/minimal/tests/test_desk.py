"""The desk, from a ticket to its reply: a real database and real tools."""

import asyncio
from pathlib import Path

from graphs.desk import example, graph
from interlock import bind


def test_a_lost_parcel_is_paid_back(tmp_path: Path) -> None:
    """The amount is paid, and the reply says so."""

    async def play() -> object:
        async with bind(graph, database=f"sqlite:///{tmp_path}/desk.db") as desk:
            return (await desk.run(example)).response

    assert asyncio.run(play()) == {"text": "We paid back 49.90 EUR for order A-1001."}
