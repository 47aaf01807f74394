"""Remote agents: specialists that answer over A2A."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

from interlock.core.agents import NotFor
from interlock.core.bodies import Remote
from interlock.core.limits import AGENT_LIMITS, Limits
from interlock.core.results import Degraded, GaveUp
from interlock.errors import BuildError
from interlock.orchestration.agent import Agent

In = TypeVar("In")
Out = TypeVar("Out")


class RemoteAgent(Agent[In, Out], Generic[In, Out]):
    """A specialist whose body is an A2A endpoint; for everything else an agent like any other."""

    def __init__(
        self,
        name: str,
        description: str,
        *,
        url: str,
        input: type[In],
        output: type[Out],
        ask: Callable[[In], Any],
        read: Callable[[Any], Out | Degraded[Out] | GaveUp],
        not_for: Sequence[NotFor] = (),
        limits: Limits = AGENT_LIMITS,
        attempts: int = 2,
        fallback: "Agent[In, Out] | None" = None,
        escalates: bool = False,
        max_activations: int = 10,
    ) -> None:
        """Declares it; nothing is contacted before a task is sent.

        Args:
            name: As of every agent.
            description: What it is for, in a sentence.
            url: Where its card is, or its endpoint.
            input: The type of the one input.
            output: The type of the output.
            ask: Makes the message from the input: text, or anything JSON has a word for.
            read: Makes the output from the answer: its text, or its data where it sent data.
            not_for: As of every agent.
            limits: Caps; the deadline and the budget travel with the task.
            attempts: How often a task is tried.
            fallback: A simpler agent of the same shape.
            escalates: Its completed work hands the request to a person.
            max_activations: How many tasks of one plan may be its.

        A second attempt is a new message, so the remote agent may do the work twice: where it changes
        the world, set `attempts=1`. A crash of ours is no second attempt, and sends nothing again.

        Raises:
            BuildError: if the URL cannot be called, or the agent is wired wrongly.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
            raise BuildError(
                f"agent {name}: its URL cannot be called: give an http or https URL without credentials; a "
                "token is named in [tool.interlock.remotes]."
            )
        declare: Any = super().__init__
        declare(
            name,
            description,
            remote=Remote(url, ask, read),
            input=input,
            output=output,
            not_for=not_for,
            limits=limits,
            attempts=attempts,
            fallback=fallback,
            escalates=escalates,
            max_activations=max_activations,
        )
