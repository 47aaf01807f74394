"""Agents with prompts for tests, and a model whose replies are written here, calls of tools included."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from interlock.core.limits import Budget, Deadline
from interlock.core.models import ModelCall, ModelReply, ToolRequest

Said: TypeAlias = str | Mapping[str, Any] | Sequence[tuple[str, Mapping[str, Any]]]
"""Words; one call as `{"name": {...arguments}}`; or several calls."""
Script: TypeAlias = Callable[[ModelCall], Said] | list[Said]


class Actor:
    """The `Models` port: plays a script, and remembers every call that reached it."""

    def __init__(self, script: Script) -> None:
        """Takes a function of the call, or replies in order; the last one repeats."""
        self._script = script
        self.heard: list[ModelCall] = []
        self.routes: list[str] = []

    async def reply(
        self,
        route: str,
        call: ModelCall,
        *,
        budget: Budget,
        deadline: Deadline,
        heard: Callable[[str], None] | None = None,
    ) -> ModelReply:
        """Plays the next line; a token is counted for every four characters that were sent."""
        turn = len(self.heard)
        self.heard.append(call)
        self.routes.append(route)
        script = self._script
        said = script(call) if callable(script) else script[min(turn, len(script) - 1)]
        sent = len(call.model_dump_json()) // 4
        budget.charge(tokens=sent + 1)
        text = said if isinstance(said, str) else ""
        calls = [] if isinstance(said, str) else list(said.items()) if isinstance(said, Mapping) else said
        requests = [
            ToolRequest(id=f"c{turn}-{n}", name=name, arguments=dict(arguments))
            for n, (name, arguments) in enumerate(calls)
        ]
        return ModelReply(
            text=text, model="actor", input_tokens=sent, output_tokens=1, requests=tuple(requests)
        )


def write_prompt(folder: Path, text: str = "Do the task.", name: str = "work.md") -> Path:
    """A prompt's file."""
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file
