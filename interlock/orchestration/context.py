"""What one run hands to its nodes: who, by when, with how much, and through which ports."""

from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from langgraph.types import interrupt

from interlock.core.agents import AnyAgent
from interlock.core.guards import ON, Guards
from interlock.core.limits import RUN_LIMITS, Budget, Deadline, Limits
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
    version: str = ""
    """Digest of the graph's definition."""
    trace: str = ""
    """The `traceparent` with which the run was asked for."""
    opened: set[str] = field(default_factory=set[str])
    """Tasks that were opened in this segment."""
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

    def scope(self, agent: AnyAgent, task: str, attempt: int) -> TaskScope:
        """The scope of one attempt of one task."""
        return self._scope(agent.name, agent.version, task, attempt, agent.limits, agent.tools)

    def desk(self, name: str, task: str, attempt: int = 0, tools: tuple[Any, ...] = ()) -> TaskScope:
        """The scope of the supervisor's own work: planning, the gate, delivery."""
        return self._scope(name, self.version, task, attempt, Limits(), tools)

    async def move(self, scope: TaskScope, to: RunState, reason: str, **more: Any) -> None:  # noqa: ANN401
        """Changes the run's state with what the scope has noted; once made, a move is not repeated."""
        behind = to in _ORDER and self.state in _ORDER and _ORDER.index(self.state) >= _ORDER.index(to)
        if not self.bound or behind or self.state in FINAL:
            await scope.flush()
            return
        await scope.flush(move=Move(to=to, reason=reason, **more))
        self.state = to

    def _scope(
        self, name: str, version: str, task: str, attempt: int, limits: Limits, tools: tuple[Any, ...]
    ) -> TaskScope:
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
            path=(name,),
            guards=self.guards,
            fresh=fresh,
            trace=self.trace,
        )
