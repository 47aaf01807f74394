"""Frameworks whose A2A is not quite A2A: what they do, and that a remote agent of ours copes or says no.

Each quirk is seen with the SDK's own client first. Where that test fails with a newer version, the quirk
is gone and the page can say so.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from a2a.client import A2ACardResolver, ClientConfig, ClientFactory
from a2a.types import Message, Part, Role, SendMessageRequest
from google.protobuf.json_format import ParseError

from interlock.core.runs import Run
from tests.interop.caller import calling
from tests.interop.listener import Wish
from tests.interop.processes import Served

Serve = Callable[[str], Served]
AGNO = "a2a/agents/listener/.well-known/agent-card.json"


async def events_of(card_url: str) -> list[str]:
    """The kinds of events that the SDK's client reads from a stream; empty words for those it cannot read."""
    base, _, path = card_url.partition("/.well-known")
    async with httpx.AsyncClient(timeout=30) as http:
        card = await A2ACardResolver(http, base).get_agent_card(f".well-known{path}")
        client = ClientFactory(ClientConfig(httpx_client=http)).create(card)
        message = Message(message_id="m1", role=Role.ROLE_USER, parts=[Part(text="hello there")])
        request = SendMessageRequest(message=message)
        return [event.WhichOneof("payload") or "" async for event in client.send_message(request)]


def post(url: str, body: Any) -> Any:
    """Sends JSON and returns the JSON that comes back."""
    headers = {"Accept": "application/json", "A2A-Version": "1.0"}
    return httpx.post(url, json=body, headers=headers, timeout=30).json()


def rpc(method: str, **params: Any) -> dict[str, Any]:
    """A call of JSON-RPC."""
    return {"jsonrpc": "2.0", "id": "1", "method": method, "params": params}


def said(text: str) -> dict[str, Any]:
    """A message."""
    return {"messageId": "m1", "role": "ROLE_USER", "parts": [{"text": text}]}


async def run_of(url: str, folder: Path) -> Run:
    """One request to a desk of ours whose one agent is the peer."""
    async with calling(url, folder) as app:
        return await app.run(Wish(text="hello there"))


def langgraph_card(served: Served) -> str:
    """Where the card of the one graph is: the assistant is named in the query."""
    found = post(f"{served.url}assistants/search", {})
    return f"{served.url}.well-known/agent-card.json?assistant_id={found[0]['assistant_id']}"


async def test_fasta2a_writes_times_without_a_zone(served: Serve) -> None:
    """No reader of the protocol accepts its tasks."""
    with pytest.raises(ParseError, match="timestamp"):
        await events_of(f"{served('fasta2a').url}.well-known/agent-card.json")


def test_fasta2a_answers_before_it_has_an_answer(served: Serve) -> None:
    """A blocking call returns a task that was only submitted."""
    answer = post(served("fasta2a").url, rpc("SendMessage", message=said("hello there")))

    assert answer["result"]["task"]["status"]["state"] == "TASK_STATE_SUBMITTED"


@pytest.mark.parametrize("port", ["blocking", "url"])
async def test_a_remote_agent_takes_fasta2a_as_it_is(port: str, served: Serve, tmp_path: Path) -> None:
    """The zone is added, and a task that was only submitted is read until it is over."""
    run = await run_of(getattr(served("fasta2a"), port), tmp_path)

    assert (run.state, run.response) == ("completed", {"text": "fasta2a heard: hello there"})


async def test_agno_has_its_streaming_address_on_the_card_alone(served: Serve, tmp_path: Path) -> None:
    """Streams work there; a blocking call is refused by it, and for us a failed task."""
    streamed = await run_of(f"{served('agno').url}{AGNO}", tmp_path / "streamed")
    blocking = await run_of(f"{served('agno').blocking}{AGNO}", tmp_path / "blocking")

    assert (streamed.state, streamed.response) == ("completed", {"text": "agno heard: hello there"})
    assert (blocking.state, blocking.response) == ("failed", None)


async def test_agno_ends_a_stream_with_a_message_after_a_status(served: Serve) -> None:
    """In 1.0 a stream is either a message or a task; the SDK's client reads it all the same."""
    assert await events_of(f"{served('agno').url}{AGNO}") == ["status_update", "message"]


async def test_langgraph_streams_the_events_of_another_version(served: Serve) -> None:
    """Its card says 1.0, its events are those of 0.3: the SDK's client misses the answer."""
    assert await events_of(langgraph_card(served("langgraph_api"))) == ["task", "", ""]


def test_langgraph_takes_no_context_but_a_uuid(served: Serve) -> None:
    """Any text may name a context in A2A; there it has to name a thread."""
    card = langgraph_card(served("langgraph_api"))
    endpoint = card.replace(".well-known/agent-card.json?assistant_id=", "a2a/")

    answer = post(endpoint, rpc("SendMessage", message={**said("hello there"), "contextId": "matter-1"}))

    assert "error" in answer and "result" not in answer


def test_langgraph_read_again_has_other_words_for_its_answer(served: Serve) -> None:
    """A task that is read later says that it completed; what it said stands in its history alone."""
    card = langgraph_card(served("langgraph_api"))
    endpoint = card.replace(".well-known/agent-card.json?assistant_id=", "a2a/")
    task = post(endpoint, rpc("SendMessage", message=said("hello there")))["result"]["task"]["id"]

    again = post(endpoint, rpc("GetTask", id=task))["result"]

    assert again["status"]["message"]["parts"][0]["text"] == "Task completed successfully"
    assert "artifacts" not in again
    assert again["history"][-1]["parts"][0]["text"] == "langgraph-api heard: hello there"


async def test_a_remote_agent_takes_langgraph_as_it_is(served: Serve, tmp_path: Path) -> None:
    """Its events are read by the names that they have in 1.0, and the answer is the agent's own."""
    run = await run_of(langgraph_card(served("langgraph_api")), tmp_path)

    assert (run.state, run.response) == ("completed", {"text": "langgraph-api heard: hello there"})
