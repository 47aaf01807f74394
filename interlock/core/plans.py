"""Plans: tasks whose inputs may be other tasks' outputs.

A reference to an output is the dependency, the context slice and the type check in one. While a
plan is being written, `Task.output` is a reference that is typed as the output itself.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar, Generic, Literal, TypeVar, TypeVarTuple, cast

from pydantic import BaseModel

from interlock.core.agents import Agent, AnyAgent
from interlock.core.canonical import Json
from interlock.core.conflicts import Resolution
from interlock.core.results import Artifact, Status
from interlock.core.shapes import misfit, produced, stored_value
from interlock.errors import PlanInvalid

Ins = TypeVarTuple("Ins")
Out = TypeVar("Out")


class Ref:
    """Stands for a task's output, or a field of it, while a plan is being written.

    Its own two names end in an underscore, so that they hide no field of a model.
    """

    def __init__(self, task: "AnyTask", path: tuple[str, ...] = ()) -> None:
        """Refers to `task`'s output at `path`."""
        self.ref_task_ = task
        self.ref_path_ = path

    def __getattr__(self, name: str) -> "Ref":
        """A field of the output."""
        if name.startswith("_"):
            raise AttributeError(name)
        return Ref(self.ref_task_, (*self.ref_path_, name))

    def __repr__(self) -> str:
        """Where it points."""
        return f"<output of {self.ref_task_.agent.name}{''.join('.' + part for part in self.ref_path_)}>"

    def __bool__(self) -> bool:
        """Refuses a decision about something that is not known yet."""
        raise self._unknown()

    def __eq__(self, other: object) -> bool:
        """Refuses a comparison, for the same reason."""
        raise self._unknown()

    __hash__: ClassVar[None] = None  # pyright: ignore[reportIncompatibleMethodOverride, reportIncompatibleVariableOverride]

    def __format__(self, spec: str) -> str:
        """Refuses to stand in a text, for the same reason."""
        raise self._unknown()

    def _unknown(self) -> PlanInvalid:
        return PlanInvalid(f"{self!r} is not known while the plan is made: decide on it in an agent.")


class Task(Generic[Out]):
    """One piece of work for one agent."""

    def __init__(self, agent: Agent[*Ins, Out], *inputs: *Ins) -> None:
        """Takes the agent and its inputs: values, other tasks' `.output`, or `Findings.of(...)`."""
        self.agent: AnyAgent = agent
        self.inputs: tuple[object, ...] = inputs

    @property
    def output(self) -> Out:
        """The output, to be used as another task's input; fields of it may be used too."""
        return cast("Out", Ref(self))


AnyTask = Task[Any]


class Finding(BaseModel, frozen=True, extra="forbid"):
    """What one task came to, as a closing task and the aggregator see it."""

    task: str
    agent: str
    status: Status
    output: Json = None
    why: str = ""
    needs: str = ""
    artifacts: tuple[Artifact, ...] = ()


class Findings(BaseModel, frozen=True, extra="forbid"):
    """What tasks came to, usable or not, with the conflicts that were decided."""

    items: tuple[Finding, ...] = ()
    resolutions: tuple[Resolution, ...] = ()

    @staticmethod
    def of(*tasks: AnyTask) -> "Findings":
        """Refers to what these tasks come to, whatever that is; for use as an input."""
        return cast("Findings", FindingsRef(tasks))

    def get(self, agent: "Agent[*tuple[Any, ...], Out]") -> list[Out]:
        """The usable outputs of an agent, in the plan's order, as its output type.

        Where its fallback stood in, that one's outputs are among them.
        """
        usable = [i for i in self.items if _made_for(i, agent) and i.status in ("completed", "degraded")]
        return [agent.output.validate_python(item.output) for item in usable]


def _made_for(item: Finding, agent: AnyAgent) -> bool:
    stood_in = agent.fallback is not None and item.agent == agent.fallback.name
    return item.agent == agent.name or (
        stood_in
        and item.task.startswith(agent.name)
        and not item.task[len(agent.name) :].strip("-0123456789")
    )


class FindingsRef:
    """Stands for the findings of tasks while a plan is being written."""

    def __init__(self, tasks: tuple[AnyTask, ...]) -> None:
        """Refers to what `tasks` come to."""
        self.tasks = tasks


class RequestRef:
    """Stands for a field of the request while a plan is being written."""

    def __init__(self, *path: str) -> None:
        """Refers to the field at `path`."""
        self.path = path


class Plan:
    """Tasks, and closing tasks that run after all of them."""

    def __init__(self, *tasks: AnyTask, closing: AnyTask | Sequence[AnyTask] = ()) -> None:
        """Takes the tasks in any order; tasks they refer to belong to the plan without being named.

        Args:
            tasks: The work.
            closing: What runs after the join (drafting, say), and again when the gate wants a revision.
        """
        last: tuple[AnyTask, ...] = (closing,) if isinstance(closing, Task) else tuple(closing)
        everything = _reachable((*tasks, *last))
        self.closing: tuple[AnyTask, ...] = tuple(t for t in everything if t in last)
        self.tasks: tuple[AnyTask, ...] = tuple(t for t in everything if t not in last)


class Input(BaseModel, frozen=True, extra="forbid"):
    """Where one input of a task comes from; exactly one kind."""

    name: str
    """The body's parameter."""
    kind: Literal["value", "request", "output", "findings"]
    value: Json = None
    task: str = ""
    """The task whose output it is."""
    path: tuple[str, ...] = ()
    """Fields to follow in that output, or in the request."""
    tasks: tuple[str, ...] = ()
    """The tasks whose findings it is."""


class PlannedTask(BaseModel, frozen=True, extra="forbid"):
    """A task as stored."""

    id: str
    """The agent's name, with a number from the second on."""
    agent: str
    inputs: tuple[Input, ...]
    closing: bool = False

    @property
    def needs(self) -> tuple[str, ...]:
        """The tasks whose usable output it needs."""
        return tuple(i.task for i in self.inputs if i.kind == "output")

    @property
    def after(self) -> tuple[str, ...]:
        """The tasks that must have ended, however, before it starts."""
        return tuple(dict.fromkeys((*self.needs, *(t for i in self.inputs for t in i.tasks))))


class StoredPlan(BaseModel, frozen=True, extra="forbid"):
    """A plan as stored in graph state."""

    v: Literal[1] = 1
    """Format version."""
    route: str
    tasks: tuple[PlannedTask, ...]

    def task(self, name: str) -> PlannedTask:
        """The task of that id."""
        return next(t for t in self.tasks if t.id == name)

    @property
    def open_tasks(self) -> tuple[PlannedTask, ...]:
        """The tasks that are not closing tasks."""
        return tuple(t for t in self.tasks if not t.closing)

    @property
    def closing_tasks(self) -> tuple[PlannedTask, ...]:
        """The tasks that run after the join."""
        return tuple(t for t in self.tasks if t.closing)

    def strands(self) -> list[list[str]]:
        """The connected components of the plan: work that has nothing to do with each other."""
        group: dict[str, set[str]] = {t.id: {t.id} for t in self.open_tasks}
        for task in self.open_tasks:
            for other in task.after:
                merged = group[task.id] | group[other]
                for member in merged:
                    group[member] = merged
        order = [t.id for t in self.open_tasks]
        seen: list[list[str]] = []
        for name in order:
            strand = [n for n in order if n in group[name]]
            if strand not in seen:
                seen.append(strand)
        return seen


def store(plan: Plan, request: object, agents: Iterable[AnyAgent], route: str, max_tasks: int) -> StoredPlan:
    """Checks a plan against the agents and the request it was made for, and makes it storable.

    Raises:
        PlanInvalid: naming the task, what does not fit, and what to do.
    """
    known = {agent.name: agent for agent in agents}
    every = (*plan.tasks, *plan.closing)
    if not every:
        raise PlanInvalid(f"route {route} made a plan without a task: return None if it does not apply.")
    if len(every) > max_tasks:
        raise PlanInvalid(f"route {route} planned {len(every)} tasks; the supervisor allows {max_tasks}.")
    names = _name(every, known, route)
    tasks: list[PlannedTask] = []
    for task in every:
        closing = task in plan.closing
        inputs = tuple(_inputs(task, request, names, closing, plan))
        tasks.append(PlannedTask(id=names[id(task)], agent=task.agent.name, inputs=inputs, closing=closing))
    return StoredPlan(route=route, tasks=tuple(tasks))


def _name(tasks: Iterable[AnyTask], known: dict[str, AnyAgent], route: str) -> dict[int, str]:
    names: dict[int, str] = {}
    used: dict[str, int] = {}
    for task in tasks:
        agent = task.agent.name
        if known.get(agent) is not task.agent:
            raise PlanInvalid(
                f"route {route} planned a task for {agent!r}, which is not among the supervisor's agents "
                f"({', '.join(sorted(known))}): add it to `agents=`."
            )
        used[agent] = used.get(agent, 0) + 1
        if used[agent] > task.agent.max_activations:
            raise PlanInvalid(
                f"route {route} planned {used[agent]} tasks for {agent!r}, which allows "
                f"{task.agent.max_activations}."
            )
        name, number = agent if used[agent] == 1 else f"{agent}-{used[agent]}", used[agent]
        while name in names.values():  # another agent may be called like that
            number += 1
            name = f"{agent}-{number}"
        names[id(task)] = name
    return names


def _inputs(
    task: AnyTask, request: object, names: dict[int, str], closing: bool, plan: Plan
) -> Iterator[Input]:
    wanted = task.agent.inputs
    if len(task.inputs) != len(wanted):
        raise PlanInvalid(
            f"task {names[id(task)]!r} was given {len(task.inputs)} inputs; agent {task.agent.name} takes "
            f"{len(wanted)}: {', '.join(wanted)}."
        )
    for (name, annotation), given in zip(wanted.items(), task.inputs, strict=True):
        where = f"task {names[id(task)]!r}, input {name!r}"
        refers = (
            given.tasks
            if isinstance(given, FindingsRef)
            else (given.ref_task_,)
            if isinstance(given, Ref)
            else ()
        )
        for other in refers:
            if other in plan.closing and not closing:
                raise PlanInvalid(
                    f"{where} refers to closing task {names[id(other)]!r}, which runs afterwards."
                )
        yield _input(where, name, annotation, given, request, names)


def _input(
    where: str,
    name: str,
    annotation: Any,  # noqa: ANN401
    given: object,
    request: object,
    names: dict[int, str],
) -> Input:
    if isinstance(given, FindingsRef):
        problem = misfit(Findings, annotation)
        found = Input(name=name, kind="findings", tasks=tuple(names[id(t)] for t in given.tasks))
    elif isinstance(given, Ref):
        source, path = given.ref_task_, given.ref_path_
        problem = misfit(produced(where, source.agent.returns, path), annotation)
        found = Input(name=name, kind="output", task=names[id(source)], path=path)
    elif isinstance(given, RequestRef):
        problem = misfit(produced(where, type(request), given.path), annotation)
        found = Input(name=name, kind="request", path=given.path)
    elif given is request:
        problem = misfit(type(request), annotation)
        found = Input(name=name, kind="request")
    else:
        value, problem = stored_value(given, annotation)
        found = Input(name=name, kind="value", value=value)
    if problem:
        raise PlanInvalid(f"{where} {problem}.")
    return found


def _reachable(tasks: Iterable[AnyTask]) -> list[AnyTask]:
    """The tasks and everything they refer to, producers first."""
    order: list[AnyTask] = []

    def visit(task: AnyTask) -> None:
        if task in order:
            return
        for given in task.inputs:
            if isinstance(given, Ref):
                visit(given.ref_task_)
            elif isinstance(given, FindingsRef):
                for other in given.tasks:
                    visit(other)
        order.append(task)

    for task in tasks:
        visit(task)
    return order
