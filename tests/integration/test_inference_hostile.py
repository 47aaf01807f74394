"""The inference gateway against providers that lie, flood, redirect and talk nonsense, over the real wire."""

import json
from decimal import Decimal
from time import monotonic
from typing import Any

import httpx
import pytest

from interlock.core.limits import Deadline
from interlock.core.models import ModelCall
from interlock.errors import BadInput, BudgetExceeded, ModelUnavailable
from interlock.inference.failures import failure
from interlock.inference.gateway import ModelGateway
from interlock.inference.routes import Candidate, Price
from interlock.testing import ModelServer
from interlock.testing.model_server import Babbles, Refuses, Says
from tests.integration.test_inference_gateway import GOOD, ask, asking, pool, routed

DEAR = Price(Decimal(10), Decimal(10))
"""USD per million tokens; every token costs a hundred-thousandth of a dollar."""


def whole(text: str | None = GOOD.text, *, usage: Any = None, **message: Any) -> Babbles:
    """A reply in OpenAI's form, with whatever usage and message a test wants."""
    said = {"role": "assistant", "content": text, **message}
    choice = {"index": 0, "finish_reason": "stop", "message": said}
    made: dict[str, Any] = {"id": "c", "object": "chat.completion", "created": 0, "model": "m"}
    made |= {"choices": [choice], "usage": usage}
    return Babbles(json.dumps(made))


def words(**more: Any) -> ModelCall:
    """A call that takes any words as its reply."""
    return asking(tools=(), answer_schema=None, **more)


LIES: list[dict[str, Any]] = [
    {"prompt_tokens": -900, "completion_tokens": -900, "total_tokens": -1800},
    {"prompt_tokens": 10, "completion_tokens": -2_000_000, "total_tokens": 10},
    {"prompt_tokens": 10**40, "completion_tokens": 10**40, "total_tokens": 2 * 10**40},
    {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": -70}},
    {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 9_000}},
    {"prompt_tokens": "many", "completion_tokens": None, "total_tokens": 0.5},
]


@pytest.mark.parametrize("usage", LIES, ids=[json.dumps(each)[:60] for each in LIES])
@pytest.mark.parametrize("listed", [False, True], ids=["own price", "kept table"])
async def test_usage_that_cannot_be_true_gives_nothing_back(usage: dict[str, Any], listed: bool) -> None:
    """A provider that says it used less than nothing, or more than anything, is charged by our estimate."""
    budget = pool(tokens=50_000, usd=Decimal(5))
    async with ModelServer([whole(usage=usage)]) as server:
        if listed:
            options: dict[str, Any] = {"base_url": server.url}
            candidate = Candidate("openai:gpt-4o", key="k", options=options)
        else:
            candidate = Candidate("m", url=server.url, price=DEAR)
        async with ModelGateway({"default": [candidate, candidate]}) as gateway:
            try:
                reply = await ask(gateway, budget=budget)
                assert reply.tokens == budget.spent.tokens
            except ModelUnavailable:
                pass  # a client may refuse to read such a reply at all

    assert 0 <= budget.spent.tokens < 5_000
    assert 0 <= budget.spent.usd < 1
    if not isinstance(usage["prompt_tokens"], str):
        assert budget.spent.tokens > 0 and budget.spent.usd > 0


@pytest.mark.parametrize("said", [True, False], ids=["with usage", "without"])
async def test_half_a_character_breaks_nobody(said: bool) -> None:
    """Half of a surrogate pair is replaced, and the call is settled like any other."""
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15} if said else None
    budget = pool(tokens=20_000)
    async with routed([whole("half \ud83d, whole \ud83d\ude00", usage=usage)]) as (gateway, _):
        reply = await ask(gateway, words(), budget=budget)

    assert reply.text == "half \ufffd, whole \U0001f600"
    assert budget.spent.tokens == reply.tokens < 100


async def test_a_pair_that_was_parted_by_the_stream_is_put_together() -> None:
    """Some servers cut a character in two; the halves come in two pieces."""
    heard: list[str] = []
    async with routed([Says("so \U0001f600!")], timeout_s=5.0) as (gateway, (server,)):
        server.pieces = 1
        reply = await ask(gateway, words(), heard=heard)

    assert reply.text == "so \U0001f600!"


async def test_json_without_a_bottom_is_no_reply() -> None:
    """A hundred thousand brackets are no JSON; they are paid, and the next one is asked."""
    deep = "[" * 100_000
    async with routed([deep, GOOD]) as (gateway, _):
        with pytest.raises(ModelUnavailable, match="m0: reply is not the schema"):
            await ask(gateway, budget=pool(tokens=90_000))
    async with routed([Says(deep, input_tokens=7, output_tokens=70)], [GOOD]) as (gateway, _):
        reply = await ask(gateway)

    assert [(each.why, each.tokens) for each in reply.passed] == [("reply is not the schema", 77)]


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    "arguments",
    ["[" * 50_000, '{"id": NaN}', '{"id": 1e999}', '{"id": "\\ud83d"}', '{"id": %s1}' % ("9" * 90)],
    ids=["deep", "no number", "endless", "half a character", "large"],
)
async def test_calls_that_no_record_can_hold_are_passed_over_and_paid(arguments: str, streamed: bool) -> None:
    """Such arguments make no call, but the tokens were used."""
    bad = Says(calls=[("look", arguments)], input_tokens=100, output_tokens=200)
    async with routed([bad], [GOOD]) as (gateway, _):
        reply = await ask(gateway, heard=[] if streamed else None)

    assert [(each.why, each.tokens) for each in reply.passed] == [("malformed tool call", 300)]


@pytest.mark.parametrize("arguments", ["[1]", '"x"', "7"])
async def test_arguments_that_are_no_object_are_no_call(arguments: str) -> None:
    """They were streamed: the tokens were used."""
    bad = Says(calls=[("look", arguments)], input_tokens=100, output_tokens=200)
    async with routed([bad], [GOOD]) as (gateway, _):
        reply = await ask(gateway, heard=[])

    assert [(each.why, each.tokens) for each in reply.passed] == [("malformed tool call", 300)]


async def test_who_only_rests_costs_nothing_and_hides_no_cost() -> None:
    """A reply's cost stays known where somebody was passed over without being asked."""
    async with routed([Refuses(429, retry_after_s=60)], [GOOD], price=DEAR) as (gateway, _):
        await ask(gateway)
        second = await ask(gateway)

    assert [(each.why, each.usd) for each in second.passed] == [("resting after a rate limit", Decimal(0))]
    assert second.usd == Decimal("0.00015")


async def test_a_rate_limit_holds_in_every_route() -> None:
    """A model that asked for time on one route is left alone on the others, too."""
    async with ModelServer([Refuses(429, retry_after_s=60), GOOD]) as server:
        routes = {name: [Candidate("m", url=server.url)] for name in ("default", "careful")}
        async with ModelGateway(routes) as gateway:
            for name, why in (("careful", "rate limited"), ("default", "resting after a rate limit")):
                with pytest.raises(ModelUnavailable, match=why):
                    await gateway.reply(
                        name, asking(), budget=pool(), deadline=Deadline.after(2, monotonic), heard=None
                    )

        assert len(server.book) == 1


async def test_what_was_spent_before_the_budget_ended_is_told() -> None:
    """The first candidate was paid in vain, the second is too dear: the error says what was paid."""
    listed = [Says("Rome", input_tokens=400, output_tokens=400)]
    budget = pool(tokens=1_000)
    async with ModelServer(listed) as first, ModelServer([GOOD]) as second:
        candidates = [
            Candidate("m0", url=first.url, max_tokens=500),
            Candidate("m1", url=second.url, max_tokens=500),
        ]
        async with ModelGateway({"default": candidates}) as gateway:
            with pytest.raises(BudgetExceeded) as failed:
                await ask(gateway, budget=budget)

        assert budget.spent.tokens == 800 and not second.book
        assert [(each.model, each.tokens) for each in failed.value.passed] == [("m0", 800)]


@pytest.mark.parametrize("name", ["max_completion_tokens", "max_output_tokens"])
async def test_the_cap_on_a_reply_holds_by_every_name(name: str) -> None:
    """The operator's cap is what was reserved; a call cannot ask for more under another name."""
    async with routed([GOOD], max_tokens=500) as (gateway, (server,)):
        await ask(gateway, asking(options={name: 90_000}))

    assert server.book[0].body["max_tokens"] == 500 and name not in server.book[0].body


@pytest.mark.parametrize("option", [{"model": "dear"}, {"n": 8}, {"extra_body": {"model": "dear"}}], ids=str)
async def test_a_call_does_not_choose_its_model(option: dict[str, Any]) -> None:
    """Who answers, and how often, is the route's matter: the price and the record stand on it."""
    async with routed([GOOD]) as (gateway, (server,)):
        with pytest.raises(BadInput, match=next(iter(option))):
            await ask(gateway, asking(options=option))

    assert not server.book


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "http://[::1"},
        {"url": "http://127.0.0.1:1", "options": {"temperature": "sk-live-secret"}},
    ],
    ids=["url", "options"],
)
async def test_settings_that_no_client_takes_are_told_without_their_values(wrong: dict[str, Any]) -> None:
    """Whoever set them reads which model it is; what they hold is repeated nowhere."""
    async with ModelGateway({"default": [Candidate("mine", **wrong)]}) as gateway:
        with pytest.raises(BadInput, match="model 'mine' cannot be set up") as failed:
            await ask(gateway)

    assert "sk-live" not in str(failed.value) and failed.value.__cause__ is None


@pytest.mark.parametrize("sizes", [(3_000, 7_168), (21_000, 1_024), (60_000, 256)], ids=str)
async def test_question_and_reply_fit_the_window_together(sizes: tuple[int, int]) -> None:
    """Servers refuse a request whose question and longest reply are more than the window of the model."""
    async with routed([GOOD], window=8_192) as (gateway, (server,)):
        await ask(gateway, words(text="x" * sizes[0]))

    assert server.book[0].body["max_tokens"] == sizes[1]


async def test_the_cap_of_the_options_is_reserved_and_sent() -> None:
    """An operator may set the cap either way; retries of the client's own stay off."""
    budget = pool(tokens=2_000)
    options: dict[str, Any] = {"max_tokens": 1_200, "max_retries": 5}
    async with routed([Refuses(500)], [GOOD], options=options) as (gateway, (first, second)):
        await ask(gateway, budget=budget)
        with pytest.raises(BudgetExceeded):
            await ask(gateway, asking("x" * 3_000), budget=budget)

    assert (len(first.book), second.book[0].body["max_tokens"]) == (1, 1_200)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 30.0),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}, 3_600.0),
        ({"retry-after": "nan"}, 0.0),
        ({"retry-after": "inf"}, 3_600.0),
        ({"retry-after": "-5"}, 0.0),
        ({"retry-after": "soon"}, 1.0),
    ],
    ids=str,
)
def test_every_form_of_retry_after(headers: dict[str, str], seconds: float) -> None:
    """A number, a date, or nonsense: the candidate rests for some time that ends."""
    response = httpx.Response(429, headers=headers, request=httpx.Request("POST", "http://127.0.0.1/v1"))
    limited = httpx.HTTPStatusError("slow down", request=response.request, response=response)

    assert failure(limited).cooling_s == seconds


async def test_thoughts_in_the_words_are_thoughts() -> None:
    """Servers without a parser for reasoning leave it in the text; it is no part of the reply."""
    async with routed([f"<think>\nThe secret plan.\n</think>\n\n{GOOD.text}"]) as (gateway, _):
        reply = await ask(gateway)

    assert (reply.text, reply.reasoning) == (GOOD.text, "The secret plan.")


async def test_a_redirect_is_not_followed() -> None:
    """The key and the conversation go to the address in the settings, and nowhere else."""
    async with routed([Refuses(302)], [GOOD]) as (gateway, (_, second)):
        reply = await ask(gateway)

    assert [each.why for each in reply.passed] == ["error 302"] and len(second.book) == 1


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_a_reply_without_end_is_cut(streamed: bool) -> None:
    """No provider fills our memory: after some megabytes the reply counts as malformed."""
    flood = "x" * (24 * 1024 * 1024)
    begun = monotonic()
    async with routed([Says(flood)], [GOOD], timeout_s=20.0) as (gateway, (first, _)):
        first.pieces = 1024 * 1024
        reply = await ask(gateway, heard=[] if streamed else None)

    assert [each.why for each in reply.passed] == ["reply too long"]
    assert reply.passed[0].tokens < 10_000  # a guess is never above what it was told it may answer
    assert monotonic() - begun < 15


async def test_a_slow_drip_ends_in_time() -> None:
    """Each piece comes soon enough, the whole does not: the candidate's time is for all of it."""
    async with routed([Says("drop " * 400)], [GOOD], timeout_s=0.4) as (gateway, (first, _)):
        first.pause_s = 0.05
        begun = monotonic()
        reply = await ask(gateway, heard=[])

    assert [each.why for each in reply.passed] == ["timeout"] and monotonic() - begun < 2
    assert reply.passed[0].tokens > 0
