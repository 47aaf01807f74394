"""Graphs and agents as MCP tools: the real client, over standard input and output and over HTTP."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import httpx
import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import ElicitResult

from interlock import Agent, Doors
from interlock.errors import BadInput
from interlock.mcp.serving import McpFace
from tests import a2a_peers as peers
from tests import remote_desk
from tests.a2a_peers import Scripted
from tests.desk import Reply, Shop, Ticket, desk
from tests.front import ROOT, Front, fresh
from tests.integration.test_remote_agents_people import asks_yes
from tests.served import running

pytestmark = pytest.mark.long

front = pytest.fixture(fresh)
MODES = ["auto", "legacy"]
LOST = {"text": "my parcel is lost"}


@asynccontextmanager
async def stdio(front: Front, *arguments: str, **options: Any) -> AsyncGenerator[Client]:
    """A client whose server is `interlock mcp` as a process of its own."""
    given = StdioServerParameters(
        command=sys.executable,
        args=["-m", "interlock", "mcp", *arguments],
        cwd=str(front.folder),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    log = (front.folder / "stderr.txt").open("a", encoding="utf-8")
    try:
        async with Client(stdio_client(given, errlog=log), **options) as client:
            yield client
    finally:
        log.close()


@asynccontextmanager
async def http(url: str, who: str, **options: Any) -> AsyncGenerator[Client]:
    """A client of the server's `/mcp`, as one person."""
    headers = {"Authorization": f"Bearer {who}-token"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=30) as carrier,
        Client(streamable_http_client(f"{url}/mcp", http_client=carrier), **options) as client,
    ):
        yield client


class Person:
    """A person at the client who fills forms in."""

    def __init__(self, action: Literal["accept", "decline"], content: dict[str, Any] | None = None) -> None:
        """Always fills in the same."""
        self.reply = ElicitResult(action=action, content=content)
        self.shown: list[str] = []

    async def __call__(self, context: object, form: Any) -> ElicitResult:
        """Fills one form in."""
        self.shown.append(form.message)
        return self.reply


@pytest.mark.parametrize("mode", MODES)
async def test_a_graph_is_a_tool_whose_result_the_gate_accepted(front: Front, mode: str) -> None:
    """Schemas are the request's and the response's; what tools print stays off the wire."""
    async with stdio(front, "front", mode=mode) as client:
        (tool, follow) = (await client.list_tools()).tools
        done = await client.call_tool("front", {"text": "pay me"})

    assert (tool.name, follow.name) == ("front", "run_result")
    assert tool.input_schema["required"] == ["text"]
    assert done.structured_content == {"text": "We paid 49.90."}
    assert (done.is_error, done.meta["interlock/outcome"]) == (False, "resolved")  # type: ignore[index]
    assert front.paid == ["49.90"]
    assert "NOISE" in (front.folder / "stderr.txt").read_text(encoding="utf-8")


async def test_what_was_not_accepted_does_not_leave(front: Front) -> None:
    """A failure and a refusal are errors without a word of the agents; giving up has the desk's own words."""
    async with stdio(front, "front") as client:
        told = {
            text: await client.call_tool("front", {"text": text})
            for text in ("break", "murmur", "murmur nothing")
        }

    said = {text: done.content[0].text for text, done in told.items()}  # type: ignore[union-attr]
    assert said["break"].startswith("It failed (run r-")
    assert said["murmur"].startswith("It was refused: no answer passed the checks (run r-")
    assert told["murmur nothing"].structured_content == {"text": "We can do nothing."}
    assert [done.is_error for done in told.values()] == [True, True, False]
    whole = json.dumps([done.model_dump(mode="json") for done in told.values()])
    assert "CANARY" not in whole
    assert "defect" not in whole


async def test_bad_arguments_are_an_error_that_says_what_is_wrong(front: Front) -> None:
    """Nothing is started by them; a client that lost its answer asks again under its key."""
    key = {"interlock/key": "k-1"}
    async with stdio(front, "front") as client:
        missing = await client.call_tool("front", {"amount": 1})
        wrong = await client.call_tool("front", {"text": "pay", "amount": "x"})
        unknown = await client.call_tool("back", {})
        one = await client.call_tool("front", {"text": "pay me"}, meta=key)  # type: ignore[arg-type]
        two = await client.call_tool("front", {"text": "pay me"}, meta=key)  # type: ignore[arg-type]
        other = await client.call_tool("front", {"text": "colour"}, meta=key)  # type: ignore[arg-type]
    listed = await asyncio.to_thread(front.process, "runs", "list", "--json")

    for done, sentence in (
        (missing, "text: Field required"),
        (wrong, "amount: "),
        (unknown, "there is no tool 'back'"),
        (other, "was used for another request"),
    ):
        assert done.is_error
        assert sentence in done.content[0].text  # type: ignore[union-attr]
    assert one.meta == two.meta
    assert (len(listed.json), front.paid) == (1, ["49.90"])


async def test_an_approval_is_waited_for_and_never_given_by_the_client(front: Front) -> None:
    """The result says `waiting`; the yes is given by a person elsewhere, and the result is fetched then."""
    eager = Person("accept", {"yes": True})
    async with stdio(front, "front", elicitation_callback=eager) as client:
        first = await client.call_tool("front", {"text": "pay", "amount": 250})
        waiting = first.structured_content
        assert (waiting["status"], first.is_error, front.paid) == ("waiting", False, [])
        again = await client.call_tool("run_result", {"run": waiting["run"]})
        approve = ("approvals", "approve", waiting["questions"][0]["id"], "--no-wait")
        done = await asyncio.to_thread(front.process, *approve)
        async with asyncio.timeout(30):
            ended = await client.call_tool("run_result", {"run": waiting["run"]})
            while ended.structured_content.get("status"):
                await asyncio.sleep(0.1)
                ended = await client.call_tool("run_result", {"run": waiting["run"]})

    assert (again.structured_content["status"], done.code) == ("waiting", 0)
    assert eager.shown == []
    assert ended.structured_content == {"text": "We paid 250."}
    assert front.paid == ["250"]


@pytest.mark.parametrize("mode", MODES)
async def test_a_question_for_a_word_is_shown_to_the_clients_person(front: Front, mode: str) -> None:
    """A client that can show forms gets the question as one, and the call ends with the response."""
    person = Person("accept", {"answer": "red"})
    async with stdio(front, "front_desk.py:asker", mode=mode, elicitation_callback=person) as client:
        done = await client.call_tool("asker", {"text": "colour"})

    assert person.shown == ["Which colour?"]
    assert done.structured_content == {"text": "It will be red."}


@pytest.mark.parametrize("mode", MODES)
async def test_a_closed_form_leaves_the_question_open(front: Front, mode: str) -> None:
    """Whoever does not answer is not asked twice by one call; the run waits."""
    person = Person("decline")
    async with stdio(front, "front_desk.py:asker", mode=mode, elicitation_callback=person) as client:
        done = await client.call_tool("asker", {"text": "colour"})

    assert person.shown == ["Which colour?"]
    assert done.structured_content["status"] == "waiting"
    assert done.structured_content["questions"][0]["title"] == "Which colour?"


@pytest.mark.parametrize("mode", MODES)
async def test_approvals_are_asked_for_where_the_client_is_vouched_for(front: Front, mode: str) -> None:
    """With --approvals the client's person says yes to one exact call."""
    person = Person("accept", {"yes": True, "comment": "fine"})
    async with stdio(front, "--approvals", "front", mode=mode, elicitation_callback=person) as client:
        done = await client.call_tool("front", {"text": "pay", "amount": 250})

    assert person.shown == ["Pays money: amount 250"]
    assert done.structured_content == {"text": "We paid 250."}
    assert front.paid == ["250"]


@pytest.mark.parametrize("mode", MODES)
async def test_a_remote_agents_approval_is_an_approval_too(tmp_path: Path, mode: str) -> None:
    """Relayed or not, no form asks for a yes unless the client is vouched for; the remote agent waits."""
    peer, person = Scripted(asks_yes), Person("accept", {"answer": True})
    async with (
        peers.served(peer) as url,
        running(tmp_path, remote_desk.desk(remote_desk.scorer(url)).build()) as server,
        http(server.url, "ann", mode=mode, elicitation_callback=person) as client,
    ):
        done = await client.call_tool("remote-desk", {"text": "one"})

    assert person.shown == []
    assert done.structured_content["status"] == "waiting"
    assert len(peer.book.told) == 1


@pytest.mark.parametrize("mode", MODES)
async def test_over_http_the_door_knows_whose_call_it_is(tmp_path: Path, mode: str) -> None:
    """Each caller has runs of their own; who is not known is not let in."""
    shop = Shop(tmp_path / "shop.db", total="250")
    async with running(tmp_path, desk(shop).build()) as server:
        async with httpx.AsyncClient() as nobody:
            closed = await nobody.post(f"{server.url}/mcp", json={})
        async with http(server.url, "ann", mode=mode) as ann, http(server.url, "bob", mode=mode) as bob:
            waiting = (await ann.call_tool("support", LOST)).structured_content
            foreign = await bob.call_tool("run_result", {"run": waiting["run"]})
        run = await server.host.app.stores.runs.get(waiting["run"])
        async with http(server.url, "lea", mode=mode) as lea:
            leas = (await lea.call_tool("run_result", {"run": waiting["run"]})).structured_content

    assert closed.status_code == 401
    assert (run.owner.user, waiting["status"]) == ("ann", "waiting")
    assert "title" not in waiting["questions"][0], "it is for a shift-lead"
    assert leas["questions"][0]["title"].startswith("Pays money back")
    assert foreign.is_error and "has no run" in foreign.content[0].text  # type: ignore[union-attr]
    assert shop.rows() == []


@pytest.mark.parametrize("mode", MODES)
async def test_several_graphs_are_several_tools(tmp_path: Path, mode: str) -> None:
    """One endpoint offers them all; a supervisor and an agent alone look the same from outside."""

    async def greet(ticket: Ticket, doors: Doors) -> Reply:
        return Reply(text=f"Hello {doors.principal.user}.")

    greeter = Agent("greeter", "Greets.", run=greet)
    shop = Shop(tmp_path / "shop.db")
    async with (
        running(tmp_path, desk(shop).build(), greeter) as server,
        http(server.url, "ann", mode=mode) as client,
    ):
        names = [tool.name for tool in (await client.list_tools()).tools]
        done = await client.call_tool("greeter", LOST)
        paid = await client.call_tool("support", LOST)

    assert names == ["support", "greeter", "run_result"]
    assert done.structured_content == {"text": "Hello ann."}
    assert paid.structured_content == {"text": "We paid back 49.90 EUR for order A-1001."}


async def test_a_forged_state_opens_nobodys_run(tmp_path: Path) -> None:
    """What comes back from a client carries no authority: another person's run stays theirs."""
    shop = Shop(tmp_path / "shop.db", total="250")
    async with running(tmp_path, desk(shop).build()) as server:
        async with http(server.url, "ann") as ann:
            waiting = (await ann.call_tool("support", LOST)).structured_content
        async with http(server.url, "bob") as bob:
            answers: Any = {
                waiting["questions"][0]["id"]: ElicitResult(action="accept", content={"yes": True})
            }
            forged = await bob.session.call_tool(
                "support", LOST, request_state=waiting["run"], input_responses=answers
            )
        async with http(server.url, "lea") as lea:
            own = await lea.session.call_tool(
                "support", LOST, request_state=waiting["run"], input_responses=answers
            )

    assert forged.is_error and "has no run" in forged.content[0].text  # type: ignore[union-attr]
    assert own.structured_content["status"] == "waiting", "approvals are not given over MCP"
    assert shop.rows() == []


async def test_a_call_gets_no_more_time_than_its_caller_has(tmp_path: Path) -> None:
    """The remaining milliseconds travel beside the arguments."""
    shop = Shop(tmp_path / "shop.db")
    async with running(tmp_path, desk(shop).build()) as server, http(server.url, "ann") as client:
        late = await client.call_tool("support", LOST, meta={"interlock/deadline-ms": 1})  # type: ignore[arg-type]

    assert late.is_error or late.structured_content["text"] == "A colleague will write to you."
    assert shop.rows() == []


def test_a_graph_may_not_have_the_name_of_our_own_tool() -> None:
    """The sentence names it."""
    with pytest.raises(BadInput, match="'run_result' is a tool of the server's own"):
        McpFace({"run_result": None})  # type: ignore[dict-item]


def test_a_project_that_cannot_be_served_is_named(front: Front) -> None:
    """Exit code 2, and nothing on standard output, which is the client's."""
    told = front.process("mcp", "nobody")

    assert (told.code, told.out) == (2, "")
    assert "there is no graph 'nobody'" in told.sentence
