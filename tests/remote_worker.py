"""A worker in a process of its own that starts one run of a remote desk and is killed at a point of it.

A point is one of `before STATE` and `after STATE` (of the commit that stores the remote task in that
state), `before message N` and `after message N` (the Nth message that leaves, and the first sign that it
has arrived).
"""

import asyncio
import json
import os
import signal
from collections.abc import Mapping
from pathlib import Path

import httpx

from interlock import bind
from interlock.a2a.lenient import LenientTransport
from interlock.core.ports import Batch
from interlock.persistence.ledger import SqlLedger
from tests.desk import Ticket
from tests.remote_desk import desk, scorer, settings

LEASE_S = 0.3


def die() -> None:
    """As a machine does."""
    os.kill(os.getpid(), signal.SIGKILL)


def watch(point: str) -> None:
    """Kills this process at the point."""
    when, _, what = point.partition(" ")
    commit, send = SqlLedger.commit, LenientTransport.handle_async_request
    sent = 0

    async def committing(self: SqlLedger, batch: Batch) -> None:
        states = {row.state for row in batch.remotes}
        if when == "before" and what in states:
            die()
        await commit(self, batch)
        if when == "after" and what in states:
            die()

    async def sending(self: LenientTransport, request: httpx.Request) -> httpx.Response:
        nonlocal sent
        body = json.loads(request.content or b"{}")
        message = body.get("method", "") in (
            "SendMessage",
            "SendStreamingMessage",
            "message/send",
            "message/stream",
        )
        sent += message
        mine = message and what == f"message {sent}"
        if when == "before" and mine:
            die()
        response = await send(self, request)
        if when == "after" and mine:
            die()
        return response

    SqlLedger.commit = committing  # type: ignore[method-assign]
    LenientTransport.handle_async_request = sending  # type: ignore[method-assign]


async def main(folder: Path, url: str, point: str) -> None:
    """Starts the run, answers what it is asked, and prints the run if it lives so long."""
    watch(point)
    async with bind(desk(scorer(url)).build(), settings=settings(folder, lease_s=LEASE_S)) as app:
        run = await app.engine.start(Ticket(text="one"), app.user, key="one")
        run = await app.engine.advance(run.id)
        for question in await app.questions(run.id):
            await app.answer(question.id, value="green")
            run = await app.resume(run.id)
        print(run.state)


def play(folder: Path, url: str, point: str, variables: Mapping[str, str]) -> None:
    """The process, with these variables in place of those it was born with."""
    os.environ.clear()
    os.environ.update(variables)
    asyncio.run(main(folder, url, point))
