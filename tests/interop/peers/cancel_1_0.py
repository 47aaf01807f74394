"""Cancels with the client of a2a-sdk 1.x, which every framework on protocol 1.0 carries."""

import asyncio
from uuid import uuid4

import httpx
from a2a.client import A2ACardResolver, ClientConfig, ClientFactory
from a2a.types import CancelTaskRequest, Message, Part, Role, SendMessageRequest, TaskState
from calling import Heard, call, started, starts


async def client(heard: Heard, url: str, mode: str, text: str, answer: str) -> None:
    """Starts, waits until the work has begun, stops it, and listens to the end."""
    before = starts(answer)
    async with httpx.AsyncClient(timeout=60) as http:
        card = await A2ACardResolver(http, url).get_agent_card()
        agent = ClientFactory(ClientConfig(httpx_client=http)).create(card)
        message = Message(message_id=str(uuid4()), role=Role.ROLE_USER, parts=[Part(text=text)])
        named: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        async def listen() -> None:
            async for event in agent.send_message(SendMessageRequest(message=message)):
                heard.pieces += 1
                task = event.task.id or event.status_update.task_id
                if task and not named.done():
                    named.set_result(task)

        listening = asyncio.create_task(listen())
        await started(answer, before)
        task = await agent.cancel_task(CancelTaskRequest(id=await named))
        await asyncio.wait_for(listening, 20)
        heard.said = TaskState.Name(task.status.state)


if __name__ == "__main__":
    call(client)
