"""Reflection: a declared, bounded cycle in which a judge may send an output back."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from interlock.core.agents import AnyAgent


@dataclass(frozen=True, slots=True)
class Reflection:
    """Sends an agent's output back with the judge's words, at most `max_rounds` times."""

    agent: AnyAgent
    judge: Callable[[Any], str | None]
    """Looks at an output and says what is wrong with it, or None; pure."""
    max_rounds: int = 2
