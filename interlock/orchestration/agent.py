"""The agent as programs use it: a specialist that can also stand as a node in a hand-written graph."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar, TypeVarTuple, overload

from langgraph.runtime import Runtime

from interlock.core.agents import Agent as Declared
from interlock.core.agents import NotFor
from interlock.core.canonical import plain
from interlock.core.doors import Doors
from interlock.core.limits import AGENT_LIMITS, Limits
from interlock.core.policy import Policy
from interlock.core.results import Completed, Degraded, GaveUp, Stored
from interlock.core.tools import Granted
from interlock.errors import BuildError
from interlock.orchestration.context import RunContext
from interlock.orchestration.local import LocalArtifacts, LocalLedger, LocalTools
from interlock.orchestration.slices import Given, Slice
from interlock.orchestration.specialist import perform
from interlock.orchestration.wiring import default_policy

Ins = TypeVarTuple("Ins")
Out = TypeVar("Out")
Taken = TypeVar("Taken")
Made = TypeVar("Made")


class Agent(Declared[*Ins, Out], Generic[*Ins, Out]):
    """A specialist; see `interlock.core.agents.Agent` for what it is made of."""

    @overload
    def __init__(
        self,
        name: str,
        description: str,
        *,
        run: Callable[[*Ins, Doors], Awaitable[Out | Completed[Out] | Degraded[Out] | GaveUp]],
        tools: Sequence[Granted] = (),
        not_for: Sequence[NotFor] = (),
        limits: Limits = AGENT_LIMITS,
        attempts: int = 2,
        fallback: "Agent[*Ins, Out] | None" = None,
        escalates: bool = False,
        max_activations: int = 10,
    ) -> None: ...

    @overload
    def __init__(
        self,
        name: str,
        description: str,
        *,
        graph: object,
        write: Callable[[*Ins], Mapping[str, Any]],
        read: Callable[[Mapping[str, Any]], Out | Completed[Out] | Degraded[Out] | GaveUp],
        tools: Sequence[Granted] = (),
        not_for: Sequence[NotFor] = (),
        limits: Limits = AGENT_LIMITS,
        max_steps: int | None = None,
        attempts: int = 2,
        fallback: "Agent[*Ins, Out] | None" = None,
        escalates: bool = False,
        max_activations: int = 10,
    ) -> None: ...

    @overload
    def __init__(
        self: "Agent[Taken, Made]",
        name: str,
        description: str,
        *,
        input: type[Taken],
        output: type[Made],
        prompt: str | Path,
        model: str = "default",
        skills: Sequence[str | Path] = (),
        reasoning: str = "",
        tools: Sequence[Granted] = (),
        not_for: Sequence[NotFor] = (),
        limits: Limits = AGENT_LIMITS,
        max_steps: int | None = None,
        attempts: int = 2,
        fallback: "Agent[Taken, Made] | None" = None,
        escalates: bool = False,
        max_activations: int = 10,
    ) -> None: ...

    def __init__(self, name: str, description: str, **options: Any) -> None:
        """Makes an agent of a coded body (`run`), a prompt, or a compiled graph; see the class above.

        Raises:
            BuildError: if the name, annotations, files or bounds are wrong.
        """
        super().__init__(name, description, **options)

    def node(
        self, *inputs: str, into: str | None = None, policy: Policy | None = None
    ) -> Callable[[Mapping[str, Any], Runtime[RunContext]], Awaitable[dict[str, Any]]]:
        """A node for a hand-written StateGraph, with the same doors, journal, record and limits.

        Args:
            inputs: The state keys that hold the body's inputs, in its order.
            into: The state key that gets the output; the agent's name by default. `<into>_result`
                gets the whole result (status, why, evidence), for your conditional edges.
            policy: Only for a graph that is used without `interlock.bind`.

        Returns:
            An async node that writes `into` and `<into>_result`. A result that is not usable leaves
            `into` empty; it is never an exception.

        Raises:
            BuildError: if the number of state keys is not the number of inputs.
        """
        if len(inputs) != len(self.inputs):
            raise BuildError(
                f"agent {self.name} takes {len(self.inputs)} inputs ({', '.join(self.inputs)}); "
                "its node was given "
                f"the state keys {list(inputs)}."
            )
        key = into or self.name
        memory = LocalLedger(), LocalArtifacts()
        reading = LocalTools(default_policy(self.name, policy, [self], None))
        # LangGraph draws, streams and inspects the subgraphs that it finds in a node's own closure.
        graph = self.graph

        async def node(state: Mapping[str, Any], runtime: Runtime[RunContext]) -> dict[str, Any]:
            context = runtime.context or RunContext.local("", *memory, reading)
            assert graph is self.graph
            given = {
                name: Given(kind="value", value=plain(state.get(place)), sources=(place,))
                for name, place in zip(self.inputs, inputs, strict=True)
            }
            # A loop may come here again: a visit is a task of its own, and keeps its name when re-executed.
            visit = runtime.execution_info.task_id[:8] if runtime.execution_info else "0"
            stored: Stored | None = None
            for attempt in range(1, self.attempts + 1):
                feedback = stored.why if stored else ""
                work = Slice(
                    task=f"{key}:{visit}", agent=self.name, attempt=attempt, feedback=feedback, inputs=given
                )
                stored = await perform(self, work, context)
                if stored.status != "failed" or not stored.retryable:
                    break
            assert stored is not None
            output = await _output(stored, context)
            result = stored.model_dump(mode="json", exclude_defaults=True)
            return {key: output, f"{key}_result": result}

        node.__name__ = self.name
        return node


async def _output(stored: Stored, context: RunContext) -> Any:  # noqa: ANN401
    if not stored.usable:
        return None
    if stored.artifact:
        return json.loads(await context.artifacts.get(stored.artifact))
    return stored.output
