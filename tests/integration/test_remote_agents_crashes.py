"""A worker killed between any two steps: nothing is sent twice or forgotten; the peer's book counts."""

import asyncio
import multiprocessing
import os
from pathlib import Path
from typing import Any

import pytest
from a2a.server.tasks import TaskUpdater

from interlock import bind
from interlock.bootstrap import Bound
from interlock.core.guards import Guards
from interlock.core.runs import Run
from interlock.errors import RunBusy
from interlock.persistence.remote_tasks import SqlRemoteTasks
from tests.a2a_peers import Scripted, Told, served, text
from tests.desk import Ticket
from tests.remote_desk import desk, events, result, scorer, settings
from tests.remote_worker import LEASE_S, play

pytestmark = pytest.mark.long

WORKERS = multiprocessing.get_context("forkserver")
"""All workers fork from one process that has imported what they need."""
WORKERS.set_forkserver_preload(["tests.remote_worker", "interlock.a2a.attempts"])
FIRST = [
    "before sent",
    "after sent",
    "before message 1",
    "after message 1",
    "after working",
    "before answered",
    "after answered",
]
NOT_ARRIVED = {"after sent", "before message 1"}


async def works(told: Told, up: TaskUpdater) -> None:
    """Takes a moment."""
    await up.start_work()
    await asyncio.sleep(0.2)
    await up.add_artifact([text("low")])
    await up.complete()


async def asks(told: Told, up: TaskUpdater) -> None:
    """Asks once."""
    if not told.waited:
        await up.requires_input(up.new_agent_message([text("Which colour?")]))
        return
    await works(told, up)


async def killed(folder: Path, url: str, point: str, **variables: str) -> None:
    """Runs the worker until it is killed at the point."""
    worker = WORKERS.Process(target=play, args=(folder, url, point, os.environ | variables))
    await asyncio.to_thread(worker.start)
    await asyncio.to_thread(worker.join, 60)
    assert worker.exitcode == -9, point
    worker.close()


async def taken_over(app: Bound) -> Run:
    """Goes on with the run once the dead worker's lease is over."""
    (run,) = await app.stores.runs.list()
    deadline = asyncio.get_running_loop().time() + 20 * LEASE_S
    while True:
        try:
            return await app.resume(run.id)
        except RunBusy:
            assert asyncio.get_running_loop().time() < deadline
            await asyncio.sleep(LEASE_S / 10)


@pytest.mark.parametrize("point", FIRST)
async def test_a_peer_that_lists_its_tasks(point: str, tmp_path: Path) -> None:
    """What arrived is found again; where nothing is found a person is asked, and on their no it is sent."""
    peer = Scripted(works)
    async with served(peer) as url:
        await killed(tmp_path, url, point)
        async with bind(desk(scorer(url)).build(), settings=settings(tmp_path, lease_s=LEASE_S)) as app:
            run = await taken_over(app)
            if point in NOT_ARRIVED:
                assert run.state == "blocked" and not peer.book.told
                (question,) = await app.questions(run.id)
                assert question.kind == "settle" and "Did this arrive?" in question.title
                await app.answer(question.id, yes=False)
                run = await app.resume(run.id)
            came = await result(app, run.id)

    assert (run.state, came["output"]["level"]) == ("completed", "low"), came
    assert [told.text for told in peer.book.told] == ["Score this: one"]


@pytest.mark.parametrize("talk", [{"version": "0.3.0"}, {"version": "0.3.0", "streaming": False}])
async def test_a_peer_that_cannot_be_asked(talk: dict[str, Any], tmp_path: Path) -> None:
    """Nobody can tell whether it arrived: a person says that it did, and it is not sent again."""
    peer = Scripted(works)
    async with served(peer, **talk) as url:
        await killed(tmp_path, url, "after message 1")
        async with bind(desk(scorer(url)).build(), settings=settings(tmp_path, lease_s=LEASE_S)) as app:
            run = await taken_over(app)
            (question,) = await app.questions(run.id)
            await app.answer(question.id, yes=True)
            run = await app.resume(run.id)
            came = await result(app, run.id)

    assert came["code"] == "outcome_unknown" and "its answer is not known" in came["why"]
    assert len(peer.book.told) == 1


async def test_a_person_may_know_the_answer(tmp_path: Path) -> None:
    """Who settles it may bring the answer along; then it is read like any other."""
    peer = Scripted(works)
    async with served(peer, version="0.3.0") as url:
        await killed(tmp_path, url, "after message 1")
        async with bind(desk(scorer(url)).build(), settings=settings(tmp_path, lease_s=LEASE_S)) as app:
            run = await taken_over(app)
            (question,) = await app.questions(run.id)
            await app.answer(question.id, yes=True, value={"level": "seen", "points": 3})
            run = await app.resume(run.id)
            came = await result(app, run.id)

    assert came["output"] == {"level": "seen", "points": 3} and len(peer.book.told) == 1


@pytest.mark.parametrize(
    "point", ["after asked", "before message 2", "after message 2", "before answered", "after answered"]
)
async def test_an_answer_to_its_question(point: str, tmp_path: Path) -> None:
    """The answer of our person gets there, once, whenever the worker was killed."""
    peer = Scripted(asks)
    async with served(peer) as url:
        await killed(tmp_path, url, point)
        async with bind(desk(scorer(url)).build(), settings=settings(tmp_path, lease_s=LEASE_S)) as app:
            run = await taken_over(app)
            for question in await app.questions(run.id):
                assert point == "after asked"
                await app.answer(question.id, value="green")
                run = await app.resume(run.id)
            came = await result(app, run.id)

    assert (run.state, came["output"]["level"]) == ("completed", "low"), came
    assert [told.text for told in peer.book.told] == ["Score this: one", "green"]


async def test_a_worker_that_is_stopped_leaves_the_peer_at_work(tmp_path: Path) -> None:
    """Going down is not canceling: the next worker finds the task again, and it was done once."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def play(told: Told, up: TaskUpdater) -> None:
        await up.start_work()
        begun.set()
        await go_on.wait()
        await works(told, up)

    peer = Scripted(play)
    async with served(peer) as url:
        async with bind(desk(scorer(url)).build(), settings=settings(tmp_path)) as app:
            running = asyncio.create_task(app.run(Ticket(text="one")))
            await begun.wait()
            await _known(app)
            running.cancel()
            await asyncio.wait({running})
        go_on.set()
        async with bind(desk(scorer(url)).build(), settings=settings(tmp_path)) as app:
            run = await taken_over(app)
            came = await result(app, run.id)

    assert (run.state, came["output"]["level"]) == ("completed", "low")
    assert len(peer.book.told) == 1 and not peer.book.canceled


async def _known(app: Bound) -> None:
    """Waits until the id of the remote task is stored."""
    deadline = asyncio.get_running_loop().time() + 10
    (run,) = await app.stores.runs.list()
    while not any(row.remote for row in await SqlRemoteTasks(app.stores.database).open(run.id)):
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.01)


async def test_an_ask_that_changes_its_mind_is_not_sent(tmp_path: Path) -> None:
    """What is asked must follow from the inputs alone; else nothing is sent, and what was sent is kept."""
    peer = Scripted(works)
    async with served(peer) as url:
        await killed(tmp_path, url, "after working")
        agent = scorer(url, ask=lambda ticket: "something else")
        async with bind(desk(agent).build(), settings=settings(tmp_path, lease_s=LEASE_S)) as app:
            run = await taken_over(app)
            came = await result(app, run.id)
            (row,) = await SqlRemoteTasks(app.stores.database).open(run.id)

    assert came["code"] == "diverged" and len(peer.book.told) == 1
    assert row.state == "working" and row.remote == peer.book.told[0].task


async def test_an_answer_that_never_left_is_sent_to_a_peer_without_streams(tmp_path: Path) -> None:
    """A peer that tells its question for a while after it was answered gets the answer once."""
    peer = Scripted(asks)
    async with served(peer, streaming=False) as url:
        await killed(tmp_path, url, "before message 2")
        async with bind(desk(scorer(url)).build(), settings=settings(tmp_path, lease_s=LEASE_S)) as app:
            run = await taken_over(app)
            came = await result(app, run.id)
            asked = await events(app, run.id, "question.asked")

    assert (run.state, came["output"]["level"]) == ("completed", "low"), came
    assert [told.text for told in peer.book.told] == ["Score this: one", "green"] and len(asked) == 1


async def test_an_agent_that_has_moved_meanwhile(tmp_path: Path) -> None:
    """Whoever has the task keeps it: the next worker asks there, wherever the agent is placed by now."""
    peer, other = Scripted(works), Scripted(works)
    async with served(peer) as url, served(other) as moved:
        await killed(tmp_path, url, "after working")
        given = settings(tmp_path, lease_s=LEASE_S, remotes={"scorer": {"url": moved}})
        async with bind(desk(scorer(url)).build(), settings=given) as app:
            run = await taken_over(app)
            came = await result(app, run.id)
            again = await app.run(Ticket(text="two"))

    assert (run.state, came["output"]["level"], again.state) == ("completed", "low", "completed")
    assert [told.text for told in peer.book.told] == ["Score this: one"]
    assert [told.text for told in other.book.told] == ["Score this: two"]


async def test_without_the_journal_it_is_sent_twice(tmp_path: Path) -> None:
    """What the guard is for: switched off, the next execution sends the same task again."""
    peer = Scripted(works)
    async with served(peer) as url:
        await killed(tmp_path, url, "after working")
        given = settings(tmp_path, lease_s=LEASE_S)
        async with bind(desk(scorer(url)).build(), settings=given, guards=Guards(journal=False)) as app:
            await taken_over(app)

    assert len(peer.book.told) == 2


async def test_a_second_attempt_is_a_message_of_its_own(tmp_path: Path) -> None:
    """An answer that cannot be used is asked for again, as another task under another key."""
    levels = iter(["", "low"])

    async def play(told: Told, up: TaskUpdater) -> None:
        await up.start_work()
        await up.add_artifact([text(next(levels))])
        await up.complete()

    peer = Scripted(play)
    async with (
        served(peer) as url,
        bind(desk(scorer(url, attempts=2)).build(), settings=settings(tmp_path)) as app,
    ):
        run = await app.run(Ticket(text="one"))
        first, second = await events(app, run.id, "task.returned")

    assert (first["status"], second["status"]) == ("failed", "completed")
    assert "answered with nothing" in first["why"]
    one, two = peer.book.told
    assert one.id != two.id and one.task != two.task and one.context != two.context
