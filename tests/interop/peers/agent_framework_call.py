"""Calls an agent with agent-framework's `A2AAgent`."""

from agent_framework.a2a import A2AAgent
from calling import Heard, call


async def client(heard: Heard, url: str, mode: str, text: str, answer: str) -> None:
    """One turn, and a second one in the same session with the answer where there is one."""
    async with A2AAgent(name="remote", url=url) as agent:
        session = agent.create_session()
        for turn in [text, answer] if answer else [text]:
            if mode == "streaming":
                stream = agent.run(turn, stream=True, session=session)
                async for update in stream:
                    heard.pieces += bool(update.text)
                response = await stream.get_final_response()
            else:
                response = await agent.run(turn, session=session)
            asked = response.user_input_requests
            if asked:
                heard.question = response.text or str(asked[0].text)
            else:
                heard.said = response.text


if __name__ == "__main__":
    call(client)
