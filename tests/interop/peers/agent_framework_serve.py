"""An agent of Microsoft's agent-framework with a scripted model, served over A2A by its `A2AExecutor`."""

from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from typing import Any

import scripted
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes
from a2a.server.tasks import InMemoryTaskStore
from a2a.types import AgentCapabilities, AgentCard, AgentInterface
from agent_framework import (
    Agent,
    BaseChatClient,
    ChatResponse,
    ChatResponseUpdate,
    Content,
    FunctionInvocationLayer,
    Message,
    ResponseStream,
    tool,
)
from agent_framework.a2a import A2AExecutor
from serving import serve
from starlette.applications import Starlette


@tool(approval_mode="always_require")
def approve(what: str) -> str:
    """Does what needs a person's yes."""
    return f"approved: {what}"


class Scripted(FunctionInvocationLayer, BaseChatClient):
    """The model."""

    def _inner_get_response(
        self, *, messages: Sequence[Message], stream: bool, options: Mapping[str, Any], **more: Any
    ) -> Awaitable[ChatResponse] | ResponseStream[ChatResponseUpdate, ChatResponse]:
        if not stream:
            return self._whole(messages[-1].text)
        return ResponseStream(self._pieces(messages[-1].text), finalizer=ChatResponse.from_updates)

    async def _whole(self, text: str) -> ChatResponse:
        return ChatResponse(messages=[Message(role="assistant", contents=await self._said(text))])

    async def _pieces(self, text: str) -> AsyncIterator[ChatResponseUpdate]:
        for content in await self._said(text):
            yield ChatResponseUpdate(role="assistant", contents=[content], message_id="m1")

    async def _said(self, text: str) -> list[Content]:
        if text.startswith("slow"):
            await scripted.slow()
        if text.startswith("approve"):
            what = {"what": text.removeprefix("approve").strip()}
            return [Content.from_function_call(call_id="c1", name="approve", arguments=what)]
        return [Content.from_text(each) for each in scripted.pieces(scripted.words("agent-framework", text))]


def build(url: str, port: int) -> Any:
    """The application; the framework brings the executor, routes are the SDK's."""
    card = AgentCard(
        name="agent-framework",
        description="Hears what it is told.",
        version="1",
        default_input_modes=["text/plain"],
        default_output_modes=["text/plain"],
        capabilities=AgentCapabilities(streaming=True),
        supported_interfaces=[AgentInterface(url=url, protocol_binding="JSONRPC", protocol_version="1.0")],
    )
    agent = Agent(client=Scripted(), name="agent-framework", tools=[approve])
    handler = DefaultRequestHandler(
        agent_executor=A2AExecutor(agent, stream=True), task_store=InMemoryTaskStore(), agent_card=card
    )
    return Starlette(routes=[*create_agent_card_routes(card), *create_jsonrpc_routes(handler, "/")])


if __name__ == "__main__":
    serve("agent-framework-core", build)
