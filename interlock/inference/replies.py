"""What a model said, read from LangChain's message and checked: nothing broken is taken for a reply."""

import json
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, cast

import jsonschema
from langchain_core.messages import AIMessage, AIMessageChunk
from referencing import Registry

from interlock.core.canonical import Json, canonical, plain
from interlock.core.models import ModelCall, ToolRequest
from interlock.inference.failures import ProviderFailed
from interlock.inference.messages import text_of

_BYTES_PER_TOKEN = 3
"""Fewer than in English prose, so that an estimate errs to the safe side."""
_PER_MESSAGE = 8
_MEDIA = ("image", "image_url", "audio", "input_audio", "file")
_PER_PICTURE = 2_000
_MOST = 100_000_000
"""Tokens of one call beyond which a provider's figures are not believed."""
_THOUGHT = re.compile(r"\A\s*<think>(.*?)</think>\s*", re.DOTALL)
"""What servers without a parser for reasoning leave in the words."""


class _NoRequest(ValueError):
    """A tool call without a name, or with arguments that are no JSON object."""


@dataclass(frozen=True, slots=True)
class Said:
    """A whole reply, and the tokens its model says it used; None where it does not say."""

    text: str
    requests: tuple[ToolRequest, ...] = ()
    reasoning: str = ""
    finish: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached: int = 0


def read(message: AIMessage) -> Said:
    """Reads a reply.

    Raises:
        ProviderFailed: if it asks for a tool with arguments that are no JSON object.
    """
    told = cast("dict[str, Any]", message.response_metadata)
    text, thought = _mended(text_of(message.content)), _mended(_reasoning(message))
    if found := _THOUGHT.match(text):
        text, thought = text[found.end() :], thought or found[1].strip()
    taken, given, cached = _used(message)
    said = Said(
        text=text,
        reasoning=thought,
        finish=str(told.get("finish_reason") or told.get("stop_reason") or ""),
        input_tokens=taken,
        output_tokens=given,
        cached=cached,
    )
    try:
        return replace(said, requests=_requests(message))
    except _NoRequest:
        raise ProviderFailed("malformed tool call", said=said) from None


def check(said: Said, call: ModelCall) -> Said:
    """The reply, if it has the schema that was asked for; one that asks for tools need not have it yet.

    Raises:
        ProviderFailed: if it has not.
    """
    if call.answer_schema is None or said.requests:
        return said
    try:
        value = json.loads(said.text)
        wrong = next(_validator(canonical(call.answer_schema)).iter_errors(value), None)
    except (ValueError, RecursionError):  # no JSON, or so deep that nobody reads it
        raise ProviderFailed("reply is not the schema", said=said) from None
    if wrong is not None:
        raise ProviderFailed("reply is not the schema", said=said)
    return said


def estimate(call: ModelCall) -> int:
    """About how many tokens a call has, more rather than fewer."""
    size = sum(_size(message.content) + _bytes(message.requests) for message in call.messages)
    return (
        size + _bytes(call.tools) + _bytes(call.answer_schema or "") + _PER_MESSAGE * (len(call.messages) + 1)
    )


def estimate_reply(said: Said) -> int:
    """About how many tokens a reply has, more rather than fewer."""
    return estimate_text(said.text) + estimate_text(said.reasoning) + _bytes(said.requests)


def estimate_text(text: str) -> int:
    """About how many tokens a text has, more rather than fewer."""
    return len(text.encode(errors="replace")) // _BYTES_PER_TOKEN + 1


def unfenced(text: str) -> str:
    """The text without the code fence that some models put around JSON."""
    inner = text.strip()
    if not (inner.startswith("```") and inner.endswith("```") and "\n" in inner):
        return text
    return inner.partition("\n")[2].removesuffix("```").strip()


def _bytes(value: object) -> int:
    return len(canonical(value)) // _BYTES_PER_TOKEN if value else 0


def _size(content: Json) -> int:
    if isinstance(content, str):
        return estimate_text(content)
    if not isinstance(content, list):
        return _bytes(content)
    return sum(_block(block) for block in content)


def _block(block: Json) -> int:
    if isinstance(block, dict) and block.get("type") in (
        "image",
        "image_url",
        "audio",
        "input_audio",
        "file",
    ):
        return _PER_PICTURE
    return _bytes(block)


def _requests(message: AIMessage) -> tuple[ToolRequest, ...]:
    if message.invalid_tool_calls:
        raise _NoRequest
    if isinstance(message, AIMessageChunk) and message.tool_call_chunks:
        return tuple(
            _request(chunk.get("id"), chunk.get("name"), _arguments(chunk.get("args")))
            for chunk in message.tool_call_chunks
        )
    return tuple(_request(each.get("id"), each["name"], each["args"]) for each in message.tool_calls)


def _request(name: str | None, tool: str | None, arguments: object) -> ToolRequest:
    if not tool or not isinstance(arguments, dict):
        raise _NoRequest
    try:
        given = plain(cast("Any", arguments))
        canonical(given)  # NaN, half a character, a bottomless list: nothing that a record can hold
    except (ValueError, RecursionError):
        raise _NoRequest from None
    return ToolRequest(id=name or "", name=tool, arguments=cast("dict[str, Json]", given))


def _arguments(text: str | None) -> object:
    """Arguments as they were streamed. LangChain mends broken JSON, which would drop what was cut off."""
    try:
        return json.loads(text or "{}")
    except (ValueError, RecursionError):
        raise _NoRequest from None


def _used(message: AIMessage) -> tuple[int | None, int | None, int]:
    """Input, output and cached tokens as the model says; None where it says nothing, or what cannot be."""
    used = message.usage_metadata
    if not used:
        return None, None, 0
    taken, given = used["input_tokens"], used["output_tokens"]
    if not (0 <= taken <= _MOST and 0 <= given <= _MOST):
        return None, None, 0
    cached = (used.get("input_token_details") or {}).get("cache_read") or 0
    return taken, given, cached if 0 <= cached <= taken else 0


def _mended(text: str) -> str:
    """The text with parted surrogate pairs put together, and halves without another one replaced."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _reasoning(message: AIMessage) -> str:
    told = message.additional_kwargs.get("reasoning_content")
    if isinstance(told, str):
        return told
    if isinstance(message.content, str):
        return ""
    blocks = cast("list[dict[str, Any]]", message.content_blocks)
    return "\n".join(str(each.get("reasoning", "")) for each in blocks if each.get("type") == "reasoning")


@lru_cache(maxsize=64)
def _validator(schema: bytes) -> Any:  # noqa: ANN401
    """The schema's validator; a reference to somewhere else is not followed."""
    return jsonschema.Draft202012Validator(json.loads(schema), registry=Registry[Any]())
