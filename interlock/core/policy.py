"""Who may call which tool: ordered rules, first match wins, default deny.

A rule is readable aloud; its reason is the docstring of its condition. Evaluation is pure and
is repeated when an approved call is executed.
"""

import ast
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from types import CodeType
from typing import Any, Literal, Self, TypeAlias

from pydantic import BaseModel

from interlock.core.canonical import Json, digest
from interlock.core.fingerprints import fingerprint
from interlock.core.principal import Principal
from interlock.core.redaction import redact
from interlock.core.tools import Granted, Tool, matches, named
from interlock.errors import BuildError

Decision: TypeAlias = Literal["allow", "ask", "deny"]
Condition: TypeAlias = Callable[[Mapping[str, Any]], bool]

_WITHIN = re.compile(r"^(\d+)\s*(s|m|h|d)$")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
OWNER = "owner"
"""The role of the person who owns the run."""


class Verdict(BaseModel, frozen=True, extra="forbid"):
    """What the policy says of one call, and by which rule."""

    decision: Decision
    rule: str
    """Stable id of the deciding rule; it changes when the rule changes."""
    reason: str
    whom: str = OWNER
    """The role whose yes is needed, where the decision is `ask`."""
    within_s: float = 86_400.0
    """Seconds an answer may take."""
    facts: dict[str, Json] = {}
    """The arguments the rule's condition read, as JSON, secrets masked."""
    policy: str = ""
    """Version of the policy that decided."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the policy."""

    decision: Decision
    agent: str
    """An agent's name, or `*`."""
    tool: Granted
    when: Condition | None = None
    whom: str = OWNER
    within_s: float = 86_400.0

    @property
    def id(self) -> str:
        """Digest of the rule's words and of its condition's code."""
        words = [self.decision, self.agent, named(self.tool), self.whom, self.within_s]
        return digest([*words, fingerprint(self.when)], "rule")[:12]

    @property
    def reason(self) -> str:
        """The rule as a sentence."""
        verb = {"allow": "may call", "deny": "may never call", "ask": "must ask before calling"}[
            self.decision
        ]
        who = "every agent" if self.agent == "*" else self.agent
        doc = inspect.getdoc(self.when) if self.when is not None else None
        told = doc.strip().splitlines()[0].rstrip(".") if doc else _source(self.when)
        ask = f" ({self.whom} answers)" if self.decision == "ask" else ""
        return f"{who} {verb} {named(self.tool)}{ask}{f' when: {told}' if told else ''}"


class Policy:
    """An ordered list of rules; each method adds one per tool and returns the policy."""

    def __init__(self) -> None:
        """Starts with no rule: everything is denied."""
        self._rules: list[Rule] = []
        self._version: str | None = None

    def allow(self, agent: object, *tools: Granted, when: Condition | None = None) -> Self:
        """Lets `agent` (an agent, its name, or `"*"`) call the tools."""
        return self._add("allow", agent, tools, when)

    def ask(
        self,
        agent: object,
        *tools: Granted,
        when: Condition | None = None,
        whom: str = OWNER,
        within: str = "24h",
    ) -> Self:
        """Makes calls wait for the yes of `whom` (a role or a person), at most `within` ("30m", "24h")."""
        return self._add("ask", agent, tools, when, whom, _seconds(within))

    def extend(self, other: "Policy") -> Self:
        """Adds the rules of another policy at the end."""
        self._rules.extend(other)
        self._version = None
        return self

    def about(self, *agents: str) -> "Policy":
        """A new policy with the rules that are about these agents, or about every agent, in their order."""
        kept = Policy()
        kept._rules = [rule for rule in self._rules if rule.agent in ("*", *agents)]
        return kept

    def forbid(self, agent: object, *tools: Granted, when: Condition | None = None) -> Self:
        """Refuses the calls for good; a tool an agent is granted but can never call fails the build."""
        return self._add("deny", agent, tools, when)

    @property
    def version(self) -> str:
        """Digest of all rules in order; stands in every event the policy decided."""
        if self._version is None:
            self._version = digest([rule.id for rule in self._rules], "policy")[:12]
        return self._version

    def __iter__(self) -> Iterator[Rule]:
        """The rules in order."""
        return iter(self._rules)

    def evaluate(
        self, agent: str, tool: Tool[..., Any], arguments: Mapping[str, Any], principal: Principal
    ) -> Verdict:
        """Decides one call; pure, so that it can be asked again when the call is executed."""
        for rule in self._rules:
            if rule.agent not in ("*", agent) or not matches(rule.tool, tool.name):
                continue
            read = _Reading({**arguments, "principal": principal})
            if rule.when is None or rule.when(read):
                # Secret facts are bound by the call's digest, and shown to nobody.
                facts = redact(tool.shown(dict(sorted(read.seen.items()))))
                return Verdict(
                    decision=rule.decision,
                    rule=rule.id,
                    reason=rule.reason,
                    whom=rule.whom,
                    within_s=rule.within_s,
                    facts=facts if isinstance(facts, dict) else {},
                    policy=self.version,
                )
        return Verdict(
            decision="deny",
            rule="default",
            reason=f"no rule lets {agent} call {tool.name}",
            policy=self.version,
        )

    def can_ever(self, agent: str, tool: Granted) -> bool:
        """Says whether some call of the tool could be allowed or asked for."""
        for rule in self._rules:
            same = rule.agent in ("*", agent) and (
                matches(rule.tool, named(tool)) or (isinstance(tool, str) and matches(tool, named(rule.tool)))
            )
            if same and rule.decision != "deny":
                return True
            if same and rule.when is None:
                return False
        return False

    def _add(
        self,
        decision: Decision,
        agent: object,
        tools: tuple[Granted, ...],
        when: Condition | None,
        whom: str = OWNER,
        within_s: float = 86_400.0,
    ) -> Self:
        name = agent if isinstance(agent, str) else getattr(agent, "name", None)
        if not isinstance(name, str):
            raise BuildError(f"a rule is about an agent, its name or '*'; got {agent!r}.")
        if not tools:
            raise BuildError(f"the rule for {name} names no tool: add the tools it is about.")
        self._version = None
        self._rules.extend(Rule(decision, name, tool, when, whom, within_s) for tool in tools)
        return self


class _Reading(Mapping[str, Any]):
    """Arguments that remember which of them were read, in whatever way: the facts of a decision."""

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values
        self.seen: dict[str, Any] = {}
        """Absent arguments that were asked for stand here as None."""

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401
        self.seen[key] = self._values.get(key)
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def _seconds(within: str) -> float:
    found = _WITHIN.match(within.strip())
    if not found:
        raise BuildError(f"{within!r} is not a time span: write '90s', '30m', '24h' or '7d'.")
    return timedelta(**{_UNITS[found[2]]: int(found[1])}).total_seconds()


def _source(condition: Condition | None) -> str:
    """The text of a lambda's body, as its reason; best effort, since code may have no source file."""
    if condition is None:
        return ""
    name = getattr(condition, "__name__", "a condition")
    return (_body(condition.__code__) if inspect.isfunction(condition) and name == "<lambda>" else "") or name


@lru_cache(maxsize=256)
def _body(code: CodeType) -> str:
    """What a lambda returns, as written: of the lambdas in its file, the smallest that holds its code."""
    spans = [p for p in code.co_positions() if None not in p and p[2] != p[3]]
    try:
        source = "".join(inspect.findsource(code)[0])
        lambdas = [node.body for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Lambda)]
    except (OSError, SyntaxError):
        return ""
    inside = [
        text
        for body in lambdas
        if spans and all(_holds(body, span) for span in spans)
        if (text := ast.get_source_segment(source, body))
    ]
    return " ".join(min(inside, key=len, default="").split())


def _holds(body: ast.expr, span: tuple[int | None, ...]) -> bool:
    first, last, start, end = (int(each or 0) for each in span)
    after = (body.lineno, body.col_offset) <= (first, start)
    return after and (last, end) <= (body.end_lineno or 0, body.end_col_offset or 0)
