"""Checks for `checks=` that many desks want."""

from interlock.core.plans import Finding, Findings
from interlock.orchestration.gate import Problem


def nobody_gave_up(response: object, findings: Findings) -> Problem | None:
    """Lets a person look before anything leaves where an agent gave up; they read why, and what it needs."""
    given_up = [item for item in findings.items if item.status == "gave_up"]
    told = "; ".join(_told(item) for item in given_up)
    return Problem(f"An agent gave up. {told}", "ask") if given_up else None


def _told(item: Finding) -> str:
    return f"{item.agent}: {item.why}{f' (needed: {item.needs})' if item.needs else ''}"
