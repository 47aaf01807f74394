"""A graph of ours that hands everything on to an agent of another framework, and is served itself."""

import os

from interlock import Findings, Limits, Plan, RemoteAgent, Supervisor, Task
from tests.interop.caller import read
from tests.interop.listener import Said, Wish

far = RemoteAgent(
    "far",
    "An agent of another framework.",
    url=os.environ.get("FAR_URL", "http://127.0.0.1:9/"),
    input=Wish,
    output=Said,
    ask=lambda wish: wish.text,
    read=read,
    attempts=1,
    limits=Limits(seconds=60),
)


def hand_on(wish: Wish) -> Plan | None:
    """Everything goes there."""
    return Plan(Task(far, wish))


def answer(wish: Wish, findings: Findings) -> Said:
    """What came back."""
    return findings.get(far)[-1]


graph = Supervisor(
    "relay",
    request=Wish,
    response=Said,
    agents=[far],
    routes=[hand_on],
    answer=answer,
    examples=[Wish(text="hello")],
).build()
