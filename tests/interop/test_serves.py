"""Peers serve and Interlock calls them, through a remote agent in a bound supervisor.

What was seen is noted for the table; what cannot be is proved by what happens instead.
"""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from interlock.core.questions import Question
from interlock.core.runs import Run
from tests.interop.board import PEERS, note
from tests.interop.caller import calling
from tests.interop.listener import Wish
from tests.interop.processes import Served, serving, source

Serve = Callable[[str], Served]
NAMES = [peer.name for peer in PEERS]
TITLES = {"agent_framework": "agent-framework"}
NOBODY = {"text": "nobody answered"}


async def run_of(url: str, folder: Path, text: str) -> Run:
    """One request to a desk of ours whose one agent is the peer."""
    async with calling(url, folder) as app:
        return await app.run(Wish(text=text))


async def answered(url: str, folder: Path, text: str, reply: Callable[[Question], object]) -> tuple[str, Run]:
    """A request that the peer answers with a question; the question's words, and the run after our answer."""
    async with calling(url, folder) as app:
        run = await app.run(Wish(text=text))
        assert run.state == "waiting_for_approval"
        question = (await app.questions(run.id))[0]
        await app.answer(question.id, value=reply(question))
        return question.title, await app.resume(run.id)


async def canceled(served: Served, folder: Path) -> tuple[Run, list[str]]:
    """A slow request that a person cancels; the run, and what the peer's model wrote into its book since."""
    before = len(served.words())
    async with calling(served.url, folder) as app:
        going = asyncio.create_task(app.run(Wish(text="slow work")))
        assert await served.until("started", before)
        run = (await app.stores.runs.list())[0].id
        going.cancel()
        await asyncio.wait({going})
        ended = await asyncio.wait_for(app.cancel(run), 30)
        await served.until("stopped", before, within_s=4)
        return ended, served.words()[before:]


@pytest.mark.parametrize("name", NAMES)
async def test_a_peer_answers_a_blocking_call(name: str, served: Serve, tmp_path: Path) -> None:
    """Behind a card that offers no streaming, the answer comes in one response."""
    run = await run_of(served(name).blocking, tmp_path, "hello there")

    assert (run.state, run.outcome) == ("completed", "resolved")
    assert run.response == {"text": f"{TITLES.get(name, name)} heard: hello there"}
    note(name, "serves", "blocking", "works")


@pytest.mark.parametrize("name", NAMES)
async def test_a_peer_answers_a_streaming_call(name: str, served: Serve, tmp_path: Path) -> None:
    """However many pieces it comes in, and wherever they stand, the answer is whole."""
    run = await run_of(served(name).url, tmp_path, "hello there")

    assert (run.state, run.outcome) == ("completed", "resolved")
    assert run.response == {"text": f"{TITLES.get(name, name)} heard: hello there"}
    note(name, "serves", "streaming", "works")


async def test_adk_asks_and_goes_on_with_the_answer(served: Serve, tmp_path: Path) -> None:
    """The question of a long-running tool is relayed to our person, and a plain yes goes back."""
    asked, run = await answered(served("adk").url, tmp_path, "approve pay 5", lambda question: "yes")

    assert "May I pay 5?" in asked
    assert run.response == {"text": "approved: pay 5"}
    note("adk", "serves", "question", "works")


async def test_strands_asks_and_takes_its_own_data_as_the_answer(served: Serve, tmp_path: Path) -> None:
    """A person who answers with JSON that names the interrupt is heard; plain words are refused there."""
    asked, run = await answered(served("strands").url, tmp_path, "approve pay 5", interrupt_response)

    assert "May I pay 5?" in asked
    assert run.response == {"text": "approved: pay 5"}
    note("strands", "serves", "question", "works, answered by its own `interruptResponse` data")


async def test_strands_refuses_an_answer_in_words(served: Serve, tmp_path: Path) -> None:
    """A plain yes is not what it waits for: our task fails loudly, and nothing is taken for an answer."""
    asked, run = await answered(served("strands").url, tmp_path, "approve pay 6", lambda question: "yes")

    assert "May I pay 6?" in asked
    assert run.state == "failed"
    assert run.response is None


def interrupt_response(question: Question) -> object:
    """The answer as strands wants it: it names the interrupt that came beside the question's words."""
    data: Any = question.details["data of the remote agent"]
    named = data["interrupts"][0]["interruptId"]
    return json.dumps({"interruptResponse": {"interruptId": named, "response": "yes"}})


async def test_agent_framework_drops_its_question(served: Serve, tmp_path: Path) -> None:
    """A tool that needs a yes ends the task without a word: for us a failed task, never an empty answer."""
    run = await run_of(served("agent_framework").url, tmp_path, "approve pay 5")

    assert run.response != {"text": ""}
    assert run.outcome != "resolved"
    note(
        "agent_framework", "serves", "question", "cannot: its executor drops the question and completes empty"
    )


@pytest.mark.parametrize(
    ("name", "module"),
    [("crewai", "crewai.a2a.utils.task"), ("beeai", "beeai_framework.adapters.a2a.serve.executors")],
)
def test_these_servers_never_ask(name: str, module: str) -> None:
    """Nothing in their servers' code puts a task into the state in which it asks."""
    code = source(name, module)

    assert "completed" in code or "complete(" in code
    assert "input_required" not in code and "requires_input" not in code
    note(name, "serves", "question", "cannot: its server knows no question")


@pytest.mark.parametrize("name", ["adk", "agent_framework", "strands"])
async def test_a_peer_stops_when_our_run_is_canceled(name: str, served: Serve, tmp_path: Path) -> None:
    """The peer's own book says that its model was stopped."""
    run, words = await canceled(served(name), tmp_path)

    assert run.state == "canceled"
    assert words == ["started", "stopped"]
    note(name, "serves", "cancel", "works")


@pytest.mark.parametrize("name", ["adk", "agent_framework", "strands"])
async def test_a_peer_stops_when_our_time_is_over(name: str, served: Serve, tmp_path: Path) -> None:
    """Out of time, the peer is told so: nobody works on for an answer that nobody waits for."""
    peer = served(name)
    before = len(peer.words())
    async with calling(peer.url, tmp_path, seconds=3) as app:
        run = await app.run(Wish(text="slow work"))

    assert run.outcome != "resolved"
    assert await peer.until("stopped", before)


async def test_crewai_names_its_task_only_when_it_is_over(served: Serve, tmp_path: Path) -> None:
    """What has no id cannot be canceled: our run ends, its model works on."""
    run, words = await canceled(served("crewai"), tmp_path)

    assert run.state == "canceled"
    assert words == ["started"]
    note("crewai", "serves", "cancel", "cannot: the task has no id before it is over; it works on")


async def test_beeai_stops_for_good(tmp_path: Path) -> None:
    """A cancel stops the model, is never answered, and fails every later task of that server."""
    with serving("beeai", tmp_path) as alone:
        run, words = await canceled(alone, tmp_path)
        later = await run_of(alone.url, tmp_path, "hello there")

    assert run.state == "canceled"
    assert words == ["started", "stopped"]
    assert later.outcome != "resolved"
    note(
        "beeai",
        "serves",
        "cancel",
        "stops the work, but is never answered, and the server then fails every later task",
    )
