"""Answers of remote agents, as real servers give them: wherever they stand, in whatever pieces."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from a2a.server.tasks import TaskUpdater

from interlock import bind
from interlock.a2a.envelope import EXTENSION
from tests.a2a_peers import Scripted, Told, data, served, text
from tests.desk import Ticket
from tests.remote_desk import desk, events, result, scorer, settings

pytestmark = pytest.mark.long


async def in_artifact(told: Told, up: TaskUpdater) -> None:
    """The answer is an artifact."""
    await up.start_work()
    await up.add_artifact([text("low")])
    await up.complete()


async def in_chunks(told: Told, up: TaskUpdater) -> None:
    """The answer is an artifact in pieces."""
    await up.start_work()
    for number, piece in enumerate(("very ", "low ", "indeed")):
        await up.add_artifact([text(piece)], artifact_id="a", append=number > 0, last_chunk=number == 2)
    await up.complete()


async def in_chunks_and_whole(told: Told, up: TaskUpdater) -> None:
    """The last piece repeats the whole text, without append."""
    await up.start_work()
    await up.add_artifact([text("very ")], artifact_id="a", append=False, last_chunk=False)
    await up.add_artifact([text("low")], artifact_id="a", append=True, last_chunk=False)
    await up.add_artifact([text("very low")], artifact_id="a", append=False, last_chunk=True)
    await up.complete()


async def in_parts(told: Told, up: TaskUpdater) -> None:
    """The answer has several parts."""
    await up.start_work()
    await up.add_artifact([text("very "), text("low")])
    await up.complete()


async def in_status(told: Told, up: TaskUpdater) -> None:
    """The answer is only in the last status."""
    await up.start_work()
    await up.complete(up.new_agent_message([text("low")]))


async def in_history(told: Told, up: TaskUpdater) -> None:
    """The answer was a status on the way and is only in the history."""
    await up.start_work(up.new_agent_message([text("low")]))
    await up.complete()


async def as_data(told: Told, up: TaskUpdater) -> None:
    """The answer is data, beside text for people."""
    await up.start_work()
    await up.add_artifact([text("it is low"), data({"level": "low", "points": 7})])
    await up.complete()


async def twice_the_same_state(told: Told, up: TaskUpdater) -> None:
    """The same states again and again."""
    for _ in range(3):
        await up.start_work()
    await up.add_artifact([text("low")])
    await up.complete()


async def slowly(told: Told, up: TaskUpdater) -> None:
    """Works for a while."""
    await up.start_work()
    await asyncio.sleep(0.3)
    await up.add_artifact([text("low")])
    await up.complete()


SCRIPTS = {
    "artifact": (in_artifact, "low"),
    "chunks": (in_chunks, "very low indeed"),
    "chunks and whole": (in_chunks_and_whole, "very low"),
    "parts": (in_parts, "very low"),
    "status": (in_status, "low"),
    "history": (in_history, "low"),
    "data": (as_data, "low"),
    "same states": (twice_the_same_state, "low"),
    "slow": (slowly, "low"),
}
TALKS: dict[str, dict[str, Any]] = {
    "streaming": {},
    "blocking": {"streaming": False},
    "REST": {"binding": "HTTP+JSON"},
    "0.3": {"version": "0.3.0"},
    "0.3 blocking": {"version": "0.3.0", "streaming": False},
}


@pytest.mark.parametrize("talk", TALKS)
@pytest.mark.parametrize("script", SCRIPTS)
async def test_the_answer_is_found(script: str, talk: str, tmp_path: Path) -> None:
    """Wherever a peer puts its answer, and however it is spoken to, the output is the answer."""
    play, level = SCRIPTS[script]
    peer = Scripted(play)
    async with (
        served(peer, **TALKS[talk]) as url,
        bind(desk(scorer(url)).build(), settings=settings(tmp_path)) as app,
    ):
        run = await app.run(Ticket(text="one"))
        came = await result(app, run.id)
        (sent,) = await events(app, run.id, "remote.sent")
        (answered,) = await events(app, run.id, "remote.answered")

    assert (came["status"], came["output"]["level"]) == ("completed", level), came
    assert len(peer.book.told) == 1
    assert peer.book.told[0].text == "Score this: one"
    assert (sent["url"], sent["peer"]) == (url, "peer 9.1")
    assert answered["state"] == "completed" and answered["seconds"] >= 0 and len(answered["digest"]) == 64


async def test_what_travels_beside_the_task(tmp_path: Path) -> None:
    """The peer gets the time and tokens that are left, the key, and the trace; no secret."""
    peer = Scripted(in_artifact)
    async with (
        served(peer, keyed=True) as url,
        bind(desk(scorer(url)).build(), settings=settings(tmp_path)) as app,
    ):
        run = await app.run(Ticket(text="one"))
        (sent,) = await events(app, run.id, "remote.sent")

    (told,) = peer.book.told
    envelope = told.metadata[EXTENSION]
    assert 15_000 < int(envelope["deadline_ms"]) <= 20_000
    assert envelope["tokens"] == "200000" or int(envelope["tokens"]) > 0
    assert envelope["key"] == told.id == sent["message"]
    assert envelope["traceparent"] == told.headers["traceparent"]
    assert told.headers["a2a-extensions"] == EXTENSION
    assert "authorization" not in told.headers
