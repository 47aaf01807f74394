"""LangChain's own agents and middleware on `RoutedChat`, in bound graphs, against a real model server."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import SummarizationMiddleware, ToolCallLimitMiddleware
from langchain.agents.structured_output import ProviderStrategy, ToolStrategy
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.runtime import get_runtime
from pydantic import BaseModel

from interlock import Agent, Doors, Findings, Limits, Plan, Supervisor, Task, bind
from interlock.bootstrap import Bound
from interlock.core.guards import Guards
from interlock.core.runs import Run
from interlock.errors import ModelUnavailable, NotBound
from interlock.inference.chat import RoutedChat
from interlock.inference.gateway import ModelGateway
from interlock.inference.routes import Candidate
from interlock.testing import ModelServer
from interlock.testing.model_server import Asked, BreaksOff, Refuses, Says
from tests.desk import Reply, Ticket, settings


class Done(BaseModel):
    """What a body came to."""

    text: str


def answer(ticket: Ticket, findings: Findings) -> Reply:
    """What every task came to."""
    return Reply(text="; ".join(f"{i.task} {i.status}: {i.output}" for i in findings.items))


def supervised(agent: Any, **more: Any) -> Any:
    """A graph in which one agent works on every ticket."""

    def always(ticket: Ticket) -> Plan | None:
        """Every ticket."""
        return Plan(Task(agent, ticket))

    parts: dict[str, Any] = {"agents": [agent], "routes": [always], "answer": answer, **more}
    parts |= {"request": Ticket, "response": Reply, "examples": [Ticket(text="x")]}
    return Supervisor("thinking", **parts).build()


def ask(ticket: Ticket) -> dict[str, Any]:
    """The conversation's first message."""
    return {"messages": [HumanMessage(ticket.text)]}


def last(state: Mapping[str, Any]) -> Done:
    """The conversation's last message."""
    return Done(text=str(state["messages"][-1].content))


def structured(state: Mapping[str, Any]) -> Done:
    """The conversation's typed result."""
    return state["structured_response"]


def thinker(graph: Any, **more: Any) -> Any:
    """An agent whose body is a LangChain agent."""
    given: dict[str, Any] = {"write": ask, "read": last, "max_steps": 30, **more}
    return Agent("thinker", "Thinks.", graph=graph, **given)


async def look(place: str) -> str:
    """Looks somewhere."""
    return f"a parcel in {place}"


async def ask_owner(question: str) -> str:
    """Asks a person."""
    doors: Doors = get_runtime().context  # type: ignore[assignment]
    return str(await doors.ask(question))


def told(asked: Asked) -> Says | str:
    """Calls the first tool it is offered, then says what that answered."""
    if asked.messages[-1]["role"] == "tool":
        return f"I saw: {asked.text}"
    return Says(calls=[(next(iter(asked.tools)), {"place": "Rome"})])


class World:
    """A model server, the gateway to it, and graphs bound to both."""

    def __init__(self, server: ModelServer, folder: Path) -> None:
        """One route for everything."""
        self.server = server
        self.gateway = ModelGateway({"default": [Candidate("m", url=server.url, timeout_s=5)]})
        self.folder = folder

    def bound(self, graph: Any, **more: Any) -> Bound:
        """The graph, bound."""
        return bind(graph, settings=settings(self.folder), models=self.gateway, **more)

    async def run(self, graph: Any, text: str = "go", **more: Any) -> Run:
        """Runs one ticket."""
        async with self.bound(graph, **more) as app:
            return await app.run(Ticket(text=text))


@pytest.fixture
async def server() -> Any:
    """A model that uses a tool once."""
    async with ModelServer(told) as opened:
        yield opened


@pytest.fixture
async def world(server: ModelServer, tmp_path: Path) -> Any:
    """The gateway to it."""
    made = World(server, tmp_path)
    async with made.gateway:
        yield made


async def bodies(app: Bound, run: Run, kind: str) -> list[dict[str, Any]]:
    """What events of one kind say."""
    lines = await app.stores.record.lines(run.id)
    return [line.body for line in lines if line.event.kind == kind and isinstance(line.body, dict)]


async def test_a_langchain_agent_thinks_through_the_doors(world: World) -> None:
    """Tool calls go there and back, and each reply is one event with its prompt, tokens and model."""
    agent = thinker(create_agent(RoutedChat("careful", prompt="find@3"), tools=[look]))
    async with world.bound(supervised(agent)) as app:
        run = await app.run(Ticket(text="where is it?"))
        called = await bodies(app, run, "model.called")

    assert run.outcome == "resolved" and "I saw: a parcel in Rome" in str(run.response)
    assert len(world.server.book) == 2 == run.spend.model_calls
    assert [(each["route"], each["prompt_version"], each["model"]) for each in called] == [
        ("careful", "find@3", "m")
    ] * 2
    assert called[0]["prompt"] == "where is it?" and "[tool]\na parcel in Rome" in str(called[1]["prompt"])
    assert run.spend.tokens == sum(each["tokens"] for each in called) > 0


async def test_a_re_executed_agent_is_not_billed_again(world: World) -> None:
    """After a person's answer the body runs again: every earlier reply comes from the journal."""

    def script(asked: Asked) -> Says | str:
        if asked.messages[-1]["role"] == "tool":
            return f"They said {asked.text}."
        return Says(calls=[("ask_owner", {"question": "Which colour?"})])

    world.server.script = script
    graph = create_agent(RoutedChat(), tools=[ask_owner], checkpointer=False)
    async with world.bound(supervised(thinker(graph))) as app:
        waiting = await app.run(Ticket(text="go"))
        asked_before = len(world.server.book)
        (question,) = await app.questions(waiting.id)
        await app.answer(question.id, value="red")
        run = await app.resume(waiting.id)

    assert (waiting.state, asked_before) == ("waiting_for_approval", 1)
    assert "They said red." in str(run.response)
    assert len(world.server.book) == 2


async def test_without_the_journal_the_model_is_asked_again(world: World) -> None:
    """The harm that the guard prevents, in the server's book: the same question paid for twice."""

    def script(asked: Asked) -> Says | str:
        if asked.messages[-1]["role"] == "tool":
            return "done"
        return Says(calls=[("ask_owner", {"question": "Colour?"})])

    world.server.script = script
    graph = create_agent(RoutedChat(), tools=[ask_owner], checkpointer=False)
    async with world.bound(supervised(thinker(graph)), guards=Guards(journal=False)) as app:
        waiting = await app.run(Ticket(text="go"))
        (question,) = await app.questions(waiting.id)
        await app.answer(question.id, value="red")
        await app.resume(waiting.id)

    first = [each for each in world.server.book if len(each.messages) == 1]
    assert len(first) == 2


async def test_tool_call_limits_work(world: World) -> None:
    """LangChain's own limit ends a model that calls tools for ever."""
    world.server.script = lambda asked: Says(calls=[("look", {"place": f"room {len(asked.messages)}"})])
    limit: Any = ToolCallLimitMiddleware(run_limit=3, exit_behavior="end")
    run = await world.run(supervised(thinker(create_agent(RoutedChat(), tools=[look], middleware=[limit]))))

    assert run.outcome == "resolved" and "limit" in str(run.response)
    assert len(world.server.book) == 4


async def test_summarization_works(world: World) -> None:
    """LangChain's own summary of a long conversation is made by a route, and recorded like the rest."""

    def script(asked: Asked) -> str:
        heading = asked.messages[0]["content"].lower()
        return "a short summary" if "extract" in heading else f"{len(asked.messages)} heard"

    world.server.script = script
    chat = RoutedChat("summaries")
    short: Any = SummarizationMiddleware(model=chat, trigger=("messages", 6), keep=("messages", 2))

    def long(ticket: Ticket) -> dict[str, Any]:
        turns = [(HumanMessage(f"turn {n}"), AIMessage(f"noted {n}")) for n in range(6)]
        return {"messages": [*(each for turn in turns for each in turn), HumanMessage(ticket.text)]}

    graph = create_agent(RoutedChat(), tools=[look], middleware=[short])
    async with world.bound(supervised(thinker(graph, write=long))) as app:
        run = await app.run(Ticket(text="and now?"))
        called = await bodies(app, run, "model.called")

    assert [each["route"] for each in called] == ["summaries", "default"]
    assert "a short summary" in str(called[1]["prompt"]) and "turn 1" not in str(called[1]["prompt"])
    assert "3 heard" in str(run.response)


@pytest.mark.parametrize("strategy", [ToolStrategy, ProviderStrategy])
async def test_structured_output_works_either_way(world: World, strategy: Any) -> None:
    """By a tool that stands for the schema, or by the provider's own JSON schema."""

    def script(asked: Asked) -> Says | str:
        return '{"text": "by schema"}' if asked.schema else Says(calls=[("Done", {"text": "by tool"})])

    world.server.script = script
    graph = create_agent(RoutedChat(), tools=[], response_format=strategy(Done))
    run = await world.run(supervised(thinker(graph, read=structured)))

    by = "by tool" if strategy is ToolStrategy else "by schema"
    assert by in str(run.response)


async def test_with_structured_output_reads_the_reply(world: World) -> None:
    """The standard LangChain way to a typed value, with doors given by hand."""
    world.server.script = [Says(calls=[("Done", {"text": "typed"})])]

    async def body(ticket: Ticket, doors: Doors) -> Done:
        made = await RoutedChat("x", doors).with_structured_output(Done).ainvoke(ticket.text)
        assert isinstance(made, Done)
        return made

    run = await world.run(supervised(Agent("coded", "Works.", run=body)))

    assert "typed" in str(run.response)
    assert world.server.book[0].body["tool_choice"] == "required"


async def test_a_streamed_reply_comes_in_pieces_and_whole(world: World) -> None:
    """Chunks add up to the reply, with its tool calls and usage."""
    world.server.script = [Says("one two three four", calls=[("look", {"place": "x"})], reasoning="hm")]
    seen: list[Any] = []

    async def body(ticket: Ticket, doors: Doors) -> Done:
        async for chunk in RoutedChat(doors=doors).bind_tools([look]).astream(ticket.text):
            seen.append(chunk)
        return Done(text="ok")

    await world.run(supervised(Agent("coded", "Works.", run=body)))
    whole = seen[0]
    for chunk in seen[1:]:
        whole += chunk

    assert len([chunk for chunk in seen if chunk.content]) == 3
    assert whole.content == "one two three four"
    assert whole.tool_calls[0]["args"] == {"place": "x"}
    assert whole.additional_kwargs["reasoning_content"] == "hm" and whole.usage_metadata["output_tokens"] > 0


async def test_langgraphs_own_stream_has_the_pieces_once(tmp_path: Path) -> None:
    """Its message stream shows what `RoutedChat` says, and nothing of the clients behind the door."""
    graph = create_agent(RoutedChat(reasoning="low"), tools=[look], checkpointer=False)
    pieces: list[str] = []

    async def body(ticket: Ticket, doors: Doors) -> Done:
        given: Any = {"messages": [HumanMessage(ticket.text)]}
        config: Any = {"configurable": {"__pregel_durability": "async"}}
        streamed: Any = graph.astream(given, config, context=doors, stream_mode="messages")
        async for chunk, _ in streamed:
            pieces.append(str(chunk.content))
        return Done(text="ok")

    async with ModelServer([BreaksOff("one two thr"), "one two three four"]) as server:
        listed = [Candidate("bad", url=server.url), Candidate("good", url=server.url)]
        async with ModelGateway({"default": listed}) as gateway:
            agent = Agent("coded", "Works.", run=body)
            async with bind(supervised(agent), settings=settings(tmp_path), models=gateway) as app:
                await app.run(Ticket(text="go"))

        assert len(server.book) == 2
    assert "".join(pieces) == "one two three four" and len(pieces) > 2


async def test_a_stream_never_mixes_two_models(tmp_path: Path) -> None:
    """What the first model said before it broke off is in no chunk."""
    chunks: list[str] = []

    async def body(ticket: Ticket, doors: Doors) -> Done:
        async for chunk in RoutedChat(doors=doors).astream("tell me"):
            chunks.append(str(chunk.content))
        return Done(text="".join(chunks))

    async with ModelServer([BreaksOff("wrong ")]) as bad, ModelServer(["all of it, told"]) as good:
        listed = [Candidate("bad", url=bad.url), Candidate("good", url=good.url)]
        async with ModelGateway({"default": listed}) as gateway:
            graph = supervised(Agent("coded", "Works.", run=body))
            async with bind(graph, settings=settings(tmp_path), models=gateway) as app:
                await app.run(Ticket(text="go"))

    assert "".join(chunks) == "all of it, told"


async def test_a_model_call_over_the_budget_never_reaches_the_server(world: World) -> None:
    """An agent with two model calls that wants to go on: the server's book has two lines."""
    world.server.script = lambda asked: Says(calls=[("look", {"place": f"room {len(asked.messages)}"})])
    agent = thinker(create_agent(RoutedChat(), tools=[look]), limits=Limits(model_calls=2))
    run = await world.run(supervised(agent))

    assert len(world.server.book) == 2
    assert run.outcome != "resolved" or "failed" in str(run.response)


async def test_without_limits_the_server_is_asked_for_ever(world: World) -> None:
    """The same agent with the guard off goes on until its graph's steps are over."""
    world.server.script = lambda asked: Says(calls=[("look", {"place": f"room {len(asked.messages)}"})])
    agent = thinker(create_agent(RoutedChat(), tools=[look]), limits=Limits(model_calls=2), max_steps=20)
    await world.run(supervised(agent), guards=Guards(limits=False))

    assert len(world.server.book) >= 9


async def test_a_failed_call_is_recorded_and_replayed_as_failed(world: World) -> None:
    """A body that went on without its model goes on without it when it is run again, whatever has changed."""
    world.server.script = [Refuses(500, message="backend of acme is down")]
    seen: list[str] = []

    async def body(ticket: Ticket, doors: Doors) -> Done:
        try:
            seen.append((await doors.think("Guess")).text)
        except ModelUnavailable as error:
            seen.append(error.message)
        return Done(text=str(await doors.ask("Then you say?")))

    async with world.bound(supervised(Agent("coded", "Works.", run=body))) as app:
        waiting = await app.run(Ticket(text="go"))
        world.server.script = ["here again"]
        (question,) = await app.questions(waiting.id)
        await app.answer(question.id, value="blue")
        run = await app.resume(waiting.id)
        failed = await bodies(app, run, "model.failed")

    assert seen == [seen[0]] * 2 and "m: error 500" in seen[0] and "acme" not in seen[0]
    assert len(world.server.book) == 1 == run.spend.model_calls
    assert [(each["route"], each["code"], each["passed"][0]["why"]) for each in failed] == [
        ("default", "model_unavailable", "error 500")
    ]


async def test_neither_prompts_nor_records_hold_secrets(world: World) -> None:
    """A secret that a body knows is masked before a model sees it, and in the record."""
    world.server.script = ["api_key: hunter2secret"]

    async def body(ticket: Ticket, doors: Doors) -> Done:
        reply = await doors.think("Use api_key: abcd1234efgh to log in")
        return Done(text=str(len(reply.text)))

    async with world.bound(supervised(Agent("coded", "Works.", run=body))) as app:
        run = await app.run(Ticket(text="go"))
        await app.stores.database.forget()

    stored = b"".join(file.read_bytes() for file in world.folder.glob("interlock.db*"))
    assert run.outcome == "resolved"
    assert "abcd1234efgh" not in str(world.server.book[0].body)
    assert b"abcd1234efgh" not in stored and b"hunter2secret" not in stored


async def test_without_doors_there_is_nothing_to_think_with() -> None:
    """Outside a task the error says how to get doors."""
    with pytest.raises(NotBound, match="model route 'careful' was asked outside a task"):
        await RoutedChat("careful").ainvoke("hello")
    with pytest.raises(NotBound, match="model route 'careful' was asked outside a task"):
        await anext(RoutedChat("careful").astream("hello"))


async def test_a_synchronous_call_is_refused() -> None:
    """Doors are asynchronous; a blocked event loop would keep the run's lease from being renewed."""
    with pytest.raises(NotBound, match="use `ainvoke` or `astream`"):
        RoutedChat("careful").invoke("hello")


def test_the_model_itself_holds_neither_key_nor_address() -> None:
    """What a tracer prints of it is the route."""
    chat = RoutedChat("careful", prompt="find@3")

    assert chat._identifying_params == {"route": "careful", "prompt": "find@3"}
    assert "doors" not in chat.model_dump()
