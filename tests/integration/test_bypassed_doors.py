"""Model calls past the doors: found in the record, and in strict mode refused before they are sent."""

from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_openai import ChatOpenAI

from interlock import Agent, Doors, bind
from interlock.inference.chat import RoutedChat
from interlock.inference.gateway import ModelGateway
from interlock.inference.routes import Candidate
from interlock.testing import ModelServer
from tests.desk import Ticket, settings
from tests.integration.test_routed_chat import Done, bodies, look, supervised, thinker


def past(server: ModelServer) -> ChatOpenAI:
    """A client of a body's own, which no door knows of."""
    return ChatOpenAI(model="hidden", base_url=server.url, api_key=_no_key, max_retries=0)


async def _no_key() -> str:
    return "none"


def agents(server: ModelServer) -> dict[str, Any]:
    """The ways past a door that callbacks see."""

    async def coded(ticket: Ticket, doors: Doors) -> Done:
        return Done(text=str((await past(server).ainvoke(ticket.text)).content))

    async def swallowed(ticket: Ticket, doors: Doors) -> Done:
        try:
            await past(server).ainvoke(ticket.text)
        except Exception:
            return Done(text="never mind")
        return Done(text="asked")

    graph = create_agent(past(server), tools=[look])
    return {
        "coded": Agent("coded", "Works.", run=coded),
        "swallowed": Agent("swallowed", "Works.", run=swallowed),
        "graph": thinker(graph),
    }


@pytest.mark.parametrize("how", ["coded", "swallowed", "graph"])
async def test_strict_mode_fails_the_run_and_sends_nothing(how: str, tmp_path: Path) -> None:
    """The server's book stays empty, whether or not the body swallows the refusal."""
    async with ModelServer(["psst"]) as server:
        graph = supervised(agents(server)[how])
        async with bind(graph, settings=settings(tmp_path, strict=True)) as app:
            run = await app.run(Ticket(text="go"))
            found = await bodies(app, run, "model.bypassed")

        assert not server.book
    assert run.state == "failed" and "past its doors" in run.reason
    assert [(each["model"], each["sent"]) for each in found] == [("hidden", False)]


async def test_without_strict_mode_it_is_found_in_the_record(tmp_path: Path) -> None:
    """The harm: a call that no budget paid for and no journal knows; the record says that it happened."""
    async with ModelServer(["psst"]) as server:
        graph = supervised(agents(server)["coded"])
        async with bind(graph, settings=settings(tmp_path)) as app:
            run = await app.run(Ticket(text="go"))
            found = await bodies(app, run, "model.bypassed")

        assert len(server.book) == 1
    assert run.spend.model_calls == 0
    assert [(each["model"], each["sent"]) for each in found] == [("hidden", True)]


async def test_thinking_through_the_doors_is_no_bypass(tmp_path: Path) -> None:
    """Neither `RoutedChat` nor what the gateway asks behind it is taken for one."""
    async with ModelServer(["hello"]) as server:
        listed = [Candidate("m", url=server.url), Candidate("openai:gpt-4o", key="none")]
        async with ModelGateway({"default": listed}) as models:
            graph = supervised(thinker(create_agent(RoutedChat(), tools=[look])))
            async with bind(graph, settings=settings(tmp_path, strict=True), models=models) as app:
                run = await app.run(Ticket(text="go"))
                found = await bodies(app, run, "model.bypassed")

    assert run.outcome == "resolved" and not found
