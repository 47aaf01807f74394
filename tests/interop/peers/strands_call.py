"""Calls an agent with strands' `A2AAgent`."""

from calling import Heard, call
from strands.agent.a2a_agent import A2AAgent


async def client(heard: Heard, url: str, mode: str, text: str, answer: str) -> None:
    """One turn, and a second one with the answer where there is one; it keeps no session."""
    agent = A2AAgent(endpoint=url, timeout=60)
    for turn in [text, answer] if answer else [text]:
        result = None
        if mode == "blocking":
            result = await agent.invoke_async(turn)
        else:
            async for event in agent.stream_async(turn):
                if "result" in event:
                    result = event["result"]
                else:
                    heard.pieces += 1
        said = "".join(block.get("text", "") for block in result.message["content"])
        if result.stop_reason == "interrupt" or (answer and turn == text):
            heard.question = said
        else:
            heard.said = said


if __name__ == "__main__":
    call(client)
