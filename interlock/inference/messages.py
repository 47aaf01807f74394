"""LangChain's messages as ours and back; nothing here asks a model."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    SystemMessage,
    ToolCall,
    ToolMessage,
    UsageMetadata,
)
from langchain_core.utils.function_calling import convert_to_openai_tool

from interlock.core.canonical import Json, plain
from interlock.core.models import Message, ModelCall, ModelReply, Speaker, ToolRequest
from interlock.errors import BadInput

_SPEAKERS: dict[str, Speaker] = {
    "system": "system",
    "developer": "system",
    "human": "user",
    "user": "user",
    "ai": "assistant",
    "AIMessageChunk": "assistant",
    "assistant": "assistant",
    "tool": "tool",
}
_DROPPED = ("strict", "stream", "ls_structured_output_format")
"""What LangChain says to its own clients; no model reads it."""


def call_of(
    messages: Sequence[BaseMessage], options: Mapping[str, Any], *, stop: Sequence[str] | None, prompt: str
) -> ModelCall:
    """What LangChain would send, as one call.

    Raises:
        BadInput: if a message or an option is nothing JSON has a word for.
    """
    rest = {name: value for name, value in options.items() if value is not None and name not in _DROPPED}
    tools = cast("Sequence[Any]", rest.pop("tools", ()))
    wanted = rest.pop("response_format", None)
    if stop:
        rest["stop"] = list(stop)
    try:
        return ModelCall(
            messages=tuple(said(message) for message in messages),
            tools=tuple(_function(tool) for tool in tools),
            answer_schema=_schema(wanted) if wanted is not None else None,
            options={name: plain(value) for name, value in rest.items()},
            prompt=prompt,
        )
    except ValueError as error:
        raise BadInput(
            "a model call holds something JSON has no word for: "
            "give messages, tools and options as plain data."
        ) from error


def said(message: BaseMessage) -> Message:
    """One message of LangChain's as ours; what a model thought in an earlier turn is not said again."""
    kind = message.role if isinstance(message, ChatMessage) else message.type
    return Message(
        speaker=_SPEAKERS.get(kind, "user"),
        content=_content(message),
        requests=tuple(_request(each) for each in message.tool_calls)
        if isinstance(message, AIMessage)
        else (),
        answers=message.tool_call_id if isinstance(message, ToolMessage) else "",
    )


def heard(call: ModelCall) -> list[BaseMessage]:
    """The messages of a call as LangChain's."""
    return [_message(each) for each in call.messages]


def spoken(reply: ModelReply) -> AIMessage:
    """A reply as LangChain's message, with its tool calls, reasoning and usage."""
    return AIMessage(
        content=reply.text,
        tool_calls=[_tool_call(each) for each in distinct(reply.requests)],
        additional_kwargs={"reasoning_content": reply.reasoning} if reply.reasoning else {},
        usage_metadata=usage(reply),
        response_metadata=metadata(reply),
    )


def distinct(requests: Sequence[ToolRequest]) -> list[ToolRequest]:
    """The calls of one reply, each with an id of its own.

    Some servers give none, or the same one twice; the answer of one call would pass for another's.
    """
    taken: set[str] = set()
    made: list[ToolRequest] = []
    for number, each in enumerate(requests):
        name = each.id
        while not name or name in taken:
            name = f"{name or 'call'}-{number}"
        taken.add(name)
        made.append(each.model_copy(update={"id": name}))
    return made


def usage(reply: ModelReply) -> UsageMetadata:
    """The tokens of a reply, in LangChain's words."""
    return UsageMetadata(
        input_tokens=reply.input_tokens,
        output_tokens=reply.output_tokens,
        total_tokens=reply.input_tokens + reply.output_tokens,
    )


def metadata(reply: ModelReply) -> dict[str, Any]:
    """Which model spoke and why it stopped, in LangChain's words."""
    return {"model_name": reply.model, "finish_reason": reply.finish}


def text_of(content: object) -> str:
    """The words of a message's content, text or blocks."""
    if isinstance(content, str):
        return content
    parts: list[str] = []
    for block in cast("Sequence[Any]", content if isinstance(content, list) else []):
        if isinstance(block, str):
            parts.append(block)
        elif isinstance(block, dict) and cast("dict[str, Any]", block).get("type") == "text":
            parts.append(str(cast("dict[str, Any]", block).get("text", "")))
    return "".join(parts)


def _content(message: BaseMessage) -> Json:
    content = message.content
    if isinstance(content, str) or not isinstance(message, AIMessage):
        return plain(content)
    return text_of(content)  # thinking, signatures and the like belong to the provider that made them


def _request(call: ToolCall) -> ToolRequest:
    return ToolRequest(
        id=call.get("id") or "", name=call["name"], arguments={k: plain(v) for k, v in call["args"].items()}
    )


def _tool_call(request: ToolRequest) -> ToolCall:
    return ToolCall(name=request.name, args=dict(request.arguments), id=request.id, type="tool_call")


def _message(message: Message) -> BaseMessage:
    content = cast(
        "Any", message.content if isinstance(message.content, (str, list)) else str(message.content)
    )
    match message.speaker:
        case "system":
            return SystemMessage(content=content)
        case "user":
            return HumanMessage(content=content)
        case "tool":
            return ToolMessage(content=content, tool_call_id=message.answers)
        case "assistant":
            return AIMessage(content=content, tool_calls=[_tool_call(each) for each in message.requests])


def _function(tool: Any) -> dict[str, Json]:  # noqa: ANN401
    """A tool as a JSON-Schema function: name, description, parameters."""
    known = cast("dict[str, Any]", tool if isinstance(tool, dict) else {})
    if set(known) <= {"name", "description", "parameters"} and known:
        return {name: plain(value) for name, value in known.items()}
    function = cast("dict[str, Any] | None", convert_to_openai_tool(cast("Any", tool)).get("function"))
    if function is None:
        raise BadInput(
            f"{known.get('type', 'this')!r} is a tool of one provider; a route may lead to any: "
            "give functions with name, description and parameters."
        )
    return {name: plain(function[name]) for name in ("name", "description", "parameters") if name in function}


def _schema(wanted: Any) -> dict[str, Json]:  # noqa: ANN401
    """The JSON Schema that `response_format` asks for, in any of the forms LangChain takes."""
    if isinstance(wanted, dict):
        form = cast("dict[str, Any]", wanted)
        if form.get("type") == "json_object":
            return {"type": "object"}
        held = form.get("json_schema", form)
        schema: dict[str, Any] = dict(held.get("schema", held))
        if "name" in held:
            schema.setdefault("title", held["name"])
        return {name: plain(value) for name, value in schema.items()}
    function = convert_to_openai_tool(wanted)["function"]
    return {"title": function["name"], **{k: plain(v) for k, v in function["parameters"].items()}}
