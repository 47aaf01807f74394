"""The scripted model server: OpenAI's wire format, misbehaviour as told, and a book of what it was asked."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from interlock.testing import ModelServer
from interlock.testing.model_server import Asked, Babbles, BreaksOff, Hangs, Refuses, Says

HELLO = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


async def chat(server: ModelServer, **more: Any) -> httpx.Response:
    """Asks once, as any HTTP client would."""
    async with httpx.AsyncClient() as http:
        return await http.post(f"{server.url}/chat/completions", json={**HELLO, **more})


async def test_replies_come_in_order_and_the_last_one_repeats() -> None:
    """A list is played from its beginning; its last reply answers for ever."""
    async with ModelServer(["one", "two"]) as server:
        said = [(await chat(server)).json()["choices"][0]["message"]["content"] for _ in range(3)]

    assert said == ["one", "two", "two"]


async def test_a_function_sees_the_whole_request() -> None:
    """A script that is a function decides by what it was asked."""

    def script(asked: Asked) -> str:
        return f"{asked.model}: {asked.text}, {sorted(asked.tools)}, {asked.schema}"

    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
    tool = {"type": "function", "function": {"name": "look", "parameters": {}}}
    async with ModelServer(script) as server:
        reply = await chat(server, tools=[tool], response_format=form)

    assert reply.json()["choices"][0]["message"]["content"] == "m: hello, ['look'], {'type': 'object'}"


async def test_the_book_holds_every_request() -> None:
    """What arrived can be counted and read afterwards."""
    async with ModelServer(["yes"]) as server:
        await chat(server)
        await chat(server, temperature=0.5)

        assert [asked.text for asked in server.book] == ["hello", "hello"]
        assert server.book[1].body["temperature"] == 0.5
        assert server.book[0].at <= server.book[1].at


async def test_tool_calls_and_usage_are_told() -> None:
    """A reply may ask for tools, and says what it used."""
    async with ModelServer([Says(calls=[("look", {"id": 7})], input_tokens=11, output_tokens=3)]) as server:
        told = (await chat(server)).json()

    (choice,) = told["choices"]
    assert choice["finish_reason"] == "tool_calls"
    assert json.loads(choice["message"]["tool_calls"][0]["function"]["arguments"]) == {"id": 7}
    assert told["usage"] == {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14}


async def test_a_stream_comes_in_pieces_and_ends_with_the_usage() -> None:
    """Server-sent events: pieces of the text, why it stopped, the usage where it was asked for, `[DONE]`."""
    async with ModelServer([Says("a long enough reply")]) as server:
        told = await chat(server, stream=True, stream_options={"include_usage": True})
        bare = await chat(server, stream=True)

    lines = [line.removeprefix("data: ") for line in told.text.split("\n\n") if line]
    events = [json.loads(line) for line in lines[:-1]]
    text = [each["choices"][0]["delta"].get("content", "") for each in events if each["choices"]]
    assert lines[-1] == "[DONE]"
    assert "".join(text) == "a long enough reply" and sum(map(bool, text)) == 3
    assert events[-1]["usage"]["completion_tokens"] > 0
    assert "usage" not in bare.text


async def test_it_refuses_as_told() -> None:
    """A status, its `Retry-After`, and OpenAI's error body."""
    async with ModelServer([Refuses(429, 1.5), Refuses(400, code="context_length_exceeded")]) as server:
        limited, long = await chat(server), await chat(server)

    assert (limited.status_code, limited.headers["retry-after"]) == (429, "1.5")
    assert long.json()["error"]["code"] == "context_length_exceeded"


@pytest.mark.parametrize("stream", [False, True])
async def test_it_breaks_off_as_told(stream: bool) -> None:
    """The connection drops in the middle of a reply, and the client can tell."""
    async with ModelServer([BreaksOff("half a sen")]) as server:
        with pytest.raises(httpx.RemoteProtocolError):
            await chat(server, stream=stream)


async def test_it_babbles_as_told() -> None:
    """A body that is no JSON."""
    async with ModelServer([Babbles("<html>")]) as server:
        assert (await chat(server)).text == "<html>"


async def test_it_hangs_as_told_and_still_closes() -> None:
    """A request that is never answered ends when the server does, not later."""
    async with ModelServer([Hangs()]) as server:
        asking = asyncio.create_task(chat(server))
        async with asyncio.timeout(5):
            await server.asked()
        assert not asking.done()

    with pytest.raises(httpx.HTTPError):
        await asking


async def test_models_are_listed_and_a_key_is_asked_for() -> None:
    """`/v1/models` names the models; with a key set, nobody gets in without it."""
    async with ModelServer(["x"], models=["a", "b"], key="let-me-in") as server, httpx.AsyncClient() as http:
        refused = await http.get(f"{server.url}/models")
        listed = await http.get(f"{server.url}/models", headers={"authorization": "Bearer let-me-in"})
        no_json = await http.post(
            f"{server.url}/chat/completions", content=b"{", headers={"authorization": "Bearer let-me-in"}
        )
        nowhere = await http.get(f"{server.url}/elsewhere", headers={"authorization": "Bearer let-me-in"})

    assert refused.status_code == 401
    assert [each["id"] for each in listed.json()["data"]] == ["a", "b"]
    assert (nowhere.status_code, no_json.status_code) == (404, 400)
