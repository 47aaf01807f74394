"""Questions of remote agents reach our people, and their answers go back to that peer alone."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from a2a.server.tasks import TaskUpdater

from interlock import Limits, bind
from interlock.testing.clock import StillClock
from tests.a2a_peers import Scripted, Told, data, served, text
from tests.desk import Ticket
from tests.remote_desk import desk, events, result, scorer, settings

pytestmark = pytest.mark.long


async def asks_colour(told: Told, up: TaskUpdater) -> None:
    """Asks one thing in words, and answers with it."""
    if not told.waited:
        await up.requires_input(
            up.new_agent_message([text("Which colour? My key is sk-live-abcdef1234567890XY")])
        )
        return
    await up.start_work()
    await up.add_artifact([text(f"colour {told.text}")])
    await up.complete()


async def asks_yes(told: Told, up: TaskUpdater) -> None:
    """Asks for an approval as servers of ours do."""
    if not told.waited:
        asked = {"question": "q-77", "kind": "approve"}
        await up.requires_input(up.new_agent_message([text("Pay 5 EUR?"), data(asked)]))
        return
    await up.start_work()
    await up.add_artifact([text(f"{told.data}")])
    await up.complete()


async def asks_twice(told: Told, up: TaskUpdater) -> None:
    """Asks again after the first answer."""
    if told.text != "second":
        await up.requires_input(up.new_agent_message([text(f"More, after {told.text!r}?")]))
        return
    await up.add_artifact([text("done")])
    await up.complete()


async def wants_auth(told: Told, up: TaskUpdater) -> None:
    """Waits until it is let in, and is let in on the side."""
    await up.start_work()
    await up.requires_auth(up.new_agent_message([text("Sign in at the bank")]))


TALKS: dict[str, dict[str, Any]] = {
    "streaming": {},
    "blocking": {"streaming": False},
    "0.3": {"version": "0.3.0"},
}


@pytest.mark.parametrize("talk", TALKS)
async def test_a_question_in_words_is_relayed(talk: str, tmp_path: Path) -> None:
    """Our person gets it in the remote agent's words, marked as its own; the answer goes on with its task."""
    peer = Scripted(asks_colour)
    async with (
        served(peer, **TALKS[talk]) as url,
        bind(desk(scorer(url)).build(), settings=settings(tmp_path)) as app,
    ):
        run = await app.run(Ticket(text="one"))
        (question,) = await app.questions(run.id)
        assert run.state == "waiting_for_approval"
        await app.answer(question.id, value="green")
        ended = await app.resume(run.id)
        came = await result(app, run.id)
        sent = await events(app, run.id, "remote.sent")

    assert question.kind == "relay" and question.title.startswith(
        'The remote agent scorer asks: "Which colour?'
    )
    assert "sk-live" not in question.model_dump_json()
    assert (ended.state, came["output"]["level"]) == ("completed", "colour green")
    first, second = peer.book.told
    assert (second.task, second.context) == (first.task, first.context)
    assert second.text == "green" and second.id != first.id
    assert [each["turn"] for each in sent] == [0, 1]


@pytest.mark.parametrize(("yes", "sent"), [(True, True), (False, False)])
async def test_an_approval_of_our_own_server_is_answered_as_data(
    yes: bool, sent: bool, tmp_path: Path
) -> None:
    """Yes and no to a server of ours go back as data that names the question."""
    peer = Scripted(asks_yes)
    async with served(peer) as url, bind(desk(scorer(url)).build(), settings=settings(tmp_path)) as app:
        run = await app.run(Ticket(text="one"))
        (question,) = await app.questions(run.id)
        await app.answer(question.id, yes=yes)
        await app.resume(run.id)

    assert peer.book.told[1].data == {"question": "q-77", "yes": sent, "value": None, "comment": ""}


async def test_it_may_ask_again(tmp_path: Path) -> None:
    """Each question is one of its own; no to a question in words is told as no."""
    peer = Scripted(asks_twice)
    async with served(peer) as url, bind(desk(scorer(url)).build(), settings=settings(tmp_path)) as app:
        run = await app.run(Ticket(text="one"))
        (first,) = await app.questions(run.id)
        await app.answer(first.id, yes=False)
        run = await app.resume(run.id)
        (second,) = await app.questions(run.id)
        await app.answer(second.id, value="second")
        ended = await app.resume(run.id)

    assert ended.state == "completed" and first.id != second.id
    assert [told.text for told in peer.book.told] == ["Score this: one", "No.", "second"]


async def test_nobody_answers(tmp_path: Path) -> None:
    """A question past its expiry stops the remote agent, and the task fails."""
    peer, clock = Scripted(asks_colour), StillClock()
    async with (
        served(peer) as url,
        bind(desk(scorer(url)).build(), settings=settings(tmp_path), clock=clock) as app,
    ):
        run = await app.run(Ticket(text="one"))
        clock.advance(2 * 86_400.0)
        ended = await app.resume(run.id)
        came = await result(app, run.id)

    assert ended.state == came["status"] == "failed" and "nobody answered" in came["why"]
    assert peer.book.canceled == [peer.book.told[0].task]
    assert len(peer.book.told) == 1


async def test_it_wants_to_be_let_in(tmp_path: Path) -> None:
    """Our person is told that it waits; on their word it is looked at again, and no secret is ever sent."""
    peer = Scripted(wants_auth)
    async with served(peer) as url, bind(desk(scorer(url)).build(), settings=settings(tmp_path)) as app:
        run = await app.run(Ticket(text="one"))
        (question,) = await app.questions(run.id)
        await app.answer(question.id, yes=False)
        ended = await app.resume(run.id)
        came = await result(app, run.id)

    assert "Sign in at the bank" in question.title and question.answer_schema == {"type": "boolean"}
    assert ended.state == "failed" and came["code"] == "rejected"
    assert len(peer.book.told) == 1 and peer.book.canceled


async def test_out_of_time_the_remote_agent_is_stopped(tmp_path: Path) -> None:
    """Our deadline ends the remote task as well."""
    started = asyncio.Event()

    async def for_ever(told: Told, up: TaskUpdater) -> None:
        await up.start_work()
        started.set()
        await asyncio.Event().wait()

    peer = Scripted(for_ever)
    async with (
        served(peer) as url,
        bind(desk(scorer(url, limits=Limits(seconds=1))).build(), settings=settings(tmp_path)) as app,
    ):
        run = await app.run(Ticket(text="one"))
        came = await result(app, run.id)
        (canceled,) = await events(app, run.id, "remote.canceled")

    assert started.is_set() and came["code"] == "deadline_exceeded"
    assert peer.book.canceled == [peer.book.told[0].task] and canceled["told"] is True


async def test_canceling_the_run_stops_the_remote_agent(tmp_path: Path) -> None:
    """A run that waits for our person is canceled: the peer that asked is told to stop."""
    peer = Scripted(asks_colour)
    async with served(peer) as url, bind(desk(scorer(url)).build(), settings=settings(tmp_path)) as app:
        run = await app.run(Ticket(text="one"))
        ended = await app.cancel(run.id)
        (canceled,) = await events(app, run.id, "remote.canceled")
        heads = await app.stores.record.heads(run.id)
        end = await app.stores.record.end(run.id)

    assert ended.state == "canceled" and peer.book.canceled == [peer.book.told[0].task]
    assert canceled["told"] is True and heads[-1].seq == end[0]
