"""Cancels with the client of a2a-sdk 0.3, which every framework on protocol 0.3 carries."""

import asyncio
from uuid import uuid4

import httpx
from a2a.client import A2ACardResolver, ClientConfig, ClientFactory
from a2a.types import Message, Part, Role, TaskIdParams, TextPart
from calling import Heard, call, started, starts


async def client(heard: Heard, url: str, mode: str, text: str, answer: str) -> None:
    """Starts, waits until the work has begun, stops it, and listens to the end."""
    before = starts(answer)
    async with httpx.AsyncClient(timeout=60) as http:
        card = await A2ACardResolver(http, url).get_agent_card()
        agent = ClientFactory(ClientConfig(httpx_client=http)).create(card)
        message = Message(message_id=str(uuid4()), role=Role.user, parts=[Part(root=TextPart(text=text))])
        named: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        async def listen() -> None:
            async for event in agent.send_message(message):
                heard.pieces += 1
                if not named.done():
                    named.set_result(event[0].id)

        listening = asyncio.create_task(listen())
        await started(answer, before)
        task = await agent.cancel_task(TaskIdParams(id=await named))
        await asyncio.wait_for(listening, 20)
        heard.said = task.status.state.value


if __name__ == "__main__":
    call(client)
