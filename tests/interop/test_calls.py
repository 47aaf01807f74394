"""Peers call and Interlock serves: `interlock serve` as people start it, and every peer's own client.

What a client got is what it says; what happened here is what the run's row and our book say.
"""

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.interop.board import PEERS, note
from tests.interop.ours import Ours, ours
from tests.interop.processes import calling, source

NAMES = [peer.name for peer in PEERS]
HEARD = "interlock heard: hello there"
CLIENTS = {
    "adk": "google.adk.a2a.agent._remote_a2a_agent",
    "agent_framework": "agent_framework_a2a._agent",
    "crewai": "crewai.a2a.utils.delegation",
    "strands": "strands.agent.a2a_agent",
    "beeai": "beeai_framework.adapters.a2a.agents.agent",
}
"""Where a framework's own client is."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Ours]:
    """Our server."""
    with ours(tmp_path_factory.mktemp("ours")) as serving:
        yield serving


@pytest.mark.parametrize("name", NAMES)
def test_a_peer_gets_the_answer_in_one_response(name: str, server: Ours) -> None:
    """The words that the gate accepted arrive."""
    heard = calling(name, server.url, "blocking", "hello there")

    assert heard.error == ""
    assert heard.said.startswith(HEARD)
    assert server.states()[-1] == ("completed", "resolved")
    note(name, "calls", "blocking", "works")


@pytest.mark.parametrize("name", NAMES)
def test_a_peer_calls_one_of_several_graphs(name: str, server: Ours) -> None:
    """Below the root of a server each graph has an address and a card of its own."""
    heard = calling(name, f"{server.url}agents/listening/", "blocking", "hello there")

    assert heard.error == ""
    assert heard.said.startswith(HEARD)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "crewai"])
def test_a_peer_gets_the_answer_as_a_stream(name: str, server: Ours) -> None:
    """The words arrive, and nothing of our progress is taken for a part of them."""
    heard = calling(name, server.url, "streaming", "hello there")

    assert heard.error == ""
    assert heard.pieces >= 1
    assert heard.said.startswith(HEARD)
    assert server.states()[-1] == ("completed", "resolved")
    note(name, "calls", "streaming", "works")


def test_crewai_takes_progress_for_a_part_of_the_answer(server: Ours) -> None:
    """It strings together every word of a stream, so our lines of progress come before the answer."""
    heard = calling("crewai", server.url, "streaming", "hello there")

    assert heard.error == ""
    assert heard.said.endswith(HEARD)
    assert "gate: accepted" in heard.said
    assert server.states()[-1] == ("completed", "resolved")
    note("crewai", "calls", "streaming", "works, with our lines of progress before the answer")


@pytest.mark.parametrize("name", [name for name in NAMES if name != "strands"])
def test_a_peer_answers_our_question(name: str, server: Ours) -> None:
    """The question arrives in words, a plain yes goes back to the same task, and the effect happens once."""
    before = len(server.book())

    heard = calling(name, server.url, "question", f"approve {name}", "yes")

    assert f"what {name}" in heard.question
    assert heard.error == ""
    assert f"approved: {name}" in heard.said
    assert server.book()[before:] == [f"booked {name}"]
    assert server.states()[-1] == ("completed", "resolved")
    note(name, "calls", "question", "works")


def test_strands_hears_the_question_and_cannot_answer_it(server: Ours) -> None:
    """Its client keeps no task: the answer starts another one, and ours waits on for its person."""
    before = len(server.book())

    heard = calling("strands", server.url, "question", "approve strands", "yes")

    assert "what strands" in heard.question
    assert heard.said == "interlock heard: yes"
    assert server.book()[before:] == []
    assert [state for state, _ in server.states()[-2:]] == ["waiting_for_approval", "completed"]
    note("strands", "calls", "question", "hears it, cannot answer: its client keeps no task")


@pytest.mark.parametrize("name", NAMES)
def test_a_peer_stops_our_run_with_the_client_of_its_sdk(name: str, server: Ours) -> None:
    """No framework's client can cancel; that of the SDK beside it can, and the run's row says so."""
    before = len(server.book())
    protocol = next(peer.protocol for peer in PEERS if peer.name == name)
    script = f"cancel_{protocol.replace('.', '_')}.py"
    book = str(server.folder / "listener.book")

    heard = calling(name, server.url, "cancel", "slow work", book, script=script)

    assert "cancel_task" not in source(name, CLIENTS[name])
    assert heard.error == ""
    assert heard.said in ("TASK_STATE_CANCELED", "canceled")
    assert server.states()[-1][0] == "canceled"
    assert server.book()[before:] == ["started", "stopped"]
    note(name, "calls", "cancel", "works by its SDK's client; it has none of its own")


def test_the_server_said_nothing_but_where_it_is(server: Ours, tmp_path: Path) -> None:
    """No caller made it tell of an error."""
    assert server.log().count("\n") == 1, server.log()
