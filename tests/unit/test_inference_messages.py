"""LangChain's messages as ours and back."""

from typing import Any

import pytest
from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from pydantic import BaseModel

from interlock.core.models import ModelCall, ModelReply, ToolRequest
from interlock.errors import BadInput
from interlock.inference.messages import call_of, heard, said, spoken

CALL: Any = {"name": "look", "args": {"place": "Rome"}, "id": "c1", "type": "tool_call"}


class Place(BaseModel):
    """Somewhere."""

    city: str


def call(*messages: BaseMessage, **options: Any) -> ModelCall:
    """A call made from LangChain's words."""
    return call_of(messages or [HumanMessage("hello")], options, stop=None, prompt="")


@pytest.mark.parametrize(
    "message",
    [
        SystemMessage("be brief"),
        HumanMessage("where?"),
        HumanMessage([{"type": "text", "text": "what is this?"}, {"type": "image", "url": "http://x/y.png"}]),
        AIMessage("there"),
        AIMessage("", tool_calls=[CALL]),
        ToolMessage("a parcel", tool_call_id="c1"),
    ],
    ids=lambda message: message.type,
)
def test_a_message_comes_back_as_it_was(message: AnyMessage) -> None:
    """Words, blocks, tool calls and the call that is answered survive the way through ours."""
    (back,) = heard(ModelCall(messages=(said(message),)))

    assert (back.type, back.content) == (message.type, message.content)
    assert getattr(back, "tool_calls", None) == getattr(message, "tool_calls", None)
    assert getattr(back, "tool_call_id", None) == getattr(message, "tool_call_id", None)


@pytest.mark.parametrize(
    ("role", "speaker"), [("developer", "system"), ("assistant", "assistant"), ("someone", "user")]
)
def test_free_roles_have_a_speaker(role: str, speaker: str) -> None:
    """A role nobody knows speaks as a user, who has no authority."""
    assert said(ChatMessage(content="hi", role=role)).speaker == speaker


def test_what_a_model_thought_before_is_not_said_again() -> None:
    """Thinking belongs to the provider that made it; the words stay."""
    thinking = {"type": "thinking", "thinking": "hm", "signature": "x"}
    thought = AIMessage([thinking, {"type": "text", "text": "yes"}])

    assert said(thought).content == "yes"


def test_a_reply_is_langchains_message() -> None:
    """Tool calls, reasoning, usage and why it stopped stand where LangChain looks for them."""
    wish = ToolRequest(id="c1", name="look", arguments={"place": "Rome"})
    used: dict[str, Any] = {"input_tokens": 3, "output_tokens": 2, "reasoning": "hm"}
    reply = ModelReply(text="wait", model="m", requests=(wish,), finish="tool_calls", **used)
    message = spoken(reply)

    assert message.tool_calls == [CALL]
    assert [block["type"] for block in message.content_blocks] == ["reasoning", "text", "tool_call"]
    assert message.usage_metadata == {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
    assert message.response_metadata == {"model_name": "m", "finish_reason": "tool_calls"}


@pytest.mark.parametrize(
    ("form", "title"),
    [
        (Place, "Place"),
        ({"type": "json_schema", "json_schema": {"name": "place", "schema": {"type": "object"}}}, "place"),
        ({"name": "place", "schema": {"type": "object"}}, "place"),
        ({"title": "Bare", "type": "object", "properties": {}}, "Bare"),
        ({"type": "json_object"}, None),
    ],
    ids=str,
)
def test_a_response_format_is_a_schema(form: Any, title: str | None) -> None:
    """Every form that LangChain takes comes to a JSON Schema of an object."""
    schema = call(response_format=form).answer_schema

    assert schema is not None and (schema["type"], schema.get("title")) == ("object", title)


def test_tools_are_plain_functions() -> None:
    """Functions, pydantic models and dicts come to name, description and parameters."""

    def look(place: str) -> str:
        """Looks."""
        return place

    bare = {"name": "bare", "description": "Bare.", "parameters": {"type": "object", "properties": {}}}
    tools = call(tools=[look, Place, bare]).tools

    assert [tool["name"] for tool in tools] == ["look", "Place", "bare"]
    assert all(set(tool) == {"name", "description", "parameters"} for tool in tools)


def test_a_tool_of_one_provider_is_refused() -> None:
    """A route may lead to anybody, and only one of them would know it."""
    with pytest.raises(BadInput, match="'web_search_preview' is a tool of one provider"):
        call(tools=[{"type": "web_search_preview"}])


def test_what_json_has_no_word_for_is_refused() -> None:
    """The journal could not keep it, and a re-execution not compare it."""
    with pytest.raises(BadInput, match="something JSON has no word for"):
        call(temperature=object())


def test_options_that_only_langchain_reads_are_left_out() -> None:
    """The rest goes into the call, and so into its name in the journal."""
    given = {"strict": True, "temperature": 0, "seed": None}
    made = call_of([HumanMessage("x")], given, stop=["END"], prompt="p@1")

    assert made.options == {"temperature": 0, "stop": ["END"]} and made.prompt == "p@1"
