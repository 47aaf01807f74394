"""An agent of beeai-framework with a scripted model, served over A2A by its `A2AServer`."""

import uuid
from collections.abc import AsyncGenerator
from typing import Any

import scripted
import uvicorn
from beeai_framework.adapters.a2a.serve.server import A2AServer, A2AServerConfig
from beeai_framework.agents.requirement import RequirementAgent
from beeai_framework.backend import AssistantMessage, ChatModel, ChatModelOutput, MessageToolCallContent
from beeai_framework.memory import UnconstrainedMemory
from serving import serve


class Scripted(ChatModel):
    """The model."""

    @property
    def model_id(self) -> str:
        """A name."""
        return "scripted"

    @property
    def provider_id(self) -> Any:
        """A provider that it knows; nobody is asked."""
        return "ollama"

    async def _create(self, input: Any, run: Any) -> ChatModelOutput:
        text = next(message.text for message in reversed(input.messages) if message.role == "user")
        text = text.rpartition("Your task: ")[2]
        if text.startswith("slow"):
            await scripted.slow()
        said = scripted.words("beeai", text)
        call = MessageToolCallContent(
            id=uuid.uuid4().hex, tool_name="final_answer", args=scripted.json.dumps({"response": said})
        )
        return ChatModelOutput(output=[AssistantMessage([call])], finish_reason="tool_calls")

    async def _create_stream(self, input: Any, run: Any) -> AsyncGenerator[ChatModelOutput, None]:
        yield await self._create(input, run)


def build(url: str, port: int) -> Any:
    """The application; the server's `serve()` both makes and runs it, so what it would run is caught."""
    agent = RequirementAgent(
        llm=Scripted(), name="beeai", description="Hears what it is told.", memory=UnconstrainedMemory()
    )
    server = A2AServer(config=A2AServerConfig(host="127.0.0.1", port=port)).register(agent, url=url)
    made: list[Any] = []
    run, uvicorn.run = uvicorn.run, lambda app, **more: made.append(app)
    try:
        server.serve()
    finally:
        uvicorn.run = run
    return made[0]


if __name__ == "__main__":
    serve("beeai-framework", build)
