"""An agent of crewai with a scripted model, served over A2A by its `execute` and `cancel`."""

import asyncio
import json
from typing import Any

import scripted
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.apps import A2AStarletteApplication
from a2a.server.events import EventQueue
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.tasks import InMemoryTaskStore
from crewai import Agent
from crewai.a2a import A2AServerConfig
from crewai.a2a.utils.task import cancel, execute
from crewai.llms.base_llm import BaseLLM
from serving import serve


def words(task: str) -> str:
    """The words of a task: its first line, or the first of the data that came with it."""
    _, structured, data = task.partition("Structured Data:\n")
    if structured:
        return json.dumps(json.JSONDecoder().raw_decode(data)[0][0])
    return task.partition("\n")[0]


class Scripted(BaseLLM):
    """The model."""

    def call(self, messages: Any, *args: Any, **more: Any) -> str:
        """Is called where nothing can be awaited."""
        return asyncio.run(self.acall(messages))

    async def acall(self, messages: Any, *args: Any, **more: Any) -> str:
        """Answers by the words of the task."""
        text = words(messages[-1]["content"].partition("Current Task: ")[2])
        if text.startswith("slow"):
            await scripted.slow()
        said = scripted.words("crewai", text)
        return f"Thought: I now can give a great answer\nFinal Answer: {said}"


class Executor(AgentExecutor):
    """The framework has no server class: this much is everybody's own."""

    def __init__(self, agent: Agent) -> None:
        """Takes the agent."""
        self.agent = agent

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        """As the framework does it."""
        await execute(self.agent, context, event_queue)

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        """As the framework does it."""
        await cancel(context, event_queue)


def build(url: str, port: int) -> Any:
    """The application."""
    agent = Agent(
        role="Listener",
        goal="Hears what it is told.",
        backstory="Listens.",
        llm=Scripted(model="scripted"),
        a2a=A2AServerConfig(url=url),
    )
    handler = DefaultRequestHandler(Executor(agent), InMemoryTaskStore())
    return A2AStarletteApplication(agent_card=agent.to_agent_card(url), http_handler=handler).build()


if __name__ == "__main__":
    serve("crewai", build)
