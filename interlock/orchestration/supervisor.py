"""The supervisor: plans, routes, joins, and lets only the gate speak. It runs no domain logic itself."""

from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, Generic, TypeVar, cast

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Send
from pydantic import BaseModel
from typing_extensions import TypedDict

from interlock.core.agents import AnyAgent, NotFor
from interlock.core.canonical import digest
from interlock.core.conflicts import Conflict
from interlock.core.limits import RUN_LIMITS, Limits
from interlock.core.plans import Findings, StoredPlan
from interlock.core.policy import Policy
from interlock.core.reflections import Reflection
from interlock.orchestration.assembly import Assembly, results_in
from interlock.orchestration.context import RunContext
from interlock.orchestration.crew import build_crew, merge
from interlock.orchestration.deliver import Delivery
from interlock.orchestration.doors import TaskDoors
from interlock.orchestration.gate import Check, Gate
from interlock.orchestration.local import LocalArtifacts, LocalLedger, LocalTools
from interlock.orchestration.nested import SupervisedAgent, Verdicts
from interlock.orchestration.planning import PLAN, Planner, Route, route_name
from interlock.orchestration.wiring import check_answer, check_wiring, default_policy

Request = TypeVar("Request", bound=BaseModel)
Response = TypeVar("Response", bound=BaseModel)


class State(TypedDict, total=False):
    """State of a supervisor graph: small JSON, large values by reference."""

    request: Any
    run: str
    held: dict[str, Any]
    plan: dict[str, Any] | None
    results: Annotated[dict[str, Any], merge]
    resolutions: list[Any]
    feedback: str
    revisions: int
    verdict: str
    why: str
    response: Any
    outcome: str | None


class Output(TypedDict, total=False):
    """What a supervisor graph returns: only what the gate accepted."""

    response: Any
    outcome: str | None


class SupervisorGraph(StateGraph[State, RunContext, State, Output]):
    """A LangGraph StateGraph that knows its supervisor, so that it can be bound."""

    supervisor: "Supervisor[Any, Any]"


class Supervisor(Generic[Request, Response]):
    """Declares a multi-agent graph; `build()` makes a LangGraph graph of it."""

    def __init__(
        self,
        name: str,
        *,
        request: type[Request],
        response: type[Response],
        agents: Sequence[AnyAgent],
        routes: Sequence[Route],
        answer: Callable[[Request, Findings], Response],
        policy: Policy | None = None,
        examples: Sequence[Request] = (),
        checks: Sequence[Check] = (),
        conflicts: Sequence[Conflict] = (),
        reflections: Sequence[Reflection] = (),
        refusal: Callable[[Request], Response] | None = None,
        deliver: Delivery | None = None,
        known: Iterable[str] = (),
        text: Callable[[Response], str] | None = None,
        subject: Callable[[Request], str] | None = None,
        limits: Limits = RUN_LIMITS,
        max_revisions: int = 1,
        max_tasks: int = 20,
        tools: Sequence[object] = (),
    ) -> None:
        """Declares the parts.

        Args:
            name: The graph's name.
            request: The request's type.
            response: The response's type; nothing else ever leaves.
            agents: The specialists.
            routes: Tried in order; the first plan that every agent may carry out is taken.
            answer: Makes the response from the request and what the tasks came to; pure.
            policy: Who may call which tool; without one, agents read what they were granted and every
                effect asks the run's owner.
            examples: Requests that the rules are meant for; each rule must plan at least one of them.
            checks: Further checks of the gate.
            conflicts: How disagreement between sources is decided.
            reflections: Declared, bounded cycles.
            refusal: The response when the gate refuses; without one there is none.
            deliver: How the accepted response is handed over.
            known: Words of the house that a response may use without evidence.
            text: What of a response people read; by default every string in it.
            subject: The person a request is about, so that their data can be erased.
            limits: Caps for a whole run.
            max_revisions: How often the gate may send a draft back.
            max_tasks: How many tasks a plan may have.
            tools: Not allowed; here so that the error can say so.
        """
        self.name = name
        self.request = request
        self.response = response
        self.agents: dict[str, AnyAgent] = {agent.name: agent for agent in agents}
        self.routes: tuple[Route, ...] = tuple(routes)
        self.answer = answer
        self.examples: tuple[Request, ...] = tuple(examples)
        self.samples: tuple[Request, ...] = self.examples
        """What the rules' plans are checked with before anything runs."""
        self.reflections: tuple[Reflection, ...] = tuple(reflections)
        self.subject = subject
        self.limits: Limits = limits.within(RUN_LIMITS)
        self.deliver = deliver
        self.policy: Policy = default_policy(name, policy, agents, deliver)
        check_wiring(name, list(agents), self.policy, self.reflections, deliver, tools, max_revisions)
        self.gate: Gate[Response] = Gate(
            response, checks=checks, conflicts=conflicts, known=known, text=text, max_revisions=max_revisions
        )
        self.planner: Planner = Planner(name, request, routes, self.agents, max_tasks)
        self.assembly: Assembly[Response] = Assembly(
            name, self.planner, self.gate, answer, refusal, deliver, self.agents
        )

    @property
    def version(self) -> str:
        """Digest of everything that decides how a run goes: agents, routes, policy, gate, limits."""
        return digest(
            {
                "name": self.name,
                "agents": {name: agent.version for name, agent in self.agents.items()},
                "routes": [route_name(route) for route in self.routes],
                "policy": self.policy.version,
                "request": self.request.model_json_schema(),
                "response": self.response.model_json_schema(),
                "limits": self.limits,
            },
            "graph",
        )[:12]

    @property
    def max_steps(self) -> int:
        """Supersteps of LangGraph that one invocation of the graph or its crew may take, at the most."""
        turns = max(a.attempts + 1 for a in self.agents.values())
        rounds = max((r.max_rounds for r in self.reflections), default=0)
        return 20 + 2 * self.planner.max_tasks * (turns + rounds) + 4 * self.gate.max_revisions

    def build(self) -> SupervisorGraph:
        """Checks the wiring and the rules' plans, and returns a LangGraph StateGraph.

        Compile it yourself for a graph that only reads, or hand it to `interlock.bind`.

        Raises:
            BuildError: with a sentence that says what to do.
        """
        return self._checked(Output)

    def agent(
        self,
        description: str,
        *,
        name: str | None = None,
        not_for: Sequence[NotFor] = (),
        limits: Limits | None = None,
        max_activations: int = 10,
    ) -> "SupervisedAgent[Request, Response]":
        """This supervisor as a specialist of another one.

        Its graph runs in the same run: its tasks are recorded as `NAME/task`, its questions are the run's,
        and it spends what the task around it may spend. Its own policy governs its agents, and its own gate
        judges the response before the other supervisor sees it. It delivers nothing: only the outermost
        gate speaks to people.

        Args:
            description: What it is for, in a sentence; routes and people read it.
            name: Its name among the specialists; its own name by default.
            not_for: As of every agent.
            limits: Caps, within its own.
            max_activations: How many tasks of one plan may be its.

        Raises:
            BuildError: as `build`.
        """
        return SupervisedAgent(
            self, self._checked(Verdicts), description, name, not_for, limits, max_activations
        )

    def _checked(self, output: type[Any]) -> SupervisorGraph:
        self.planner.check(self.samples)
        check_answer(self.name, self.answer, self.response)
        memory = LocalLedger(), LocalArtifacts()

        def unbound(run: str) -> RunContext:
            return RunContext.local(run, *memory, LocalTools(self.policy))

        graph = SupervisorGraph(State, context_schema=RunContext, output_schema=output)
        graph.supervisor = self
        self._add_nodes(cast("Any", graph), unbound)
        return graph

    def _add_nodes(self, graph: Any, unbound: Callable[[str], RunContext]) -> None:  # noqa: ANN401
        planner, assembly = self.planner, self.assembly
        crew = build_crew(self.agents, unbound, {r.agent.name: r for r in self.reflections})

        async def intake(state: State, runtime: Runtime[RunContext]) -> dict[str, Any]:
            return await planner.intake(state, runtime.context or unbound(""))

        async def plan(state: State, runtime: Runtime[RunContext]) -> dict[str, Any]:
            context = runtime.context or unbound(state.get("run", ""))
            scope = context.desk(self.name, PLAN, 1)
            await scope.open()
            async with TaskDoors(
                scope, tools=context.tools, models=context.models, artifacts=context.artifacts
            ) as doors:
                return await planner.plan(state, context, doors)

        async def join(state: State, runtime: Runtime[RunContext]) -> dict[str, Any]:
            return await assembly.join(state, runtime.context or unbound(state.get("run", "")))

        async def aggregate(state: State, runtime: Runtime[RunContext]) -> dict[str, Any]:
            return await assembly.aggregate(state, runtime.context or unbound(state.get("run", "")))

        async def deliver(state: State, runtime: Runtime[RunContext]) -> dict[str, Any]:
            return await assembly.deliver(state, runtime.context or unbound(state.get("run", "")))

        for node in (intake, plan, join, aggregate, deliver):
            graph.add_node(node.__name__, node)
        graph.add_node("strand", crew)
        graph.add_edge(START, "intake")
        graph.add_edge("intake", "plan")
        graph.add_conditional_edges("plan", _strands, ["strand", "aggregate"])
        graph.add_edge("strand", "join")
        graph.add_conditional_edges("join", _after_join, ["strand", "aggregate", END])
        graph.add_conditional_edges("aggregate", _after_verdict, ["strand", "deliver", END])
        graph.add_edge("deliver", END)


def _strands(state: State) -> list[Send] | str:
    """One strand for each connected component of the plan."""
    stored = state.get("plan")
    if not stored:
        return "aggregate"
    plan = StoredPlan.model_validate(stored)
    if not plan.open_tasks:
        return [_closing(state, plan, 1)]
    return [_strand(state, strand) for strand in plan.strands()]


def _after_join(state: State) -> list[Send] | str:
    """The closing tasks, as a strand of their own; when they are done too, the aggregator."""
    if state.get("verdict") == "failed":
        return END
    plan = StoredPlan.model_validate(state.get("plan"))
    open_ones = [task for task in plan.closing_tasks if task.id not in state.get("results", {})]
    return [_closing(state, plan, 1)] if open_ones else "aggregate"


def _after_verdict(state: State) -> list[Send] | str:
    """A revision runs the closing tasks again, as new attempts, with the gate's words."""
    if state.get("verdict") == "failed":
        return END
    if state.get("verdict") != "revise":
        return "deliver"
    plan, results = StoredPlan.model_validate(state.get("plan")), results_in(state)
    before = [results[task.id].attempt for task in plan.closing_tasks if task.id in results]
    return [_closing(state, plan, 1 + max(before, default=0))]


def _strand(state: State, strand: list[str], **more: Any) -> Send:  # noqa: ANN401
    shared = {"run": state.get("run", ""), "plan": state.get("plan"), "request": state.get("held")}
    return Send("strand", {**shared, "strand": strand, "results": {}, **more})


def _closing(state: State, plan: StoredPlan, first_attempt: int) -> Send:
    """The closing tasks see all other results, the decided conflicts, and why they are run again."""
    closing = [task.id for task in plan.closing_tasks]
    results = {name: value for name, value in state.get("results", {}).items() if name not in closing}
    return _strand(
        state,
        closing,
        results=results,
        resolutions=state.get("resolutions", []),
        feedback=state.get("feedback", ""),
        first_attempt=first_attempt,
    )
