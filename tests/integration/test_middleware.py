"""LangChain's own middleware on `RoutedChat` in bound graph bodies: what works, and what is refused."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import (
    ClearToolUsesEdit,
    ContextEditingMiddleware,
    HumanInTheLoopMiddleware,
    LLMToolEmulator,
    LLMToolSelectorMiddleware,
    ModelCallLimitMiddleware,
    ModelFallbackMiddleware,
    ModelRetryMiddleware,
    PIIMiddleware,
    ProviderToolSearchMiddleware,
    SummarizationMiddleware,
    TodoListMiddleware,
    ToolCallLimitMiddleware,
    ToolErrorMiddleware,
    ToolRetryMiddleware,
)
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from interlock import bind
from interlock.bootstrap import Bound
from interlock.inference.chat import RoutedChat
from interlock.inference.gateway import ModelGateway
from interlock.inference.routes import Candidate
from interlock.testing import ModelServer
from interlock.testing.model_server import Asked, Refuses, Says, Turn
from tests.desk import Ticket, settings
from tests.integration.test_routed_chat import supervised, thinker

pytestmark = pytest.mark.long


class Camera:
    """A tool that fails as often as it is told to, and a book of its calls."""

    def __init__(self, failures: int = 0) -> None:
        """Takes the number of failures."""
        self.failures = failures
        self.places: list[str] = []

    @property
    def tool(self) -> Any:
        """The tool."""

        async def look(place: str) -> str:
            """Looks somewhere."""
            self.places.append(place)
            if len(self.places) <= self.failures:
                raise ConnectionError("the camera of acme is off")
            return f"a parcel in {place}"

        return look


def model(asked: Asked) -> Turn:
    """Looks in Rome, then says what was seen; on the route `aside`, what middleware asks models for."""
    if asked.model == "dead":
        return Refuses(500)
    if "ToolSelectionResponse" in asked.tools:
        return Says(calls=[("ToolSelectionResponse", {"tools": ["look"]})])
    if asked.model == "aside":
        return "a short account" if "extract" in str(asked.messages).lower() else "a cat in Rome"
    if asked.messages[-1]["role"] == "tool":
        return f"{len(asked.messages)} heard, the last: {asked.text}"
    return Says(calls=[("look", {"place": "Rome"})])


def plan_first(asked: Asked) -> Turn:
    """Writes its plan down before it looks."""
    if "write_todos" in asked.tools and asked.messages[-1]["role"] != "tool":
        return Says(calls=[("write_todos", {"todos": [{"content": "look", "status": "pending"}]})])
    if "todo" in asked.text.lower():
        return Says(calls=[("look", {"place": "Rome"})])
    return model(asked)


def for_ever(asked: Asked) -> Turn:
    """Never has enough."""
    return Says(calls=[("look", {"place": f"room {len(asked.messages)}"})])


def flaky() -> Any:
    """Fails once."""
    failed: list[Asked] = []

    def script(asked: Asked) -> Turn:
        failed.append(asked)
        return Refuses(500) if len(failed) == 1 else model(asked)

    return script


def long(ticket: Ticket) -> dict[str, Any]:
    """A conversation of many turns, with the ticket at its end."""
    turns = [(HumanMessage(f"turn {n}"), AIMessage(f"noted {n}")) for n in range(6)]
    return {"messages": [*(each for turn in turns for each in turn), HumanMessage(ticket.text)]}


def looked(ticket: Ticket) -> dict[str, Any]:
    """A conversation with many answers of tools in it."""
    said: list[Any] = []
    for number in range(6):
        call = {"name": "look", "args": {"place": "Oslo"}, "id": f"c{number}"}
        said += [
            AIMessage("", tool_calls=[call]),
            ToolMessage("a long answer " * 40, tool_call_id=f"c{number}"),
        ]
    return {"messages": [HumanMessage("go"), *said, HumanMessage(ticket.text)]}


@dataclass
class Case:
    """One middleware, and what is seen of it."""

    middleware: Callable[[], Any]
    says: str
    """Stands in the response."""
    sees: str = ""
    """Stands in what a model was asked last."""
    not_sees: str = "no such words"
    """Stands nowhere in what it was asked last."""
    routes: tuple[str, ...] = ("m", "m")
    """The models that the server was asked for, in order."""
    looks: int = 1
    """Calls of the tool."""
    failures: int = 0
    script: Callable[[], Any] = lambda: model
    write: Callable[[Ticket], Any] | None = None
    route: str = "default"


CASES = {
    "summarization": Case(
        lambda: SummarizationMiddleware(RoutedChat("aside"), trigger=("messages", 6), keep=("messages", 2)),
        "heard, the last: a parcel in Rome",
        sees="a short account",
        not_sees="turn 1",
        routes=("aside", "m", "m"),
        write=long,
    ),
    "model fallback": Case(
        lambda: ModelFallbackMiddleware(RoutedChat("default")),
        "the last: a parcel in Rome",
        routes=("dead", "m", "dead", "m"),
        route="dead",
    ),
    "model retry": Case(
        lambda: ModelRetryMiddleware(max_retries=1, initial_delay=0.0, jitter=False),
        "the last: a parcel in Rome",
        routes=("m", "m", "m"),
        script=flaky,
    ),
    "model call limit": Case(
        lambda: ModelCallLimitMiddleware(run_limit=3, exit_behavior="end"),
        "limit",
        routes=("m",) * 3,
        looks=3,
        script=lambda: for_ever,
    ),
    "tool call limit": Case(
        lambda: ToolCallLimitMiddleware(run_limit=2, exit_behavior="end"),
        "limit",
        routes=("m",) * 3,
        looks=2,
        script=lambda: for_ever,
    ),
    "tool retry": Case(
        lambda: ToolRetryMiddleware(max_retries=2, initial_delay=0.0, jitter=False),
        "the last: a parcel in Rome",
        looks=3,
        failures=2,
    ),
    "tool error": Case(
        lambda: ToolErrorMiddleware(lambda error, request: "the camera is off"),
        "the last: the camera is off",
        failures=1,
    ),
    "pii": Case(
        lambda: PIIMiddleware("email", strategy="redact"),
        "the last: a parcel in Rome",
        sees="[REDACTED_EMAIL]",
        not_sees="bob@example.com",
    ),
    "todo list": Case(
        TodoListMiddleware,
        "the last: a parcel in Rome",
        sees="write_todos",
        routes=("m",) * 3,
        script=lambda: plan_first,
    ),
    "context editing": Case(
        lambda: ContextEditingMiddleware(edits=[ClearToolUsesEdit(trigger=200, keep=1)]),
        "the last: a parcel in Rome",
        sees="[cleared]",
        write=looked,
    ),
    "tool selection": Case(
        lambda: LLMToolSelectorMiddleware(model=RoutedChat("aside"), max_tools=1),
        "the last: a parcel in Rome",
        routes=("aside", "m", "aside", "m"),
    ),
    "provider tool search": Case(  # has nothing to do where no provider is named
        lambda: ProviderToolSearchMiddleware(),
        "the last: a parcel in Rome",
    ),
    "tool emulation": Case(
        lambda: LLMToolEmulator(tools=["look"], model=RoutedChat("aside")),
        "the last: a cat in Rome",
        routes=("m", "aside", "m"),
        looks=0,
    ),
}


class World:
    """A model server, three routes to it, and an agent of LangChain's with one tool."""

    def __init__(self, folder: Path, server: ModelServer, gateway: ModelGateway, camera: Camera) -> None:
        """Takes the parts."""
        self.folder = folder
        self.server = server
        self.gateway = gateway
        self.camera = camera

    def bound(self, middleware: Any, *, route: str = "default", **more: Any) -> Bound:
        """The agent with a middleware, in a bound graph."""
        graph = create_agent(RoutedChat(route), tools=[self.camera.tool, nap], middleware=[middleware])
        graph = supervised(thinker(graph, **more))
        return bind(graph, settings=settings(self.folder), models=self.gateway)


async def nap() -> str:
    """Rests."""
    return "rested"


@asynccontextmanager
async def worlds(folder: Path, script: Any, failures: int = 0) -> AsyncGenerator[World]:
    """A world around a script."""
    async with ModelServer(script) as server:
        listed = {name: [Candidate(name, url=server.url)] for name in ("dead", "aside")}
        async with ModelGateway({**listed, "default": [Candidate("m", url=server.url)]}) as gateway:
            yield World(folder, server, gateway, Camera(failures))


@pytest.mark.parametrize("name", CASES)
async def test_middleware_works(name: str, tmp_path: Path) -> None:
    """It does its work; every model that it asks stands in the record and is paid, and none is bypassed."""
    case = CASES[name]
    more: dict[str, Any] = {"write": case.write} if case.write else {}
    async with worlds(tmp_path, case.script(), case.failures) as world:
        async with world.bound(case.middleware(), route=case.route, **more) as app:
            run = await app.run(Ticket(text="write to bob@example.com"))
            lines = await app.stores.record.lines(run.id)
        book, places = world.server.book, world.camera.places

    kinds = [line.event.kind for line in lines if line.event.kind.startswith("model.")]
    assert run.outcome == "resolved" and case.says in str(run.response)
    assert (tuple(each.model for each in book), len(places)) == (case.routes, case.looks)
    assert "model.bypassed" not in kinds and len(kinds) == len(book) == run.spend.model_calls
    assert case.sees in str(book[-1].messages) and case.not_sees not in str(book[-1].messages)


@pytest.mark.parametrize("mode", ["batched", "per_call"])
@pytest.mark.parametrize("kind", ["approve", "reject"])
async def test_a_person_in_langchains_loop(mode: Any, kind: str, tmp_path: Path) -> None:
    """Its question is listed with ours and answered in its own form; no reply is paid twice."""
    loop = HumanInTheLoopMiddleware(interrupt_on={"look": True}, interrupt_mode=mode)
    async with worlds(tmp_path, model) as world, world.bound(loop) as app:
        waiting = await app.run(Ticket(text="go"))
        (question,) = await app.questions(waiting.id)
        looked_before = list(world.camera.places)
        decision = {"type": kind, **({"message": "not there"} if kind == "reject" else {})}
        value = {"decisions": [decision]} if mode == "batched" else decision
        await app.answer(question.id, value=value)
        run = await app.resume(waiting.id)
        places, book = world.camera.places, world.server.book

    assert (waiting.state, looked_before) == ("waiting_for_approval", [])
    assert run.outcome == "resolved" and places == (["Rome"] if kind == "approve" else [])
    assert ("a parcel in Rome" if kind == "approve" else "not there") in str(run.response)
    assert len(book) == 2


async def test_a_tool_of_one_provider_is_refused(tmp_path: Path) -> None:
    """A route may lead to anybody, so nothing that only one provider knows can be asked of it."""
    async with worlds(tmp_path, model) as world:
        graph = supervised(thinker(create_agent(RoutedChat(), tools=[{"type": "web_search"}])))
        async with bind(graph, settings=settings(tmp_path), models=world.gateway) as app:
            run = await app.run(Ticket(text="go"))
        book = world.server.book

    assert "'web_search' is a tool of one provider" in run.reason and not book


async def test_a_model_by_its_name_is_past_the_doors(tmp_path: Path) -> None:
    """A fallback that names a provider is found, and in strict mode not asked: give it a `RoutedChat`."""
    async with worlds(tmp_path, model) as world:
        known = ChatOpenAI(model="gpt-4o", base_url=world.server.url, api_key=SecretStr("k"), max_retries=0)
        graph = create_agent(
            RoutedChat("dead"), tools=[world.camera.tool], middleware=[ModelFallbackMiddleware(known)]
        )
        strict = settings(tmp_path).model_copy(update={"strict": True})
        async with bind(supervised(thinker(graph)), settings=strict, models=world.gateway) as app:
            run = await app.run(Ticket(text="go"))
        book = world.server.book

    assert [each.model for each in book] == ["dead"] and run.outcome != "resolved"
