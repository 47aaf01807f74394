"""When sources disagree: claims, declared rules, and the record of who won and why."""

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TypeAlias

from pydantic import BaseModel

from interlock.core.canonical import canonical
from interlock.core.results import Claim

Rule: TypeAlias = Callable[[list[Claim]], Claim | None]
"""Picks the claim that holds, or None if it cannot tell; its docstring is the reason."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Declares how disagreement about something is decided."""

    about: str
    """A pattern over `Claim.about`, such as `"parcel *: status"`."""
    rule: Rule


class Resolution(BaseModel, frozen=True, extra="forbid"):
    """A disagreement and how it ended."""

    about: str
    claims: tuple[Claim, ...]
    rule: str
    reason: str
    winner: Claim | None
    """Absent where no rule is declared or the rule could not tell: a person has to decide."""


def prefer(*sources: str) -> Rule:
    """A rule that trusts the sources in the given order."""

    def in_order(claims: list[Claim]) -> Claim | None:
        for source in sources:
            for claim in claims:
                if fnmatchcase(claim.source, source):
                    return claim
        return None

    in_order.__doc__ = "Trusts " + ", then ".join(sources) + "."
    in_order.__name__ = "prefer"
    return in_order


def resolve(claims: Iterable[Claim], rules: Iterable[Conflict]) -> list[Resolution]:
    """Finds what sources disagree about and decides it by the first rule that matches; pure."""
    by_subject: dict[str, list[Claim]] = {}
    for claim in claims:
        group = by_subject.setdefault(claim.about, [])
        if claim not in group:
            group.append(claim)
    declared = list(rules)
    return [
        _decide(about, group, declared)
        for about, group in sorted(by_subject.items())
        if len({canonical(claim.value) for claim in group}) > 1
    ]


def _decide(about: str, claims: list[Claim], rules: list[Conflict]) -> Resolution:
    for conflict in rules:
        if fnmatchcase(about, conflict.about):
            winner = conflict.rule(claims)
            reason = (inspect.getdoc(conflict.rule) or "").strip().splitlines()
            return Resolution(
                about=about,
                claims=tuple(claims),
                rule=getattr(conflict.rule, "__name__", "rule"),
                reason=reason[0] if reason else "",
                winner=winner,
            )
    return Resolution(
        about=about, claims=tuple(claims), rule="none", reason="no rule is declared", winner=None
    )
