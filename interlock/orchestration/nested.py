"""A supervisor as a specialist of another one: its graph is the body of the task, in the same run."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from pydantic import BaseModel
from typing_extensions import TypedDict

from interlock.core.agents import NotFor
from interlock.core.canonical import digest, plain
from interlock.core.limits import Limits
from interlock.core.policy import Policy
from interlock.core.results import Completed, Degraded, Failed, GaveUp, Stored
from interlock.core.tools import Granted
from interlock.orchestration.agent import Agent

if TYPE_CHECKING:
    from interlock.orchestration.supervisor import Supervisor, SupervisorGraph

Request = TypeVar("Request", bound=BaseModel)
Response = TypeVar("Response", bound=BaseModel)


class Verdicts(TypedDict, total=False):
    """What a supervisor's graph hands to the task whose body it is; nothing of it leaves the run."""

    response: Any
    outcome: str | None
    verdict: str
    why: str
    results: dict[str, Any]


class SupervisedAgent(Agent[Request, Response], Generic[Request, Response]):
    """A specialist whose body is a supervisor; made by `Supervisor.agent`.

    It is tried once: retries and fallbacks are the supervisor's own matter.
    """

    def __init__(
        self,
        supervisor: "Supervisor[Request, Response]",
        graph: "SupervisorGraph",
        description: str,
        name: str | None,
        not_for: Sequence[NotFor],
        limits: Limits | None,
        max_activations: int,
    ) -> None:
        """Use `Supervisor.agent`."""
        self.supervisor = supervisor

        def write(request: Any) -> dict[str, Any]:  # noqa: ANN401
            return {"request": plain(request)}

        def read(final: Mapping[str, Any]) -> Any:  # noqa: ANN401
            return came_to(supervisor.name, final)

        # Its schema is the supervisor's, which is known only here.
        write.__annotations__["request"] = supervisor.request
        read.__annotations__["return"] = supervisor.response
        declare: Any = super().__init__
        declare(
            name or supervisor.name,
            description,
            graph=cast("Any", graph).compile(name=supervisor.name),
            write=write,
            read=read,
            not_for=not_for,
            limits=(limits or Limits()).within(supervisor.limits),
            max_steps=supervisor.max_steps,
            attempts=1,
            max_activations=max_activations,
        )

    @property
    def governed(self) -> tuple[Policy, str]:
        """The supervisor's policy and version."""
        return self.supervisor.policy, self.supervisor.version

    @property
    def reaches(self) -> tuple[Granted, ...]:
        """What the supervisor's agents may call."""
        inner = self.supervisor.agents.values()
        every = [*inner, *(agent.fallback for agent in inner if agent.fallback)]
        return tuple(dict.fromkeys(tool for agent in every for tool in agent.reaches))

    @property
    def hops(self) -> int:
        """The most activations of its specialists, for the examples its rules are meant for, and its own."""
        from interlock.orchestration.drawing import costs

        return 1 + max((each.most.hops for each in costs(self.supervisor)), default=self._most())

    @cached_property
    def version(self) -> str:
        """Digest of the definition, and of the supervisor's."""
        return digest([super().version, self.supervisor.version], "agent")[:12]

    def _most(self) -> int:
        """The bound where no plan is known before it is made."""
        inner, rounds = self.supervisor, {r.agent.name: r.max_rounds for r in self.supervisor.reflections}
        turns = [(a.attempts + rounds.get(a.name, 0) + 1) * a.hops for a in inner.agents.values()]
        return inner.planner.max_tasks * max(turns) * (1 + inner.gate.max_revisions)


def came_to(name: str, final: Mapping[str, Any]) -> object:
    """The result of a task whose body was a supervisor's graph, from the graph's final state."""
    why, outcome = str(final.get("why") or ""), final.get("outcome")
    results = [Stored.model_validate(each) for each in final.get("results", {}).values()]
    if final.get("verdict") == "failed":
        return Failed(error=f"{name} failed: {why}", code="inner_failed")
    if outcome == "refused":
        return GaveUp(reason=f"{name} refused: {why}")
    if outcome == "gave_up" or final.get("response") is None:
        left = [each for each in results if each.status == "gave_up"]
        return GaveUp(
            reason=f"{name} gave up: {why}",
            tried=tuple(tried for each in left for tried in each.tried),
            needs="; ".join(each.needs for each in left if each.needs),
        )
    if outcome == "degraded":
        return Degraded(output=final["response"], why=why)
    return Completed(output=final["response"], escalated=outcome == "escalated")
