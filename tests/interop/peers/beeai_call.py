"""Calls an agent with beeai-framework's `A2AAgent`."""

from a2a.types import TaskState
from beeai_framework.adapters.a2a.agents import A2AAgent
from beeai_framework.memory import UnconstrainedMemory
from calling import Heard, call


async def client(heard: Heard, url: str, mode: str, text: str, answer: str) -> None:
    """One turn, and a second one with the answer where there is one; it remembers the task."""
    agent = A2AAgent(url=url, memory=UnconstrainedMemory())
    for turn in [text, answer] if answer else [text]:
        pieces = 0

        def count(data: object, event: object) -> None:
            nonlocal pieces
            pieces += 1

        run = agent.run(turn, streaming=mode == "streaming")
        output = await run.observe(lambda emitter: emitter.on("update", count))
        heard.pieces += pieces
        said = output.last_message.text
        event = output.event
        state = event[0].status.state if isinstance(event, tuple) else TaskState.completed
        if state == TaskState.input_required:
            heard.question = said
        elif state == TaskState.completed:
            heard.said = said
        else:
            heard.error = f"{state}: {said}"


if __name__ == "__main__":
    call(client)
