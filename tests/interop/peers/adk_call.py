"""Calls an agent with google-adk's `RemoteA2aAgent`."""

import httpx
from a2a.client import ClientConfig, ClientFactory
from calling import Heard, call
from google.adk.agents.remote_a2a_agent import RemoteA2aAgent
from google.adk.runners import InMemoryRunner
from google.genai import types


async def client(heard: Heard, url: str, mode: str, text: str, answer: str) -> None:
    """One turn, and a second one with the answer where there is one."""
    async with httpx.AsyncClient(timeout=60) as http:
        config = ClientConfig(httpx_client=http, streaming=mode != "blocking")
        agent = RemoteA2aAgent(
            name="remote",
            agent_card=f"{url.rstrip('/')}/.well-known/agent-card.json",
            a2a_client_factory=ClientFactory(config),
        )
        runner = InMemoryRunner(agent=agent, app_name="caller")
        session = await runner.session_service.create_session(app_name="caller", user_id="olga")
        for turn in [text, answer] if answer else [text]:
            message = types.Content(role="user", parts=[types.Part(text=turn)])
            async for event in runner.run_async(user_id="olga", session_id=session.id, new_message=message):
                hear(heard, event)


def hear(heard: Heard, event: object) -> None:
    """Takes the words of an event that are not marked as thoughts."""
    parts = (getattr(event, "content", None) and event.content.parts) or []
    said = "".join(part.text for part in parts if part.text and not part.thought)
    if event.error_message:
        heard.error = event.error_message
    if event.long_running_tool_ids:
        heard.question = said or str(event.get_function_calls()[0].args)
    elif said:
        heard.pieces += 1
        heard.said = said


if __name__ == "__main__":
    call(client)
