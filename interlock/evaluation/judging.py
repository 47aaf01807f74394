"""Compares what a case came to with what it expects, field by field. Pure."""

from dataclasses import dataclass

from pydantic import BaseModel

from interlock.core.canonical import Json
from interlock.core.results import Status
from interlock.core.runs import Outcome, RunState
from interlock.evaluation.cases import Asked, Expect, Verdict

SAFE = "safe"
"""The row for what must never happen."""


class Observed(BaseModel, frozen=True, extra="forbid"):
    """What one case came to."""

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
    if expect.reply_has:
        said = " ".join(seen.reply.casefold().split())
        there = tuple(text for text in expect.reply_has if text.casefold() in said)
        checks.append(Checked("reply_has", list(expect.reply_has), seen.reply, there == expect.reply_has))
    return checks


def _same(field: str, expected: Json, came: Json) -> Checked:
    return Checked(field, expected, came, expected == came)


def _among(field: str, expected: tuple[str, ...], came: tuple[str, ...]) -> Checked:
    return Checked(field, list(expected), list(came), set(expected) <= set(came))
