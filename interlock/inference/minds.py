"""Bodies that are prompts: what each attempt of a task begins with, and with which room.

What it began with is journaled, so that a re-execution holds the same conversation even where the prompt's
file or registry has changed meanwhile.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, cast

from interlock.core.agents import AnyAgent
from interlock.core.canonical import Json, plain
from interlock.core.doors import Doors
from interlock.core.journal import Entry, call_digest
from interlock.core.ports import Prompts
from interlock.core.prompts import Prompt
from interlock.core.scope import TaskScope

_log = logging.getLogger("interlock")
DEFAULT_WINDOW = 128_000
"""Tokens that a conversation may have where nobody says what the route's model takes."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """What an attempt began with, the same on every execution of it."""

    prompt: Prompt
    done: list[dict[str, Json]]
    """Effects of earlier attempts: tool and arguments."""


class PromptMinds:
    """The `Minds` port: every prompt body of a bound graph."""

    def __init__(
        self, *, prompts: Prompts | None = None, windows: Callable[[str], int | None] | None = None
    ) -> None:
        """Takes what configuration knows.

        Args:
            prompts: Where prompts come from before their files are used; None: from the files alone.
            windows: Tokens that a route's models take, where somebody knows.
        """
        self._prompts = prompts
        self._windows = windows

    async def work(self, agent: AnyAgent, inputs: Sequence[Any], doors: Doors, scope: TaskScope) -> object:
        """Lets the model work until it has a result, gives up, or may not go on; see the `Minds` port."""
        assert agent.thinking is not None
        began = await self._begin(agent, agent.thinking.words, scope)
        # A provider's package may take seconds to load as well.
        known = await asyncio.to_thread(self._windows, agent.thinking.model) if self._windows else None
        window = min(each for each in (began.prompt.window, known or DEFAULT_WINDOW) if each is not None)
        # LangChain's agents take a second to load, and the run's lease must be kept alive meanwhile.
        loaded = await asyncio.to_thread(import_module, "interlock.inference.conversation")
        return await loaded.converse(agent, inputs, doors, scope, began, window)

    async def _begin(self, agent: AnyAgent, words: Prompt, scope: TaskScope) -> Beginning:
        """The prompt and what earlier attempts did, journaled: an execution of the attempt never differs."""
        operation = f"prompt:{words.name}"
        slot = scope.journal.occurrence(call_digest(operation, None))
        known = scope.journal.recorded(slot)
        if known is None:
            prompt = await self._sourced(agent, words)
            done = [{"tool": e.operation, "arguments": e.arguments} for e in _caused(scope)]
            answer: Json = plain({"text": prompt.text, "version": prompt.version, "done": done})
            known = scope.journal.put(
                Entry(
                    run=scope.run,
                    task=scope.task,
                    attempt=scope.attempt,
                    digest=slot.digest,
                    nth=slot.nth,
                    step=slot.step,
                    kind="prompt",
                    operation=operation,
                    arguments=None,
                    state="answered",
                    answer=answer,
                )
            )
        held = cast("dict[str, Any]", known.answer)
        prompt = Prompt(words.name, held["text"], held["version"], words.hints, words.window)
        return Beginning(prompt, held["done"])

    async def _sourced(self, agent: AnyAgent, words: Prompt) -> Prompt:
        """The registry's words where it has some that the agent's input can fill; else the file's."""
        if self._prompts is None:
            return words
        text, version = await self._prompts.text(words.name, words.text)
        if told := agent.misplaced(text):
            _log.warning(
                "prompt %s@%s names {%s}: no such input; its file is used.", words.name, version, told
            )
            return words
        return words if text == words.text and not version else words.other(text, version)


def _caused(scope: TaskScope) -> list[Entry]:
    """Effects of earlier attempts, in their order; a first attempt has none."""
    return sorted(scope.journal.unclaimed(), key=lambda e: e.position) if scope.attempt > 1 else []
