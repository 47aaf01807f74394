"""A desk whose one specialist works far away."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from interlock import Findings, Limits, Plan, RemoteAgent, Supervisor, Task
from interlock.bootstrap import Bound
from interlock.core.agents import AnyAgent
from interlock.settings import Settings
from tests.desk import Reply, Ticket


class Score(BaseModel):
    """What the remote agent is asked for."""

    level: str
    points: int = 0


def ask(ticket: Ticket) -> str:
    """In words."""
    return f"Score this: {ticket.text}"


def read(answer: Any) -> Score:
    """From words or data."""
    return Score.model_validate(answer) if isinstance(answer, dict) else Score(level=str(answer))


def scorer(url: str, **more: Any) -> RemoteAgent[Ticket, Score]:
    """The remote specialist."""
    given: dict[str, Any] = {"ask": ask, "read": read, "attempts": 1, "limits": Limits(seconds=20)} | more
    return RemoteAgent("scorer", "Scores tickets.", url=url, input=Ticket, output=Score, **given)


def desk(agent: AnyAgent) -> Supervisor[Ticket, Reply]:
    """A supervisor that sends every ticket to the agent."""

    def everything(ticket: Ticket) -> Plan | None:
        """Every ticket is scored."""
        task: Callable[..., Any] = Task
        return Plan(task(agent, ticket))

    def answer(ticket: Ticket, findings: Findings) -> Reply:
        """What became of it."""
        told = "; ".join(f"{i.status}: {i.output if i.status != 'failed' else i.why}" for i in findings.items)
        return Reply(text=told.replace("127.0.0.1", "there"))

    return Supervisor(
        "remote-desk",
        request=Ticket,
        response=Reply,
        agents=[agent],
        routes=[everything],
        answer=answer,
        examples=[Ticket(text="x")],
    )


def settings(folder: Path, **more: Any) -> Settings:
    """A database and a key in a folder of its own."""
    return Settings(
        database_url=f"sqlite:///{folder}/interlock.db", key_folder=folder / "keys", user="ada", **more
    )


async def events(app: Bound, run: str, kind: str) -> list[dict[str, Any]]:
    """The bodies of the events of one kind."""
    lines = await app.stores.record.lines(run)
    return [dict(line.body) for line in lines if line.event.kind == kind and isinstance(line.body, dict)]


async def result(app: Bound, run: str) -> dict[str, Any]:
    """What the task came to, as the record says."""
    return (await events(app, run, "task.returned"))[-1]
