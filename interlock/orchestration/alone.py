"""An agent alone, as a graph: the same plan, doors, gate and record as in a supervisor, for one task."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, create_model

from interlock.core.agents import AnyAgent
from interlock.core.plans import Findings, Plan, RequestRef, Task
from interlock.core.policy import Policy
from interlock.orchestration.assembly import NothingToSay
from interlock.orchestration.gate import Check
from interlock.orchestration.supervisor import Supervisor


class LoneAgent(Supervisor[Any, Any]):
    """A supervisor with one agent, which it asks once; made by `alone`."""

    only: AnyAgent
    """The agent."""


def alone(agent: AnyAgent, *, policy: Policy | None = None, checks: Sequence[Check] = ()) -> LoneAgent:
    """Wraps an agent, so that it can be run, served and called without a supervisor of yours.

    An agent with one input that is a model takes that model as its request; any other gets a model
    with one field for each input. An output that is a model is the response; any other is its field
    `output`. Where the agent gives up there is no response, and the run's outcome is `gave_up`.

    The gate has the same checks as everywhere. What stands in the request counts as known, because
    whoever gave it is the one who reads the response.

    Args:
        agent: Any agent: coded, a graph, a prompt, or remote.
        policy: Rules; those about other agents are left out. Without one it reads what it was
            granted, and every effect asks the run's owner.
        checks: Further checks of the gate.

    Raises:
        BuildError: if it could never call one of its tools, or has a name of the graph's own nodes.
    """
    request, whole = _request(agent)
    fields = () if whole else tuple(RequestRef(_field(name)) for name in agent.inputs)
    response, bare = _response(agent)

    def asked(given: Any) -> Plan:  # noqa: ANN401
        """The agent was asked alone."""
        task: Any = Task
        return Plan(task(agent, *((given,) if whole else fields)))

    def answer(given: Any, findings: Findings) -> Any:  # noqa: ANN401
        made = findings.get(agent)
        if not made:
            raise NothingToSay
        return made[-1] if bare else response(output=made[-1])

    names = [agent.name, *([agent.fallback.name] if agent.fallback else [])]
    made = LoneAgent(
        agent.name,
        request=request,
        response=response,
        agents=[agent],
        routes=[asked],
        answer=answer,
        policy=policy.about(*names) if policy is not None else None,
        checks=checks,
        max_tasks=1,
        max_revisions=0,
    )
    made.only = agent
    made.gate.request_is_known = True
    made.samples = (request.model_construct(),)
    return made


def _request(agent: AnyAgent) -> tuple[type[BaseModel], bool]:
    """The request's type, and whether it is the agent's one input itself."""
    types = list(agent.inputs.values())
    if len(types) == 1 and _is_model(types[0]):
        return types[0], True
    fields: dict[str, Any] = {_field(name): (taken, ...) for name, taken in agent.inputs.items()}
    return create_model(f"{_title(agent)}Request", **fields), False


def _response(agent: AnyAgent) -> tuple[type[BaseModel], bool]:
    """The response's type, and whether it is the agent's output itself."""
    if _is_model(agent.returns):
        return agent.returns, True
    return create_model(f"{_title(agent)}Response", output=(agent.returns, ...)), False


def _is_model(annotation: Any) -> bool:  # noqa: ANN401
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _title(agent: AnyAgent) -> str:
    return "".join(part.capitalize() for part in agent.name.replace("-", "_").split("_"))


def _field(name: str) -> str:
    """The field of one input; a name that models keep for themselves gets an underscore."""
    name = name.lstrip("_") or "input"
    return f"{name}_" if hasattr(BaseModel, name) or name.startswith("model_") else name
