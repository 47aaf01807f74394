"""A desk of ours with one remote agent, as the peers are called through it."""

import json
from pathlib import Path
from typing import Any

import interlock
from interlock import Findings, Limits, Plan, RemoteAgent, Supervisor, Task
from interlock.bootstrap import Bound
from tests.desk import settings
from tests.interop.listener import Said, Wish


def read(answer: Any) -> Said:
    """The words of an answer; one without words cannot be read."""
    if not isinstance(answer, str) or not answer.strip():
        raise ValueError(f"no words in {json.dumps(answer)[:80]}")
    return Said(text=answer.strip())


def calling(url: str, folder: Path, *, seconds: float = 40.0) -> Bound:
    """A bound graph whose one task goes to the agent at the URL, once."""
    peer = RemoteAgent(
        "peer",
        "An agent of another framework.",
        url=url,
        input=Wish,
        output=Said,
        ask=lambda wish: wish.text,
        read=read,
        attempts=1,
        limits=Limits(seconds=seconds),
    )

    def to_peer(wish: Wish) -> Plan | None:
        """Everything goes there."""
        return Plan(Task(peer, wish))

    def answer(wish: Wish, findings: Findings) -> Said:
        """What the peer said, or that it said nothing."""
        return next(iter(findings.get(peer)), Said(text="nobody answered"))

    graph = Supervisor(
        "calling",
        request=Wish,
        response=Said,
        agents=[peer],
        routes=[to_peer],
        answer=answer,
        examples=[Wish(text="hello")],
    ).build()
    return interlock.bind(graph, settings=settings(folder))
