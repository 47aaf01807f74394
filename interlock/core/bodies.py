"""How an agent's body works where it is neither a function nor a graph: by a prompt, or far away."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interlock.core.canonical import Json
from interlock.core.fingerprints import fingerprint


@dataclass(frozen=True, slots=True)
class Thinking:
    """A body that is a prompt: a model works on the task with the agent's tools."""

    prompt: Path
    """The prompt's file; its version stands in the record of every call."""
    model: str = "default"
    """The route; configuration says what stands behind it."""
    skills: tuple[Path, ...] = ()
    """Folders with a SKILL.md, loaded when the model asks for one."""
    reasoning: str = ""
    """How hard to think, handed to models that can be told: `low`, `medium`, `high`; empty: as they like."""

    @property
    def definition(self) -> Json:
        """What of it stands in the agent's version."""
        return [str(self.prompt), self.model, [str(skill) for skill in self.skills], self.reasoning]


@dataclass(frozen=True, slots=True)
class Remote:
    """A body that is an A2A endpoint."""

    url: str
    ask: Callable[..., Any]
    """Makes the message from the inputs: text, or anything JSON has a word for."""
    read: Callable[[Any], Any]
    """Makes the output from the answer; what it raises means that the answer cannot be read."""

    @property
    def definition(self) -> Json:
        """What of it stands in the agent's version."""
        return [self.url, fingerprint(self.ask), fingerprint(self.read)]
