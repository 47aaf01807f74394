"""Calls an agent with crewai's delegation over A2A."""

from a2a.types import TaskState
from calling import Heard, call
from crewai.a2a.updates import PollingConfig
from crewai.a2a.utils.delegation import aexecute_a2a_delegation


async def client(heard: Heard, url: str, mode: str, text: str, answer: str) -> None:
    """One delegation, and a second one on the same task with the answer where there is one."""
    task = context = None
    for number, turn in enumerate([text, answer] if answer else [text], start=1):
        result = await aexecute_a2a_delegation(
            endpoint=f"{url.rstrip('/')}/.well-known/agent-card.json",
            auth=None,
            timeout=60,
            task_description=turn,
            turn_number=number,
            task_id=task,
            context_id=context,
            updates=PollingConfig(interval=0.1) if mode == "blocking" else None,
        )
        if result["status"] == TaskState.input_required:
            last = result["history"][-1]
            task, context = last.task_id, last.context_id
            heard.question = result["error"]
        elif result["status"] == TaskState.completed:
            heard.said = result["result"]
        else:
            heard.error = f"{result['status']}: {result.get('error')}"


if __name__ == "__main__":
    call(client)
