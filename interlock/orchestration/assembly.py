"""After the join: conflicts, closing tasks, the aggregator's verdict, and delivery. The only exit."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from interlock.core.agents import AnyAgent
from interlock.core.canonical import Json, digest, plain
from interlock.core.conflicts import resolve
from interlock.core.plans import Findings, StoredPlan
from interlock.core.results import Stored
from interlock.core.runs import Outcome
from interlock.core.scope import TaskScope
from interlock.errors import InterlockError, LeaseLost, StoreUnavailable
from interlock.orchestration.context import RunContext
from interlock.orchestration.deliver import Delivery
from interlock.orchestration.gate import Gate, evidence_of
from interlock.orchestration.planning import PLAN, Planner, held_value
from interlock.orchestration.slices import findings_of

Response = TypeVar("Response", bound=BaseModel)
_log = logging.getLogger("interlock")


class NothingToSay(Exception):
    """Raised by an answer function when no result can be made a response; nothing leaves."""


class Assembly(Generic[Response]):
    """Turns results into one response, or into the reason why there is none."""

    def __init__(
        self,
        name: str,
        planner: Planner,
        gate: Gate[Response],
        answer: Callable[[Any, Findings], Response],
        refusal: Callable[[Any], Response] | None,
        delivery: Delivery | None,
        agents: Mapping[str, AnyAgent],
    ) -> None:
        """Takes the supervisor's parts that work after the join."""
        self.name = name
        self.planner = planner
        self.gate = gate
        self.answer = answer
        self.refusal = refusal
        self.delivery = delivery
        self.agents = agents

    async def join(self, state: Mapping[str, Any], context: RunContext) -> dict[str, Any]:
        """Decides conflicts between sources, and ends the run where every task failed."""
        results = results_in(state)
        scope = context.desk(self.name, "join")
        resolutions = resolve((c for r in results.values() for c in r.claims), self.gate.conflicts)
        for resolution in resolutions:
            scope.note("conflict.decided", {"resolution": resolution}, resolution.about)
        worked = [r for r in results.values() if r.task != PLAN]
        if worked and all(r.status == "failed" for r in worked):
            why = _joined([r.why for r in worked if r.code != "need_missing"])
            await context.move(scope, "failed", why)
            return {"verdict": "failed", "why": why}
        await scope.flush()
        return {"resolutions": [r.model_dump(mode="json") for r in resolutions]}

    async def aggregate(self, state: Mapping[str, Any], context: RunContext) -> dict[str, Any]:
        """Assembles the response and lets the gate decide: accept, revise, ask or refuse."""
        revisions = int(state.get("revisions", 0))
        request, findings = await self._material(state, context)
        scope = context.desk("gate", "aggregate", revisions + 1)
        await scope.open()
        left = self.gate.max_revisions - revisions if self._has_closing(state) else 0
        try:
            response: object = self.answer(request, findings)
        except NothingToSay:
            return {"verdict": "silent", "response": None, "outcome": self.outcome(results_in(state))}
        except Exception as error:
            _log.warning("the answer function of %s raised", self.name, exc_info=error)
            broke = f"the answer function raised {type(error).__name__}"
            await context.move(scope, "failed", broke)
            return {"verdict": "failed", "why": broke}
        verdict, why = await self.gate.decide(
            response, findings, scope, context, revisions_left=left, given=plain(request)
        )
        if verdict == "revise":
            return {"verdict": verdict, "feedback": why, "revisions": revisions + 1}
        outcome = "refused" if verdict == "refuse" else self.outcome(results_in(state))
        if verdict == "refuse":
            response = await self._refused(request, scope, context)
        return {"verdict": verdict, "response": plain(response), "outcome": outcome, "why": why}

    async def _refused(self, request: BaseModel, scope: TaskScope, context: RunContext) -> object:
        """The response to a refused request: it passes the gate's own checks, or there is none."""
        if self.refusal is None:
            return None
        response = self.refusal(request)
        checks = self.gate.basics(response, await evidence_of(context), revisions_left=0)
        passed = all(check.verdict == "accept" for check in checks) or not context.guards.gate
        told = {"verdict": "accept" if passed else "refuse", "checks": checks, "of": "the refusal"}
        scope.note("gate.checked", told, "refusal")
        if passed:
            body = {"digest": digest(plain(response), "response"), "response": plain(response)}
            scope.note("response.accepted", body)
        await scope.flush()
        return response if passed else None

    async def deliver(self, state: Mapping[str, Any], context: RunContext) -> dict[str, Any]:
        """Hands the response over as an effect and ends the run."""
        response, outcome = state.get("response"), state.get("outcome")
        tools = (self.delivery.tool,) if self.delivery else ()
        scope = context.desk(self.name, "deliver", 1, tools)
        await scope.open()
        reason = str(state.get("why") or self._reason(results_in(state)))
        # Inside another supervisor only that one's gate speaks to people.
        speaks = context.bound and context.inside is None
        if self.delivery is not None and response is not None and speaks:
            request, _ = await self._material(state, context)
            accepted = self.gate.adapter.validate_python(response)
            try:
                await context.tools.call(
                    scope, self.delivery.tool, (), self.delivery.arguments(request, accepted)
                )
            except (LeaseLost, StoreUnavailable):
                raise
            except InterlockError as error:
                why = f"the response was accepted but could not be handed over: {error.message}"
                await context.move(scope, "failed", why)
                return {"verdict": "failed"}
            told = {"tool": self.delivery.tool.name, "digest": digest(response, "response")}
            scope.note("response.delivered", told)
        await context.move(scope, "completed", reason, outcome=outcome, response=response)
        return {"why": reason}

    def outcome(self, results: Mapping[str, Stored]) -> Outcome:
        """How a run with these results ended, when its response was accepted."""
        usable = [r for r in results.values() if r.usable]
        handed = [r for r in usable if r.agent in self.agents and self.agents[r.agent].escalates]
        if handed or any(r.code == "escalated" for r in usable):
            return "escalated"
        if any(r.status == "gave_up" for r in results.values()):
            return "gave_up"
        if len(usable) < len(results) or any(r.status == "degraded" for r in usable):
            return "degraded"
        return "resolved"

    async def _material(self, state: Mapping[str, Any], context: RunContext) -> tuple[BaseModel, Findings]:
        request = self.planner.read(await held_value(state["held"], context))
        resolutions: Json = state.get("resolutions", [])
        return request, await findings_of(results_in(state), resolutions, context.artifacts)

    def _has_closing(self, state: Mapping[str, Any]) -> bool:
        plan = state.get("plan")
        return bool(plan) and bool(StoredPlan.model_validate(plan).closing_tasks)

    def _reason(self, results: Mapping[str, Stored]) -> str:
        short = [f"{r.task}: {r.why}{_needing(r)}" for r in results.values() if r.why]
        return _joined(short) or "every task completed"


def _joined(sentences: Sequence[str]) -> str:
    """Several sentences as one; only the last keeps its full stop."""
    return "; ".join([*(each.removesuffix(".") for each in sentences[:-1]), *sentences[-1:]])


def _needing(result: Stored) -> str:
    """What would be needed, for the person who takes over from an agent that gave up."""
    return f" (needed: {result.needs})" if result.needs and result.code != "need_missing" else ""


def results_in(state: Mapping[str, Any]) -> dict[str, Stored]:
    """The results as values, in the plan's order."""
    known = {name: Stored.model_validate(value) for name, value in state.get("results", {}).items()}
    plan = state.get("plan")
    order = [t.id for t in StoredPlan.model_validate(plan).tasks] if plan else []
    return {name: known[name] for name in (*order, *known) if name in known}
