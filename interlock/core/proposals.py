"""Plans as a model proposes them: what it reads about the agents, and how its words become a plan.

A model may place the request and other tasks' outputs, and name words and numbers. Anything bigger it
cannot write into a plan: an order that no tool has looked up is nobody's order.
"""

import inspect
import json
from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias, cast

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from interlock.core.agents import AnyAgent
from interlock.core.canonical import canonical
from interlock.core.plans import AnyTask, Findings, Plan, RequestRef, Task
from interlock.errors import PlanInvalid

Scalar: TypeAlias = str | int | float | bool
_DEPTH = 8
"""How many fields deep an input may be taken from."""


class ProposedInput(BaseModel, extra="forbid"):
    """Where one input of a proposed task comes from."""

    name: str = Field(description="The agent's input.")
    source: str = Field(description="`request`, the id of another task, `findings`, or `value`.")
    path: Annotated[list[str], Field(max_length=_DEPTH)] = Field(
        default=[], description="Fields to follow in the request or in the task's output."
    )
    tasks: list[str] = Field(default=[], description="For `findings`: the ids of the tasks.")
    value: Scalar | list[Scalar] | None = Field(default=None, description="For `value`: a word or number.")


class ProposedTask(BaseModel, extra="forbid"):
    """A proposed task."""

    id: str
    agent: str
    inputs: list[ProposedInput] = []
    closing: bool = Field(default=False, description="Runs after all others, to write the answer, say.")


class Candidate(BaseModel, extra="forbid"):
    """An agent that was considered."""

    agent: str
    score: float = Field(ge=0, le=1, description="How well it fits, from 0 to 1.")
    reason: str


class Proposal(BaseModel, extra="forbid"):
    """What a planning model says."""

    candidates: list[Candidate] = Field(default=[], description="Every agent that was considered.")
    reason: str = Field(description="Why this plan, in a sentence.")
    tasks: list[ProposedTask] = Field(default=[], description="Empty where no agent here can help.")
    needs: str = Field(default="", description="Where there are no tasks: what would be needed.")


def read(text: str) -> Proposal:
    """A model's reply as a proposal.

    Raises:
        PlanInvalid: naming what does not fit, without repeating what was said.
    """
    words = text.strip().removeprefix("```json").removeprefix("```").removesuffix("```").strip()
    try:
        proposal = Proposal.model_validate_json(words)
        canonical(proposal)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[:5]
        told = "; ".join(f"{'.'.join(map(str, each['loc'])) or 'the whole'}: {each['msg']}" for each in first)
        raise PlanInvalid(f"the reply is not a plan: {told}.") from None
    except ValueError:
        raise PlanInvalid("the reply is not a plan: it has a number that no record can hold.") from None
    return proposal


def made(proposal: Proposal, request: object, agents: Mapping[str, AnyAgent], max_tasks: int) -> Plan:
    """The plan that a proposal means; `store` checks the rest.

    Raises:
        PlanInvalid: for too many tasks, agents, inputs or tasks that are not there, values that are none
            of a model's business, and tasks that wait for each other.
    """
    if len(proposal.tasks) > max_tasks:
        raise PlanInvalid(f"it has {len(proposal.tasks)} tasks; the supervisor allows {max_tasks}.")
    wanted = {each.id: each for each in proposal.tasks}
    if len(wanted) != len(proposal.tasks):
        raise PlanInvalid("two tasks have the same id: give each its own.")
    built: dict[str, AnyTask] = {}

    def build(name: str, above: tuple[str, ...]) -> AnyTask:
        if name in above:
            chain = " -> ".join((*above[above.index(name) :], name))
            raise PlanInvalid(f"tasks wait for each other ({chain}): take one of these inputs elsewhere.")
        if name not in wanted:
            raise PlanInvalid(f"task {above[-1]!r} refers to {name!r}, which is no task of this plan.")
        if name not in built:
            each = wanted[name]
            agent = _agent(each, agents)
            given = [_given(each, one, agent, request, above, build) for one in _in_order(each, agent)]
            built[name] = Task(agent, *given)
        return built[name]

    for name in wanted:
        build(name, ())
    closing = [built[each.id] for each in proposal.tasks if each.closing]
    return Plan(*(task for task in built.values() if task not in closing), closing=closing)


def cards(agents: Mapping[str, AnyAgent], request: type[BaseModel]) -> str:
    """What a planning model reads: the request's fields, and every agent with what it takes and returns."""
    lines = [f"# The request\n{_schema(TypeAdapter(request))}", "# The agents"]
    for agent in agents.values():
        not_for = "; ".join(_topic(topic) for topic in agent.not_for)
        takes = "\n".join(f"  - {name}: {_schema(taken)}" for name, taken in agent.takes.items())
        lines.append(
            f"## {agent.name}\n{agent.description}\n"
            + (f"Not for: {not_for}\n" if not_for else "")
            + f"Takes:\n{takes or '  nothing'}\nReturns: {_schema(agent.output)}"
        )
    return "\n\n".join(lines)


def _agent(task: ProposedTask, agents: Mapping[str, AnyAgent]) -> AnyAgent:
    agent = agents.get(task.agent)
    if agent is None:
        known = ", ".join(sorted(agents))
        raise PlanInvalid(f"task {task.id!r} is for {task.agent!r}, which is no agent here ({known}).")
    return agent


def _in_order(task: ProposedTask, agent: AnyAgent) -> list[ProposedInput]:
    """The inputs as the body takes them."""
    given = {each.name: each for each in task.inputs}
    takes = ", ".join(agent.inputs)
    wrong = [name for name in given if name not in agent.inputs]
    missing = [name for name in agent.inputs if name not in given]
    if wrong or missing or len(given) != len(task.inputs):
        raise PlanInvalid(f"task {task.id!r}: agent {agent.name} takes each of these once: {takes}.")
    return [given[name] for name in agent.inputs]


def _given(
    task: ProposedTask,
    given: ProposedInput,
    agent: AnyAgent,
    request: object,
    above: tuple[str, ...],
    build: Any,  # noqa: ANN401
) -> object:
    path, below = tuple(given.path), (*above, task.id)
    if given.source == "request":
        return RequestRef(*path) if path else request
    if given.source == "value":
        if given.value is None:
            raise PlanInvalid(f"task {task.id!r}, input {given.name!r}: a value is words or numbers.")
        return _typed(given.value, agent.takes[given.name])
    if given.source == "findings":
        return Findings.of(*(build(name, below) for name in given.tasks))
    found: Any = build(given.source, below).output
    for part in path:
        if part.startswith("_"):
            raise PlanInvalid(f"task {task.id!r}, input {given.name!r}: there is no field {part!r}.")
        found = getattr(found, part)
    return found


def _typed(value: object, taken: TypeAdapter[Any]) -> object:
    """A word as the type that is wanted, where it is one; else as it is, for `store` to refuse."""
    try:
        return taken.validate_python(value)
    except ValidationError:
        return value


def _schema(adapter: TypeAdapter[Any]) -> str:
    return json.dumps(_bare(adapter.json_schema()), ensure_ascii=False, separators=(",", ":"))


def _bare(schema: Any) -> Any:  # noqa: ANN401
    """A schema without the titles that repeat its names."""
    if isinstance(schema, dict):
        known = cast("dict[str, Any]", schema)
        return {k: _bare(v) for k, v in known.items() if k != "title" or not isinstance(v, str)}
    return [_bare(each) for each in cast("list[Any]", schema)] if isinstance(schema, list) else schema


def _topic(topic: object) -> str:
    return topic if isinstance(topic, str) else (inspect.getdoc(topic) or "a rule").splitlines()[0]
