"""An agent of pydantic-ai with its test model, served over A2A by fasta2a."""

from typing import Any

import scripted
from fasta2a.pydantic_ai import agent_to_a2a
from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from serving import serve


async def model(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Answers by the words of the last message."""
    text = str(messages[-1].parts[-1].content)
    if text.startswith("slow"):
        await scripted.slow()
    return ModelResponse(parts=[TextPart(scripted.words("fasta2a", text))])


def build(url: str, port: int) -> Any:
    """The application."""
    return agent_to_a2a(Agent(FunctionModel(model), name="fasta2a"), url=url)


if __name__ == "__main__":
    serve("fasta2a", build)
