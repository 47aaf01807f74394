"""Models that answer from a script, so that bodies which think can be tested without a provider."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from interlock.core.limits import Budget, Deadline
from interlock.core.models import ModelCall, ModelReply
from interlock.errors import NotFound

Script: TypeAlias = Sequence[str] | Callable[[str], str]
"""Replies in order (the last one repeats), or a function of the prompt."""


class ScriptedModels:
    """The `Models` port: each route answers from its script; `prompts` holds what was asked."""

    def __init__(self, routes: Mapping[str, Script]) -> None:
        """Takes a script for each route."""
        self._routes = dict(routes)
        self._asked: dict[str, int] = {}
        self.prompts: list[tuple[str, str]] = []

    async def reply(
        self,
        route: str,
        call: ModelCall,
        *,
        budget: Budget,
        deadline: Deadline,
        heard: Callable[[str], None] | None = None,
    ) -> ModelReply:
        """Answers from the script; a token is counted for every four characters.

        Raises:
            NotFound: if the route has no script.
        """
        script = self._routes.get(route)
        if script is None:
            raise NotFound(f"no script for model route {route!r} (known: {', '.join(sorted(self._routes))}).")
        prompt = str(call.messages[-1].content)
        self.prompts.append((route, prompt))
        turn = self._asked.get(route, 0)
        self._asked[route] = turn + 1
        text = script(prompt) if callable(script) else script[min(turn, len(script) - 1)]
        reply = ModelReply(
            text=text, model="scripted", input_tokens=len(prompt) // 4 + 1, output_tokens=len(text) // 4 + 1
        )
        budget.charge(tokens=reply.tokens)
        if heard is not None:
            heard(text)
        return reply
