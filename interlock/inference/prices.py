"""What a call costs, by the kept price table; a model that is not in it has no price, and no guess either."""

import asyncio
import sys
from decimal import Decimal
from functools import lru_cache

from interlock.inference.routes import Candidate, Price

_MILLION = Decimal(1_000_000)
_PROVIDERS = {
    "anthropic_bedrock": "aws",
    "azure_ai": "azure",
    "azure_openai": "azure",
    "bedrock": "aws",
    "bedrock_converse": "aws",
    "google_anthropic_vertex": "google",
    "google_genai": "google",
    "google_vertexai": "google",
    "mistralai": "mistral",
    "xai": "x-ai",
}
"""LangChain's names of providers where the price table has another."""


async def ready(candidate: Candidate) -> None:
    """Loads the price table, once, beside the event loop: it takes a third of a second."""
    if candidate.chat is None and candidate.price is None and "genai_prices" not in sys.modules:
        await asyncio.to_thread(_listed, candidate)


def most(candidate: Candidate, input_tokens: int, output_tokens: int) -> Decimal | None:
    """The most that a call can cost, in USD; None where the price is not known.

    Reckoned at the rate for very long inputs, which no provider sells cheaper than short ones.
    """
    price = candidate.price or _listed(candidate)
    return None if price is None else _at(price, input_tokens, output_tokens)


def cost(candidate: Candidate, input_tokens: int, output_tokens: int, cached: int = 0) -> Decimal | None:
    """What a call did cost, in USD; None where the price is not known.

    Args:
        candidate: Who answered.
        input_tokens: Tokens of the question, the cached ones included.
        output_tokens: Tokens of the answer, the reasoning included.
        cached: Tokens of the question that the provider had in its cache.
    """
    if candidate.price is not None:
        return _at(candidate.price, input_tokens, output_tokens)
    listed = _listed(candidate)
    if listed is None:
        return None
    found = _calculated(candidate, input_tokens, output_tokens, cached)
    return _at(listed, input_tokens, output_tokens) if found is None else found


def _at(price: Price, input_tokens: int, output_tokens: int) -> Decimal:
    return (price.input * input_tokens + price.output * output_tokens) / _MILLION


def _listed(candidate: Candidate) -> Price | None:
    if candidate.chat is not None:
        return None
    return _table(candidate.model, candidate.url)


@lru_cache(maxsize=256)
def _table(model: str, url: str) -> Price | None:
    asked = Candidate(model, url=url)
    whole = _calculated(asked, 1_000_000, 1_000_000, 0)
    read = _calculated(asked, 1_000_000, 0, 0)
    return None if whole is None or read is None else Price(read, whole - read)


def _calculated(candidate: Candidate, input_tokens: int, output_tokens: int, cached: int) -> Decimal | None:
    from genai_prices import Usage, calc_price

    usage = Usage(input_tokens=input_tokens, output_tokens=output_tokens, cache_read_tokens=cached)
    provider, _, name = candidate.model.rpartition(":")
    try:
        if candidate.url:
            found = calc_price(usage, candidate.model, provider_api_url=candidate.url)
        elif provider:
            found = calc_price(usage, name, provider_id=_PROVIDERS.get(provider, provider))
        else:
            found = calc_price(usage, name)
    except (LookupError, ValueError):  # not in the table, or without a price for this kind of use
        return None
    return found.total_price
