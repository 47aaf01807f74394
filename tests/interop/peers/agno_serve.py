"""An agent of agno with a scripted model, served over A2A by its `AgentOS`."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import scripted
from agno.agent import Agent
from agno.models.base import Model
from agno.models.response import ModelResponse
from agno.os import AgentOS
from serving import serve


class Scripted(Model):
    """The model."""

    def invoke(self, messages: Any, *args: Any, **more: Any) -> ModelResponse:
        """Answers by the words of the last message."""
        return ModelResponse(role="assistant", content=scripted.words("agno", str(messages[-1].content)))

    async def ainvoke(self, messages: Any, *args: Any, **more: Any) -> ModelResponse:
        """The same."""
        if str(messages[-1].content).startswith("slow"):
            await scripted.slow()
        return self.invoke(messages)

    def invoke_stream(self, messages: Any, *args: Any, **more: Any) -> Iterator[ModelResponse]:
        """The same, in one piece."""
        yield self.invoke(messages)

    async def ainvoke_stream(self, messages: Any, *args: Any, **more: Any) -> AsyncIterator[ModelResponse]:
        """The same, in one piece."""
        yield await self.ainvoke(messages)

    def _parse_provider_response(self, response: Any, **more: Any) -> ModelResponse:
        return response

    def _parse_provider_response_delta(self, response: Any) -> ModelResponse:
        return response


def build(url: str, port: int) -> Any:
    """The application."""
    agent = Agent(id="listener", name="agno", model=Scripted(id="scripted"), telemetry=False)
    return AgentOS(agents=[agent], a2a_interface=True, telemetry=False).get_app()


if __name__ == "__main__":
    serve("agno", build)
