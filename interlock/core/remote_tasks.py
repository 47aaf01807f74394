"""Tasks that were sent to remote agents: rows, so that a crash neither sends one again nor forgets it."""

from datetime import datetime
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel

from interlock.core.canonical import Json, digest

RemoteState: TypeAlias = Literal[
    "planned", "sent", "working", "asked", "unknown", "answered", "failed", "canceled"
]
OPEN: frozenset[RemoteState] = frozenset({"sent", "working", "asked", "unknown"})
"""States in which the remote agent may be at work."""
OVER: frozenset[RemoteState] = frozenset({"answered", "failed", "canceled"})
"""States that are never left again."""


class RemoteTask(BaseModel, frozen=True, extra="forbid"):
    """One attempt of one task at one remote agent, and how far it came.

    `planned`: nothing has left. `sent`: stored before a message leaves, so that it may have arrived.
    `working`: it is there under a known id. `asked`: it waits for our answer. `unknown`: nobody can tell
    whether it arrived. The rest is over.
    """

    v: Literal[1] = 1
    """Format version."""
    id: str
    """Id of the first message and idempotency key; the same on every re-execution of the attempt."""
    run: str
    task: str
    attempt: int
    agent: str
    url: str
    """Where the agent is, as code or configuration says."""
    content: str
    """Digest of what was asked."""
    context: str
    """The conversation at the remote agent: chosen by us, or its own once it named one."""
    state: RemoteState = "planned"
    remote: str = ""
    """The remote agent's id of the task; empty until it is known."""
    sends: int = 0
    """How often the first message was sent: once, unless a peer or a person said that it may again."""
    turn: int = 0
    """How many of its questions were answered."""
    asked: dict[str, Json] | None = None
    """Its open question: see `interlock.a2a.relays`."""
    peer: str = ""
    """Name and version as its card gave them."""
    keyed: bool = False
    """Its card promised that a message id sent twice is one task."""
    at: datetime
    """When it was last written."""

    @property
    def message(self) -> str:
        """Id of the message of this turn."""
        return f"{self.id}-{self.turn}" if self.turn else self.id

    def to(self, state: RemoteState, at: datetime, **changes: Any) -> "RemoteTask":  # noqa: ANN401
        """The row with a new state."""
        return self.model_copy(update={"state": state, "at": at, **changes})


def remote_key(run: str, task: str, attempt: int, agent: str) -> str:
    """The idempotency key of an attempt at a remote agent: a new attempt is a new task there."""
    return "il-" + digest([run, task, attempt, agent], "remote")[:32]
