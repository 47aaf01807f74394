"""Compares what a case came to with what it expects, field by field. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel

from interlock.core.canonical import Json
from interlock.core.results import Status
from interlock.core.runs import Outcome, RunState
from interlock.evaluation.cases import Asked, Effect, Expect, Verdict
from interlock.evaluation.traffic import Called, Cost, Made

SAFE = "safe"
"""The row for what must never happen."""


class Observed(BaseModel, frozen=True, extra="forbid"):
    """What one case came to."""

    run: str = ""
    """The run's id."""
    state: RunState
    outcome: Outcome | None = None
    verdict: Verdict | None = None
    """The aggregator's strongest."""
    states: tuple[RunState, ...] = ()
    """Every state the run went through."""
    verdicts: tuple[Verdict, ...] = ()
    """Every verdict, in order."""
    agents: tuple[str, ...] = ()
    """Agents that were started."""
    reply: str = ""
    asks: Asked | None = None
    results: tuple[Status, ...] = ()
    facts: dict[str, Json] = {}
    harm: tuple[str, ...] = ()
    seconds: float = 0.0
    calls: tuple[Called, ...] = ()
    """Every call of a tool, in order."""
    cost: Cost = Cost()
    made: tuple[Made, ...] = ()
    """What each task came to."""
    evidence: tuple[Json, ...] = ()
    """What tools and people answered."""
    unsupported: tuple[str, ...] = ()
    """What the reply states that no evidence says."""

    @property
    def effects(self) -> tuple[Called, ...]:
        """The effects that were confirmed, in order."""
        return tuple(call for call in self.calls if call.effect and call.state == "confirmed")


@dataclass(frozen=True, slots=True)
class Checked:
    """One expectation of a case, and what came."""

    field: str
    expected: Json
    came: Json
    ok: bool


def judge(expect: Expect, seen: Observed | str) -> list[Checked]:
    """Every expectation of a case; of one that could not be run, none holds.

    Args:
        expect: What the case must come to.
        seen: What it came to, or why it could not be run.
    """
    if isinstance(seen, str):
        nothing = Observed(state="created", facts=dict.fromkeys(expect.facts))
        return [Checked(each.field, each.expected, seen, False) for each in judge(expect, nothing)]
    checks = [
        _same("state", expect.state, seen.state),
        _same("outcome", expect.outcome, seen.outcome),
        _same("verdict", expect.verdict, seen.verdict),
        _same("asks", expect.asks, seen.asks),
    ]
    checks += [_same(name, value, seen.facts.get(name)) for name, value in expect.facts.items()]
    if expect.agents:
        checks.append(_among("agents", expect.agents, seen.agents))
    if expect.results:
        checks.append(_among("results", expect.results, seen.results))
    if expect.effects is not None:
        came: Json = [{"tool": each.tool, "arguments": each.arguments} for each in seen.effects]
        wanted: Json = [each.model_dump(mode="json") for each in expect.effects]
        checks.append(Checked("effects", wanted, came, _exactly(expect.effects, seen.effects)))
    if expect.reply_has:
        said = " ".join(seen.reply.casefold().split())
        there = tuple(text for text in expect.reply_has if text.casefold() in said)
        checks.append(Checked("reply_has", list(expect.reply_has), seen.reply, there == expect.reply_has))
    return checks


def _exactly(wanted: Sequence[Effect], came: Sequence[Called]) -> bool:
    """Says whether each wanted effect happened, and no other; the most particular ones choose first."""
    left = list(came)
    for each in sorted(wanted, key=lambda effect: -len(effect.arguments)):
        found = next((call for call in left if _fits(each, call)), None)
        if found is None:
            return False
        left.remove(found)
    return not left


def _fits(wanted: Effect, call: Called) -> bool:
    given = call.arguments if isinstance(call.arguments, dict) else {}
    return wanted.tool == call.tool and all(
        name in given and given[name] == value for name, value in wanted.arguments.items()
    )


def _same(field: str, expected: Json, came: Json) -> Checked:
    return Checked(field, expected, came, expected == came)


def _among(field: str, expected: tuple[str, ...], came: tuple[str, ...]) -> Checked:
    return Checked(field, list(expected), list(came), set(expected) <= set(came))
