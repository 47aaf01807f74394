"""What the span of a plan says: which routes were tried, who was chosen, and why."""

from collections.abc import Mapping

from interlock.core.canonical import Json
from interlock.observability.attributes import Attributes, Content, metadata, observed
from interlock.observability.facts import Fact

INTAKE, PLAN = "intake", "plan"
"""The tasks as which a supervisor takes a request in, and plans."""


class Planning:
    """One supervisor's planning, from its request to its plan."""

    def __init__(self, begun: Fact, content: Content) -> None:
        """Begins with the event that says the request was taken in."""
        self.begun = begun
        self.attempt: int = 1
        self.tried: list[Json] = []
        """Each route that was looked at, and what it came to."""
        self._content = content

    def try_(self, fact: Fact) -> None:
        """A route looked at the request."""
        self.attempt = fact.attempt
        came_to, _, because = (fact.note("came_to") or "rejected").partition(": ")
        why = self._content.words(fact.note("why") or because)
        tried: dict[str, Json] = {"route": fact.note("route"), "came_to": came_to, "why": why}
        self.tried.append({name: value for name, value in tried.items() if value})

    def made(self, fact: Fact) -> Attributes:
        """A plan was accepted."""
        plan = fact.part("plan")
        tasks = plan.get("tasks")
        chosen: list[Json] = [
            f"{each.get('id')}: {each.get('agent')}"
            for each in (tasks if isinstance(tasks, list) else [])
            if isinstance(each, Mapping)
        ]
        told: dict[str, Json] = {
            "route": plan.get("route"),
            "chosen": chosen,
            "reason": self._content.words(fact.note("why")),
            "candidates": self.tried,
            "considered": self._content.value(fact.body.get("candidates")),
        }
        return observed("chain") | metadata(told)

    def nothing(self, reason: str) -> Attributes:
        """No route had a plan."""
        told: dict[str, Json] = {"candidates": self.tried, "chosen": "nobody"}
        return observed("chain", "WARNING", self._content.words(reason)) | metadata(told)
