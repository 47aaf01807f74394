"""Runs: their states, the one table of permitted moves, and what is stored of them."""

from datetime import datetime
from typing import Literal, TypeAlias

from pydantic import BaseModel

from interlock.core.canonical import Json
from interlock.core.limits import Limits, Spend
from interlock.core.principal import Principal
from interlock.errors import WrongState

RunState: TypeAlias = Literal[
    "created",
    "context_loaded",
    "planning",
    "executing",
    "waiting_for_approval",
    "blocked",
    "completed",
    "failed",
    "canceled",
    "rolled_back",
]
Outcome: TypeAlias = Literal["resolved", "degraded", "escalated", "refused", "gave_up"]


def _to(*states: RunState) -> frozenset[RunState]:
    return frozenset(states)


_STOPS = _to("failed", "canceled", "rolled_back", "blocked")
TRANSITIONS: dict[RunState, frozenset[RunState]] = {
    "created": _to("context_loaded", "executing", *_STOPS),
    "context_loaded": _to("planning", *_STOPS),
    "planning": _to("executing", "waiting_for_approval", "completed", *_STOPS),
    "executing": _to("executing", "waiting_for_approval", "completed", *_STOPS),
    "waiting_for_approval": _to("planning", "executing", *_STOPS),
    "blocked": frozenset(
        {"planning", "executing", "waiting_for_approval", "failed", "canceled", "rolled_back"}
    ),
    "completed": _to(),
    "failed": _to("rolled_back"),
    "canceled": _to("rolled_back"),
    "rolled_back": _to(),
}
FINAL: frozenset[RunState] = _to("completed", "failed", "canceled", "rolled_back")


class Run(BaseModel, frozen=True, extra="forbid"):
    """One execution of a graph on one request, as stored."""

    v: Literal[1] = 1
    """Format version."""
    id: str
    """`r-` and 12 characters; LangGraph's `thread_id`."""
    graph: str
    version: str
    """Digest of the graph's agents, tools, rules and policy."""
    state: RunState = "created"
    outcome: Outcome | None = None
    """How a completed run ended; absent before."""
    input: Json = None
    response: Json = None
    """The accepted response; absent until the gate accepted one."""
    reason: str = ""
    """Why the run is in this state, for people."""
    owner: Principal
    """The person who owns the run and on whose behalf it acts."""
    session: str
    subject: str | None = None
    """The person the request is about; `audit erase` finds runs by it."""
    trace: str = ""
    """The `traceparent` with which it was asked for; empty where nobody gave one."""
    limits: Limits = Limits()
    """What its caller has left; the run gets no more, whatever its graph declares."""
    fence: int = 0
    """Rises with every claim; writes with a smaller number are refused."""
    spend: Spend = Spend()
    created_at: datetime
    updated_at: datetime


def check_move(run: str, old: RunState, new: RunState) -> None:
    """Refuses a transition that is not in the table.

    Raises:
        WrongState: naming the run, its state, and what is possible from there.
    """
    if new not in TRANSITIONS[old]:
        possible = ", ".join(sorted(TRANSITIONS[old])) or "nothing: this state is final"
        raise WrongState(f"run {run} is {old} and cannot become {new}. From {old} it can become: {possible}.")
