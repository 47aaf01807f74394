"""Reads a suite: `evals/SUITE/*.jsonl` with one case a line, and `suite.toml` with what it promises.

`held_out.jsonl` is the part that nobody builds against; `labels.jsonl` holds what people said of answers and
is no case. Nothing of the project is imported here.
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
Metric: TypeAlias = Literal["tools", "forbidden", "loop", "grounded", "judged"]
"""What is measured of a case beside its expectations; only the last one asks a model."""
HELD_OUT = "held_out.jsonl"
LABELS = "labels.jsonl"
SETTINGS = "suite.toml"


class Effect(BaseModel, frozen=True, extra="forbid"):
    """One confirmed change of the world."""

    tool: str
    arguments: dict[str, Json] = {}
    """Those that matter; others may have any value."""


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
    effects: tuple[Effect, ...] | None = None
    """Exactly the effects that must have been confirmed, in any order; absent: whichever."""
    tools: tuple[str, ...] = ()
    """Tools that must be called, as `server/tool`; others may be. Measured as `tools`."""
    never: tuple[str, ...] = ()
    """Tools that must not be called in this case. Measured as `forbidden`, with those of `suite.toml`."""
    facts: dict[str, Json] = {}
    """What the suite's own world must say, by the names that `suite.toml` declares."""


class Weather(BaseModel, frozen=True, extra="forbid"):
    """What happens around a case."""

    person: Person | None = None
    """What the person does when asked."""
    answers: tuple[Json, ...] = ()
    """What the person says where they are asked for more than a yes, in order."""
    world: dict[str, str] = {}
    """What goes wrong, by the names that `suite.toml` declares."""


class Case(BaseModel, frozen=True, extra="forbid"):
    """One request and what must become of it."""

    ticket: dict[str, Json]
    expect: Expect
    weather: Weather = Weather()
    why: str
    """The case in one sentence."""
    name: str = ""
    """Its id, where the request has no `id` of its own."""
    run: str = ""
    """The run it was made of; empty for a case that a person wrote."""

    @property
    def id(self) -> str:
        """The case's name or its ticket's id, unique in the suite."""
        return self.name or str(self.ticket["id"])


class Thresholds(BaseModel, frozen=True, extra="forbid"):
    """The share of expectations, from 0 to 1, that must hold in each column."""

    development: float = Field(default=1.0, ge=0, le=1)
    held_out: float = Field(default=1.0, ge=0, le=1)
    noisy: float = Field(default=1.0, ge=0, le=1)
    reordered: float = Field(default=1.0, ge=0, le=1)


class JudgeSettings(BaseModel, frozen=True, extra="forbid"):
    """A model that reads the answers, by a rubric."""

    route: str = "judge"
    """The model route it thinks by; without a model behind it nothing is judged."""
    criteria: str = Field(min_length=1)
    """What a good answer is, in a sentence or two."""
    steps: tuple[str, ...] = Field(min_length=1)
    """What the judge looks at, one after the other."""
    threshold: float = Field(default=0.7, ge=0, le=1)
    """The least score, from 0 to 1, of an answer that is right."""


class MetricSettings(BaseModel, frozen=True, extra="forbid"):
    """What is measured beside the expectations."""

    never: tuple[str, ...] = ()
    """Tools that no case may call."""
    repeats: int = Field(default=3, ge=1)
    """How often one attempt of a task may make the same call, or go round the same few calls."""
    least: dict[Metric, float] = {}
    """The share of cases, from 0 to 1, that must pass a metric; all of them where nothing is said."""


class SuiteSettings(BaseModel, frozen=True, extra="forbid"):
    """`suite.toml`."""

    graph: str = ""
    """The graph that is played, where it is not called as the suite is."""
    script: str = ""
    """What judges and reflects while no model is configured: `file.py:name`, in the suite's folder."""
    text: tuple[str, ...] = ("text",)
    """Fields of a ticket that people write, which noise may change."""
    facts: tuple[str, ...] = ()
    """What the suite's world adds to what a case may expect."""
    weather: dict[str, tuple[str, ...]] = {}
    """What the suite's world can make go wrong: name -> possible values."""
    thresholds: Thresholds = Thresholds()
    metrics: MetricSettings = MetricSettings()
    judge: JudgeSettings | None = None
    variants: dict[str, str] = {}
    """What `interlock eval compare` sets against the graph: name -> variant."""


@dataclass(frozen=True, slots=True)
class Suite:
    """The cases of one graph."""

    name: str
    folder: Path
    """Where the cases are; a `world.py` in it prepares and inspects the outside world."""
    settings: SuiteSettings
    cases: dict[Part, tuple[Case, ...]]

    @property
    def graph(self) -> str:
        """The graph that is played."""
        return self.settings.graph or self.name

    @property
    def script(self) -> str:
        """The place of the script that judges and reflects while no model is configured; empty: nobody."""
        return str((self.folder / self.settings.script).resolve()) if self.settings.script else ""

    @classmethod
    def read(cls, name: str, project: Path) -> "Suite":
        """Reads all cases of a suite.

        Raises:
            NotFound: if there are none.
            BadInput: naming file and line, if a case cannot be read.
        """
        folder = project / "evals" / name
        files = sorted(file for file in folder.glob("*.jsonl") if file.name != LABELS)
        if not files:
            known = sorted({file.parent.name for file in folder.parent.glob("*/*.jsonl")})
            there = f" (there are suites for: {', '.join(known)})" if known else ""
            raise NotFound(f"there are no cases for {name!r}{there}: write them to evals/{name}/*.jsonl.")
        settings = _settings(folder / SETTINGS)
        cases: dict[Part, tuple[Case, ...]] = {"development": (), "held_out": ()}
        seen: dict[str, str] = {}
        for file in files:
            part: Part = "held_out" if file.name == HELD_OUT else "development"
            cases[part] += tuple(_cases(file, settings, seen))
        if not seen:
            raise BadInput(f"the files in evals/{name} have no case: write one JSON object per line.")
        return cls(name, folder, settings, cases)

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
            f"there is no case {name!r} in evals/{self.name}; they go from {known[0]} to {known[-1]}."
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
    if not case.name and (not isinstance(case.ticket.get("id"), str) or not case.ticket["id"]):
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
