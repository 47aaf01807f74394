"""Asks the policy, and people where the policy says so; a yes covers one exact call, once."""

from interlock.core.canonical import Json
from interlock.core.policy import Policy, Verdict
from interlock.core.questions import Receipt
from interlock.errors import Rejected, ToolDenied
from interlock.mcp.calls import Call

_MOST_QUESTIONS = 20
"""How often one call may be asked about anew; a policy that flips each time must not ask for ever."""


def decide(policy: Policy, call: Call) -> Verdict:
    """Asks the policy about a call; with the guard switched off, everything is allowed.

    Raises:
        ToolDenied: naming the rule.
    """
    scope = call.scope
    if not scope.guards.policy:
        return Verdict(decision="allow", rule="off", reason="the policy is switched off")
    verdict = policy.evaluate(scope.agent, call.tool, call.arguments, scope.principal)
    if verdict.decision == "deny":
        scope.note("tool.denied", call.facts(verdict), call.tag)
        raise ToolDenied(f"{scope.agent} may not call {call.tool.name}: {verdict.reason}.")
    return verdict


async def approved(call: Call, verdict: Verdict) -> Receipt | None:
    """Returns the unused receipt for this call, asking until somebody has answered.

    Raises:
        Rejected: a person said no, or nobody answered in time.
    """
    scope = call.scope
    # Switched off, the guard shows the usual mistake: an answer that is not tied to the arguments.
    asked = call.tag if scope.guards.approvals else "any call of this task"
    for nth in range(_MOST_QUESTIONS):
        question = await scope.ask(
            "approve",
            asked,
            _title(call),
            _details(call, verdict),
            whom=verdict.whom,
            within_s=verdict.within_s,
            nth=nth,
        )
        if question.state != "answered":
            raise Rejected(f"nobody answered within the time for {call.tool.name}; it was not called.")
        if not (isinstance(question.answer, dict) and question.answer.get("yes")):
            comment = f": {question.comment}" if question.comment else ""
            raise Rejected(f"{question.answered_by} said no to {call.tool.name}{comment}.")
        if not scope.guards.approvals:
            return None
        receipt = await scope.ledger.receipt(question.id)
        problem = (
            "there is no receipt for it"
            if receipt is None
            else receipt.stands(
                call.digest, call.tool.definition, scope.principal.user, verdict, scope.clock.now()
            )
        )
        if problem is None:
            return receipt
        scope.note("receipt.refused", call.facts(verdict, question=question.id, why=problem), question.id)
    raise Rejected(f"{call.tool.name} was asked about {_MOST_QUESTIONS} times and never stayed approved.")


def _title(call: Call) -> str:
    told = ", ".join(f"{name} {value}" for name, value in call.tool.shown(call.arguments).items())
    what = call.tool.description.splitlines()[0].rstrip(".") if call.tool.description else call.tool.name
    return f"{what}: {told}" if told else what


def _details(call: Call, verdict: Verdict) -> dict[str, Json]:
    """What the card shows, and what the receipt of a yes is bound to."""
    evidence: list[Json] = [{"source": e.source, "value": e.value} for e in call.scope.evidence[-6:]]
    return {
        "tool": call.tool.name,
        "arguments": call.tool.shown(call.arguments),
        "call": call.digest,
        "definition": call.tool.definition,
        "user": call.scope.principal.user,
        "rule": verdict.rule,
        "reason": verdict.reason,
        "whom": verdict.whom,
        "facts": dict(verdict.facts),
        "evidence": evidence,
        "on_no": f"{call.tool.name} is not called; {call.scope.agent} is told so.",
    }
