"""Reads a suite: `evals/GRAPH/*.jsonl` with one case a line, and `suite.toml` with what it promises.

`held_out.jsonl` is the part that nobody builds against. Nothing of the project is imported here.
"""

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

from pydantic import BaseModel, Field, ValidationError

from interlock.core.canonical import Json
from interlock.core.results import Status
from interlock.core.runs import Outcome, RunState
from interlock.errors import BadInput, NotFound

Part: TypeAlias = Literal["development", "held_out"]
Person: TypeAlias = Literal["approves", "rejects", "cancels", "rolls_back"]
Verdict: TypeAlias = Literal["accept", "revise", "ask", "refuse"]
Asked: TypeAlias = Literal["approve", "clarify", "review"]
HELD_OUT = "held_out.jsonl"
SETTINGS = "suite.toml"


class Expect(BaseModel, frozen=True, extra="forbid"):
    """What a case must come to."""

    state: RunState
    """At the end, or at the first wait that nobody in the case answers."""
    outcome: Outcome | None = None
    """Only of a completed run."""
    verdict: Verdict | None = None
    """The aggregator's strongest; absent where none was reached."""
    agents: tuple[str, ...] = ()
    """Agents that must have been started; others may have been."""
    reply_has: tuple[str, ...] = ()
    """Texts of the reply, in whichever case."""
    asks: Asked | None = None
    """Kind of the first question to a person."""
    results: tuple[Status, ...] = ()
    """Kinds of task result that must occur."""
    facts: dict[str, Json] = {}
    """What the suite's own world must say, by the names that `suite.toml` declares."""


class Weather(BaseModel, frozen=True, extra="forbid"):
    """What happens around a case."""

    person: Person | None = None
    """What the person does when asked."""
    world: dict[str, str] = {}
    """What goes wrong, by the names that `suite.toml` declares."""


class Case(BaseModel, frozen=True, extra="forbid"):
    """One request and what must become of it."""

    ticket: dict[str, Json]
    expect: Expect
    weather: Weather = Weather()
    why: str
    """The case in one sentence."""

    @property
    def id(self) -> str:
        """The ticket's id, unique in the suite."""
        return str(self.ticket["id"])


class Thresholds(BaseModel, frozen=True, extra="forbid"):
    """The share of expectations, from 0 to 1, that must hold in each column."""

    development: float = Field(default=1.0, ge=0, le=1)
    held_out: float = Field(default=1.0, ge=0, le=1)
    noisy: float = Field(default=1.0, ge=0, le=1)
    reordered: float = Field(default=1.0, ge=0, le=1)


class SuiteSettings(BaseModel, frozen=True, extra="forbid"):
    """`suite.toml`."""

    text: tuple[str, ...] = ("text",)
    """Fields of a ticket that people write, which noise may change."""
    facts: tuple[str, ...] = ()
    """What the suite's world adds to what a case may expect."""
    weather: dict[str, tuple[str, ...]] = {}
    """What the suite's world can make go wrong: name -> possible values."""
    thresholds: Thresholds = Thresholds()


@dataclass(frozen=True, slots=True)
class Suite:
    """The cases of one graph."""

    graph: str
    folder: Path
    """Where the cases are; a `world.py` in it prepares and inspects the outside world."""
    settings: SuiteSettings
    cases: dict[Part, tuple[Case, ...]]

    @classmethod
    def read(cls, graph: str, project: Path) -> "Suite":
        """Reads all cases of a graph.

        Raises:
            NotFound: if the graph has no cases.
            BadInput: naming file and line, if a case cannot be read.
        """
        folder = project / "evals" / graph
        files = sorted(folder.glob("*.jsonl"))
        if not files:
            raise NotFound(f"there are no cases for {graph!r}: write them to evals/{graph}/*.jsonl.")
        settings = _settings(folder / SETTINGS)
        cases: dict[Part, tuple[Case, ...]] = {"development": (), "held_out": ()}
        seen: dict[str, str] = {}
        for file in files:
            part: Part = "held_out" if file.name == HELD_OUT else "development"
            cases[part] += tuple(_cases(file, settings, seen))
        if not seen:
            raise BadInput(f"the files in evals/{graph} have no case: write one JSON object per line.")
        return cls(graph, folder, settings, cases)

    def case(self, name: str) -> tuple[Part, Case]:
        """One case by its id, in whichever part.

        Raises:
            NotFound: if there is none.
        """
        for part, cases in self.cases.items():
            for case in cases:
                if case.id == name:
                    return part, case
        known = [case.id for cases in self.cases.values() for case in cases]
        raise NotFound(
            f"there is no case {name!r} in evals/{self.graph}; they go from {known[0]} to {known[-1]}."
        )


def _settings(file: Path) -> SuiteSettings:
    try:
        return SuiteSettings.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return SuiteSettings()
    except ValidationError as error:
        raise BadInput(f"{_shown(file)}: {_told(error)}.") from error
    except (OSError, ValueError) as error:
        raise BadInput(f"{_shown(file)} cannot be read: {error}.") from error


def _cases(file: Path, settings: SuiteSettings, seen: dict[str, str]) -> list[Case]:
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise BadInput(f"{_shown(file)} cannot be read: {error}.") from error
    found: list[Case] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"{_shown(file)}, line {number}"
        case = _case(line, where, settings)
        if case.id in seen:
            raise BadInput(f"{where}: the id {case.id!r} is taken by {seen[case.id]}.")
        seen[case.id] = where
        found.append(case)
    return found


def _case(line: str, where: str, settings: SuiteSettings) -> Case:
    try:
        told: object = json.loads(line)
    except (json.JSONDecodeError, RecursionError) as error:
        raise BadInput(f"{where}, is not JSON: {getattr(error, 'msg', error)}.") from error
    if not isinstance(told, dict):
        raise BadInput(f"{where}, is no JSON object.")
    written = dict(cast("dict[str, Any]", told))
    for field, into, names in (("expect", "facts", settings.facts), ("weather", "world", settings.weather)):
        if not _move(written, field, into, tuple(names)):
            raise BadInput(f"{where}: {field}.{into}: no such field.")
    try:
        case = Case.model_validate(written)
    except ValidationError as error:
        raise BadInput(f"{where}: {_told(error)}.") from error
    if not isinstance(case.ticket.get("id"), str) or not case.ticket["id"]:
        raise BadInput(f"{where}: ticket.id: a ticket needs an id.")
    for name, value in case.weather.world.items():
        if value not in settings.weather[name]:
            possible = ", ".join(settings.weather[name])
            raise BadInput(f"{where}: weather.{name}: {value!r} is not one of: {possible}.")
    return case


def _move(written: dict[str, Any], field: str, into: str, names: tuple[str, ...]) -> bool:
    """Takes what the suite itself declares out of a field, so that everything else can be refused.

    Returns:
        False where a case uses the word that is ours for that.
    """
    held: object = written.get(field)
    if isinstance(held, dict):
        given = cast("dict[str, Any]", held)
        rest = {name: value for name, value in given.items() if name not in names}
        if into in rest:
            return False
        written[field] = {**rest, into: {name: given[name] for name in names if name in given}}
    return True


def _told(error: ValidationError) -> str:
    """The first thing that is wrong, as a sentence."""
    first = error.errors(include_url=False, include_context=False)[0]
    place = ".".join(str(part) for part in first["loc"] if part not in ("facts", "world"))
    what = {"extra_forbidden": "no such field", "missing": "is missing"}.get(first["type"], first["msg"])
    return f"{place}: {what}" if place else what


def _shown(file: Path) -> str:
    return "/".join(file.parts[-3:])
