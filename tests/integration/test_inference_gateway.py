"""The inference gateway over the real client and wire: who is asked, who is passed over, what it costs."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from time import monotonic
from typing import Any

import pytest

from interlock.core.limits import Budget, Deadline, Limits
from interlock.core.models import Message, ModelCall, ModelReply, ToolRequest
from interlock.errors import BadInput, BudgetExceeded, ModelRefused, ModelUnavailable, NotFound
from interlock.inference.gateway import ModelGateway
from interlock.inference.routes import Candidate, Price
from interlock.testing import ModelServer
from interlock.testing.model_server import Asked, Babbles, BreaksOff, Hangs, Refuses, Says, Script, Turn

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
GOOD = Says('{"city": "Rome"}', input_tokens=10, output_tokens=5)
FREE = Price(Decimal(0), Decimal(0))
MISBEHAVIOUR: list[tuple[Turn, str]] = [
    (Refuses(429, retry_after_s=60), "rate limited"),
    (Refuses(429, code="insufficient_quota"), "out of quota"),
    (Refuses(500), "error 500"),
    (Refuses(503), "error 503"),
    (Refuses(401), "credentials refused"),
    (Refuses(403), "credentials refused"),
    (Refuses(404), "unknown model"),
    (Refuses(400, code="context_length_exceeded"), "context too long"),
    (Refuses(400, code="model_not_found"), "unknown model"),
    (Hangs(), "timeout"),
    (BreaksOff('{"city": "Ro'), "broken off"),
    (Babbles(), "malformed reply"),
    (Says("Rome"), "reply is not the schema"),
    (Says('{"town": "Rome"}'), "reply is not the schema"),
    (Says(calls=[("look", '{"id": 1')]), "malformed tool call"),
]
NAMES = [f"{why}, {turn}"[:40] for turn, why in MISBEHAVIOUR]


def asking(text: str = "Where?", **more: Any) -> ModelCall:
    """A call with one message, tools and a schema."""
    given: dict[str, Any] = {"tools": (LOOK,), "answer_schema": CITY, **more}
    return ModelCall(messages=(Message(speaker="user", content=text),), **given)


def pool(**limits: Any) -> Budget:
    """A budget of its own."""
    return Budget(Limits(**limits), "the task")


async def ask(
    gateway: ModelGateway,
    call: ModelCall | None = None,
    *,
    budget: Budget | None = None,
    seconds: float = 20.0,
    heard: list[str] | None = None,
) -> ModelReply:
    """Asks the route `default`."""
    return await gateway.reply(
        "default",
        call or asking(),
        budget=budget or pool(),
        deadline=Deadline.after(seconds, monotonic),
        heard=None if heard is None else heard.append,
    )


@asynccontextmanager
async def routed(*scripts: Script, **more: Any) -> AsyncGenerator[tuple[ModelGateway, list[ModelServer]]]:
    """A route with one server for each script, in order: m0, m1, ..."""
    servers = [ModelServer(script) for script in scripts]
    for server in servers:
        await server.__aenter__()
    given: dict[str, Any] = {"timeout_s": 1.5, **more}
    listed = [Candidate(f"m{number}", url=server.url, **given) for number, server in enumerate(servers)]
    async with ModelGateway({"default": listed}) as gateway:
        try:
            yield gateway, servers
        finally:
            for server in servers:
                await server.__aexit__()


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("turn", "why"), MISBEHAVIOUR, ids=NAMES)
async def test_who_fails_is_passed_over_and_the_next_one_asked(turn: Turn, why: str, streamed: bool) -> None:
    """Each failure has a kind; the reply names who was passed over, and the other server was asked once."""
    heard: list[str] = []
    async with routed([turn], [GOOD]) as (gateway, (first, second)):
        reply = await ask(gateway, heard=heard if streamed else None)

    assert (reply.text, reply.model) == (GOOD.text, "m1")
    assert [(each.model, each.why) for each in reply.passed] == [("m0", why)]
    assert (len(first.book), len(second.book)) == (1, 1)
    assert "".join(heard).endswith(GOOD.text if streamed else "")


@pytest.mark.parametrize(("turn", "why"), MISBEHAVIOUR, ids=NAMES)
async def test_when_all_fail_the_error_names_kinds_alone(turn: Turn, why: str) -> None:
    """Nobody answered: the error says who was asked and why not, and nothing that a provider said."""
    if isinstance(turn, Refuses):
        turn = replace(turn, message="key sk-live-abcdefghijklmnop1234 of acme is over its plan")
    async with routed([turn], [turn]) as (gateway, _):
        with pytest.raises(ModelUnavailable) as failed:
            await ask(gateway)

    assert f"(m0: {why}; m1: {why})" in failed.value.message
    assert "acme" not in repr(failed.value) and failed.value.__cause__ is None
    assert failed.value.retryable


@pytest.mark.parametrize("status", [400, 409, 422])
async def test_a_request_that_is_our_own_fault_is_not_sent_to_others(status: int) -> None:
    """What one provider finds malformed the next one would too: the call ends, and says so."""
    async with routed([Refuses(status, message="no such field: key-of-acme")], [GOOD]) as (gateway, servers):
        with pytest.raises(
            ModelRefused, match=rf"m0 refused the request as it was put .*\({status}\)"
        ) as failed:
            await ask(gateway)

    assert [len(server.book) for server in servers] == [1, 0]
    assert not failed.value.retryable and "acme" not in str(failed.value)


async def test_nothing_is_asked_twice_by_the_client() -> None:
    """LangChain's own retries are off: one failing candidate is one request."""
    async with routed([Refuses(500)]) as (gateway, (server,)):
        with pytest.raises(ModelUnavailable):
            await ask(gateway)

        assert len(server.book) == 1


async def test_a_candidate_that_asked_for_time_is_passed_over_meanwhile() -> None:
    """After a 429 the candidate rests for as long as it said; later calls go to the next one at once."""
    async with routed([Refuses(429, retry_after_s=60)], [GOOD]) as (gateway, (limited, _)):
        await ask(gateway)
        second = await ask(gateway)

        assert [each.why for each in second.passed] == ["resting after a rate limit"]
        assert len(limited.book) == 1


async def test_retry_after_is_waited_for_within_the_deadline() -> None:
    """Where nobody else is left, the call waits as long as it was told to and asks again."""
    async with routed([Refuses(429, retry_after_s=0.3), GOOD]) as (gateway, (server,)):
        reply = await ask(gateway)

        first, second = server.book
        assert reply.text == GOOD.text and [each.why for each in reply.passed] == ["rate limited"]
        assert second.at - first.at >= 0.29


async def test_retry_after_beyond_the_deadline_is_not_waited_for() -> None:
    """A wait that cannot end in time is not begun."""
    async with routed([Refuses(429, retry_after_s=30)]) as (gateway, (server,)):
        begun = monotonic()
        with pytest.raises(ModelUnavailable, match="m0: rate limited"):
            await ask(gateway, seconds=2)

        assert monotonic() - begun < 2 and len(server.book) == 1


async def test_a_provider_that_is_limited_for_ever_is_given_up() -> None:
    """Waiting has a bound: after three waits the call ends."""
    async with routed([Refuses(429, retry_after_s=0.02)]) as (gateway, (server,)):
        with pytest.raises(ModelUnavailable):
            await ask(gateway)

        assert len(server.book) == 4


async def test_the_deadline_is_shorter_than_a_candidates_patience() -> None:
    """A candidate may take its own time or what is left, whichever is less; then nobody else is asked."""
    async with routed([Hangs()], [GOOD], timeout_s=30.0) as (gateway, (_, second)):
        with pytest.raises(ModelUnavailable, match="m0: timeout; m1: no time left"):
            await ask(gateway, seconds=0.2)

        assert not second.book


async def test_an_unreachable_server_is_passed_over() -> None:
    """Nothing listens there."""
    async with ModelServer([GOOD]) as server:
        dead = server.url
    async with ModelServer([GOOD]) as alive:
        listed = [Candidate("gone", url=dead), Candidate("here", url=alive.url)]
        async with ModelGateway({"default": listed}) as gateway:
            reply = await ask(gateway)

    assert [(each.model, each.why) for each in reply.passed] == [("gone", "unreachable")]


async def test_text_reasoning_tools_and_options_travel_both_ways() -> None:
    """A whole conversation reaches the server, and everything a model said comes back."""
    thinks = Says(
        "hm", calls=[("look", {"id": 7})], reasoning="let me look", input_tokens=20, output_tokens=8
    )
    call = ModelCall(
        messages=(
            Message(speaker="system", content="Be brief."),
            Message(speaker="user", content=[{"type": "text", "text": "Look at 7"}]),
        ),
        tools=(LOOK,),
        options={
            "temperature": 0.25,
            "max_tokens": 99,
            "stop": ["END"],
            "tool_choice": "look",
            "reasoning": "low",
        },
    )
    async with routed([thinks], reasoning=True) as (gateway, (server,)):
        reply = await ask(gateway, call)
        (asked,) = server.book

    assert (reply.text, reply.reasoning, reply.finish) == ("hm", "let me look", "tool_calls")
    assert [(each.name, each.arguments) for each in reply.requests] == [("look", {"id": 7})]
    assert (reply.input_tokens, reply.output_tokens, reply.estimated) == (20, 8, False)
    assert [each["role"] for each in asked.messages] == ["system", "user"]
    assert asked.body["max_tokens"] == 99 and asked.body["temperature"] == 0.25
    assert asked.body["stop"] == ["END"] and asked.body["reasoning_effort"] == "low"
    assert asked.body["tool_choice"]["function"]["name"] == "look"


async def test_how_hard_to_think_is_told_only_to_who_knows_the_word() -> None:
    """A server that was not said to know about reasoning effort is not sent it."""
    async with routed([GOOD]) as (gateway, (server,)):
        await ask(gateway, asking(options={"reasoning": "high"}))

        assert "reasoning_effort" not in server.book[0].body


async def test_a_schema_is_asked_for_and_checked() -> None:
    """The server is asked for JSON of this schema, strictly where the schema is closed."""
    async with routed([GOOD]) as (gateway, (server,)):
        reply = await ask(gateway)

    form = server.book[0].body["response_format"]["json_schema"]
    assert reply.text == GOOD.text
    assert (form["name"], form["strict"], form["schema"]) == ("Place", True, CITY)


async def test_an_open_schema_is_not_asked_for_strictly() -> None:
    """OpenAI's strict mode refuses schemas with optional fields; such a one is asked for loosely."""
    loose = {**CITY, "required": []}
    async with routed([GOOD]) as (gateway, (server,)):
        await ask(gateway, asking(answer_schema=loose))

    assert server.book[0].body["response_format"]["json_schema"]["strict"] is False


async def test_a_reply_is_heard_while_it_is_said() -> None:
    """Pieces arrive before the reply is whole."""
    heard: list[str] = []
    async with routed([Says("This takes a while to be said.")]) as (gateway, (server,)):
        server.pause_s = 0.01
        asked = asyncio.create_task(ask(gateway, asking(answer_schema=None), heard=heard))
        async with asyncio.timeout(5):
            while not heard:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        assert not asked.done()
        reply = await asked

    assert "".join(heard) == reply.text and len(heard) > 2


async def test_texts_of_two_models_are_never_mixed() -> None:
    """A listener is told by an empty piece that what it heard is void, before another model begins."""
    heard: list[str] = []
    async with routed([BreaksOff("half a sentence")], ["All of it."]) as (gateway, _):
        reply = await ask(gateway, asking(answer_schema=None), heard=heard)

    void = heard.index("")
    assert "".join(heard[:void]) == "half a sentence"
    assert "".join(heard[void + 1 :]) == reply.text == "All of it."


async def test_a_listener_that_breaks_is_not_taken_for_a_broken_model() -> None:
    """Its own exception reaches the caller, and nobody else is asked."""

    def broken(piece: str) -> None:
        raise RuntimeError("my pipe is closed")

    async with routed(["some text"], ["other"]) as (gateway, (_, second)):
        with pytest.raises(RuntimeError, match="my pipe is closed"):
            await gateway.reply(
                "default",
                asking(answer_schema=None),
                budget=pool(),
                deadline=Deadline.after(5, monotonic),
                heard=broken,
            )

        assert not second.book


async def test_a_call_that_could_exceed_the_tokens_is_not_sent() -> None:
    """Reserved before: the question's estimate and the longest answer. The server's book stays empty."""
    budget = pool(tokens=1_000)
    async with routed([GOOD], max_tokens=2_000) as (gateway, (server,)):
        with pytest.raises(BudgetExceeded, match="the call was not sent"):
            await ask(gateway, budget=budget)

        assert not server.book and budget.spent.tokens == 0


async def test_a_call_that_could_exceed_the_money_is_not_sent() -> None:
    """A thousand tokens of answer at 10 USD a million would cost a cent, and half a cent is left."""
    budget = pool(usd=Decimal("0.005"))
    price = Price(Decimal(1), Decimal(10))
    async with routed([GOOD], max_tokens=1_000, price=price) as (gateway, (server,)):
        with pytest.raises(BudgetExceeded, match="usd"):
            await ask(gateway, budget=budget)

        assert not server.book and budget.spent.usd == 0


async def test_what_a_call_did_cost_is_settled_afterwards() -> None:
    """The pool and every pool above it pay what the model says it used, not what was set aside."""
    above = Budget(Limits(tokens=50_000), "the run")
    budget = above.share("the task", Limits())
    async with routed([GOOD], price=Price(Decimal(2), Decimal(10))) as (gateway, _):
        reply = await ask(gateway, budget=budget)

    assert reply.usd == Decimal("0.00007") == budget.spent.usd == above.spent.usd
    assert budget.spent.tokens == above.spent.tokens == reply.tokens == 15


async def test_calls_at_the_same_time_cannot_spend_the_same_budget() -> None:
    """Three calls fit; of six sent at once exactly three reach the server."""
    budget = pool(tokens=3_400)
    async with routed([GOOD], max_tokens=1_000) as (gateway, (server,)):
        came = await asyncio.gather(*(ask(gateway, budget=budget) for _ in range(6)), return_exceptions=True)

        assert len(server.book) == 3
    assert sum(isinstance(each, BudgetExceeded) for each in came) == 3
    assert budget.spent.tokens == 3 * 15


async def test_a_switched_off_budget_lets_every_call_through() -> None:
    """The harm that the guard prevents, in the server's book: six requests where three are paid for."""
    budget = Budget(Limits(tokens=3_400), "the task", enforced=False)
    async with routed([GOOD], max_tokens=1_000) as (gateway, (server,)):
        await asyncio.gather(*(ask(gateway, budget=budget) for _ in range(6)))

        assert len(server.book) == 6


async def test_a_model_that_does_not_say_what_it_used_is_charged_by_estimate() -> None:
    """The reply says that its tokens are an estimate."""
    budget = pool(tokens=50_000)
    async with routed([Says("word " * 300, usage=False)]) as (gateway, _):
        reply = await ask(gateway, asking(answer_schema=None), budget=budget)

    assert reply.estimated and reply.output_tokens >= 300
    assert budget.spent.tokens == reply.input_tokens + reply.output_tokens


async def test_a_stream_that_broke_off_is_charged_by_estimate() -> None:
    """What was said before the line dropped is paid; the share of who was passed over stands apart."""
    budget = pool(tokens=50_000)
    async with routed([BreaksOff("word " * 100)], [GOOD]) as (gateway, _):
        reply = await ask(gateway, budget=budget, heard=[])

    (passed,) = reply.passed
    assert passed.tokens > 100
    assert budget.spent.tokens == reply.tokens == passed.tokens + 15


async def test_a_reply_that_cannot_be_used_is_paid_all_the_same() -> None:
    """It has the wrong schema, but the provider charges for it."""
    budget = pool(tokens=50_000)
    wrong = Says("not JSON", input_tokens=30, output_tokens=7)
    async with routed([wrong], [GOOD], price=Price(Decimal(1), Decimal(1))) as (gateway, _):
        reply = await ask(gateway, budget=budget)

    assert reply.passed[0].tokens == 37 and reply.tokens == 52 == budget.spent.tokens
    assert reply.usd == Decimal("0.000052") == budget.spent.usd


@pytest.mark.parametrize("turn", [Refuses(500), Hangs(), Refuses(429, 60)], ids=str)
async def test_a_failure_that_cost_nothing_gives_its_reservation_back(turn: Turn) -> None:
    """After it the pool is as it was."""
    budget = pool(tokens=50_000)
    async with routed([turn]) as (gateway, _):
        with pytest.raises(ModelUnavailable):
            await ask(gateway, budget=budget)

    assert budget.spent.tokens == 0


async def test_a_cancelled_call_gives_its_reservation_back() -> None:
    """Nothing had been said yet, so nothing is charged."""
    budget = pool(tokens=50_000)
    async with routed([Hangs()], timeout_s=30.0) as (gateway, (server,)):
        asked = asyncio.create_task(ask(gateway, budget=budget))
        await server.asked()
        reserved = budget.spent.tokens
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked

    assert reserved > 8_000 and budget.spent.tokens == 0


async def test_an_unknown_price_is_said_to_be_unknown() -> None:
    """A model that is in no price table costs None, not zero."""
    async with routed([GOOD]) as (gateway, _):
        assert (await ask(gateway)).usd is None


async def test_under_a_limit_in_usd_a_model_without_a_price_is_not_asked() -> None:
    """A cap that nobody could hold is not pretended to be held."""
    async with routed([GOOD]) as (gateway, (server,)):
        with pytest.raises(BudgetExceeded, match="the price of model 'm0' is not known"):
            await ask(gateway, budget=pool(usd=Decimal(5)))

        assert not server.book


async def test_a_listed_model_is_priced_by_the_kept_table() -> None:
    """`openai:gpt-4o`, pointed at the scripted server, costs what the table says; the key is sent to it."""
    from genai_prices import Usage, calc_price

    listed = calc_price(Usage(input_tokens=1_000, output_tokens=100), "gpt-4o", provider_id="openai")
    async with ModelServer([Says("ok", input_tokens=1_000, output_tokens=100)], key="k-1") as server:
        known = Candidate("openai:gpt-4o", key="k-1", options={"base_url": server.url})
        async with ModelGateway({"default": [known]}) as gateway:
            budget = pool(usd=Decimal(1))
            reply = await ask(gateway, asking(answer_schema=None), budget=budget)

    assert reply.usd == listed.total_price == budget.spent.usd
    assert server.book[0].body["max_completion_tokens"] == 8_192


async def test_a_candidate_without_its_key_is_passed_over() -> None:
    """The variable that should hold the key is named, and nothing is sent."""
    async with ModelServer([GOOD]) as server:
        keyless = Candidate("a", url=server.url, key_env="MY_KEY")
        async with ModelGateway({"default": [keyless, Candidate("b", url=server.url)]}) as gateway:
            reply = await ask(gateway)

    assert [each.why for each in reply.passed] == ["no key in MY_KEY"]
    assert [asked.model for asked in server.book] == ["b"]


async def test_a_provider_whose_package_is_missing_is_told_to_people() -> None:
    """That is a thing to set right, not a failure to work around."""
    async with ModelGateway({"default": [Candidate("mistralai:large")]}) as gateway:
        with pytest.raises(BadInput, match="pip install langchain-mistralai"):
            await ask(gateway)


async def test_an_unknown_provider_is_told_to_people() -> None:
    """A name that LangChain cannot place is a mistake in the settings."""
    async with ModelGateway({"default": [Candidate("acme:model")]}) as gateway:
        with pytest.raises(BadInput, match="names no provider that LangChain knows"):
            await ask(gateway)


async def test_a_route_without_models_falls_to_the_default_and_else_is_refused() -> None:
    """`default` stands in for every route; without it an unknown route is an error that names the others."""
    budget, deadline = pool(), Deadline.after(5, monotonic)
    async with ModelServer([GOOD]) as server:
        only = [Candidate("m", url=server.url)]
        async with ModelGateway({"default": only}) as gateway:
            assert (await gateway.reply("careful", asking(), budget=budget, deadline=deadline)).model == "m"
        async with ModelGateway({"fast": only}) as gateway:
            with pytest.raises(NotFound, match=r"no model stands behind route 'careful' .*: fast"):
                await gateway.reply("careful", asking(), budget=budget, deadline=deadline)


async def test_the_window_of_a_route_is_the_smallest_that_is_known() -> None:
    """So that a conversation fits whoever answers; LangChain knows some models' windows."""
    listed = [Candidate("a", url="http://127.0.0.1:9/v1", window=5_000), Candidate("openai:gpt-4o", key="k")]
    async with ModelGateway(
        {"default": listed, "known": listed[1:], "unknown": [Candidate("x", url="http://x")]}
    ) as g:
        assert (g.window("default"), g.window("known"), g.window("unknown")) == (5_000, 128_000, None)


async def test_a_model_of_your_own_code_is_a_candidate() -> None:
    """Any LangChain chat model can stand behind a route."""
    from langchain_core.language_models import GenericFakeChatModel
    from langchain_core.messages import AIMessage

    own = GenericFakeChatModel(messages=iter([AIMessage("from my own code")]))
    async with ModelGateway({"default": [Candidate("mine", chat=own)]}) as gateway:
        reply = await ask(gateway, asking(answer_schema=None, tools=()))

    assert (reply.text, reply.model, reply.estimated) == ("from my own code", "mine", True)


async def test_a_model_that_takes_no_schema_is_told_it_in_words() -> None:
    """The fence around its JSON is taken off, and the reply is checked like every other."""
    from langchain_core.language_models import GenericFakeChatModel
    from langchain_core.messages import AIMessage

    class Own(GenericFakeChatModel):
        """Remembers what it was told."""

        def bind_tools(self, *_: Any, **__: Any) -> Any:
            """Takes tools, and calls none."""
            return self

        def _generate(self, messages: list[Any], *args: Any, **kwargs: Any) -> Any:
            heard.append(messages[0].content)
            return super()._generate(messages, *args)

    heard: list[Any] = []
    own = Own(messages=iter([AIMessage("Rome!"), AIMessage('```json\n{"city": "Rome"}\n```')]))
    listed = [Candidate("first", chat=own), Candidate("second", chat=own)]
    async with ModelGateway({"default": listed}) as gateway:
        reply = await ask(gateway)

    assert reply.text == '{"city": "Rome"}'
    assert [each.why for each in reply.passed] == ["reply is not the schema"]
    assert '"city"' in heard[0]


async def test_the_operators_cap_on_a_reply_wins() -> None:
    """A call may ask for less than the settings allow, never for more."""
    async with routed([GOOD], max_tokens=500) as (gateway, (server,)):
        for wanted in (100, 9_000):
            await ask(gateway, asking(options={"max_tokens": wanted}))

        assert [asked.body["max_tokens"] for asked in server.book] == [100, 500]


async def test_no_candidate_rests_for_ever() -> None:
    """A `Retry-After` beyond all measure counts as an hour."""
    from interlock.inference.failures import failure

    class Limited(Exception):
        """What a client raises."""

        status_code = 429
        response = type("Response", (), {"status_code": 429, "headers": {"retry-after": "inf"}})()

    assert failure(Limited()).cooling_s == 3_600


async def test_one_request_carries_the_words_of_every_earlier_turn() -> None:
    """Tool calls and their answers are said again in the provider's own form."""

    def script(asked: Asked) -> Says:
        calls = asked.messages[1].get("tool_calls") or []
        return Says(f"{calls[0]['function']['name']} said {asked.messages[2]['content']}")

    call = asking(answer_schema=None)
    wish = ToolRequest(id="c1", name="look", arguments={"id": 1})
    turns = (
        *call.messages,
        Message(speaker="assistant", content="", requests=(wish,)),
        Message(speaker="tool", content="a parcel", answers="c1"),
    )
    async with routed(script) as (gateway, _):
        reply = await ask(gateway, call.model_copy(update={"messages": turns}))

    assert reply.text == "look said a parcel"
