"""What is said to a model and what it says back, without any provider's types."""

from decimal import Decimal
from typing import Literal, TypeAlias

from pydantic import BaseModel

from interlock.core.canonical import Json, canonical

BEHIND_THE_DOOR = "interlock_behind_the_door"
"""Stands in the metadata of calls that the inference gateway makes of LangChain's clients."""
Speaker: TypeAlias = Literal["system", "user", "assistant", "tool"]


class ToolRequest(BaseModel, frozen=True, extra="forbid"):
    """A model's wish to have a tool called; nothing is called by it."""

    id: str
    name: str
    arguments: dict[str, Json]


class Message(BaseModel, frozen=True, extra="forbid"):
    """One message of a conversation."""

    speaker: Speaker
    content: Json
    """Text, or a list of content blocks."""
    requests: tuple[ToolRequest, ...] = ()
    """Of an assistant's message: the tools it wants called."""
    answers: str = ""
    """Of a tool's message: the id of the request it answers."""


class ModelCall(BaseModel, frozen=True, extra="forbid"):
    """One call of a model: everything that decides its reply."""

    messages: tuple[Message, ...]
    tools: tuple[dict[str, Json], ...] = ()
    """What it may ask to be called, as JSON-Schema functions: name, description, parameters."""
    answer_schema: dict[str, Json] | None = None
    """JSON Schema that the reply's text must have."""
    options: dict[str, Json] = {}
    """Provider options such as `temperature`, `max_tokens`, `stop`, `tool_choice`."""
    prompt: str = ""
    """`name@version` of the prompt file it was rendered from; empty for a prompt made by code."""

    @classmethod
    def of(cls, prompt: "str | ModelCall") -> "ModelCall":
        """A plain prompt as a call with one user message; a call as it is."""
        return (
            prompt
            if isinstance(prompt, ModelCall)
            else cls(messages=(Message(speaker="user", content=prompt),))
        )

    @property
    def rendered(self) -> str:
        """The whole conversation as people read it; a single question stands alone."""
        if len(self.messages) == 1:
            return _told(self.messages[0])
        return "\n\n".join(f"[{each.speaker}]\n{_told(each)}" for each in self.messages)


class Passed(BaseModel, frozen=True, extra="forbid"):
    """A provider that was asked and did not answer, before another one did."""

    model: str
    why: str
    """A kind of failure, never a provider's own words: `timeout`, `rate limited`, `error 500`, ..."""
    seconds: float = 0.0
    tokens: int = 0
    """What it was charged with all the same, by estimate: it broke off, or its reply could not be used."""
    usd: Decimal | None = None


class ModelReply(BaseModel, frozen=True, extra="forbid"):
    """What a model said and what it cost."""

    text: str
    model: str
    input_tokens: int = 0
    output_tokens: int = 0
    estimated: bool = False
    """True where the model did not say what it used, and the tokens are our estimate."""
    usd: Decimal | None = None
    """What it cost, those who were passed over included; None where a price is not known."""
    requests: tuple[ToolRequest, ...] = ()
    reasoning: str = ""
    """What the model said about its thinking, where it gives it."""
    finish: str = ""
    """Why it stopped: `stop`, `tool_calls`, `length`, ..."""
    passed: tuple[Passed, ...] = ()
    """Who was asked before, in order."""

    @property
    def tokens(self) -> int:
        """Tokens of question and answer together, and of those who were passed over."""
        return self.input_tokens + self.output_tokens + sum(each.tokens for each in self.passed)


def _told(message: Message) -> str:
    wishes = [f"{each.name}({canonical(each.arguments).decode()})" for each in message.requests]
    said = message.content if isinstance(message.content, str) else canonical(message.content).decode()
    return "\n".join(part for part in (said, *wishes) if part)
