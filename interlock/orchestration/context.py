"""What one run hands to its nodes: who, by when, with how much, and through which ports."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

from langgraph.types import interrupt

from interlock.core.agents import AnyAgent
from interlock.core.canonical import Json
from interlock.core.guards import ON, Guards
from interlock.core.journal import HAPPENED, spent_on
from interlock.core.limits import RUN_LIMITS, Budget, Deadline, Limits
from interlock.core.policy import Policy
from interlock.core.ports import Artifacts, Clock, Ledger, Minds, Models, Move, Remotes, SystemClock, Tools
from interlock.core.principal import Principal
from interlock.core.questions import Question
from interlock.core.runs import FINAL, RunState
from interlock.core.scope import TaskScope
from interlock.orchestration.local import LocalArtifacts, LocalLedger

_ORDER: tuple[RunState, ...] = ("created", "context_loaded", "planning", "executing")


def stop_and_ask(question: Question) -> None:
    """Stops the graph; the value only says which row to read, and what comes back is only a wake-up."""
    interrupt({"interlock": question.id})


@dataclass(slots=True)
class Inside:
    """Where a supervisor stands whose graph is the body of a task."""

    task: str
    """The task, with those around it: `desk` or `desk/returns`; its own tasks are called `desk/orders`."""
    path: tuple[str, ...]
    """The agents around it."""
    attempts: int
    """Added to the attempts of its tasks, so that each attempt of the task around them has its own."""
    caused: frozenset[str] = frozenset()
    """Its tasks that caused effects in earlier attempts of the task around them."""
    opened: set[str] = field(default_factory=set[str])
    """Its tasks that were opened in this execution."""


ATTEMPTS = 1000
"""More than any task can have; the attempts of tasks inside another one are numbered by it."""


@dataclass(slots=True)
class RunContext:
    """LangGraph's run context; one per segment of a run."""

    run: str
    principal: Principal
    ledger: Ledger
    artifacts: Artifacts
    tools: Tools
    budget: Budget
    deadline: Deadline
    clock: Clock = field(default_factory=SystemClock)
    models: Models | None = None
    minds: Minds | None = None
    remotes: Remotes | None = None
    fence: int | None = None
    guards: Guards = ON
    bound: bool = True
    strict: bool = False
    """Whether a model call past the doors fails the run."""
    version: str = ""
    """Digest of the graph's definition."""
    trace: str = ""
    """The `traceparent` with which the run was asked for."""
    opened: set[str] = field(default_factory=set[str])
    """Tasks that were opened in this segment."""
    drawn: Callable[[str, str], Json] | None = None
    """Where a replay takes times and random numbers from."""
    inside: "Inside | None" = None
    """Set where the graph is the body of another supervisor's task."""
    state: RunState = "created"
    """As stored when the segment began, and as this segment has moved it since."""

    @classmethod
    def local(cls, run: str, ledger: LocalLedger, artifacts: LocalArtifacts, tools: Tools) -> "RunContext":
        """The context of an unbound graph: memory, the local user, and reading only."""
        clock = SystemClock()
        return cls(
            run=run or f"local-{uuid4().hex[:12]}",
            principal=Principal.local("local"),
            ledger=ledger,
            artifacts=artifacts,
            tools=tools,
            budget=Budget(RUN_LIMITS, "the run"),
            deadline=Deadline.after(RUN_LIMITS.seconds or 600, clock.monotonic),
            clock=clock,
            bound=False,
            state="executing",
        )

    async def within(self, scope: TaskScope, policy: Policy, version: str) -> "RunContext":
        """The context of a supervisor whose graph is the body of a task.

        Its tasks are the run's, under the task's name, and so are its record, its questions and its
        journal. What it spends, and its time, are the task's. Its own policy governs its agents.
        """
        await scope.flush()  # that the task was sent stands in the record before what happens inside it
        entries = [e for e in await self.ledger.load(scope.run) if e.task.startswith(f"{scope.task}/")]
        if not scope.fresh:  # what earlier executions have spent is not in this one's count of the task
            scope.budget.spent = scope.budget.spent.plus(spent_on(entries))
        again = scope.attempt > 1
        caused = {e.task for e in entries if again and e.kind == "effect" and e.state in HAPPENED}
        return replace(
            self,
            tools=self.tools.under(policy),
            budget=scope.budget,
            deadline=scope.deadline,
            version=version,
            inside=Inside(
                task=scope.task,
                path=scope.path,
                attempts=ATTEMPTS * (scope.attempt - 1),
                caused=frozenset(caused),
            ),
        )

    def left_out(self) -> str:
        """What an earlier attempt caused inside the task and this one has not asked for; empty if nothing."""
        return ", ".join(sorted(self.inside.caused - self.inside.opened)) if self.inside else ""

    def scope(self, agent: AnyAgent, task: str, attempt: int) -> TaskScope:
        """The scope of one attempt of one task."""
        return self._scope(agent.name, agent.version, task, attempt, agent.limits, agent.tools)

    def desk(self, name: str, task: str, attempt: int = 0, tools: tuple[Any, ...] = ()) -> TaskScope:
        """The scope of the supervisor's own work: planning, the gate, delivery."""
        return self._scope(name, self.version, task, attempt, Limits(), tools)

    async def move(
        self,
        scope: TaskScope,
        to: RunState,
        reason: str,
        *,
        then: Move | None = None,
        **more: Any,  # noqa: ANN401
    ) -> None:
        """Changes the run's state with what the scope has noted; once made, a move is not repeated.

        Args:
            scope: Whose facts are stored with it.
            to: The new state.
            reason: Why, in words.
            then: A second move, in the same transaction.
            more: Outcome and response of a run that ends.
        """
        behind = to in _ORDER and self.state in _ORDER and _ORDER.index(self.state) >= _ORDER.index(to)
        if not self.bound or behind or self.inside is not None or self.state in FINAL:
            await scope.flush()
            return
        await scope.flush(move=Move(to=to, reason=reason, **more), then=then)
        self.state = then.to if then else to

    def _scope(
        self, name: str, version: str, task: str, attempt: int, limits: Limits, tools: tuple[Any, ...]
    ) -> TaskScope:
        if self.inside is not None:
            task, attempt = f"{self.inside.task}/{task}", self.inside.attempts + attempt
            self.inside.opened.add(task)
        # The first claim of a run has the number 1, so whoever holds it finds no task's journal but its own.
        fresh = self.fence == 1 and task not in self.opened
        self.opened.add(task)
        return TaskScope(
            run=self.run,
            task=task,
            attempt=attempt,
            agent=name,
            version=version,
            tools=tools,
            principal=self.principal,
            fence=self.fence,
            ledger=self.ledger,
            clock=self.clock,
            budget=self.budget.share(f"task {task!r}", limits),
            deadline=self.deadline.within(limits.seconds),
            suspend=stop_and_ask,
            bound=self.bound,
            path=(*(self.inside.path if self.inside else ()), name),
            guards=self.guards,
            drawn=self.drawn,
            fresh=fresh,
            trace=self.trace,
        )
