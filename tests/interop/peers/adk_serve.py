"""An agent of google-adk with a scripted model, served over A2A by `to_a2a`."""

from collections.abc import AsyncGenerator
from typing import Any

import scripted
from google.adk.a2a.utils.agent_to_a2a import to_a2a
from google.adk.agents import LlmAgent
from google.adk.models import BaseLlm, LlmResponse
from google.adk.tools import LongRunningFunctionTool
from google.genai import types
from serving import serve


def ask_person(question: str) -> None:
    """Asks a person and does not wait for the answer."""


def words(part: types.Part) -> str:
    """The words of a part; data arrives as bytes between two tags."""
    data = part.inline_data.data.decode() if part.inline_data and part.inline_data.data else ""
    return part.text or data.removeprefix("<a2a_datapart_json>").removesuffix("</a2a_datapart_json>")


class Scripted(BaseLlm):
    """The model."""

    async def generate_content_async(
        self, llm_request: Any, stream: bool = False
    ) -> AsyncGenerator[LlmResponse, None]:
        """Answers by the words of the first and the last message."""
        parts = [p for c in llm_request.contents if c.role == "user" for p in c.parts or []]
        said = [text for text in map(words, parts) if text]
        first, last = next(text for text in reversed(said) if text), said[-1]
        asked = [text for text in said if text.startswith("approve")]
        if last.startswith("slow"):
            await scripted.slow()
        if last.startswith("approve"):
            call = types.FunctionCall(name="ask_person", args={"question": scripted.question(last)})
            parts = [types.Part(text=scripted.question(last)), types.Part(function_call=call)]
        elif asked:
            parts = [types.Part(text=scripted.decided(asked[-1], last))]
        else:
            parts = [types.Part(text=scripted.words("adk", first))]
        yield LlmResponse(content=types.Content(role="model", parts=parts))


def build(url: str, port: int) -> Any:
    """The application."""
    agent = LlmAgent(
        name="adk",
        model=Scripted(model="scripted"),
        description="Hears what it is told.",
        instruction="Answer.",
        tools=[LongRunningFunctionTool(ask_person)],
    )
    return to_a2a(agent, host="127.0.0.1", port=port)


if __name__ == "__main__":
    serve("google-adk", build)
