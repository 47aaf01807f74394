"""An agent of strands-agents with a scripted model, served over A2A by its `A2AServer`."""

from collections.abc import AsyncGenerator
from typing import Any

import scripted
from serving import serve
from strands import Agent, tool
from strands.models import Model
from strands.multiagent.a2a import A2AServer
from strands.types.tools import ToolContext


@tool(context=True)
def approve(what: str, tool_context: ToolContext) -> str:
    """Does what needs a person's yes."""
    answer = tool_context.interrupt("approve", reason=scripted.question(what))
    return scripted.decided(what, str(answer))


class Scripted(Model):
    """The model."""

    def update_config(self, **config: Any) -> None:
        """Has no configuration."""

    def get_config(self) -> Any:
        """Has no configuration."""
        return {}

    def structured_output(self, *args: Any, **more: Any) -> Any:
        """Is not asked for any."""
        raise NotImplementedError

    async def stream(self, messages: Any, *args: Any, **more: Any) -> AsyncGenerator[Any, None]:
        """Answers by the words of the last message."""
        last = messages[-1]["content"]
        done = [block["toolResult"]["content"][0]["text"] for block in last if "toolResult" in block]
        text = next((block["text"] for block in last if "text" in block), "")
        if text.startswith("slow"):
            await scripted.slow()
        yield {"messageStart": {"role": "assistant"}}
        if text.startswith("approve"):
            use = {"toolUse": {"toolUseId": "t1", "name": "approve"}}
            yield {"contentBlockStart": {"start": use}}
            what = scripted.json.dumps({"what": text.removeprefix("approve").strip()})
            yield {"contentBlockDelta": {"delta": {"toolUse": {"input": what}}}}
            yield {"contentBlockStop": {}}
            yield {"messageStop": {"stopReason": "tool_use"}}
            return
        yield {"contentBlockStart": {"start": {}}}
        for piece in scripted.pieces(done[0] if done else scripted.words("strands", text)):
            yield {"contentBlockDelta": {"delta": {"text": piece}}}
        yield {"contentBlockStop": {}}
        yield {"messageStop": {"stopReason": "end_turn"}}


def build(url: str, port: int) -> Any:
    """The application."""

    def agent(context_id: str) -> Agent:
        return Agent(
            model=Scripted(),
            name="strands",
            description="Hears what it is told.",
            tools=[approve],
            callback_handler=None,
        )

    server = A2AServer(agent_factory=agent, host="127.0.0.1", port=port, enable_a2a_compliant_streaming=True)
    return server.to_starlette_app()


if __name__ == "__main__":
    serve("strands-agents", build)
