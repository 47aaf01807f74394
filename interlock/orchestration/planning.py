"""Intake and planning: what is asked, and the first route that has a plan every agent may carry out."""

import asyncio
import inspect
import json
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeAlias, cast

from pydantic import BaseModel, ValidationError

from interlock.core.agents import AnyAgent
from interlock.core.canonical import Json, canonical, plain
from interlock.core.plans import Plan, StoredPlan, store
from interlock.core.ports import Move
from interlock.core.proposals import Proposal
from interlock.core.results import GaveUp, Stored
from interlock.errors import (
    BudgetExceeded,
    BuildError,
    ModelUnavailable,
    NotFound,
    PlanInvalid,
    SchemaViolation,
)
from interlock.orchestration.context import RunContext
from interlock.orchestration.doors import TaskDoors
from interlock.orchestration.model_route import ModelRoute, Proposed
from interlock.orchestration.slices import hold

Route: TypeAlias = Callable[..., Plan | GaveUp | Awaitable[Plan | GaveUp | None] | None] | ModelRoute
"""`(request) -> Plan | GaveUp | None`; `async (request, doors)` if it needs a model or a person."""
Found: TypeAlias = StoredPlan | Proposed | GaveUp | str
"""What a route comes to; a string says why it was passed over."""
INTAKE, PLAN = "intake", "plan"
_ROUTES_TRIED = "the routes are tried"


class Planner:
    """Finds the plan for a request; pure but for asynchronous routes, which get doors."""

    def __init__(
        self,
        name: str,
        request: type[BaseModel],
        routes: Sequence[Route],
        agents: Mapping[str, AnyAgent],
        max_tasks: int,
    ) -> None:
        """Takes the routes in the order in which they are tried."""
        self.name = name
        self.request = request
        self.routes: tuple[Route, ...] = tuple(routes)
        self.agents = agents
        self.max_tasks = max_tasks

    def check(self, examples: Sequence[BaseModel]) -> None:
        """Plans the examples with every rule, so that wrong wiring fails the build.

        Raises:
            BuildError: if a rule's plan does not fit, or a rule plans for none of the examples.
        """
        for route in self.routes:
            if isinstance(route, ModelRoute) or inspect.iscoroutinefunction(route):
                continue  # made by a model: checked when it is made
            made = 0
            for example in examples:
                try:
                    plan = route(example)
                    made += plan is not None
                    if isinstance(plan, Plan):
                        store(plan, example, self.agents.values(), route_name(route), self.max_tasks)
                except PlanInvalid as error:
                    raise BuildError(f"supervisor {self.name}: {error.message}") from error
            if not made:
                raise BuildError(
                    f"supervisor {self.name}: route {route_name(route)} plans nothing for any of the "
                    f"{len(examples)} "
                    "examples, so its plan cannot be checked: add a request it is meant for to `examples=`."
                )

    async def intake(self, state: Mapping[str, Any], context: RunContext) -> dict[str, Any]:
        """Validates the request and stores it the way graph state keeps it."""
        request = self.read(state.get("request"))
        scope = context.desk(self.name, INTAKE)
        held = await hold(plain(request), context.run, "request.json", context.artifacts)
        size = len(canonical(plain(request)))
        scope.note("context.loaded", {"given": ["request"], "bytes": size, "history": "none: no session yet"})
        # Planning follows at once, so both moves are one transaction.
        planning = Move("planning", _ROUTES_TRIED)
        await context.move(scope, "context_loaded", "the request is valid", then=planning)
        return {"held": held, "run": context.run}

    async def plan(self, state: Mapping[str, Any], context: RunContext, doors: TaskDoors) -> dict[str, Any]:
        """Tries the routes in order and returns the state update: a plan, or why there is none."""
        scope = doors.scope
        request = self.read(await held_value(state["held"], context))
        await context.move(scope, "planning", _ROUTES_TRIED)  # as a rule intake has made it
        reason, needs = "no route has a plan for this request", ""
        for number, route in enumerate(self.routes):
            found = await self._in_time(self._try(route, number, request, doors), context)
            scope.raise_pending()  # a route that swallowed its question must not plan without the answer
            why, candidates = _doc(route), None
            if isinstance(found, Proposed):
                why, candidates, found = found.proposal.reason, found.proposal.candidates, found.plan
            if isinstance(found, StoredPlan):
                body: dict[str, Any] = {"plan": found, "strands": found.strands(), "why": why}
                scope.note("plan.made", {**body, "candidates": candidates} if candidates else body)
                await context.move(
                    scope, "executing", f"route {found.route} planned {len(found.tasks)} tasks"
                )
                return {"plan": found.model_dump(mode="json")}
            if isinstance(found, GaveUp):
                reason, needs = found.reason, found.needs
                break
            reason = found or reason
        await context.move(scope, "executing", reason)
        tried = tuple(route_name(route) for route in self.routes)
        nobody = Stored(
            task=PLAN, agent=self.name, attempt=1, status="gave_up", why=reason, tried=tried, needs=needs
        )
        return {"plan": None, "results": {PLAN: nobody.model_dump(mode="json", exclude_defaults=True)}}

    def read(self, value: object) -> BaseModel:
        """The request as its type.

        Raises:
            SchemaViolation: naming the fields that do not fit.
        """
        try:
            return self.request.model_validate(value)
        except ValidationError as error:
            told = "; ".join(
                f"{'.'.join(map(str, e['loc'])) or 'request'}: {e['msg']}" for e in error.errors()
            )
            name = self.request.__name__
            article = "an" if name[:1] in "AEIOU" else "a"
            raise SchemaViolation(f"this is not {article} {name}: {told}.") from error

    async def _in_time(self, trying: Coroutine[Any, Any, Found], context: RunContext) -> Found:
        """What a route comes to, if it does so within the run's time."""
        timer = asyncio.timeout(context.deadline.left() if context.guards.limits else None)
        try:
            async with timer:
                return await trying
        except TimeoutError:
            if not timer.expired():
                raise
            return GaveUp(reason="the run's time was over before a route had a plan")

    async def _try(self, route: Route, number: int, request: BaseModel, doors: TaskDoors) -> Found:
        """What one route comes to; a string says why it was passed over (empty: it does not apply)."""
        scope, name, tag = doors.scope, route_name(route), str(number)
        if isinstance(route, ModelRoute):
            return await self._propose(route, tag, request, doors)
        told: dict[str, Any] = {"route": name, "about": _doc(route)}
        try:
            made = route(request, doors) if inspect.iscoroutinefunction(route) else route(request)
            plan = await cast("Awaitable[Plan | GaveUp | None]", made) if inspect.isawaitable(made) else made
            if plan is None:
                scope.note("route.tried", {**told, "came_to": "does not apply"}, tag)
                return ""
            if isinstance(plan, GaveUp):
                scope.note("route.tried", {**told, "came_to": "gave up", "why": plan.reason}, tag)
                return plan
            stored = store(plan, request, self.agents.values(), name, self.max_tasks)
        except PlanInvalid as error:
            scope.note("plan.rejected", {**told, "why": error.message}, tag)
            return error.message
        refused = self._not_for(stored, request)
        came_to = f"rejected: {refused}" if refused else "chosen"
        scope.note("route.tried", {**told, "came_to": came_to}, tag)
        return refused or stored

    async def _propose(self, route: ModelRoute, tag: str, request: BaseModel, doors: TaskDoors) -> Found:
        """What a model comes to: a plan with its reasons, giving up, or why it could not be asked."""
        scope = doors.scope
        told: dict[str, Any] = {"route": route.name, "about": route.about}

        def rejected(number: int, why: str, proposal: Proposal | None) -> None:
            scope.note("plan.rejected", {**told, "why": why, "proposed": proposal}, f"{tag}:{number}")

        try:
            found = await route.propose(
                request,
                doors,
                self.agents,
                max_tasks=self.max_tasks,
                refuses=lambda plan: self._not_for(plan, request),
                rejected=rejected,
            )
        except (ModelUnavailable, BudgetExceeded, NotFound) as error:
            scope.note("route.tried", {**told, "came_to": "could not plan", "why": error.message}, tag)
            return error.message
        if isinstance(found, GaveUp):
            more: dict[str, Any] = {"came_to": "gave up", "why": found.reason, "needs": found.needs}
        else:
            candidates = found.proposal.candidates
            more = {"came_to": "chosen", "why": found.proposal.reason, "candidates": candidates}
        scope.note("route.tried", {**told, **more}, tag)
        return found

    def _not_for(self, plan: StoredPlan, request: BaseModel) -> str:
        text = " ".join(_strings(plain(request)))
        for task in plan.tasks:
            topic = self.agents[task.agent].refuses(request, text)
            if topic:
                return f"{task.agent} is not for {topic!r}"
        return ""


async def held_value(held: Mapping[str, Any], context: RunContext) -> Json:
    """A value that intake stored, loaded."""
    if held.get("artifact"):
        return json.loads(await context.artifacts.get(str(held["artifact"])))
    return cast("Json", held.get("value"))


def route_name(route: Route) -> str:
    """The name of a route, as the record uses it."""
    return route.name if isinstance(route, ModelRoute) else getattr(route, "__name__", type(route).__name__)


def _doc(route: Route) -> str:
    if isinstance(route, ModelRoute):
        return route.about
    return (inspect.getdoc(route) or "").strip().splitlines()[0] if inspect.getdoc(route) else ""


def _strings(value: Json) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for item in value.values() for text in _strings(item)]
    return [text for item in value for text in _strings(item)] if isinstance(value, list) else []
