"""The inference gateway against a real LiteLLM proxy."""

from collections.abc import AsyncGenerator
from time import monotonic
from typing import Any

import pytest

from interlock.core.limits import Budget, Deadline, Limits
from interlock.core.models import Message, ModelCall, ModelReply
from interlock.errors import ModelRefused, ModelUnavailable
from interlock.inference.gateway import ModelGateway
from interlock.inference.routes import Candidate
from interlock.testing import ModelServer
from interlock.testing.model_server import Asked, Babbles, BreaksOff, Hangs, Refuses, Says, Turn
from tests.wire.conftest import Proxy

CITY: dict[str, Any] = {
    "type": "object",
    "title": "Place",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
LOOK: dict[str, Any] = {
    "name": "look",
    "description": "Looks.",
    "parameters": {"type": "object", "properties": {"id": {"type": "integer"}}},
}


def candidate(proxy: Proxy, model: str, **more: Any) -> Candidate:
    """A model behind the proxy."""
    given: dict[str, Any] = {"key": proxy.key, "timeout_s": 15, **more}
    return Candidate(model, url=proxy.url, **given)


@pytest.fixture
async def gateway(proxy: Proxy) -> AsyncGenerator[ModelGateway]:
    """A route for each model alone, and one from each to `mock`."""
    names = ("mock", "limited", "broken", "full", "upstream", "nobody")
    routes = {name: [candidate(proxy, name)] for name in names}
    routes |= {f"{name}, mock": [candidate(proxy, name), candidate(proxy, "mock")] for name in names}
    routes["slow, mock"] = [candidate(proxy, "upstream", timeout_s=1.0), candidate(proxy, "mock")]
    routes["upstream, second"] = [candidate(proxy, "upstream"), candidate(proxy, "second")]
    routes["locked out, mock"] = [candidate(proxy, "mock", key="wrong"), candidate(proxy, "mock")]
    async with ModelGateway(routes) as opened:
        yield opened


async def ask(
    gateway: ModelGateway, route: str, heard: list[str] | None = None, seconds: float = 60, **more: Any
) -> ModelReply:
    """One question."""
    return await gateway.reply(
        route,
        ModelCall(messages=(Message(speaker="user", content="Where?"),), **more),
        budget=Budget(Limits(tokens=100_000), "the task"),
        deadline=Deadline.after(seconds, monotonic),
        heard=None if heard is None else heard.append,
    )


async def test_its_own_replies_are_read(gateway: ModelGateway) -> None:
    """Text and usage of a model that LiteLLM answers for itself."""
    reply = await ask(gateway, "mock")

    assert (reply.text, reply.finish) == ("hello from litellm", "stop")
    assert reply.tokens > 0 and not reply.estimated and reply.usd is None


async def test_its_streams_are_heard(gateway: ModelGateway) -> None:
    """Pieces, and the usage at the end."""
    heard: list[str] = []
    reply = await ask(gateway, "mock", heard)

    assert "".join(heard) == reply.text == "hello from litellm"
    assert len(heard) > 1 and reply.output_tokens > 0


@pytest.mark.parametrize(
    ("model", "why"),
    [
        ("limited", "rate limited"),
        ("broken", "error 500"),
        ("full", "context too long"),
        ("nobody", "unknown model"),
        ("locked out", "credentials refused"),
    ],
)
async def test_its_own_failures_are_passed_over(gateway: ModelGateway, model: str, why: str) -> None:
    """Its mock errors, an unknown model and a wrong key have the kinds they have elsewhere."""
    reply = await ask(gateway, f"{model}, mock")

    assert reply.text == "hello from litellm"
    assert [each.why for each in reply.passed] == [why]


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    ("turn", "route", "kinds"),
    [
        (Refuses(429, retry_after_s=30), "upstream, mock", {"rate limited"}),
        (Refuses(500), "upstream, mock", {"error 500"}),
        (Refuses(503), "upstream, mock", {"error 503", "error 500"}),
        (Hangs(), "slow, mock", {"timeout"}),
        (BreaksOff("half a sen"), "upstream, mock", {"broken off", "error 500", "malformed reply", "error"}),
        (Babbles(), "upstream, mock", {"error 500", "malformed reply", "broken off", "error"}),
    ],
    ids=str,
)
async def test_what_misbehaves_behind_it_is_passed_over(
    gateway: ModelGateway, upstream: ModelServer, turn: Turn, route: str, kinds: set[str], streamed: bool
) -> None:
    """The proxy puts it into words of its own; it is passed over all the same, and no texts are mixed."""
    upstream.script = [turn]
    heard: list[str] = []
    reply = await ask(gateway, route, heard if streamed else None)

    (passed,) = reply.passed
    assert reply.text == "hello from litellm" and upstream.book
    assert passed.why in kinds
    if streamed:
        kept = heard[len(heard) - heard[::-1].index("") :] if "" in heard else heard
        assert "".join(kept) == reply.text


async def test_a_reply_that_is_not_the_schema_is_passed_over(
    gateway: ModelGateway, upstream: ModelServer
) -> None:
    """The schema reaches the model behind the proxy; what does not have it goes no further."""

    def script(asked: Asked) -> str:
        return "Rome, I think" if asked.model == "upstream" else '{"city": "Rome"}'

    upstream.script = script
    reply = await ask(gateway, "upstream, second", answer_schema=CITY)

    assert reply.text == '{"city": "Rome"}'
    assert [each.why for each in reply.passed] == ["reply is not the schema"]
    assert upstream.book[0].schema == CITY


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_tool_calls_and_reasoning_come_through(
    gateway: ModelGateway, upstream: ModelServer, streamed: bool
) -> None:
    """Tools are offered and asked for through the proxy."""
    upstream.script = [Says("hm", calls=[("look", {"id": 7})], reasoning="let me look")]
    reply = await ask(gateway, "upstream", [] if streamed else None, tools=(LOOK,))

    assert [(each.name, each.arguments) for each in reply.requests] == [("look", {"id": 7})]
    assert (reply.text, reply.reasoning, reply.finish) == ("hm", "let me look", "tool_calls")
    assert upstream.book[0].tools["look"]["properties"] == {"id": {"type": "integer"}}


async def test_our_own_fault_is_told_and_nobody_else_asked(
    gateway: ModelGateway, upstream: ModelServer
) -> None:
    """A request that the model behind the proxy finds malformed ends the call."""
    upstream.script = [Refuses(400, message="no such field, says acme")]
    with pytest.raises(ModelRefused, match=r"request refused \(400\)") as failed:
        await ask(gateway, "upstream, mock")

    assert "acme" not in str(failed.value)


async def test_when_it_is_gone_the_error_says_so(proxy: Proxy) -> None:
    """Nothing listens where the proxy was said to be."""
    gone = Candidate("mock", url=f"http://127.0.0.1:{proxy.upstream}/v1")
    async with ModelGateway({"default": [gone]}) as gateway:
        with pytest.raises(ModelUnavailable, match="mock: unreachable"):
            await ask(gateway, "default")
