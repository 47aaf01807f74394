"""How an agent's body works where it is neither a function nor a graph: by a prompt, or far away."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interlock.core.canonical import Json
from interlock.core.fingerprints import fingerprint
from interlock.core.prompts import Prompt
from interlock.core.skills import Skill, read_skills


@dataclass(frozen=True, slots=True)
class Thinking:
    """A body that is a prompt: a model works on the task with the agent's tools."""

    prompt: Path
    """The prompt's file."""
    words: Prompt
    """What the file said when the agent was made; its version stands in the record of every call."""
    model: str = "default"
    """The route; configuration says what stands behind it."""
    skills: tuple[Skill, ...] = ()
    """What the model may read up, loaded when it asks for one."""
    reasoning: str = ""
    """How hard to think, handed to models that can be told: `low`, `medium`, `high`; empty: as they like."""

    @classmethod
    def read(cls, prompt: Path, model: str, skills: Sequence[Path], reasoning: str) -> "Thinking":
        """Reads the prompt's file and the skills' folders.

        Raises:
            BuildError: if one of them is missing or cannot be used.
        """
        return cls(prompt, Prompt.read(prompt), model, read_skills(skills), reasoning)

    @property
    def definition(self) -> Json:
        """What of it stands in the agent's version: content, never where it lies."""
        known: list[Json] = [[skill.name, skill.version] for skill in self.skills]
        return [self.words.label, self.model, known, self.reasoning]


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
