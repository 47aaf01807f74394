"""The world outside a suite's graph: prepared before a case, inspected after it.

A suite puts a class `World` into its `world.py`. It reads the other side's books, never Interlock's record
alone: what a case cost is what the payment service says it cost.
"""

import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from interlock.core.canonical import Json
from interlock.core.questions import Question
from interlock.core.runs import Run
from interlock.core.stores import Line
from interlock.errors import BadInput

FILE = "world.py"


@dataclass(frozen=True, slots=True)
class Seen:
    """What can be seen of a run from outside: its row, its questions, its record, its reply."""

    ticket: Mapping[str, Json]
    run: Run
    questions: tuple[Question, ...]
    """Every question of the run, answered or not, oldest first."""
    lines: tuple[Line, ...]
    reply: str
    """What a customer reads of the response; empty where there is none."""

    def events(self, kind: str) -> list[Mapping[str, Json]]:
        """The bodies of all events of a kind, in order."""
        bodies = [line.body for line in self.lines if line.event.kind == kind]
        return [body for body in bodies if isinstance(body, dict)]

    def approved(self, tool: str) -> list[Mapping[str, Json]]:
        """The arguments of each call of a tool that a person said yes to."""
        return [
            arguments
            for asked in self.questions
            if asked.kind == "approve" and isinstance(asked.answer, dict) and asked.answer.get("yes") is True
            and asked.details.get("tool") == tool
            and isinstance(arguments := asked.details.get("arguments"), dict)
        ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Found:
    """What the world has to say after a case."""

    facts: dict[str, Json] = field(default_factory=dict[str, Json])
    """Each fact that the suite declares."""
    harm: tuple[str, ...] = ()
    """What must never happen and did, one sentence each."""


class World(Protocol):
    """What a suite's `world.py` gives; it lives as long as the process that runs cases."""

    def start(self, folder: Path) -> None:
        """Prepares, in a folder of its own, what all cases share; called before the graph is imported."""
        ...

    def open(self, folder: Path, weather: Mapping[str, str]) -> None:
        """Makes a fresh world for one case, in an empty folder, in this weather."""
        ...

    def look(self, seen: Seen) -> Found:
        """Says what became of the world."""
        ...

    def close(self) -> None:
        """Ends what `start` began."""
        ...


class Nowhere:
    """The world of a suite that has none."""

    def start(self, folder: Path) -> None:
        """Does nothing."""

    def open(self, folder: Path, weather: Mapping[str, str]) -> None:
        """Does nothing."""

    def look(self, seen: Seen) -> Found:
        """Nothing to see."""
        return Found()

    def close(self) -> None:
        """Does nothing."""


def load(folder: Path) -> World:
    """The world of the suite in this folder.

    Raises:
        BadInput: if its `world.py` cannot be used.
    """
    file = folder / FILE
    if not file.is_file():
        return Nowhere()
    name = f"interlock_world_{folder.name}"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
        return module.World()
    except Exception as error:
        told = f"{type(error).__name__}: {error}"
        raise BadInput(f"evals/{folder.name}/{FILE} cannot be used: {told}.") from error
