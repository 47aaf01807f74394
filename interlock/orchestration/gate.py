"""The gate: the checks a response must pass before any byte of it may leave, and the verdict."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from langgraph.runtime import Runtime
from pydantic import BaseModel, TypeAdapter, ValidationError

from interlock.core.canonical import Json, digest, plain
from interlock.core.conflicts import Conflict
from interlock.core.grounding import ungrounded
from interlock.core.journal import Entry
from interlock.core.plans import Findings
from interlock.core.redaction import secrets
from interlock.core.scope import TaskScope
from interlock.errors import SchemaViolation
from interlock.orchestration.context import RunContext

Response = TypeVar("Response")
Verdict: TypeAlias = Literal["accept", "revise", "ask", "refuse"]
_WEIGHT: dict[Verdict, int] = {"accept": 0, "revise": 1, "ask": 2, "refuse": 3}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a response, and what should follow from it."""

    text: str
    verdict: Literal["revise", "ask", "refuse"] = "revise"
    """`revise` becomes `ask` when no revision is left."""


Check: TypeAlias = Callable[[Any, Findings], Problem | None]
"""Looks at a response and the findings; its name and docstring stand in the record."""


class Checked(BaseModel, frozen=True, extra="forbid"):
    """One check and what it found."""

    check: str
    problem: str = ""
    verdict: Verdict = "accept"


class Judgement(BaseModel, frozen=True, extra="forbid"):
    """The verdict on a response, with every check that led to it."""

    verdict: Verdict
    checks: tuple[Checked, ...]

    @property
    def reason(self) -> str:
        """The problems as one text; empty when there are none."""
        return " ".join(c.problem for c in self.checks if c.problem)


class Gate(Generic[Response]):
    """The checks of one kind of response."""

    def __init__(
        self,
        response: type[Response],
        *,
        checks: Sequence[Check] = (),
        conflicts: Sequence[Conflict] = (),
        known: Iterable[str] = (),
        text: Callable[[Response], str] | None = None,
        max_revisions: int = 1,
        grounded: bool = True,
    ) -> None:
        """Schema, grounding and no-secret checks are always there; `checks` come after them.

        Args:
            response: The response's type.
            checks: Further checks of yours.
            conflicts: How disagreement between sources is decided.
            known: Words of the house that need no evidence: names of the shop, sign-offs.
            text: What of a response people read; by default every string in it.
            max_revisions: How often a response may be sent back.
            grounded: False only for responses that state no facts.
        """
        self.response = response
        self.adapter: TypeAdapter[Response] = TypeAdapter(response)
        self.checks: tuple[Check, ...] = tuple(checks)
        self.conflicts: tuple[Conflict, ...] = tuple(conflicts)
        self.known: tuple[str, ...] = tuple(known)
        self.text = text
        self.max_revisions = max_revisions
        self.grounded = grounded
        self.request_is_known = False
        """True where whoever reads the response wrote the request: its own words need no evidence."""

    def judge(
        self, response: object, findings: Findings, evidence: Iterable[Json], *, revisions_left: int
    ) -> Judgement:
        """Runs every check and decides; pure."""
        checks = self.basics(response, evidence, revisions_left=revisions_left)
        if checks[0].verdict == "accept":
            valid = self.adapter.validate_python(response)
            checks.append(_conflicts(findings))
            checks.extend(_custom(check, valid, findings) for check in self.checks)
        checks = [_without_revision(check) if revisions_left <= 0 else check for check in checks]
        return Judgement(
            verdict=max((c.verdict for c in checks), key=_WEIGHT.__getitem__), checks=tuple(checks)
        )

    def basics(self, response: object, evidence: Iterable[Json], *, revisions_left: int) -> list[Checked]:
        """The checks that every response must pass: schema, secrets, grounding."""
        checks = [self._schema(response, revisions_left)]
        if checks[0].verdict == "accept":
            valid = self.adapter.validate_python(response)
            checks.append(self._secrets(valid, revisions_left))
            if self.grounded:
                checks.append(self._grounding(valid, evidence))
        return checks

    def node(
        self, draft: str = "draft", into: str = "response", findings: Sequence[str] = ()
    ) -> Callable[[Mapping[str, Any], Runtime[RunContext]], Awaitable[dict[str, Any]]]:
        """A gate for a hand-written StateGraph, with the same checks, record and questions.

        Args:
            draft: The state key that holds the candidate response.
            into: The state key that gets the accepted response; None where it is refused.
            findings: Unused keys are never read; evidence comes from the run's own tool calls.

        Returns:
            A node; beside `into` it writes `verdict` and `feedback` for your conditional edges.
        """

        async def gate(state: Mapping[str, Any], runtime: Runtime[RunContext]) -> dict[str, Any]:
            context = runtime.context
            if not isinstance(context, RunContext):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise SchemaViolation("gate.node() needs the run's context: use `interlock.bind(graph)`.")
            scope = context.desk("gate", f"gate:{draft}", int(state.get("revisions", 0)) + 1)
            await scope.open()
            left = self.max_revisions - int(state.get("revisions", 0))
            verdict, feedback = await self.decide(
                state.get(draft), Findings(), scope, context, revisions_left=left
            )
            accepted = plain(state.get(draft)) if verdict == "accept" else None
            revisions = int(state.get("revisions", 0)) + (verdict == "revise")
            return {into: accepted, "verdict": verdict, "feedback": feedback, "revisions": revisions}

        return gate

    async def decide(
        self,
        response: object,
        findings: Findings,
        scope: TaskScope,
        context: RunContext,
        *,
        revisions_left: int,
        given: Json = None,
    ) -> tuple[Verdict, str]:
        """Judges a response with the run's evidence, asks a person where needed, and records it.

        Args:
            response: What may leave.
            findings: What the tasks came to.
            scope: The gate's own scope.
            context: The run's.
            revisions_left: How often it may still be sent back.
            given: The request, which is evidence only where `request_is_known`.

        Returns:
            The verdict after a person's answer (never `ask`), and what is wrong in words.
        """
        evidence = [*await evidence_of(context), *([given] if self.request_is_known else [])]
        if context.guards.gate:
            judged = self.judge(response, findings, evidence, revisions_left=revisions_left)
        else:
            judged = Judgement(verdict="accept", checks=())
        verdict, reason = judged.verdict, judged.reason
        body = {"verdict": verdict, "checks": judged.checks, "revisions_left": revisions_left}
        scope.note("gate.checked", body)
        if verdict == "ask":
            question = await scope.ask(
                "review",
                digest(plain(response)),
                "May this response leave?",
                {"response": plain(response), "problems": reason, "on_no": "the request is refused"},
            )
            yes = isinstance(question.answer, dict) and question.answer.get("yes") is True
            verdict, reason = ("accept", "") if yes else ("refuse", f"{reason} {question.comment}".strip())
            scope.note(
                "gate.checked", {"verdict": verdict, "by": question.answered_by, "reason": reason}, "review"
            )
        if verdict == "accept":
            scope.note(
                "response.accepted",
                {"digest": digest(plain(response), "response"), "response": plain(response)},
            )
        await scope.flush()
        return verdict, reason

    def _schema(self, response: object, revisions_left: int) -> Checked:
        try:
            self.adapter.validate_python(response)
        except ValidationError as error:
            told = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:5])
            # A person may let doubtful words out, but never something that is no response.
            verdict: Verdict = "revise" if revisions_left > 0 else "refuse"
            problem = f"The response does not have its schema ({told})."
            return Checked(check="schema", problem=problem, verdict=verdict)
        return Checked(check="schema")

    def _secrets(self, response: Response, revisions_left: int) -> Checked:
        found = sorted({what for text in _strings(plain(response)) for what, _ in secrets(text)})
        if not found:
            return Checked(check="no secrets")
        verdict: Verdict = "revise" if revisions_left > 0 else "refuse"
        return Checked(
            check="no secrets", problem=f"The response contains a {' and a '.join(found)}.", verdict=verdict
        )

    def _grounding(self, response: Response, evidence: Iterable[Json]) -> Checked:
        text = self.text(response) if self.text else "\n".join(_strings(plain(response)))
        found = ungrounded(text, evidence, self.known)
        if not found:
            return Checked(check="grounding")
        told = ", ".join(f"{each.kind} {each.text!r}" for each in found)
        return Checked(check="grounding", problem=f"No evidence of this run has {told}.", verdict="revise")


async def evidence_of(context: RunContext) -> list[Json]:
    """Everything tools and people have answered in this run."""
    entries = await context.ledger.load(context.run)
    return [entry.answer for entry in entries if _is_evidence(entry)]


def _is_evidence(entry: Entry) -> bool:
    return (
        entry.kind in ("read", "effect", "remote", "answer")
        and entry.state in ("answered", "confirmed")
        and entry.error is None
    )


def _conflicts(findings: Findings) -> Checked:
    open_ones = [resolution.about for resolution in findings.resolutions if resolution.winner is None]
    if not open_ones:
        return Checked(check="conflicts")
    told = ", ".join(open_ones)
    return Checked(check="conflicts", problem=f"Sources disagree and no rule decides: {told}.", verdict="ask")


def _custom(check: Check, response: object, findings: Findings) -> Checked:
    name = getattr(check, "__name__", "check").replace("_", " ")
    problem = check(response, findings)
    if problem is None:
        return Checked(check=name)
    return Checked(check=name, problem=problem.text, verdict=problem.verdict)


def _without_revision(check: Checked) -> Checked:
    return check.model_copy(update={"verdict": "ask"}) if check.verdict == "revise" else check


def _strings(value: Json) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for item in value.values() for text in _strings(item)]
    if isinstance(value, list):
        return [text for item in value for text in _strings(item)]
    return []
