"""What a model said, read from LangChain's message and checked: nothing broken is taken for a reply."""

import json
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
    used = message.usage_metadata
    told = cast("dict[str, Any]", message.response_metadata)
    details = (used or {}).get("input_token_details") or {}
    said = Said(
        text=text_of(message.content),
        reasoning=_reasoning(message),
        finish=str(told.get("finish_reason") or told.get("stop_reason") or ""),
        input_tokens=used["input_tokens"] if used else None,
        output_tokens=used["output_tokens"] if used else None,
        cached=details.get("cache_read", 0),
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
    except ValueError:
        raise ProviderFailed("reply is not the schema", said=said) from None
    if next(_validator(canonical(call.answer_schema)).iter_errors(value), None) is not None:
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
    return len(text.encode()) // _BYTES_PER_TOKEN + 1


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
        raise ProviderFailed("malformed tool call")
    return ToolRequest(
        id=name or "", name=tool, arguments=cast("dict[str, Json]", plain(cast("Any", arguments)))
    )


def _arguments(text: str | None) -> object:
    """Arguments as they were streamed. LangChain mends broken JSON, which would drop what was cut off."""
    try:
        return json.loads(text or "{}")
    except ValueError:
        raise _NoRequest from None


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
